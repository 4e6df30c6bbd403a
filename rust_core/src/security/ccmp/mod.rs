//! CCMP (IEEE 802.11-2020 12.5.3): protects one MPDU, or many in a batch.
//!
//! [`CcmpKey`] seals and opens; [`CcmpHeader`] says which key and which replay counter a frame is about, before any key
//! is touched; [`seal_batch`] and [`open_batch`] take many packets, each with its own key, from one buffer to another;
//! [`seal_in_place`] and [`open_in_place`] leave the bodies where they are.
//! Not here: packet numbers and replay (`key_slot`, `replay`), which key belongs to whom (`device::connection_table`).
//! Promise: no plaintext comes out whose message integrity code is wrong, and none of it stays in the output buffer.

mod batch;
mod job;
mod kernel;
mod layout;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
#[macro_use]
mod x86_512_rounds;
#[cfg(target_arch = "x86_64")]
mod x86_512;
#[cfg(target_arch = "x86_64")]
mod x86_limit;
#[cfg(target_arch = "x86_64")]
mod x86_plain;

use core::fmt;
use std::sync::OnceLock;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use self::job::{OpenInPlaceJob, OpenJob, SealInPlaceJob, SealJob};
pub use self::kernel::Backend;
use self::layout::{Layout, LayoutError};
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
#[repr(C)]
pub struct CcmpKey {
    /// Its octets, as they lie in memory: words are wiped in an eighth of the steps.
    words: Zeroizing<[u64; 4]>,
    cipher: CipherSuite,
    /// The bits of the first octet of QoS Control that are authenticated.
    qos_mask: u8,
    /// Expanded when it is first asked for: the kernels expand keys on the fly.
    schedule: OnceLock<Box<Schedule>>,
}

impl CcmpKey {
    /// The length says which cipher it is.
    pub fn new(key: &[u8]) -> Result<Self, InvalidKeyLength> {
        match key.len() {
            16 => key.first_chunk::<16>().map(Self::from),
            32 => key.first_chunk::<32>().map(Self::from),
            _ => None,
        }
        .ok_or(InvalidKeyLength(key.len()))
    }

    fn from_words(cipher: CipherSuite, words: [u64; 4]) -> Self {
        Self { words: Zeroizing::new(words), cipher, qos_mask: layout::TID, schedule: OnceLock::new() }
    }

    /// Both ends are SPP A-MSDU capable: the A-MSDU Present bit is authenticated too (IEEE 802.11-2020 12.5.3.3.3).
    #[must_use]
    pub fn with_spp_amsdu(mut self, enabled: bool) -> Self {
        self.qos_mask = if enabled { layout::TID | layout::AMSDU_PRESENT } else { layout::TID };
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
        packet_number: PacketNumber,
        key_id: KeyId,
        out: &mut [u8],
    ) -> Result<usize, SealError> {
        let mut job = SealJob { key: self, packet_number, key_id, mpdu, out, result: Err(SealError::NoRoom) };
        batch::run_one(&mut job);
        job.result
    }

    /// As [`Self::open`], to the start of `out`. On an error `out` holds no plaintext.
    ///
    /// # Errors
    /// As [`Self::open`], and `NoRoom` where `out` is shorter than [`Self::opened_length`].
    pub fn open_into(&self, mpdu: &[u8], out: &mut [u8]) -> Result<Opened, OpenError> {
        let mut job = OpenJob { key: self, mpdu, out, result: Err(OpenError::NoRoom) };
        batch::run_one(&mut job);
        job.result
    }

    /// How long that plaintext MPDU becomes; `None` above [`MAX_MPDU_LENGTH`].
    pub fn sealed_length(&self, mpdu: &[u8]) -> Option<usize> {
        let length = mpdu.len().checked_add(self.overhead())?;
        (length <= MAX_MPDU_LENGTH).then_some(length)
    }

    /// How long that protected MPDU becomes; `None` where it is shorter than CCMP header and MIC.
    pub fn opened_length(&self, mpdu: &[u8]) -> Option<usize> {
        mpdu.len().checked_sub(self.overhead())
    }

    /// Octets of the message integrity code: 8 or 16.
    pub const fn mic_length(&self) -> usize {
        if self.is_256() { 16 } else { 8 }
    }

    /// Octets that protection adds: the CCMP header and the integrity code.
    const fn overhead(&self) -> usize {
        HEADER_LENGTH + self.mic_length()
    }

    /// CCMP-256 it is.
    const fn is_256(&self) -> bool {
        self.cipher.0 == CipherSuite::CCMP_256.0
    }

    const fn qos_mask(&self) -> u8 {
        self.qos_mask
    }

    /// Where the 32 octets lie that hold the key.
    fn place(&self) -> *const u8 {
        self.words.as_ptr().cast()
    }

    /// A copy of the 32 octets.
    fn octets(&self) -> Zeroizing<[u8; 32]> {
        let mut octets = Zeroizing::new([0; 32]);
        let (places, _) = octets.as_chunks_mut();
        places.iter_mut().zip(self.words.iter()).for_each(|(place, word)| *place = word.to_ne_bytes());
        octets
    }

    fn schedule(&self) -> &Schedule {
        self.schedule.get_or_init(|| {
            let octets = self.octets();
            Box::new(match octets.first_chunk() {
                Some(key) if !self.is_256() => Schedule::ccmp_128(key),
                _ => Schedule::ccmp_256(&octets),
            })
        })
    }

    /// CCMP-128 or CCMP-256.
    pub const fn cipher(&self) -> CipherSuite {
        self.cipher
    }

    pub(super) fn is_zero(&self) -> bool {
        self.words.ct_eq(&[0; 4]).into()
    }

    pub(super) fn same_octets(&self, key: &[u8]) -> bool {
        let length = if self.is_256() { 32 } else { 16 };
        self.octets().get(..length).is_some_and(|octets| octets.ct_eq(key).into())
    }
}

/// Of CCMP-128.
impl From<&[u8; 16]> for CcmpKey {
    fn from(key: &[u8; 16]) -> Self {
        let [first, second] = words(key);
        Self::from_words(CipherSuite::CCMP_128, [first, second, 0, 0])
    }
}

/// Of CCMP-256.
impl From<&[u8; 32]> for CcmpKey {
    fn from(key: &[u8; 32]) -> Self {
        Self::from_words(CipherSuite::CCMP_256, words(key))
    }
}

/// Octets as they lie in memory.
fn words<const N: usize>(octets: &[u8]) -> [u64; N] {
    let mut words = octets.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word));
    core::array::from_fn(|_| words.next().unwrap_or_default())
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
        let layout = Layout::of(mpdu)?;
        if !layout.is_protected() {
            return Err(OpenError::NotProtected);
        }
        let header = mpdu.get(layout.length()..).and_then(<[u8]>::first_chunk).ok_or(OpenError::Truncated)?;
        let (packet_number, key_id) = Self::parse(*header)?;
        Ok(Self { packet_number, key_id, class: layout.replay_class() })
    }

    /// The packet number and the key's identifier of a CCMP header.
    #[inline]
    fn parse(octets: [u8; HEADER_LENGTH]) -> Result<(PacketNumber, KeyId), OpenError> {
        let [_pn0, _pn1, _reserved, key, ..] = octets;
        if key & EXTENDED_IV == 0 {
            return Err(OpenError::NotCcmp);
        }
        let word = u64::from_le_bytes(octets);
        Ok((PacketNumber::from_low_bits(word >> 32 << 16 | word & 0xffff), KeyId::from_low_bits(key >> 6)))
    }

    #[inline]
    const fn emit(number: PacketNumber, key_id: KeyId) -> [u8; HEADER_LENGTH] {
        let number = number.value();
        (number << 16 & !0xffff_ffff | (key_id.value() as u64) << 30 | (EXTENDED_IV as u64) << 24 | number & 0xffff)
            .to_le_bytes()
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

/// Seals all packets, in any order, with the best kernel of this processor; true where none has failed.
pub fn seal_batch(jobs: &mut [SealJob<'_>]) -> bool {
    seal_batch_with(Backend::best(), jobs)
}

/// Opens all packets, in any order, with the best kernel of this processor; true where none has failed.
///
/// Replay counters are checked before and moved after, by the caller.
pub fn open_batch(jobs: &mut [OpenJob<'_>]) -> bool {
    open_batch_with(Backend::best(), jobs)
}

/// As [`seal_batch`], by a certain backend; `Portable` where this processor does not have it.
pub fn seal_batch_with(backend: Backend, jobs: &mut [SealJob<'_>]) -> bool {
    batch::run(backend, jobs) || jobs.iter().all(|job| job.result.is_ok())
}

/// As [`open_batch`], by a certain backend; `Portable` where this processor does not have it.
pub fn open_batch_with(backend: Backend, jobs: &mut [OpenJob<'_>]) -> bool {
    batch::run(backend, jobs) || jobs.iter().all(|job| job.result.is_ok())
}

/// As [`seal_batch_with`], each packet in its own buffer.
pub fn seal_in_place(backend: Backend, jobs: &mut [SealInPlaceJob<'_>]) {
    batch::run(backend, jobs);
}

/// As [`open_batch_with`], each packet in its own buffer.
pub fn open_in_place(backend: Backend, jobs: &mut [OpenInPlaceJob<'_>]) {
    batch::run(backend, jobs);
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

/// `ExtIV`, bit 5 of the Key ID octet: always 1 in CCMP.
const EXTENDED_IV: u8 = 1 << 5;

#[cfg(test)]
mod tests;
