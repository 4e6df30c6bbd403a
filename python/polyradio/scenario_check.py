"""Mistakes in scenario files, as sentences with their places.

`field_problems` rewrites what pydantic found in single fields; `cross_problems` finds what only shows between sections.
Not here: the fields themselves (`scenario`). Promise: a passphrase is never part of a message.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from ipaddress import IPv4Interface
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from polyradio.toml_places import Path

Problem = tuple[Path, str]

TABLES = {"access_points": "access_point", "vms": "vm", "links": "link"}
"""Names of the lists in Python, and of the same arrays of tables in a file."""


def describe(path: Path, message: str, line: int | None) -> str:
    """One line for one mistake: `vm[1].passphrase (line 23): ...`."""
    place = ""
    for part in path:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else part
    if line is not None:
        place += f" (line {line})" if place else f"line {line}"
    return f"{place}: {message}" if place else message


def field_problems(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """What pydantic found in single fields."""
    problems: list[Problem] = []
    for item in error.errors(include_url=False):
        path, kind, context = tuple(item["loc"]), item["type"], item.get("ctx", {})
        if not path:  # sections that do not fit together: `cross_problems` says where
            continue
        if kind == "extra_forbidden":
            known = _known_keys(model, path[:-1])
            near = get_close_matches(str(path[-1]), known, n=1)
            problems.append((path, f"unknown key; did you mean {near[0]!r}?" if near else _listing(known)))
        elif kind == "missing":
            problems.append((path, "at least one is needed" if path[-1] in TABLES.values() else "is missing"))
        elif kind == "value_error":
            problems.append((path, str(context.get("error", item["msg"]))))
        elif kind == "literal_error":
            near = get_close_matches(str(item["input"]), str(context["expected"]).replace("'", "").split(), n=1)
            hint = f"; did you mean {near[0].strip(',')!r}?" if near else ""
            problems.append((path, f"must be {context['expected']}, not {item['input']!r}{hint}"))
        elif kind == "too_short":
            problems.append((path, "at least one is needed"))
        else:
            given = "" if "passphrase" in path else f", not {item['input']!r}"
            message = item["msg"].removeprefix("Input should be ").replace("a valid ", "a ").replace("a i", "an i")
            problems.append((path, f"must be {message}{given}"))
    return problems


def misnamed_tables(data: Mapping[str, Any]) -> list[Problem]:
    """Arrays of tables that carry the name that they have in Python."""
    return [((key,), f"unknown key; did you mean {TABLES[key]!r}?") for key in data if key in TABLES]


def cross_problems(data: Mapping[str, Any]) -> list[Problem]:
    """What does not fit together between sections; tolerant of fields that are wrong by themselves."""
    access_points, vms, links = (_tables(data, key) for key in ("access_point", "vm", "link"))
    sections = [("access_point", access_points), ("vm", vms)]
    problems: list[Problem] = []
    problems += _duplicates("name", [((key, i, "name"), t.get("name")) for key, ts in sections for i, t in ts])
    macs = [(("access_point", i, "bssid"), t.get("bssid")) for i, t in access_points]
    macs += [(("vm", i, "mac"), t.get("mac")) for i, t in vms]
    problems += _duplicates("MAC address", [(path, _same_spelling(mac)) for path, mac in macs])
    addresses = [((key, i, "ip"), t.get("ip")) for key, ts in sections for i, t in ts]
    problems += _duplicates("IP address", [(path, _host_part(ip)) for path, ip in addresses])
    problems += _duplicates("link to", [(("link", i, "access_point"), t.get("access_point")) for i, t in links])
    problems += _references(access_points, vms, links)
    problems += _subnets(access_points, vms)
    problems += _ports(data, access_points, vms)
    device = data.get("device")
    max_vms = device.get("max_vms", 64) if isinstance(device, dict) else 64
    if isinstance(max_vms, int) and len(vms) > max_vms > 0:
        message = f"{len(vms)} VMs, but the device has rows for {max_vms} (device.max_vms)"
        problems.append((("vm", len(vms) - 1), message))
    problems += _times(data, access_points)
    return problems


def _references(access_points: "_Tables", vms: "_Tables", links: "_Tables") -> Iterator[Problem]:
    ssids = [table["ssid"] for _, table in access_points if isinstance(table.get("ssid"), str)]
    names = [table["name"] for _, table in access_points if isinstance(table.get("name"), str)]
    for index, vm in vms:
        network = vm.get("network")
        if isinstance(network, str) and network not in ssids:
            yield ("vm", index, "network"), f"no access point has the SSID {network!r}{_near(network, ssids)}"
    for index, link in links:
        name = link.get("access_point")
        if isinstance(name, str) and name not in names:
            yield ("link", index, "access_point"), f"there is no access point {name!r}{_near(name, names)}"


def _subnets(access_points: "_Tables", vms: "_Tables") -> Iterator[Problem]:
    for index, vm in vms:
        address = _interface(vm.get("ip"))
        if address is None:
            continue
        for number, access_point in access_points:
            if access_point.get("ssid") != vm.get("network"):
                continue
            gateway = _interface(access_point.get("ip", f"10.{(number + 1) >> 8}.{(number + 1) & 0xFF}.1/24"))
            if gateway is not None and gateway.network != address.network:
                yield ("vm", index, "ip"), f"{address} is not in {gateway.network}, where its network's wired host is"
            break


def _ports(data: Mapping[str, Any], access_points: "_Tables", vms: "_Tables") -> Iterator[Problem]:
    virtual = data.get("time", "virtual") == "virtual"
    wired = {table.get("ssid"): table.get("wired", "memory") for _, table in reversed(access_points)}
    for key, field, tables in (("access_point", "wired", access_points), ("vm", "port", vms)):
        for index, table in tables:
            if virtual and table.get(field) == "tap":
                yield (key, index, field), 'a Linux stack needs wall-clock time: set time = "wall"'
    for index, vm in vms:
        for number, traffic in enumerate(_traffic(vm)):
            path = ("vm", index, "traffic", number, "kind")
            if traffic.get("kind") == "iperf3" and vm.get("port", "memory") != "tap":
                yield path, 'iperf3 runs on a Linux stack: set the VM\'s port = "tap"'
            elif traffic.get("kind") == "iperf3" and wired.get(vm.get("network"), "tap") != "tap":
                yield path, 'iperf3 needs a Linux stack at the far end: set the access point\'s wired = "tap"'
            if traffic.get("kind") == "ping" and "rate_mbps" in traffic:
                yield (*path[:-1], "rate_mbps"), "is for udp and iperf3; a ping has interval_ms"


def _times(data: Mapping[str, Any], access_points: "_Tables") -> Iterator[Problem]:
    duration = data.get("duration_s")
    if not isinstance(duration, int | float):
        return
    for index, table in access_points:
        vanish = table.get("vanish_at_s")
        if isinstance(vanish, int | float) and vanish >= duration:
            yield ("access_point", index, "vanish_at_s"), f"the scenario ends before that, at {duration:g} s"


def _duplicates(what: str, values: "list[tuple[Path, Any]]") -> Iterator[Problem]:
    first: dict[str, Path] = {}
    for path, value in values:
        if not isinstance(value, str):
            continue
        if value in first:
            yield path, f"{what} {value} is taken: {describe(first[value], 'has it', None).replace(':', '', 1)}"
        else:
            first[value] = path


_Tables = list[tuple[int, dict[str, Any]]]


def _tables(data: Mapping[str, Any], key: str) -> _Tables:
    tables = data.get(key)
    if not isinstance(tables, list):
        return []
    return [(index, table) for index, table in enumerate(tables) if isinstance(table, dict)]


def _traffic(vm: dict[str, Any]) -> list[dict[str, Any]]:
    return [table for _, table in _tables(vm, "traffic")]


def _same_spelling(mac: object) -> object:
    return mac.lower().replace("-", ":") if isinstance(mac, str) else mac


def _interface(value: object) -> IPv4Interface | None:
    try:
        return IPv4Interface(value) if isinstance(value, str) and "/" in value else None
    except ValueError:
        return None


def _host_part(value: object) -> str | None:
    interface = _interface(value)
    return None if interface is None else str(interface.ip)


def _near(word: str, known: list[str]) -> str:
    near = get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _listing(known: list[str]) -> str:
    return f"unknown key; there are {', '.join(known)}"


def _known_keys(model: type[BaseModel], path: Path) -> list[str]:
    """The keys of the section at a path."""
    for part in path:
        if isinstance(part, str):
            names = {str(field.validation_alias or name): field for name, field in model.model_fields.items()}
            inner = names[part].annotation
            types = [item for item in (inner, *get_args(inner)) if isinstance(item, type)]
            model = next(item for item in types if issubclass(item, BaseModel))
    return [str(field.validation_alias or name) for name, field in model.model_fields.items()]
