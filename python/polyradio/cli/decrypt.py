"""`polyradio decrypt`: a capture with many networks and their keys, opened offline."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from polyradio.errors import LocalProtocolError


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
    from polyradio.decrypt import decrypt_capture  # noqa: PLC0415 - nothing else needs it

    credentials = [_credentials(network) for network in networks]
    keys = [_pmk(pmk) for pmk in pmks]
    if not credentials and not keys:
        raise click.UsageError("give at least one --network or --pmk")
    _check_paths(capture, out)
    report = decrypt_capture(capture, out, credentials, keys).to_dict()
    if as_json:
        click.echo(json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False))
    else:
        _print(report, out)
    is_no = report["protected"] > 0 and report["opened"] == 0
    return 1 if is_no else 0


def _credentials(network: str) -> tuple[bytes, str]:
    ssid, colon, passphrase = network.partition(":")
    if not colon or not ssid:
        raise click.BadParameter("must be SSID:PASSPHRASE", param_hint="--network")
    octets = unquote_to_bytes(ssid)
    if len(octets) > 32:
        raise click.BadParameter(f"an SSID has at most 32 octets, not {len(octets)}", param_hint="--network")
    is_psk = len(passphrase) == 64 and all(digit in "0123456789abcdefABCDEF" for digit in passphrase)
    if not is_psk and (not 8 <= len(passphrase) <= 63 or any(not " " <= digit <= "~" for digit in passphrase)):
        raise click.BadParameter("a passphrase has 8 to 63 printable ASCII characters", param_hint="--network")
    return octets, passphrase


def _pmk(digits: str) -> bytes:
    try:
        pmk = bytes.fromhex(digits)
    except ValueError:
        pmk = b""
    if len(pmk) != 32:
        raise click.BadParameter("must be 64 hex digits", param_hint="--pmk")
    return pmk


def _check_paths(capture: Path, out: Path) -> None:
    if not capture.exists():
        raise LocalProtocolError(f"{capture}: there is no such file")
    if capture.is_dir():
        raise LocalProtocolError(f"{capture}: is a directory, not a capture")
    if out.exists() and not out.is_file():
        raise LocalProtocolError(f"cannot write {out}: it is there and is no file")
    if out.exists() and out.samefile(capture):
        raise LocalProtocolError(f"cannot write {out}: it is the capture that is read")
    if not out.parent.is_dir():
        raise LocalProtocolError(f"cannot write {out}: there is no directory {out.parent}")


def _print(report: Mapping[str, Any], out: Path) -> None:
    console = Console() if Console().is_terminal else Console(width=160)
    table = Table(box=box.ROUNDED if console.is_terminal else None, pad_edge=console.is_terminal)
    table.add_column("network")
    for column in ("BSSIDs", "handshakes", "protected", "opened", "of groups"):
        table.add_column(column, justify="right")
    table.add_column("not opened")
    for row in report["networks"]:
        counts = (row["bssids"], row["handshakes"], row["protected"], row["opened"], row["group_opened"])
        why = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in row["reasons"].items())
        table.add_row(*(Text(str(cell)) for cell in (row["ssid"], *counts, why or "-")))
    console.print(table)
    click.echo(f"{report['frames']} frames, {report['protected']} protected, {report['opened']} opened")
    if report["error"]:
        click.echo(f"the capture ends early: {report['error']}")
    click.echo(f"wrote {out}")
