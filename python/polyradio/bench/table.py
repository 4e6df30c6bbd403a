"""The report for people: for each result how far it is from the limit, and how far others are from it.

Readable without colour and without a terminal, in 118 columns.
"""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from polyradio.bench.report import Figure, Machine, Peer, Report, Result

WIDTH = 118
_NAME, _FIGURE, _SPREAD, _BAR, _PEER = 36, 10, 9, 10, 10
_LIMIT = _BAR + 8
_EIGHTHS = " ▏▎▍▌▋▊▉"


def print_report(report: Report, console: Console | None = None) -> None:
    """Prints all results, by suite."""
    console = console or Console(width=WIDTH, highlight=False)
    for line in head(report):
        console.print(Text(line))
    for suite in dict.fromkeys(result.suite for result in report.results):
        results = [result for result in report.results if result.suite == suite]
        columns = list(dict.fromkeys(_short(peer.name) for result in results for peer in result.peers))
        console.print()
        console.print(_title(suite, results, columns))
        for result in results:
            console.print(row(result, columns))
        for line in _notes(results):
            console.print(Text(f"  {line}", style="dim"))


def head(report: Report) -> list[str]:
    """Machine, build and settings."""
    settings = report.settings
    timing = f"best and median of {settings.slices} slices of {settings.slice_ms:g} ms"
    return [
        f"polyradio {report.polyradio}, {report.build.profile} build, CCMP by {report.build.backend}",
        _machine(report.machine),
        f"{timing}, spread between the quartiles; seed {settings.seed}",
    ]


def row(result: Result, columns: Sequence[str] = ()) -> Text:
    """One line: name, best, median, spread, distance to the limit, and a cell for each of these peers."""
    text = Text(f"{result.name.removeprefix(f'{result.suite}/'):<{_NAME}}")
    text.append(f"{_number(result.best):>{_FIGURE}}", style="bold")
    text.append(f"{_number(result.median):>{_FIGURE}}")
    text.append(f"{100 * result.spread:>{_SPREAD - 2}.1f} %")
    if result.limit is not None:
        share = _share(result, result.limit)
        text.append(f"  {bar(share)}", style="green" if share >= 0.7 else "yellow")
        text.append(f" {100 * share:3.0f} %")
    else:
        text.append(" " * _LIMIT)
    peers = {_short(peer.name): peer for peer in result.peers}
    for column in columns:
        cell = _times(result, peers[column]) if column in peers else ""
        text.append(f"{cell:>{_width(column)}}")
    text.rstrip()
    return text


def bar(share: float, width: int = _BAR) -> str:
    """A bar of that share of its width, to an eighth of a column."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    full, rest = divmod(eighths, 8)
    text = "█" * full + (_EIGHTHS[rest] if rest else "")
    return text.ljust(width, "·")


def _title(suite: str, results: Sequence[Result], columns: Sequence[str]) -> Text:
    units = ", ".join(dict.fromkeys(result.unit for result in results))
    limit = "  of the limit" if any(result.limit for result in results) else ""
    title = f"{f'{suite}, {units}':<{_NAME}}{'best':>{_FIGURE}}{'median':>{_FIGURE}}{'spread':>{_SPREAD}}"
    title += f"{limit:<{_LIMIT}}" + "".join(f"{column:>{_width(column)}}" for column in columns)
    return Text(title.rstrip(), style="bold")


def _notes(results: Sequence[Result]) -> Iterator[str]:
    """What the columns mean, and who is missing."""
    limits = dict.fromkeys(result.limit.name for result in results if result.limit)
    if limits:
        yield f"limit: {', '.join(limits)}"
    peers = dict.fromkeys(peer.name for result in results for peer in result.peers)
    if peers:
        yield f"x: how many times as long as ours; {', '.join(peers)}"
    reasons = dict.fromkeys((entry.peer, entry.reason) for result in results for entry in result.skipped)
    for peer, reason in reasons:
        yield f"not measured: {peer}: {reason}"


def _share(result: Result, limit: Figure) -> float:
    return limit.best / result.best if result.better == "lower" else result.best / limit.best


def _times(result: Result, peer: Peer) -> str:
    return f"{peer.ratio if result.better == 'lower' else 1 / peer.ratio:.2f}x"


def _short(name: str) -> str:
    """A peer's name without its version."""
    words = [word for word in name.removeprefix("intel-").split() if not word[0].isdigit()]
    return " ".join(words)


def _width(column: str) -> int:
    return max(_PEER, len(column) + 2)


def _machine(machine: Machine) -> str:
    memory = f", {machine.memory_bytes / 2**30:.0f} GiB" if machine.memory_bytes else ""
    return f"{machine.cpu}, {machine.cores} cores{memory}, kernel {machine.kernel}, machine {machine.fingerprint}"


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
