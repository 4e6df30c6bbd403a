"""The connection table by itself: batches sealed and opened, saved and restored."""

import numpy as np
import pytest

from polyradio import FrameBatch, ccmp_open, ccmp_seal
from polyradio._core import CALL_ERRORS, DROP_REASONS, ConnectionTable
from polyradio.errors import DeviceRejected, LocalProtocolError


def verdict(name: str) -> int:
    return DROP_REASONS.index(name) + 1


@pytest.fixture
def table(frames) -> ConnectionTable:
    table = ConnectionTable(max_vms=8)
    for number in range(3):
        table.add_vm(number, frames.address(number), bssid=frames.ap)
        table.install_key(number, 0, 4, frames.key(number))
        table.install_key(number, 1, 4, frames.group_key, group=True)
    return table


def test_each_frame_is_sealed_with_the_key_of_its_source(table, frames):
    result = table.seal_batch(FrameBatch.from_frames([frames.up(1), frames.up(7), frames.up(0), frames.up(1)]))
    assert result.verdict.tolist() == [0, verdict("no_such_vm"), 0, 0]
    assert result.vm_id.tolist() == [1, 65535, 0, 1]
    assert (result.verdict.dtype, result.vm_id.dtype) == (np.uint8, np.uint16)
    assert result.frames[1] == b""
    for index, number, packet_number in ((0, 1, 1), (2, 0, 1), (3, 1, 2)):
        assert ccmp_open(result.frames[index], frames.key(number)) == (frames.up(number), packet_number)


def test_each_frame_is_opened_once_with_the_key_of_its_destination(table, frames):
    first = ccmp_seal(frames.down(1), frames.key(1), 1)
    group = ccmp_seal(frames.data(b"\xff" * 6, frames.ap, frames.peer, to_ds=False), frames.group_key, 1, 1)
    crossed = ccmp_seal(frames.down(2), frames.key(1), 2)
    result = table.open_batch(FrameBatch.from_frames([first, first, crossed, frames.down(0), group, frames.down(7)]))
    names = ["", "replay", "mic_failed", "unprotected", "", "not_ours"]
    assert result.verdict.tolist() == [verdict(name) if name else 0 for name in names]
    assert result.vm_id.tolist() == [1, 1, 2, 0, 0, 65535]
    assert result.frames[0] == frames.down(1)
    assert [len(frame) for frame in result.frames][1:4] == [0, 0, 0]


def test_without_an_access_point_frames_of_any_bss_pass(frames):
    table = ConnectionTable()
    table.add_vm(5, frames.address(5))
    table.install_key(5, 0, 10, b"k" * 32)
    result = table.open_batch(FrameBatch.from_frames([ccmp_seal(frames.down(5), b"k" * 32, 1)]))
    assert (result.verdict.tolist(), result.frames[0]) == ([0], frames.down(5))
    sealed = table.seal_batch(FrameBatch.from_frames([frames.up(5)])).frames[0]
    assert ccmp_open(sealed, b"k" * 32) == (frames.up(5), 1)


def test_a_vm_that_is_not_connected_neither_sends_nor_receives(frames):
    table = ConnectionTable()
    table.add_vm(5, frames.address(5), bssid=frames.ap, connected=False)
    table.install_key(5, 0, 4, frames.key(5))
    assert table.seal_batch(FrameBatch.from_frames([frames.up(5)])).verdict.tolist() == [verdict("not_connected")]
    received = ccmp_seal(frames.down(5), frames.key(5), 1)
    assert table.open_batch(FrameBatch.from_frames([received])).verdict.tolist() == [verdict("not_connected")]


def test_an_empty_batch_has_an_empty_result(table):
    result = table.open_batch(FrameBatch.from_frames([]))
    assert (len(result.frames), len(result.vm_id), len(result.verdict)) == (0, 0, 0)


def test_addresses_are_looked_up_in_their_order(table, frames):
    macs = np.frombuffer(frames.address(2) + frames.address(9) + frames.address(0), np.uint8).reshape(3, 6)
    assert table.lookup_batch(macs).tolist() == [2, 65535, 0]
    with pytest.raises(LocalProtocolError):
        table.lookup_batch(np.zeros((1, 5), np.uint8))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda t, f: t.add_vm(5, f.address(1)), "AddressTaken"),
        (lambda t, f: t.add_vm(1, f.address(5)), "AlreadyInitialised"),
        (lambda t, f: t.add_vm(8, f.address(5)), "TooManyVms"),
        (lambda t, f: t.add_vm(5, b"\xff" * 6), "InvalidAddress"),
        (lambda t, f: t.remove_vm(5), "UnknownVm"),
        (lambda t, f: t.install_key(0, 2, 4, bytes(16)), "WeakKey"),
        (lambda t, f: t.install_key(0, 0, 4, f.key(0)), "KeyInUse"),
        (lambda t, f: t.install_key(0, 2, 4, b"x"), "UnsupportedCipher"),
        (lambda t, f: t.remove_key(0, 3), "NoSuchKey"),
        (lambda t, f: t.restore(b"nonsense"), "BadRow"),
    ],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(table, frames, change, error):
    before = table.save()
    with pytest.raises(DeviceRejected) as raised:
        change(table, frames)
    assert raised.value.call_error == error
    assert error in CALL_ERRORS
    assert table.save() == before


def test_arguments_that_make_no_sense_are_the_callers_fault(table, frames):
    for vm_id, key_id, counter in ((-1, 0, 0), (70_000, 0, 0), (0, 4, 0), (0, 0, 1 << 48)):
        with pytest.raises(LocalProtocolError):
            table.install_key(vm_id, key_id, 4, b"x" * 16, receive_counter=counter)


def test_a_dump_tells_everything_but_the_keys(table, frames):
    table.seal_batch(FrameBatch.from_frames([frames.up(1)]))
    row = table.dump()[1]
    assert (row["vm_id"], row["mac"], row["bssid"], row["state"]) == (1, frames.address(1), frames.ap, "authorized")
    assert [(key["scope"], key["key_id"], key["transmitted"]) for key in row["keys"]] == [
        ("pairwise", 0, 1),
        ("group", 1, 0),
    ]
    assert row["counters"] == {"sent": 1, "sent_octets": len(frames.up(1)) + 16}
    assert frames.key(1) not in repr(row).encode() + table.save()


def test_a_restored_table_repeats_no_packet_number_and_accepts_no_replay(table, frames):
    received = FrameBatch.from_frames([ccmp_seal(frames.down(1), frames.key(1), 9)])
    assert table.open_batch(received).verdict.tolist() == [0]
    table.seal_batch(FrameBatch.from_frames([frames.up(1)]))
    other = ConnectionTable(max_vms=8)
    other.restore(table.save())
    assert len(other) == 3
    assert other.seal_batch(FrameBatch.from_frames([frames.up(1)])).verdict.tolist() == [verdict("no_key")]
    other.install_key(1, 0, 4, frames.key(1))
    assert other.open_batch(received).verdict.tolist() == [verdict("replay")]
    sealed = other.seal_batch(FrameBatch.from_frames([frames.up(1)])).frames[0]
    assert ccmp_open(sealed, frames.key(1))[1] == 2


def test_a_removed_vm_is_gone(table, frames):
    table.remove_vm(1)
    assert len(table) == 2
    assert table.seal_batch(FrameBatch.from_frames([frames.up(1)])).verdict.tolist() == [verdict("no_such_vm")]
    table.add_vm(1, frames.address(1), bssid=frames.ap)
    assert table.seal_batch(FrameBatch.from_frames([frames.up(1)])).verdict.tolist() == [verdict("no_key")]
