//! Who has something: rung by ports, answered by whoever fetches from them. Costs nothing while nobody rings.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

#[cfg(target_os = "linux")]
use rustix::event::{EventfdFlags, eventfd};
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;

/// Wakes a driver that waits for the wall clock.
#[derive(Debug, Default)]
pub struct Waker {
    #[cfg(target_os = "linux")]
    event: Option<OwnedFd>,
}

impl Waker {
    /// A waker that can be waited for; where the system has none, waiting is cut short by time alone.
    pub fn new() -> Self {
        #[cfg(target_os = "linux")]
        return Self { event: eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).ok() };
        #[cfg(not(target_os = "linux"))]
        Self::default()
    }

    /// Ends the wait.
    pub fn wake(&self) {
        #[cfg(target_os = "linux")]
        if let Some(event) = &self.event {
            // Fails only where it is rung already.
            let _ = rustix::io::write(event, &1_u64.to_ne_bytes());
        }
    }

    /// Becomes readable when woken.
    #[cfg(target_os = "linux")]
    pub const fn event(&self) -> Option<&OwnedFd> {
        self.event.as_ref()
    }

    /// Forgets that it was woken.
    #[cfg(target_os = "linux")]
    pub fn clear(&self) {
        if let Some(event) = &self.event {
            let _ = rustix::io::read(event, &mut [0; 8]);
        }
    }
}

/// Remembers who rang, once each, in order.
#[derive(Debug, Default)]
pub struct Doorbell {
    has_rung: AtomicBool,
    callers: Mutex<Vec<u16>>,
    waker: Arc<Waker>,
}

impl Doorbell {
    /// A doorbell that also wakes whoever waits.
    pub fn new(waker: Arc<Waker>) -> Self {
        Self { has_rung: AtomicBool::new(false), callers: Mutex::default(), waker }
    }

    /// `caller` has something.
    pub fn ring(&self, caller: u16) {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        callers.push(caller);
        self.has_rung.store(true, Ordering::Release);
        drop(callers);
        self.waker.wake();
    }

    /// Hands out who rang since the last time.
    pub fn answer(&self, mut each: impl FnMut(u16)) {
        if !self.has_rung.load(Ordering::Acquire) {
            return;
        }
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        self.has_rung.store(false, Ordering::Release);
        callers.drain(..).for_each(&mut each);
    }
}
