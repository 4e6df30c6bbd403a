"""The state of scans."""

from polyradio.engine.scan_queue import RunningScan, ScanRequest, unite
from polyradio.engine.schedule import Round
from polyradio.host_api import Scan, Slot, VrId


def request(vr: int, *channels: int) -> ScanRequest:
    return ScanRequest(VrId(vr), 0, Scan(channels))


def test_a_young_scan_takes_in_others_on_overlapping_channels() -> None:
    scan = RunningScan.of([request(0, 1, 6)], 100)
    assert scan.may_join((6, 11), 110, window_ns=10)
    assert not scan.may_join((6, 11), 111, window_ns=10)
    assert not scan.may_join((11,), 110, window_ns=10)
    scan.join(request(1, 6, 11))
    assert scan.remaining == [1, 6, 11]
    assert scan.serves(VrId(1))
    assert not scan.serves(VrId(2))


def test_a_round_that_ends_early_leaves_what_was_not_visited() -> None:
    slots = (Slot(1, 60), Slot(6, 60), Slot(11, 60))
    for now, remaining in ((59_999, [1, 6, 11]), (60_000, [6, 11]), (120_000, [11]), (180_000, [])):
        scan = RunningScan.of([request(0, 1, 6, 11)], 0)
        scan.begin_round(Round(slots, frozenset((1, 6, 11))), 0, guard_ns=0)
        assert scan.round_ends == 180_000
        scan.end_round(now, guard_ns=0)
        assert scan.remaining == remaining


def test_channels_keep_the_order_in_which_they_were_asked_for() -> None:
    assert unite([(11, 1), (6, 1), ()]) == [11, 1, 6]
