"""What the control engine decides by: data, no behaviour."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Policy:
    """How the one radio is shared."""

    slot_ms: float = 20.0
    """How long the radio stays on a channel in use before it serves the next one."""
    scan_slot_ms: float = 60.0
    """How long a scan listens on each channel."""
    scan_merge_ms: float = 10.0
    """A scan that arrives within this time of another one's start, on overlapping channels, becomes part of it."""
    share: Literal["channel", "vm"] = "channel"
    """Every channel in use gets the same time, or each in proportion to the VMs on it."""
    max_channels: int = 8
    """How many channels may be in use at the same time; a VM that asks for one more is refused."""
    guard_ms: float = 2.0
    """What the radio may need beyond each slot of a scan round to leave a channel in good order."""
