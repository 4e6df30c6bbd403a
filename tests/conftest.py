"""Where the vectors that are not in this repository lie."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The directory of vectors: POLYRADIO_VECTORS, or `shared/vectors` beside the repository."""
    root = Path(__file__).parents[1]
    named = os.environ.get("POLYRADIO_VECTORS")
    for directory in [Path(named)] if named else [root / "../shared/vectors", root / "../../shared/vectors"]:
        if directory.is_dir():
            return directory.resolve()
    pytest.skip("no vectors: POLYRADIO_VECTORS may name their directory")
