"""Wraps any device and writes down what passes, one JSON object a line; keys are left out."""

import json
from collections.abc import Callable
from typing import Any

from polyradio.bus.device import Device
from polyradio.errors import PolyradioError
from polyradio.host_api import (
    Completion,
    DeviceInfo,
    InstallKey,
    Kind,
    Message,
    Opcode,
    identifier_width,
    parse_call,
    parse_device_call,
    parse_messages,
)


class Tracer:
    """A device that is the one it wraps; `write` gets a line for each message, `clock` says when (nanoseconds)."""

    def __init__(self, device: Device, write: Callable[[str], object], clock: Callable[[], int]) -> None:
        self._device = device
        self._write = write
        self._clock = clock

    @property
    def info(self) -> DeviceInfo:
        """What the wrapped device can do."""
        return self._device.info

    def submit(self, messages: bytes) -> None:
        """Writes the calls down and passes them on."""
        self._trace("down", messages)
        self._device.submit(messages)

    def take(self) -> bytes:
        """Passes on what the device says, and writes it down."""
        messages = self._device.take()
        self._trace("up", messages)
        return messages

    def close(self) -> None:
        """Gives the wrapped device up."""
        self._device.close()

    def _trace(self, direction: str, octets: bytes) -> None:
        try:
            messages: list[Message[int]] = list(parse_messages(octets, identifier_width(self.info.max_vms)))
        except PolyradioError as error:
            entry = {"time_ns": self._clock(), "direction": direction, "error": str(error), "octets": len(octets)}
            self._write(json.dumps(entry))
            return
        for message in messages:
            entry = {"time_ns": self._clock(), "direction": direction, "kind": message.kind.name.lower()}
            entry |= {"call": _name(message.opcode), "sequence": message.sequence, "vr": message.identifier}
            self._write(json.dumps(entry | _payload(message)))


def _name(opcode: int) -> str:
    try:
        return Opcode(opcode).name.lower()
    except ValueError:
        return f"{opcode:#06x}"


def _payload(message: Message[int]) -> dict[str, Any]:
    try:
        if message.kind is Kind.COMPLETION:
            completion = Completion.parse(message.payload)
            error = completion.error.name.lower() if completion.error else None
            return {"error": error, "detail": completion.detail, "answer": completion.answer.hex()}
        if message.kind is Kind.DEVICE_CALL:
            return {"says": repr(parse_device_call(message.opcode, message.payload))}
        return {"says": repr(parse_call(message.opcode, message.payload))}
    except PolyradioError as error:
        hidden = message.opcode == InstallKey.opcode
        return {"unreadable": str(error), "payload": None if hidden else message.payload.hex()}
