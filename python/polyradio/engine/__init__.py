"""The unified control engine (US 8,392,625, 202): merges, ranks and refuses the VMs' configuration controls.

- `control_engine`: takes every VM's calls, tagged with VR IDs, and decides;
- `policy`: what to decide by, as data;
- `schedule`: the radio's slots, planned from the channels in use and the scans;
- `scan_queue`: the scan under way, and who waits for it;
- `decision_log`: what became of every call, with the reason.

Not here: which VM a virtual radio belongs to (`host`), how the device obeys (`rust_core/src/device`). Data frames pass
the engine by. Promise: every configuration call ends in the log and is answered by exactly one completion.
"""

from polyradio.engine.control_engine import ControlEngine
from polyradio.engine.decision_log import Decision, DecisionLog, Outcome
from polyradio.engine.policy import Policy

__all__ = ["ControlEngine", "Decision", "DecisionLog", "Outcome", "Policy"]
