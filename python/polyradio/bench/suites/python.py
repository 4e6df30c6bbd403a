"""What Python costs: batches next to the same work in Rust, and single frames next to `cryptography`."""

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np

from polyradio import _core
from polyradio.bench.measure import Case, Handicapped, Named, Plan, Runner
from polyradio.bench.peers.aesccm import NAME, TAG_LENGTH, AesCcm
from polyradio.bench.suites.lookup import chain

VMS = 16
BATCH = 256
SIZES = (64, 1500)
_PREPARED = 8 << 20
"""Octets of frames that are ready before a table has to be made anew."""
_CCMP_128 = 4
_ACCESS_POINT = bytes.fromhex("02aa00000001")
_PEER = bytes.fromhex("02bb00000009")
_AAD_LENGTH = 24
"""Octets of additional authentication data of a QoS frame."""


def cases(plan: Plan) -> Iterator[Case]:
    """Batches through a table and by keys; `ccmp_seal`, `ccmp_open` and `ccm_seal`, a call for each frame."""
    for size in SIZES:
        for direction, build in (("seal_batch", _core.Workload.transmit), ("open_batch", _core.Workload.receive)):
            name = f"python/{direction}/{size}"
            rust = ("the same in Rust", partial(build, VMS, size, batch=BATCH, seed=plan.seed))
            parameters = {"octets": size, "vms": VMS, "batch": BATCH}
            yield _case(plan, name, parameters, partial(Batches, direction, size, plan.seed), limit=rust)
        for direction in ("seal", "open"):
            name = f"python/ccmp_{direction}_batch/{size}"
            rust = (
                "the same in Rust",
                partial(_core.Workload.ccmp_batch, direction, size, batch=BATCH, seed=plan.seed),
            )
            parameters = {"octets": size, "keys": BATCH, "batch": BATCH}
            peer = (NAME, partial(AesCcm, direction, size, _AAD_LENGTH))
            yield _case(plan, name, parameters, partial(Keyed, direction, size, plan.seed), limit=rust, peer=peer)
        for call, direction in (("ccmp_seal", "seal"), ("ccmp_open", "open"), ("ccm_seal", "seal")):
            peer = (NAME, partial(AesCcm, direction, size, _AAD_LENGTH))
            yield _case(plan, f"python/{call}/{size}", {"octets": size}, partial(Single, call, size), peer=peer)


def _case(
    plan: Plan,
    name: str,
    parameters: Mapping[str, int],
    make: Callable[[], Runner],
    *,
    limit: Named | None = None,
    peer: Named | None = None,
) -> Case:
    return Case(
        suite="python",
        name=name,
        parameters=parameters,
        subject=lambda: Handicapped(make(), plan.handicap) if plan.handicap else make(),
        reference=chain(),
        limit=limit,
        peers=[peer] if peer else [],
        backend=_core.best_backend(),
        countable=False,
    )


class Single:
    """One call for each frame. The call expands the key; the peer's object has done so before."""

    items = 1

    def __init__(self, call: str, size: int) -> None:
        self._call: Callable[..., object] = getattr(_core, call)
        key, mpdu = os.urandom(16), header(to_ds=True, own=_PEER) + os.urandom(size)
        if call == "ccmp_open":
            self._arguments: tuple[bytes | int, ...] = (_core.ccmp_seal(mpdu, key, 1), key)
        elif call == "ccmp_seal":
            self._arguments = (mpdu, key, 1)
        else:
            self._arguments = (key, os.urandom(13), os.urandom(_AAD_LENGTH), os.urandom(size), TAG_LENGTH)

    def run(self, repetitions: int, /) -> int:
        """As `Runner` says."""
        call, arguments = self._call, self._arguments
        start = time.perf_counter_ns()
        for _ in range(repetitions):
            call(*arguments)
        return time.perf_counter_ns() - start


class Keyed:
    """`ccmp_seal_batch` or `ccmp_open_batch`: the same frames again and again, each under its own key."""

    items = BATCH

    def __init__(self, direction: str, size: int, seed: int) -> None:
        chance = random.Random(seed)
        plain = [header(to_ds=True, own=_PEER) + chance.randbytes(size) for _ in range(BATCH)]
        self._batch = _core.FrameBatch.from_frames(plain)
        self._keys = np.frombuffer(chance.randbytes(BATCH * 16), np.uint8).reshape(BATCH, 16)
        self._numbers = np.arange(1, BATCH + 1, dtype=np.uint64)
        self._is_open = direction == "open"
        if self._is_open:
            self._batch = _core.ccmp_seal_batch(self._batch, self._keys, self._numbers).frames

    def run(self, repetitions: int, /) -> int:
        """As `Runner` says."""
        batch, keys, numbers = self._batch, self._keys, self._numbers
        start = time.perf_counter_ns()
        for _ in range(repetitions):
            result = (
                _core.ccmp_open_batch(batch, keys) if self._is_open else _core.ccmp_seal_batch(batch, keys, numbers)
            )
        total = time.perf_counter_ns() - start
        if repetitions and result.verdict.any():
            raise RuntimeError("a frame of the benchmark was dropped")
        return total


class Batches:
    """`ConnectionTable.seal_batch` or `open_batch`, with frames of 16 VMs by chance."""

    items = BATCH

    def __init__(self, direction: str, size: int, seed: int) -> None:
        self._is_open = direction == "open_batch"
        chance = random.Random(seed)
        self._addresses = [bytes((2, 0, 0, 0, 0, vm)) for vm in range(VMS)]
        self._keys = [chance.randbytes(16) for _ in range(VMS)]
        count = max(2, _PREPARED // (BATCH * (size + 42)))
        self._batches = [self._batch(chance, size, number) for number in range(count)]
        self._next = 0
        self._table = self._new_table()

    def run(self, repetitions: int, /) -> int:
        """As `Runner` says; the clock runs over the calls alone."""
        total = 0
        for _ in range(repetitions):
            if self._next == len(self._batches):
                self._next = 0
                if self._is_open:
                    # The same frames again would be replays.
                    self._table = self._new_table()
            batch = self._batches[self._next]
            self._next += 1
            call = self._table.open_batch if self._is_open else self._table.seal_batch
            start = time.perf_counter_ns()
            result = call(batch)
            total += time.perf_counter_ns() - start
            if result.verdict.any():
                raise RuntimeError("a frame of the benchmark was dropped")
        return total

    def _batch(self, chance: random.Random, size: int, number: int) -> _core.FrameBatch:
        frames = []
        for place in range(BATCH):
            vm = chance.randrange(VMS)
            frame = header(to_ds=not self._is_open, own=self._addresses[vm])
            frame += bytes.fromhex("aaaa030000000800") + chance.randbytes(size - 8)
            if self._is_open:
                frame = _core.ccmp_seal(frame, self._keys[vm], 1 + number * BATCH + place)
            frames.append(frame)
        return _core.FrameBatch.from_frames(frames)

    def _new_table(self) -> _core.ConnectionTable:
        table = _core.ConnectionTable(max_vms=VMS)
        for vm, (address, key) in enumerate(zip(self._addresses, self._keys, strict=True)):
            table.add_vm(vm, address, bssid=_ACCESS_POINT)
            table.install_key(vm, 0, _CCMP_128, key)
        return table


def header(*, to_ds: bool, own: bytes) -> bytes:
    """The MAC header of a QoS Data frame between a VM and the access point."""
    ends = (_ACCESS_POINT, own) if to_ds else (own, _ACCESS_POINT)
    return b"\x88" + (b"\x01" if to_ds else b"\x02") + bytes(2) + ends[0] + ends[1] + _PEER + bytes(4)
