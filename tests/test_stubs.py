"""Types: the package under mypy --strict, and the stub of the Rust module against the binary."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(*argv: str) -> None:
    done = subprocess.run([sys.executable, "-m", *argv], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.slow
def test_the_package_is_typed_strictly() -> None:
    run("mypy", "--strict", "-p", "polyradio")


@pytest.mark.slow
def test_the_stub_says_what_the_rust_module_has() -> None:
    run("mypy.stubtest", "polyradio._core")
