"""What every device is to its host, and how one is found by its URL."""

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

from polyradio.errors import LocalProtocolError, NotAvailable, RemoteProtocolError
from polyradio.host_api import Completion, DeviceInfo, Kind, Message, Opcode, ReadDeviceInfo, emit_call, parse_messages

KNOWN_SCHEMES = ("emulated", "sim", "serial", "labgrid")


class Device(Protocol):
    """Takes and returns octets: messages of the host API, tagged with VR IDs."""

    @property
    def info(self) -> DeviceInfo:
        """What it can do, as it said itself."""

    def submit(self, messages: bytes) -> None:
        """Calls for the device; raises `DeviceLost`."""

    def take(self) -> bytes:
        """Completions and device-initiated calls since the last time; raises `DeviceLost`."""

    def close(self) -> None:
        """Gives the device up."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a test or a host may expect of a device."""

    max_vms: int
    """VMs at the same time."""
    max_radios: int
    """Channels at the same time."""
    max_slots: int
    """Slots of a radio schedule."""
    queue_length: int
    """Frames that a VM may have under way."""
    ciphers: frozenset[int]
    """Cipher suites 00-0F-AC:n that are done in the device."""

    @classmethod
    def of(cls, info: DeviceInfo) -> "Capabilities":
        """From what the device says of itself."""
        ciphers = frozenset(number for number in range(32) if info.ciphers >> number & 1)
        return cls(info.max_vms, info.max_radios, info.max_slots, info.queue_length, ciphers)

    @property
    def has_ccmp(self) -> bool:
        """CCMP-128 is done in the device."""
        return 4 in self.ciphers


def open_device(url: str) -> Device:
    """Opens the device of a URL such as `emulated:?max_vms=64&queue_length=64`.

    Raises:
        LocalProtocolError: There is no such scheme or option.
        NotAvailable: Devices of that kind are not in this version.
    """
    options = emulated_options(url)
    from polyradio.bus.emulated import EmulatedDevice  # noqa: PLC0415 - needs the Rust core, and imports this module

    return EmulatedDevice(None, **options)


def emulated_options(url: str) -> dict[str, int]:
    """The options in the URL of an emulated device; raises as `open_device` does."""
    parts = urlsplit(url)
    if parts.scheme not in KNOWN_SCHEMES:
        known = ", ".join(f"{scheme}:" for scheme in KNOWN_SCHEMES)
        raise LocalProtocolError(f"{url!r} is no device URL; known are {known}")
    if parts.scheme != "emulated":
        raise NotAvailable(f"{parts.scheme}: devices are not in this version; use emulated:")
    if parts.netloc or parts.path:
        raise LocalProtocolError(f"{url!r}: an emulated device has options only, such as emulated:?max_vms=64")
    options: dict[str, int] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in _OPTIONS:
            raise LocalProtocolError(f"{url!r}: no option {name!r}; known are {', '.join(_OPTIONS)}")
        if not value.isdecimal() or int(value) == 0:
            raise LocalProtocolError(f"{url!r}: {name} has to be a number above 0")
        options[name] = int(value)
    return options


def ask_info(sequence: int = 0xFFFF) -> bytes:
    """The octets that ask a device what it is."""
    return emit_call(ReadDeviceInfo(), sequence, None, 1)


def read_info(octets: bytes) -> DeviceInfo | None:
    """The answer to `ask_info` among the messages that a device returned; None: it is not there (yet).

    Raises:
        RemoteProtocolError: It cannot be read.
    """
    # The completion has no identifier, so the width that follows from it does not matter here.
    messages: list[Message[int]] = list(parse_messages(octets, 1))
    for message in messages:
        if message.kind is Kind.COMPLETION and message.opcode == Opcode.DEVICE_INFO:
            completion = Completion.parse(message.payload)
            if completion.error is not None:
                raise RemoteProtocolError(f"the device does not say what it is: {completion.error.name.lower()}")
            return DeviceInfo.parse(completion.answer)
    return None


_OPTIONS = ("max_vms", "queue_length", "switch_us")
