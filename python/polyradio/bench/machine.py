"""Which machine this is: figures of two machines are not compared."""

import hashlib
import os
import platform
import re
from pathlib import Path

from polyradio.bench.report import Machine

FEATURES = (
    "aes",
    "pclmulqdq",
    "sse4_1",
    "avx",
    "avx2",
    "bmi2",
    "vaes",
    "vpclmulqdq",
    "gfni",
    "avx512f",
    "avx512bw",
    "avx512vl",
)
"""What of an x86 processor decides how fast this is."""


def machine() -> Machine:
    """This machine. The fingerprint is of processor, cores and features: not of kernel or memory."""
    fields = _cpuinfo()
    cpu = _cpu(fields)
    flags = set(fields.get("flags", fields.get("Features", "")).split())
    features = tuple(name for name in FEATURES if name in flags)
    if not features and "aes" in flags:
        features = ("aes",)
    cores = os.cpu_count() or 1
    identity = "\n".join((platform.machine(), cpu, str(cores), *features))
    fingerprint = hashlib.sha256(identity.encode()).hexdigest()[:12]
    return Machine(fingerprint, cpu, cores, features, _memory(), platform.release(), platform.python_version())


def _cpuinfo() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    first = text.split("\n\n", 1)[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _cpu(fields: dict[str, str]) -> str:
    name = re.sub(r"\s+", " ", fields.get("model name", "")) or platform.processor() or platform.machine()
    # The name alone says little on a virtual machine.
    numbers = [f"{key} {fields[source]}" for key, source in _NUMBERS if source in fields]
    return f"{name} ({', '.join(numbers)})" if numbers else name


_NUMBERS = (("family", "cpu family"), ("model", "model"), ("stepping", "stepping"))


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0
