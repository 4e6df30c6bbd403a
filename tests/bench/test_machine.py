"""The machine's name for itself."""

from polyradio.bench.machine import machine


def test_the_same_machine_has_the_same_fingerprint() -> None:
    first, second = machine(), machine()
    assert first == second
    assert len(first.fingerprint) == 12
    assert int(first.fingerprint, 16) >= 0
    assert first.cpu
    assert first.cores >= 1
