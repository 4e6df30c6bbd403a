"""Nonces and group keys from a seed: the same seed gives the same run.

The state machines take no randomness from the operating system. What they need comes from here: HMAC-SHA-256 of a
counter, under a key made of the seed and of what the generator is for. Nonces go over the air in the clear and betray
neither the seed nor the group keys, which they would with `random.Random`. In a simulation the seed is the scenario's;
in a real deployment the caller takes it from the operating system (`secrets.randbits(256)`).
"""

import hashlib
import hmac


class KeyGenerator:
    """Octets that nobody can tell who does not know the seed.

    Args:
        seed: any integer.
        purpose: sets generators of the same seed apart: what it is for, and whose address it serves.
    """

    def __init__(self, seed: int, purpose: bytes) -> None:
        self._key = hashlib.sha256(f"polyradio {seed} ".encode() + purpose).digest()
        self._counter = 0

    def randbytes(self, length: int) -> bytes:
        """The next octets."""
        blocks = []
        for _ in range(-(-length // 32)):
            blocks.append(hmac.digest(self._key, self._counter.to_bytes(8, "big"), "sha256"))
            self._counter += 1
        return b"".join(blocks)[:length]
