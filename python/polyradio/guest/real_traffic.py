"""Traffic of real Linux stacks: ping and iperf3 as processes in network namespaces.

`start`, then `poll` until it says that it is over, then `result`. Not here: traffic of in-process guests (`traffic`).
Promise: it ends only processes that it started, and after `stop` none of them is left.
"""

import json
import re
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import IO, Literal

from polyradio.errors import NotAvailable
from polyradio.guest.network_namespace import NetworkNamespace

Kind = Literal["ping", "udp", "iperf3"]


@dataclass(frozen=True, slots=True)
class TrafficResult:
    """What came of it; fields that the kind does not measure are None."""

    kind: Kind
    peer: str
    sent: int | None = None
    """Packets."""
    received: int | None = None
    """Packets; for a ping, answers."""
    loss: float | None = None
    """Share of packets lost, 0 to 1."""
    rtt_min_ms: float | None = None
    rtt_avg_ms: float | None = None
    rtt_max_ms: float | None = None
    mbps: float | None = None
    """What arrived at the far end, in Mbit/s."""
    retransmits: int | None = None
    """TCP segments."""
    failure: str | None = None
    """Why there is no result."""


class RealTraffic:
    """One flow from a guest's namespace to a peer."""

    def __init__(
        self,
        kind: Kind,
        namespace: NetworkNamespace,
        peer: IPv4Address | str,
        *,
        duration_s: float,
        peer_namespace: NetworkNamespace | None = None,
        interval_ms: float = 50,
        size: int = 64,
        rate_mbps: float | None = None,
        port: int = 5201,
    ) -> None:
        """Nothing runs before `start`.

        Args:
            kind: `ping` (ICMP echo), `udp` (iperf3 with datagrams) or `iperf3` (TCP).
            namespace: where it is sent from.
            peer: where it is sent to.
            duration_s: how long it sends, in seconds.
            peer_namespace: where the peer's iperf3 server is to run; not needed for a ping.
            interval_ms: from one packet to the next; not for TCP.
            size: octets of payload of a packet; not for TCP.
            rate_mbps: a limit for TCP; for UDP it comes instead of the interval.
            port: of the server; two flows to one namespace need two.

        Raises:
            NotAvailable: a program is not installed.
        """
        program = "ping" if kind == "ping" else "iperf3"
        if shutil.which(program) is None:
            package = {"ping": "iputils-ping"}.get(program, program)
            raise NotAvailable(f"{program} is not installed: apt-get install {package}")
        self._kind: Kind = kind
        self._namespace = namespace
        self._peer = str(peer)
        self._peer_namespace = peer_namespace
        self._duration_s = duration_s
        self._port = port
        self._interval_ms = interval_ms
        self._size = size
        self._rate_mbps = rate_mbps
        self._server: subprocess.Popen[str] | None = None
        self._client: subprocess.Popen[str] | None = None
        self._output: IO[str] | None = None
        self._failure: str | None = None

    def start(self) -> None:
        """Starts to send; iperf3's client waits in `poll` until the server listens."""
        if self._kind == "ping":
            self._start_client()
        elif self._peer_namespace is None:
            self._failure = "there is no Linux stack at the far end"
        else:
            argv = ["iperf3", "-s", "-1", "-4", "-B", self._peer, "-p", str(self._port)]
            self._server = self._peer_namespace.popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def poll(self) -> bool:
        """Whether it is over."""
        if self._failure is not None:
            return True
        if self._client is not None:
            return self._client.poll() is not None
        if self._server is not None:
            if self._server.poll() is not None:
                self._failure = f"the iperf3 server ended with exit code {self._server.returncode}"
                return True
            if _is_listening(self._server.pid, self._port):
                self._start_client()
        return False

    def result(self) -> TrafficResult:
        """What came of it; before its end, it is stopped first."""
        self.stop()
        text = ""
        if self._output is not None:
            self._output.seek(0)
            text = self._output.read()
        if self._failure is not None or self._client is None:
            failure = self._failure or "it never started: the far end did not listen"
            return TrafficResult(self._kind, self._peer, failure=failure)
        return _ping_result(self._peer, text) if self._kind == "ping" else _iperf3_result(self._kind, self._peer, text)

    def stop(self) -> None:
        """Ends what it started and is still running."""
        for process in (self._client, self._server):
            if process is None:
                continue
            if process.poll() is None:
                process.send_signal(signal.SIGINT)  # both programs print their summary then
                try:
                    process.wait(3)
                except subprocess.TimeoutExpired:
                    process.kill()
            process.wait()

    def close(self) -> None:
        """Stops, and frees the memory of its output."""
        self.stop()
        if self._output is not None:
            self._output.close()
            self._output = None

    def _start_client(self) -> None:
        # A file, not a pipe: nobody reads while it runs, and a full pipe would stop it.
        self._output = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed in close()
        output = self._output.fileno()
        self._client = self._namespace.popen(self._client_argv(), stdout=output, stderr=subprocess.STDOUT)

    def _client_argv(self) -> list[str]:
        if self._kind == "ping":
            count = max(1, round(self._duration_s * 1000 / self._interval_ms))
            interval, deadline = self._interval_ms / 1000, self._duration_s + 3
            options = {"-i": f"{interval:.3f}", "-c": str(count), "-s": str(self._size), "-w": str(round(deadline))}
            return ["ping", "-n", "-q", "-W", "2", *(word for pair in options.items() for word in pair), self._peer]
        argv = ["iperf3", "-c", self._peer, "-4", "-p", str(self._port), "-t", f"{self._duration_s:g}", "--json"]
        argv += ["--connect-timeout", "5000"]
        rate_mbps = self._rate_mbps
        if self._kind == "udp":
            rate_mbps = rate_mbps or self._size * 8 / self._interval_ms / 1000
            argv += ["-u", "-l", str(self._size)]
        if rate_mbps is not None:
            argv += ["-b", str(round(rate_mbps * 1_000_000))]
        return argv


def _is_listening(pid: int, port: int) -> bool:
    """By the server's own view of its namespace (proc(5), net/tcp): local address, remote address, state 0A."""
    try:
        table = Path(f"/proc/{pid}/net/tcp").read_text(encoding="ascii")
    except OSError:
        return False
    return re.search(rf":{port:04X} [0-9A-F]+:[0-9A-F]+ 0A ", table) is not None


def _ping_result(peer: str, text: str) -> TrafficResult:
    counts = re.search(r"(\d+) packets transmitted, (\d+) received", text)
    if counts is None:
        last = text.strip().splitlines()[-1:] or ["ping printed nothing"]
        return TrafficResult("ping", peer, failure=last[0])
    sent, received = int(counts[1]), int(counts[2])
    rtt = re.search(r"= ([\d.]+)/([\d.]+)/([\d.]+)/", text)
    low, mean, high = (float(rtt[group]) for group in (1, 2, 3)) if rtt else (None, None, None)
    return TrafficResult(
        "ping",
        peer,
        sent=sent,
        received=received,
        loss=round(1 - received / sent, 4) if sent else None,
        rtt_min_ms=low,
        rtt_avg_ms=mean,
        rtt_max_ms=high,
        failure=None if received else "no answer came",
    )


def _iperf3_result(kind: Kind, peer: str, text: str) -> TrafficResult:
    try:
        report = json.loads(text)
    except json.JSONDecodeError:
        last = text.strip().splitlines()[-1:] or ["iperf3 printed nothing"]
        return TrafficResult(kind, peer, failure=last[0])
    end = report.get("end", {})
    received = end.get("sum_received") or end.get("sum") or {}
    mbps = round(received.get("bits_per_second", 0) / 1e6, 3)
    failure = report.get("error")
    if kind == "udp":
        total = end.get("sum", {})
        sent, lost = total.get("packets", 0), total.get("lost_packets", 0)
        loss = round(lost / sent, 4) if sent else None
        return TrafficResult(kind, peer, sent=sent, received=sent - lost, loss=loss, mbps=mbps, failure=failure)
    retransmits = end.get("sum_sent", {}).get("retransmits")
    return TrafficResult(kind, peer, mbps=mbps, retransmits=retransmits, failure=failure)
