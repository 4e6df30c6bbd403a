"""What a run came to, for people: the table of VMs, a summary, and what fell short.

Not here: the figures themselves (`testbed`). Promise: `shortcomings` is empty exactly when every VM is connected and
its traffic got through; the exit code follows from it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

Vm = Mapping[str, Any]


def vm_table(vms: Iterable[Vm], *, title: str | None = None, plain: bool = False) -> Table:
    """One row for each VM of a report or snapshot; plain: aligned columns without lines, for files and pipes."""
    heading = None if title is None else Text(title)
    table = Table(title=heading, box=None if plain else box.ROUNDED, pad_edge=not plain, title_justify="left")
    for column, justify in _COLUMNS:
        table.add_column(column, justify=justify, no_wrap=True)
    for vm in vms:
        network = [vm["ssid"], _or_dash(vm["channel"]), _or_dash(vm["cipher"])]
        counters = [vm["sent"], vm["received"], sum(vm["drops"].values()), f"{vm['airtime_ms']:.1f} ms"]
        # As Text: an SSID may hold what rich would take for markup.
        cells = [Text(str(cell)) for cell in (vm["name"], vm["mac"], *network, *counters)]
        table.add_row(*cells[:2], _state(vm), *cells[2:])
    return table


def print_summary(console: Console, report: Mapping[str, Any], files: Sequence[str]) -> None:
    """The table, what the traffic measured, what the control engine decided, and the verdict."""
    plain = not console.is_terminal
    clock = "virtual time" if report["time"] == "virtual" else "wall-clock time"
    title = f"{report['scenario']}: {report['duration_s']:g} s of {clock}, seed {report['seed']}, {report['device']}"
    if plain:
        console.print(Text(title), soft_wrap=True)
    console.print(vm_table(report["vms"], title=None if plain else title, plain=plain))
    lines = [*_traffic_lines(report["vms"]), *_drop_lines(report["vms"]), *_engine_lines(report)]
    for line in lines:
        console.print(Text(line), soft_wrap=True)
    short = shortcomings(report)
    for line in short:
        console.print(Text(line, style="red"), soft_wrap=True)
    if not short:
        count = len(report["vms"])
        console.print(Text(f"{count} of {count} VMs connected, all traffic got through", style="green"))
    for path in files:
        console.print(Text(f"wrote {path}"), soft_wrap=True)


def shortcomings(report: Mapping[str, Any]) -> list[str]:
    """A sentence for each VM that is not connected, and for each of its flows that did not get through."""
    lines = []
    for vm in report["vms"]:
        if vm["failure"]:
            lines.append(f"{vm['name']}: {vm['failure']}")
            continue
        for kind in ("ping", "udp", "iperf3"):
            result = vm.get(kind)
            if result is None:
                continue
            if result.get("failure"):
                lines.append(f"{vm['name']}: {kind}: {result['failure']}")
            elif not (result.get("received") or result.get("mbps")) and result.get("sent") != 0:
                lines.append(f"{vm['name']}: {kind}: nothing got through")
    return lines


def _traffic_lines(vms: Iterable[Vm]) -> Iterable[str]:
    for vm in vms:
        if ping := vm.get("ping"):
            line = f"{vm['name']}: ping {ping.get('received', 0)} of {ping.get('sent', 0)} answered"
            if rtt := ping.get("rtt_ms"):
                line += f", {rtt['min']:.2f} / {rtt['avg']:.2f} / {rtt['max']:.2f} ms (min / mean / max)"
            yield line
        if udp := vm.get("udp"):
            yield f"{vm['name']}: udp {udp.get('received', 0)} of {udp.get('sent', 0)} packets arrived"
        if tcp := vm.get("iperf3"):
            yield f"{vm['name']}: iperf3 {tcp.get('mbps', 0):.1f} Mbit/s, {tcp.get('retransmits', 0)} retransmits"


def _drop_lines(vms: Iterable[Vm]) -> Iterable[str]:
    for vm in vms:
        if vm["drops"]:
            yield f"{vm['name']}: dropped {_counts(vm['drops'])}"


def _engine_lines(report: Mapping[str, Any]) -> Iterable[str]:
    if any(report["decisions"].values()):
        yield f"control engine: {_counts(report['decisions'])}"
    slots = report["schedule"].get("slots", [])
    if len(slots) > 1:
        yield "radio: " + ", ".join(f"channel {slot['channel']} for {slot['length_us'] / 1000:g} ms" for slot in slots)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)


def _state(vm: Vm) -> Text:
    state = str(vm["state"]).replace("_", " ").lower()
    return Text(state, style="green" if state == "completed" else "red" if vm["failure"] else "yellow")


def _or_dash(value: object) -> str:
    return "-" if value is None else str(value)


_COLUMNS: "tuple[tuple[str, Any], ...]" = (
    ("VM", "left"),
    ("MAC", "left"),
    ("state", "left"),
    ("network", "left"),
    ("channel", "right"),
    ("cipher", "left"),
    ("sent", "right"),
    ("received", "right"),
    ("drops", "right"),
    ("airtime", "right"),
)
