//! CCMP over whole batches whose keys and packet numbers the caller names: frames in, frames and verdicts out.
//!
//! Not here: which key belongs to whom (`device::batch`), replay (`replay`); the work itself is [`super::ccmp`]'s.
//! Promise: a frame comes out whole or is empty, and says why.

use core::fmt;

use super::ccmp::{Backend, CcmpKey, InvalidKeyLength, OpenError, OpenJob, SealError, SealJob};
use super::ccmp::{open_batch_with, seal_batch_with};
use crate::frame_batch::{FrameBatch, Frames, make_room};
use crate::ids::{KeyId, PacketNumber};

/// The keys of a batch: one for all frames, or one for each.
#[derive(Debug)]
pub enum BatchKeys {
    /// One for all.
    One(Box<CcmpKey>),
    /// One for each frame, in order.
    Each(Vec<CcmpKey>),
}

impl BatchKeys {
    /// The same key for all frames: 16 or 32 octets.
    ///
    /// # Errors
    /// Another length.
    pub fn one(key: &[u8]) -> Result<Self, InvalidKeyLength> {
        Ok(Self::One(Box::new(CcmpKey::new(key)?)))
    }

    /// Keys of `length` octets each, 16 or 32, one behind the other.
    ///
    /// # Errors
    /// Another length.
    pub fn each(octets: &[u8], length: usize) -> Result<Self, InvalidKeyLength> {
        // Straight into the list, where `CcmpKey::new` may fail and each key goes by the stack: a third of the time.
        match length {
            16 => Ok(Self::Each(octets.as_chunks::<16>().0.iter().map(CcmpKey::from).collect())),
            32 => Ok(Self::Each(octets.as_chunks::<32>().0.iter().map(CcmpKey::from).collect())),
            _ => Err(InvalidKeyLength(length)),
        }
    }

    fn check(&self, frames: usize) -> Result<(), BatchError> {
        match self {
            Self::Each(keys) if keys.len() != frames => Err(BatchError::Keys { keys: keys.len(), frames }),
            _ => Ok(()),
        }
    }

    fn of(&self, index: usize) -> Option<&CcmpKey> {
        match self {
            Self::One(key) => Some(key),
            Self::Each(keys) => keys.get(index),
        }
    }
}

/// What became of a batch: an entry of each list for each frame that went in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CcmpOutcome<E> {
    /// The frames that passed; empty where they did not.
    pub frames: FrameBatch,
    /// The packet numbers of those that passed, or why they did not.
    pub results: Vec<Result<PacketNumber, E>>,
}

/// Seals every frame with its key and its packet number, under key identifier 0 where there are no identifiers.
///
/// No packet number may be used twice with one key: the caller sees to that. The result lies in `memory`, or in new one
/// where that is too short; what was in it does not matter.
///
/// # Errors
/// A list has not an entry for each frame, or an entry is out of range; nothing is sealed then.
pub fn seal(
    backend: Backend,
    frames: Frames<'_>,
    keys: &BatchKeys,
    packet_numbers: &[u64],
    key_ids: Option<&[u8]>,
    memory: Vec<u8>,
) -> Result<CcmpOutcome<SealError>, BatchError> {
    let count = frames.len();
    keys.check(count)?;
    if packet_numbers.len() != count {
        return Err(BatchError::PacketNumbers { packet_numbers: packet_numbers.len(), frames: count });
    }
    if let Some(key_ids) = key_ids.filter(|key_ids| key_ids.len() != count) {
        return Err(BatchError::KeyIds { key_ids: key_ids.len(), frames: count });
    }
    let mut room = Room::new(memory, frames, |index, mpdu| keys.of(index).and_then(|key| key.sealed_length(mpdu)))?;
    let mut jobs = Vec::with_capacity(count);
    for (index, ((mpdu, number), out)) in frames.iter().zip(packet_numbers).zip(room.parts()).enumerate() {
        let key = keys.of(index).ok_or(BatchError::Keys { keys: index, frames: count })?;
        let packet_number = PacketNumber::new(*number).ok_or(BatchError::PacketNumberRange(index))?;
        let key_id = key_ids.and_then(|key_ids| key_ids.get(index)).copied().unwrap_or_default();
        let key_id = KeyId::new(key_id).ok_or(BatchError::KeyIdRange(index))?;
        jobs.push(SealJob { key, packet_number, key_id, mpdu, out, result: Err(SealError::NoRoom) });
    }
    seal_batch_with(backend, &mut jobs);
    let results: Vec<_> = jobs.iter().map(|job| job.result.map(|_| job.packet_number)).collect();
    Ok(CcmpOutcome { frames: room.keep(&results), results })
}

/// Opens every frame with its key. Replay is the caller's to check, by the packet numbers that come out. `memory` as for
/// [`seal`].
///
/// # Errors
/// There is not a key for each frame; nothing is opened then.
pub fn open(
    backend: Backend,
    frames: Frames<'_>,
    keys: &BatchKeys,
    memory: Vec<u8>,
) -> Result<CcmpOutcome<OpenError>, BatchError> {
    let count = frames.len();
    keys.check(count)?;
    let mut room = Room::new(memory, frames, |index, mpdu| keys.of(index).and_then(|key| key.opened_length(mpdu)))?;
    let mut jobs = Vec::with_capacity(count);
    for (index, (mpdu, out)) in frames.iter().zip(room.parts()).enumerate() {
        let key = keys.of(index).ok_or(BatchError::Keys { keys: index, frames: count })?;
        jobs.push(OpenJob { key, mpdu, out, result: Err(OpenError::NoRoom) });
    }
    open_batch_with(backend, &mut jobs);
    let results: Vec<_> = jobs.iter().map(|job| job.result.map(|opened| opened.packet_number)).collect();
    Ok(CcmpOutcome { frames: room.keep(&results), results })
}

/// The backend of that name.
///
/// # Errors
/// There is none, or this processor does not have it.
pub fn backend_named(name: &str) -> Result<Backend, NoSuchBackend> {
    Backend::named(name).filter(|backend| backend.is_available()).ok_or_else(|| NoSuchBackend(name.to_owned()))
}

/// No backend has this name, or this processor does not have that backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSuchBackend(pub String);

impl fmt::Display for NoSuchBackend {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let available = Backend::ALL.into_iter().filter(|backend| backend.is_available()).map(Backend::name);
        let available: Vec<&str> = available.collect();
        write!(out, "no CCMP backend {:?} on this processor; there is {}", self.0, available.join(", "))
    }
}

impl core::error::Error for NoSuchBackend {}

/// Why a batch was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// There is neither one key for all frames nor one for each.
    Keys {
        /// So many keys.
        keys: usize,
        /// So many frames.
        frames: usize,
    },
    /// There is not a packet number for each frame.
    PacketNumbers {
        /// So many packet numbers.
        packet_numbers: usize,
        /// So many frames.
        frames: usize,
    },
    /// There is not a key identifier for each frame.
    KeyIds {
        /// So many key identifiers.
        key_ids: usize,
        /// So many frames.
        frames: usize,
    },
    /// The packet number of this frame has more than 48 bits.
    PacketNumberRange(usize),
    /// The key identifier of this frame is not 0 to 3.
    KeyIdRange(usize),
    /// The result would have 4 GiB or more.
    TooLarge,
}

impl fmt::Display for BatchError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys { keys, frames } => {
                write!(out, "{keys} keys for {frames} frames: give one for all, or one for each")
            }
            Self::PacketNumbers { packet_numbers, frames } => {
                write!(out, "{packet_numbers} packet numbers for {frames} frames: each needs its own")
            }
            Self::KeyIds { key_ids, frames } => write!(out, "{key_ids} key IDs for {frames} frames: give one for each"),
            Self::PacketNumberRange(index) => write!(out, "frame {index}: a packet number has 48 bits"),
            Self::KeyIdRange(index) => write!(out, "frame {index}: a key ID is 0 to 3"),
            Self::TooLarge => out.write_str("a batch holds less than 4 GiB"),
        }
    }
}

impl core::error::Error for BatchError {}

/// Where the frames of a batch are written: a part for each, one behind the other.
struct Room {
    octets: Vec<u8>,
    offsets: Vec<u32>,
}

impl Room {
    /// A part of that length for each frame, none where there is no length.
    fn new(
        mut octets: Vec<u8>,
        frames: Frames<'_>,
        length: impl Fn(usize, &[u8]) -> Option<usize>,
    ) -> Result<Self, BatchError> {
        let mut offsets = Vec::with_capacity(frames.len() + 1);
        let mut end = 0_u32;
        offsets.push(end);
        for (index, mpdu) in frames.iter().enumerate() {
            let length = u32::try_from(length(index, mpdu).unwrap_or_default());
            end = length.ok().and_then(|length| end.checked_add(length)).ok_or(BatchError::TooLarge)?;
            offsets.push(end);
        }
        make_room(&mut octets, end as usize);
        Ok(Self { octets, offsets })
    }

    fn parts(&mut self) -> impl Iterator<Item = &mut [u8]> {
        let mut rest = self.octets.as_mut_slice();
        self.offsets.windows(2).map(move |pair| {
            let length = if let [start, end] = *pair { end.saturating_sub(start) } else { 0 };
            let (part, after) = core::mem::take(&mut rest).split_at_mut_checked(length as usize).unwrap_or_default();
            rest = after;
            part
        })
    }

    /// The parts whose result is right; the others become empty.
    fn keep<T, E>(self, results: &[Result<T, E>]) -> FrameBatch {
        let mut frames = FrameBatch::from_room(self.octets, self.offsets).unwrap_or_default();
        if results.iter().any(Result::is_err) {
            frames.keep(results.iter().map(Result::is_ok));
        }
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize) -> Vec<u8> {
        let mut frame = vec![0x5a; 26 + length];
        frame.splice(..2, [0x88, 0x01]);
        frame
    }

    fn batch() -> FrameBatch {
        let frames = [frame(100), vec![0x88], frame(0), vec![0xd4; 40], frame(1500)];
        frames.iter().map(Vec::as_slice).collect()
    }

    #[test]
    fn what_was_sealed_opens_and_what_cannot_be_sealed_is_empty() {
        let keys = BatchKeys::each(&(1..=80).collect::<Vec<u8>>(), 16).unwrap();
        let plain = batch();
        for backend in Backend::ALL {
            let sealed =
                seal(backend, plain.frames(), &keys, &[1, 2, 3, 4, 5], Some(&[0, 1, 2, 3, 0]), Vec::new()).unwrap();
            assert_eq!(sealed.frames.iter().map(<[u8]>::len).collect::<Vec<_>>(), [142, 0, 42, 0, 1542]);
            assert_eq!(sealed.results[1], Err(SealError::Truncated));
            assert_eq!(sealed.results[3], Err(SealError::NotProtectable));
            let opened = open(backend, sealed.frames.frames(), &keys, vec![9; 5000]).unwrap();
            for (index, number) in [(0, 1), (2, 3), (4, 5)] {
                assert_eq!(sealed.results[index], Ok(PacketNumber::from_low_bits(number)));
                assert_eq!(opened.results[index], Ok(PacketNumber::from_low_bits(number)));
                assert_eq!(opened.frames.frame(index), plain.frame(index));
            }
            assert_eq!(opened.results[1], Err(OpenError::Truncated));
        }
    }

    #[test]
    fn a_frame_that_does_not_open_leaves_no_octet_between_those_that_do() {
        let keys = BatchKeys::one(&[7; 32]).unwrap();
        let plain: FrameBatch = [frame(40), frame(50), frame(60)].iter().map(Vec::as_slice).collect();
        let mut sealed = seal(Backend::best(), plain.frames(), &keys, &[1, 2, 3], None, Vec::new()).unwrap().frames;
        sealed.frame_mut(1).unwrap()[40] ^= 1;
        let opened = open(Backend::best(), sealed.frames(), &keys, vec![9; 100]).unwrap();
        assert_eq!(opened.results[1], Err(OpenError::MicFailed));
        assert!(opened.frames.iter().eq([plain.frame(0).unwrap(), &[], plain.frame(2).unwrap()]));
        assert_eq!(opened.frames.data().len(), 66 + 86);
    }

    #[test]
    fn lists_of_another_length_and_numbers_out_of_range_are_refused() {
        let (plain, one) = (batch(), BatchKeys::one(&[7; 16]).unwrap());
        let refused = |keys: &BatchKeys, numbers: &[u64], key_ids: Option<&[u8]>| {
            seal(Backend::Portable, plain.frames(), keys, numbers, key_ids, Vec::new()).unwrap_err()
        };
        let four = BatchKeys::each(&[7; 64], 16).unwrap();
        assert_eq!(refused(&four, &[1; 5], None), BatchError::Keys { keys: 4, frames: 5 });
        assert_eq!(refused(&one, &[1; 6], None), BatchError::PacketNumbers { packet_numbers: 6, frames: 5 });
        assert_eq!(refused(&one, &[1; 5], Some(&[0; 4])), BatchError::KeyIds { key_ids: 4, frames: 5 });
        assert_eq!(refused(&one, &[1, 2, 1 << 48, 3, 4], None), BatchError::PacketNumberRange(2));
        assert_eq!(refused(&one, &[1; 5], Some(&[0, 0, 0, 0, 4])), BatchError::KeyIdRange(4));
        assert!(open(Backend::Portable, plain.frames(), &four, Vec::new()).is_err());
        assert_eq!(BatchKeys::each(&[], 24).unwrap_err(), InvalidKeyLength(24));
    }

    #[test]
    fn backends_have_names() {
        assert_eq!(backend_named("portable"), Ok(Backend::Portable));
        let error = backend_named("quantum").unwrap_err().to_string();
        assert!(error.contains("\"quantum\"") && error.contains("portable"), "{error}");
    }
}
