"""Frame batches: what goes in comes out, views share memory and outlive the batch, wrong arrays are refused."""

import gc
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyradio import FrameBatch, LocalProtocolError


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_frames_come_back_as_they_went_in(frames: list[bytes]) -> None:
    batch = FrameBatch.from_frames(frames)
    assert len(batch) == len(frames)
    assert list(batch) == frames
    assert [batch[index] for index in range(len(frames))] == frames
    assert [batch[index] for index in range(-len(frames), 0)] == frames
    assert batch.data.tobytes() == b"".join(frames)
    assert batch.offsets.tolist() == [sum(map(len, frames[:index])) for index in range(len(frames) + 1)]
    again = FrameBatch(batch.data, batch.offsets)
    assert list(again) == frames


def test_views_are_zero_copy_and_typed() -> None:
    batch = FrameBatch.from_frames([b"one", b"three"])
    assert (batch.data.dtype, batch.offsets.dtype) == (np.uint8, np.uint32)
    assert np.shares_memory(batch.data, batch.data)
    assert np.shares_memory(batch.offsets, batch.offsets)
    data = np.frombuffer(b"onethree", np.uint8)
    assert np.shares_memory(FrameBatch(data, np.array([0, 3, 8], np.uint32)).data, data)


def test_views_outlive_the_batch() -> None:
    batch = FrameBatch.from_frames([b"one", b"three"])
    data, offsets, iterator = batch.data, batch.offsets, iter(batch)
    del batch
    gc.collect()
    assert (data.tobytes(), offsets.tolist(), list(iterator)) == (b"onethree", [0, 3, 8], [b"one", b"three"])


def test_offsets_cannot_be_changed_behind_its_back() -> None:
    given_offsets = np.array([0, 3, 8], np.uint32)
    batch = FrameBatch(np.frombuffer(b"onethree", np.uint8), given_offsets)
    given_offsets[1] = 100
    assert list(batch) == [b"one", b"three"]
    with pytest.raises(ValueError, match="read-only"):
        batch.offsets[1] = 100
    with pytest.raises(ValueError, match="WRITEABLE"):
        batch.offsets.flags.writeable = True


@pytest.mark.parametrize("offsets", [[], [0], [1, 8], [0, 3, 2, 8], [0, 3], [0, 9]])
def test_offsets_that_do_not_fit_are_refused(offsets: list[int]) -> None:
    with pytest.raises(LocalProtocolError):
        FrameBatch(np.zeros(8, np.uint8), np.array(offsets, np.uint32))


def test_arrays_of_another_form_are_refused() -> None:
    offsets = np.array([0, 4], np.uint32)
    for data in (np.zeros(4, np.uint16), np.zeros((2, 2), np.uint8), [0, 0, 0, 0], b"four"):
        with pytest.raises(TypeError):
            FrameBatch(data, offsets)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        FrameBatch(np.zeros(4, np.uint8), offsets.astype(np.int64))  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError):
        FrameBatch(np.zeros(8, np.uint8)[::2], offsets)
    with pytest.raises(LocalProtocolError):
        FrameBatch(np.zeros(4, np.uint8), np.array([0, 9, 4, 9], np.uint32)[::2])


def test_an_index_out_of_range_is_an_index_error() -> None:
    batch = FrameBatch.from_frames([b"one"])
    for index in (1, -2, sys.maxsize, -sys.maxsize - 1):
        with pytest.raises(IndexError):
            batch[index]


def test_frames_are_octets() -> None:
    for frames in (["text"], [1], "text", b"octets", 5):
        with pytest.raises(TypeError):
            FrameBatch.from_frames(frames)  # type: ignore[arg-type]


def test_it_prints_what_it_holds() -> None:
    assert repr(FrameBatch.from_frames([b"one", b"three"])) == "FrameBatch(2 frames, 8 octets)"
