//! The connection table's two paths with many VMs, and their cryptography alone: what is left is the cost of telling VMs
//! apart.
//!
//! Both parts work on the same octets: [`Part::Whole`] is `ConnectionTable::open_batch` or `seal_batch`, with everything
//! a frame passes; [`Part::OnlyCcmp`] is the same frames through [`open_batch`] or [`seal_batch`], jobs standing ready.

use core::time::Duration;
use std::time::Instant;

use super::lookup::addresses;
use super::ring::{Direction, MAC_HEADER, MIC, below, fill, random_key};
use super::{Work, WorkError};
use crate::air::random::Random;
use crate::device::ConnectionTable;
use crate::device::batch::BatchOutcome;
use crate::frame_batch::FrameBatch;
use crate::host_api::call::{CipherSuite, KeyScope};
use crate::ids::{KeyId, MacAddr, PacketNumber, Tid, VmId, VrId};
use crate::security::ccmp::{CcmpKey, HEADER_LENGTH, OpenError, OpenJob, SealError, SealJob, open_batch, seal_batch};
use crate::wire::frame_control::{FrameControl, data_subtype};
use crate::wire::mac_header::{MacHeader, QosControl, SequenceControl};

const ACCESS_POINT: MacAddr = MacAddr([2, 0xaa, 0, 0, 0, 1]);
const PEER: MacAddr = MacAddr([2, 0xbb, 0, 0, 0, 9]);
/// IPv4 behind LLC and SNAP.
const LLC: [u8; 8] = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
/// Octets of frames that are prepared at once: more than a core's own caches.
const PREPARED: usize = 8 << 20;

/// What is measured of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// The cryptography of the same frames.
    OnlyCcmp,
}

/// What a table and its frames are made of.
#[derive(Clone, Copy, Debug)]
pub struct TableShape {
    /// [`Direction::Open`] is the receive path, [`Direction::Seal`] the transmit path.
    pub direction: Direction,
    /// How many VMs, each with an address and a key of its own.
    pub vms: usize,
    /// Octets of a body, the eight of LLC and SNAP included.
    pub length: usize,
    /// Frames of a batch; each is a VM's by chance.
    pub batch: usize,
    /// Threads of the table.
    pub workers: usize,
    /// Of addresses, keys, bodies and order.
    pub seed: u64,
}

/// Batches of frames of many VMs through a table.
pub struct TablePath {
    shape: TableShape,
    part: Part,
    table: ConnectionTable,
    addresses: Vec<MacAddr>,
    keys: Vec<CcmpKey>,
    numbers: Vec<u64>,
    random: Random,
    batches: Vec<Prepared>,
    next: usize,
    /// Where results go: in memory that is kept, as who works on batch after batch does.
    output: Vec<u8>,
    outcome: BatchOutcome,
}

/// A batch and whose frames they are.
#[derive(Default)]
struct Prepared {
    frames: FrameBatch,
    owners: Vec<usize>,
}

impl TablePath {
    /// Makes the table and its frames, and takes one batch through.
    ///
    /// # Errors
    /// `Invalid`: not 1 to 65,535 VMs, not 8 to 7935 octets, or not 1 to 4096 frames in a batch.
    pub fn new(shape: TableShape, part: Part) -> Result<Self, WorkError> {
        let TableShape { vms, length, batch, workers, seed, .. } = shape;
        if vms == 0 || vms > 65_535 {
            return Err(WorkError::Invalid("there are 1 to 65535 VMs"));
        }
        if !(LLC.len()..=7935).contains(&length) {
            return Err(WorkError::Invalid("a body has 8 to 7935 octets"));
        }
        if batch == 0 || batch > 4096 {
            return Err(WorkError::Invalid("a batch has 1 to 4096 frames"));
        }
        let mut random = Random::new(seed);
        let addresses = addresses(vms, &mut random);
        if !(1..=64).contains(&workers) {
            return Err(WorkError::Invalid("there are 1 to 64 workers"));
        }
        let table = ConnectionTable::with_workers(1 << 16, workers);
        let mut table = table.map_err(|_| WorkError::NotHere("there are no threads for the workers"))?;
        let mut keys = Vec::with_capacity(vms);
        for (number, address) in (0..=u16::MAX).zip(&addresses) {
            let octets = random_key(&mut random);
            keys.extend(CcmpKey::new(&octets));
            if part == Part::OnlyCcmp {
                continue;
            }
            let (vr, id) = (VrId::new(number), KeyId::from_low_bits(0));
            let added = table.add_vm(VmId::new(number), *address, Some(ACCESS_POINT), true).and_then(|()| {
                let (cipher, zero) = (CipherSuite::CCMP_128, PacketNumber::default());
                table.install_key(vr, KeyScope::Pairwise, id, cipher, &octets, zero)
            });
            added.map_err(|_| WorkError::Wrong("the table refused a VM"))?;
        }
        let frame = MAC_HEADER + HEADER_LENGTH + length + MIC;
        let count = (PREPARED / (frame * batch)).max(2);
        let mut work = Self {
            shape,
            part,
            table,
            addresses,
            keys,
            numbers: vec![1; vms],
            random,
            batches: core::iter::repeat_with(Prepared::default).take(count).collect(),
            next: 0,
            output: vec![0; frame * batch],
            outcome: BatchOutcome::default(),
        };
        work.prepare()?;
        work.run(1)?;
        Ok(work)
    }

    /// New frames in the memory of the old ones, with packet numbers that go on.
    fn prepare(&mut self) -> Result<(), WorkError> {
        let mut batches = core::mem::take(&mut self.batches);
        let prepared = batches.iter_mut().try_for_each(|batch| {
            let (octets, offsets) = core::mem::take(&mut batch.frames).into_parts();
            batch.frames = self.frames(octets, offsets, &mut batch.owners)?;
            Ok(())
        });
        self.batches = batches;
        prepared
    }

    fn frames(
        &mut self,
        mut octets: Vec<u8>,
        mut offsets: Vec<u32>,
        owners: &mut Vec<usize>,
    ) -> Result<FrameBatch, WorkError> {
        let TableShape { direction, vms, length, batch, .. } = self.shape;
        let plain = MAC_HEADER + length;
        let overhead = if direction == Direction::Open { HEADER_LENGTH + MIC } else { 0 };
        owners.clear();
        owners.extend((0..batch).map(|_| below(&mut self.random, vms)));
        let mut mpdus = Vec::with_capacity(batch * plain);
        for owner in owners.iter() {
            let own = self.addresses.get(*owner).copied().unwrap_or_default();
            header(direction, own).emit(&mut mpdus);
            mpdus.extend_from_slice(&LLC);
            let start = mpdus.len();
            mpdus.resize(start + length - LLC.len(), 0);
            fill(mpdus.get_mut(start..).unwrap_or_default(), &mut self.random);
        }
        offsets.clear();
        let ends = (0..=batch).map(|count| u32::try_from(count * (plain + overhead)).unwrap_or(u32::MAX));
        offsets.extend(ends);
        if direction == Direction::Seal {
            return FrameBatch::from_parts(mpdus, offsets).map_err(|_| WorkError::Wrong("a batch has no frames"));
        }
        octets.resize(batch * (plain + overhead), 0);
        let Self { keys, numbers, .. } = self;
        let mut jobs = Vec::with_capacity(batch);
        for ((owner, mpdu), out) in
            owners.iter().zip(mpdus.chunks_exact(plain)).zip(octets.chunks_exact_mut(plain + overhead))
        {
            let (Some(key), Some(number)) = (keys.get(*owner), numbers.get_mut(*owner)) else { continue };
            jobs.push(seal_job(key, *number, mpdu, out));
            *number += 1;
        }
        seal_batch(&mut jobs);
        let is_whole = jobs.len() == batch && jobs.iter().all(|job| job.result.is_ok());
        drop(jobs);
        let frames = FrameBatch::from_parts(octets, offsets).ok().filter(|_| is_whole);
        frames.ok_or(WorkError::Wrong("not every frame was sealed"))
    }

    /// One batch through the table; false where a frame was dropped.
    fn whole(&mut self) -> (Duration, bool) {
        let Self { shape, table, batches, next, outcome, .. } = self;
        let Some(Prepared { frames, .. }) = batches.get(*next) else { return (Duration::ZERO, false) };
        let start = Instant::now();
        match shape.direction {
            Direction::Open => table.open_batch_into(frames.frames(), outcome),
            Direction::Seal => table.seal_batch_into(frames.frames(), outcome),
        }
        let taken = start.elapsed();
        let passed = outcome.verdicts.iter().filter(|verdict| verdict.is_ok()).count();
        (taken, passed == frames.len())
    }

    /// The same batch through the backend alone.
    fn only_ccmp(&mut self) -> (Duration, bool) {
        let Self { shape, batches, next, keys, output, .. } = self;
        let Some(Prepared { frames, owners }) = batches.get(*next) else { return (Duration::ZERO, false) };
        let plain = MAC_HEADER + shape.length;
        let triples = owners.iter().filter_map(|owner| keys.get(*owner)).zip(frames.iter());
        match shape.direction {
            Direction::Open => {
                let mut jobs: Vec<OpenJob<'_>> = triples
                    .zip(output.chunks_mut(plain))
                    .map(|((key, mpdu), out)| OpenJob { key, mpdu, out, result: Err(OpenError::Truncated) })
                    .collect();
                let start = Instant::now();
                open_batch(&mut jobs);
                let taken = start.elapsed();
                (taken, jobs.len() == shape.batch && jobs.iter().all(|job| job.result.is_ok()))
            }
            Direction::Seal => {
                let mut jobs: Vec<SealJob<'_>> = triples
                    .zip(output.chunks_exact_mut(plain + HEADER_LENGTH + MIC))
                    .map(|((key, mpdu), out)| seal_job(key, 1, mpdu, out))
                    .collect();
                let start = Instant::now();
                seal_batch(&mut jobs);
                let taken = start.elapsed();
                (taken, jobs.len() == shape.batch && jobs.iter().all(|job| job.result.is_ok()))
            }
        }
    }
}

impl Work for TablePath {
    fn items(&self) -> usize {
        self.shape.batch
    }

    fn run(&mut self, repetitions: usize) -> Result<Duration, WorkError> {
        let mut total = Duration::ZERO;
        for _ in 0..repetitions {
            if self.next >= self.batches.len() {
                self.next = 0;
                if self.part == Part::Whole && self.shape.direction == Direction::Open {
                    self.prepare()?;
                }
            }
            let (taken, is_right) = match self.part {
                Part::Whole => self.whole(),
                Part::OnlyCcmp => self.only_ccmp(),
            };
            if !is_right {
                return Err(WorkError::Wrong("not every frame passed"));
            }
            total += taken;
            self.next += 1;
        }
        Ok(total)
    }
}

fn seal_job<'a>(key: &'a CcmpKey, number: u64, mpdu: &'a [u8], out: &'a mut [u8]) -> SealJob<'a> {
    let (packet_number, key_id) = (PacketNumber::from_low_bits(number), KeyId::from_low_bits(0));
    SealJob { key, packet_number, key_id, mpdu, out, result: Err(SealError::Truncated) }
}

fn header(direction: Direction, own: MacAddr) -> MacHeader {
    let control = FrameControl::data(data_subtype::QOS_DATA);
    let mut header = match direction {
        Direction::Open => MacHeader::three_address(control.with_from_ds(true), own, ACCESS_POINT, PEER),
        Direction::Seal => MacHeader::three_address(control.with_to_ds(true), ACCESS_POINT, own, PEER),
    };
    header.sequence = Some(SequenceControl { number: 0, fragment: 0 });
    header.qos = Some(QosControl::from_tid(Tid::from_low_bits(0)));
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(direction: Direction, vms: usize) -> TableShape {
        TableShape { direction, vms, length: 7000, batch: 16, workers: 1, seed: 2 }
    }

    #[test]
    fn every_frame_passes_and_packet_numbers_go_on() {
        for direction in [Direction::Open, Direction::Seal] {
            for part in [Part::Whole, Part::OnlyCcmp] {
                let mut work = TablePath::new(shape(direction, 20), part).unwrap();
                let around = work.batches.len() + 3;
                assert!(work.run(around).unwrap() > Duration::ZERO);
                assert_eq!(work.items(), 16);
            }
        }
    }

    #[test]
    fn a_replayed_frame_is_no_time() {
        let mut work = TablePath::new(shape(Direction::Open, 20), Part::Whole).unwrap();
        work.next = 0;
        assert_eq!(work.run(1), Err(WorkError::Wrong("not every frame passed")));
    }

    #[test]
    fn shapes_that_make_no_sense_are_refused() {
        let good = shape(Direction::Open, 20);
        for shape in [
            TableShape { vms: 0, ..good },
            TableShape { vms: 65_536, ..good },
            TableShape { length: 7, ..good },
            TableShape { batch: 0, ..good },
        ] {
            assert!(matches!(TablePath::new(shape, Part::Whole), Err(WorkError::Invalid(_))), "{shape:?}");
        }
    }
}
