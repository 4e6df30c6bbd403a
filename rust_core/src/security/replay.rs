//! Replay counters: one per traffic identifier and one for management (IEEE 802.11-2020 12.5.3.4.4).
//!
//! Checked before a frame is opened, moved only after its message integrity code was found right. No window: packet
//! numbers must strictly grow within a class. Not here: the rule that fragments follow one another in steps of 1.

use crate::ids::{PacketNumber, Tid};

/// Which counter a frame is measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplayClass {
    /// Data of that priority; frames without a QoS Control field have priority 0.
    Priority(Tid),
    /// Individually addressed robust management frames, all together.
    Management,
}

impl ReplayClass {
    /// Its place in [`ReplayCounters`].
    #[inline]
    const fn index(self) -> usize {
        match self {
            Self::Priority(tid) => PRIORITY_0 - (tid.value() & 15) as usize,
            Self::Management => 0,
        }
    }
}

/// The largest packet number accepted so far, for each class.
///
/// In memory the class that is used most, priority 0, comes last: what stands behind the counters shares its cache line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayCounters([PacketNumber; ReplayCounters::COUNT]);

impl ReplayCounters {
    /// Sixteen priorities and management.
    pub const COUNT: usize = 17;

    /// All classes start at `initial` (the Key RSC of a group key, 0 of a pairwise key): larger numbers are accepted.
    pub const fn new(initial: PacketNumber) -> Self {
        Self([initial; Self::COUNT])
    }

    /// As saved by [`Self::values`].
    pub fn from_values(mut values: [PacketNumber; Self::COUNT]) -> Self {
        values.reverse();
        Self(values)
    }

    /// Priorities 0 to 15, then management.
    pub fn values(&self) -> [PacketNumber; Self::COUNT] {
        let mut values = self.0;
        values.reverse();
        values
    }

    /// The last number accepted in that class.
    pub fn last(&self, class: ReplayClass) -> PacketNumber {
        self.0.get(class.index()).copied().unwrap_or(PacketNumber::MAX)
    }

    /// True where the number is new: strictly larger than the last one of its class.
    pub fn check(&self, class: ReplayClass, number: PacketNumber) -> bool {
        number > self.last(class)
    }

    /// Takes the number of a frame whose message integrity code is right. Checks again, for two copies of one frame may
    /// have been opened in one batch: false, and nothing is done, where it is not new any more.
    #[must_use = "false means that the frame is a replay"]
    pub fn advance(&mut self, class: ReplayClass, number: PacketNumber) -> bool {
        match self.0.get_mut(class.index()) {
            Some(last) if number > *last => {
                *last = number;
                true
            }
            _ => false,
        }
    }

    /// The larger of both, class by class: counters never go back.
    pub(crate) fn raise(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = (*mine).max(theirs);
        }
    }
}

/// Where the counter of priority 0 stands.
const PRIORITY_0: usize = ReplayCounters::COUNT - 1;

#[cfg(test)]
mod tests {
    use super::*;

    const PRIORITY_0: ReplayClass = ReplayClass::Priority(Tid::from_low_bits(0));
    const PRIORITY_5: ReplayClass = ReplayClass::Priority(Tid::from_low_bits(5));

    const fn pn(value: u64) -> PacketNumber {
        PacketNumber::from_low_bits(value)
    }

    #[test]
    fn a_number_is_accepted_once_and_none_below_it() {
        let mut counters = ReplayCounters::new(pn(0));
        assert!(!counters.check(PRIORITY_0, pn(0)));
        assert!(counters.check(PRIORITY_0, pn(7)) && counters.check(PRIORITY_0, pn(7)), "a check moves nothing");
        assert!(counters.advance(PRIORITY_0, pn(7)));
        assert!(!counters.advance(PRIORITY_0, pn(7)), "the second copy in a batch");
        assert!(!counters.check(PRIORITY_0, pn(7)) && !counters.check(PRIORITY_0, pn(6)));
        assert!(counters.check(PRIORITY_0, pn(8)) && counters.check(PRIORITY_0, PacketNumber::MAX));
    }

    #[test]
    fn each_priority_and_management_count_for_themselves() {
        let mut counters = ReplayCounters::new(pn(0));
        for class in (0..16).map(|tid| ReplayClass::Priority(Tid::from_low_bits(tid))).chain([ReplayClass::Management])
        {
            assert!(counters.advance(class, pn(9)), "{class:?}");
            assert_eq!(counters.last(class), pn(9));
        }
        assert_eq!(counters.values(), [pn(9); 17]);
    }

    #[test]
    fn a_group_key_starts_from_its_receive_sequence_counter() {
        let counters = ReplayCounters::new(pn(100));
        assert!(!counters.check(PRIORITY_5, pn(100)) && counters.check(PRIORITY_5, pn(101)));
        assert!(!counters.check(ReplayClass::Management, pn(100)));
    }

    #[test]
    fn raising_never_goes_back() {
        let mut counters = ReplayCounters::new(pn(5));
        let mut saved = ReplayCounters::new(pn(3));
        assert!(saved.advance(PRIORITY_5, pn(8)));
        counters.raise(&ReplayCounters::from_values(saved.values()));
        assert_eq!((counters.last(PRIORITY_0), counters.last(PRIORITY_5)), (pn(5), pn(8)));
    }
}
