"""The codec against the shared vectors, and as a property."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyradio import host_api
from polyradio.errors import LocalProtocolError, RemoteProtocolError
from polyradio.host_api import Completion, DeviceInfo, InitVm, Kind, Message, VmId

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "host_api" / "messages.json").read_text())


def _octets(text: str) -> bytes:
    return bytes.fromhex(text)


def _call(fields: dict[str, Any]) -> host_api.HostCall:
    kind = {"DeviceInfo": "ReadDeviceInfo"}.get(fields["type"], fields["type"])
    arguments = {name: value for name, value in fields.items() if name != "type"}
    for name in ("address", "bssid"):
        if name in arguments:
            arguments[name] = bytes.fromhex(arguments[name].replace(":", ""))
    for name in ("key", "frame"):
        if name in arguments:
            arguments[name] = bytes.fromhex(arguments[name])
    if "scope" in arguments:
        arguments["scope"] = host_api.KeyScope[arguments["scope"].upper()]
    if "slots" in arguments:
        arguments["slots"] = tuple(host_api.Slot(*slot) for slot in arguments["slots"])
    if "channels" in arguments:
        arguments["channels"] = tuple(arguments["channels"])
    if "class" in arguments:
        arguments["packet_class"] = host_api.PacketClass[arguments.pop("class").upper()]
    if kind == "Status":
        arguments["code"] = host_api.StatusCode(arguments["code"])
    call: host_api.HostCall = getattr(host_api, kind)(**arguments)
    return call


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: vector["name"])
def test_a_message_is_read_and_written_as_its_vector_says(vector: dict[str, Any]) -> None:
    octets = _octets(vector["octets"])
    (message,) = host_api.parse_messages(octets, vector["width"])
    assert message.kind == Kind[vector["kind"].upper()]
    assert message.sequence == vector["sequence"]
    assert message.identifier == vector["identifier"]
    assert message.emit(vector["width"]) == octets
    if "call" in vector:
        call = _call(vector["call"])
        assert host_api.parse_call(message.opcode, message.payload) == call
        assert (call.opcode, call.emit()) == (message.opcode, message.payload)
    if "device_call" in vector:
        device_call = _call(vector["device_call"])
        assert host_api.parse_device_call(message.opcode, message.payload) == device_call
        assert (device_call.opcode, device_call.emit()) == (message.opcode, message.payload)
    if "completion" in vector:
        completion = Completion.parse(message.payload)
        expected = vector["completion"]
        assert int(completion.error or 0) == expected["error"]
        assert (completion.detail, completion.answer.hex()) == (expected["detail"], expected["answer"])
        assert completion.emit() == message.payload
        assert message.opcode == vector["opcode"]
    if "device_info" in vector:
        info = DeviceInfo.parse(Completion.parse(message.payload).answer)
        assert info == DeviceInfo(**vector["device_info"])
        assert info.emit() == Completion.parse(message.payload).answer


@pytest.mark.parametrize("vector", VECTORS["refused_messages"], ids=lambda vector: vector["name"])
def test_a_message_that_cannot_be_read_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError):
        list(host_api.parse_messages(_octets(vector["octets"]), vector["width"]))


@pytest.mark.parametrize("vector", VECTORS["refused_calls"], ids=lambda vector: vector["name"])
def test_a_call_that_makes_no_sense_is_refused_with_its_error(vector: dict[str, Any]) -> None:
    with pytest.raises(host_api.CallRejected) as caught:
        host_api.parse_call(vector["opcode"], _octets(vector["payload"]))
    assert caught.value.error == vector["error"]


def test_messages_of_a_batch_come_out_in_order() -> None:
    messages = [Message(Kind.CALL, 0x30, number, VmId(number % 256), bytes(number % 7)) for number in range(300)]
    octets = b"".join(message.emit(1) for message in messages)
    assert list(host_api.parse_messages(octets, 1)) == messages


@given(st.binary(max_size=64), st.sampled_from([1, 2]))
def test_any_octets_are_read_or_refused_and_what_was_read_is_written_the_same(octets: bytes, width: int) -> None:
    read = b""
    try:
        for message in host_api.parse_messages(octets, width):
            read += message.emit(width)
    except RemoteProtocolError:
        pass
    assert octets.startswith(read)


@given(st.integers(0, 0xFFFF), st.binary(max_size=32))
def test_any_payload_is_a_call_or_is_refused(opcode: int, payload: bytes) -> None:
    try:
        call = host_api.parse_call(opcode, payload)
    except host_api.CallRejected:
        return
    assert host_api.parse_call(opcode, call.emit()) == call


def test_an_identifier_too_wide_for_the_field_is_not_sent() -> None:
    with pytest.raises(LocalProtocolError, match="256"):
        Message(Kind.CALL, 0x11, 1, VmId(256)).emit(1)


def test_the_identifier_field_is_as_wide_as_the_number_of_vms_needs() -> None:
    assert [host_api.identifier_width(vms) for vms in (1, 256, 257, 1024)] == [1, 1, 2, 2]


def test_a_key_is_not_printed() -> None:
    call = host_api.InstallKey(0, host_api.KeyScope.PAIRWISE, 4, 0, bytes(range(16, 32)))
    assert "1011" not in repr(call)
    assert repr(bytes(range(16, 32))) not in repr(call)
    assert InitVm(VmId(1), bytes(6)).opcode == 0x10
