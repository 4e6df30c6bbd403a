"""Every CCMP backend of this processor against `cryptography`'s AES-CCM, octet for octet, on random batches.

A reduced form runs always, with a seed that is printed; `POLYRADIO_SEED` chooses another one. The full form takes some
minutes: `POLYRADIO_BATCHES=100000 pytest tests/security/test_backends.py`. That is the number of batches, half of them
CCMP-128 and half CCMP-256. Each is sealed by every backend, and opened after bits of most of its frames were flipped.

AAD and nonce are made here, by the rules of IEEE 802.11-2020 12.5.3.3.3 and 12.5.3.3.4, not by the code under test.
"""

import os
from dataclasses import dataclass

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

import polyradio
from polyradio import FrameBatch, LocalProtocolError, Verdict

BATCHES = int(os.environ.get("POLYRADIO_BATCHES", "6000"))
SEED = int(os.environ.get("POLYRADIO_SEED", "802011"))
AVAILABLE = [name for name, is_available in polyradio.ccmp_backends().items() if is_available]

MAX_PACKETS = 100
MAX_BODY = 7935

DATA, QOS = 0x08, 0x80
TO_DS_AND_FROM_DS, RETRY, POWER_MANAGEMENT, MORE_DATA, PROTECTED, ORDER = 0x03, 0x08, 0x10, 0x20, 0x40, 0x80


@dataclass(frozen=True, slots=True)
class Packet:
    """A plaintext MPDU and what becomes of it."""

    plain: bytes
    sealed: bytes
    header_length: int
    authenticated: list[tuple[int, int]]
    """Octets and bits of the sealed MPDU's headers that a forger cannot flip unnoticed."""
    ignored: list[tuple[int, int]]
    """Octets and bits that no integrity code covers."""


def protect(header: bytes, body: bytes, key: bytes, number: int, key_id: int) -> Packet:
    kind, flags = header[0], header[1]
    is_data = bool(kind & DATA)
    has_address4 = is_data and flags & TO_DS_AND_FROM_DS == TO_DS_AND_FROM_DS
    has_qos = is_data and bool(kind & QOS)
    has_ht_control = bool(flags & ORDER) and (has_qos or not is_data)
    qos = 24 + 6 * has_address4
    length = qos + 2 * has_qos + 4 * has_ht_control
    header = header[:length]
    tid = header[qos] & 0x0F if has_qos else 0

    aad_flags = flags & ~(RETRY | POWER_MANAGEMENT | MORE_DATA | (ORDER if has_qos else 0)) | PROTECTED
    aad = bytes((kind & 0x8F if is_data else kind, aad_flags)) + header[4:22] + bytes((header[22] & 0x0F, 0))
    aad += header[24 : 24 + 6 * has_address4] + bytes((tid, 0)) * has_qos
    nonce = bytes((tid if is_data else 0x10,)) + header[10:16] + number.to_bytes(6)

    pn = number.to_bytes(6, "little")
    ccmp_header = pn[:2] + bytes((0, 0x20 | key_id << 6)) + pn[2:]
    protected = bytes((kind, flags | PROTECTED)) + header[2:]
    sealed = protected + ccmp_header + AESCCM(key, len(key) // 2).encrypt(nonce, body, aad)

    authenticated = [(octet, 0xFF) for octet in (*range(4, 22), *range(24, 24 + 6 * has_address4))]
    authenticated += [(22, 0x0F)] + [(qos, 0x0F)] * has_qos + [(0, 0xF0)] * (not is_data)
    authenticated += [(length + octet, 0xFF) for octet in (0, 1, 4, 5, 6, 7)]
    ignored = [(1, RETRY | POWER_MANAGEMENT | MORE_DATA), (2, 0xFF), (3, 0xFF), (22, 0xF0), (23, 0xFF)]
    ignored += [(qos, 0xF0), (qos + 1, 0xFF)] * has_qos + [(length - 1, 0xFF)] * has_ht_control
    return Packet(header + body, sealed, length, authenticated, ignored)


class Batches:
    """Random batches; the same ones for the same seed."""

    def __init__(self, seed: int, key_length: int) -> None:
        self.random = np.random.default_rng([seed, key_length])
        self.pool = self.random.bytes(1 << 18)
        self.key_length = key_length

    def log_uniform(self, count: int, largest: int) -> list[int]:
        """From 0 on, small ones as often as large ones."""
        return (np.exp(self.random.random(count) * np.log(largest + 2)) - 1).astype(int).clip(0, largest).tolist()

    def octets(self, length: int) -> bytes:
        start = int(self.random.integers(len(self.pool) - length))
        return self.pool[start : start + length]

    def guard(self, length: int) -> bytes:
        """A control frame: CCMP leaves it alone."""
        return b"\xd4" + self.octets(length)

    def numbers(self, count: int) -> np.ndarray:
        numbers = self.random.integers(1 << 48, size=count, dtype=np.uint64)
        edges = self.random.random(count) < 0.1
        numbers[edges] = self.random.choice(np.array([0, 1, 0xFFFF, 1 << 16, (1 << 48) - 1], np.uint64), edges.sum())
        return numbers

    def keys(self, count: int) -> tuple[bytes | np.ndarray, list[bytes]]:
        """As the function takes them, and the key of each frame: one for all, a few, or one for each."""
        keys = self.random.integers(256, size=(count, self.key_length), dtype=np.uint8)
        match self.random.integers(4):
            case 0:
                return keys[0].tobytes(), [keys[0].tobytes()] * count
            case 1:
                keys = keys[self.random.integers(min(count, 4), size=count)]
        return keys, [key.tobytes() for key in keys]

    def packet(self, key: bytes, number: int, key_id: int, length: int) -> Packet:
        header = bytearray(self.octets(36))
        # Any subtype; data twice as often as management.
        header[0] = header[0] & 0xF0 | (DATA if header[0] & 0x0F < 11 else 0)
        return protect(bytes(header), self.octets(length), key, number, key_id)

    def forged(self, packet: Packet) -> tuple[bytes, bytes, Verdict]:
        """What arrives, what comes out, and the verdict: as it was sealed, or with a flipped bit somewhere."""
        sealed = bytearray(packet.sealed)
        plain = bytearray(packet.plain)
        plain[1] &= ~PROTECTED
        choice, place, bit = self.random.integers((6, 1 << 30, 1 << 30)).tolist()
        start = packet.header_length + 8
        mic = len(sealed) - self.key_length // 2
        match choice:
            case 0:
                sealed[mic + place % (len(sealed) - mic)] ^= 1 << bit % 8
            case 1 if mic > start:
                sealed[start + place % (mic - start)] ^= 1 << bit % 8
            case 2:
                octet, mask = packet.authenticated[place % len(packet.authenticated)]
                sealed[octet] ^= chosen_bit(mask, bit)
            case 3:
                octet, mask = packet.ignored[place % len(packet.ignored)]
                flip = chosen_bit(mask, bit)
                sealed[octet] ^= flip
                plain[octet] ^= flip
                return bytes(sealed), bytes(plain), Verdict.OK
            case _:
                return packet.sealed, bytes(plain), Verdict.OK
        return bytes(sealed), b"", Verdict.MIC_FAILED


def chosen_bit(mask: int, choice: int) -> int:
    bits = [1 << bit for bit in range(8) if mask >> bit & 1]
    return bits[choice % len(bits)]


class Guarded:
    """A batch in the middle of a larger array, whose every octet has to stay as it is."""

    def __init__(self, batches: Batches, frames: list[bytes]) -> None:
        before = int(batches.random.integers(1, 130))
        octets = b"".join(frames)
        self.whole = np.frombuffer(batches.octets(before) + octets + batches.octets(64), np.uint8).copy()
        self.copy = self.whole.copy()
        offsets = np.cumsum([0, *map(len, frames)]).astype(np.uint32)
        data = self.whole[before : before + len(octets)]
        self.batch = FrameBatch(data, offsets)
        assert np.shares_memory(self.batch.data, self.whole)

    def is_untouched(self) -> bool:
        return bool((self.whole == self.copy).all())


def check(result: polyradio.CcmpResult, frames: list[bytes], verdicts: list[Verdict], place: str) -> None:
    """The whole batch at once; only where it differs, frame by frame, for the message."""
    if (
        result.frames.data.tobytes() == b"".join(frames)
        and (np.diff(result.frames.offsets) == list(map(len, frames))).all()
        and (result.verdict == verdicts).all()
    ):
        return
    for index, (frame, verdict) in enumerate(zip(frames, verdicts, strict=True)):
        assert Verdict(result.verdict[index]) == verdict, f"{place}, frame {index} of {len(frames)}"
        assert result.frames[index].hex() == frame.hex(), f"{place}, frame {index} of {len(frames)}"
    raise AssertionError(place)


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("key_length", [16, 32], ids=["ccmp-128", "ccmp-256"])
def test_every_backend_equals_the_cryptography_package(key_length: int) -> None:
    print(f"seed {SEED}, {BATCHES // 2} batches, {', '.join(AVAILABLE)}")  # noqa: T201 - shown where it fails
    batches = Batches(SEED, key_length)
    for number in range(BATCHES // 2):
        check_batch(batches, f"seed {SEED}, batch {number}")


def check_batch(batches: Batches, place: str) -> None:
    [packets] = batches.log_uniform(1, MAX_PACKETS - 1)
    lengths = batches.log_uniform(packets + 1, MAX_BODY)
    # Guard frames between the others, in every other batch.
    guards = batches.random.random(packets + 1) < 0.3 * batches.random.integers(2)
    guards[-1] = False
    keys, each_key = batches.keys(packets + 1)
    numbers, key_ids = batches.numbers(packets + 1), batches.random.integers(4, size=packets + 1, dtype=np.uint8)
    made = [
        None if is_guard else batches.packet(*values)
        for is_guard, *values in zip(guards, each_key, numbers.tolist(), key_ids.tolist(), lengths, strict=True)
    ]
    guard = batches.guard(int(batches.random.integers(1, 100)))

    plain = Guarded(batches, [packet.plain if packet else guard for packet in made])
    sealed = [packet.sealed if packet else b"" for packet in made]
    verdicts = [Verdict.OK if packet else Verdict.MALFORMED for packet in made]
    forged = [batches.forged(packet) if packet else (guard, b"", Verdict.MALFORMED) for packet in made]
    arriving = Guarded(batches, [arrives for arrives, _, _ in forged])
    opened, open_verdicts = [frame for _, frame, _ in forged], [verdict for _, _, verdict in forged]
    is_open = np.array(open_verdicts) == Verdict.OK
    for backend in AVAILABLE:
        where = f"{place}, {backend}"
        result = polyradio.ccmp_seal_batch(plain.batch, keys, numbers, key_ids=key_ids, backend=backend)
        check(result, sealed, verdicts, f"{where}, sealed")
        assert (result.packet_number == np.where(guards, 0, numbers)).all()
        result = polyradio.ccmp_open_batch(arriving.batch, keys, backend=backend)
        check(result, opened, open_verdicts, f"{where}, opened")
        assert (result.packet_number == np.where(is_open, numbers, 0)).all()
    assert plain.is_untouched(), place
    assert arriving.is_untouched(), place


@pytest.mark.parametrize("name", polyradio.ccmp_backends())
def test_a_backend_that_is_not_here_is_refused_by_name(name: str) -> None:
    batch, keys, numbers = FrameBatch.from_frames([bytes(40)]), bytes(range(16)), np.ones(1, np.uint64)
    if name in AVAILABLE:
        sealed = polyradio.ccmp_seal_batch(batch, keys, numbers, backend=name).frames
        assert polyradio.ccmp_open_batch(sealed, keys, backend=name).verdict.tolist() == [Verdict.OK]
        return
    with pytest.raises(LocalProtocolError, match="portable"):
        polyradio.ccmp_seal_batch(batch, keys, numbers, backend=name)
    pytest.skip(f"this processor has no {name}")
