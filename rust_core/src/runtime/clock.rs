//! The two drivers of time.

use std::time::{SystemTime, UNIX_EPOCH};

use super::radio::Radio;
use crate::time::Instant;

/// Start of virtual time in captures: 2026-01-01T00:00:00Z, in nanoseconds since 1970.
const VIRTUAL_EPOCH_NS: u64 = 1_767_225_600_000_000_000;

/// Where the time comes from.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// It jumps to the next deadline.
    Virtual,
    /// It is the machine's; this is when the run started.
    Wall(std::time::Instant),
}

impl Clock {
    /// A clock of the machine that starts now.
    pub fn wall() -> Self {
        Self::Wall(std::time::Instant::now())
    }

    pub(super) fn now(self) -> Option<Instant> {
        match self {
            Self::Virtual => None,
            Self::Wall(start) => {
                Some(Instant::from_nanos(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)))
            }
        }
    }

    pub(super) fn epoch_ns(self) -> u64 {
        match (self, SystemTime::now().duration_since(UNIX_EPOCH)) {
            (Self::Wall(start), Ok(since)) => {
                u64::try_from(since.saturating_sub(start.elapsed()).as_nanos()).unwrap_or(VIRTUAL_EPOCH_NS)
            }
            _ => VIRTUAL_EPOCH_NS,
        }
    }

    /// Waits for a deadline, or for a port to have something; the time then.
    pub(super) fn wait_until(self, deadline: Instant, radios: &mut [Radio]) -> Instant {
        let Some(now) = self.now() else { return deadline };
        if deadline > now {
            wait(deadline.since(now), radios);
        }
        self.now().unwrap_or(deadline)
    }
}

#[cfg(target_os = "linux")]
fn wait(duration: core::time::Duration, radios: &mut [Radio]) {
    use std::os::fd::AsFd;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use crate::host::port::Port;

    let mut owners = Vec::new();
    let ready: Vec<bool> = {
        let mut descriptors = Vec::new();
        for (index, radio) in radios.iter().enumerate() {
            match radio {
                Radio::Device(device) => {
                    for (guest, port) in device.1.ports().filter(|(guest, _)| device.1.has_room(*guest)) {
                        if let Port::Tap(tap) = port {
                            owners.push((index, Some(guest)));
                            descriptors.push(PollFd::from_borrowed_fd(tap.as_fd(), PollFlags::IN));
                        }
                    }
                }
                Radio::AccessPoint(access_point) => {
                    if let Some(Port::Tap(tap)) = access_point.wired().filter(|_| !access_point.is_congested()) {
                        owners.push((index, None));
                        descriptors.push(PollFd::from_borrowed_fd(tap.as_fd(), PollFlags::IN));
                    }
                }
            }
        }
        let timeout = Timespec {
            tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(duration.subsec_nanos()),
        };
        // Interrupted or not: the loop looks at the clock and at the ports again.
        let _ = poll(&mut descriptors, Some(&timeout));
        descriptors.iter().map(|descriptor| !descriptor.revents().is_empty()).collect()
    };
    for ((index, guest), _) in owners.into_iter().zip(ready).filter(|(_, ready)| *ready) {
        match (radios.get_mut(index), guest) {
            (Some(Radio::Device(device)), Some(guest)) => device.1.wake(guest),
            (Some(Radio::AccessPoint(access_point)), _) => access_point.wake_wired(),
            _ => {}
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn wait(duration: core::time::Duration, _radios: &mut [Radio]) {
    // Memory ports are filled between two runs: there is nothing to wait for but the time.
    std::thread::sleep(duration);
}
