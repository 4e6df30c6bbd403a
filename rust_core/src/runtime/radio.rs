//! A radio of the runtime: a device with its host driver's data plane, or an access point.

use crate::access_point::AccessPoint;
use crate::air::{AirStation, Burst, Channel, Reception, TransmitReport};
use crate::device::Device;
use crate::frame_batch::FrameBatch;
use crate::host::data_plane::DataPlane;
use crate::ids::MacAddr;
use crate::time::Instant;

/// Whatever has an antenna here.
#[derive(Debug)]
pub enum Radio {
    /// A NIC and the data plane of the host that owns it.
    Device(Box<(Device, DataPlane)>),
    /// An access point.
    AccessPoint(Box<AccessPoint>),
}

impl Radio {
    pub(super) fn has_pending(&self) -> bool {
        match self {
            Self::Device(device) => device.1.has_control() || device.1.has_delivered(),
            Self::AccessPoint(access_point) => access_point.has_frames() || access_point.has_delivered(),
        }
    }

    /// Its ports may have something to fetch.
    pub(super) fn wake(&mut self) {
        match self {
            Self::Device(device) => device.1.wake_all(),
            Self::AccessPoint(access_point) => access_point.wake_wired(),
        }
    }

    pub(super) fn pump(&mut self, scratch: &mut FrameBatch, now: Instant) -> bool {
        match self {
            Self::Device(device) => {
                let (device, plane) = &mut **device;
                plane.pump(device, now)
            }
            Self::AccessPoint(access_point) => access_point.pump_wired(scratch),
        }
    }
}

macro_rules! delegate {
    ($radio:expr, $station:ident => $call:expr) => {
        match $radio {
            Radio::Device(device) => {
                let $station = &device.0;
                $call
            }
            Radio::AccessPoint(access_point) => {
                let $station = &**access_point;
                $call
            }
        }
    };
    (mut $radio:expr, $station:ident => $call:expr) => {
        match $radio {
            Radio::Device(device) => {
                let $station = &mut device.0;
                $call
            }
            Radio::AccessPoint(access_point) => {
                let $station = &mut **access_point;
                $call
            }
        }
    };
}

impl AirStation for Radio {
    fn channel(&self) -> Option<Channel> {
        delegate!(self, station => station.channel())
    }

    fn acknowledges(&self, receiver: MacAddr) -> bool {
        delegate!(self, station => station.acknowledges(receiver))
    }

    fn handle_air_frames(&mut self, frames: &FrameBatch, reception: Reception, now: Instant) {
        delegate!(mut self, station => station.handle_air_frames(frames, reception, now));
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Burst> {
        delegate!(mut self, station => station.poll_transmit(now))
    }

    fn handle_transmit_report(&mut self, report: TransmitReport, now: Instant) {
        delegate!(mut self, station => station.handle_transmit_report(report, now));
    }

    fn handle_timeout(&mut self, now: Instant) {
        delegate!(mut self, station => station.handle_timeout(now));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        delegate!(self, station => station.poll_timeout())
    }
}
