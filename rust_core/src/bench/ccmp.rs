//! CCMP: batches of ready jobs through a backend, and the `ccm` crate one packet at a time.

use core::hint::black_box;
use core::time::Duration;
use std::time::Instant;

use aes::Aes128Enc;
use ccm::aead::AeadInOut;
use ccm::aead::inout::InOutBuf;
use ccm::consts::{U8, U13};
use ccm::{Ccm, KeyInit};

use super::ring::{AAD, Direction, MAC_HEADER, MIC, Ring, RingPacket, Shape, nonce_and_aad};
use super::{BATCH, Work, WorkError};
use crate::ids::KeyId;
use crate::security::ccmp::{
    Backend, CcmpKey, HEADER_LENGTH, OpenError, OpenJob, SealError, SealJob, open_batch_with, seal_batch_with,
};

/// Packets through one backend.
pub struct Ccmp {
    ring: Ring,
    direction: Direction,
    backend: Backend,
    cursor: usize,
}

impl Ccmp {
    /// Makes packets and keys, and checks that each packet comes out right once.
    ///
    /// # Errors
    /// `NotHere` where this processor does not have the backend; or as [`Ring::new`].
    pub fn new(shape: &Shape, backend: Backend) -> Result<Self, WorkError> {
        if !backend.is_available() {
            return Err(WorkError::NotHere("this processor does not have that backend"));
        }
        let mut work = Self { ring: Ring::new(shape)?, direction: shape.direction, backend, cursor: 0 };
        work.run(work.ring.packets.len() / BATCH)?;
        Ok(work)
    }
}

impl Work for Ccmp {
    fn items(&self) -> usize {
        BATCH
    }

    fn run(&mut self, repetitions: usize) -> Result<Duration, WorkError> {
        let Self { ring, direction, backend, cursor } = self;
        let output = core::mem::take(&mut ring.output);
        let (output, taken) = match direction {
            Direction::Seal => seal(ring, *backend, *cursor, repetitions, output),
            Direction::Open => open(ring, *backend, *cursor, repetitions, output),
        };
        ring.output = output;
        *cursor = (*cursor + repetitions * BATCH) % ring.packets.len().max(1);
        taken
    }
}

/// The rooms of a ring's output, by their places.
pub(super) fn rooms(output: &mut [u8], slot: usize) -> Vec<Option<&mut [u8]>> {
    output.chunks_exact_mut(slot).map(Some).collect()
}

/// Key, input and room of a packet.
type Parts<'a> = (&'a CcmpKey, &'a [u8], &'a mut [u8]);

fn parts<'a>(ring: &'a Ring, rooms: &mut [Option<&'a mut [u8]>], packet: &RingPacket) -> Option<Parts<'a>> {
    Some((ring.keys.get(packet.key)?, ring.read(packet), rooms.get_mut(packet.place)?.take()?))
}

fn seal(
    ring: &Ring,
    backend: Backend,
    cursor: usize,
    repetitions: usize,
    mut output: Vec<u8>,
) -> (Vec<u8>, Result<Duration, WorkError>) {
    let mut rooms = rooms(&mut output, ring.slot);
    let key_id = KeyId::from_low_bits(0);
    let mut jobs: Vec<SealJob<'_>> = ring
        .visit(cursor, repetitions)
        .filter_map(|packet| {
            let (key, mpdu, out) = parts(ring, &mut rooms, packet)?;
            let packet_number = packet.number;
            Some(SealJob { key, packet_number, key_id, mpdu, out, result: Err(SealError::Truncated) })
        })
        .collect();
    let taken = in_batches(&mut jobs, repetitions, |batch| seal_batch_with(backend, batch));
    let is_right = jobs.iter().all(|job| job.result == Ok(job.mpdu.len() + HEADER_LENGTH + MIC));
    drop(jobs);
    (output, if is_right { Ok(taken) } else { Err(WorkError::Wrong("not every packet was sealed")) })
}

fn open(
    ring: &Ring,
    backend: Backend,
    cursor: usize,
    repetitions: usize,
    mut output: Vec<u8>,
) -> (Vec<u8>, Result<Duration, WorkError>) {
    let mut rooms = rooms(&mut output, ring.slot);
    let mut jobs: Vec<OpenJob<'_>> = ring
        .visit(cursor, repetitions)
        .filter_map(|packet| {
            let (key, mpdu, out) = parts(ring, &mut rooms, packet)?;
            Some(OpenJob { key, mpdu, out, result: Err(OpenError::Truncated) })
        })
        .collect();
    let taken = in_batches(&mut jobs, repetitions, |batch| open_batch_with(backend, batch));
    let is_right = jobs.iter().all(|job| job.result.is_ok());
    drop(jobs);
    (output, if is_right { Ok(taken) } else { Err(WorkError::Wrong("not every packet was opened")) })
}

/// That many batches, from the first on, around and around.
fn in_batches<T>(jobs: &mut [T], repetitions: usize, mut work: impl FnMut(&mut [T]) -> bool) -> Duration {
    let batches = jobs.len() / BATCH;
    if batches == 0 {
        return Duration::ZERO;
    }
    let start = Instant::now();
    let mut left = repetitions;
    while left > 0 {
        for batch in jobs.chunks_exact_mut(BATCH).take(left) {
            black_box(work(batch));
        }
        left -= left.min(batches);
    }
    start.elapsed()
}

/// A packet as the `ccm` crate and the libraries want it; nonce and additional data stand ready.
#[derive(Clone, Copy, Debug)]
pub(super) struct CcmPacket {
    pub(super) key: usize,
    pub(super) place: usize,
    /// Where the body that is read begins in its slot, and where what is written goes.
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) body: usize,
    pub(super) nonce: [u8; 13],
    pub(super) aad: [u8; AAD],
}

impl CcmPacket {
    /// The packets of a ring, in their order.
    pub(super) fn all(ring: &Ring, direction: Direction) -> Vec<Self> {
        let (behind, protected) = (MAC_HEADER, MAC_HEADER + HEADER_LENGTH);
        let (from, to) = match direction {
            Direction::Seal => (behind, protected),
            Direction::Open => (protected, behind),
        };
        let packet = |packet: &RingPacket| {
            let (nonce, aad) = nonce_and_aad(ring.read(packet), packet.number)?;
            Some(Self { key: packet.key, place: packet.place, from, to, body: packet.body, nonce, aad })
        };
        ring.packets.iter().filter_map(packet).collect()
    }
}

/// What the `ccm` and `aes` crates do: one packet at a time, keys expanded before.
pub struct CcmCrate {
    ring: Ring,
    direction: Direction,
    keys: Vec<Ccm<Aes128Enc, U8, U13>>,
    packets: Vec<CcmPacket>,
    cursor: usize,
}

impl CcmCrate {
    /// Makes packets and keys.
    ///
    /// # Errors
    /// As [`Ring::new`].
    pub fn new(shape: &Shape) -> Result<Self, WorkError> {
        let ring = Ring::new(shape)?;
        let keys = ring.key_octets.iter().map(|key| Ccm::new(key.into())).collect();
        let packets = CcmPacket::all(&ring, shape.direction);
        let mut work = Self { ring, direction: shape.direction, keys, packets, cursor: 0 };
        work.run(work.packets.len() / BATCH)?;
        Ok(work)
    }

    fn one(&mut self, packet: &CcmPacket) -> Option<()> {
        let CcmPacket { key, place, from, to, body, nonce, aad } = packet;
        let key = self.keys.get(*key)?;
        let start = place * self.ring.slot;
        let input = self.ring.input.get(start + from..start + self.ring.slot)?;
        let output = self.ring.output.get_mut(start + to..start + self.ring.slot)?;
        let (input, mic) = input.split_at_checked(*body)?;
        let (output, room) = output.split_at_mut_checked(*body)?;
        let buffer = InOutBuf::new(input, output).ok()?;
        match self.direction {
            Direction::Seal => {
                let tag = key.encrypt_inout_detached(nonce.into(), aad, buffer).ok()?;
                room.first_chunk_mut::<MIC>()?.copy_from_slice(&tag);
            }
            Direction::Open => {
                let tag = mic.first_chunk::<MIC>()?;
                key.decrypt_inout_detached(nonce.into(), aad, buffer, tag.into()).ok()?;
            }
        }
        Some(())
    }
}

impl Work for CcmCrate {
    fn items(&self) -> usize {
        BATCH
    }

    fn run(&mut self, repetitions: usize) -> Result<Duration, WorkError> {
        let packets = core::mem::take(&mut self.packets);
        let mut done = 0;
        let count = repetitions.saturating_mul(BATCH);
        let start = Instant::now();
        for packet in packets.iter().cycle().skip(self.cursor).take(count) {
            done += usize::from(black_box(self.one(packet)).is_some());
        }
        let taken = start.elapsed();
        self.cursor = (self.cursor + count) % packets.len().max(1);
        self.packets = packets;
        if done == count { Ok(taken) } else { Err(WorkError::Wrong("the ccm crate refused a packet")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(direction: Direction, is_cold: bool) -> Shape {
        Shape { direction, lengths: vec![64, 1500, 17], keys: 1024, is_cold, seed: 7 }
    }

    #[test]
    fn every_backend_does_every_packet() {
        for backend in Backend::ALL.into_iter().filter(|backend| backend.is_available()) {
            for direction in [Direction::Seal, Direction::Open] {
                for is_cold in [false, true] {
                    let mut work = Ccmp::new(&shape(direction, is_cold), backend).unwrap();
                    assert_eq!(work.items(), BATCH);
                    assert!(work.run(9).unwrap() > Duration::ZERO);
                }
            }
        }
    }

    #[test]
    fn the_crate_writes_what_the_backend_writes() {
        for direction in [Direction::Seal, Direction::Open] {
            let ours = Ccmp::new(&shape(direction, false), Backend::best()).unwrap();
            let theirs = CcmCrate::new(&shape(direction, false)).unwrap();
            for (packet, read) in theirs.packets.iter().zip(&ours.ring.packets) {
                let length = packet.body + if direction == Direction::Seal { MIC } else { 0 };
                let range = read.place * ours.ring.slot + packet.to..read.place * ours.ring.slot + packet.to + length;
                assert_eq!(ours.ring.output[range.clone()], theirs.ring.output[range]);
            }
        }
    }

    #[test]
    fn a_packet_that_does_not_open_is_no_time() {
        let mut work = Ccmp::new(&shape(Direction::Open, false), Backend::best()).unwrap();
        work.ring.input[MAC_HEADER + HEADER_LENGTH] ^= 1;
        assert_eq!(work.run(100), Err(WorkError::Wrong("not every packet was opened")));
        let mut work = CcmCrate::new(&shape(Direction::Open, false)).unwrap();
        work.ring.input[MAC_HEADER + HEADER_LENGTH] ^= 1;
        assert!(work.run(100).is_err());
    }
}
