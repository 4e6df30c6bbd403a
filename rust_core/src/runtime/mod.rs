//! Wires devices, ports, access points and the air, and moves the time.
//!
//! [`Runtime::run`] goes from deadline to deadline: in virtual time by a jump, in wall-clock time by waiting. Whatever
//! needs a decision ends the run: completions and device-initiated calls of a device, management frames and EAPOL of an
//! access point; and what a port in memory was given, if somebody takes it.
//! Not here: what the parts do. This and `host::tap` are the only places that touch the system.
//! Promise: in virtual time the same seed and the same calls give the same run, to the octet.

mod capture;
mod clock;
mod station;
#[cfg(target_os = "linux")]
mod wait;

use std::io;
use std::path::Path;
use std::sync::Arc;

pub use self::station::{ApStation, NicStation, Station};

use self::capture::AirCapture;
use self::clock::Clock;
use crate::access_point::AccessPoint;
use crate::air::{AirStation, Link, Medium};
use crate::device::{Device, DeviceConfig};
use crate::host::Port;
use crate::host::doorbell::Waker;
use crate::ids::VmId;
use crate::time::Instant;

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Something waits for a decision.
    Pending,
    /// The time has come.
    Until,
    /// The caller wanted to be asked again after so many steps, or a signal arrived.
    Interrupted,
}

/// Devices, access points, ports and the air between them.
#[derive(Debug)]
pub struct Runtime {
    clock: Clock,
    now: Instant,
    medium: Medium,
    stations: Vec<Station>,
    waker: Arc<Waker>,
    capture: Option<AirCapture>,
}

impl Runtime {
    /// An empty world at time zero.
    pub fn new(seed: u64, is_wall_clock: bool) -> Self {
        Self {
            clock: if is_wall_clock { Clock::wall() } else { Clock::Virtual },
            now: Instant::ZERO,
            medium: Medium::new(seed),
            stations: Vec::new(),
            waker: Arc::new(Waker::new()),
            capture: None,
        }
    }

    /// The time.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Adds an emulated NIC; returns its radio's number.
    pub fn add_device(&mut self, config: DeviceConfig) -> usize {
        let nic = NicStation::new(Device::new(config), Arc::clone(&self.waker));
        self.add(Station::Nic(Box::new(nic)))
    }

    /// Adds an access point; returns its radio's number.
    pub fn add_access_point(&mut self, plane: AccessPoint, wired: Option<Port>) -> usize {
        let access_point = ApStation::new(plane, wired, Arc::clone(&self.waker));
        self.add(Station::AccessPoint(Box::new(access_point)))
    }

    /// The NIC of that radio.
    pub fn device(&self, radio: usize) -> Option<&NicStation> {
        match self.stations.get(radio)? {
            Station::Nic(nic) => Some(nic),
            Station::AccessPoint(_) => None,
        }
    }

    /// The NIC of that radio, which may have something to send afterwards.
    pub fn device_mut(&mut self, radio: usize) -> Option<&mut NicStation> {
        self.medium.touch(radio);
        match self.stations.get_mut(radio)? {
            Station::Nic(nic) => Some(nic),
            Station::AccessPoint(_) => None,
        }
    }

    /// The access point of that radio.
    pub fn access_point(&self, radio: usize) -> Option<&ApStation> {
        match self.stations.get(radio)? {
            Station::AccessPoint(access_point) => Some(access_point),
            Station::Nic(_) => None,
        }
    }

    /// The access point of that radio, which may have something to send afterwards.
    pub fn access_point_mut(&mut self, radio: usize) -> Option<&mut ApStation> {
        self.medium.touch(radio);
        match self.stations.get_mut(radio)? {
            Station::AccessPoint(access_point) => Some(access_point),
            Station::Nic(_) => None,
        }
    }

    /// How many radios there are.
    pub const fn radios(&self) -> usize {
        self.stations.len()
    }

    /// The air: links, switches, airtime.
    pub const fn medium(&mut self) -> &mut Medium {
        &mut self.medium
    }

    /// How two radios hear each other from now on; false where there are no such radios.
    pub fn set_link(&mut self, a: usize, b: usize, link: Link) -> bool {
        let exist = a != b && a.max(b) < self.stations.len();
        if exist {
            self.medium.set_link(a, b, link);
        }
        exist
    }

    /// Writes every frame on the air to a pcapng file: an interface for each VM and one for frames of no VM.
    pub fn start_capture(&mut self, path: &Path, vms: &[(VmId, String)]) -> io::Result<()> {
        self.finish_capture()?;
        self.capture = Some(AirCapture::create(path, vms, self.clock.epoch_ns())?);
        Ok(())
    }

    /// Closes the file; how many frames it holds.
    pub fn finish_capture(&mut self) -> io::Result<u64> {
        self.capture.take().map_or(Ok(0), AirCapture::finish)
    }

    /// Whoever waits for frames of a port in memory has had the time to take them: they no longer end a run.
    pub fn begin_run(&mut self) {
        self.stations.iter_mut().for_each(Station::begin_run);
    }

    /// Moves on until something waits for a decision, or until that time, or for so many steps.
    pub fn run(&mut self, until: Instant, steps: u32) -> Stop {
        for _ in 0..steps {
            self.now = self.now.max(self.clock.now().unwrap_or(self.now));
            self.settle();
            if self.stations.iter().any(Station::is_pending) {
                return Stop::Pending;
            }
            if self.now >= until {
                return Stop::Until;
            }
            let next = self.next_deadline().map_or(until, |next| next.min(until)).max(self.now);
            match self.clock {
                Clock::Virtual => {
                    self.now = next;
                    self.look_at_ports();
                }
                Clock::Wall { .. } => {
                    if !self.wait(next) {
                        return Stop::Interrupted;
                    }
                }
            }
        }
        Stop::Interrupted
    }

    fn add(&mut self, station: Station) -> usize {
        self.stations.push(station);
        self.medium.add_radio()
    }

    /// Does everything that can be done at the present time.
    fn settle(&mut self) {
        loop {
            let mut has_moved = false;
            for (radio, station) in self.stations.iter_mut().enumerate() {
                let progress = station.exchange(self.now);
                has_moved |= progress.has_moved;
                if progress.may_send {
                    self.medium.touch(radio);
                }
            }
            let Self { medium, stations, capture, now, .. } = self;
            has_moved |= match capture {
                Some(capture) => medium.advance(stations, *now, &mut |frame| capture.observe(frame)),
                None => medium.advance(stations, *now, &mut |_| {}),
            };
            if let Some(capture) = capture {
                capture.write_until(medium.oldest_start().map_or(*now, |oldest| oldest.min(*now)), stations);
            }
            if !has_moved {
                return;
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let stations = self.stations.iter().filter_map(AirStation::poll_timeout);
        stations.chain(self.medium.poll_timeout()).min()
    }

    /// Waits for a port or the deadline; false where a signal came first.
    #[cfg(target_os = "linux")]
    fn wait(&mut self, until: Instant) -> bool {
        let timeout = until.since(self.clock.now().unwrap_or(until));
        wait::wait(&mut self.stations, &self.waker, Some(timeout))
    }

    #[cfg(not(target_os = "linux"))]
    fn wait(&mut self, until: Instant) -> bool {
        let timeout = until.since(self.clock.now().unwrap_or(until));
        std::thread::sleep(timeout.min(core::time::Duration::from_millis(1)));
        true
    }

    /// In virtual time nobody waits for a port, but those that have frames are read.
    fn look_at_ports(&mut self) {
        #[cfg(target_os = "linux")]
        if self.stations.iter().any(Station::has_tap) {
            wait::wait(&mut self.stations, &self.waker, Some(core::time::Duration::ZERO));
        }
    }
}
