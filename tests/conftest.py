"""Where the vectors that are not in this repository lie, and the public captures among them."""

import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from polyradio._core import CapturedFrame, CaptureReader
from polyradio.decrypt import Network


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The directory of vectors: POLYRADIO_VECTORS, or `shared/vectors` beside the repository."""
    root = Path(__file__).parents[1]
    named = os.environ.get("POLYRADIO_VECTORS")
    for directory in [Path(named)] if named else [root / "../shared/vectors", root / "../../shared/vectors"]:
        if directory.is_dir():
            return directory.resolve()
    pytest.skip("no vectors: POLYRADIO_VECTORS may name their directory")


@dataclass(frozen=True, slots=True)
class Capture:
    """A public capture."""

    path: Path
    networks: tuple[Network, ...]
    index: dict[str, Any]
    frames: tuple[CapturedFrame, ...]

    def oracle(self) -> list[dict[str, Any]]:
        """What tshark and wlantest say of the protected frames."""
        path = self.path.with_name(self.path.name + ".frames.json")
        return json.loads(path.read_text())["frames"] if path.exists() else []


class Captures:
    """The public captures by their names."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        index = json.loads((directory / "captures/index.json").read_text())["captures"]
        self._index = {capture["file"].removeprefix("captures/"): capture for capture in index}

    def names(self) -> list[str]:
        """All of them."""
        return list(self._index)

    def networks(self) -> list[Network]:
        """The credentials of all captures."""
        return list(dict.fromkeys(network for name in self._index for network in self._networks(name)))

    def __getitem__(self, name: str) -> Capture:
        path = self._directory / "captures" / name
        frames = tuple(CaptureReader(_octets(path)))
        return Capture(path, tuple(self._networks(name)), self._index[name], frames)

    def _networks(self, name: str) -> list[Network]:
        keys = self._index[name]["keys"]
        networks = [Network(None, pmk=bytes.fromhex(pmk)) for pmk in keys.get("pmks", [])]
        if "passphrase" in keys:
            ssids = [keys["ssid"]] if "ssid" in keys else [each["ssid"] for each in self._index[name]["networks"]]
            networks += [Network(ssid.encode(), passphrase=keys["passphrase"]) for ssid in dict.fromkeys(ssids)]
        return networks


def _octets(path: Path) -> bytes:
    octets = path.read_bytes()
    return gzip.decompress(octets) if path.suffix == ".gz" else octets


@pytest.fixture(scope="session")
def captures(vectors: Path) -> Captures:
    return Captures(vectors)
