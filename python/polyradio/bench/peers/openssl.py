"""OpenSSL's AES-128-CCM by its EVP interface: a ready context for each key, one packet at a time."""

import ctypes
import ctypes.util
from collections.abc import Sequence
from functools import partial

from polyradio import _core
from polyradio.bench.measure import Named
from polyradio.errors import NotAvailable

_LIBRARY = "libcrypto.so.3"


class OpenSsl:
    """The library, loaded.

    Raises:
        NotAvailable: It is not installed, or too old.
    """

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL(_LIBRARY)
            self._library.OpenSSL_version.restype = ctypes.c_char_p
            self._library.EVP_CIPHER_fetch.restype = ctypes.c_void_p
        except OSError:
            raise NotAvailable(f"{_LIBRARY} is not installed") from None
        except AttributeError as error:
            raise NotAvailable(f"{_LIBRARY}: {error}") from None
        version = self._library.OpenSSL_version(0).decode()
        self.name = " ".join(version.split()[:2])
        # Never freed: works may outlive this object, and there is one.
        self._cipher = self._library.EVP_CIPHER_fetch(None, b"AES-128-CCM", None)
        if not self._cipher:
            raise NotAvailable(f"{self.name} has no AES-128-CCM")

    def named(self, direction: str, lengths: Sequence[int], *, keys: int, cold: bool, seed: int) -> Named:
        """As the protocol says."""
        kind = "Encrypt" if direction == "seal" else "Decrypt"
        functions = ("CIPHER_CTX_new", "CIPHER_CTX_free", "CIPHER_CTX_ctrl", f"{kind}Init_ex", f"{kind}Update")
        addresses = [self._cipher, *(_address(getattr(self._library, f"EVP_{name}")) for name in functions)]
        build = _core.Workload.openssl
        return self.name, partial(build, direction, lengths, addresses, keys=keys, cold=cold, seed=seed)


def _address(function: object) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0  # type: ignore[arg-type]
