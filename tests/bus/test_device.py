"""Device URLs, capabilities and the tracer."""

import json

import pytest

from polyradio.bus.device import Capabilities, ask_info, emulated_options, open_device, read_info
from polyradio.bus.tracer import Tracer
from polyradio.errors import LocalProtocolError, NotAvailable, RemoteProtocolError
from polyradio.host_api import (
    CallError,
    Completion,
    DeviceInfo,
    InstallKey,
    KeyScope,
    Kind,
    Message,
    Opcode,
    emit_call,
)

INFO = DeviceInfo(max_vms=64, max_radios=1, max_slots=64, queue_length=64, ciphers=1 << 4 | 1 << 10)


class Silent:
    """A device that only keeps what it was told."""

    info = INFO

    def __init__(self) -> None:
        self.told = b""
        self.says = b""

    def submit(self, messages: bytes) -> None:
        self.told += messages

    def take(self) -> bytes:
        says, self.says = self.says, b""
        return says

    def close(self) -> None:
        pass


def test_an_unknown_scheme_names_the_known_ones() -> None:
    with pytest.raises(LocalProtocolError, match="emulated:, sim:, serial:, labgrid:"):
        open_device("pci:0")


@pytest.mark.parametrize("url", ["sim:", "serial:/dev/ttyUSB0?baud=3000000", "labgrid:place"])
def test_devices_of_later_versions_are_not_available_and_say_so(url: str) -> None:
    with pytest.raises(NotAvailable, match="not in this version"):
        open_device(url)


def test_options_of_an_emulated_device_are_checked() -> None:
    assert emulated_options("emulated:?max_vms=1024&switch_us=200") == {"max_vms": 1024, "switch_us": 200}
    for url in ("emulated:?vms=3", "emulated:?max_vms=0", "emulated:?max_vms=x", "emulated:nic"):
        with pytest.raises(LocalProtocolError):
            emulated_options(url)


def test_capabilities_follow_from_what_the_device_says() -> None:
    capabilities = Capabilities.of(INFO)
    assert capabilities.has_ccmp
    assert capabilities.ciphers == {4, 10}


def test_the_answer_to_what_are_you_is_found() -> None:
    assert ask_info() == bytes.fromhex("0180 0100 ffff 0000")
    answer = Message(Kind.COMPLETION, Opcode.DEVICE_INFO, 0xFFFF, None, Completion(answer=INFO.emit()).emit()).emit(1)
    assert read_info(b"") is None
    assert read_info(answer) == INFO
    refused = Completion(CallError.UNKNOWN_OPCODE).emit()
    with pytest.raises(RemoteProtocolError, match="unknown_opcode"):
        read_info(Message(Kind.COMPLETION, Opcode.DEVICE_INFO, 0xFFFF, None, refused).emit(1))


def test_the_tracer_passes_everything_and_writes_no_key() -> None:
    device, lines = Silent(), list[str]()
    tracer = Tracer(device, lines.append, lambda: 5)
    key = bytes(range(0x30, 0x40))
    octets = emit_call(InstallKey(0, KeyScope.PAIRWISE, 4, 0, key), 0x8000, 3, 1)
    tracer.submit(octets)
    assert device.told == octets
    device.says = Message(Kind.COMPLETION, Opcode.INSTALL_KEY, 0x8000, 3, Completion().emit()).emit(1)
    tracer.take()
    entries = [json.loads(line) for line in lines]
    assert [entry["direction"] for entry in entries] == ["down", "up"]
    assert entries[0]["call"] == "install_key"
    assert key.hex() not in "".join(lines)
    assert key.decode() not in "".join(lines)
