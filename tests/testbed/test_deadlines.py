"""Deadlines against a plain dict."""

from hypothesis import given
from hypothesis import strategies as st

from polyradio.testbed.deadlines import Deadlines


def test_sleepers_are_woken_in_the_order_of_their_deadlines() -> None:
    deadlines: Deadlines[str] = Deadlines()
    for sleeper, deadline in (("late", 9), ("early", 3), ("twice", 1), ("never", 2)):
        deadlines.set(sleeper, deadline)
    deadlines.set("never", None)
    deadlines.set("twice", 5)
    assert deadlines.next() == 3
    assert list(deadlines.due(8)) == ["early", "twice"]
    assert deadlines.next() == 9


def test_a_sleeper_set_again_while_it_is_handled_is_woken_again() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("a", 1)
    woken = []
    for sleeper in deadlines.due(5):
        woken.append(sleeper)
        if len(woken) < 3:
            deadlines.set(sleeper, 5)
    assert woken == ["a"] * 3


@given(st.lists(st.tuples(st.integers(0, 4), st.one_of(st.none(), st.integers(0, 20)))), st.integers(0, 20))
def test_exactly_those_that_are_due_are_woken(changes: list[tuple[int, int | None]], now: int) -> None:
    deadlines: Deadlines[int] = Deadlines()
    expected: dict[int, int] = {}
    for sleeper, deadline in changes:
        deadlines.set(sleeper, deadline)
        expected.pop(sleeper, None)
        if deadline is not None:
            expected[sleeper] = deadline
    assert deadlines.next() == min(expected.values(), default=None)
    assert sorted(deadlines.due(now)) == sorted(sleeper for sleeper, time in expected.items() if time <= now)
