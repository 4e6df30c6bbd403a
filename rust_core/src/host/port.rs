//! A guest's (or a wired host's) Ethernet port: in memory, or a Linux TAP interface.
//!
//! `fetch` is what the guest sends, `deliver` what it is given. A memory port is shared between the driver and whoever
//! plays the guest; its lock is taken once for a batch, not once for a frame.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::frame_batch::FrameBatch;

/// A port.
#[derive(Debug)]
pub enum Port {
    /// In memory.
    Memory(MemoryPort),
    /// A TAP interface.
    #[cfg(target_os = "linux")]
    Tap(super::tap::TapPort),
}

impl Port {
    /// Appends up to `limit` Ethernet frames that the guest sends.
    pub fn fetch(&mut self, limit: usize, out: &mut FrameBatch) {
        match self {
            Self::Memory(port) => port.fetch(limit, out),
            #[cfg(target_os = "linux")]
            Self::Tap(port) => port.fetch(limit, out),
        }
    }

    /// Gives the guest Ethernet frames; how many it took, counted from the first.
    pub fn deliver(&mut self, frames: &FrameBatch) -> usize {
        match self {
            Self::Memory(port) => port.deliver(frames),
            #[cfg(target_os = "linux")]
            Self::Tap(port) => port.deliver(frames),
        }
    }

    /// True where somebody waits for what is delivered: he has to be told.
    pub fn is_attended(&self) -> bool {
        match self {
            Self::Memory(port) => !port.shared().discard,
            #[cfg(target_os = "linux")]
            Self::Tap(_) => false,
        }
    }

    /// True where `fetch` would surely give nothing.
    pub fn is_idle(&self) -> bool {
        match self {
            Self::Memory(port) => port.pending() == 0,
            #[cfg(target_os = "linux")]
            Self::Tap(_) => false,
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    capacity: usize,
    sent: VecDeque<Vec<u8>>,
    received: FrameBatch,
    discard: bool,
    received_frames: u64,
    received_octets: u64,
}

/// An Ethernet port in memory; clones are the same port.
#[derive(Clone, Debug)]
pub struct MemoryPort(Arc<Mutex<Shared>>);

impl MemoryPort {
    /// A port that holds `capacity` frames in each direction.
    pub fn new(capacity: usize) -> Self {
        Self(Arc::new(Mutex::new(Shared { capacity, ..Shared::default() })))
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        // The data is whole after each statement: a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The guest sends; how many frames found room, counted from the first.
    pub fn push<'a>(&self, frames: impl IntoIterator<Item = &'a [u8]>) -> usize {
        let mut shared = self.shared();
        let room = shared.capacity.saturating_sub(shared.sent.len());
        let before = shared.sent.len();
        shared.sent.extend(frames.into_iter().take(room).map(<[u8]>::to_vec));
        shared.sent.len() - before
    }

    /// What the guest was given since it last took.
    pub fn take(&self) -> FrameBatch {
        core::mem::take(&mut self.shared().received)
    }

    /// Frames that the guest sent and nobody fetched yet.
    pub fn pending(&self) -> usize {
        self.shared().sent.len()
    }

    /// From now on only count what is received.
    pub fn discard_received(&self, discard: bool) {
        self.shared().discard = discard;
    }

    /// Frames and octets received so far.
    pub fn received(&self) -> (u64, u64) {
        let shared = self.shared();
        (shared.received_frames, shared.received_octets)
    }

    fn fetch(&self, limit: usize, out: &mut FrameBatch) {
        let mut shared = self.shared();
        let count = limit.min(shared.sent.len());
        for frame in shared.sent.drain(..count) {
            out.push(&frame);
        }
    }

    fn deliver(&self, frames: &FrameBatch) -> usize {
        let mut shared = self.shared();
        let room = if shared.discard { usize::MAX } else { shared.capacity.saturating_sub(shared.received.len()) };
        let taken = frames.len().min(room);
        for frame in frames.iter().take(taken) {
            shared.received_frames += 1;
            shared.received_octets += u64::try_from(frame.len()).unwrap_or_default();
            if !shared.discard {
                shared.received.push(frame);
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_port_holds_no_more_than_its_capacity() {
        let memory = MemoryPort::new(2);
        assert_eq!(memory.push([&b"a"[..], b"b", b"c"]), 2);
        let mut port = Port::Memory(memory.clone());
        let mut fetched = FrameBatch::new();
        port.fetch(1, &mut fetched);
        assert_eq!((fetched.iter().collect::<Vec<_>>(), memory.pending()), (vec![&b"a"[..]], 1));
        let frames: FrameBatch = [&b"1"[..], b"22", b"333"].into_iter().collect();
        assert_eq!(port.deliver(&frames), 2);
        assert_eq!((memory.take().len(), memory.received()), (2, (2, 3)));
    }
}
