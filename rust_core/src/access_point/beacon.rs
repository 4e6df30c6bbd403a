//! Beacons: a template, sent at its interval with the traffic indication map of the moment.

use core::time::Duration;

use super::AccessPoint;
use super::transmit::Queued;
use crate::time::{Instant, TIME_UNIT};
use crate::wire::element::{Elements, element_id, emit_element};

/// Header, timestamp, interval and capability.
const FIXED_LENGTH: usize = 36;
/// Octets of a bitmap for association identifiers 0 to 2007.
const BITMAP_LENGTH: usize = 251;

#[derive(Debug)]
pub(super) struct Beacon {
    template: Vec<u8>,
    interval: Duration,
    next: Instant,
}

impl Beacon {
    pub(super) const fn next(&self) -> Instant {
        self.next
    }
}

impl AccessPoint {
    /// A beacon without TIM, sent every `interval_tu` time units from now on.
    pub fn set_beacon(&mut self, template: Vec<u8>, interval_tu: u16, now: Instant) {
        let interval = TIME_UNIT * u32::from(interval_tu.max(1));
        let next = self.beacon.as_ref().map_or(now, |beacon| beacon.next);
        self.beacon = Some(Beacon { template, interval, next });
    }

    pub(super) fn send_beacon(&mut self, now: Instant) {
        let Some(beacon) = self.beacon.as_mut().filter(|beacon| beacon.next <= now) else { return };
        while beacon.next <= now {
            beacon.next = beacon.next + beacon.interval;
        }
        let template = core::mem::take(&mut beacon.template);
        let frame = self.with_traffic_map(&template);
        if let Some(beacon) = &mut self.beacon {
            beacon.template = template;
        }
        // A beacon that could not go out yet is out of date.
        self.control.retain(|queued| queued.frame.first() != Some(&0x80));
        self.control.push_front(Queued { frame, protect: false, is_final: false, tries: 0, is_control: true });
        self.group.append(&mut self.held_group);
    }

    /// The template with a TIM element in the order of element identifiers (IEEE 802.11-2020 9.3.3.2). Every beacon is a
    /// DTIM.
    fn with_traffic_map(&self, template: &[u8]) -> Vec<u8> {
        let (fixed, elements) = template.split_at_checked(FIXED_LENGTH).unwrap_or((template, &[]));
        let mut frame = fixed.to_vec();
        let mut is_written = false;
        for element in Elements::new(elements).map_while(Result::ok) {
            if !is_written && element.id > element_id::TIM {
                emit_element(element_id::TIM, &self.traffic_map(), &mut frame);
                is_written = true;
            }
            emit_element(element.id, element.data, &mut frame);
        }
        if !is_written {
            emit_element(element_id::TIM, &self.traffic_map(), &mut frame);
        }
        frame
    }

    /// DTIM count, DTIM period, bitmap control, partial virtual bitmap (9.4.2.5).
    fn traffic_map(&self) -> Vec<u8> {
        let mut bitmap = [0_u8; BITMAP_LENGTH];
        for station in self.stations.iter().flatten().filter(|station| station.is_asleep && !station.queue.is_empty()) {
            let id = usize::from(station.parameters.association_id);
            if let Some(octet) = bitmap.get_mut(id / 8) {
                *octet |= 1 << (id % 8);
            }
        }
        let first = bitmap.iter().position(|octet| *octet != 0).unwrap_or_default() & !1;
        let last = bitmap.iter().rposition(|octet| *octet != 0).unwrap_or_default();
        let group = u8::from(!self.held_group.is_empty());
        let mut data = vec![0, 1, group | u8::try_from(first).unwrap_or_default()];
        data.extend_from_slice(bitmap.get(first..=last).unwrap_or(&[0]));
        data
    }
}
