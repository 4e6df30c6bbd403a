"""Passes: everything is built anew, and a result has the samples of all."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from polyradio.bench import passes
from polyradio.bench.measure import Case, Plan, Timing
from polyradio.bench.passes import join, measure_suites
from polyradio.bench.report import Figure, Peer
from polyradio.errors import NotAvailable


class Work:
    items = 1

    def __init__(self, log: list[str], name: str) -> None:
        self.log, self.name = log, name
        log.append(name)

    def run(self, repetitions: int, /) -> int:
        return repetitions * 1000


def test_each_pass_builds_its_work_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    shown: list[str] = []

    def cases(suite: str, _plan: Plan) -> list[Case]:
        if suite == "none":
            raise NotAvailable("no such thing here")
        reference = ("reference", lambda: Work([], "reference"))
        return [
            Case(suite, f"{suite}/a", {}, lambda: Work(built, "a"), reference),
            Case(suite, f"{suite}/slow", {}, lambda: Work(built, "slow"), reference, slices=5, countable=False),
        ]

    monkeypatch.setattr(passes, "cases", cases)
    measured = measure_suites(("s", "none"), Plan(), Timing(slices=13, slice_ms=0.01), shown.append)
    assert built == ["a", "slow", "a", "a"]
    assert [(result.name, len(result.samples)) for result in measured.results] == [("s/a", 15), ("s/slow", 5)]
    assert (measured.passes, measured.slices) == (3, 15)
    assert measured.countable == ["s/a"]
    assert measured.problems == ["none was not measured: no such thing here"]
    assert shown == ["s/a (1 of 3)", "s/slow (1 of 3)", "s/a (2 of 3)", "s/a (3 of 3)"]
    assert measure_suites(("s",), Plan(), Timing(slices=2, slice_ms=0.01), shown.append).passes == 1


def test_a_result_of_its_passes(make_result: Callable) -> None:
    def part(level: float):
        result = make_result(samples=[level + i for i in range(4)], reference=[level] * 4)
        peer = Peer("crate", 2 * level, 3 * level, 2.0)
        return replace(result, limit=Figure("AES", level / 2, level / 2 + 1, 2.0), peers=(peer,))

    joined = join([part(100.0), part(80.0), part(120.0)])
    assert joined.samples[::4] == (100.0, 80.0, 120.0)
    assert joined.reference.samples == (100.0,) * 4 + (80.0,) * 4 + (120.0,) * 4
    assert (joined.best, joined.median) == (80.0, 101.5)
    assert joined.limit == Figure("AES", 40.0, 51.0, 2.0)
    assert joined.peers == (Peer("crate", 160.0, 300.0, 2.0),)
