//! Ports: where a guest's (or a wired host's) Ethernet frames come from and go to.
//!
//! A lock is taken once for a batch of frames, never for each. Not here: what the frames mean.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::doorbell::Doorbell;
#[cfg(target_os = "linux")]
use super::tap::Tap;
use crate::frame_batch::FrameBatch;

/// A port.
#[derive(Debug)]
pub enum Port {
    /// In memory: an in-process guest, tests, benchmarks.
    Memory(MemoryPort),
    /// A Linux TAP interface.
    #[cfg(target_os = "linux")]
    Tap(Tap),
}

impl Port {
    /// Hands up to `limit` frames from the guest to `each`; returns how many.
    pub fn fetch(&mut self, limit: usize, each: impl FnMut(&[u8])) -> usize {
        match self {
            Self::Memory(port) => port.fetch(limit, each),
            #[cfg(target_os = "linux")]
            Self::Tap(tap) => tap.fetch(limit, each),
        }
    }

    /// Delivers frames to the guest and empties the batch; returns how many found no room.
    pub fn deliver(&mut self, frames: &mut FrameBatch) -> usize {
        match self {
            Self::Memory(port) => port.deliver(frames),
            #[cfg(target_os = "linux")]
            Self::Tap(tap) => tap.deliver(frames),
        }
    }

    /// True where somebody in this process takes what is delivered.
    pub fn is_attended(&self) -> bool {
        match self {
            Self::Memory(port) => !port.lock_to_guest().is_discarding,
            #[cfg(target_os = "linux")]
            Self::Tap(_) => false,
        }
    }

    /// Rings whenever the port has frames after it had none. A TAP does not ring: its descriptor becomes readable.
    pub fn connect(&self, doorbell: &Arc<Doorbell>, caller: u16) {
        match self {
            Self::Memory(port) => port.connect(doorbell, caller),
            #[cfg(target_os = "linux")]
            Self::Tap(_) => {}
        }
    }
}

/// A port in memory; clones are the same port.
#[derive(Clone, Debug)]
pub struct MemoryPort(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    capacity: usize,
    pending: AtomicUsize,
    from_guest: Mutex<FromGuest>,
    to_guest: Mutex<ToGuest>,
}

#[derive(Debug, Default)]
struct FromGuest {
    /// Batches, and the next frame of each.
    batches: VecDeque<(FrameBatch, usize)>,
    doorbell: Option<(Arc<Doorbell>, u16)>,
}

#[derive(Debug, Default)]
struct ToGuest {
    frames: FrameBatch,
    is_discarding: bool,
    received: u64,
    received_octets: u64,
}

impl MemoryPort {
    /// Room for `capacity` frames each way.
    pub fn new(capacity: usize) -> Self {
        Self(Arc::new(Shared {
            capacity,
            pending: AtomicUsize::new(0),
            from_guest: Mutex::default(),
            to_guest: Mutex::default(),
        }))
    }

    /// The guest sends frames; returns how many, from the first on, found room.
    pub fn push(&self, mut frames: FrameBatch) -> usize {
        let mut queue = self.lock_from_guest();
        let pending = self.pending();
        let room = self.0.capacity.saturating_sub(pending);
        if frames.len() > room {
            frames = frames.iter().take(room).collect();
        }
        let count = frames.len();
        if count == 0 {
            return 0;
        }
        queue.batches.push_back((frames, 0));
        self.0.pending.store(pending + count, Ordering::Release);
        if let Some((doorbell, caller)) = queue.doorbell.as_ref().filter(|_| pending == 0) {
            doorbell.ring(*caller);
        }
        count
    }

    /// What the guest received since the last time.
    pub fn take(&self) -> FrameBatch {
        core::mem::take(&mut self.lock_to_guest().frames)
    }

    /// Frames pushed and not yet fetched by the driver.
    pub fn pending(&self) -> usize {
        self.0.pending.load(Ordering::Acquire)
    }

    /// Only count what is received.
    pub fn discard_received(&self, enabled: bool) {
        self.lock_to_guest().is_discarding = enabled;
    }

    /// Frames and octets received so far.
    pub fn received(&self) -> (u64, u64) {
        let port = self.lock_to_guest();
        (port.received, port.received_octets)
    }

    fn fetch(&self, limit: usize, mut each: impl FnMut(&[u8])) -> usize {
        if self.pending() == 0 || limit == 0 {
            return 0;
        }
        let mut queue = self.lock_from_guest();
        let mut count = 0;
        while let Some((batch, next)) = queue.batches.front_mut() {
            let end = batch.len().min(*next + (limit - count));
            for index in *next..end {
                each(batch.frame(index).unwrap_or_default());
            }
            count += end - *next;
            *next = end;
            if end < batch.len() {
                break;
            }
            queue.batches.pop_front();
        }
        self.0.pending.fetch_sub(count, Ordering::AcqRel);
        count
    }

    fn deliver(&self, frames: &mut FrameBatch) -> usize {
        let mut port = self.lock_to_guest();
        let room = if port.is_discarding { usize::MAX } else { self.0.capacity.saturating_sub(port.frames.len()) };
        let count = frames.len().min(room);
        let octets: usize = frames.iter().take(count).map(<[u8]>::len).sum();
        port.received += count as u64;
        port.received_octets += octets as u64;
        let refused = frames.len() - count;
        if !port.is_discarding {
            if port.frames.is_empty() && refused == 0 {
                core::mem::swap(&mut port.frames, frames);
            } else {
                for frame in frames.iter().take(count) {
                    port.frames.push(frame);
                }
            }
        }
        frames.clear();
        refused
    }

    fn connect(&self, doorbell: &Arc<Doorbell>, caller: u16) {
        let mut queue = self.lock_from_guest();
        queue.doorbell = Some((Arc::clone(doorbell), caller));
        if self.pending() > 0 {
            doorbell.ring(caller);
        }
    }

    fn lock_from_guest(&self) -> MutexGuard<'_, FromGuest> {
        self.0.from_guest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_to_guest(&self) -> MutexGuard<'_, ToGuest> {
        self.0.to_guest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(frames: &[&[u8]]) -> FrameBatch {
        frames.iter().copied().collect()
    }

    #[test]
    fn frames_come_in_order_and_only_as_many_as_asked_for() {
        let port = MemoryPort::new(10);
        assert_eq!(port.push(batch(&[b"a", b"b"])), 2);
        assert_eq!(port.push(batch(&[b"c"])), 1);
        let mut fetched = Vec::new();
        for limit in [0, 1, 5, 5] {
            port.fetch(limit, |frame| fetched.push(frame.to_vec()));
        }
        assert_eq!(fetched, [b"a", b"b", b"c"]);
        assert_eq!(port.pending(), 0);
    }

    #[test]
    fn a_full_port_takes_no_more() {
        let port = MemoryPort::new(2);
        assert_eq!((port.push(batch(&[b"a", b"b", b"c"])), port.push(batch(&[b"d"]))), (2, 0));
        assert_eq!((port.deliver(&mut batch(&[b"x", b"y", b"z"])), port.take().len()), (1, 2));
        assert_eq!(port.received(), (2, 2));
        port.discard_received(true);
        assert_eq!((port.deliver(&mut batch(&[b"x", b"y", b"z"])), port.take().len()), (0, 0));
        assert_eq!(port.received(), (5, 5));
    }

    #[test]
    fn the_doorbell_rings_once_for_what_was_empty() {
        let port = MemoryPort::new(10);
        let doorbell = Arc::new(Doorbell::default());
        port.push(batch(&[b"a"]));
        port.connect(&doorbell, 7);
        let rung = || {
            let mut callers = Vec::new();
            doorbell.answer(|caller| callers.push(caller));
            callers
        };
        assert_eq!(rung(), [7]);
        port.push(batch(&[b"b"]));
        assert!(rung().is_empty());
        port.fetch(10, |_| {});
        port.push(batch(&[b"c"]));
        assert_eq!(rung(), [7]);
    }
}
