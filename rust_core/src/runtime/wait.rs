//! Waiting for ports and for the wall clock, by poll(2).

use core::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::station::Station;
use crate::host::Port;
use crate::host::doorbell::Waker;
use crate::ids::VrId;

/// Whose descriptor it is.
#[derive(Clone, Copy, Debug)]
enum Owner {
    Guest(usize, VrId),
    Wired(usize),
}

/// Waits until a TAP that would be read is readable, a port in memory rings, or the time is over. False where a signal
/// came first.
pub(super) fn wait(stations: &mut [Station], waker: &Waker, timeout: Option<Duration>) -> bool {
    let mut owners = Vec::new();
    let mut descriptors = Vec::new();
    for (radio, station) in stations.iter().enumerate() {
        match station {
            Station::Nic(nic) => {
                for guest in nic.plane.guests() {
                    if let Port::Tap(tap) = guest.port()
                        && !tap.is_gone()
                        && nic.plane.awaits_frames(guest)
                    {
                        owners.push(Owner::Guest(radio, guest.vr()));
                        descriptors.push(PollFd::new(tap, PollFlags::IN));
                    }
                }
            }
            Station::AccessPoint(access_point) => {
                if let Some(Port::Tap(tap)) = access_point.wired()
                    && !tap.is_gone()
                    && access_point.awaits_frames()
                {
                    owners.push(Owner::Wired(radio));
                    descriptors.push(PollFd::new(tap, PollFlags::IN));
                }
            }
        }
    }
    if let Some(event) = waker.event() {
        descriptors.push(PollFd::new(event, PollFlags::IN));
    }
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    let result = poll(&mut descriptors, timeout.as_ref());
    let readable: Vec<Owner> = owners
        .iter()
        .zip(&descriptors)
        .filter(|(_, descriptor)| !descriptor.revents().is_empty())
        .map(|(owner, _)| *owner)
        .collect();
    let is_woken =
        descriptors.len() > owners.len() && descriptors.last().is_some_and(|last| !last.revents().is_empty());
    drop(descriptors);
    if is_woken {
        waker.clear();
    }
    for owner in readable {
        match owner {
            Owner::Guest(radio, vr) => {
                if let Some(Station::Nic(nic)) = stations.get_mut(radio) {
                    nic.plane.activate(vr);
                }
            }
            Owner::Wired(radio) => {
                if let Some(Station::AccessPoint(access_point)) = stations.get_mut(radio) {
                    access_point.set_readable();
                }
            }
        }
    }
    result != Err(Errno::INTR)
}
