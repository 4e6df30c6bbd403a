//! The virtual MAC (307): what one VM's MAC remembers between frames. Reset of one never touches another.

use super::transmit_queue::TransmitQueue;
use crate::ids::{MacAddr, Tid};

/// Number of traffic identifiers.
pub const TIDS: usize = 16;

const SEQUENCE_NUMBERS: u16 = 4096;

/// One VM's MAC: sequence counters, power state, frames waiting to be sent. Its duplicate filter, which every received frame
/// needs, stands elsewhere in the row.
#[derive(Debug, Default)]
pub struct VirtualMac {
    pub(crate) power: PowerState,
    pub(crate) sequence: SequenceCounters,
    pub(crate) queue: TransmitQueue,
}

/// What the access point was last told about this station.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PowerState {
    /// It may send at any time.
    #[default]
    Awake,
    /// It keeps frames until the radio is back.
    Asleep,
}

/// The next sequence number to send: one counter for each TID, one for everything else (IEEE 802.11-2020 10.3.2.14.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SequenceCounters {
    shared: u16,
    by_tid: [u16; TIDS],
}

impl SequenceCounters {
    /// From numbers that were saved; only their 12 low bits count.
    pub(crate) fn from_numbers(shared: u16, by_tid: [u16; TIDS]) -> Self {
        Self { shared: shared % SEQUENCE_NUMBERS, by_tid: by_tid.map(|number| number % SEQUENCE_NUMBERS) }
    }

    /// Takes the next number; `None` for frames without QoS Control field.
    pub fn take(&mut self, tid: Option<Tid>) -> u16 {
        let counter = match tid.and_then(|tid| self.by_tid.get_mut(usize::from(tid.value()))) {
            Some(counter) => counter,
            None => &mut self.shared,
        };
        let number = *counter;
        *counter = (number + 1) % SEQUENCE_NUMBERS;
        number
    }

    /// The counter without TID, then one for each TID.
    pub fn numbers(&self) -> impl Iterator<Item = u16> {
        core::iter::once(self.shared).chain(self.by_tid)
    }
}

/// Tells a retransmission from a new frame (IEEE 802.11-2020 10.3.2.14.3).
///
/// The transmitter is always the one access point for data; management frames remember theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct DuplicateFilter {
    management: Option<(MacAddr, u16)>,
    /// By TID, and at the end for data without one; [`NO_NUMBER`] before the first.
    data: [u16; TIDS + 1],
}

impl DuplicateFilter {
    /// Where the memory of data frames starts.
    pub(crate) const DATA: usize = core::mem::offset_of!(Self, data);
}

/// No sequence number has so many bits.
const NO_NUMBER: u16 = u16::MAX;

/// Which memory of a [`DuplicateFilter`] a frame belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuplicateClass {
    /// Management frames, by transmitter.
    Management(MacAddr),
    /// Data, by its QoS Control field's TID.
    Data(Option<Tid>),
}

impl Default for DuplicateFilter {
    fn default() -> Self {
        Self { data: [NO_NUMBER; TIDS + 1], management: None }
    }
}

impl DuplicateFilter {
    /// True where this frame was the last one accepted in its class.
    #[inline]
    pub fn is_duplicate(&self, class: DuplicateClass, number: u16, is_retry: bool) -> bool {
        is_retry
            && match class {
                DuplicateClass::Management(transmitter) => self.management == Some((transmitter, number)),
                DuplicateClass::Data(tid) => self.data.get(data_index(tid)) == Some(&number),
            }
    }

    /// Remembers a frame that was accepted.
    #[inline]
    pub fn remember(&mut self, class: DuplicateClass, number: u16) {
        match class {
            DuplicateClass::Management(transmitter) => self.management = Some((transmitter, number)),
            DuplicateClass::Data(tid) => {
                if let Some(last) = self.data.get_mut(data_index(tid)) {
                    *last = number;
                }
            }
        }
    }
}

fn data_index(tid: Option<Tid>) -> usize {
    tid.map_or(TIDS, |tid| usize::from(tid.value()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AP: MacAddr = MacAddr([2, 0, 0, 0, 1, 0]);

    #[test]
    fn each_tid_counts_for_itself_and_wraps_at_4096() {
        let mut counters = SequenceCounters::default();
        let tid = Some(Tid::from_low_bits(5));
        assert_eq!((counters.take(tid), counters.take(tid), counters.take(None)), (0, 1, 0));
        for _ in 2..4096 {
            counters.take(tid);
        }
        assert_eq!(counters.take(tid), 0);
    }

    #[test]
    fn only_a_retry_of_the_last_frame_is_a_duplicate() {
        let mut filter = DuplicateFilter::default();
        let class = DuplicateClass::Data(Some(Tid::from_low_bits(1)));
        filter.remember(class, 7);
        assert!(filter.is_duplicate(class, 7, true));
        assert!(!filter.is_duplicate(class, 7, false));
        assert!(!filter.is_duplicate(class, 8, true));
        assert!(!filter.is_duplicate(DuplicateClass::Data(None), 7, true));
        assert!(!filter.is_duplicate(DuplicateClass::Management(AP), 7, true));
    }
}
