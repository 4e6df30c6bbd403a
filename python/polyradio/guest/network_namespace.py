"""A Linux network namespace: a whole TCP/IP stack of its own, reached through TAP interfaces.

It needs neither root nor a name under /run/netns: a thread steps into a new namespace, which then lives as long as a
file descriptor of it is open. Not here: what runs inside (`real_traffic`) and who moves the frames (`_core.TapPort`).
Promise: the process itself never leaves the namespace that it was started in.
"""

import ctypes
import errno
import fcntl
import os
import re
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Self, TypeVar

from polyradio.errors import LocalProtocolError, NotAvailable

T = TypeVar("T")


class NetworkNamespace:
    """A namespace with its loopback up and IPv6 off: its autoconfiguration would add frames that nobody sent."""

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise NotAvailable('network namespaces are Linux\'s: use port = "memory"')
        self._fd = _on_a_thread(_make_namespace)
        self._taps: list[int] = []
        try:
            self.call(_prepare)
        except BaseException:
            self.close()
            raise

    def tap(self, name: str, *, mac: bytes | None = None, ip: IPv4Interface | str | None = None) -> int:
        """A TAP interface inside (IFF_TAP | IFF_NO_PI), up; its file descriptor does not block and `close` closes it.

        Raises:
            LocalProtocolError: the name is no interface name, or the address is not six octets.
            NotAvailable: there is no /dev/net/tun or no right to open it.
        """
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,15}", name):
            raise LocalProtocolError(f"{name!r} is no interface name: 1 to 15 letters, digits, '-', '_' or '.'")
        if mac is not None and len(mac) != 6:
            raise LocalProtocolError(f"a MAC address has six octets, not {len(mac)}")
        interface = None if ip is None else IPv4Interface(ip)
        fd = self.call(lambda: _open_tap(name, mac, interface))
        self._taps.append(fd)
        return fd

    def call(self, function: Callable[[], T]) -> T:
        """What a function returns on a thread that stands in the namespace: its sockets and children belong to it."""
        if self._fd < 0:
            raise LocalProtocolError("the network namespace is closed")

        def step_in() -> T:
            _check(_libc().setns(self._fd, _CLONE_NEWNET), "step into the network namespace")
            return function()

        return _on_a_thread(step_in)

    def popen(
        self, argv: Sequence[str], *, stdout: int = subprocess.PIPE, stderr: int = subprocess.PIPE
    ) -> "subprocess.Popen[str]":
        """A process inside, which the caller ends; its messages are in English.

        Raises:
            NotAvailable: there is no such program.
        """
        environment = {**os.environ, "LC_ALL": "C"}

        def start() -> "subprocess.Popen[str]":
            return subprocess.Popen(
                list(argv), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, text=True, env=environment
            )

        try:
            return self.call(start)
        except FileNotFoundError:
            raise NotAvailable(f"{argv[0]} is not installed{_apt_hint(argv[0])}") from None

    def run(self, argv: Sequence[str], *, timeout_s: float = 30) -> "subprocess.CompletedProcess[str]":
        """A process inside, to its end; raises `subprocess.TimeoutExpired` after ending it."""
        with self.popen(argv) as process:
            try:
                stdout, stderr = process.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(list(argv), process.returncode, stdout, stderr)

    def fileno(self) -> int:
        """The file descriptor that keeps the namespace alive, for setns(2)."""
        return self._fd

    def close(self) -> None:
        """Closes its interfaces and lets the namespace go; processes inside keep it until they end."""
        for fd in self._taps:
            os.close(fd)
        self._taps = []
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _make_namespace() -> int:
    _check(_libc().unshare(_CLONE_NEWNET), "make a network namespace")
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _prepare() -> None:
    for scope in ("all", "default"):
        # Without IPv6 in the kernel, or with /proc/sys read-only, there is only more noise.
        try:
            Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6").write_text("1", encoding="ascii")
        except OSError:
            break
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        _bring_up(control, "lo")


def _open_tap(name: str, mac: bytes | None, ip: IPv4Interface | None) -> int:
    try:
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise NotAvailable(
            f"/dev/net/tun cannot be opened ({error.strerror}): it is what TAP interfaces come from"
        ) from None
    try:
        fcntl.ioctl(fd, _TUNSETIFF, _request(name, struct.pack("=H", _IFF_TAP | _IFF_NO_PI)))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            if mac is not None:
                fcntl.ioctl(control, _SIOCSIFHWADDR, _request(name, struct.pack("=H6s", _ARPHRD_ETHER, mac)))
            if ip is not None:
                for request, address in ((_SIOCSIFADDR, ip.ip), (_SIOCSIFNETMASK, ip.netmask)):
                    fcntl.ioctl(
                        control, request, _request(name, struct.pack("=HH4s", socket.AF_INET, 0, address.packed))
                    )
            _bring_up(control, name)
    except OSError as error:
        os.close(fd)
        if error.errno == errno.EPERM:
            raise NotAvailable(f"no right to make a TAP interface: {_HOW}") from None
        raise
    return fd


def _bring_up(control: socket.socket, name: str) -> None:
    flags = fcntl.ioctl(control, _SIOCGIFFLAGS, _request(name, b""))
    (value,) = struct.unpack_from("=H", flags, 16)
    fcntl.ioctl(control, _SIOCSIFFLAGS, _request(name, struct.pack("=H", value | _IFF_UP)))


def _request(name: str, payload: bytes) -> bytes:
    """`struct ifreq` of netdevice(7)."""
    return struct.pack("=16s24s", name.encode("ascii"), payload)


def _on_a_thread(function: Callable[[], T]) -> T:
    """Runs it on a thread of its own, which ends: what it did to its namespaces ends with it."""
    results: list[T] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            results.append(function())
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            errors.append(error)

    thread = threading.Thread(target=body, name="network-namespace")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result == 0:
        return
    number = ctypes.get_errno()
    if number in {errno.EPERM, errno.ENOSYS, errno.EINVAL}:
        raise NotAvailable(f"no right to {what} ({os.strerror(number)}): {_HOW}")
    raise OSError(number, f"{what}: {os.strerror(number)}")


def _apt_hint(program: str) -> str:
    package = {"ping": "iputils-ping", "iperf3": "iperf3", "ip": "iproute2", "tshark": "tshark"}.get(program)
    return "" if package is None else f": apt-get install {package}"


_HOW = "run as root or under `unshare -Urn`"
_CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_UP, _IFF_TAP, _IFF_NO_PI = 0x1, 0x2, 0x1000
_ARPHRD_ETHER = 1
_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_SIOCSIFADDR, _SIOCSIFNETMASK, _SIOCSIFHWADDR = 0x8916, 0x891C, 0x8924
