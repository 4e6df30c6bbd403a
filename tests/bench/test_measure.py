"""Slices in turn, and results from them."""

import gc
import itertools

import pytest

from polyradio.bench.measure import PARTS, Case, Handicapped, Timing, calibrate, interleave, measure
from polyradio.bench.report import Skipped
from polyradio.errors import NotAvailable, PolyradioError

TIMING = Timing(slices=5, slice_ms=1)


class Fake:
    """Takes that long for an item, and says when it ran."""

    def __init__(self, ns: int, *, items: int = 1, log: list[str] | None = None, name: str = "") -> None:
        self.ns, self.items, self.log, self.name = ns, items, log, name
        self.repetitions: list[int] = []

    def run(self, repetitions: int, /) -> int:
        assert not gc.isenabled() or self.log is None
        if self.log is not None:
            self.log.append(self.name)
        self.repetitions.append(repetitions)
        return self.ns * self.items * repetitions


def missing() -> Fake:
    raise NotAvailable("it is not installed")


def case(**changes: object) -> Case:
    values: dict = {
        "suite": "fake",
        "name": "fake/one",
        "parameters": {"octets": 1},
        "subject": lambda: Fake(100, items=64),
        "reference": ("clock", lambda: Fake(10)),
    }
    return Case(**(values | changes))


def test_every_round_has_each_contestant_once_and_another_begins() -> None:
    log: list[str] = []
    runners = {name: Fake(1000, log=log, name=name) for name in "abc"}
    samples = interleave(runners, TIMING)
    # A slice in parts is one after another; what came twice in a row was one slice.
    slices = "".join(name for name, _ in itertools.groupby(log[-5 * 3 * PARTS :]))
    assert slices == "abc" + "bca" + "cab" + "abc" + "bca"
    assert samples == dict.fromkeys("abc", (1000.0,) * 5)
    assert gc.isenabled()


def test_a_sample_is_not_moved_by_a_scheduler_that_hits_few_parts() -> None:
    class Interrupted(Fake):
        def run(self, repetitions: int, /) -> int:
            taken = super().run(repetitions)
            return taken + (3_000_000 if len(self.repetitions) % 3 == 0 else 0)

    samples = interleave({"hit": Interrupted(1000)}, TIMING)
    assert samples["hit"] == (1000.0,) * 5


def test_a_slice_has_about_its_length() -> None:
    assert calibrate(Fake(10, items=64), 1_000_000) == pytest.approx(1_000_000 / 640, rel=0.01)
    assert calibrate(Fake(50_000_000), 1_000_000) == 1


def test_limit_and_peers_are_ratios_of_the_best() -> None:
    (result,) = measure(case(limit=("clock", lambda: Fake(10)), peers=[("slow one", lambda: Fake(250))]), TIMING)
    assert (result.best, result.median, result.spread) == (100, 100, 0)
    assert len(result.samples) == len(result.reference.samples) == 5
    assert result.limit is not None
    assert (result.limit.best, result.limit.ratio) == (10, 10)
    assert [(peer.name, peer.best, peer.ratio) for peer in result.peers] == [("slow one", 250, 2.5)]


def test_where_more_is_better_samples_are_items_in_a_second() -> None:
    (result,) = measure(case(better="higher", unit="frames/s", limit=("wire", lambda: Fake(50))), TIMING)
    assert result.best == pytest.approx(1e7)
    assert result.reference.samples[0] == pytest.approx(1e8)
    assert result.limit is not None
    assert result.limit.ratio == pytest.approx(0.5)


def test_a_peer_that_is_missing_is_named_with_the_reason() -> None:
    (result,) = measure(case(peers=[("peer", missing)], skipped=[Skipped("other", "too old")]), TIMING)
    assert result.peers == ()
    assert result.skipped == (Skipped("other", "too old"), Skipped("peer", "it is not installed"))


def test_our_own_work_that_goes_wrong_is_an_error() -> None:
    class Broken(Fake):
        def run(self, repetitions: int, /) -> int:
            raise PolyradioError("wrong result")

    with pytest.raises(PolyradioError, match="wrong result"):
        measure(case(subject=lambda: Broken(1)), TIMING)
    assert gc.isenabled()


def test_slow_work_has_few_slices_of_one_repetition() -> None:
    runner = Fake(10)
    (result,) = measure(case(subject=lambda: runner, slices=3), TIMING)
    assert len(result.samples) == len(result.reference.samples) == 3
    assert runner.repetitions == [1, 1, 1]


def test_a_handicap_does_a_share_twice() -> None:
    runner = Fake(10)
    handicapped = Handicapped(runner, 25)
    assert [handicapped.run(2) for _ in range(4)] == [20, 30, 20, 30]
    assert handicapped.items == 1
