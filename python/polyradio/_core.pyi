"""The Rust core: wire formats, captures, security, the connection table, and the runtime that moves packets.

Only ``polyradio`` imports this module; users import the same names from ``polyradio``. Octets are ``bytes``; MAC
addresses are six octets; MPDUs are without FCS; times are nanoseconds since the start of a run. Octets that cannot be
read raise ``RemoteProtocolError``; arguments that make no sense raise ``LocalProtocolError``.
"""

from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CALL_ERRORS",
    "DROP_REASONS",
    "BatchResult",
    "CaptureReader",
    "CapturedFrame",
    "CcmpResult",
    "ConnectionTable",
    "EapolKey",
    "EmulatedNic",
    "FrameBatch",
    "MacHeader",
    "Management",
    "MemoryPort",
    "PcapngWriter",
    "RsnElement",
    "Runtime",
    "TapPort",
    "Verdict",
    "Workload",
    "__version__",
    "best_backend",
    "build_profile",
    "ccm_open",
    "ccm_seal",
    "ccmp_backends",
    "ccmp_open",
    "ccmp_open_batch",
    "ccmp_seal",
    "ccmp_seal_batch",
    "emit_elements",
    "ethernet_from_frame",
    "frame_from_ethernet",
    "parse_elements",
]
__version__: str
DROP_REASONS: tuple[str, ...]
"""Names of the drop reasons, in the order of their numbers."""
CALL_ERRORS: tuple[str, ...]
"""Names of the call errors; the first has code 1."""

# ---- wire: frames -------------------------------------------------------------------------------

@final
class MacHeader:
    """An 802.11 MAC header (IEEE 802.11-2020 9.2.3). Fields that a frame does not have are None."""

    @staticmethod
    def parse(frame: bytes) -> MacHeader: ...
    @property
    def frame_control(self) -> int: ...
    @property
    def version(self) -> int: ...
    @property
    def frame_type(self) -> int:
        """0 management, 1 control, 2 data, 3 extension."""
    @property
    def subtype(self) -> int: ...
    @property
    def to_ds(self) -> bool: ...
    @property
    def from_ds(self) -> bool: ...
    @property
    def more_fragments(self) -> bool: ...
    @property
    def retry(self) -> bool: ...
    @property
    def power_management(self) -> bool: ...
    @property
    def more_data(self) -> bool: ...
    @property
    def protected(self) -> bool: ...
    @property
    def order(self) -> bool: ...
    @property
    def duration(self) -> int: ...
    @property
    def addr1(self) -> bytes: ...
    @property
    def addr2(self) -> bytes | None: ...
    @property
    def addr3(self) -> bytes | None: ...
    @property
    def addr4(self) -> bytes | None: ...
    @property
    def sequence_number(self) -> int | None: ...
    @property
    def fragment_number(self) -> int | None: ...
    @property
    def qos_control(self) -> int | None: ...
    @property
    def ht_control(self) -> int | None: ...
    @property
    def tid(self) -> int | None: ...
    @property
    def destination(self) -> bytes | None: ...
    @property
    def source(self) -> bytes | None: ...
    @property
    def bssid(self) -> bytes | None: ...
    @property
    def length(self) -> int:
        """Octets of the header, QoS Control and HT Control included."""

@final
class Management:
    """A management frame: header, the fixed fields of its subtype, elements (IEEE 802.11-2020 9.3.3).

    Fixed fields that the subtype does not have are 0 when parsed and ignored when emitted. Subtypes: 0 association
    request, 1 its response, 2 reassociation request, 3 its response, 4 probe request, 5 its response, 8 beacon,
    10 disassociation, 11 authentication, 12 deauthentication, 13 action (the body is ``rest``).
    """

    subtype: int
    destination: bytes
    source: bytes
    bssid: bytes
    sequence_number: int
    timestamp: int
    beacon_interval: int
    capability: int
    listen_interval: int
    current_ap: bytes
    status: int
    association_id: int
    algorithm: int
    transaction: int
    reason: int
    elements: list[tuple[int, bytes]]
    rest: bytes
    """What follows the last whole element, or the whole body of an unknown subtype."""

    def __new__(
        cls,
        subtype: int,
        destination: bytes,
        source: bytes,
        bssid: bytes,
        *,
        timestamp: int = 0,
        beacon_interval: int = 0,
        capability: int = 0,
        listen_interval: int = 0,
        current_ap: bytes = ...,
        status: int = 0,
        association_id: int = 0,
        algorithm: int = 0,
        transaction: int = 0,
        reason: int = 0,
        elements: Sequence[tuple[int, bytes]] = ...,
        rest: bytes = ...,
    ) -> Management: ...
    @staticmethod
    def parse(frame: bytes) -> Management: ...
    def emit(self) -> bytes: ...
    def element(self, element_id: int) -> bytes | None:
        """The data of the first element with that identifier."""

@final
class RsnElement:
    """RSN element (IEEE 802.11-2020 9.4.2.24); suites are 32-bit selectors, such as 0x000FAC04 for CCMP-128."""

    version: int
    group_cipher: int
    pairwise_ciphers: list[int]
    akm_suites: list[int]
    capabilities: int
    pmkids: list[bytes]
    group_management_cipher: int | None

    def __new__(
        cls,
        *,
        group_cipher: int = ...,
        pairwise_ciphers: Sequence[int] = ...,
        akm_suites: Sequence[int] = ...,
        capabilities: int = 0,
        pmkids: Sequence[bytes] = ...,
        group_management_cipher: int | None = None,
    ) -> RsnElement: ...
    @staticmethod
    def parse(data: bytes) -> RsnElement:
        """From an element's data (without identifier and length)."""
    def emit(self) -> bytes:
        """The element's data (without identifier and length)."""

@final
class EapolKey:
    """EAPOL-Key frame (IEEE 802.11-2020 12.7.2), from the EAPOL protocol version on."""

    protocol_version: int
    descriptor_type: int
    key_information: int
    key_length: int
    replay_counter: int
    nonce: bytes
    iv: bytes
    rsc: bytes
    """Key RSC, 8 octets as sent (little-endian packet number in the first six)."""
    mic: bytes
    key_data: bytes

    def __new__(
        cls,
        *,
        key_information: int,
        replay_counter: int,
        protocol_version: int = 2,
        descriptor_type: int = 2,
        key_length: int = 0,
        nonce: bytes = ...,
        iv: bytes = ...,
        rsc: bytes = ...,
        mic: bytes = ...,
        key_data: bytes = ...,
    ) -> EapolKey: ...
    @staticmethod
    def parse(pdu: bytes, mic_length: int = 16) -> EapolKey: ...
    def emit(self) -> bytes: ...
    @property
    def descriptor_version(self) -> int: ...
    @property
    def is_pairwise(self) -> bool: ...
    @property
    def has_install(self) -> bool: ...
    @property
    def has_ack(self) -> bool: ...
    @property
    def has_mic(self) -> bool: ...
    @property
    def is_secure(self) -> bool: ...
    @property
    def has_error(self) -> bool: ...
    @property
    def is_request(self) -> bool: ...
    @property
    def has_encrypted_key_data(self) -> bool: ...
    @property
    def is_smk_message(self) -> bool: ...

def parse_elements(data: bytes) -> list[tuple[int, bytes]]:
    """Elements (identifier, data); raises where the last one is cut off."""

def emit_elements(elements: Sequence[tuple[int, bytes]]) -> bytes: ...
def frame_from_ethernet(ethernet: bytes, *, bssid: bytes, to_ds: bool, tid: int | None = None) -> bytes:
    """A plaintext data MPDU from an Ethernet II frame; QoS Data where ``tid`` is given. Sequence number 0."""

def ethernet_from_frame(frame: bytes) -> list[bytes]:
    """The Ethernet II frames in a plaintext data MPDU: one, or one for each subframe of an A-MSDU."""

# ---- captures -----------------------------------------------------------------------------------

@final
class CapturedFrame:
    """A frame of a capture, without radiotap or prism header and without FCS."""

    @property
    def number(self) -> int:
        """1-based place in the file, as Wireshark counts."""
    @property
    def timestamp_ns(self) -> int: ...
    @property
    def interface(self) -> int: ...
    @property
    def link_type(self) -> int: ...
    @property
    def frame(self) -> bytes:
        """The MPDU; empty where the link type is not 802.11."""
    @property
    def packet(self) -> bytes:
        """The record as it stands in the file."""
    @property
    def header_length(self) -> int:
        """Octets of ``packet`` before the frame."""
    @property
    def original_length(self) -> int:
        """Octets that the record had on the wire."""
    @property
    def has_bad_fcs(self) -> bool: ...
    @property
    def comment(self) -> str | None: ...
    @property
    def error(self) -> str | None:
        """Why ``frame`` could not be found in ``packet``, or why it is cut off; None where it is whole."""

@final
class CaptureReader:
    """Reads pcap and pcapng (not gzip: unpack first). Iterating stops where the file is cut off; ``error`` says why."""

    def __new__(cls, data: bytes) -> CaptureReader: ...
    def __iter__(self) -> Iterator[CapturedFrame]: ...
    def __next__(self) -> CapturedFrame: ...
    @property
    def format(self) -> str:
        """``pcap`` or ``pcapng``."""
    @property
    def interfaces(self) -> list[str | None]:
        """Names of the interfaces met so far."""
    @property
    def error(self) -> str | None: ...

@final
class PcapngWriter:
    """Writes a pcapng file with nanosecond timestamps, interface names and packet comments."""

    def __new__(cls, path: str, *, application: str = "polyradio", comment: str | None = None) -> PcapngWriter: ...
    def add_interface(self, name: str, link_type: int, description: str | None = None) -> int: ...
    def write(
        self,
        interface: int,
        timestamp_ns: int,
        packet: bytes,
        *,
        original_length: int | None = None,
        comment: str | None = None,
    ) -> None: ...
    def close(self) -> None: ...

# ---- security -----------------------------------------------------------------------------------

def ccm_seal(key: bytes, nonce: bytes, aad: bytes, plaintext: bytes, tag_length: int, /) -> bytes:
    """AES-CCM (RFC 3610): ciphertext || tag. Nonce 7 to 13 octets, tag 4 to 16, key 16 or 32."""

def ccm_open(key: bytes, nonce: bytes, aad: bytes, data: bytes, tag_length: int, /) -> bytes:
    """The plaintext; raises ``MicError`` where the tag is wrong."""

def ccmp_seal(mpdu: bytes, key: bytes, packet_number: int, key_id: int = 0, /) -> bytes:
    """A protected MPDU from a plaintext one (IEEE 802.11-2020 12.5.3); sets Protected Frame. Key 16 or 32 octets."""

def ccmp_open(mpdu: bytes, key: bytes, /) -> tuple[bytes, int]:
    """The plaintext MPDU (Protected Frame cleared) and the packet number; raises ``MicError``."""

def ccmp_backends() -> dict[str, bool]:
    """The implementations of CCMP, the slowest first, and whether this processor has them."""

def ccmp_seal_batch(
    batch: FrameBatch,
    keys: bytes | NDArray[np.uint8],
    packet_numbers: NDArray[np.uint64],
    *,
    key_ids: NDArray[np.uint8] | None = None,
    backend: str | None = None,
) -> CcmpResult:
    """Seals each frame with its key and its packet number (IEEE 802.11-2020 12.5.3).

    The frames are read where they lie, without the GIL: no other thread writes to the arrays meanwhile. That no packet
    number is used twice with one key is the caller's to see to.

    Args:
        batch: Plaintext MPDUs.
        keys: One key of 16 or 32 octets for all, or an array of shape (n, 16) or (n, 32).
        packet_numbers: n numbers of 48 bits.
        key_ids: n numbers from 0 to 3; without, all are 0.
        backend: A name of ``ccmp_backends``; without, the best of this processor.

    Raises:
        LocalProtocolError: A length or a number does not fit, or this processor has no such backend.
    """

def ccmp_open_batch(batch: FrameBatch, keys: bytes | NDArray[np.uint8], *, backend: str | None = None) -> CcmpResult:
    """Opens each frame with its key; arguments and errors as ``ccmp_seal_batch``.

    Replay is the caller's to check, by the packet numbers of the result.
    """

@final
class CcmpResult:
    """What became of a batch: the frames that passed, and a packet number and a verdict for each frame that went in."""

    @property
    def frames(self) -> FrameBatch:
        """One frame for each input; empty where the verdict is not 0."""
    @property
    def packet_number(self) -> NDArray[np.uint64]:
        """0 where the verdict is not 0."""
    @property
    def verdict(self) -> NDArray[np.uint8]:
        """0: passed; else see ``Verdict``."""

@final
class FrameBatch:
    """Frames one behind the other: frame i is ``data[offsets[i]:offsets[i + 1]]``. Views are zero copy.

    The data is shared with whoever gave it, and read where it lies: no other thread writes to it, or resizes it, while a
    function works on the batch. The offsets are a copy that cannot be written to.
    """

    def __new__(cls, data: NDArray[np.uint8], offsets: NDArray[np.uint32]) -> FrameBatch: ...
    @staticmethod
    def from_frames(frames: Sequence[bytes]) -> FrameBatch: ...
    @property
    def data(self) -> NDArray[np.uint8]: ...
    @property
    def offsets(self) -> NDArray[np.uint32]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> bytes: ...
    def __iter__(self) -> Iterator[bytes]: ...

class Verdict(IntEnum):
    """Whether a frame of a batch passed (``OK``, 0), or why it was dropped: what ``verdict`` arrays hold."""

    OK = 0
    TRUNCATED = 1
    MALFORMED = 2
    NO_SUCH_VM = 3
    NOT_OURS = 4
    FOREIGN_SOURCE = 5
    FOREIGN_BSS = 6
    NOT_CONNECTED = 7
    NO_KEY = 8
    UNPROTECTED = 9
    REPLAY = 10
    MIC_FAILED = 11
    DUPLICATE = 12
    FRAGMENT = 13
    BAD_AMSDU = 14
    OWN_ECHO = 15
    FILTERED = 16
    QUEUE_FULL = 17
    NOT_ACKNOWLEDGED = 18
    KEY_EXHAUSTED = 19
    FLUSHED = 20

@final
class BatchResult:
    """What became of a batch: the frames that passed, and a VM and a verdict for each frame that went in."""

    @property
    def frames(self) -> FrameBatch:
        """One frame for each input; empty where the verdict is not 0."""
    @property
    def vm_id(self) -> NDArray[np.uint16]:
        """65535 where no VM was found."""
    @property
    def verdict(self) -> NDArray[np.uint8]:
        """0: passed; else see ``Verdict``."""

@final
class ConnectionTable:
    """The NIC's per-VM connection table (US 8,392,625, 622) with its keys, as the device itself uses it."""

    def __new__(cls, *, max_vms: int = 256, workers: int = 1) -> ConnectionTable:
        """``workers`` threads do a batch, the calling one included; what comes out is the same for any number."""
    def add_vm(self, vm_id: int, mac: bytes, *, bssid: bytes | None = None, connected: bool = True) -> None: ...
    def remove_vm(self, vm_id: int) -> None: ...
    def install_key(
        self, vm_id: int, key_id: int, cipher: int, key: bytes, *, group: bool = False, receive_counter: int = 0
    ) -> None: ...
    def remove_key(self, vm_id: int, key_id: int, *, group: bool = False) -> None: ...
    def seal_batch(self, batch: FrameBatch) -> BatchResult:
        """Transmit path: VM by source address, then seal with its pairwise key.

        The frames are read where they lie, without the GIL: no other thread writes to ``batch.data`` or uses this table
        meanwhile. The result's arrays are new.
        """
    def open_batch(self, batch: FrameBatch) -> BatchResult:
        """Receive path: VM by destination address, replay check, open. Threads: as ``seal_batch``."""
    def lookup_batch(self, macs: NDArray[np.uint8]) -> NDArray[np.uint16]:
        """VM IDs for an (n, 6) array of addresses; 65535 where nobody owns one.

        A C-contiguous array is read where it lies, another one is copied first. Threads: as ``seal_batch``.
        """
    def dump(self) -> list[dict[str, object]]:
        """A row for each VM: addresses, connection, counters, which keys there are; never a key."""
    def save(self) -> bytes:
        """Everything but the keys' octets, to be given to ``restore``."""
    def restore(self, saved: bytes) -> None: ...
    def __len__(self) -> int: ...

# ---- the device alone, for conformance tests ----------------------------------------------------

@final
class EmulatedNic:
    """The emulated NIC by itself: host API octets in and out, air frames in and out, time as an argument."""

    def __new__(cls, *, max_vms: int = 64, queue_length: int = 64) -> EmulatedNic: ...
    def submit(self, messages: bytes, now_ns: int) -> None: ...
    def take_messages(self) -> bytes: ...
    def hear(
        self, frames: Sequence[bytes], now_ns: int, *, channel: int, signal_dbm: int = -50, rate: int = 540
    ) -> None:
        """Frames from the air; nothing is heard on a channel that the radio does not stand on."""
    def acknowledges(self, receiver: bytes) -> bool: ...
    def take_air_frames(self, now_ns: int, *, acknowledged: bool = True) -> list[tuple[int, int | None, bytes]]:
        """What it would send now: (channel, VM ID, frame), each reported as acknowledged or not."""
    def handle_timeout(self, now_ns: int) -> None: ...
    def poll_timeout(self) -> int | None: ...
    @property
    def channel(self) -> int | None: ...
    def counters(self) -> dict[int | None, dict[str, int]]:
        """By VM ID, None for frames that belong to no VM: drop reason or counter name to count."""

# ---- the runtime --------------------------------------------------------------------------------

@final
class MemoryPort:
    """An Ethernet port in memory. ``push`` is what the guest (or the wired host) sends, ``take`` what it received."""

    def __new__(cls, *, capacity: int = 4096) -> MemoryPort: ...
    def push(self, frames: Sequence[bytes] | FrameBatch) -> int:
        """How many frames found room; the others were not taken."""
    def take(self) -> FrameBatch: ...
    @property
    def pending(self) -> int:
        """Frames pushed and not yet fetched by the driver."""
    def discard_received(self, enabled: bool) -> None:
        """Only count what is received (benchmarks)."""
    @property
    def received(self) -> tuple[int, int]:
        """Frames and octets received so far."""

@final
class TapPort:
    """A Linux TAP interface, by its open file descriptor (IFF_TAP | IFF_NO_PI); it is duplicated, the caller's stays open.

    Raises ``NotAvailable`` where there is no TAP.
    """

    def __new__(cls, fd: int) -> TapPort: ...

@final
class Runtime:
    """Devices, access points, guests' ports and the air between them, moved by virtual or wall-clock time.

    Radios are numbered in the order in which they are added. What Python has to decide on comes up in batches:
    ``take_messages`` for a device, ``take_frames`` for an access point.
    """

    def __new__(cls, seed: int, *, wall_clock: bool = False) -> Runtime: ...
    @property
    def now_ns(self) -> int: ...
    def run(self, until_ns: int) -> int:
        """Moves on until there is something to take (from a memory port too), or until that time; returns the time.

        Releases the GIL.
        """
    # air
    def set_link(self, a: int, b: int, *, snr_db: float = 40.0, loss: float = 0.0, delay_us: int = 0) -> None: ...
    def set_ideal_air(self, enabled: bool) -> None:
        """Frames take no airtime but one microsecond: to measure everything else."""
    def set_radio_enabled(self, radio: int, enabled: bool) -> None: ...
    def start_capture(self, path: str, vms: Sequence[tuple[int, str]]) -> None:
        """Writes every frame on the air: an interface for each (VM ID, name) and one for frames of no VM."""
    def finish_capture(self) -> int:
        """Closes the file; how many frames it holds."""
    def airtime_ns(self, radio: int) -> dict[int | None, int]:
        """Airtime sent by a device, by VM ID (None: its own), or by an access point (None)."""
    # devices
    def add_device(self, *, max_vms: int = 64, queue_length: int = 64, switch_us: int = 500) -> int: ...
    def submit(self, device: int, messages: bytes) -> None:
        """Calls, tagged with VR IDs."""
    def take_messages(self, device: int) -> bytes:
        """Completions of those calls and device-initiated calls, tagged with VR IDs; data packets go to the ports."""
    def device_counters(self, device: int) -> dict[int | None, dict[str, int]]: ...
    def device_rows(self, device: int) -> list[dict[str, object]]: ...
    # the host driver's data plane
    def attach_guest(
        self, device: int, vr_id: int, vm_id: int, mac: bytes, port: MemoryPort | TapPort, *, legacy: bool = False
    ) -> None:
        """Legacy: its packets go down without an identifier, and the device attributes them."""
    def detach_guest(self, device: int, vr_id: int) -> None: ...
    def set_guest_link(self, device: int, vr_id: int, *, bssid: bytes | None, qos: bool = True) -> None:
        """Carrier on (how to address frames) or off (None)."""
    def guest_counters(self, device: int, vr_id: int) -> dict[str, int]: ...
    # access points
    def add_access_point(self, *, bssid: bytes, channel: int, wired: MemoryPort | TapPort | None = None) -> int: ...
    def set_beacon(self, access_point: int, frame: bytes, interval_tu: int) -> None:
        """A beacon without TIM: timestamp, sequence number and TIM are filled in at each sending."""
    def set_station(
        self, access_point: int, address: bytes, *, association_id: int, qos: bool, authorized: bool, privacy: bool
    ) -> None: ...
    def remove_station(self, access_point: int, address: bytes) -> None: ...
    def install_key(self, access_point: int, address: bytes | None, key_id: int, cipher: int, key: bytes) -> None:
        """A pairwise key with a station, or the group key (None), which is used to send from then on."""
    def group_packet_number(self, access_point: int) -> int:
        """The last packet number sent with the group key: the Key RSC."""
    def send_frame(self, access_point: int, frame: bytes, *, unprotected: bool = False) -> None: ...
    def take_frames(self, access_point: int) -> list[bytes]:
        """Management frames and EAPOL data frames, opened, for the access point's MLME and authenticator."""
    def access_point_counters(self, access_point: int) -> dict[str, int]: ...
    def station_counters(self, access_point: int) -> dict[bytes, dict[str, int]]: ...

# ---- benchmarks: for polyradio.bench alone ---------------------------------------------------------

def best_backend() -> str: ...
def build_profile() -> str:
    """``release`` or ``debug``."""

@final
class Workload:
    """A measured piece of work, built once and run in slices. ``handicap``: percent that is done twice, uncounted."""

    @staticmethod
    def ccmp(
        direction: str,
        lengths: Sequence[int],
        *,
        keys: int = 1,
        backend: str | None = None,
        cold: bool = False,
        seed: int = 1,
        handicap: float = 0.0,
    ) -> Workload:
        """Batches of 64 CCMP packets through a backend; ``lengths`` of bodies are taken in turn."""
    @staticmethod
    def ccmp_batch(direction: str, length: int, *, batch: int = 256, seed: int = 1) -> Workload:
        """What ``ccmp_seal_batch`` or ``ccmp_open_batch`` do, without Python: each frame under its own key."""
    @staticmethod
    def aes_limit(lengths: Sequence[int], backend: str) -> Workload:
        """The AES rounds of CCM of these bodies alone, at the width of a backend's registers."""
    @staticmethod
    def ccm_crate(
        direction: str, lengths: Sequence[int], *, keys: int = 1, cold: bool = False, seed: int = 1
    ) -> Workload: ...
    @staticmethod
    def openssl(
        direction: str,
        lengths: Sequence[int],
        addresses: Sequence[int],
        *,
        keys: int = 1,
        cold: bool = False,
        seed: int = 1,
    ) -> Workload:
        """Addresses: the cipher, EVP_CIPHER_CTX_new, _free, _ctrl, Init_ex and Update of the direction."""
    @staticmethod
    def ipsec_mb(
        direction: str,
        lengths: Sequence[int],
        addresses: Sequence[int],
        *,
        keys: int = 1,
        cold: bool = False,
        seed: int = 1,
    ) -> Workload:
        """Of version 1.3: the manager, keyexp_128, get_next_job, submit_job_nocheck, get_completed_job, flush_job."""
    @staticmethod
    def lookup(entries: int, *, seed: int = 1, handicap: float = 0.0) -> Workload: ...
    @staticmethod
    def hash_map(entries: int, *, seed: int = 1) -> Workload: ...
    @staticmethod
    def line_reads(entries: int, *, seed: int = 1) -> Workload: ...
    @staticmethod
    def chain(octets: int, *, seed: int = 1) -> Workload: ...
    @staticmethod
    def receive(
        vms: int,
        length: int,
        *,
        batch: int = 256,
        only_ccmp: bool = False,
        workers: int = 1,
        seed: int = 1,
        handicap: float = 0.0,
    ) -> Workload: ...
    @staticmethod
    def transmit(
        vms: int,
        length: int,
        *,
        batch: int = 256,
        only_ccmp: bool = False,
        workers: int = 1,
        seed: int = 1,
        handicap: float = 0.0,
    ) -> Workload: ...
    @staticmethod
    def switch(vms: int, *, crowded: bool = False, handicap: float = 0.0) -> Workload: ...
    @property
    def items(self) -> int:
        """Items (packets, look-ups, switches) of one repetition."""
    def run(self, repetitions: int) -> int:
        """Nanoseconds of the measured calls, without the GIL. Wrong results raise ``PolyradioError``."""
