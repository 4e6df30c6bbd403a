"""Builds what a scenario says, moves time on, hands out what happens, and reports.

Two drivers of time: virtual (deterministic, faster than real time) and wall clock (real guests). The loop is the same:
the runtime moves packets until there is something to decide on, or until somebody wants to be woken.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Literal

from polyradio import _core
from polyradio.access_point import AccessPointConfig, ReportStation
from polyradio.bus.device import emulated_options
from polyradio.bus.emulated import EmulatedDevice
from polyradio.engine import Policy
from polyradio.guest.driver import Carrier
from polyradio.guest.virtual_machine import VirtualMachine
from polyradio.host import Host
from polyradio.scenario import AccessPointSection, Scenario
from polyradio.testbed.cell import Cell
from polyradio.testbed.deadlines import Deadlines
from polyradio.testbed.events import EventLog
from polyradio.testbed.guests import add_guest, derive_seed
from polyradio.testbed.real_guests import RealGuests
from polyradio.testbed.report import Snapshot, drops_of, snapshot_vm, vm_report

Sleeper = tuple[Literal["engine", "driver", "stack", "cell", "wired", "vanish"], int]
SECOND = 1_000_000_000


class Testbed:
    """One run of a scenario.

    Args:
        scenario: What there is and what happens.
        out_dir: Where capture, events and report are written; None: nowhere.
        device_url: Instead of the scenario's device.
        seed: Instead of the scenario's seed.
        placement: Where the control engine is.
        progress: Called now and then with how things stand; it must not change anything.

    Raises:
        LocalProtocolError: The device URL or placement makes no sense.
        NotAvailable: What the scenario needs is not there.
    """

    __test__ = False  # for pytest: it is no test

    def __init__(
        self,
        scenario: Scenario,
        *,
        out_dir: Path | None = None,
        device_url: str | None = None,
        seed: int | None = None,
        placement: str = "host",
        progress: Callable[[Snapshot], None] | None = None,
    ) -> None:
        self.scenario = scenario
        self.seed = scenario.seed if seed is None else seed
        self._url = device_url or scenario.device.url
        self._out_dir = out_dir
        self._progress = progress
        self._next_progress = 0.0
        self._end = round(scenario.duration_s * SECOND)
        section = scenario.device
        options = {"max_vms": section.max_vms, "queue_length": section.queue_length} | emulated_options(self._url)
        self.runtime = _core.Runtime(self.seed, wall_clock=scenario.time == "wall")
        self.device = EmulatedDevice(self.runtime, **options)
        self.host = Host(self.device, Policy(**scenario.policy.model_dump()), placement=placement)
        self.cells: list[Cell] = []
        self.vms: list[VirtualMachine] = []
        self._real = RealGuests(scenario)
        self._deadlines: Deadlines[Sleeper] = Deadlines()
        self._events = EventLog(None)
        self._interrupted_at: int | None = None

    def run(self) -> dict[str, Any]:
        """Runs the scenario to its end, or until somebody presses Ctrl-C.

        Returns:
            The report, which is also written to `report.json` where there is an output directory.
        """
        with ExitStack() as cleanup:
            cleanup.callback(self._real.close)
            self._open_files(cleanup)
            self._build()
            self._start()
            try:
                self._drive()
            except KeyboardInterrupt:
                self._interrupted_at = self.runtime.now_ns
            real = self._real.results()
            report = self._report(real)
        if self._out_dir is not None:
            text = json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False)
            (self._out_dir / "report.json").write_text(text + "\n", encoding="utf-8")
        return report

    def snapshot(self) -> Snapshot:
        """How things stand."""
        radio = self.device.radio
        device, airtime = self.runtime.device_counters(radio), self.runtime.airtime_ns(radio)
        vms = tuple(
            snapshot_vm(
                vm, self.runtime.guest_counters(radio, vm.vr_id), device.get(vm.vm_id, {}), airtime.get(vm.vm_id, 0)
            )
            for vm in self.vms
        )
        engine = self.host.engine
        return Snapshot(self.runtime.now_ns, self._end, vms, engine.schedule, engine.log.counts())

    # -- build

    def _open_files(self, cleanup: ExitStack) -> None:
        if self._out_dir is None:
            return
        self._out_dir.mkdir(parents=True, exist_ok=True)
        self._events = EventLog(self._out_dir / "events.jsonl")
        cleanup.callback(self._events.close)
        names = [(number, vm.name) for number, vm in enumerate(self.scenario.vms, start=1)]
        self.runtime.start_capture(str(self._out_dir / "capture.pcapng"), names)

    def _build(self) -> None:
        for number, section in enumerate(self.scenario.access_points):
            self.cells.append(self._add_cell(number, section))
        for number, vm in enumerate(self.scenario.vms, start=1):
            port = self._real.guest_port(vm) or _core.MemoryPort()
            guest = add_guest(
                number,
                vm,
                scenario=self.scenario,
                seed=self.seed,
                host=self.host,
                device=self.device,
                port=port,
                on_carrier=self._on_carrier,
            )
            self.vms.append(guest)
        radios = {cell.name: cell.radio for cell in self.cells}
        for link in self.scenario.links:
            radio = radios[link.access_point]
            self.runtime.set_link(self.device.radio, radio, snr_db=link.snr_db, loss=link.loss, delay_us=link.delay_us)

    def _add_cell(self, number: int, section: AccessPointSection) -> Cell:
        config = AccessPointConfig(
            bssid=section.bssid,
            ssid=section.ssid.encode(),
            channel=section.channel,
            passphrase=section.passphrase,
            seed=derive_seed(self.seed, "access point", number),
            group_rekey_ns=None if section.rekey_s is None else round(section.rekey_s * SECOND),
        )
        mac = wired_mac(section.bssid)
        port = self._real.wired_port(section, mac)
        host = (mac, section.ip.ip) if port is None else None
        return Cell(self.runtime, section.name, config, port or _core.MemoryPort(), host)

    # -- the loop

    def _start(self) -> None:
        now = self.runtime.now_ns
        for number, (cell, section) in enumerate(zip(self.cells, self.scenario.access_points, strict=True)):
            self._note(cell.start(now), cell, now)
            self._deadlines.set(("cell", number), cell.access_point.poll_timeout())
            if section.vanish_at_s is not None:
                self._deadlines.set(("vanish", number), round(section.vanish_at_s * SECOND))
        for vm in self.vms:
            vm.driver.start(now)
            self._after_driver(vm, now)

    def _drive(self) -> None:
        now = self.runtime.now_ns
        while now < self._end:
            deadline = self._deadlines.next()
            until = self._end if deadline is None else min(deadline, self._end)
            until = min(until, self._real.next_poll(now))
            now = self.runtime.run(until)
            self._dispatch(now)
            for sleeper in self._deadlines.due(now):
                self._wake(sleeper, now)
            self._real.poll(now)
            self._show_progress()

    def _dispatch(self, now: int) -> None:
        for vm_id, octets in self.host.receive(now):
            vm = self.vms[vm_id - 1]
            vm.driver.handle_octets(octets, now)
            self._after_driver(vm, now)
        self._after_engine()
        for number, cell in enumerate(self.cells):
            self._note(cell.handle_frames(now), cell, now)
            self._deadlines.set(("cell", number), cell.access_point.poll_timeout())
            cell.exchange(now)
            if cell.stack is not None:
                self._deadlines.set(("wired", number), cell.stack.poll_timeout())
        for vm in self.vms:
            self._exchange(vm, now)

    def _wake(self, sleeper: Sleeper, now: int) -> None:
        kind, number = sleeper
        match kind:
            case "engine":
                self.host.handle_timeout(now)
                self._after_engine()
            case "driver":
                vm = self.vms[number]
                vm.driver.handle_timeout(now)
                self._after_driver(vm, now)
            case "stack":
                vm = self.vms[number]
                if vm.stack is not None:
                    vm.stack.handle_timeout(now)
                    self._exchange(vm, now)
                    self._deadlines.set(sleeper, vm.stack.poll_timeout())
            case "cell":
                cell = self.cells[number]
                self._note(cell.handle_timeout(now), cell, now)
                self._deadlines.set(sleeper, cell.access_point.poll_timeout())
            case "wired":
                cell = self.cells[number]
                if cell.stack is not None:
                    cell.stack.handle_timeout(now)
                    cell.exchange(now)
                    self._deadlines.set(sleeper, cell.stack.poll_timeout())
            case "vanish":
                self.cells[number].vanish()
                self._events.access_point_vanished(now, self.cells[number].name)

    def _after_driver(self, vm: VirtualMachine, now: int) -> None:
        octets = vm.driver.poll_octets()
        if octets:
            self.host.submit(vm.vm_id, octets, now)
        for change in vm.driver.poll_changes():
            self._events.state(vm, change)
        self._deadlines.set(("driver", vm.vm_id - 1), vm.driver.poll_timeout())
        self._after_engine()

    def _after_engine(self) -> None:
        self._deadlines.set(("engine", 0), self.host.poll_timeout())
        for decision in self.host.engine.log.poll():
            name = self.vms[decision.vm - 1].name if decision.vm is not None else None
            self._events.decision(decision, name)

    def _exchange(self, vm: VirtualMachine, now: int) -> None:
        """Moves Ethernet frames between the VM's port and its stack."""
        stack, port = vm.stack, vm.port
        if stack is None or not isinstance(port, _core.MemoryPort):
            return
        received = port.received[0]
        if received != vm.taken:
            vm.taken = received
            stack.handle_frames(port.take(), now)
        frames = stack.poll_frames()
        if frames:
            port.push(frames)
            self._deadlines.set(("stack", vm.vm_id - 1), stack.poll_timeout())

    def _on_carrier(self, vm: VirtualMachine, carrier: Carrier | None) -> None:
        now = self.runtime.now_ns
        cell = self._cell_of(carrier.bssid) if carrier else None
        if vm.stack is not None:
            if cell is not None:
                self._follow_home(vm, cell)
            vm.stack.set_carrier(carrier is not None, now)
            self._deadlines.set(("stack", vm.vm_id - 1), vm.stack.poll_timeout())
        else:
            self._real.set_carrier(vm.name, carrier is not None, self._wired_address(cell), now)

    def _follow_home(self, vm: VirtualMachine, cell: Cell) -> None:
        """Traffic for the host on the network's wired side goes to the one of the access point that the VM is with."""
        home = {section.ip.ip for section in self.scenario.access_points_of(vm.ssid)}
        address = self._wired_address(cell)
        for flow in vm.stack.flows if vm.stack is not None else ():
            if flow.peer in home and address is not None:
                flow.peer = address

    def _cell_of(self, bssid: bytes) -> Cell | None:
        return next((cell for cell in self.cells if cell.config.bssid == bssid), None)

    def _wired_address(self, cell: Cell | None) -> IPv4Address | None:
        if cell is None:
            return None
        return next(section.ip.ip for section in self.scenario.access_points if section.name == cell.name)

    def _note(self, reports: Iterator[ReportStation], cell: Cell, now: int) -> None:
        for report in reports:
            self._events.station(now, cell.name, report)

    def _show_progress(self) -> None:
        if self._progress is None:
            return
        # The clock decides only when to show something, never what happens.
        if time.monotonic() >= self._next_progress:
            self._progress(self.snapshot())
            self._next_progress = time.monotonic() + _PROGRESS_S

    # -- the report

    def _report(self, real: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
        if self._progress is not None:
            self._progress(self.snapshot())
        files = {"capture": "capture.pcapng", "events": "events.jsonl", "report": "report.json"}
        if self._out_dir is not None:
            self.runtime.finish_capture()
        engine = self.host.engine
        report = {
            "scenario": self.scenario.name,
            "seed": self.seed,
            "device": self._url,
            "time": self.scenario.time,
            "duration_s": self.scenario.duration_s,
            "vms": list(self._vm_reports(real)),
            "access_points": list(self._cell_reports()),
            "decisions": engine.log.counts(),
            "schedule": {
                "slots": [{"channel": channel, "length_us": length} for channel, length in engine.schedule],
                "changes": engine.schedules_set,
                "refused": dict(sorted(engine.own_calls_refused.items())),
            },
            "drops": drops_of(self.runtime.device_counters(self.device.radio).get(None, {})),
            "files": files if self._out_dir is not None else {},
        }
        if self._interrupted_at is not None:
            report["interrupted_after_s"] = round(self._interrupted_at / 1e9, 3)
        assert not engine.unmatched, "the device answered what nobody asked"
        return report

    def _vm_reports(self, real: dict[str, list[dict[str, Any]]]) -> Iterable[dict[str, Any]]:
        device, radio = self.runtime.device_counters(self.device.radio), self.device.radio
        airtime = self.runtime.airtime_ns(radio)
        for vm, section in zip(self.vms, self.scenario.vms, strict=True):
            counters = self.runtime.guest_counters(radio, vm.vr_id)
            arrived = (cell.stack.udp_received.get(section.ip.ip, (0, 0))[0] for cell in self.cells if cell.stack)
            results = real.get(vm.name, [])
            yield vm_report(
                vm,
                counters,
                device.get(vm.vm_id, {}),
                airtime_ns=airtime.get(vm.vm_id, 0),
                udp_received=sum(arrived),
                real=results,
            )

    def _cell_reports(self) -> Iterable[dict[str, Any]]:
        for cell in self.cells:
            counters = self.runtime.access_point_counters(cell.radio)
            yield {
                "name": cell.name,
                "ssid": cell.config.ssid.decode(),
                "bssid": cell.config.bssid.hex(":"),
                "channel": cell.config.channel,
                "stations": len(cell.access_point.stations),
                "sent": counters.get("sent", 0),
                "received": counters.get("received", 0),
                "drops": drops_of(counters),
            }


def wired_mac(bssid: bytes) -> bytes:
    """The address of the host on an access point's wire: the BSSID's, with one bit turned over."""
    return bytes((bssid[0], bssid[1] ^ 0x80)) + bssid[2:]


_PROGRESS_S = 0.1
