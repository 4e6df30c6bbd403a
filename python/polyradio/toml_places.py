"""Where the keys of a TOML text stand: `tomllib` gives values without lines, and a mistake needs a line.

A scan of headers and keys, good enough for every text that `tomllib` accepts; a value in an inline table or array has
the line of the key that opens it. Not here: values. Promise: never fails; a place that is not found is None.
"""

import re
from collections.abc import Mapping

Path = tuple[str | int, ...]

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_KEY = re.compile(rf"^\s*((?:{_PART.pattern})(?:\s*\.\s*(?:{_PART.pattern}))*)\s*=(.*)$")
_STRING = re.compile(r'"(?:\\.|[^"\\])*"|' + r"'[^']*'")
_TRIPLE = re.compile(r'"""|' + r"'''")


def line_of(places: Mapping[Path, int], path: Path) -> int | None:
    """The 1-based line of a path such as `("vm", 1, "ip")`, or of the nearest table around it."""
    for length in range(len(path), 0, -1):
        line = places.get(path[:length])
        if line is not None:
            return line
    return None


def key_places(text: str) -> dict[Path, int]:
    """The 1-based line of each table and key; elements of arrays of tables are numbered from 0."""
    places: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    depth = 0
    closing: str | None = None  # of a string over several lines
    for number, whole in enumerate(text.split("\n"), start=1):
        line = whole
        if closing is not None:
            _, found, line = line.partition(closing)
            if not found:
                continue
            closing = None
            depth = max(0, depth + _bracket_balance(line))
            continue
        if depth == 0 and (header := _HEADER.match(line)):
            table = _open_table(_parts(header[2]), header[1] == "[[", counts)
            places.setdefault(table, number)
            if table and isinstance(table[-1], int):
                places.setdefault(table[:-1], number)
            continue
        value = line
        if depth == 0:
            key = _KEY.match(line)
            if not key:
                continue
            parts = _parts(key[1])
            for length in range(1, len(parts) + 1):
                places.setdefault(table + parts[:length], number)
            value = key[2]
        opening = _TRIPLE.search(value)
        if opening and value.count(opening[0]) % 2:
            closing = opening[0]
            value = value[: opening.start()]
        depth = max(0, depth + _bracket_balance(value))
    return places


def _open_table(parts: tuple[str, ...], is_array: bool, counts: dict[Path, int]) -> Path:
    """The path of a header's table: the last element of each array of tables on the way."""
    path: Path = ()
    for index, part in enumerate(parts):
        path = (*path, part)
        if index == len(parts) - 1 and is_array:
            counts[path] = counts.get(path, 0) + 1
        if path in counts:
            path = (*path, counts[path] - 1)
    return path


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def _bracket_balance(value: str) -> int:
    bare = _STRING.sub("", value).partition("#")[0]
    return bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}")
