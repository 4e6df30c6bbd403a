"""The report for people: for each result how far it is from the limit, and how far others are from it.

Readable without colour, without a terminal, and in 110 columns.
"""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from polyradio.bench.report import Figure, Machine, Peer, Report, Result

WIDTH = 118
_NAME, _FIGURE, _SPREAD, _BAR = 34, 9, 7, 10
_EIGHTHS = " ▏▎▍▌▋▊▉"


def print_report(report: Report, console: Console | None = None) -> None:
    """Prints all results, by suite."""
    console = console or Console(width=WIDTH, highlight=False)
    for line in head(report):
        console.print(Text(line))
    for suite in dict.fromkeys(result.suite for result in report.results):
        results = [result for result in report.results if result.suite == suite]
        console.print()
        console.print(Text(_title(suite, results), style="bold"))
        for result in results:
            console.print(row(result), soft_wrap=True)
        for line in _skipped(results):
            console.print(Text(line, style="dim"))


def head(report: Report) -> list[str]:
    """Machine, build and settings."""
    machine, settings = report.machine, report.settings
    timing = f"best and median of {settings.slices} slices of {settings.slice_ms:g} ms"
    return [
        f"polyradio {report.polyradio}, {report.build.profile} build, CCMP by {report.build.backend}",
        _machine(machine),
        f"{timing}, spread between the quartiles; seed {settings.seed}",
    ]


def row(result: Result) -> Text:
    """One line: name, best, median, spread, distance to the limit, peers."""
    name = result.name.removeprefix(f"{result.suite}/")
    text = Text()
    text.append(f"{name:<{_NAME}}")
    text.append(f"{_number(result.best):>{_FIGURE}}", style="bold")
    text.append(f"{_number(result.median):>{_FIGURE}}")
    text.append(f"{100 * result.spread:>{_SPREAD - 2}.1f} %")
    if result.limit is not None:
        text.append("  ")
        share = _share(result, result.limit)
        text.append(bar(share), style="green" if share >= 0.7 else "yellow")
        text.append(f" {100 * share:3.0f} %")
    elif result.peers:
        text.append(" " * (_BAR + 8))
    if result.peers:
        text.append("  " + "  ".join(_peer(result, peer) for peer in result.peers))
    return text


def bar(share: float, width: int = _BAR) -> str:
    """A bar of that share of its width, to an eighth of a column."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    full, rest = divmod(eighths, 8)
    text = "█" * full + (_EIGHTHS[rest] if rest else "")
    return text.ljust(width, "·")


def _title(suite: str, results: Sequence[Result]) -> str:
    units = ", ".join(dict.fromkeys(result.unit for result in results))
    limits = list(dict.fromkeys(result.limit.name for result in results if result.limit))
    title = f"{suite + ', ' + units:<{_NAME}}{'best':>{_FIGURE}}{'median':>{_FIGURE}}{'spread':>{_SPREAD}}"
    if limits:
        title += "  of the limit     "
        rest = "others take ... times as long" if any(result.peers for result in results) else limits[0]
        title += rest if len(limits) == 1 or rest != limits[0] else "(see the backend)"
    return title


def _share(result: Result, limit: Figure) -> float:
    return limit.best / result.best if result.better == "lower" else result.best / limit.best


def _peer(result: Result, peer: Peer) -> str:
    name = peer.name.removeprefix("intel-")
    times = peer.ratio if result.better == "lower" else 1 / peer.ratio
    return f"{name} {times:.2f}x"


def _skipped(results: Sequence[Result]) -> list[str]:
    reasons = dict.fromkeys((entry.peer, entry.reason) for result in results for entry in result.skipped)
    return [f"not measured: {peer}: {reason}" for peer, reason in reasons]


def _machine(machine: Machine) -> str:
    memory = f", {machine.memory_bytes / 2**30:.0f} GiB" if machine.memory_bytes else ""
    return f"{machine.cpu}, {machine.cores} cores{memory}, Linux {machine.kernel}, machine {machine.fingerprint}"


def _number(value: float) -> str:
    if value >= 100_000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
