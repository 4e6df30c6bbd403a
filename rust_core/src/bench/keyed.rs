//! [`ccmp_batch`](crate::security::ccmp_batch) as Python calls it: whole batches, each frame under a key of its own, keys
//! from their octets and results in memory that is used again.

use core::time::Duration;
use std::time::Instant;

use super::ring::{Direction, MAC_HEADER, fill, random_key, write_header};
use super::{Work, WorkError};
use crate::air::random::Random;
use crate::frame_batch::FrameBatch;
use crate::security::ccmp::Backend;
use crate::security::ccmp_batch::{BatchKeys, open, seal};

/// The same batch again and again, the last result kept until the next one is there.
pub struct KeyedBatch {
    direction: Direction,
    frames: FrameBatch,
    keys: Vec<u8>,
    numbers: Vec<u64>,
    /// The last result, and the memory of the one before.
    last: FrameBatch,
    memory: Vec<u8>,
}

impl KeyedBatch {
    /// So many frames with bodies of `length` octets.
    ///
    /// # Errors
    /// `Invalid`: not 1 to 7935 octets or not 1 to 4096 frames.
    pub fn new(direction: Direction, length: usize, batch: usize, seed: u64) -> Result<Self, WorkError> {
        if !(1..=7935).contains(&length) {
            return Err(WorkError::Invalid("a body has 1 to 7935 octets"));
        }
        if !(1..=4096).contains(&batch) {
            return Err(WorkError::Invalid("a batch has 1 to 4096 frames"));
        }
        let mut random = Random::new(seed);
        let keys: Vec<u8> = (0..batch).flat_map(|_| random_key(&mut random)).collect();
        let mut frames = FrameBatch::new();
        let mut frame = vec![0; MAC_HEADER + length];
        for number in 0..batch {
            fill(&mut frame, &mut random);
            write_header(&mut frame, number);
            frames.push(&frame);
        }
        let numbers = (1..).take(batch).collect();
        let (last, memory) = (FrameBatch::new(), Vec::new());
        let mut work = Self { direction: Direction::Seal, frames, keys, numbers, last, memory };
        work.run(1)?;
        if direction == Direction::Open {
            work.frames = core::mem::take(&mut work.last);
            work.direction = direction;
        }
        work.run(2)?;
        Ok(work)
    }

    fn once(&mut self) -> Option<(FrameBatch, bool)> {
        let (memory, backend) = (core::mem::take(&mut self.memory), Backend::best());
        let keys = BatchKeys::each(&self.keys, 16).ok()?;
        let frames = self.frames.frames();
        match self.direction {
            Direction::Seal => {
                let sealed = seal(backend, frames, &keys, &self.numbers, None, memory).ok()?;
                Some((sealed.frames, sealed.results.iter().all(Result::is_ok)))
            }
            Direction::Open => {
                let opened = open(backend, frames, &keys, memory).ok()?;
                Some((opened.frames, opened.results.iter().all(Result::is_ok)))
            }
        }
    }
}

impl Work for KeyedBatch {
    fn items(&self) -> usize {
        self.frames.len()
    }

    fn run(&mut self, repetitions: usize) -> Result<Duration, WorkError> {
        let mut all_passed = true;
        let start = Instant::now();
        for _ in 0..repetitions {
            let (frames, passed) = self.once().ok_or(WorkError::Wrong("a batch was refused"))?;
            all_passed &= passed;
            self.memory = core::mem::replace(&mut self.last, frames).into_room().0;
        }
        let taken = start.elapsed();
        if all_passed { Ok(taken) } else { Err(WorkError::Wrong("a frame did not pass")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_longer_by_its_overhead_and_what_is_opened_shorter() {
        for (direction, length) in [(Direction::Seal, 26 + 100 + 16), (Direction::Open, 26 + 100)] {
            let mut work = KeyedBatch::new(direction, 100, 9, 1).unwrap();
            assert_eq!(work.items(), 9);
            assert!(work.run(3).unwrap() > Duration::ZERO);
            assert!(work.last.iter().all(|frame| frame.len() == length), "{direction:?}");
        }
    }

    #[test]
    fn a_frame_that_does_not_pass_is_no_time() {
        let mut work = KeyedBatch::new(Direction::Open, 64, 3, 1).unwrap();
        work.keys.fill(1);
        assert_eq!(work.run(1), Err(WorkError::Wrong("a frame did not pass")));
        assert!(
            KeyedBatch::new(Direction::Seal, 0, 3, 1).is_err() && KeyedBatch::new(Direction::Seal, 9, 0, 1).is_err()
        );
    }
}
