"""Intel's multi-buffer library, job by job, each with its own key; flushed once, at the end of a slice."""

import ctypes
from collections.abc import Sequence
from functools import partial

from polyradio import _core
from polyradio.bench.measure import Named
from polyradio.errors import NotAvailable

_LIBRARY = "libIPSec_MB.so.1"
_VERSION = "1.3"
_POINTERS = {"keyexp_128": 112, "get_next_job": 64, "submit_job_nocheck": 80, "get_completed_job": 88, "flush_job": 96}
"""Offsets of pointers to functions in `IMB_MGR` of version 1.3 (intel-ipsec-mb.h)."""


class IpsecMb:
    """The library, loaded, with a manager for this processor.

    Raises:
        NotAvailable: It is not installed, of another version, or does not start here.
    """

    def __init__(self) -> None:
        try:
            library = ctypes.CDLL(_LIBRARY)
        except OSError:
            raise NotAvailable(f"{_LIBRARY} is not installed") from None
        version_of = getattr(library, "imb_get_version_str", None)
        if version_of is None:
            raise NotAvailable(f"{_LIBRARY} does not say its version")
        version_of.restype = ctypes.c_char_p
        version = version_of().decode().removeprefix("v")
        if not version.startswith(f"{_VERSION}."):
            raise NotAvailable(f"version {version} is installed; the layout of {_VERSION} is known")
        self.name = f"intel-ipsec-mb {version.split('-')[0]}"
        library.alloc_mb_mgr.restype = ctypes.c_void_p
        library.alloc_mb_mgr.argtypes = [ctypes.c_uint64]
        library.init_mb_mgr_auto.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        # Never freed: works may outlive this object, and there is one.
        manager = library.alloc_mb_mgr(0)
        if not manager:
            raise NotAvailable(f"{self.name} does not start here")
        library.init_mb_mgr_auto(manager, None)
        functions = [ctypes.c_size_t.from_address(manager + offset).value for offset in _POINTERS.values()]
        if 0 in functions:
            raise NotAvailable(f"{self.name} has no kernels for this processor")
        self._library = library
        self._addresses = [manager, *functions]

    def named(self, direction: str, lengths: Sequence[int], *, keys: int, cold: bool, seed: int) -> Named:
        """As the protocol says."""
        build = _core.Workload.ipsec_mb
        return self.name, partial(build, direction, lengths, self._addresses, keys=keys, cold=cold, seed=seed)
