"""`polyradio demo` and `polyradio run`: a scenario from its file to its report, with a live table on the way."""

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.live import Live

from polyradio.errors import LocalProtocolError, ScenarioError
from polyradio.scenario import load_scenario
from polyradio.summary import print_summary, shortcomings, vm_table

if TYPE_CHECKING:
    from polyradio.testbed import Snapshot

INTERRUPTED = 130
"""What a shell gives a command that Ctrl-C has ended."""
FILES = ("capture.pcapng", "events.jsonl", "report.json")


def _run_options(command: Callable[..., int]) -> Callable[..., int]:
    options = [
        click.option("--device", metavar="URL", help="The NIC, such as 'emulated:'; instead of the scenario's."),
        click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="Default: polyradio-out/SCENARIO."),
        click.option("--seed", metavar="N", type=click.IntRange(0, (1 << 63) - 1), help="Instead of the scenario's."),
        click.option(
            "--placement",
            type=click.Choice(["device", "host", "domain"]),
            default="host",
            show_default=True,
            help="Where the control engine is.",
        ),
        click.option("--json", "as_json", is_flag=True, help="The report as JSON on stdout, nothing else."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@_run_options
def demo(**options: Any) -> int:
    """Four VMs on one radio: three networks, two channels, each VM with its own credentials."""
    return run_scenario("demo", **options)


@click.command()
@click.argument("scenario", metavar="SCENARIO.toml")
@_run_options
def run(scenario: str, **options: Any) -> int:
    """Run a scenario file, or one that ships, by its name.

    Writes capture.pcapng, events.jsonl and report.json. Exit code 1: a VM did not connect, or its traffic did not get
    through. Shipped: demo, one_channel, wrong_passphrase, tap_two_guests.
    """
    return run_scenario(scenario, **options)


def run_scenario(
    name: str, *, device: str | None, out: Path | None, seed: int | None, placement: str, as_json: bool
) -> int:
    """Runs a scenario; the exit code."""
    try:
        scenario = load_scenario(name)
    except ScenarioError as error:
        raise ScenarioError([f"{name}: {problem}" for problem in error.problems]) from None
    from polyradio.testbed import Testbed  # noqa: PLC0415 - not needed to say what is wrong with a scenario

    directory = prepare_directory(out if out is not None else Path("polyradio-out") / scenario.name)
    console = Console(soft_wrap=False) if Console().is_terminal else Console(width=160)
    with ExitStack() as stack:
        progress = None if as_json else _progress(console, stack)
        testbed = Testbed(
            scenario, out_dir=directory, device_url=device, seed=seed, placement=placement, progress=progress
        )
        report = testbed.run()
    if as_json:
        click.echo(json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False))
    else:
        print_summary(console, report, [str(directory / file) for file in report["files"].values()])
    if "interrupted_after_s" in report:
        click.echo(f"polyradio: interrupted after {report['interrupted_after_s']} s", err=True)
        return INTERRUPTED
    return 1 if shortcomings(report) else 0


def prepare_directory(directory: Path) -> Path:
    """Makes the directory for a run's files, and sees to it that they can be written.

    Raises:
        LocalProtocolError: something else stands in the way.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise LocalProtocolError(f"cannot write to {directory}: there is a file where a directory is needed") from None
    except OSError as error:
        raise LocalProtocolError(f"cannot write to {directory}: {error.strerror}") from None
    for file in FILES:
        path = directory / file
        if path.exists() and not path.is_file():
            raise LocalProtocolError(f"cannot write {path}: it is there and is no file")
    return directory


def _progress(console: Console, stack: ExitStack) -> "Callable[[Snapshot], None]":
    """What shows how things stand: a live table, or a line for each change where stdout is no terminal."""
    if not console.is_terminal:
        return _plain_progress()
    live = stack.enter_context(Live(console=console, auto_refresh=False, transient=True))

    def show(snapshot: "Snapshot") -> None:
        title = f"{snapshot.time_ns / 1e9:.1f} of {snapshot.duration_ns / 1e9:g} s"
        live.update(vm_table(map(asdict, snapshot.vms), title=title), refresh=True)

    return show


def _plain_progress() -> "Callable[[Snapshot], None]":
    last: dict[str, str] = {}

    def show(snapshot: "Snapshot") -> None:
        for vm in snapshot.vms:
            state = vm.failure or vm.state.replace("_", " ").lower()
            if last.get(vm.name) != state:
                last[vm.name] = state
                click.echo(f"{snapshot.time_ns / 1e9:8.3f} s  {vm.name}: {state}")
                sys.stdout.flush()

    return show
