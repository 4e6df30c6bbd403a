"""Scenario files: what they fill in, and what they say about mistakes."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyradio.errors import ScenarioError
from polyradio.scenario import json_schema, load_scenario, parse_scenario, shipped_scenarios
from polyradio.toml_places import key_places, line_of

SMALL = """\
name = "small"
duration_s = 1

[[access_point]]
name = "ap"
ssid = "office"
channel = 1

[[vm]]
name = "alice"
network = "office"
"""

PASSPHRASE_RULE = "a passphrase has 8 to 63 printable ASCII characters; a PSK has 64 hex digits"


def problems(text: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text)
    return caught.value.problems


@pytest.mark.parametrize("name", shipped_scenarios())
def test_every_shipped_scenario_loads_and_bears_its_own_name(name: str) -> None:
    assert load_scenario(name).name == name


def test_the_demo_has_four_vms_and_three_networks_on_two_channels() -> None:
    demo = load_scenario("demo")
    assert len(demo.vms) == 4
    assert len({vm.network for vm in demo.vms}) == 3
    assert len({access_point.channel for access_point in demo.access_points}) == 2
    passphrases = [access_point.passphrase for access_point in demo.access_points]
    assert passphrases.count(None) == 1
    assert len(set(passphrases)) == 3


def test_addresses_are_filled_in_and_unique() -> None:
    scenario = parse_scenario(SMALL + '[[vm]]\nname = "bob"\nnetwork = "office"\n')
    alice, bob = scenario.vms
    assert [str(vm.ip) for vm in (alice, bob)] == ["10.0.1.2/24", "10.0.1.3/24"]
    assert str(scenario.access_points[0].ip) == "10.0.1.1/24"
    macs = [alice.mac, bob.mac, scenario.access_points[0].bssid]
    assert len(set(macs)) == 3
    assert all(mac[0] & 3 == 2 for mac in macs), "locally administered and individual"


def test_addresses_that_are_filled_in_avoid_those_that_are_given() -> None:
    given_ones = '[[vm]]\nname = "bob"\nnetwork = "office"\nip = "10.0.1.2/24"\nmac = "02:50:52:00:00:01"\n'
    alice, bob = parse_scenario(SMALL + given_ones).vms
    assert str(bob.ip) == "10.0.1.2/24"
    assert alice.ip != bob.ip
    assert alice.mac != bob.mac


def test_all_mistakes_are_listed_at_once_with_their_places() -> None:
    text = """\
name = "bad one"
duration_s = -3
tiem = "wall"

[device]
urll = "emulated:"

[[access_point]]
name = "ap"
ssid = "office"
channel = 15
passphrase = "short"
bssid = "02:00:00:00:00:01"

[[vm]]
name = "ap"
network = "offcie"
mac = "02-00-00-00-00-01"
port = "tapp"
traffic = [
  { kind = "pign" },
]

[[vm]]
port = "tap"
[[vm.traffic]]
kind = "ping"
size = "x"
[[link]]
access_point = "nope"
loss = 2
"""
    assert problems(text) == [
        "name (line 1): a name has 1 to 32 letters, digits, '-', '_' or '.'",
        "duration_s (line 2): must be greater than 0, not -3",
        "tiem (line 3): unknown key; did you mean 'time'?",
        "device.urll (line 6): unknown key; did you mean 'url'?",
        "access_point[0].channel (line 11): there is no channel 15: 1 to 14, or 36, 40, ... 177",
        f"access_point[0].passphrase (line 12): {PASSPHRASE_RULE}",
        "vm[0].name (line 16): name ap is taken: access_point[0].name has it",
        "vm[0].network (line 17): no access point has the SSID 'offcie'; did you mean 'office'?",
        "vm[0].mac (line 18): MAC address 02:00:00:00:00:01 is taken: access_point[0].bssid has it",
        "vm[0].port (line 19): must be 'memory' or 'tap', not 'tapp'; did you mean 'tap'?",
        "vm[0].traffic[0].kind (line 20): must be 'ping', 'udp' or 'iperf3', not 'pign'; did you mean 'ping'?",
        "vm[1].name (line 24): is missing",
        "vm[1].network (line 24): is missing",
        'vm[1].port (line 25): a Linux stack needs wall-clock time: set time = "wall"',
        "vm[1].traffic[0].size (line 28): must be an integer, not 'x'",
        "link[0].access_point (line 30): there is no access point 'nope'",
        "link[0].loss (line 31): must be less than or equal to 1, not 2",
    ]


@pytest.mark.parametrize(
    ("addition", "expected"),
    [
        ('ip = "10.0.9.2/24"', "vm[0].ip (line 12): 10.0.9.2/24 is not in 10.0.1.0/24"),
        ('ip = "10.0.1.0/24"', "its broadcast address"),
        ('ip = "10.0.1.2"', "must be an IPv4 address with its prefix"),
        ('mac = "03:00:00:00:00:01"', "group address"),
        ("passphrase = 12345678", "vm[0].passphrase (line 12): must be a string"),
        ('traffic = [{ kind = "iperf3" }]', "set the VM's port"),
        ('traffic = [{ kind = "ping", rate_mbps = 1 }]', "is for udp and iperf3"),
        ("[device]\nmax_vms = 0", "device.max_vms (line 13): must be greater than or equal to 1, not 0"),
        ('[[access_point]]\nname = "b"\nssid = "x"\nchannel = 6\nvanish_at_s = 2', "the scenario ends before that"),
        ('[[link]]\naccess_point = "ap"\n[[link]]\naccess_point = "ap"', "link to ap is taken: link[0]"),
        ('[[vms]]\nname = "b"', "vms (line 12): unknown key; did you mean 'vm'?"),
    ],
)
def test_a_mistake_names_its_place_and_what_would_be_right(addition: str, expected: str) -> None:
    (problem,) = problems(SMALL + addition)
    assert expected in problem


def test_more_vms_than_rows_are_too_many() -> None:
    (problem,) = problems(SMALL + '[[vm]]\nname = "bob"\nnetwork = "office"\n[device]\nmax_vms = 1\n')
    assert "2 VMs, but the device has rows for 1" in problem


def test_a_passphrase_is_never_shown() -> None:
    for wrong in ('"1234567"', "77777777", '"a passphrase that is too long because it just never comes to its end"'):
        for problem in problems(SMALL + f"passphrase = {wrong}\n"):
            assert wrong.strip('"') not in problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = ", "line 1, column 5: invalid value"),
        ("x = 1\ny = [1,", "line 2, column 8:"),
        ("[vm\n", "line 1, column 4:"),
        ("", "name: is missing"),
    ],
)
def test_broken_toml_has_a_line_and_a_column(text: str, expected: str) -> None:
    assert problems(text)[0].startswith(expected)


def test_a_name_that_is_nowhere_lists_those_that_ship(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="none of that name ships: demo"):
        load_scenario("no-such-scenario")
    with pytest.raises(ScenarioError, match="Is a directory"):
        load_scenario(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'name = "a"\n# \xe9\n')
    with pytest.raises(ScenarioError, match="line 2: not UTF-8"):
        load_scenario(tmp_path / "latin.toml")


def test_the_schema_knows_the_keys_of_the_file() -> None:
    schema = json_schema()
    assert {"access_point", "vm", "link"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False
    json.dumps(schema)


def test_places_follow_dotted_keys_quotes_and_strings_over_lines() -> None:
    text = 'a = """\nb = 1\n"""\nc.d = 1\n"e f" = 2\ng = [\n  1, # ]\n]\n[h.i]\nj = {\n k = 1 }\n'
    places = key_places(text)
    assert ("b",) not in places
    assert places[("c", "d")] == 4
    assert places[("e f",)] == 5
    assert places[("h", "i", "j")] == 10
    assert line_of(places, ("h", "i", "j", "k", 3)) == 10
    assert line_of(places, ("nowhere",)) is None


@given(st.text(alphabet="[]{}=\"'\n.a#, 1", max_size=60))
def test_any_text_is_a_scenario_error_and_nothing_else(text: str) -> None:
    key_places(text)
    with pytest.raises(ScenarioError):
        parse_scenario(text)
