"""The suites: their names, their work, and that each can be built by its name."""

import itertools
import os

import pytest

from polyradio import _core
from polyradio.bench.measure import Case, Plan, Timing, measure
from polyradio.bench.peers import ccm_peers
from polyradio.bench.suites import SUITES, build_workload, cases, check_suites
from polyradio.bench.suites.ccmp import uniform, wlan_mix
from polyradio.errors import LocalProtocolError, NotAvailable, PolyradioError

BRIEF = Timing(slices=2, slice_ms=0.01)
PLAN = Plan(best=_core.best_backend())
HERE = [suite for suite in SUITES if suite != "tap"]


def all_cases(plan: Plan) -> list[Case]:
    return list(itertools.chain.from_iterable(cases(suite, plan) for suite in HERE))


def test_names_are_unique_and_say_their_suite() -> None:
    named = all_cases(PLAN)
    assert len({case.name for case in named}) == len(named)
    assert all(case.name.startswith(f"{case.suite}/") for case in named)
    assert {case.suite for case in named} == set(HERE)


def test_quick_is_a_part_of_all() -> None:
    quick = {case.name for case in all_cases(Plan(best=PLAN.best, quick=True))}
    assert quick < {case.name for case in all_cases(PLAN)}


def test_ccmp_has_what_it_promises() -> None:
    names = {case.name for case in cases("ccmp", PLAN)}
    for direction in ("seal", "open"):
        for size in (64, 256, 512, 1024, 1500, 2304, 7935, "wlan", "uniform"):
            assert f"ccmp/{direction}/{size}/keys=1024/hot" in names
        for size, keys, memory in itertools.product((64, 1500), (1, 1024, 65535), ("hot", "cold")):
            assert f"ccmp/{direction}/{size}/keys={keys}/{memory}" in names
        assert f"ccmp/{direction}/1500/keys=1024/hot/portable" in names or PLAN.best == "portable"


def test_one_backend_alone_is_measured_where_it_is_asked_for() -> None:
    found = list(cases("ccmp", Plan(best=PLAN.best, backend="portable")))
    assert {case.backend for case in found} == {"portable"}
    assert all("portable" not in case.name for case in found)


@pytest.mark.parametrize("suite", HERE)
def test_each_kind_of_case_can_be_measured(suite: str) -> None:
    kinds: dict[str, Case] = {}
    for case in cases(suite, Plan(best=PLAN.best, quick=True)):
        kinds.setdefault("/".join(case.name.split("/")[:2]), case)
    for case in kinds.values():
        result = measure(case, BRIEF)[0]
        assert len(result.samples) == len(result.reference.samples) == 2
        assert min(result.samples) > 0


def test_the_rest_of_a_path_is_its_difference_to_the_cryptography() -> None:
    case = next(case for case in cases("receive", PLAN) if case.name == "receive/64/vms=16")
    whole, rest = measure(case, Timing(slices=3, slice_ms=0.1))
    assert (whole.name, rest.name) == ("receive/64/vms=16", "receive/rest/64/vms=16")
    assert all(0 < part < total for part, total in zip(rest.samples, whole.samples, strict=True))
    assert rest.limit is None


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="two workers need two processors")
def test_the_speed_up_of_two_workers_is_a_result() -> None:
    case = next(case for case in cases("transmit", PLAN) if "workers=2" in case.name)
    whole, speed_up = measure(case, BRIEF)
    assert (whole.parameters["workers"], speed_up.unit, speed_up.better) == (2, "times", "higher")
    assert speed_up.samples == tuple(a / b for a, b in zip(whole.reference.samples, whole.samples, strict=True))


def test_the_growth_of_the_switch_is_a_result() -> None:
    case = next(case for case in cases("switch", PLAN) if case.derive)
    _, growth = measure(case, BRIEF)
    assert (growth.name, growth.unit) == ("switch/growth/65535:2", "times")
    assert growth.median > 0


def test_work_is_built_by_the_name_of_its_result() -> None:
    for name in ("ccmp/seal/64/keys=1024/hot", "lookup/vms=16", "receive/64/vms=16", "switch/vms=16"):
        work = build_workload(name, handicap=10)
        assert work.run(1) > 0
    for name in ("nonsense", "ccmp/seal/65/keys=1024/hot", "python/ccmp_seal/64"):
        with pytest.raises(LocalProtocolError):
            build_workload(name)


def test_a_suite_with_a_typo_is_named_with_what_was_meant() -> None:
    with pytest.raises(LocalProtocolError, match="did you mean lookup"):
        check_suites(("lokup",))
    assert check_suites(("tap", "ccmp")) == ("ccmp", "tap")
    assert check_suites(()) == SUITES


def test_mixes_are_the_same_for_the_same_seed() -> None:
    for mix in (wlan_mix, uniform):
        assert mix(3) == mix(3) != mix(4)
        assert all(64 <= length <= 2304 for length in mix(3))


@pytest.mark.parametrize("direction", ["seal", "open"])
@pytest.mark.parametrize("keys", [1, 300, 5000])
def test_peers_that_are_installed_give_our_octets(direction: str, keys: int) -> None:
    found, skipped = ccm_peers()
    assert len(found) + len(skipped) == 2
    for peer in found:
        # Building compares what the library wrote with ours.
        name, make = peer.named(direction, [1, 15, 64, 1500], keys=keys, cold=False, seed=keys)
        work = make()
        assert name == peer.name
        assert work.run(3) > 0


def test_a_workload_refuses_what_makes_no_sense() -> None:
    make = _core.Workload
    for build in (
        lambda: make.ccmp("sideways", [64]),
        lambda: make.ccmp("seal", []),
        lambda: make.ccmp("seal", [64], backend="nonsense"),
        lambda: make.ccmp("seal", [64], handicap=-1),
        lambda: make.receive(16, 64, workers=0),
        lambda: make.switch(1),
        lambda: make.openssl("seal", [64], [0] * 6),
        lambda: make.ipsec_mb("seal", [64], [0] * 6),
    ):
        with pytest.raises((LocalProtocolError, NotAvailable)):
            build()
    assert make.lookup(16).items == 64
    assert issubclass(LocalProtocolError, PolyradioError)
