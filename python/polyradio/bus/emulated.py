"""The emulated NIC of the Rust core, by itself or as one radio of a runtime that moves the air around it."""

from polyradio import _core
from polyradio.bus.device import ask_info, read_info
from polyradio.errors import DeviceLost
from polyradio.host_api import DeviceInfo


class EmulatedDevice:
    """An emulated NIC in a runtime; without one it gets a runtime of its own, with nobody else on the air."""

    def __init__(self, runtime: _core.Runtime | None = None, /, **options: int) -> None:
        self.runtime = runtime if runtime is not None else _core.Runtime(0)
        self.radio = self.runtime.add_device(**options)
        self._is_open = True
        self._info = self._ask()

    @property
    def info(self) -> DeviceInfo:
        """What it can do."""
        return self._info

    def submit(self, messages: bytes) -> None:
        """Calls for the device."""
        self._check()
        self.runtime.submit(self.radio, messages)

    def take(self) -> bytes:
        """Completions and device-initiated calls since the last time."""
        self._check()
        return self.runtime.take_messages(self.radio)

    def close(self) -> None:
        """Switches its radio off."""
        if self._is_open:
            self._is_open = False
            self.runtime.set_radio_enabled(self.radio, enabled=False)

    def _ask(self) -> DeviceInfo:
        self.submit(ask_info())
        info = read_info(self.take())
        if info is None:
            self.runtime.run(self.runtime.now_ns)
            info = read_info(self.take())
        if info is None:
            raise DeviceLost("the emulated device does not say what it is")
        return info

    def _check(self) -> None:
        if not self._is_open:
            raise DeviceLost("the device was closed")
