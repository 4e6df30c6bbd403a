//! Wires devices, guests' ports, access points and the air, and moves the time.
//!
//! Two drivers of time, one loop: virtual time jumps from one deadline to the next, wall-clock time waits for it (and for
//! the TAP ports). [`Runtime::run`] goes on until there is something that the control plane has to decide, or until its
//! time is up. Not here: what is decided.
//!
//! Promise: in virtual time the same seed and the same calls give the same run, octet for octet.

mod capture;
mod clock;
mod radio;

use std::collections::BTreeMap;
use std::io;

pub use self::clock::Clock;
pub use self::radio::Radio;

use self::capture::Capture;
use crate::access_point::AccessPoint;
use crate::air::medium::Link;
use crate::air::{AirStation, medium::Medium};
use crate::device::{Device, DeviceConfig};
use crate::frame_batch::FrameBatch;
use crate::host::data_plane::DataPlane;
use crate::host::port::Port;
use crate::ids::{MacAddr, VmId};
use crate::time::Instant;

/// Airtime in nanoseconds by VM; `None` for what belongs to none.
pub type Airtime = BTreeMap<Option<VmId>, u64>;

/// Everything on the air and behind it.
#[derive(Debug)]
pub struct Runtime {
    now: Instant,
    clock: Clock,
    medium: Medium,
    radios: Vec<Radio>,
    airtime: Vec<Airtime>,
    capture: Option<Capture>,
    scratch: FrameBatch,
}

impl Runtime {
    /// An empty air.
    pub fn new(seed: u64, clock: Clock) -> Self {
        Self {
            now: Instant::ZERO,
            clock,
            medium: Medium::new(seed),
            radios: Vec::new(),
            airtime: Vec::new(),
            capture: None,
            scratch: FrameBatch::new(),
        }
    }

    /// The present.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Adds a device with its host driver's data plane; its number.
    pub fn add_device(&mut self, config: DeviceConfig) -> usize {
        let device = Device::new(config);
        let plane = DataPlane::new(device.identifier_width(), usize::from(config.queue_length));
        self.add(Radio::Device(Box::new((device, plane))))
    }

    /// Adds an access point; its number.
    pub fn add_access_point(&mut self, bssid: MacAddr, channel: u8, wired: Option<Port>) -> usize {
        self.add(Radio::AccessPoint(Box::new(AccessPoint::new(bssid, channel, wired))))
    }

    fn add(&mut self, radio: Radio) -> usize {
        self.radios.push(radio);
        self.airtime.push(Airtime::new());
        self.medium.add_radio();
        self.radios.len() - 1
    }

    /// How two radios hear each other.
    pub fn set_link(&mut self, a: usize, b: usize, link: Link) {
        self.medium.set_link(a, b, link);
    }

    /// Frames take no time but a microsecond, nothing is lost.
    pub fn set_ideal_air(&mut self, ideal: bool) {
        self.medium.set_ideal(ideal);
    }

    /// A disabled radio neither sends nor hears.
    pub fn set_radio_enabled(&mut self, radio: usize, enabled: bool) {
        self.medium.set_enabled(radio, enabled);
    }

    /// A radio.
    pub fn radio(&self, number: usize) -> Option<&Radio> {
        self.radios.get(number)
    }

    /// A radio.
    pub fn radio_mut(&mut self, number: usize) -> Option<&mut Radio> {
        self.radios.get_mut(number)
    }

    /// Airtime that a radio has used for sending.
    pub fn airtime(&self, radio: usize) -> Option<&Airtime> {
        self.airtime.get(radio)
    }

    /// Captures every frame on the air from now on: an interface for each VM, and one for frames that are nobody's.
    ///
    /// # Errors
    /// The operating system's, where the file cannot be written.
    pub fn start_capture(&mut self, path: &std::path::Path, vms: &[(VmId, String)]) -> io::Result<()> {
        self.capture = Some(Capture::create(path, vms, self.clock.epoch_ns())?);
        Ok(())
    }

    /// Ends the capture; how many frames it holds.
    ///
    /// # Errors
    /// The first that occurred while it was written.
    pub fn finish_capture(&mut self) -> io::Result<u64> {
        self.capture.take().map_or(Ok(0), Capture::finish)
    }

    /// True where the control plane has something to take.
    pub fn has_pending(&self) -> bool {
        self.radios.iter().any(Radio::has_pending)
    }

    /// Goes on until `until`, or until the control plane has something to take; the time then.
    pub fn run(&mut self, until: Instant) -> Instant {
        self.now = self.now.max(self.clock.now().unwrap_or(self.now));
        for radio in &mut self.radios {
            radio.wake();
        }
        loop {
            self.settle();
            if self.has_pending() {
                return self.now;
            }
            let next = self.poll_timeout().min(until);
            if next > self.now {
                self.now = self.clock.wait_until(next, &mut self.radios);
            }
            if self.now >= until {
                self.settle();
                return self.now;
            }
        }
    }

    fn poll_timeout(&self) -> Instant {
        let radios = self.radios.iter().filter_map(AirStation::poll_timeout);
        radios.chain(self.medium.poll_timeout()).min().unwrap_or(Instant::FAR_FUTURE)
    }

    /// Does all that can be done at the present.
    fn settle(&mut self) {
        let now = self.now;
        let (airtime, capture) = (&mut self.airtime, &mut self.capture);
        loop {
            let mut moved = false;
            for radio in &mut self.radios {
                moved |= radio.pump(&mut self.scratch, now);
                if radio.poll_timeout().is_some_and(|deadline| deadline <= now) {
                    radio.handle_timeout(now);
                    moved = true;
                }
            }
            let owners = capture.as_ref().map(|_| capture::Owners::of(&self.radios));
            moved |= self.medium.advance(&mut self.radios, now, &mut |on_air| {
                account(airtime, &on_air);
                if let (Some(capture), Some(owners)) = (capture.as_mut(), &owners) {
                    capture.write(&on_air, owners);
                }
            });
            if !moved {
                return;
            }
        }
    }
}

fn account(airtime: &mut [Airtime], on_air: &crate::air::medium::OnAir<'_>) {
    let Some(airtime) = airtime.get_mut(on_air.radio) else { return };
    let Ok(sent) = u64::try_from(on_air.sent) else { return };
    let nanos = u64::try_from(on_air.airtime.as_nanos()).unwrap_or(u64::MAX);
    let Some(share) = nanos.checked_div(sent) else { return };
    for vm in on_air.burst.vms.iter().take(on_air.sent) {
        *airtime.entry(*vm).or_default() += share;
    }
}
