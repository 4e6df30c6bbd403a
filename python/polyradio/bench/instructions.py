"""Instructions of an item, counted by valgrind: the gate that a busy machine does not move.

    python -m polyradio.bench.instructions NAME REPETITIONS

builds the workload of a result, runs it, and prints as JSON how many items a repetition has and which backend ran.
Under valgrind, once with N and once with 3N repetitions, the difference is the work alone; the start of the interpreter
is in both. valgrind has no AVX-512 and hides it, so the backend counted may be another one than the one timed.

Not here: time. Promise: what could not be counted is `NotAvailable` with the reason, never a guess.
"""

import argparse
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from polyradio import _core
from polyradio.bench.report import Instructions
from polyradio.errors import LocalProtocolError, NotAvailable

FACTORY = "polyradio.bench.suites:build_workload"
"""`MODULE:FUNCTION`; the function takes the name of a result and `handicap` and returns a `Workload`."""
ENOUGH = 20_000_000
"""Instructions of work: starts differ by at most some ten thousand, which is then less than 0.1 %."""
_MOST_REPETITIONS = 1_000_000
_TIMEOUT_S = 600
_STEADY = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""The start takes the same instructions each time: no random hashes, no files written, no threads that spin."""


class Workload(Protocol):
    """What is counted."""

    @property
    def items(self) -> int:
        """Items, such as packets, in a repetition."""

    def run(self, repetitions: int, /) -> int:
        """Does it; returns nanoseconds."""


def count_instructions(
    names: Iterable[str], *, handicap: float = 0.0, factory: str = FACTORY, jobs: int | None = None
) -> dict[str, Instructions]:
    """Counts the instructions of an item for each result that has a workload under valgrind.

    A result of a backend that valgrind hides is left out, and so is one that could not be counted, unless all are.

    Args:
        names: Of the results.
        handicap: Percent of the work that is done once more without being counted, to prove the gate.
        factory: What builds the workload of a name.
        jobs: How many at once; None: one for each core, since counting minds no neighbour.

    Raises:
        NotAvailable: valgrind is missing, or nothing could be counted: why the first could not.
    """
    tool = _tool()
    counted, problems = {}, []
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        futures = {name: pool.submit(_count, name, handicap, factory, tool) for name in names}
        for name, future in futures.items():
            try:
                counted[name] = future.result()
            except (NotAvailable, LocalProtocolError) as error:
                problems.append(str(error))
    if problems and not counted:
        raise NotAvailable(problems[0])
    return counted


def _count(name: str, handicap: float, factory: str, tool: str) -> Instructions:
    repetitions = 1
    while True:
        (fewer, child), (more, _) = (_run(name, count, handicap, factory) for count in (repetitions, 3 * repetitions))
        work = more - fewer
        if work >= ENOUGH or repetitions == _MOST_REPETITIONS:
            break
        # The first figure may be mostly noise, so not too far at once.
        factor = min(50, math.ceil(1.5 * ENOUGH / max(work, 1)))
        repetitions = min(_MOST_REPETITIONS, repetitions * factor)
    if work <= 0:
        raise NotAvailable(f"{name}: {2 * repetitions} repetitions more took no instructions more")
    return Instructions(str(child["backend"]), work / (2 * repetitions * int(child["items"])), tool)


def _tool() -> str:
    if shutil.which("valgrind") is None:
        raise NotAvailable("valgrind is not installed")
    try:
        done = subprocess.run(["valgrind", "--version"], check=True, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise NotAvailable(f"valgrind does not run: {error}") from None
    return f"valgrind {done.stdout.strip().removeprefix('valgrind-')} cachegrind"


def _run(name: str, repetitions: int, handicap: float, factory: str) -> tuple[int, dict[str, str | int]]:
    """Instructions of a whole run, and what it printed."""
    with tempfile.TemporaryDirectory(prefix="polyradio-") as folder:
        out = Path(folder) / "cachegrind.out"
        child = [sys.executable, "-m", "polyradio.bench.instructions", name, str(repetitions)]
        child += ["--handicap", str(handicap), "--factory", factory]
        valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={out}"]
        environment = os.environ | _STEADY
        try:
            done = subprocess.run(
                [*valgrind, *child], check=False, capture_output=True, text=True, env=environment, timeout=_TIMEOUT_S
            )
        except subprocess.TimeoutExpired:
            raise NotAvailable(f"{name}: counting took more than {_TIMEOUT_S} s") from None
        if done.returncode == 2:
            raise LocalProtocolError(_last_line(done.stderr))
        counted = re.search(r"^summary: (\d+)", out.read_text(), re.MULTILINE) if out.exists() else None
        if done.returncode != 0 or counted is None:
            raise NotAvailable(f"{name}: cannot be counted: {_last_line(done.stderr)}")
        return int(counted[1]), cast("dict[str, str | int]", json.loads(done.stdout))


def _last_line(text: str) -> str:
    """The last line that is not valgrind's own."""
    lines = [line for line in text.splitlines() if line.strip() and not re.match(r"(==|--)\d+", line)]
    return lines[-1] if lines else "valgrind ended without a word"


def _build(factory: str, name: str, handicap: float) -> Workload:
    module, _, function = factory.partition(":")
    try:
        build = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise NotAvailable(f"nothing builds workloads here: {error}") from None
    return cast("Workload", build(name, handicap=handicap))


def main(arguments: list[str] | None = None) -> int:
    """What runs under valgrind."""
    parser = argparse.ArgumentParser(prog="python -m polyradio.bench.instructions")
    parser.add_argument("name")
    parser.add_argument("repetitions", type=int)
    parser.add_argument("--handicap", type=float, default=0.0)
    parser.add_argument("--factory", default=FACTORY)
    options = parser.parse_args(arguments)
    try:
        workload = _build(options.factory, options.name, options.handicap)
        workload.run(options.repetitions)
    except (LocalProtocolError, NotAvailable) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2 if isinstance(error, LocalProtocolError) else 3
    print(json.dumps({"backend": _core.best_backend(), "items": workload.items}))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
