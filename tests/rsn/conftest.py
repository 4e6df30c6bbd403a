"""Public vectors, read from where POLYRADIO_VECTORS says or from `shared/vectors` beside the checkout."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], Any]:
    """Loads a vector file by its name; skips the test where there are none."""

    def load(name: str) -> Any:
        root = Path(__file__).resolve().parents[2]
        given = os.environ.get("POLYRADIO_VECTORS")
        places = [Path(given)] if given else [root.parents[up] / "shared" / "vectors" for up in (0, 1)]
        for place in places:
            if (place / name).is_file():
                return json.loads((place / name).read_text(encoding="utf-8"))
        pytest.skip(f"no public vectors: {name} is not there (POLYRADIO_VECTORS)")

    return load
