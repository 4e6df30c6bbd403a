"""The `cryptography` package's AESCCM: one call from Python for each packet, its object ready."""

import os
import time
from importlib.metadata import version

from cryptography.hazmat.primitives.ciphers.aead import AESCCM

TAG_LENGTH = 8
NAME = f"cryptography {version('cryptography')}"


class AesCcm:
    """Encrypts or decrypts the same packet again and again."""

    items = 1

    def __init__(self, direction: str, length: int, aad_length: int) -> None:
        self._ccm = AESCCM(os.urandom(16), tag_length=TAG_LENGTH)
        self._nonce, self._aad = os.urandom(13), os.urandom(aad_length)
        plaintext = os.urandom(length)
        self._is_open = direction == "open"
        self._data = self._ccm.encrypt(self._nonce, plaintext, self._aad) if self._is_open else plaintext

    def run(self, repetitions: int, /) -> int:
        """As `Runner` says."""
        call = self._ccm.decrypt if self._is_open else self._ccm.encrypt
        nonce, aad, data = self._nonce, self._aad, self._data
        start = time.perf_counter_ns()
        for _ in range(repetitions):
            call(nonce, data, aad)
        return time.perf_counter_ns() - start
