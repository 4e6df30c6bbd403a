"""The control engine: every VM's configuration call comes here and ends applied, merged, deferred, ignored or refused.

It speaks the host API on both sides, tagged with VR IDs: `handle_message` and `poll_messages` towards the host driver,
`handle_device_message` and `poll_device_messages` towards the device. No I/O, no clock: time is an argument.

Rules:

- a VM configures its own virtual radio only; the device as a whole and the radio's schedule are the engine's;
- the channels that the VMs ask for become slots of one schedule (`schedule.plan_round`);
- the first scan starts at once; one that comes within `policy.scan_merge_ms` on overlapping channels becomes part of
  it; others wait for its end and then run together. VMs that are on a channel keep their slots between the scan's;
- keys, connections and packets are the VM's own affair and pass; what the device refuses is logged as refused.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from polyradio.engine.decision_log import Decision, DecisionLog, Outcome, channel_list, describe, words
from polyradio.engine.policy import Policy
from polyradio.engine.scan_queue import RunningScan, ScanRequest
from polyradio.engine.schedule import Round, plan_round
from polyradio.errors import RemoteProtocolError
from polyradio.host_api import (
    CallError,
    CallRejected,
    Completion,
    DeviceInfo,
    HostCall,
    InitVm,
    InstallKey,
    Kind,
    Message,
    Opcode,
    ReadDeviceInfo,
    RemoveKey,
    RemoveVm,
    ResetDevice,
    ResetVirtualMac,
    Scan,
    SetConnection,
    SetParameters,
    SetSchedule,
    Status,
    StatusCode,
    VmId,
    VrId,
    parse_call,
    parse_device_call,
)

FIRST_SEQUENCE = 0x8000
"""Calls of the control plane have this sequence number or a higher one; the data plane's are lower."""


@dataclass(slots=True)
class _VirtualRadio:
    vm: VmId
    parameters: SetParameters = field(default_factory=SetParameters)
    """As the VM asked for, whatever a scan makes of it for a while."""


@dataclass(frozen=True, slots=True)
class _Pending:
    """A call that the device has not answered yet."""

    call: HostCall | None
    """None for a packet and for the engine's own calls, on which nothing is to be decided."""
    vr: VrId | None
    """Who has to have the completion; None: the engine itself."""
    sequence: int
    """The VM's own sequence number."""
    vm: VmId | None = None
    outcome: Outcome = Outcome.APPLIED
    reason: str = ""
    on_refused: Callable[[int], None] | None = None


class ControlEngine:
    """Decides on behalf of all VMs of one device; `device` says what it can do."""

    def __init__(self, policy: Policy, device: DeviceInfo) -> None:
        self.log = DecisionLog()
        self._policy = policy
        self._device = device
        self._radios: dict[VrId, _VirtualRadio] = {}
        self._pending: dict[int, _Pending] = {}
        self._next_sequence = FIRST_SEQUENCE
        self._to_device: list[Message[VrId]] = []
        self._to_host: list[Message[VrId]] = []
        self._scan: RunningScan | None = None
        self._waiting: list[ScanRequest] = []
        self._schedule: tuple[tuple[int, int], ...] = ()
        self.schedules_set = 0
        """How often the device got another schedule."""
        self.unmatched = 0
        """Messages of the device that belong to no call or cannot be read."""
        self.own_calls_refused: Counter[str] = Counter()
        """The engine's own calls that the device refused, by reason."""

    # -- in

    def handle_message(self, message: Message[VrId], now: int) -> None:
        """Takes a VM's call. A packet passes untouched; its sequence number is translated, nothing else."""
        vr = message.identifier
        if vr is None or message.kind is not Kind.CALL:
            return
        if len(self._pending) >= _MOST_UNDER_WAY:
            self._complete(vr, message.opcode, message.sequence, Completion(CallError.QUEUE_FULL))
            if message.opcode != Opcode.TRANSMIT_PACKET:
                reason = "the device has too many calls to answer"
                self._decide(vr, f"call {message.opcode:#06x}", Outcome.REFUSED, reason, now)
            return
        if message.opcode == Opcode.TRANSMIT_PACKET:
            self._submit(message.opcode, message.payload, vr, _Pending(None, vr, message.sequence))
            return
        try:
            call = parse_call(message.opcode, message.payload)
        except CallRejected as rejected:
            reason = f"the call cannot be read: {words(rejected.error)}"
            self._decide(vr, f"call {message.opcode:#06x}", Outcome.REFUSED, reason, now)
            self._complete(vr, message.opcode, message.sequence, Completion(rejected.error))
            return
        self._handle_call(vr, message.sequence, call, now)

    def handle_device_message(self, message: Message[VrId], now: int) -> None:
        """Takes a completion or a device-initiated call."""
        if message.kind is Kind.COMPLETION:
            self._handle_completion(message, now)
        elif message.kind is Kind.DEVICE_CALL and message.identifier is not None:
            if message.opcode == Opcode.STATUS and self._is_for_engine(message):
                return
            self._to_host.append(message)

    def handle_device_lost(self, now: int) -> None:
        """The device is gone: every call under way is refused and completed."""
        pending, self._pending = self._pending, {}
        for entry in pending.values():
            self._finish(entry, Completion(CallError.DROPPED), now, "the device does not answer any more")
        scans = self._waiting + (self._scan.requests if self._scan else [])
        self._waiting, self._scan = [], None
        for request in scans:
            self._refuse(request.vr, request.sequence, request.call, CallError.DROPPED, "the device is gone", now)

    def handle_timeout(self, now: int) -> None:
        """Moves a running scan on; to be called at `poll_timeout`."""
        scan = self._scan
        if scan is None or scan.round is None or now < scan.round_ends:
            return
        scan.end_round(now, self._guard_ns)
        if not scan.remaining:
            self._finish_scan(scan, now)
        self._plan(now)

    # -- out

    def poll_messages(self) -> list[Message[VrId]]:
        """What goes up to the host driver: completions and device-initiated calls."""
        messages, self._to_host = self._to_host, []
        return messages

    def poll_device_messages(self) -> list[Message[VrId]]:
        """What goes down to the device."""
        messages, self._to_device = self._to_device, []
        return messages

    def poll_timeout(self) -> int | None:
        """When `handle_timeout` has something to do."""
        return self._scan.round_ends if self._scan is not None and self._scan.round is not None else None

    @property
    def schedule(self) -> tuple[tuple[int, int], ...]:
        """The slots that the device has now: channel, length in microseconds."""
        return self._schedule

    # -- calls

    def _handle_call(self, vr: VrId, sequence: int, call: HostCall, now: int) -> None:
        radio = self._radios.get(vr)
        match call:
            case ResetDevice() | SetSchedule():
                reason = "the device is shared: a VM configures its own virtual radio, not the device"
                self._refuse(vr, sequence, call, CallError.UNKNOWN_OPCODE, reason, now)
            case ReadDeviceInfo():
                self._complete(vr, call.opcode, sequence, Completion(answer=self._device.emit()))
                self._decide(vr, describe(call), Outcome.APPLIED, "every VM may know what the device can do", now)
            case InitVm():
                self._init(vr, sequence, call, radio)
            case _ if radio is None:
                reason = "the virtual radio was not initialised"
                self._refuse(vr, sequence, call, CallError.UNKNOWN_VM, reason, now)
            case SetParameters():
                self._set_parameters(vr, sequence, call, now)
            case Scan():
                self._request_scan(ScanRequest(vr, sequence, call), now)
            case RemoveVm():
                self._abandon_scans(vr, now)
                self._pass(vr, sequence, call, "the VM leaves; its row, keys and queue go with it")
                self._radios.pop(vr)
                self._plan(now)
            case ResetVirtualMac():
                self._pass(vr, sequence, call, "the VM's own virtual MAC; its neighbours notice nothing")
            case SetConnection():
                self._pass(vr, sequence, call, "the VM's own connection")
            case InstallKey() | RemoveKey():
                self._pass(vr, sequence, call, "the VM's own keys")
            case _:
                self._pass(vr, sequence, call, "reads the VM's own row")

    def _init(self, vr: VrId, sequence: int, call: InitVm, radio: _VirtualRadio | None) -> None:
        if radio is None:
            self._radios[vr] = _VirtualRadio(call.vm)
        first = len(self._radios) == 1
        reason = "the first VM: the device is initialised with it" if first else "a virtual MAC and a filter of its own"

        def forget(now: int) -> None:
            if radio is None:
                self._radios.pop(vr, None)
                self._plan(now)

        self._pass(vr, sequence, call, reason, on_refused=forget)

    def _set_parameters(self, vr: VrId, sequence: int, call: SetParameters, now: int) -> None:
        radio = self._radios[vr]
        if call == radio.parameters:
            self._decide(vr, describe(call), Outcome.IGNORED, "these parameters stand already", now)
            self._complete(vr, call.opcode, sequence, Completion())
            return
        before = radio.parameters
        others = sorted({other.parameters.channel for key, other in self._radios.items() if key != vr} - {0})
        outcome, reason = Outcome.APPLIED, "the VM's own parameters"
        if call.channel and call.channel != before.channel:
            if call.channel in others:
                reason = f"other VMs are on channel {call.channel} already; they share its slot"
            elif len(others) >= min(self._policy.max_channels, self._device.max_slots - 1):
                reason = f"{len(others)} channels are in use already and there is no room for one more"
                self._refuse(vr, sequence, call, CallError.BAD_SCHEDULE, reason, now)
                return
            elif others:
                outcome = Outcome.MERGED
                reason = f"other VMs use {channel_list(others)}: channel {call.channel} becomes one more slot"
            else:
                reason = f"no other VM uses a channel: the radio stays on channel {call.channel}"
        elif before.channel and not call.channel:
            reason = f"the VM leaves channel {before.channel}"
        radio.parameters = call

        def undo(refused_at: int) -> None:
            if radio.parameters is call:
                radio.parameters = before
                self._plan(refused_at)

        is_scanning = self._is_scanning(vr)
        sent = replace(call, scan_filter=call.scan_filter or is_scanning)
        pending = _Pending(call, vr, sequence, radio.vm, outcome, reason, undo)
        self._submit(sent.opcode, sent.emit(), vr, pending)
        self._plan(now)

    def _pass(
        self, vr: VrId, sequence: int, call: HostCall, reason: str, on_refused: Callable[[int], None] | None = None
    ) -> None:
        pending = _Pending(call, vr, sequence, self._radios[vr].vm, Outcome.APPLIED, reason, on_refused)
        self._submit(call.opcode, call.emit(), vr, pending)

    def _refuse(self, vr: VrId, sequence: int, call: HostCall, error: CallError, reason: str, now: int) -> None:
        self._decide(vr, describe(call), Outcome.REFUSED, reason, now)
        self._complete(vr, call.opcode, sequence, Completion(error))

    # -- scans

    def _request_scan(self, request: ScanRequest, now: int) -> None:
        vr, channels = request.vr, request.call.channels
        if not channels or 0 in channels:
            reason = "a scan needs channels, and 0 is none"
            self._refuse(vr, request.sequence, request.call, CallError.BAD_PAYLOAD, reason, now)
            return
        scan = self._scan
        if scan is None:
            self._start_scan([request], now)
            reason = "no other scan is under way"
            if self._channels_in_use():
                reason += "; VMs on a channel keep their slots in between"
            self._decide(vr, describe(request.call), Outcome.APPLIED, reason, now)
        elif scan.may_join(channels, now, round(self._policy.scan_merge_ms * 1e6)):
            scan.join(request)
            self._set_scan_filter(vr)
            reason = f"one visit serves VM {self._vm_name(scan.requests[0].vr)} and this one"
            self._decide(vr, describe(request.call), Outcome.MERGED, reason, now)
        else:
            self._waiting.append(request)
            reason = f"VM {self._vm_name(scan.requests[0].vr)} scans; this scan follows"
            self._decide(vr, describe(request.call), Outcome.DEFERRED, reason, now)

    def _start_scan(self, requests: list[ScanRequest], now: int) -> None:
        self._scan = RunningScan.of(requests, now)
        for vr in dict.fromkeys(request.vr for request in requests):
            self._set_scan_filter(vr)
        self._plan(now)

    def _finish_scan(self, scan: RunningScan, now: int) -> None:
        self._scan = None
        for request in scan.requests:
            self._complete(request.vr, request.call.opcode, request.sequence, Completion())
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._start_scan(waiting, now)
            together = len(waiting) > 1
            for request in waiting:
                outcome = Outcome.MERGED if together else Outcome.APPLIED
                reason = "the scan before it is over" + ("; one visit serves all that waited" if together else "")
                self._decide(request.vr, describe(request.call), outcome, reason, now)
        for vr in dict.fromkeys(request.vr for request in scan.requests):
            if not self._is_scanning(vr):
                self._set_scan_filter(vr)

    def _abandon_scans(self, vr: VrId, now: int) -> None:
        for request in [*self._waiting, *(self._scan.requests if self._scan else ())]:
            if request.vr == vr:
                self._refuse(vr, request.sequence, request.call, CallError.UNKNOWN_VM, "the VM leaves", now)
        self._waiting = [request for request in self._waiting if request.vr != vr]
        if self._scan is not None:
            self._scan.requests = [request for request in self._scan.requests if request.vr != vr]
            if not self._scan.requests:
                self._finish_scan(self._scan, now)

    def _is_scanning(self, vr: VrId) -> bool:
        return self._scan is not None and self._scan.serves(vr)

    def _set_scan_filter(self, vr: VrId) -> None:
        radio = self._radios.get(vr)
        if radio is None:
            return
        wanted = radio.parameters
        sent = replace(wanted, scan_filter=wanted.scan_filter or self._is_scanning(vr))
        self._submit(sent.opcode, sent.emit(), vr, _Pending(None, None, 0))

    # -- the schedule

    def _channels_in_use(self) -> dict[int, int]:
        channels: dict[int, int] = {}
        for radio in self._radios.values():
            if radio.parameters.channel:
                channels[radio.parameters.channel] = channels.get(radio.parameters.channel, 0) + 1
        return channels

    def _plan(self, now: int) -> None:
        scan = self._scan
        planned = self._next_round()
        if scan is not None:
            if scan.round is not None:
                if planned.slots == scan.round.slots:
                    return
                # The channels in use have changed in the middle of a round.
                scan.end_round(now, self._guard_ns)
                planned = self._next_round()
            scan.begin_round(planned, now, self._guard_ns)
        schedule = tuple((slot.channel, slot.length_us) for slot in planned.slots)
        if schedule != self._schedule or (scan is not None and len(schedule) > 1):
            self._schedule = schedule
            self.schedules_set += 1
            self._submit(Opcode.SET_SCHEDULE, SetSchedule(planned.slots).emit(), None, _Pending(None, None, 0))

    def _next_round(self) -> Round:
        remaining = self._scan.remaining if self._scan is not None else []
        return plan_round(self._channels_in_use(), remaining, self._policy, self._device.max_slots)

    @property
    def _guard_ns(self) -> int:
        return round(self._policy.guard_ms * 1e6)

    # -- completions

    def _submit(self, opcode: int, payload: bytes, vr: VrId | None, pending: _Pending) -> None:
        sequence = self._next_sequence
        while sequence in self._pending:
            sequence = _after(sequence)
        self._next_sequence = _after(sequence)
        self._pending[sequence] = pending
        self._to_device.append(Message(Kind.CALL, opcode, sequence, vr, payload))

    def _handle_completion(self, message: Message[VrId], now: int) -> None:
        pending = self._pending.get(message.sequence)
        if pending is None or (pending.vr is not None and message.identifier not in (pending.vr, None)):
            self.unmatched += 1
            return
        del self._pending[message.sequence]
        if pending.vr is not None and pending.call is None:
            self._to_host.append(replace(message, sequence=pending.sequence, identifier=pending.vr))
            return
        try:
            completion = Completion.parse(message.payload)
        except RemoteProtocolError:
            self.unmatched += 1
            completion = Completion(CallError.BAD_PAYLOAD)
        self._finish(pending, completion, now)

    def _is_for_engine(self, message: Message[VrId]) -> bool:
        try:
            status = parse_device_call(message.opcode, message.payload)
        except RemoteProtocolError:
            self.unmatched += 1
            return True
        return isinstance(status, Status) and status.code in _ENGINE_STATUS

    def _finish(self, pending: _Pending, completion: Completion, now: int, refusal: str = "") -> None:
        if pending.vr is None:
            if completion.error is not None:
                self.own_calls_refused[words(completion.error)] += 1
            return
        if pending.call is not None:
            outcome, reason = pending.outcome, pending.reason
            if completion.error is CallError.KEY_IN_USE:
                outcome, reason = Outcome.IGNORED, "the same key stands there already; its counters stay as they are"
            elif completion.error is not None:
                outcome, reason = Outcome.REFUSED, refusal or f"the device refuses it: {words(completion.error)}"
            self.log.record(Decision(now, pending.vr, pending.vm, describe(pending.call), outcome, reason))
            if completion.error is not None and pending.on_refused is not None:
                pending.on_refused(now)
        opcode = pending.call.opcode if pending.call is not None else Opcode.TRANSMIT_PACKET
        self._complete(pending.vr, opcode, pending.sequence, completion)

    def _complete(self, vr: VrId, opcode: int, sequence: int, completion: Completion) -> None:
        self._to_host.append(Message(Kind.COMPLETION, opcode, sequence, vr, completion.emit()))

    def _decide(self, vr: VrId, call: str, outcome: Outcome, reason: str, now: int) -> None:
        radio = self._radios.get(vr)
        self.log.record(Decision(now, vr, radio.vm if radio else None, call, outcome, reason))

    def _vm_name(self, vr: VrId) -> str:
        radio = self._radios.get(vr)
        return str(radio.vm) if radio else "?"


def _after(sequence: int) -> int:
    return sequence + 1 if sequence < 0xFFFF else FIRST_SEQUENCE


_MOST_UNDER_WAY = 0x7000
"""Calls under way; there are 0x8000 sequence numbers, and the engine's own calls need some."""
_ENGINE_STATUS = frozenset((StatusCode.RADIO_GRANTED, StatusCode.RADIO_WITHDRAWN))
"""Status feedback that is the engine's: the VM has a radio of its own and need not know when it shares the antenna."""
