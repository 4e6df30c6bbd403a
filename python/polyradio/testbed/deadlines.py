"""Who wants to be woken when: a heap that forgets what was replaced."""

import heapq
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

Sleeper = TypeVar("Sleeper", bound=Hashable)


class Deadlines(Generic[Sleeper]):
    """At most one deadline for each sleeper; of equal ones the sleeper that was set first is woken first."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Sleeper]] = []
        self._current: dict[Sleeper, tuple[int, int]] = {}
        self._count = 0

    def set(self, sleeper: Sleeper, deadline: int | None) -> None:
        """Replaces the sleeper's deadline; None: it need not be woken."""
        current = self._current.get(sleeper)
        if deadline is None:
            self._current.pop(sleeper, None)
        elif current is None or current[0] != deadline:
            self._count += 1
            self._current[sleeper] = (deadline, self._count)
            heapq.heappush(self._heap, (deadline, self._count, sleeper))

    def next(self) -> int | None:
        """The earliest deadline."""
        while self._heap and self._is_stale(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now: int) -> Iterator[Sleeper]:
        """Takes out and yields the sleepers whose time has come, those set while they are handled included."""
        while (deadline := self.next()) is not None and deadline <= now:
            _, _, sleeper = heapq.heappop(self._heap)
            del self._current[sleeper]
            yield sleeper

    def _is_stale(self, entry: tuple[int, int, Sleeper]) -> bool:
        deadline, number, sleeper = entry
        return self._current.get(sleeper) != (deadline, number)
