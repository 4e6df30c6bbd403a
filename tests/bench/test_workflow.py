"""The shipped workflow: it can be read, and its commands are ours."""

import re
from importlib.resources import files

import pytest
from click.testing import CliRunner

from polyradio.cli.bench_compare import FILE_FORMATS, workflow

TEXT = files("polyradio.bench").joinpath("examples", "github-actions.yml").read_text()


def test_it_is_printed_as_it_is() -> None:
    assert CliRunner().invoke(workflow).output == TEXT


def test_its_structure() -> None:
    assert "\t" not in TEXT
    assert [line for line in TEXT.splitlines() if re.match(r"[a-z]", line)] == [
        "name: bench",
        "on:",
        "permissions:",
        "jobs:",
    ]
    assert all((len(line) - len(line.lstrip())) % 2 == 0 for line in TEXT.splitlines())
    steps = re.findall(r"^      - name: (.+)$", TEXT, re.MULTILINE)
    assert len(steps) == len(re.findall(r"^      - ", TEXT, re.MULTILINE)) == 8
    assert len(re.findall(r"^        (?:run|uses): ", TEXT, re.MULTILINE)) == 8


def test_a_yaml_parser_reads_it() -> None:
    yaml = pytest.importorskip("yaml")
    (job,) = yaml.safe_load(TEXT)["jobs"].values()
    assert all(("run" in step) != ("uses" in step) for step in job["steps"])


def test_its_outputs_are_known() -> None:
    outputs = re.findall(r"--output (\w+)=", TEXT)
    assert outputs
    assert set(outputs) <= set(FILE_FORMATS)
