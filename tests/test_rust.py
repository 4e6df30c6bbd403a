"""The Rust tests, so that one command runs every test."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not installed")
def test_the_rust_workspace_passes_its_tests() -> None:
    done = subprocess.run(
        ["cargo", "test", "--workspace", "--locked", "--quiet"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{done.stdout[-8000:]}\n{done.stderr[-8000:]}"
