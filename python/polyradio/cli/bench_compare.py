"""`polyradio bench compare`: two reports, or two folders of reports, and whether the second became slower."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from polyradio.errors import LocalProtocolError, NotAvailable

if TYPE_CHECKING:
    from polyradio.bench.compare import Comparison, Item
    from polyradio.bench.report import Report

FILE_FORMATS = ("json", "bmf", "github", "junit", "markdown")
REPORT_FORMATS = ("bmf", "github")
_COLORS = {"regressed": "bold red", "improved": "green", "inconclusive": "yellow"}


Outputs = tuple[tuple[str, Path], ...]


def read_outputs(formats: Sequence[str]) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], Outputs]:
    """What reads `FORMAT=FILE`; the path may hold further `=`."""

    def read(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> Outputs:
        found = []
        for value in values:
            name, equals, path = value.partition("=")
            if not equals or not path:
                raise click.BadParameter(f"{value!r} is not FORMAT=FILE, such as {formats[0]}=bench.out")
            if name not in formats:
                raise click.BadParameter(f"no format {name!r}; known are {', '.join(formats)}")
            found.append((name, Path(path)))
        return tuple(found)

    return read


@click.command()
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option(
    "--limit", metavar="PERCENT", type=click.FloatRange(0, 1000, min_open=True), default=10, show_default=True,
    help="How much more time an item may take.",
)  # fmt: skip
@click.option(
    "--instruction-limit", metavar="PERCENT", type=click.FloatRange(0, 1000, min_open=True), default=2,
    show_default=True, help="How many more instructions an item may take, where they were counted.",
)  # fmt: skip
@click.option(
    "-o", "--output", "outputs", metavar="FORMAT=FILE", multiple=True, callback=read_outputs(FILE_FORMATS),
    help=f"Also write a file; repeatable. Formats: {', '.join(FILE_FORMATS)}.",
)  # fmt: skip
@click.option(
    "--format", "shown", type=click.Choice(["table", *FILE_FORMATS]), default="table", show_default=True,
    help="What to print.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--across-machines", is_flag=True, help="Judge although the reports are of different machines.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the bootstrap.")
def compare(
    base: Path,
    new: Path,
    limit: float,
    instruction_limit: float,
    outputs: Outputs,
    shown: str,
    as_json: bool,
    across_machines: bool,
    seed: int,
) -> int:
    """Compare two reports of `polyradio bench --out`, BASE before and NEW after.

    BASE and NEW are files, or folders with the reports of several runs, which also shows how much the figures move
    from run to run. Exit codes: 0 nothing became slower, 1 something did, 2 bad input, 3 it could not be measured
    (another machine or backend, nothing in common, nothing but noise). Files are written in any case but 2.
    """
    from polyradio.bench.compare import Limits  # noqa: PLC0415 - numpy takes a moment to load
    from polyradio.bench.compare import compare as compare_reports  # noqa: PLC0415 - see above

    limits = Limits(limit / 100, instruction_limit / 100)
    reports = read_side(base), read_side(new)
    comparison = compare_reports(*reports, limits, seed=seed, across_machines=across_machines)
    return finish(comparison, outputs, "json" if as_json else shown)


@click.command()
@click.argument("report", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", "outputs", metavar="FORMAT=FILE", multiple=True, required=True,
    callback=read_outputs(REPORT_FORMATS), help=f"Repeatable. Formats: {', '.join(REPORT_FORMATS)}.",
)  # fmt: skip
def export(report: Path, outputs: Outputs) -> None:
    """Write a report of `polyradio bench --out` as what other tools read."""
    from polyradio.bench import formats  # noqa: PLC0415 - numpy takes a moment to load
    from polyradio.bench.report import read_report  # noqa: PLC0415 - see above

    value = read_report(report)
    write_outputs([(path, formats.REPORT_FORMATS[name](value)) for name, path in outputs])


@click.command()
def workflow() -> None:
    """Print a GitHub Actions workflow that compares a pull request with what it starts from."""
    from importlib.resources import files  # noqa: PLC0415 - nothing else needs it

    text = files("polyradio.bench").joinpath("examples", "github-actions.yml").read_text(encoding="utf-8")
    click.echo(text, nl=False)


def read_side(path: Path) -> "list[Report]":
    """The reports of a file, or of all `*.json` in a folder by name; raises `LocalProtocolError`."""
    from polyradio.bench.report import read_report  # noqa: PLC0415 - see above

    if not path.is_dir():
        return [read_report(path)]
    paths = sorted(path.glob("*.json"))
    if not paths:
        raise LocalProtocolError(f"{path}: no *.json in this folder")
    return [read_report(file) for file in paths]


def finish(comparison: "Comparison", outputs: Outputs, shown: str) -> int:
    """Writes and prints a comparison and gives the exit code; raises `NotAvailable` where there is no answer."""
    from polyradio.bench import formats  # noqa: PLC0415 - see above
    from polyradio.bench.statistics import Verdict  # noqa: PLC0415 - see above

    write_outputs([(path, formats.COMPARISON_FORMATS[name](comparison)) for name, path in outputs])
    if shown == "table":
        _print(comparison)
    else:
        click.echo(formats.COMPARISON_FORMATS[shown](comparison), nl=False)
    if comparison.having(Verdict.REGRESSED):
        return 1
    if comparison.not_measured:
        raise NotAvailable(comparison.not_measured)
    return 0


def write_outputs(contents: Sequence[tuple[Path, str]]) -> None:
    """Writes files; raises `LocalProtocolError` before the first where one cannot be written."""
    for path, _ in contents:
        if path.is_dir():
            raise LocalProtocolError(f"cannot write {path}: it is a directory")
        if not path.parent.is_dir():
            raise LocalProtocolError(f"cannot write {path}: there is no directory {path.parent}")
    for path, text in contents:
        path.write_text(text, encoding="utf-8")


def _print(comparison: "Comparison") -> None:
    from polyradio.bench import formats  # noqa: PLC0415 - see above
    from polyradio.bench.statistics import Verdict  # noqa: PLC0415 - see above

    is_plain = not Console().is_terminal
    console = Console(width=180) if is_plain else Console()
    table = Table(box=None if is_plain else box.ROUNDED, pad_edge=not is_plain)
    table.add_column("verdict")
    table.add_column("result", overflow="fold")
    for column in ("base", "new", "change", "95 %", "instructions"):
        table.add_column(column, justify="right")
    table.add_column("why")
    for item in comparison.items:
        cells = _cells(item)
        table.add_row(Text(cells[0], style=_COLORS.get(cells[0], "")), *map(Text, cells[1:]))
    if comparison.items:
        console.print(table)
    for item in comparison.having(Verdict.REGRESSED):
        click.echo(f"regressed: {formats.say(item, comparison)}")
    for text, names in (("base", comparison.only_in_base), ("new", comparison.only_in_new)):
        if names:
            click.echo(f"only in {text}: {', '.join(names)}")
    click.echo(f"{formats.headline(comparison)} (seed {comparison.seed})")


def _cells(item: "Item") -> tuple[str, ...]:
    from polyradio.bench.formats import percent  # noqa: PLC0415 - see above

    effect, change = item.effect, item.instructions
    ratio = change.ratio if change is not None else None
    return (
        str(item.verdict),
        item.name,
        f"{item.base.median:.4g}",
        f"{item.new.median:.4g} {item.unit}",
        percent(effect.ratio),
        f"{percent(effect.low)} to {percent(effect.high)}",
        percent(ratio) if ratio is not None else "-",
        item.reason or (change.reason if change is not None else ""),
    )
