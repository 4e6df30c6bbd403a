"""The report of one run of the benchmarks: what was measured, on which machine, next to which reference.

The file is JSON with a format name and a version. Fields that a later version adds are skipped; a file of a later
version is refused, because what it means by the known fields may have changed.

Not here: measuring, comparing, printing. Promise: what was read is whole (every figure finite and above 0, every sample
with its reference), or the error names the file and the place.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Any, Literal

from polyradio.errors import LocalProtocolError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FORMAT = "polyradio-bench"
VERSION = 1
MIN_PASS = 4
"""Slices of a pass that can stand for itself."""

Better = Literal["lower", "higher"]
Parameter = int | float | bool | str


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured; `fingerprint` is the same where figures can be compared."""

    fingerprint: str
    cpu: str
    cores: int
    features: tuple[str, ...]
    """What of the processor matters here, such as `aes` and `vaes`."""
    memory_bytes: int
    kernel: str
    python: str


@dataclass(frozen=True, slots=True)
class Build:
    """What was measured."""

    profile: str
    """`release` or `debug`."""
    backend: str
    """The backend of CCMP that this build takes on this machine."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How it was measured."""

    seed: int
    slices: int
    slice_ms: float
    passes: int = 1
    """Times that everything was built and measured anew; a result's samples are those of each pass, one by one."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What the machine could do at best, in the unit of the result; `ratio` is result / limit."""

    name: str
    best: float
    median: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Reference:
    """Work that never changes; `samples[i]` was measured right beside the result's `samples[i]`."""

    name: str
    samples: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Peer:
    """Another implementation of the same work; `ratio` is its best / our best."""

    name: str
    best: float
    median: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Skipped:
    """A peer that could not be measured, and why."""

    peer: str
    reason: str


@dataclass(frozen=True, slots=True)
class Instructions:
    """Instructions for each item, counted, not timed; the backend is the one that ran while they were counted."""

    backend: str
    per_item: float
    tool: str


@dataclass(frozen=True, slots=True)
class Result:
    """One measured thing."""

    suite: str
    name: str
    parameters: Mapping[str, Parameter]
    unit: str
    better: Better
    backend: str | None
    samples: tuple[float, ...]
    """One figure for each slice, in the order of time."""
    best: float
    median: float
    spread: float
    """(upper quartile - lower quartile) / median."""
    reference: Reference
    limit: Figure | None = None
    peers: tuple[Peer, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    instructions: Instructions | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """One run of the benchmarks."""

    created: str
    """UTC, ISO 8601."""
    polyradio: str
    """Version of polyradio."""
    machine: Machine
    build: Build
    settings: Settings
    results: tuple[Result, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """As it stands in the file."""
        return {"format": FORMAT, "version": VERSION, **asdict(self)}

    @staticmethod
    def from_json(value: object) -> "Report":
        """From what `to_json` gave.

        Raises:
            LocalProtocolError: It is no such report; the error begins with the place.
        """
        check_header(value, FORMAT, VERSION)
        from pydantic import ValidationError  # noqa: PLC0415 - see `_adapter`

        try:
            report = _adapter().validate_json(json.dumps(value), strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            message = first["msg"][0].lower() + first["msg"][1:]
            raise LocalProtocolError(f"{_place(first['loc'])}: {message}") from None
        _check(report)
        return report


def read_report(path: Path) -> Report:
    """Reads the file of a report.

    Raises:
        LocalProtocolError: It is no report that this version can read; the error names the file and the place.
    """
    value = read_json(path)
    try:
        return Report.from_json(value)
    except LocalProtocolError as error:
        raise LocalProtocolError(f"{path}: {error}") from None


def write_report(report: Report, path: Path) -> None:
    """Writes the file of a report.

    Raises:
        LocalProtocolError: It cannot be written there.
    """
    if path.is_dir():
        raise LocalProtocolError(f"cannot write {path}: it is a directory")
    if not path.parent.is_dir():
        raise LocalProtocolError(f"cannot write {path}: there is no directory {path.parent}")
    path.write_text(json.dumps(report.to_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def summary(samples: Sequence[float], better: Better) -> tuple[float, float, float]:
    """Best, median and spread of a result's samples, as `Result` has them."""
    lower, median, upper = quantiles(samples, n=4, method="inclusive") if len(samples) > 1 else [*samples] * 3
    best = min(samples) if better == "lower" else max(samples)
    return best, median, (upper - lower) / median


def read_json(path: Path) -> object:
    """The JSON of a file.

    Raises:
        LocalProtocolError: There is no such file or it is no JSON; the error names the file and the line.
    """
    try:
        value: object = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LocalProtocolError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise LocalProtocolError(f"{path}: is a directory, not a report") from None
    except UnicodeDecodeError as error:
        raise LocalProtocolError(f"{path}: no text at octet {error.start}") from None
    except json.JSONDecodeError as error:
        raise LocalProtocolError(f"{path}: line {error.lineno}, column {error.colno}: no JSON: {error.msg}") from None
    except RecursionError:
        raise LocalProtocolError(f"{path}: no report: nested too deep") from None
    return value


def check_header(value: object, name: str, version: int) -> None:
    """Raises `LocalProtocolError` where a file's JSON has another format or a later version."""
    if not isinstance(value, dict):
        raise LocalProtocolError(f"no {name} file: an object is expected at the top")
    found, found_version = value.get("format"), value.get("version")
    if found != name:
        raise LocalProtocolError(f'no {name} file: "format" is {json.dumps(found)}, not "{name}"')
    if type(found_version) is not int or found_version < 1:
        raise LocalProtocolError(f'"version" is {json.dumps(found_version)}; a number from 1 is expected')
    if found_version > version:
        raise LocalProtocolError(
            f"version {found_version} of {name} was written by a later polyradio; this one reads up to {version}"
        )


@cache
def _adapter() -> "TypeAdapter[Report]":
    from pydantic import TypeAdapter  # noqa: PLC0415 - takes a moment to load, and writing a report needs none of it

    return TypeAdapter(Report)


def _place(location: Sequence[int | str]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".")


def _check(report: Report) -> None:
    if report.settings.passes < 1:
        raise LocalProtocolError(f"settings.passes: {report.settings.passes} is not at least 1")
    names: set[str] = set()
    for index, result in enumerate(report.results):
        place = f"results[{index}] ({result.name})"
        if result.name in names:
            raise LocalProtocolError(f"{place}: there are two results of this name")
        names.add(result.name)
        if not result.samples:
            raise LocalProtocolError(f"{place}.samples: there is none")
        if len(result.samples) != len(result.reference.samples):
            raise LocalProtocolError(
                f"{place}.reference.samples: {len(result.reference.samples)} for {len(result.samples)} samples"
            )
        for part, values in _figures(result):
            for number, value in enumerate(values):
                if not (math.isfinite(value) and value > 0):
                    where = f"{place}.{part}[{number}]" if part.endswith("samples") else f"{place}.{part}"
                    raise LocalProtocolError(f"{where}: {value} is no figure above 0")


def _figures(result: Result) -> list[tuple[str, tuple[float, ...]]]:
    figures = [("samples", result.samples), ("reference.samples", result.reference.samples)]
    figures += [("best", (result.best,)), ("median", (result.median,))]
    if result.instructions is not None:
        figures.append(("instructions.per_item", (result.instructions.per_item,)))
    return figures
