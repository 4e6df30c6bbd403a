//! Beacons: a template, and what changes from one to the next (IEEE 802.11-2020 9.3.3.2, 11.1.3).

use core::time::Duration;

use crate::time::{Instant, TIME_UNIT};
use crate::wire::ParseError;
use crate::wire::frame_control::{FrameControl, management_subtype};
use crate::wire::mac_header::{self, MacHeader, SequenceControl};

/// A beacon that is sent again and again.
#[derive(Debug)]
pub(super) struct Beacon {
    /// Up to where the TIM element goes.
    head: Vec<u8>,
    /// From there on.
    tail: Vec<u8>,
    interval: Duration,
    next: Instant,
    is_due: bool,
}

impl Beacon {
    /// From a beacon without TIM. The first one goes out at once, the following ones at whole intervals.
    ///
    /// # Errors
    /// It is no beacon, or its elements cannot be read.
    pub(super) fn new(frame: &[u8], interval_tu: u16, now: Instant) -> Result<Self, ParseError> {
        let header = MacHeader::parse(frame)?;
        if !header.frame_control.is_management(management_subtype::BEACON) {
            return Err(ParseError::Invalid {
                what: "beacon subtype",
                value: u64::from(header.frame_control.0),
                at: 0,
            });
        }
        let at = tim_place(frame, header.length() + FIXED_FIELDS_LENGTH)?;
        let (head, tail) = frame.split_at_checked(at).unwrap_or((frame, &[]));
        let interval = TIME_UNIT * u32::from(interval_tu.max(1));
        Ok(Self { head: head.to_vec(), tail: tail.to_vec(), interval, next: now, is_due: false })
    }

    /// When the next beacon becomes due.
    pub(super) const fn next(&self) -> Instant {
        self.next
    }

    /// Time has passed. Beacons that were missed are not made up for.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.next <= now {
            self.is_due = true;
            let interval = u64::try_from(self.interval.as_nanos()).unwrap_or(u64::MAX).max(1);
            self.next = Instant::from_nanos((now.as_nanos() / interval + 1).saturating_mul(interval));
        }
    }

    /// True where a beacon waits for the medium.
    pub(super) const fn is_due(&self) -> bool {
        self.is_due
    }

    /// Appends the beacon that is sent now.
    pub(super) fn emit(
        &mut self,
        traffic: &TrafficMap,
        has_group: bool,
        sequence: u16,
        now: Instant,
        out: &mut Vec<u8>,
    ) {
        self.is_due = false;
        let start = out.len();
        out.extend_from_slice(&self.head);
        traffic.emit_tim(has_group, out);
        out.extend_from_slice(&self.tail);
        let Some(frame) = out.get_mut(start..) else { return };
        mac_header::set_frame_control(frame, FrameControl::management(management_subtype::BEACON));
        mac_header::set_sequence(frame, SequenceControl { number: sequence, fragment: 0 });
        if let Some(timestamp) = frame.get_mut(mac_header::THREE_ADDRESS_LENGTH..).and_then(<[u8]>::first_chunk_mut) {
            *timestamp = now.as_micros().to_le_bytes();
        }
    }
}

/// Which stations have frames waiting: one bit for each association identifier.
#[derive(Debug)]
pub(super) struct TrafficMap([u8; MAP_LENGTH]);

impl Default for TrafficMap {
    fn default() -> Self {
        Self([0; MAP_LENGTH])
    }
}

impl TrafficMap {
    /// Frames wait for that station, or none any more.
    pub(super) fn set(&mut self, association_id: u16, is_waiting: bool) {
        if let Some(octet) = self.0.get_mut(usize::from(association_id / 8)) {
            let bit = 1 << (association_id % 8);
            *octet = if is_waiting { *octet | bit } else { *octet & !bit };
        }
    }

    /// Appends the TIM element (9.4.2.5): every beacon is a DTIM.
    fn emit_tim(&self, has_group: bool, out: &mut Vec<u8>) {
        let first = self.0.iter().position(|octet| *octet != 0).unwrap_or_default() & !1;
        let last = self.0.iter().rposition(|octet| *octet != 0).unwrap_or(first);
        let map = self.0.get(first..=last).unwrap_or_default();
        let length = u8::try_from(map.len() + 3).unwrap_or(u8::MAX);
        // The bitmap's offset is in pairs of octets, which is what its place in bits 1 to 7 comes to.
        let control = u8::try_from(first).unwrap_or_default() | u8::from(has_group);
        out.extend_from_slice(&[TIM, length, 0, 1, control]);
        out.extend_from_slice(map);
    }
}

/// Where the TIM element belongs: behind SSID, rates and DSSS parameters (9.3.3.2).
fn tim_place(frame: &[u8], elements: usize) -> Result<usize, ParseError> {
    let truncated = |what, needed, at| ParseError::Truncated { what, needed, had: frame.len().saturating_sub(at), at };
    let mut at = elements;
    let mut rest = frame.get(at..).ok_or(truncated("beacon fixed fields", FIXED_FIELDS_LENGTH, 24))?;
    while let [id, length, data @ ..] = rest {
        if *id >= TIM {
            break;
        }
        rest = data.get(usize::from(*length)..).ok_or(truncated("element", 2 + usize::from(*length), at))?;
        at += 2 + usize::from(*length);
    }
    Ok(at)
}

const TIM: u8 = 5;
const FIXED_FIELDS_LENGTH: usize = 12;
const MAP_LENGTH: usize = 251;

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> Vec<u8> {
        let mut frame = vec![0x80, 0, 0, 0];
        frame.extend([0xff; 6]);
        frame.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0, 0]);
        frame.extend([0; 8]);
        frame.extend([100, 0, 0x11, 0]);
        frame.extend([0, 1, b'x', 1, 1, 0x8c, 3, 1, 36, 48, 1, 0]);
        frame
    }

    fn emitted(traffic: &TrafficMap, has_group: bool) -> Vec<u8> {
        let mut beacon = Beacon::new(&template(), 100, Instant::ZERO).expect("a beacon");
        let mut out = Vec::new();
        beacon.emit(traffic, has_group, 0x123, Instant::from_nanos(5_000_000), &mut out);
        out
    }

    #[test]
    fn a_beacon_has_its_timestamp_number_and_tim() {
        let frame = emitted(&TrafficMap::default(), false);
        assert_eq!(frame[22..24], [0x30, 0x12]);
        assert_eq!(frame[24..32], 5000_u64.to_le_bytes());
        assert_eq!(frame[45..], [5, 4, 0, 1, 0, 0, 48, 1, 0]);
    }

    #[test]
    fn the_tim_names_who_has_frames() {
        let mut traffic = TrafficMap::default();
        traffic.set(1, true);
        assert_eq!(emitted(&traffic, true)[45..51], [5, 4, 0, 1, 1, 2]);
        traffic.set(1, false);
        traffic.set(35, true);
        traffic.set(41, true);
        assert_eq!(emitted(&traffic, false)[45..52], [5, 5, 0, 1, 4, 8, 2]);
        traffic.set(2007, true);
        assert_eq!(emitted(&traffic, false)[46], 250);
        traffic.set(u16::MAX, true);
    }

    #[test]
    fn beacons_keep_to_whole_intervals_and_are_not_made_up_for() {
        let mut beacon = Beacon::new(&template(), 100, Instant::from_nanos(7)).expect("a beacon");
        assert_eq!(beacon.next(), Instant::from_nanos(7));
        beacon.handle_timeout(Instant::from_nanos(7));
        assert!(beacon.is_due());
        assert_eq!(beacon.next(), Instant::from_nanos(102_400_000));
        beacon.handle_timeout(Instant::from_nanos(1_000_000_000));
        assert_eq!(beacon.next(), Instant::from_nanos(1_024_000_000));
    }

    #[test]
    fn what_is_no_beacon_is_refused() {
        let mut frame = template();
        for end in 0..36 {
            assert!(Beacon::new(&frame[..end], 100, Instant::ZERO).is_err(), "{end}");
        }
        frame[0] = 0x40;
        assert!(Beacon::new(&frame, 100, Instant::ZERO).is_err());
    }
}
