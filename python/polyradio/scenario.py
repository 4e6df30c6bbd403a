"""Scenario files: what is in the air, which VMs there are and what they do.

`load_scenario` reads a TOML file, or one of the examples that ship by its name (`demo`), and lists every mistake in it
at once, each with its place. Not here: running it (`testbed`). Promise: a `Scenario` that exists makes sense: names and
addresses are unique, every network and access point that is referred to is there, every address is filled in.
"""

import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from polyradio.errors import ScenarioError
from polyradio.scenario_check import TABLES, Problem, cross_problems, describe, field_problems, misnamed_tables
from polyradio.toml_places import key_places, line_of

CHANNELS = frozenset([*range(1, 15), *range(36, 65, 4), *range(100, 145, 4), *range(149, 178, 4)])
"""20 MHz channels of the 2.4 and 5 GHz bands (IEEE 802.11-2020 Annex E)."""


def load_scenario(path_or_name: str | Path) -> "Scenario":
    """The scenario of a TOML file, or the shipped one of that name.

    Raises:
        ScenarioError: with a line for every mistake, or because there is no such file.
    """
    return parse_scenario(read_scenario_text(path_or_name))


def read_scenario_text(path_or_name: str | Path) -> str:
    """The text of a scenario file or of a shipped scenario; a file in the working directory comes first."""
    path = Path(path_or_name)
    shipped = shipped_scenarios()
    try:
        if not path.exists() and str(path_or_name) in shipped:
            return (resources.files("polyradio") / "scenarios" / f"{path_or_name}.toml").read_text(encoding="utf-8")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        names = ", ".join(shipped)
        raise ScenarioError([f"no scenario file {path_or_name}, and none of that name ships: {names}"]) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ScenarioError([f"line {line}: not UTF-8 text"]) from None
    except OSError as error:
        raise ScenarioError([f"{path_or_name}: {error.strerror}"]) from None


def shipped_scenarios() -> list[str]:
    """Names of the scenarios that ship."""
    files = (resources.files("polyradio") / "scenarios").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def parse_scenario(text: str) -> "Scenario":
    """The scenario of a TOML text; raises `ScenarioError` with a line for every mistake."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError([_syntax_problem(str(error), text)]) from None
    found: list[Problem] = []
    try:
        if not (found := misnamed_tables(data)):
            return Scenario.model_validate(data)
        Scenario.model_validate({key: value for key, value in data.items() if key not in TABLES})
    except ValidationError as error:
        found += [*field_problems(error, Scenario), *cross_problems(data)]
    places = key_places(text)
    lines = {path: line_of(places, path) for path, _ in found}
    found.sort(key=lambda problem: lines[problem[0]] or 0)
    raise ScenarioError([describe(path, message, lines[path]) for path, message in found])


def json_schema() -> dict[str, Any]:
    """JSON Schema of a scenario file, for editors."""
    schema = Scenario.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _parse_mac(value: object) -> object:
    if isinstance(value, bytes) and len(value) in {0, 6}:
        return value
    if not isinstance(value, str) or not re.fullmatch(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}", value):
        raise ValueError("must be a MAC address such as 02:00:00:00:00:01")
    address = bytes.fromhex(re.sub("[:-]", "", value))
    if address[0] & 1:
        raise ValueError("is a group address; an interface needs an individual one")
    if not any(address):
        raise ValueError("is no address: all zero")
    return address


def _parse_interface(value: object) -> object:
    if isinstance(value, IPv4Interface):
        return value
    if not isinstance(value, str) or "/" not in value:
        raise ValueError("must be an IPv4 address with its prefix, such as 10.0.1.2/24")
    try:
        interface = IPv4Interface(value)
    except ValueError:
        raise ValueError("must be an IPv4 address with its prefix, such as 10.0.1.2/24") from None
    network = interface.network
    if network.prefixlen < 31 and interface.ip in {network.network_address, network.broadcast_address}:
        raise ValueError(f"is the network's own or its broadcast address: use another one of {network}")
    return interface


def _parse_address(value: object) -> object:
    if isinstance(value, IPv4Address):
        return value
    try:
        return IPv4Address(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("must be an IPv4 address such as 10.0.1.1") from None


def _check_ssid(value: str) -> str:
    if not 1 <= len(value.encode()) <= 32:
        raise ValueError("an SSID has 1 to 32 octets (IEEE 802.11-2020 9.4.2.2)")
    return value


def _check_passphrase(value: str) -> str:
    is_psk = re.fullmatch(r"[0-9A-Fa-f]{64}", value) is not None
    if not is_psk and (not 8 <= len(value) <= 63 or any(not " " <= character <= "~" for character in value)):
        raise ValueError("a passphrase has 8 to 63 printable ASCII characters; a PSK has 64 hex digits")
    return value


def _check_channel(value: int) -> int:
    if value not in CHANNELS:
        raise ValueError(f"there is no channel {value}: 1 to 14, or 36, 40, ... 177")
    return value


def _check_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,32}", value) or value.startswith("."):
        raise ValueError("a name has 1 to 32 letters, digits, '-', '_' or '.'")
    return value


def _syntax_problem(message: str, text: str) -> str:
    place = re.search(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$", message)
    if place is None:
        return message
    what = message[: place.start()]
    lines = text.removesuffix("\n").split("\n")
    line, column = (place[1], place[2]) if place[1] else (len(lines), len(lines[-1]) + 1)
    return f"line {line}, column {column}: {what[0].lower()}{what[1:]}"


MacAddress = Annotated[
    bytes,
    BeforeValidator(_parse_mac),
    PlainSerializer(lambda address: address.hex(":"), return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$"}),
]
Interface = Annotated[
    IPv4Interface,
    BeforeValidator(_parse_interface),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "format": "ipv4interface"}),
]
Address = Annotated[
    IPv4Address,
    BeforeValidator(_parse_address),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "format": "ipv4"}),
]
Name = Annotated[str, AfterValidator(_check_name)]
Ssid = Annotated[str, AfterValidator(_check_ssid)]
Passphrase = Annotated[str, AfterValidator(_check_passphrase)]
Channel = Annotated[int, AfterValidator(_check_channel)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]

UNSET_INTERFACE = IPv4Interface("0.0.0.0/0")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True)


class DeviceSection(_Section):
    """The NIC that all VMs share."""

    url: str = "emulated:"
    """Where it is; `--device` of the command line comes first."""
    max_vms: Annotated[int, Field(ge=1, le=4096)] = 64
    """Rows of its connection table."""
    queue_length: Annotated[int, Field(ge=1, le=65535)] = 64
    """Frames that each VM may have under way."""


class PolicySection(_Section):
    """How the control engine shares the one radio."""

    slot_ms: Positive = 20.0
    """How long the radio stays on a channel in use before it serves the next one."""
    scan_slot_ms: Positive = 60.0
    """How long a scan listens on each channel."""
    scan_merge_ms: NotNegative = 10.0
    """A scan that arrives within this time of another one's start, on the same channels, becomes part of it."""
    share: Literal["channel", "vm"] = "channel"
    """Every channel in use gets the same time, or each in proportion to the VMs on it."""
    max_channels: Annotated[int, Field(ge=1)] = 8
    """How many channels may be in use at the same time."""
    guard_ms: NotNegative = 2.0
    """Time left at the end of a slot to leave a channel in good order."""


class AccessPointSection(_Section):
    """An access point: the far end of a network."""

    name: Name
    ssid: Ssid
    channel: Channel
    passphrase: Passphrase | None = None
    """WPA2-PSK with CCMP-128; none: an open network."""
    bssid: MacAddress = b""
    """Derived from the place in the file where it is not given."""
    wired: Literal["memory", "tap"] = "memory"
    """Its wired side: a responder in the process, or a Linux network namespace."""
    ip: Interface = UNSET_INTERFACE
    """Of the host on its wired side; 10.0.n.1/24 for the n-th access point where it is not given."""
    vanish_at_s: Positive | None = None
    """It falls silent at that time."""
    rekey_s: Positive | None = None
    """How often it changes the group key."""


class TrafficSection(_Section):
    """What a VM sends once it is connected."""

    kind: Literal["ping", "udp", "iperf3"]
    """`iperf3` is TCP between two Linux stacks; both ports must be `tap`."""
    interval_ms: Positive = 50
    """From one packet to the next; not for iperf3."""
    size: Annotated[int, Field(ge=8, le=1472)] = 64
    """Octets of payload of each packet; not for iperf3."""
    start_s: NotNegative = 0
    """After the VM is connected."""
    duration_s: Positive | None = None
    """Until the end of the scenario where it is not given."""
    rate_mbps: Positive | None = None
    """For udp: comes instead of `interval_ms`; for iperf3: a limit."""
    peer: Address | None = None
    """The host on the network's wired side where it is not given."""


class VmSection(_Section):
    """A virtual machine with its own driver instance, MAC address, network and credentials."""

    name: Name
    network: Ssid
    """SSID that it connects to."""
    passphrase: Passphrase | None = None
    mac: MacAddress = b""
    """Derived from the place in the file where it is not given."""
    port: Literal["memory", "tap"] = "memory"
    """Its stack: a small one in the process, or a Linux network namespace."""
    ip: Interface = UNSET_INTERFACE
    """The next free address of its network where it is not given."""
    traffic: list[TrafficSection] = Field(default_factory=list)


class LinkSection(_Section):
    """The air between the NIC and an access point; an ideal one where it is not given."""

    access_point: Name
    snr_db: float = 40.0
    loss: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of frames lost beside what the signal-to-noise ratio costs."""
    delay_us: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class Scenario(_Section):
    """A whole scenario file."""

    model_config = ConfigDict(populate_by_name=True)

    name: Name
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] = 1
    """The same seed gives the same run, octet for octet, in virtual time."""
    duration_s: Positive
    time: Literal["virtual", "wall"] = "virtual"
    """Virtual time is deterministic and as fast as it can be; Linux stacks need wall-clock time."""
    device: DeviceSection = Field(default_factory=DeviceSection)
    policy: PolicySection = Field(default_factory=PolicySection)
    access_points: list[AccessPointSection] = Field(validation_alias="access_point", min_length=1)
    vms: list[VmSection] = Field(validation_alias="vm", min_length=1)
    links: list[LinkSection] = Field(default_factory=list, validation_alias="link")

    def access_points_of(self, ssid: str) -> list[AccessPointSection]:
        """The access points of a network, in the order of the file; never empty for a VM's network."""
        return [access_point for access_point in self.access_points if access_point.ssid == ssid]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        data = self.model_dump(exclude_unset=True)
        if found := cross_problems({TABLES.get(key, key): value for key, value in data.items()}):
            raise ValueError("; ".join(describe(path, message, None) for path, message in found))
        self._fill_in_addresses()
        return self

    def _fill_in_addresses(self) -> None:
        taken_macs = {section.bssid for section in self.access_points} | {vm.mac for vm in self.vms}
        bssids, macs = (_free_macs(prefix, taken_macs) for prefix in (b"\x02\x50\x52\xa9", b"\x02\x50\x52\x00"))
        for access_point in self.access_points:
            access_point.bssid = access_point.bssid or next(bssids)
        for vm in self.vms:
            vm.mac = vm.mac or next(macs)
        for number, access_point in enumerate(self.access_points, start=1):
            if access_point.ip == UNSET_INTERFACE:
                access_point.ip = IPv4Interface(f"10.{number >> 8}.{number & 0xFF}.1/24")
        taken = {access_point.ip.ip for access_point in self.access_points} | {vm.ip.ip for vm in self.vms}
        for vm in self.vms:
            if vm.ip == UNSET_INTERFACE:
                network = self.access_points_of(vm.network)[0].ip.network
                free = next((host for host in network.hosts() if host not in taken), None)
                if free is None:
                    raise ValueError(f"vm {vm.name}: no address is free in {network}")
                taken.add(free)
                vm.ip = IPv4Interface(f"{free}/{network.prefixlen}")


def _free_macs(prefix: bytes, taken: set[bytes]) -> Iterator[bytes]:
    """Locally administered addresses under a prefix of four octets."""
    for number in range(1, 1 << 16):
        address = prefix + number.to_bytes(2)
        if address not in taken:
            yield address
