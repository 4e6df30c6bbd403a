//! What nothing can be faster than, and work that never changes.

use core::hint::black_box;
use core::time::Duration;
use std::time::Instant;

use super::ring::{below, shuffle};
use super::{BATCH, Work, WorkError};
use crate::air::random::Random;
use crate::security::ccmp::Backend;

/// The AES rounds that CCM of these bodies takes, on registers alone: the processor's limit.
pub struct AesLimit {
    backend: Backend,
    blocks: u64,
}

impl AesLimit {
    /// For batches of bodies of these lengths, taken in turn.
    ///
    /// # Errors
    /// `NotHere` where this processor does not have the backend or it has no registers of its own (`Portable`);
    /// `Invalid` without lengths.
    pub fn new(lengths: &[usize], backend: Backend) -> Result<Self, WorkError> {
        if lengths.is_empty() {
            return Err(WorkError::Invalid("there are no lengths"));
        }
        // All lengths count alike, as they do over a whole ring.
        let total: u64 = lengths.iter().map(|length| blocks(*length)).sum();
        let work = Self { backend, blocks: (total * BATCH as u64).div_ceil(lengths.len() as u64) };
        if rounds(backend, 1) { Ok(work) } else { Err(WorkError::NotHere("this processor has no such AES rounds")) }
    }
}

/// Blocks of one packet through AES: B0, two of AAD and the body for the MAC; S0 and the body for the counter mode.
fn blocks(body: usize) -> u64 {
    2 * body.div_ceil(16) as u64 + 4
}

#[cfg(target_arch = "x86_64")]
fn rounds(backend: Backend, blocks: u64) -> bool {
    crate::security::ccmp::aes_rounds(backend, blocks)
}

#[cfg(not(target_arch = "x86_64"))]
const fn rounds(_: Backend, _: u64) -> bool {
    false
}

impl Work for AesLimit {
    fn items(&self) -> usize {
        BATCH
    }

    fn run(&mut self, repetitions: usize) -> Result<Duration, WorkError> {
        let start = Instant::now();
        for _ in 0..repetitions {
            rounds(self.backend, self.blocks);
        }
        Ok(start.elapsed())
    }
}

/// Steps of one repetition of [`Chain`].
const STEPS: usize = 256;

/// A walk through memory, each step waiting for the one before: one read of a random cache line and one multiplication.
pub struct Chain {
    lines: Vec<[u64; 8]>,
    at: u64,
}

impl Chain {
    /// Through that many octets: what fits in the first cache tells the clock rate, more tells the memory's latency.
    pub fn new(octets: usize, seed: u64) -> Self {
        let count = (octets / 64).max(2);
        let mut order: Vec<usize> = (0..count).collect();
        shuffle(&mut order, &mut Random::new(seed));
        let mut lines = vec![[0; 8]; count];
        for (from, to) in order.iter().zip(order.iter().cycle().skip(1)) {
            if let Some([next, ..]) = lines.get_mut(*from) {
                *next = *to as u64;
            }
        }
        Self { lines, at: 0 }
    }
}

impl Work for Chain {
    fn items(&self) -> usize {
        STEPS
    }

    fn run(&mut self, repetitions: usize) -> Result<Duration, WorkError> {
        let start = Instant::now();
        let mut at = self.at;
        for _ in 0..repetitions * STEPS {
            let place = usize::try_from(at).unwrap_or_default();
            at = self.lines.get(place).map_or(0, |[next, ..]| black_box(next.wrapping_mul(black_box(1))));
        }
        let taken = start.elapsed();
        self.at = black_box(at);
        Ok(taken)
    }
}

/// Addresses that [`LineReads`] and the look-ups ask for at least, before they begin again.
pub(super) const QUERIES: usize = 1 << 16;

/// One read of eight octets at a random place of a table for each item: what a look-up cannot do without.
pub struct LineReads {
    table: Vec<u64>,
    places: Vec<u32>,
    cursor: usize,
}

impl LineReads {
    /// A table of eight octets for each entry, half full.
    pub fn new(entries: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let size = (2 * entries.max(1)).next_power_of_two();
        let table = (0..size as u64).collect();
        let count = QUERIES.max(4 * entries).next_multiple_of(BATCH);
        let places = (0..count).map(|_| u32::try_from(below(&mut random, size)).unwrap_or_default()).collect();
        Self { table, places, cursor: 0 }
    }
}

impl Work for LineReads {
    fn items(&self) -> usize {
        BATCH
    }

    fn run(&mut self, repetitions: usize) -> Result<Duration, WorkError> {
        let batches = self.places.len() / BATCH;
        let start = Instant::now();
        let mut sum = 0_u64;
        for batch in self.places.chunks_exact(BATCH).cycle().skip(self.cursor).take(repetitions) {
            for place in batch {
                sum = sum.wrapping_add(self.table.get(*place as usize).copied().unwrap_or_default());
            }
        }
        black_box(sum);
        let taken = start.elapsed();
        self.cursor = (self.cursor + repetitions) % batches.max(1);
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_each_backend_is_measured_where_it_is() {
        for backend in Backend::ALL {
            let has_rounds = backend.is_available() && backend != Backend::Portable;
            match AesLimit::new(&[64, 1500], backend) {
                Ok(mut work) => assert!(has_rounds && work.run(10).unwrap() > Duration::ZERO),
                Err(error) => assert!(!has_rounds && matches!(error, WorkError::NotHere(_))),
            }
        }
        assert!(AesLimit::new(&[], Backend::best()).is_err());
    }

    #[test]
    fn blocks_are_counted_as_rfc_3610_says() {
        assert_eq!([1, 16, 17, 1500].map(blocks), [6, 6, 8, 192]);
        if let Ok(work) = AesLimit::new(&[16, 48], Backend::AesNi) {
            assert_eq!(work.blocks, 64 * (6 + 10) / 2);
        }
    }

    #[test]
    fn the_chain_goes_through_all_lines() {
        let mut chain = Chain::new(64 * 128, 3);
        let mut seen = std::collections::HashSet::new();
        let mut at = 0;
        while seen.insert(at) {
            at = chain.lines[usize::try_from(at).unwrap()][0];
        }
        assert_eq!(seen.len(), 128);
        chain.run(2).unwrap();
    }

    #[test]
    fn reads_are_of_places_in_the_table() {
        let mut reads = LineReads::new(100, 1);
        assert_eq!(reads.table.len(), 256);
        assert!(reads.places.iter().all(|place| *place < 256));
        assert!(reads.run(QUERIES / BATCH + 5).unwrap() > Duration::ZERO);
    }
}
