"""The connection table by itself: batches sealed and opened, saved and restored."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyradio import FrameBatch, ccmp_open, ccmp_open_batch, ccmp_seal, ccmp_seal_batch
from polyradio._core import CALL_ERRORS, DROP_REASONS, ConnectionTable
from polyradio.errors import DeviceRejected, LocalProtocolError

# The frames of the fixture are the same for every example.
PROPERTY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


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


@PROPERTY
@given(st.lists(st.tuples(st.integers(0, 4), st.binary(max_size=100)), max_size=20))
def test_what_the_table_sealed_opens_under_the_keys_of_its_rows(frames, packets):
    table = table_of(frames, 3)
    batch = FrameBatch.from_frames([frames.up(number) + body for number, body in packets])
    before = batch.data.copy()
    result = table.seal_batch(batch)
    check_result(result, [number for number, _ in packets], "no_such_vm")
    assert (batch.data == before).all()
    keys = np.array([list(frames.key(number)) for number, _ in packets], np.uint8).reshape(-1, 16)
    opened = ccmp_open_batch(result.frames, keys)
    for (number, _), plain, frame in zip(packets, batch, opened.frames, strict=True):
        assert frame == (plain if number < 3 else b"")
    for number in range(3):
        mine = [index for index, (vm, _) in enumerate(packets) if vm == number]
        assert opened.packet_number[mine].tolist() == list(range(1, len(mine) + 1))


@PROPERTY
@given(st.lists(st.tuples(st.integers(0, 4), st.binary(max_size=100)), max_size=20))
def test_what_was_sealed_under_the_keys_of_its_rows_the_table_opens(frames, packets):
    table = table_of(frames, 3)
    plain = [frames.down(number) + body for number, body in packets]
    keys = np.array([list(frames.key(number)) for number, _ in packets], np.uint8).reshape(-1, 16)
    numbers = np.arange(1, len(packets) + 1, dtype=np.uint64)
    batch = ccmp_seal_batch(FrameBatch.from_frames(plain), keys, numbers).frames
    before = batch.data.copy()
    result = table.open_batch(batch)
    check_result(result, [number for number, _ in packets], "not_ours")
    assert list(result.frames) == [
        frame if number < 3 else b"" for (number, _), frame in zip(packets, plain, strict=True)
    ]
    again = table.open_batch(batch)
    check_result(again, [number for number, _ in packets], "not_ours", known="replay")
    assert (batch.data == before).all()


@PROPERTY
@given(st.lists(st.tuples(st.integers(0, 9), st.binary(max_size=100)), max_size=80), st.integers(2, 4))
def test_any_number_of_workers_does_the_same(frames, packets, workers):
    one, several = table_of(frames, 8), table_of(frames, 8, workers=workers)
    sent = [frames.up(number) + body for number, body in packets]
    # A little batch is done by one worker: what nobody sent makes it a large one.
    plain = FrameBatch.from_frames([bytes(1 << 15), *sent, bytes(1 << 15)])
    for _ in range(2):
        expected, result = one.seal_batch(plain), several.seal_batch(plain)
        assert list(result.frames) == list(expected.frames)
        assert (result.vm_id.tolist(), result.verdict.tolist()) == (expected.vm_id.tolist(), expected.verdict.tolist())
    assert several.dump() == one.dump()


@pytest.mark.parametrize("workers", [-1, 0, 1025])
def test_a_number_of_workers_that_makes_no_sense_is_refused(workers):
    with pytest.raises(LocalProtocolError, match="1 to 1024 workers"):
        ConnectionTable(workers=workers)


def table_of(frames, vms: int, *, workers: int = 1) -> ConnectionTable:
    table = ConnectionTable(max_vms=8, workers=workers)
    for number in range(vms):
        table.add_vm(number, frames.address(number), bssid=frames.ap)
        table.install_key(number, 0, 4, frames.key(number))
    return table


def check_result(result, vms: list[int], unknown: str, known: str = "") -> None:
    """VMs 0 to 2 are known: shapes, types and values of everything but the octets."""
    known_verdict = verdict(known) if known else 0
    assert result.vm_id.tolist() == [number if number < 3 else 65535 for number in vms]
    assert result.verdict.tolist() == [known_verdict if number < 3 else verdict(unknown) for number in vms]
    assert (result.verdict.dtype, result.vm_id.dtype) == (np.uint8, np.uint16)
    assert (result.frames.data.dtype, result.frames.offsets.dtype) == (np.uint8, np.uint32)
    assert result.frames.offsets.shape == (len(vms) + 1,)
    assert (np.diff(result.frames.offsets)[result.verdict != 0] == 0).all()


def test_frames_are_read_where_they_lie_and_results_are_views(table, frames):
    octets = frames.up(0) + frames.up(1)
    data = np.frombuffer(octets, np.uint8)
    assert not data.flags.writeable
    batch = FrameBatch(data, np.array([0, len(frames.up(0)), len(octets)], np.uint32))
    result = table.seal_batch(batch)
    assert np.shares_memory(batch.data, data)
    for array in (result.frames.data, result.frames.offsets, result.vm_id, result.verdict):
        assert not array.flags.owndata
    assert np.shares_memory(result.frames.data, result.frames.data)
    assert data.tobytes() == octets


def test_a_buffer_that_shrank_under_its_batch_is_refused(table, frames):
    data = np.frombuffer(frames.up(0), np.uint8).copy()
    batch = FrameBatch(data, np.array([0, len(data)], np.uint32))
    data.resize(10, refcheck=False)
    with pytest.raises(LocalProtocolError, match="offsets"):
        table.seal_batch(batch)


@given(st.lists(st.integers(0, 9), max_size=50), st.integers(1, 3))
def test_addresses_of_any_layout_are_looked_up(numbers, step):
    table = ConnectionTable(max_vms=8)
    address = np.array([[2, 0, 0, 0, 0, number] for number in range(10)], np.uint8)
    for number in range(0, 8, 2):
        table.add_vm(number, address[number].tobytes())
    macs = address[numbers].reshape(-1, 6)
    spread = np.zeros((len(numbers) * step, 6 * step), np.uint8)
    spread[::step, ::step] = macs
    expected = [number if number in range(0, 8, 2) else 65535 for number in numbers]
    for array in (macs, np.asfortranarray(macs), spread[::step, ::step], macs[::-1].copy()[::-1]):
        found = table.lookup_batch(array)
        assert (found.dtype, found.tolist()) == (np.uint16, expected)


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
