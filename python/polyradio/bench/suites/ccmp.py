"""CCMP: batches of 64 packets, each with its own key, next to the processor's limit and to other implementations."""

import random
from collections.abc import Iterator, Sequence
from functools import cache, partial

from polyradio import _core
from polyradio.bench.measure import Case, Named, Plan
from polyradio.bench.peers import CcmPeer, ccm_peers
from polyradio.bench.report import Skipped

DIRECTIONS = ("seal", "open")
SIZES = (64, 256, 512, 1024, 1500, 2304, 7935)
CORNERS = (64, 1500)
"""Sizes with every number of keys, hot and cold, and with every backend."""
KEYS = (1, 1024, 65535)
SOME_KEYS = 1024
_LENGTHS = 64
"""Of a mix: as many as a hot ring has packets at least."""


def cases(plan: Plan) -> Iterator[Case]:
    """Sizes, mixes, keys, hot and cold memory; each backend at 64 and 1500 octets."""
    for direction in DIRECTIONS:
        for size in CORNERS if plan.quick else SIZES:
            is_corner = size in CORNERS and not plan.quick
            for keys in KEYS if is_corner else (SOME_KEYS,):
                for cold in (False, True) if is_corner else (False,):
                    yield _case(plan, direction, str(size), [size], keys=keys, cold=cold)
        yield _case(plan, direction, "wlan", wlan_mix(plan.seed))
        if not plan.quick:
            yield _case(plan, direction, "uniform", uniform(plan.seed))
    if plan.backend is None:
        for direction in DIRECTIONS:
            for size in CORNERS:
                for backend, is_here in _core.ccmp_backends().items():
                    if is_here and backend != plan.best:
                        yield _case(plan, direction, str(size), [size], backend=backend)


def wlan_mix(seed: int) -> list[int]:
    """What a busy cell carries: three in ten short, half near 1500 octets, the others between."""
    chance = random.Random(seed)

    def length() -> int:
        kind = chance.randrange(10)
        if kind < 3:
            return 64 + chance.randrange(64)
        return 1500 + chance.randrange(40) if kind < 8 else 200 + chance.randrange(1000)

    return [length() for _ in range(_LENGTHS)]


def uniform(seed: int) -> list[int]:
    """From 64 to 2304 octets, each length as likely as another."""
    chance = random.Random(seed)
    return [chance.randint(64, 2304) for _ in range(_LENGTHS)]


def aes_limit(lengths: Sequence[int], backend: str) -> Named:
    """The AES rounds of these bodies at the width of a backend; a chain where there are none."""
    # `portable` uses the same instructions as `aes-ni` where there are any.
    backend = "aes-ni" if backend == "portable" else backend
    if _core.ccmp_backends().get(backend, False):
        return f"AES limit of {backend}", partial(_core.Workload.aes_limit, lengths, backend)
    return "chain of 32 KiB", partial(_core.Workload.chain, 1 << 15)


def _case(
    plan: Plan,
    direction: str,
    size: str,
    lengths: list[int],
    *,
    keys: int = SOME_KEYS,
    cold: bool = False,
    backend: str | None = None,
) -> Case:
    parts = ["ccmp", direction, size, f"keys={keys}", "cold" if cold else "hot", *([backend] if backend else [])]
    used = backend or plan.backend or _core.best_backend()
    limit = aes_limit(lengths, used)
    subject = partial(
        _core.Workload.ccmp,
        direction,
        lengths,
        keys=keys,
        backend=used,
        cold=cold,
        seed=plan.seed,
        handicap=plan.handicap,
    )
    peers: list[Named] = []
    skipped: list[Skipped] = []
    if backend is None:
        build = _core.Workload.ccm_crate
        peers.append(("ccm crate", partial(build, direction, lengths, keys=keys, cold=cold, seed=plan.seed)))
        libraries, skipped = _libraries()
        peers += [peer.named(direction, lengths, keys=keys, cold=cold, seed=plan.seed) for peer in libraries]
    return Case(
        suite="ccmp",
        name="/".join(parts),
        parameters={
            "direction": direction,
            "octets": lengths[0] if len(lengths) == 1 else size,
            "keys": keys,
            "cold": cold,
        },
        subject=subject,
        reference=limit,
        limit=limit if limit[0].startswith("AES") else None,
        peers=peers,
        skipped=skipped,
        backend=used,
        # Counted with what valgrind knows, which another backend may not be.
        countable=backend is None,
    )


@cache
def _libraries() -> tuple[list[CcmPeer], list[Skipped]]:
    return ccm_peers()
