"""`polyradio bench`: how fast it is here, next to the processor's limit and to other implementations."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from polyradio.cli.bench_compare import compare, export, workflow
from polyradio.errors import LocalProtocolError, NotAvailable

if TYPE_CHECKING:
    from polyradio.bench.measure import Plan, Timing
    from polyradio.bench.report import Report, Result

SLICES, SLICE_MS = 30, 5.0
QUICK_SLICES, QUICK_SLICE_MS = 12, 2.0
NOT_HERE = 3


def _finite(_context: click.Context, _parameter: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is no number to measure with")
    return value


@click.group(invoke_without_command=True)
@click.option("--suite", "suites", metavar="NAME", multiple=True, help="Only this suite; repeatable.")
@click.option(
    "-o", "--out", metavar="FILE.json", type=click.Path(path_type=Path), help="Write the report, for `compare`."
)
@click.option("--json", "as_json", is_flag=True, help="The report as JSON on stdout, nothing else.")
@click.option("--quick", is_flag=True, help="Fewer cases and shorter slices: under 20 seconds.")
@click.option(
    "--slices",
    type=click.IntRange(1, 100_000),
    help=f"Slices of each contestant; {SLICES}, or {QUICK_SLICES} if quick.",
)
@click.option(
    "--slice-ms",
    type=click.FloatRange(0.01, 10_000),
    callback=_finite,
    help=f"Of one slice; {SLICE_MS:g}, or {QUICK_SLICE_MS:g} if quick.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True, help="Of keys, bodies, orders."
)
@click.option("--backend", metavar="NAME", help="This implementation of CCMP in the suite ccmp, and no other.")
@click.option("--instructions", is_flag=True, help="Count instructions too, by valgrind; takes minutes.")
@click.option(
    "--handicap", type=click.FloatRange(0, 1000), callback=_finite, default=0.0, hidden=True, help="Percent done twice."
)
@click.pass_context
def bench(
    context: click.Context,
    suites: tuple[str, ...],
    out: Path | None,
    as_json: bool,
    quick: bool,
    slices: int | None,
    slice_ms: float | None,
    seed: int,
    backend: str | None,
    instructions: bool,
    handicap: float,
) -> int:
    """Measure how fast this is here: cryptography, look-ups, both paths, the radio's moves, Python, the whole path.

    Suites: ccmp, lookup, receive, transmit, switch, python, testbed, tap. Contestants run in turn, a slice each, so
    that what disturbs one disturbs all. Exit code 3: what was asked for by name could not be measured here.
    """
    if context.invoked_subcommand is not None:
        return 0
    from polyradio.bench.measure import Plan, Timing  # noqa: PLC0415 - nothing else needs it
    from polyradio.bench.suites import check_suites  # noqa: PLC0415 - see above

    best = _check_build()
    chosen = check_suites(suites)
    _check_backend(backend)
    _check_out(out)
    plan = Plan(seed=seed, quick=quick, backend=backend, best=best, handicap=handicap)
    timing = Timing(slices or (QUICK_SLICES if quick else SLICES), slice_ms or (QUICK_SLICE_MS if quick else SLICE_MS))
    report, problems = _measure(chosen, plan, timing, instructions=instructions)
    _write(report, out, as_json=as_json)
    for problem in problems:
        click.echo(f"polyradio: {problem}", err=True)
    if not report.results:
        raise NotAvailable("nothing could be measured here")
    return NOT_HERE if problems and (suites or instructions) else 0


bench.add_command(compare)
bench.add_command(export)
bench.add_command(workflow)


def _check_build() -> str:
    from polyradio import _core  # noqa: PLC0415 - see above

    if _core.build_profile() != "release":
        raise NotAvailable("this is a debug build, whose figures mean nothing: install with the release profile")
    return _core.best_backend()


def _check_out(out: Path | None) -> None:
    """Before minutes are spent."""
    if out is not None and not out.parent.is_dir():
        raise LocalProtocolError(f"cannot write {out}: there is no directory {out.parent}")
    if out is not None and out.is_dir():
        raise LocalProtocolError(f"cannot write {out}: it is a directory")


def _check_backend(backend: str | None) -> None:
    from polyradio import _core  # noqa: PLC0415 - see above

    known = _core.ccmp_backends()
    if backend is None or known.get(backend):
        return
    if backend in known:
        raise NotAvailable(f"this processor does not have {backend}")
    raise LocalProtocolError(f"there is no backend {backend!r}; there are {', '.join(known)}")


def _measure(
    suites: tuple[str, ...], plan: "Plan", timing: "Timing", *, instructions: bool
) -> "tuple[Report, list[str]]":
    """The report, and which suites could not be measured and why."""
    from datetime import UTC, datetime  # noqa: PLC0415 - see above

    from polyradio import _core  # noqa: PLC0415 - see above
    from polyradio.bench.machine import machine  # noqa: PLC0415 - see above
    from polyradio.bench.passes import measure_suites  # noqa: PLC0415 - see above
    from polyradio.bench.report import Build, Report, Settings  # noqa: PLC0415 - see above

    with Console(stderr=True).status("measuring") as status:
        measured = measure_suites(suites, plan, timing, status.update)
    results, problems = measured.results, measured.problems
    build = Build("release", plan.backend or plan.best or "")
    created = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    settings = Settings(plan.seed, measured.slices, timing.slice_ms, measured.passes)
    if instructions:
        try:
            results = _count(results, measured.countable, plan.handicap)
        except NotAvailable as error:
            problems.append(f"instructions were not counted: {error}")
    return Report(created, _core.__version__, machine(), build, settings, tuple(results)), problems


def _count(results: "list[Result]", countable: list[str], handicap: float) -> "list[Result]":
    from dataclasses import replace  # noqa: PLC0415 - see above

    from polyradio.bench.instructions import count_instructions  # noqa: PLC0415 - see above

    counted = count_instructions(countable, handicap=handicap)
    return [replace(result, instructions=counted.get(result.name)) for result in results]


def _write(report: "Report", out: Path | None, *, as_json: bool) -> None:
    from polyradio.bench.report import write_report  # noqa: PLC0415 - see above
    from polyradio.bench.table import print_report  # noqa: PLC0415 - see above

    if out is not None:
        write_report(report, out)
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=1, ensure_ascii=False))
        return

    print_report(report)
    if out is not None:
        click.echo(f"wrote {out}")
