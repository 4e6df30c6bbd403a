"""What is measured: a module for each suite, each with `cases(plan)`.

Cases are descriptions; nothing is built before a case's turn. Names do not change with the machine: a result of the
same name is the same work everywhere.
"""

import difflib
from collections.abc import Iterator
from importlib import import_module
from typing import cast

from polyradio.bench.measure import Case, Plan, Runner
from polyradio.errors import LocalProtocolError

SUITES = ("ccmp", "lookup", "receive", "transmit", "switch", "python", "testbed", "tap")


def check_suites(names: tuple[str, ...]) -> tuple[str, ...]:
    """The suites of these names, all without a name; raises `LocalProtocolError` for one that is not there."""
    for name in names:
        if name not in SUITES:
            close = difflib.get_close_matches(name, SUITES, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(SUITES)}"
            raise LocalProtocolError(f"there is no suite {name!r}; {hint}")
    return tuple(name for name in SUITES if not names or name in names)


def cases(suite: str, plan: Plan) -> Iterator[Case]:
    """The cases of a suite."""
    return cast("Iterator[Case]", import_module(f"polyradio.bench.suites.{suite}").cases(plan))


def build_workload(name: str, *, handicap: float = 0.0) -> Runner:
    """The work of a result by its name, for those who count its instructions.

    Raises:
        LocalProtocolError: There is no such result, or it is not Rust alone.
    """
    suite = name.partition("/")[0]
    if suite not in SUITES:
        raise LocalProtocolError(f"there is no result {name!r}")
    for case in cases(suite, Plan(handicap=handicap)):
        if case.name == name:
            if not case.countable:
                raise LocalProtocolError(f"the instructions of {name} are not Rust's alone")
            return case.subject()
    raise LocalProtocolError(f"there is no result {name!r}")
