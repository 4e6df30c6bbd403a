"""What the documentation shows works as it stands there."""

import re
from pathlib import Path

import pytest

import polyradio
from polyradio.scenario import parse_scenario, shipped_scenarios

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str) -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for number, block in enumerate(
            re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL), start=1
        ):
            found.append((f"{page.name} {number}", block))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_of_a_page_runs_from_top_to_bottom(page: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for place, block in blocks("python"):
        if place.startswith(page.name):
            exec(compile(block, place, "exec"), names)


@pytest.mark.parametrize(("place", "block"), blocks("toml"), ids=lambda item: item[:20].split("\n")[0])
def test_the_scenarios_of_the_pages_are_right(place: str, block: str) -> None:
    assert parse_scenario(block).vms, place


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_public_name_is_there() -> None:
    for name in polyradio.__all__:
        assert getattr(polyradio, name) is not None
    with pytest.raises(AttributeError):
        polyradio.nonsense  # noqa: B018 - asking is the test


def test_the_help_of_run_names_every_shipped_scenario() -> None:
    from polyradio.cli.run import run

    for name in shipped_scenarios():
        assert name in (run.help or "")
