"""`polyradio decrypt`: a capture with many networks and their keys, opened offline."""

from pathlib import Path

import click


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

    The handshakes must be in the capture. Exit code 1: not one frame could be opened.
    """
    raise NotImplementedError  # until decrypt.py is merged
