//! What stands on the air: a NIC with its host driver's data plane, or an access point with its wired port.

#![cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "ports that are waited for are TAPs, which Linux has")
)]

use std::sync::Arc;

use crate::access_point::AccessPoint;
use crate::air::{AirStation, Burst, Channel, Reception, TransmitReport};
use crate::device::Device;
use crate::frame_batch::FrameBatch;
use crate::host::doorbell::{Doorbell, Waker};
use crate::host::{DataPlane, Port};
use crate::ids::MacAddr;
use crate::time::Instant;

/// A station on the air.
#[derive(Debug)]
pub enum Station {
    /// An emulated NIC.
    Nic(Box<NicStation>),
    /// An access point.
    AccessPoint(Box<ApStation>),
}

/// A NIC and the data plane of the host driver that owns it.
#[derive(Debug)]
pub struct NicStation {
    /// The NIC.
    pub nic: Device,
    /// The data plane.
    pub plane: DataPlane,
}

/// An access point and its wired side.
#[derive(Debug)]
pub struct ApStation {
    /// The access point.
    pub plane: AccessPoint,
    wired: Option<Port>,
    doorbell: Arc<Doorbell>,
    /// The wired port may have frames.
    is_readable: bool,
    /// A wired host in this process was given frames since the run began.
    has_delivered: bool,
}

/// What an exchange did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    pub(super) has_moved: bool,
    pub(super) may_send: bool,
}

impl NicStation {
    pub(super) fn new(nic: Device, waker: Arc<Waker>) -> Self {
        let plane = DataPlane::new(&nic, waker);
        Self { nic, plane }
    }

    /// Takes calls from the control plane.
    pub fn submit(&mut self, messages: &[u8], now: Instant) {
        self.nic.handle_messages(messages, now);
        self.plane.handle_nic(&mut self.nic);
    }

    /// What came up for the control plane.
    pub fn take_messages(&mut self) -> Vec<u8> {
        self.plane.handle_nic(&mut self.nic);
        self.plane.take_control()
    }

    fn exchange(&mut self, is_due: bool, now: Instant) -> Progress {
        if is_due {
            self.nic.handle_timeout(now);
        }
        let has_come = self.plane.handle_nic(&mut self.nic);
        let has_gone = self.plane.handle_guests(&mut self.nic, now);
        Progress { has_moved: has_come || has_gone, may_send: is_due || has_gone }
    }
}

impl ApStation {
    pub(super) fn new(plane: AccessPoint, wired: Option<Port>, waker: Arc<Waker>) -> Self {
        let doorbell = Arc::new(Doorbell::new(waker));
        if let Some(port) = &wired {
            port.connect(&doorbell, 0);
        }
        Self { plane, wired, doorbell, is_readable: true, has_delivered: false }
    }

    /// The wired port.
    pub(super) const fn wired(&self) -> Option<&Port> {
        self.wired.as_ref()
    }

    /// True where the wired port would be read once it has frames.
    pub(super) const fn awaits_frames(&self) -> bool {
        !self.is_readable && self.plane.ready_frames() < READY_LIMIT
    }

    /// The wired port's descriptor is readable.
    pub(super) const fn set_readable(&mut self) {
        self.is_readable = true;
    }

    fn exchange(&mut self, is_due: bool, now: Instant) -> Progress {
        if is_due {
            self.plane.handle_timeout(now);
        }
        let has_gone_on = self.plane.handle_decisions();
        let mut progress = Progress { has_moved: has_gone_on, may_send: is_due || has_gone_on };
        let Self { plane, wired, doorbell, is_readable, has_delivered } = self;
        doorbell.answer(|_| *is_readable = true);
        let Some(port) = wired else {
            plane.wired_frames().clear();
            return progress;
        };
        while *is_readable && plane.ready_frames() < READY_LIMIT {
            let count = port.fetch(FETCH, |frame| plane.handle_wired_frame(frame));
            *is_readable = count == FETCH;
            progress.has_moved |= count > 0;
            progress.may_send |= count > 0;
        }
        if !plane.wired_frames().is_empty() {
            let refused = port.deliver(plane.wired_frames());
            plane.count_refused(refused);
            *has_delivered |= port.is_attended();
        }
        progress
    }
}

impl Station {
    /// Lets time pass and moves what waits on the side that is not the air.
    pub(super) fn exchange(&mut self, now: Instant) -> Progress {
        let is_due = self.poll_timeout().is_some_and(|deadline| deadline <= now);
        match self {
            Self::Nic(nic) => nic.exchange(is_due, now),
            Self::AccessPoint(access_point) => access_point.exchange(is_due, now),
        }
    }

    /// True where something waits for a decision, or for somebody in this process.
    pub(super) fn is_pending(&self) -> bool {
        match self {
            Self::Nic(nic) => nic.plane.has_control() || nic.plane.has_delivered(),
            Self::AccessPoint(access_point) => access_point.plane.has_frames() || access_point.has_delivered,
        }
    }

    /// A run begins: whoever waits for frames of a port has had the time to take them.
    pub(super) const fn begin_run(&mut self) {
        match self {
            Self::Nic(nic) => nic.plane.clear_delivered(),
            Self::AccessPoint(access_point) => access_point.has_delivered = false,
        }
    }

    /// True where some port is a TAP.
    pub(super) fn has_tap(&self) -> bool {
        #[cfg(target_os = "linux")]
        return match self {
            Self::Nic(nic) => nic.plane.guests().any(|guest| matches!(guest.port(), Port::Tap(_))),
            Self::AccessPoint(access_point) => matches!(access_point.wired, Some(Port::Tap(_))),
        };
        #[cfg(not(target_os = "linux"))]
        false
    }

    fn air(&self) -> &dyn AirStation {
        match self {
            Self::Nic(nic) => &nic.nic,
            Self::AccessPoint(access_point) => &access_point.plane,
        }
    }

    fn air_mut(&mut self) -> &mut dyn AirStation {
        match self {
            Self::Nic(nic) => &mut nic.nic,
            Self::AccessPoint(access_point) => &mut access_point.plane,
        }
    }
}

impl AirStation for Station {
    fn channel(&self) -> Option<Channel> {
        self.air().channel()
    }

    fn acknowledges(&self, receiver: MacAddr) -> bool {
        self.air().acknowledges(receiver)
    }

    fn handle_air_frames(&mut self, frames: &FrameBatch, reception: Reception, now: Instant) {
        self.air_mut().handle_air_frames(frames, reception, now);
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Burst> {
        self.air_mut().poll_transmit(now)
    }

    fn handle_transmit_report(&mut self, report: TransmitReport, now: Instant) {
        self.air_mut().handle_transmit_report(report, now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.air_mut().handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.air().poll_timeout()
    }
}

/// The wired port is read while fewer frames than this wait for the medium: the wire waits rather than a queue grows.
const READY_LIMIT: usize = 64;
const FETCH: usize = 32;
