"""Public corpora, read from where POLYRADIO_VECTORS says or from `shared/vectors` beside the checkout."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def corpus() -> Callable[[str], list[bytes]]:
    """The files of a corpus folder; skips the test where there are none."""

    def load(folder: str) -> list[bytes]:
        root = Path(__file__).resolve().parents[2]
        given = os.environ.get("POLYRADIO_VECTORS")
        places = [Path(given)] if given else [root.parents[up] / "shared" / "vectors" for up in (0, 1)]
        for place in places:
            files = sorted((place / folder).glob("*"))
            if files:
                return [file.read_bytes() for file in files]
        pytest.skip(f"no public vectors: {folder} is not there (POLYRADIO_VECTORS)")

    return load
