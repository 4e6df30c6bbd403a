"""Every term of the patent has its room and its tests; what the table names is there."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TERMS = tomllib.loads((Path(__file__).parent / "terms.toml").read_text(encoding="utf-8"))["term"]


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term["name"])
def test_the_room_and_the_tests_of_a_term_are_there(term: dict[str, object]) -> None:
    assert (ROOT / str(term["room"])).is_file()
    assert term["tests"]
    for test in term["tests"]:
        assert (ROOT / test).is_file(), test
