"""The errors of polyradio: each says whose fault it was.

`PolyradioError` is the base; what the caller did wrong is a `LocalProtocolError`, what came wrong from elsewhere is a
`RemoteProtocolError`, what the device refused is `DeviceRejected`, a device that is gone is `DeviceLost`.
"""


class PolyradioError(Exception):
    """Base of all errors of polyradio."""


class LocalProtocolError(PolyradioError, ValueError):
    """The caller's arguments make no sense."""


class RemoteProtocolError(PolyradioError, ValueError):
    """Octets from elsewhere could not be read or break the protocol."""


class MicError(RemoteProtocolError):
    """A message integrity code is wrong; no plaintext was released."""


class ReplayError(RemoteProtocolError):
    """A packet number or replay counter is not larger than the last one."""


class DeviceLost(PolyradioError):  # noqa: N818 - the public name is fixed
    """The device does not answer any more."""


class DeviceRejected(PolyradioError):  # noqa: N818 - the public name is fixed
    """The device refused a call; `call_error` names the reason."""

    def __init__(self, call_error: str) -> None:
        super().__init__(f"the device refused the call: {call_error}")
        self.call_error = call_error


class NotAvailable(PolyradioError):  # noqa: N818 - parallel to DeviceLost
    """It could not be done here: a tool, a right or a device is missing. Exit code 3."""


class ScenarioError(PolyradioError, ValueError):
    """A scenario file is wrong; `problems` holds one line for each mistake, with its place."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
