"""tshark as an independent reader of captures: what it decrypts, octet for octet."""

import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

_HEADING = re.compile(r"^(\S.*) \((\d+) bytes?\):$")
_OCTETS = re.compile(r"^[0-9a-f]{4,8}  ")


def _options(networks: list[tuple[str, str]]) -> list[str]:
    keys = [option for ssid, phrase in networks for option in ("-o", f'uat:80211_keys:"wpa-pwd","{phrase}:{ssid}"')]
    return ["-o", "wlan.enable_decryption:TRUE", *keys]


def _fields(capture: Path, names: list[str], display_filter: str, networks: list[tuple[str, str]]) -> list[list[str]]:
    """One row for each frame that passes the filter: the named fields as tshark prints them."""
    columns = [option for name in names for option in ("-e", name)]
    command = ["tshark", "-n", "-r", str(capture), *_options(networks), "-Y", display_filter, "-T", "fields", *columns]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [line.split("\t") for line in output.splitlines()]


def _decrypted_bodies(capture: Path, networks: list[tuple[str, str]]) -> list[tuple[bytes, bytes | None]]:
    """For each protected data frame, in order: the record's octets, and the plaintext body or None."""
    command = ["tshark", "-n", "-r", str(capture), *_options(networks)]
    command += ["-Y", "wlan.fc.protected == 1 && wlan.fc.type == 2", "-x"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    frames: list[tuple[bytes, bytes | None]] = []
    kind, octets = "", bytearray()

    def close() -> None:
        if kind == "Frame":
            frames.append((bytes(octets), None))
        elif kind.startswith("Decrypted"):
            frames[-1] = (frames[-1][0], bytes(octets))

    for line in output.splitlines():
        heading = _HEADING.match(line)
        if heading:
            close()
            kind, octets = heading[1], bytearray()
        elif not line:  # a frame with nothing decrypted has no heading
            close()
            kind, octets = "", bytearray()
        elif _OCTETS.match(line):
            kind = kind or "Frame"
            octets += bytes.fromhex(line[6:53])
    close()
    return frames


@pytest.fixture(scope="session")
def tshark() -> SimpleNamespace:
    """tshark's reading of a capture: `fields` and `decrypted_bodies`; skips where it is not installed."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed (Debian: apt-get install tshark)")
    return SimpleNamespace(fields=_fields, decrypted_bodies=_decrypted_bodies)
