//! CCMP (IEEE 802.11-2020 12.5.3): protects one MPDU, or many in a batch.
//!
//! [`CcmpKey`] seals and opens; [`CcmpHeader`] says which key and which replay counter a frame is about, before any key
//! is touched; [`seal_batch`] and [`open_batch`] take many packets, each with its own key.
//! Not here: packet numbers and replay (`key_slot`, `replay`), which key belongs to whom (`device::connection_table`).
//! Promise: no plaintext comes out whose message integrity code is wrong, and none of it stays in the output buffer.

mod kernel;
mod layout;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
mod x86_limit;
#[cfg(target_arch = "x86_64")]
mod x86_stretch;

use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use self::kernel::Backend;
use self::kernel::Packet;
use self::layout::{Aad, Layout, LayoutError};
use self::portable::Schedule;
#[cfg(target_arch = "x86_64")]
pub use self::x86_limit::aes_rounds;
use super::replay::ReplayClass;
use crate::host_api::call::CipherSuite;
use crate::ids::{KeyId, PacketNumber};

/// The longest protected MPDU, in octets: what a 16-bit length can say (L = 2, IEEE 802.11-2020 12.5.3.1).
pub const MAX_MPDU_LENGTH: usize = 65_535;

/// Octets of the CCMP header.
pub const HEADER_LENGTH: usize = 8;

/// A temporal key of CCMP-128 (16 octets, MIC of 8) or CCMP-256 (32 octets, MIC of 16), ready for use.
///
/// It is wiped when dropped; `Debug` prints the cipher only.
pub struct CcmpKey {
    octets: Zeroizing<[u8; 32]>,
    cipher: CipherSuite,
    spp_amsdu: bool,
    schedule: Box<Schedule>,
}

impl CcmpKey {
    /// The length says which cipher it is.
    pub fn new(key: &[u8]) -> Result<Self, InvalidKeyLength> {
        let (cipher, schedule) = if let Ok(key) = <&[u8; 16]>::try_from(key) {
            (CipherSuite::CCMP_128, Schedule::ccmp_128(key))
        } else if let Ok(key) = <&[u8; 32]>::try_from(key) {
            (CipherSuite::CCMP_256, Schedule::ccmp_256(key))
        } else {
            return Err(InvalidKeyLength(key.len()));
        };
        let mut octets = Zeroizing::new([0; 32]);
        octets.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        Ok(Self { octets, cipher, spp_amsdu: false, schedule: Box::new(schedule) })
    }

    /// Both ends are SPP A-MSDU capable: the A-MSDU Present bit is authenticated too (IEEE 802.11-2020 12.5.3.3.3).
    #[must_use]
    pub fn with_spp_amsdu(mut self, enabled: bool) -> Self {
        self.spp_amsdu = enabled;
        self
    }

    /// Protects a plaintext MPDU and appends it to `out`. The Protected Frame bit need not be set yet.
    ///
    /// The caller never uses a packet number twice with one key; [`super::key_slot::KeySlot`] sees to that.
    ///
    /// # Errors
    /// Says why the frame cannot be protected; `out` is as before.
    pub fn seal(&self, mpdu: &[u8], number: PacketNumber, key_id: KeyId, out: &mut Vec<u8>) -> Result<(), SealError> {
        let (start, length) = (out.len(), self.sealed_length(mpdu).ok_or(SealError::TooLong)?);
        out.resize(start + length, 0);
        let room = out.get_mut(start..).unwrap_or_default();
        self.seal_into(mpdu, number, key_id, room).map(|_| ()).inspect_err(|_| out.truncate(start))
    }

    /// Opens a protected MPDU, appends it to `out` with Protected Frame cleared, and returns its packet number.
    ///
    /// # Errors
    /// Says why not; `out` is as before, and no plaintext stays in its spare memory.
    pub fn open(&self, mpdu: &[u8], out: &mut Vec<u8>) -> Result<PacketNumber, OpenError> {
        let (start, length) = (out.len(), self.opened_length(mpdu).unwrap_or_default());
        out.resize(start + length, 0);
        let room = out.get_mut(start..).unwrap_or_default();
        self.open_into(mpdu, room).map(|opened| opened.packet_number).inspect_err(|_| out.truncate(start))
    }

    /// As [`Self::seal`], to the start of `out`; returns how many octets were written.
    ///
    /// # Errors
    /// As [`Self::seal`], and `NoRoom` where `out` is shorter than [`Self::sealed_length`].
    pub fn seal_into(
        &self,
        mpdu: &[u8],
        number: PacketNumber,
        key_id: KeyId,
        out: &mut [u8],
    ) -> Result<usize, SealError> {
        let parts = self.seal_parts(mpdu, number, key_id, out)?;
        let SealParts { nonce, aad, body, out, mic, length } = parts;
        if self.schedule.seal(&nonce, &aad, body, out, mic) { Ok(length) } else { Err(SealError::TooLong) }
    }

    /// Writes both headers of the protected MPDU, and says what is left to be done.
    fn seal_parts<'a>(
        &self,
        mpdu: &'a [u8],
        number: PacketNumber,
        key_id: KeyId,
        out: &'a mut [u8],
    ) -> Result<SealParts<'a>, SealError> {
        let layout = Layout::of(mpdu)?;
        let (header, body) = mpdu.split_at_checked(layout.header_length()).ok_or(SealError::Truncated)?;
        let length = self.sealed_length(mpdu).ok_or(SealError::TooLong)?;
        let out = out.get_mut(..length).ok_or(SealError::NoRoom)?;
        let (out_header, out) = out.split_at_mut_checked(header.len()).ok_or(SealError::NoRoom)?;
        let (ccmp_header, out) = out.split_first_chunk_mut().ok_or(SealError::NoRoom)?;
        let (out, mic) = out.split_at_mut_checked(body.len()).ok_or(SealError::NoRoom)?;
        out_header.copy_from_slice(header);
        set_protected(out_header, true);
        *ccmp_header = CcmpHeader::emit(number, key_id);
        Ok(SealParts { nonce: layout.nonce(number), aad: layout.aad(self.spp_amsdu), body, out, mic, length })
    }

    /// As [`Self::open`], to the start of `out`. On an error `out` holds no plaintext.
    ///
    /// # Errors
    /// As [`Self::open`], and `NoRoom` where `out` is shorter than [`Self::opened_length`].
    pub fn open_into(&self, mpdu: &[u8], out: &mut [u8]) -> Result<Opened, OpenError> {
        let parts = self.open_parts(mpdu, out)?;
        if !self.schedule.open(&parts.nonce, &parts.aad, parts.body, parts.out, parts.mic) {
            return Err(OpenError::MicFailed);
        }
        Ok(parts.finish.done())
    }

    fn open_parts<'a>(&self, mpdu: &'a [u8], out: &'a mut [u8]) -> Result<OpenParts<'a>, OpenError> {
        let layout = Layout::of(mpdu)?;
        let ccmp = CcmpHeader::read_after(mpdu, &layout)?;
        if mpdu.len() > MAX_MPDU_LENGTH {
            return Err(OpenError::NotCcmp);
        }
        let length = self.opened_length(mpdu).ok_or(OpenError::Truncated)?;
        let (header, rest) = mpdu.split_at_checked(layout.header_length()).ok_or(OpenError::Truncated)?;
        let body_length = length.checked_sub(header.len()).ok_or(OpenError::Truncated)?;
        let (_, rest) = rest.split_first_chunk::<HEADER_LENGTH>().ok_or(OpenError::Truncated)?;
        let (body, mic) = rest.split_at_checked(body_length).ok_or(OpenError::Truncated)?;
        let out = out.get_mut(..length).ok_or(OpenError::NoRoom)?;
        let (out_header, out) = out.split_at_mut_checked(header.len()).ok_or(OpenError::NoRoom)?;
        Ok(OpenParts {
            nonce: layout.nonce(ccmp.packet_number),
            aad: layout.aad(self.spp_amsdu),
            body,
            out,
            mic,
            finish: OpenFinish { header, out_header, opened: Opened { length, packet_number: ccmp.packet_number } },
        })
    }

    /// The octets of a CCMP-128 key, for the kernels.
    fn key_128(&self) -> Option<&[u8; 16]> {
        self.octets.first_chunk().filter(|_| self.cipher == CipherSuite::CCMP_128)
    }

    /// How long that plaintext MPDU becomes; `None` above [`MAX_MPDU_LENGTH`].
    pub fn sealed_length(&self, mpdu: &[u8]) -> Option<usize> {
        let length = mpdu.len().checked_add(HEADER_LENGTH + self.mic_length())?;
        (length <= MAX_MPDU_LENGTH).then_some(length)
    }

    /// How long that protected MPDU becomes; `None` where it is shorter than CCMP header and MIC.
    pub fn opened_length(&self, mpdu: &[u8]) -> Option<usize> {
        mpdu.len().checked_sub(HEADER_LENGTH + self.mic_length())
    }

    /// Octets of the message integrity code: 8 or 16.
    pub const fn mic_length(&self) -> usize {
        self.schedule.mic_length()
    }

    /// CCMP-128 or CCMP-256.
    pub const fn cipher(&self) -> CipherSuite {
        self.cipher
    }

    pub(super) fn is_zero(&self) -> bool {
        self.octets.ct_eq(&[0; 32]).into()
    }

    pub(super) fn same_octets(&self, key: &[u8]) -> bool {
        let length = if self.cipher == CipherSuite::CCMP_128 { 16 } else { 32 };
        self.octets.get(..length).is_some_and(|octets| octets.ct_eq(key).into())
    }
}

impl fmt::Debug for CcmpKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("CcmpKey").field("cipher", &self.cipher).finish_non_exhaustive()
    }
}

/// What a protected MPDU says before it is opened. All of it is unauthenticated until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CcmpHeader {
    /// The packet number.
    pub packet_number: PacketNumber,
    /// Which key.
    pub key_id: KeyId,
    /// Which replay counter.
    pub class: ReplayClass,
}

impl CcmpHeader {
    /// Reads the CCMP header behind the MAC header; reserved bits are ignored (IEEE 802.11-2020 12.5.3.2).
    ///
    /// # Errors
    /// `Truncated`, `NotProtected`, or `NotCcmp`.
    pub fn read(mpdu: &[u8]) -> Result<Self, OpenError> {
        Self::read_after(mpdu, &Layout::of(mpdu)?)
    }

    fn read_after(mpdu: &[u8], layout: &Layout) -> Result<Self, OpenError> {
        if !layout.is_protected() {
            return Err(OpenError::NotProtected);
        }
        let header = mpdu.get(layout.header_length()..).and_then(<[u8]>::first_chunk::<HEADER_LENGTH>);
        let [pn0, pn1, _reserved, key, pn2, pn3, pn4, pn5] = *header.ok_or(OpenError::Truncated)?;
        if key & EXTENDED_IV == 0 {
            return Err(OpenError::NotCcmp);
        }
        let number = u64::from_le_bytes([pn0, pn1, pn2, pn3, pn4, pn5, 0, 0]);
        Ok(Self {
            packet_number: PacketNumber::from_low_bits(number),
            key_id: KeyId::from_low_bits(key >> 6),
            class: layout.replay_class(),
        })
    }

    const fn emit(number: PacketNumber, key_id: KeyId) -> [u8; HEADER_LENGTH] {
        let [pn5, pn4, pn3, pn2, pn1, pn0] = number.to_be_octets();
        [pn0, pn1, 0, EXTENDED_IV | key_id.value() << 6, pn2, pn3, pn4, pn5]
    }
}

/// An MPDU was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Octets written: MAC header and plaintext.
    pub length: usize,
    /// Its packet number.
    pub packet_number: PacketNumber,
}

/// One packet of [`seal_batch`].
#[derive(Debug)]
pub struct SealJob<'a> {
    /// The key; every job may have another one.
    pub key: &'a CcmpKey,
    /// A packet number that was never used with this key.
    pub packet_number: PacketNumber,
    /// The key's identifier.
    pub key_id: KeyId,
    /// The plaintext MPDU.
    pub mpdu: &'a [u8],
    /// Where the protected one goes: at least [`CcmpKey::sealed_length`] octets.
    pub out: &'a mut [u8],
    /// Octets written to `out`, once the batch is done.
    pub result: Result<usize, SealError>,
}

/// One packet of [`open_batch`].
#[derive(Debug)]
pub struct OpenJob<'a> {
    /// The key; every job may have another one.
    pub key: &'a CcmpKey,
    /// The protected MPDU.
    pub mpdu: &'a [u8],
    /// Where the plaintext one goes: at least [`CcmpKey::opened_length`] octets.
    pub out: &'a mut [u8],
    /// What was written to `out`, once the batch is done.
    pub result: Result<Opened, OpenError>,
}

/// What is left to be done to seal an MPDU whose headers are written.
struct SealParts<'a> {
    nonce: [u8; 13],
    aad: Aad,
    body: &'a [u8],
    out: &'a mut [u8],
    mic: &'a mut [u8],
    length: usize,
}

/// What is to be done to open an MPDU.
struct OpenParts<'a> {
    nonce: [u8; 13],
    aad: Aad,
    body: &'a [u8],
    out: &'a mut [u8],
    mic: &'a [u8],
    finish: OpenFinish<'a>,
}

/// What is left to be done once the integrity code was found right.
struct OpenFinish<'a> {
    header: &'a [u8],
    out_header: &'a mut [u8],
    opened: Opened,
}

impl OpenFinish<'_> {
    fn done(self) -> Opened {
        self.out_header.copy_from_slice(self.header);
        set_protected(self.out_header, false);
        self.opened
    }
}

/// Seals all packets, in any order, with the best kernel of this processor.
pub fn seal_batch(jobs: &mut [SealJob<'_>]) {
    seal_batch_with(Backend::best(), jobs);
}

/// Opens all packets, in any order, with the best kernel of this processor.
///
/// Replay counters are checked before and moved after, by the caller.
pub fn open_batch(jobs: &mut [OpenJob<'_>]) {
    open_batch_with(Backend::best(), jobs);
}

/// As [`seal_batch`], by a certain backend; `Portable` where this processor does not have it.
pub fn seal_batch_with(backend: Backend, jobs: &mut [SealJob<'_>]) {
    let backend = if backend.is_available() { backend } else { Backend::Portable };
    let mut packets = Vec::with_capacity(jobs.len());
    let mut endings = Vec::with_capacity(jobs.len());
    for job in jobs {
        let SealJob { key, packet_number, key_id, mpdu, out, result } = job;
        let parts = match key.seal_parts(mpdu, *packet_number, *key_id, out) {
            Ok(parts) => parts,
            Err(error) => {
                *result = Err(error);
                continue;
            }
        };
        let SealParts { nonce, aad, body, out, mic, length } = parts;
        if let Some(key) = key.key_128().filter(|_| kernel::takes(backend, body.len())) {
            packets.push(Packet { key, nonce, aad, body, out, mic: [0; 8], ending: endings.len() });
            endings.push((result, mic, length));
        } else {
            let sealed = key.schedule.seal(&nonce, &aad, body, out, mic);
            *result = if sealed { Ok(length) } else { Err(SealError::TooLong) };
        }
    }
    kernel::run::<false>(backend, &mut packets);
    for packet in packets {
        if let Some((result, mic, length)) = endings.get_mut(packet.ending) {
            mic.copy_from_slice(&packet.mic);
            **result = Ok(*length);
        }
    }
}

/// As [`open_batch`], by a certain backend; `Portable` where this processor does not have it.
pub fn open_batch_with(backend: Backend, jobs: &mut [OpenJob<'_>]) {
    let backend = if backend.is_available() { backend } else { Backend::Portable };
    let mut packets = Vec::with_capacity(jobs.len());
    let mut endings = Vec::with_capacity(jobs.len());
    for job in jobs {
        let OpenJob { key, mpdu, out, result } = job;
        let parts = match key.open_parts(mpdu, out) {
            Ok(parts) => parts,
            Err(error) => {
                *result = Err(error);
                continue;
            }
        };
        let OpenParts { nonce, aad, body, out, mic, finish } = parts;
        if let Some(key) = key.key_128().filter(|_| kernel::takes(backend, body.len())) {
            packets.push(Packet { key, nonce, aad, body, out, mic: [0; 8], ending: endings.len() });
            endings.push(Some((result, mic, finish)));
        } else {
            let is_right = key.schedule.open(&nonce, &aad, body, out, mic);
            *result = if is_right { Ok(finish.done()) } else { Err(OpenError::MicFailed) };
        }
    }
    kernel::run::<true>(backend, &mut packets);
    for packet in packets {
        let Some((result, mic, finish)) = endings.get_mut(packet.ending).and_then(Option::take) else { continue };
        *result = if packet.mic.ct_eq(mic).into() {
            Ok(finish.done())
        } else {
            zeroize::Zeroize::zeroize(packet.out);
            Err(OpenError::MicFailed)
        };
    }
}

/// A temporal key has 16 or 32 octets; this many are neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidKeyLength(pub usize);

impl fmt::Display for InvalidKeyLength {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "a temporal key has 16 or 32 octets, not {}", self.0)
    }
}

impl core::error::Error for InvalidKeyLength {}

/// Why an MPDU was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealError {
    /// Shorter than its MAC header.
    Truncated,
    /// Not a data or management frame of protocol version 0.
    NotProtectable,
    /// It would have more than [`MAX_MPDU_LENGTH`] octets.
    TooLong,
    /// The key has no packet numbers left.
    KeyExhausted,
    /// The output buffer is too short.
    NoRoom,
}

impl fmt::Display for SealError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Truncated => "the frame is shorter than its MAC header",
            Self::NotProtectable => "only data and management frames of protocol version 0 can be protected",
            Self::TooLong => "a protected frame has at most 65535 octets",
            Self::KeyExhausted => "the key has no packet numbers left",
            Self::NoRoom => "the output buffer is too short",
        })
    }
}

impl core::error::Error for SealError {}

impl From<LayoutError> for SealError {
    fn from(error: LayoutError) -> Self {
        match error {
            LayoutError::Truncated => Self::Truncated,
            LayoutError::Unsupported => Self::NotProtectable,
        }
    }
}

/// Why an MPDU was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Shorter than MAC header, CCMP header and MIC.
    Truncated,
    /// Its Protected Frame bit is 0.
    NotProtected,
    /// `ExtIV` is 0, the protocol version is not 0, it is no data or management frame, or it is longer than
    /// [`MAX_MPDU_LENGTH`].
    NotCcmp,
    /// Its packet number is not larger than the last one ([`super::key_slot::KeySlot::open`] only).
    Replay,
    /// The message integrity code is wrong.
    MicFailed,
    /// The output buffer is too short.
    NoRoom,
}

impl fmt::Display for OpenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Truncated => "the frame is shorter than MAC header, CCMP header and MIC",
            Self::NotProtected => "the frame is not protected",
            Self::NotCcmp => "the frame is not protected by CCMP",
            Self::Replay => "the packet number is not larger than the last one",
            Self::MicFailed => "the message integrity code is wrong",
            Self::NoRoom => "the output buffer is too short",
        })
    }
}

impl core::error::Error for OpenError {}

impl From<LayoutError> for OpenError {
    fn from(error: LayoutError) -> Self {
        match error {
            LayoutError::Truncated => Self::Truncated,
            LayoutError::Unsupported => Self::NotCcmp,
        }
    }
}

fn set_protected(header: &mut [u8], protected: bool) {
    if let Some(flags) = header.get_mut(1) {
        *flags = if protected { *flags | layout::PROTECTED } else { *flags & !layout::PROTECTED };
    }
}

/// `ExtIV`, bit 5 of the Key ID octet: always 1 in CCMP.
const EXTENDED_IV: u8 = 1 << 5;

#[cfg(test)]
mod tests;
