"""The plan of the radio's slots."""

from hypothesis import given
from hypothesis import strategies as st

from polyradio.engine.policy import Policy
from polyradio.engine.schedule import plan_round
from polyradio.host_api import Slot

POLICY = Policy(slot_ms=20, scan_slot_ms=60)


def test_two_channels_in_use_take_turns() -> None:
    planned = plan_round({6: 1, 1: 3}, [], POLICY, 64)
    assert planned.slots == (Slot(1, 20_000), Slot(6, 20_000))


def test_channels_can_share_by_the_number_of_vms() -> None:
    planned = plan_round({1: 3, 6: 1}, [], Policy(slot_ms=30, share="vm"), 64)
    assert planned.slots == (Slot(1, 30_000), Slot(6, 10_000))


def test_nothing_in_use_is_an_empty_schedule() -> None:
    assert plan_round({}, [], POLICY, 64).slots == ()


def test_scan_slots_stand_between_the_slots_of_the_channels_in_use() -> None:
    planned = plan_round({1: 1, 6: 1}, [11, 3], POLICY, 64)
    in_use = (Slot(1, 20_000), Slot(6, 20_000))
    assert planned.slots == (*in_use, Slot(11, 60_000), *in_use, Slot(3, 60_000))
    assert planned.visited == {3, 11}


def test_a_scan_of_a_channel_in_use_makes_its_slot_longer() -> None:
    planned = plan_round({1: 1}, [1, 6], POLICY, 64)
    assert planned.slots == (Slot(1, 60_000), Slot(6, 60_000))
    assert planned.visited == {1, 6}


@given(
    st.dictionaries(st.integers(1, 177), st.integers(1, 64), max_size=8),
    st.lists(st.integers(1, 177), unique=True, max_size=40),
    st.integers(9, 64),
    st.sampled_from(["channel", "vm"]),
)
def test_every_round_fits_the_device_and_a_scan_ends(
    channels: dict[int, int], scan: list[int], max_slots: int, share: str
) -> None:
    policy = Policy(share=share)  # type: ignore[arg-type]
    for _ in range(len(scan) + 1):
        planned = plan_round(channels, scan, policy, max_slots)
        assert len(planned.slots) <= max_slots
        assert set(channels) <= {slot.channel for slot in planned.slots}
        assert all(slot.length_us >= 5000 for slot in planned.slots)
        assert all(
            slot.length_us >= policy.scan_slot_ms * 1000 for slot in planned.slots if slot.channel not in channels
        )
        assert planned.visited <= {slot.channel for slot in planned.slots}
        scan = [channel for channel in scan if channel not in planned.visited]
        if not scan:
            return
    raise AssertionError("the scan makes no progress")
