"""`polyradio decrypt`: a capture with many networks and their keys, opened offline."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from polyradio.errors import LocalProtocolError, RemoteProtocolError

if TYPE_CHECKING:
    from polyradio.decrypt import DecryptReport, NetworkCounts


@click.command()
@click.argument("capture", metavar="IN.pcap[ng]", type=click.Path(path_type=Path))
@click.option(
    "--network",
    "networks",
    metavar="SSID:PASSPHRASE",
    multiple=True,
    help="A network's credentials, divided at the first colon (%3A stands for a colon in the SSID); repeatable.",
)
@click.option("--pmk", "pmks", metavar="HEX", multiple=True, help="A pairwise master key, 64 hex digits; repeatable.")
@click.option("-o", "--out", metavar="OUT.pcapng", required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The counts as JSON on stdout, nothing else.")
def decrypt(capture: Path, networks: tuple[str, ...], pmks: tuple[str, ...], out: Path, as_json: bool) -> int:
    """Decrypt a capture: pcap or pcapng, gzip too; several WPA2-PSK networks at once.

    The handshakes must be in the capture. Exit code 1: there are protected frames, and none could be opened.
    """
    from polyradio.decrypt import run_decrypt  # noqa: PLC0415 - nothing else needs it

    if not networks and not pmks:
        raise click.UsageError("give at least one --network or --pmk")
    _check_paths(capture, out)
    try:
        report = run_decrypt(capture, networks, pmks, out)
    except RemoteProtocolError as error:
        raise RemoteProtocolError(f"{capture}: no capture that can be read: {error}") from None
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2, sort_keys=True, ensure_ascii=False))
    else:
        _print(report)
    return 1 if report.protected and not report.decrypted else 0


def _check_paths(capture: Path, out: Path) -> None:
    if not capture.exists():
        raise LocalProtocolError(f"{capture}: there is no such file")
    if capture.is_dir():
        raise LocalProtocolError(f"{capture}: is a directory, not a capture")
    if out.exists() and not out.is_file():
        raise LocalProtocolError(f"cannot write {out}: it is there and is no file")
    if not out.parent.is_dir():
        raise LocalProtocolError(f"cannot write {out}: there is no directory {out.parent}")


def _print(report: "DecryptReport") -> None:
    is_plain = not Console().is_terminal
    console = Console(width=160) if is_plain else Console()
    table = Table(box=None if is_plain else box.ROUNDED, pad_edge=not is_plain)
    table.add_column("network")
    for column in ("BSSIDs", "pairwise keys", "group keys", "protected", "decrypted"):
        table.add_column(column, justify="right")
    table.add_column("by reason")
    for network in report.networks:
        keys = (network.pairwise_keys, network.group_keys)
        cells = (_name(network), len(network.bssids), *keys, network.protected, network.decrypted, _reasons(network))
        # As Text: an SSID may hold what rich would take for markup.
        table.add_row(*(Text(str(cell)) for cell in cells))
    console.print(table)
    click.echo(f"{report.frames} frames, {report.protected} protected, {report.decrypted} decrypted")
    if report.error is not None:
        click.echo(f"the capture ends early: {report.error}")
    click.echo(f"wrote {report.out}")


def _name(network: "NetworkCounts") -> str:
    if network.ssid is not None:
        return network.ssid
    return f"({', '.join(network.bssids) or 'unknown'})"


def _reasons(network: "NetworkCounts") -> str:
    from polyradio.decrypt import Verdict  # noqa: PLC0415 - see above

    reasons = {verdict: count for verdict, count in network.counts.items() if count and verdict is not Verdict.OPENED}
    return ", ".join(f"{count} {str(verdict).replace('_', ' ')}" for verdict, count in reasons.items()) or "-"
