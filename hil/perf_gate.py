"""The performance gate for a device that is reached by a URL, measured through the host API's octets alone.

    python hil/perf_gate.py --device emulated: --out baseline.json
    python hil/perf_gate.py --device emulated: --baseline baseline.json

What a host can see of a NIC: calls answered in a second, and frames per second from the packet down to its completion,
which says that the frame was sealed and sent. Each slice stands beside a fixed piece of computation on the host.
Exit codes: 0 fine, 1 slower than the baseline, 2 bad usage or input, 3 it could not be measured here.
"""

import hashlib
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import click

from polyradio import _core
from polyradio.bench.compare import Limits, compare
from polyradio.bench.machine import machine
from polyradio.bench.report import (
    Build,
    Reference,
    Report,
    Result,
    Settings,
    read_report,
    summary,
    write_report,
)
from polyradio.bus import Capabilities, Device, open_device
from polyradio.cli.bench_compare import FILE_FORMATS, Outputs, finish, read_outputs
from polyradio.errors import DeviceLost, DeviceRejected, LocalProtocolError, NotAvailable, PolyradioError
from polyradio.host_api import (
    Completion,
    ConnectionState,
    HostCall,
    InitVm,
    InstallKey,
    KeyScope,
    Kind,
    Message,
    ReadRow,
    ResetDevice,
    SetConnection,
    SetParameters,
    SetSchedule,
    Slot,
    TransmitPacket,
    VmId,
    emit_call,
    identifier_width,
    parse_messages,
)

BSSID = bytes.fromhex("02aa00000001")
CHANNEL = 1
CCMP_128 = 4
OCTETS = (100, 1500)
REFERENCE = "SHA-256 and a loop"
_BLOCK = bytes(16_384)
_PATIENCE_S = 10.0


class Host:
    """Makes calls to a device and waits for all their completions."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.capabilities = Capabilities.of(device.info)
        self.width = identifier_width(self.capabilities.max_vms)
        # A device in virtual time goes on only when its runtime is told to; any other goes on by itself.
        self.runtime: _core.Runtime | None = getattr(device, "runtime", None)
        if self.runtime is not None:
            self.runtime.set_ideal_air(True)
            self.access_point = self.runtime.add_access_point(bssid=BSSID, channel=CHANNEL)

    def batch(self, calls: list[tuple[int | None, HostCall]]) -> bytes:
        """The octets of calls; numbers below 0x8000 are those of a host driver's data plane."""
        return b"".join(emit_call(call, 0x8000 + i, vm, self.width) for i, (vm, call) in enumerate(calls))

    def exchange(self, messages: bytes, count: int) -> None:
        """Submits that many calls and takes their completions; raises `DeviceRejected` and `DeviceLost`."""
        self.device.submit(messages)
        last = time.monotonic()
        while count:
            octets = self.device.take()
            incoming: list[Message[int]] = list(parse_messages(octets, self.width))
            for message in incoming:
                if message.kind is Kind.COMPLETION:
                    count -= 1
                    error = Completion.parse(message.payload).error
                    if error is not None:
                        raise DeviceRejected(error.name.lower())
            if count and self.runtime is not None:
                # It acknowledges; what it wonders about is taken away, because time stands while something is there.
                self.runtime.take_frames(self.access_point)
                self.runtime.run(self.runtime.now_ns + 10_000_000)
            if octets:
                last = time.monotonic()
            elif time.monotonic() - last > _PATIENCE_S:
                raise DeviceLost(f"{count} calls were not answered within {_PATIENCE_S:.0f} s")

    def connect(self, vms: int) -> None:
        """Resets the device and gives it VMs that are connected with a key of their own."""
        calls: list[tuple[int | None, HostCall]] = [
            (None, ResetDevice()),
            (None, SetSchedule((Slot(CHANNEL, 100_000),))),
        ]
        has_ccmp = self.capabilities.has_ccmp
        for vm in range(vms):
            connection = SetConnection(ConnectionState.AUTHORIZED, BSSID, vm + 1, qos=True, privacy=has_ccmp)
            calls += [(vm, InitVm(VmId(vm), _address(vm))), (vm, SetParameters(channel=CHANNEL)), (vm, connection)]
            if has_ccmp:
                key = hashlib.sha256(vm.to_bytes(2, "big")).digest()[:16]
                calls.append((vm, InstallKey(0, KeyScope.PAIRWISE, CCMP_128, receive_counter=0, key=key)))
        for identifier, call in calls:
            self.exchange(self.batch([(identifier, call)]), 1)


def measure(url: str, device: Device, *, vms: int, slices: int, slice_ms: float) -> Report:
    """Measures everything in turn, slice by slice, so that all see the same minutes."""
    host = Host(device)
    if not 0 < vms <= host.capabilities.max_vms:
        raise LocalProtocolError(f"{vms} VMs: this device has 1 to {host.capabilities.max_vms}")
    host.connect(vms)
    depth = max(1, min(host.capabilities.queue_length // 2, 64 // vms))
    works: dict[str, tuple[str, int, bytes]] = {
        "device/calls": ("calls/s", 0, host.batch([(vm, ReadRow()) for vm in range(vms)] * depth))
    }
    for octets in OCTETS:
        calls: list[tuple[int | None, HostCall]] = [(vm, TransmitPacket(_frame(vm, octets))) for vm in range(vms)]
        works[f"device/transmit/{octets}"] = ("frames/s", octets, host.batch(calls * depth))
    count = vms * depth
    samples: dict[str, list[float]] = {name: [] for name in works}
    reference: dict[str, list[float]] = {name: [] for name in works}
    for number in range(-1, slices):
        for name, (_, _, messages) in works.items():
            rate = _rate(lambda messages=messages: host.exchange(messages, count), count, slice_ms)
            beside = _rate(_reference, 1, slice_ms / 2)
            if number >= 0:  # The slice before the first warms up.
                samples[name].append(rate)
                reference[name].append(beside)
    results = []
    for name, (unit, octets, _) in works.items():
        parameters = {"device": url, "vms": vms, "octets": octets, "in_flight": count}
        best, median, spread = summary(samples[name], "higher")
        beside_it = Reference(REFERENCE, tuple(reference[name]))
        figures = (tuple(samples[name]), best, median, spread, beside_it)
        results.append(Result("device", name, parameters, unit, "higher", None, *figures))
    return Report(
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        polyradio=version("polyradio"),
        machine=machine(),
        build=Build(_core.build_profile(), _core.best_backend()),
        settings=Settings(seed=0, slices=slices, slice_ms=slice_ms),
        results=tuple(results),
    )


def _rate(work: Callable[[], object], items: int, slice_ms: float) -> float:
    """Items per second of a slice: at the lower quartile of its pieces' times, so that few were interrupted."""
    pieces, start = [], time.perf_counter()
    before = start
    while before - start < slice_ms / 1000:
        work()
        now = time.perf_counter()
        pieces.append(now - before)
        before = now
    pieces.sort()
    return items / pieces[len(pieces) // 4]


def _reference() -> None:
    hashlib.sha256(_BLOCK).digest()
    sum(number * number for number in range(300))


def _address(vm: int) -> bytes:
    return bytes((2, 0, 0, 0)) + vm.to_bytes(2, "big")


def _frame(vm: int, octets: int) -> bytes:
    """A QoS Data frame to the access point, TID 0."""
    header = bytes((0x88, 1, 0, 0)) + BSSID + _address(vm) + bytes.fromhex("02bb00000009") + bytes(4)
    return header + bytes.fromhex("aaaa030000000800") + bytes(octets)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--device", "url", metavar="URL", default="emulated:", show_default=True, help="Which device.")
@click.option(
    "--baseline", metavar="FILE", type=click.Path(path_type=Path), help="Compare with this report of an earlier run."
)
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Write this run's report, a baseline.")
@click.option(
    "-o", "--output", "outputs", metavar="FORMAT=FILE", multiple=True, callback=read_outputs(FILE_FORMATS),
    help=f"Write the comparison; repeatable. Formats: {', '.join(FILE_FORMATS)}.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The comparison as JSON on stdout, nothing else.")
@click.option("--vms", type=click.IntRange(1), default=4, show_default=True, help="Connected VMs.")
@click.option("--slices", type=click.IntRange(1), default=30, show_default=True, help="Samples of each figure.")
@click.option("--slice-ms", type=click.FloatRange(0.1), default=20, show_default=True, help="Length of a sample.")
@click.option(
    "--limit", metavar="PERCENT", type=click.FloatRange(0, 1000, min_open=True), default=10, show_default=True,
    help="How much more time an item may take.",
)  # fmt: skip
def perf_gate(
    url: str,
    baseline: Path | None,
    out: Path | None,
    outputs: Outputs,
    as_json: bool,
    vms: int,
    slices: int,
    slice_ms: float,
    limit: float,
) -> int:
    """Measure a device through the host API; with --baseline, say whether it became slower.

    Exit codes: 0 fine, 1 slower, 2 bad usage or input, 3 it could not be measured here.
    """
    if baseline is None and (outputs or as_json):
        raise click.UsageError("--output and --json show a comparison; give --baseline too")
    if baseline is None and out is None:
        raise click.UsageError("give --out to write a baseline, or --baseline to compare with one")
    before = read_report(baseline) if baseline is not None else None
    device = open_device(url)
    try:
        report = measure(url, device, vms=vms, slices=slices, slice_ms=slice_ms)
    finally:
        device.close()
    if out is not None:
        write_report(report, out)
    if before is not None:
        return finish(compare([before], [report], Limits(time=limit / 100)), outputs, "json" if as_json else "table")
    for result in report.results:
        click.echo(f"{result.name}: {result.median:.4g} {result.unit} (best {result.best:.4g})")
    click.echo(f"wrote {out}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Runs it and gives the exit code: one line for every error that is known."""
    try:
        return int(perf_gate.main(arguments, prog_name="perf_gate.py", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return 2
    except (NotAvailable, DeviceLost, DeviceRejected) as error:
        click.echo(f"perf_gate: {error}", err=True)
        return 3
    except PolyradioError as error:
        click.echo(f"perf_gate: {error}", err=True)
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("perf_gate: interrupted", err=True)
        return 130
    except OSError as error:
        click.echo(f"perf_gate: {error.filename or ''}: {error.strerror or error}", err=True)
        return 3


if __name__ == "__main__":
    sys.exit(main())
