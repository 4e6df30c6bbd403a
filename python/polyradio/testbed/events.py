"""`events.jsonl`: decisions, states and what became of stations, one JSON object a line in the order of time."""

import json
from pathlib import Path
from typing import TextIO

from polyradio.access_point import ReportStation
from polyradio.engine import Decision
from polyradio.guest.driver import StateChange
from polyradio.guest.virtual_machine import VirtualMachine


class EventLog:
    """Writes events to a file; without one it only counts them."""

    def __init__(self, path: Path | None) -> None:
        self.count = 0
        self._file: TextIO | None = path.open("w", encoding="utf-8", newline="\n") if path else None

    def decision(self, decision: Decision, name: str | None) -> None:
        """The control engine has decided."""
        self._write(
            decision.time_ns,
            "decision",
            vm=decision.vm,
            name=name,
            call=decision.call,
            decision=decision.outcome.value,
            reason=decision.reason,
        )

    def state(self, vm: VirtualMachine, change: StateChange) -> None:
        """A VM's connection went on."""
        fields = {"vm": vm.vm_id, "name": vm.name, "state": change.state.value, "detail": change.detail}
        self._write(change.time_ns, "state", **fields)

    def station(self, time_ns: int, access_point: str, report: ReportStation) -> None:
        """An access point's view of a station has changed."""
        fields = {"access_point": access_point, "address": report.address.hex(":"), "state": report.state.value}
        self._write(time_ns, "station", **fields, detail=report.detail)

    def access_point_vanished(self, time_ns: int, access_point: str) -> None:
        """An access point has fallen silent."""
        self._write(time_ns, "access_point_vanished", access_point=access_point)

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, time_ns: int, event: str, **fields: object) -> None:
        self.count += 1
        if self._file is not None:
            self._file.write(json.dumps({"time_ns": time_ns, "event": event, **fields}, ensure_ascii=False) + "\n")
