"""CCMP over batches: the forms of arrays and keys, what comes out of them, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import polyradio
from polyradio import FrameBatch, LocalProtocolError, Verdict
from polyradio._core import DROP_REASONS

HEADER = bytes.fromhex("880100000200000000010200000000020200000000030000 0000")
KEY = bytes(range(16))

BODIES = st.lists(st.binary(max_size=200), max_size=20)


def batch_of(bodies: list[bytes]) -> FrameBatch:
    return FrameBatch.from_frames([HEADER + body for body in bodies])


def numbers(count: int) -> np.ndarray:
    return np.arange(1, count + 1, dtype=np.uint64)


def each_key(count: int, length: int) -> np.ndarray:
    return np.arange(count * length, dtype=np.uint32).astype(np.uint8).reshape(count, length)


@given(BODIES, st.sampled_from([16, 32]), st.booleans())
def test_a_batch_is_what_its_frames_are_one_by_one(bodies: list[bytes], length: int, one: bool) -> None:
    batch, count = batch_of(bodies), len(bodies)
    before = batch.data.copy()
    keys = each_key(count, length)
    given_keys = bytes(range(length)) if one else keys
    singles = [bytes(range(length))] * count if one else [key.tobytes() for key in keys]
    sealed = polyradio.ccmp_seal_batch(batch, given_keys, numbers(count))
    assert list(sealed.frames) == [
        polyradio.ccmp_seal(frame, key, number)
        for frame, key, number in zip(batch, singles, range(1, count + 1), strict=True)
    ]
    opened = polyradio.ccmp_open_batch(sealed.frames, given_keys)
    assert list(opened.frames) == list(batch)
    for result in (sealed, opened):
        assert (result.verdict.dtype, result.verdict.tolist()) == (np.uint8, [Verdict.OK] * count)
        assert (result.packet_number.dtype, result.packet_number.tolist()) == (np.uint64, list(range(1, count + 1)))
        assert (result.frames.data.dtype, result.frames.offsets.dtype) == (np.uint8, np.uint32)
    assert (batch.data == before).all()


def test_results_are_views_and_arguments_may_be_read_only() -> None:
    data = np.frombuffer(HEADER + b"one" + HEADER + b"three", np.uint8)
    assert not data.flags.writeable
    batch = FrameBatch(data, np.array([0, 29, 60], np.uint32))
    assert np.shares_memory(batch.data, data)
    keys, packet_numbers = each_key(2, 16), numbers(2)
    keys.flags.writeable = packet_numbers.flags.writeable = False
    result = polyradio.ccmp_seal_batch(batch, keys, packet_numbers, key_ids=np.zeros(2, np.uint8))
    for array in (result.frames.data, result.frames.offsets, result.verdict, result.packet_number):
        assert not array.flags.owndata
    assert np.shares_memory(result.frames.data, result.frames.data)
    assert np.shares_memory(result.verdict, result.verdict)
    assert not np.shares_memory(result.frames.data, data)


def test_long_results_use_memory_again_after_short_ones() -> None:
    """What waits for use must not be short buffers alone, of sizes that nobody asks for any more."""
    for size in range(1000, 1200, 20):
        polyradio.ccmp_seal_batch(batch_of([bytes(size)] * 10), KEY, numbers(10))
    long = batch_of([bytes(1500)] * 100)
    places = {polyradio.ccmp_seal_batch(long, KEY, numbers(100)).frames.data.ctypes.data for _ in range(20)}
    assert len(places) == 1


def test_a_result_keeps_its_octets_while_others_come_and_go() -> None:
    """The memory of results is used again: never of one that somebody still holds, and nothing of it shows."""
    plain = [batch_of([bytes([number]) * (40 * number)] * 100) for number in (30, 3, 30, 29, 30)]
    keys = each_key(100, 16)
    held, expected = [], []
    for repetition in range(4):
        for batch in plain:
            result = polyradio.ccmp_seal_batch(batch, keys, numbers(100))
            opened = polyradio.ccmp_open_batch(result.frames, keys).frames
            assert opened.data.tobytes() == batch.data.tobytes()
            assert len(result.frames.data) == result.frames.offsets[-1]
            if repetition != 2:
                held.append(result.frames.data)
                expected.append(result.frames.data.tobytes())
            result.frames.data[:] = result.frames.data[::-1].copy()
            result.frames.data[:] = result.frames.data[::-1].copy()
        if repetition == 1:
            held, expected = held[3:], expected[3:]
    assert [array.tobytes() for array in held] == expected


def test_arrays_of_any_layout_say_the_same() -> None:
    batch = batch_of([b"one", b"two", b"three"])
    keys, packet_numbers = each_key(3, 16), numbers(3)
    expected = polyradio.ccmp_seal_batch(batch, keys, packet_numbers)
    wide = np.zeros((6, 32), np.uint8)
    wide[::2, ::2] = keys
    unaligned = np.frombuffer(b"?" + packet_numbers.tobytes(), np.uint8)[1:].view(np.uint64)
    assert not unaligned.flags.aligned
    for other_keys in (np.asfortranarray(keys), wide[::2, ::2], keys[::-1].copy()[::-1]):
        for other_numbers in (unaligned, np.repeat(packet_numbers, 2)[::2]):
            result = polyradio.ccmp_seal_batch(batch, other_keys, other_numbers)
            assert list(result.frames) == list(expected.frames)


def test_key_ids_stand_in_the_headers() -> None:
    result = polyradio.ccmp_seal_batch(batch_of([b""] * 4), KEY, numbers(4), key_ids=np.arange(4, dtype=np.uint8))
    assert [frame[26 + 3] >> 6 for frame in result.frames] == [0, 1, 2, 3]


def test_frames_that_do_not_pass_say_why_and_are_empty() -> None:
    sealed = polyradio.ccmp_seal(HEADER + b"body", KEY, 7)
    frames = [sealed, sealed[:-1] + b"?", HEADER + b"clear", sealed[:30], b"\xd4" + bytes(40), b""]
    result = polyradio.ccmp_open_batch(FrameBatch.from_frames(frames), KEY)
    assert [Verdict(number).name.lower() for number in result.verdict] == [
        "ok",
        "mic_failed",
        "unprotected",
        "truncated",
        "malformed",
        "truncated",
    ]
    assert list(result.frames) == [HEADER + b"body"] + [b""] * 5
    assert result.packet_number.tolist() == [7, 0, 0, 0, 0, 0]


def test_an_empty_batch_has_an_empty_result() -> None:
    empty = FrameBatch.from_frames([])
    for keys in (KEY, each_key(0, 16)):
        for result in (polyradio.ccmp_seal_batch(empty, keys, numbers(0)), polyradio.ccmp_open_batch(empty, keys)):
            assert (len(result.frames), result.verdict.shape, result.packet_number.shape) == (0, (0,), (0,))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"keys": KEY[:15]}, "16 or 32 octets, not 15"),
        ({"keys": each_key(3, 24)}, "16 or 32 octets, not 24"),
        ({"keys": each_key(0, 0)}, "16 or 32 octets, not 0"),
        ({"keys": each_key(2, 16)}, "2 keys for 3 frames"),
        ({"packet_numbers": numbers(4)}, "4 packet numbers for 3 frames"),
        ({"packet_numbers": np.array([1, 1 << 48, 2], np.uint64)}, "frame 1: .* 48 bits"),
        ({"key_ids": np.zeros(1, np.uint8)}, "1 key IDs for 3 frames"),
        ({"key_ids": np.array([0, 0, 4], np.uint8)}, "frame 2: .* 0 to 3"),
        ({"backend": "quantum"}, 'no CCMP backend "quantum" .*portable'),
    ],
)
def test_arguments_that_make_no_sense_are_the_callers_mistake(changed: dict[str, object], message: str) -> None:
    arguments = {"keys": KEY, "packet_numbers": numbers(3)} | changed
    with pytest.raises(LocalProtocolError, match=message) as raised:
        polyradio.ccmp_seal_batch(batch_of([b"a", b"b", b"c"]), **arguments)
    assert "\n" not in str(raised.value)


def test_other_types_are_type_errors() -> None:
    batch = batch_of([b"a"])
    for keys in ("text", [1], each_key(1, 16).astype(np.int64), each_key(1, 16)[0]):
        with pytest.raises(TypeError, match="keys are bytes, or an array"):
            polyradio.ccmp_open_batch(batch, keys)  # type: ignore[arg-type]
    for packet_numbers in ([1], np.ones(1, np.int64), np.ones((1, 1), np.uint64)):
        with pytest.raises(TypeError):
            polyradio.ccmp_seal_batch(batch, KEY, packet_numbers)  # type: ignore[arg-type]


def test_verdicts_are_numbered_as_the_drop_reasons() -> None:
    assert [verdict.name.lower() for verdict in Verdict] == ["ok", *DROP_REASONS]
    assert [verdict.value for verdict in Verdict] == list(range(len(DROP_REASONS) + 1))
    assert Verdict.__doc__
