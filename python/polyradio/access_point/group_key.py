"""The group key and its renewal: all stations get the next key, then it is used (IEEE 802.11-2020 12.7.7)."""

from collections.abc import Callable

from polyradio.access_point.authenticator import SendingGroupKey
from polyradio.rsn import KeyGenerator, key_length


class GroupKeyRing:
    """The key in use, and the next one while it is being handed out. Key identifiers are 1 and 2 in turn.

    Args:
        cipher: the group cipher suite.
        generator: gives the keys.
        packet_number: asks the device for the last packet number sent with the key in use.
    """

    def __init__(self, cipher: int, generator: KeyGenerator, packet_number: Callable[[], int]) -> None:
        self.pending: set[bytes] = set()
        """Stations that have not yet confirmed the next key."""
        self.is_fresh = True
        """The key in use has not reached the device yet: what the device counts belongs to the one before."""
        self._cipher = cipher
        self._generator = generator
        self._packet_number = packet_number
        self._current = (1, self._new_key())
        self._next: tuple[int, bytes] | None = None

    @property
    def current(self) -> SendingGroupKey:
        """The key in use."""
        key_id, key = self._current
        return SendingGroupKey(key_id, key, packet_number=0 if self.is_fresh else self._packet_number())

    @property
    def next(self) -> SendingGroupKey | None:
        """The key that is being handed out."""
        return None if self._next is None else SendingGroupKey(*self._next, packet_number=0)

    def renew(self) -> SendingGroupKey:
        """Makes the next key."""
        self._next = (3 - self._current[0], self._new_key())
        return SendingGroupKey(*self._next, packet_number=0)

    def switch(self) -> SendingGroupKey | None:
        """Uses the next key, if every station has confirmed it."""
        if self._next is None or self.pending:
            return None
        self._current, self._next = self._next, None
        self.is_fresh = True
        return self.current

    def _new_key(self) -> bytes:
        return self._generator.randbytes(key_length(self._cipher))
