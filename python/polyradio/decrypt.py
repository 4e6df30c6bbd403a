"""Offline decryption of captures: many networks and their keys at once.

    from polyradio.decrypt import Network, decrypt_capture

    report = decrypt_capture("in.pcapng", [Network(b"home", passphrase="correct horse")], "out.pcapng")

The handshakes must be in the capture: WPA2-PSK, PSK-SHA256, FT-PSK with its transitions, and whatever else a given PMK
leads to; frames under CCMP are opened. The capture that is written holds every frame in its place with its timestamp:
opened ones in the clear, all others as they were, and a comment at each protected frame says what became of it. How the
frames are opened is in `polyradio.decoding`.
"""

import zlib
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Final

from polyradio._core import CapturedFrame, CaptureReader, MacHeader, PcapngWriter
from polyradio.decoding.credentials import Network, parse_network, parse_pmk
from polyradio.decoding.decoder import Decoder, JudgedFrame, Verdict
from polyradio.decoding.report import DecryptReport, NetworkCounts, count_networks, text_of
from polyradio.errors import LocalProtocolError

__all__ = [
    "DecryptReport",
    "Network",
    "NetworkCounts",
    "Verdict",
    "decrypt_capture",
    "parse_network",
    "parse_pmk",
    "run_decrypt",
]


def run_decrypt(
    capture: str | PathLike[str],
    networks: Sequence[str],
    pmks: Sequence[str] = (),
    out: str | PathLike[str] | None = None,
) -> DecryptReport:
    """Decrypts a capture with credentials as the command line takes them.

    Args:
        capture: pcap or pcapng, gzip too.
        networks: `SSID:PASSPHRASE` each, divided at the first colon; `%3A` in the SSID stands for a colon.
        pmks: pairwise master keys of 64 hexadecimal digits, tried on every network.
        out: where the decrypted capture is written; None: nowhere.

    Raises:
        LocalProtocolError: credentials or `out` make no sense.
        RemoteProtocolError: the file is no capture.
        OSError: a file cannot be read or written.
    """
    given = [parse_network(text) for text in networks] + [parse_pmk(text) for text in pmks]
    return decrypt_capture(capture, given, out)


def decrypt_capture(
    capture: str | PathLike[str], networks: Iterable[Network], out: str | PathLike[str] | None = None
) -> DecryptReport:
    """Decrypts a capture.

    A capture that is cut off is decrypted up to there; the report's `error` says where.

    Args:
        capture: pcap or pcapng, gzip too.
        networks: the credentials.
        out: where the decrypted capture is written; None: nowhere.

    Raises:
        LocalProtocolError: a passphrase or an SSID cannot be one, or `out` is the capture itself.
        RemoteProtocolError: the file is no capture.
        OSError: a file cannot be read or written.
    """
    path, networks = Path(capture), list(networks)
    out = None if out is None else Path(out)
    if out is not None and out.exists() and out.samefile(path):
        raise LocalProtocolError(f"{path} would be overwritten by its own decryption")
    decoder = Decoder(networks)
    octets, unpacking_error = _unpacked(path.read_bytes())
    reader = CaptureReader(octets)
    frames = []
    for frame in reader:
        frames.append(frame)
        decoder.handle_frame(frame.number, frame.frame, is_truncated=frame.error is not None)
    judged = decoder.finish()
    if out is not None:
        _write(out, path.name, frames, reader.interfaces, {each.frame.number: each for each in judged}, decoder)
    return DecryptReport(
        capture=str(path),
        format=reader.format,
        frames=len(frames),
        networks=count_networks(decoder, judged, networks),
        error=unpacking_error or reader.error,
        out=None if out is None else str(out),
    )


def _unpacked(octets: bytes) -> tuple[bytes, str | None]:
    """The file without gzip; what there is of it where it is cut off, and why."""
    if not octets.startswith(_GZIP_MAGIC):
        return octets, None
    parts = []
    rest = octets
    while rest.startswith(_GZIP_MAGIC):
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            parts.append(member.decompress(rest))
        except zlib.error as error:
            # The octets before the damage come only in small steps.
            parts.append(_before_damage(rest))
            return b"".join(parts), f"the gzip file is damaged: {error}"
        if not member.eof:
            return b"".join(parts), f"the gzip file is cut off at octet {len(octets)}"
        rest = member.unused_data
    return b"".join(parts), None


def _before_damage(octets: bytes) -> bytes:
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    out = bytearray()
    try:
        for offset in range(0, len(octets), _STEP):
            out += member.decompress(octets[offset : offset + _STEP])
    except zlib.error:
        pass
    return bytes(out)


def _write(
    out: Path,
    name: str,
    frames: list[CapturedFrame],
    names: list[str | None],
    judged: dict[int, JudgedFrame],
    decoder: Decoder,
) -> None:
    writer = PcapngWriter(str(out), comment=f"decrypted from {name}")
    interfaces: dict[tuple[int, int], int] = {}
    for frame in frames:
        interface = interfaces.get((frame.interface, frame.link_type))
        if interface is None:
            interface = writer.add_interface(names[frame.interface] or f"interface {frame.interface}", frame.link_type)
            interfaces[frame.interface, frame.link_type] = interface
        each = judged.get(frame.number)
        packet, comment = frame.packet, frame.comment
        if each is not None:
            if each.frame.plaintext is not None:
                packet = _with_plaintext(frame, each.frame.plaintext)
            comment = "\n".join(filter(None, [comment, _comment(each, decoder)]))
        original_length = frame.original_length - len(frame.packet) + len(packet)
        writer.write(interface, frame.timestamp_ns, packet, original_length=original_length, comment=comment)
    writer.close()


def _with_plaintext(frame: CapturedFrame, plaintext: bytes) -> bytes:
    """The record with the opened frame in place of the protected one; its frame check sequence, if any, is renewed."""
    start = frame.header_length
    behind = len(frame.packet) - start - len(frame.frame)
    padding = 0
    if frame.packet[start : start + len(frame.frame)] != frame.frame:
        # The receiver had padded the MAC header to a multiple of four octets, and says so in its own header.
        header = MacHeader.parse(plaintext).length
        padding = -header % 4
        padded = plaintext[:header] + bytes(padding) + plaintext[header:]
    else:
        padded = plaintext
    fcs = zlib.crc32(plaintext).to_bytes(4, "little")[: behind - padding]
    return frame.packet[:start] + padded + fcs


def _comment(each: JudgedFrame, decoder: Decoder) -> str:
    """Such as `network "home", pairwise key 0, PN 12, replay`."""
    frame = each.frame
    ssid = decoder.ssid_of(frame.bssid)
    network = f'network "{text_of(ssid)}"' if ssid is not None else f"BSSID {frame.bssid.hex(':') or 'unknown'}"
    if frame.key is None:
        return f"{network}, {each.verdict}"
    kind = "group" if frame.is_group else "pairwise"
    return f"{network}, {kind} key {frame.key_id}, PN {frame.packet_number}, {each.verdict}"


_GZIP_MAGIC: Final = b"\x1f\x8b"
_STEP: Final = 1024
