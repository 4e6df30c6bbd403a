//! Which channel the one radio stands on, and when it moves (the multiplexer, US 8,392,625 FIG. 2, 206).
//!
//! The schedule says only *when*; what has to be said to the access points before the radio leaves is `power_save`'s.

use core::time::Duration;

use crate::air::Channel;
use crate::host_api::CallError;
use crate::host_api::call::Slot;
use crate::time::Instant;

/// Slots that a schedule may have.
pub const MAX_SLOTS: usize = 64;

/// How long the radio stays past the end of its slot for announcements that are still under way.
pub const GRACE: Duration = Duration::from_millis(4);

/// Ordered slots and the radio's place in them.
///
/// At any time the radio stands on one channel or, while it moves, on none. Without slots it stands still where it is;
/// with one slot it goes there and stays.
#[derive(Clone, Debug)]
pub struct RadioSchedule {
    slots: Vec<Slot>,
    next: usize,
    switch: Duration,
    channel: Option<Channel>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No deadline.
    Still,
    /// On the way; the slot began at `started`.
    Switching { started: Instant, until: Instant, target: Channel },
    /// On a channel; `leave_at` is when to start the farewell, `None` where the next slot is on the same channel.
    Standing { leave_at: Option<Instant>, end: Instant },
    /// Saying farewell until the slot ends.
    Leaving { end: Instant },
    /// The slot has ended and the farewell has not.
    Overtime { until: Instant },
}

/// What the radio just did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A slot has begun; the radio stands on this channel.
    Arrived(Channel),
    /// The slot ends soon; say farewell.
    Leaving(Channel),
    /// The radio is on its way and hears nothing.
    Departed(Channel),
}

impl RadioSchedule {
    /// No slots, on no channel. A switch takes `switch`.
    pub const fn new(switch: Duration) -> Self {
        Self { slots: Vec::new(), next: 0, switch, channel: None, phase: Phase::Still }
    }

    /// Replaces the slots; the first one begins as soon as the radio can leave where it is.
    ///
    /// # Errors
    /// `BadSchedule`: too many slots, one on channel 0, one of no length, or one that a switch would fill.
    pub fn set(&mut self, slots: impl Iterator<Item = Slot>, now: Instant) -> Result<(), CallError> {
        let slots: Vec<Slot> = slots.take(MAX_SLOTS + 1).collect();
        let switch_us = self.switch.as_micros();
        let moves = slots.iter().any(|slot| slots.first().is_some_and(|first| first.channel != slot.channel));
        let is_empty = |slot: &Slot| slot.length_us == 0 || (moves && u128::from(slot.length_us) <= switch_us);
        if slots.len() > MAX_SLOTS || slots.iter().any(|slot| slot.channel == 0 || is_empty(slot)) {
            return Err(CallError::BadSchedule);
        }
        self.slots = slots;
        self.next = 0;
        self.phase = match (self.slots.first().map(|slot| slot.channel), self.channel) {
            // Already there, or staying: a new arrival, so that whoever was told farewell hears of the return.
            (None, Some(here)) => Phase::Switching { started: now, until: now, target: here },
            (Some(target), Some(here)) if target == here => Phase::Switching { started: now, until: now, target },
            (Some(_), Some(_)) if matches!(self.phase, Phase::Leaving { .. } | Phase::Overtime { .. }) => {
                Phase::Leaving { end: now }
            }
            (Some(_), Some(_)) => Phase::Standing { leave_at: Some(now), end: now },
            (Some(target), None) => Phase::Switching { started: now, until: now + self.switch, target },
            (None, None) => self.phase,
        };
        Ok(())
    }

    /// Moves on to `now`; to be called until it returns `None`.
    ///
    /// `lead` is how long a farewell takes; `is_free` says that none is under way and nothing of ours is on the air.
    pub fn advance(&mut self, now: Instant, lead: Duration, is_free: bool) -> Option<Turn> {
        match self.phase {
            Phase::Switching { started, until, target } if until <= now => {
                Some(self.arrive(started, target, now, lead))
            }
            Phase::Standing { leave_at: Some(leave_at), end } if leave_at <= now => {
                self.phase = Phase::Leaving { end };
                self.channel.map(Turn::Leaving)
            }
            Phase::Standing { leave_at: None, end } if end <= now => {
                let here = self.channel?;
                Some(self.arrive(now, here, now, lead))
            }
            Phase::Leaving { end } if end <= now => {
                if is_free {
                    return self.depart(now);
                }
                self.phase = Phase::Overtime { until: now + GRACE };
                None
            }
            Phase::Overtime { until } if is_free || until <= now => self.depart(now),
            _ => None,
        }
    }

    /// The channel that the radio stands on; `None` while it moves, or before it was ever sent anywhere.
    pub const fn channel(&self) -> Option<Channel> {
        self.channel
    }

    /// The channel that it stands on, or moves to.
    pub const fn next_channel(&self) -> Option<Channel> {
        match self.phase {
            Phase::Switching { target, .. } => Some(target),
            _ => self.channel,
        }
    }

    /// True from the farewell to the departure.
    pub const fn is_leaving(&self) -> bool {
        matches!(self.phase, Phase::Leaving { .. } | Phase::Overtime { .. })
    }

    /// True where the radio serves more than one slot.
    pub const fn is_shared(&self) -> bool {
        self.slots.len() > 1
    }

    /// When [`advance`](Self::advance) has something to do by itself.
    pub const fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Still => None,
            Phase::Switching { until, .. } | Phase::Overtime { until } => Some(until),
            Phase::Standing { leave_at: Some(at), .. } => Some(at),
            Phase::Standing { leave_at: None, end } | Phase::Leaving { end } => Some(end),
        }
    }

    fn arrive(&mut self, started: Instant, target: Channel, now: Instant, lead: Duration) -> Turn {
        self.channel = Some(target);
        self.phase = match self.slots.get(self.next) {
            Some(slot) if self.is_shared() => {
                let length = Duration::from_micros(u64::from(slot.length_us));
                // After a late wake-up the slot still has its length: time lost is not taken from one VM alone.
                let end = (started + length).max(now);
                let following = (self.next + 1) % self.slots.len();
                self.next = following;
                let stays = self.slots.get(following).is_some_and(|slot| slot.channel == target);
                let farewell = Instant::from_nanos(end.as_nanos().saturating_sub(nanos(lead.min(length / 4))));
                Phase::Standing { leave_at: (!stays).then_some(farewell.max(now)), end }
            }
            _ => Phase::Still,
        };
        Turn::Arrived(target)
    }

    fn depart(&mut self, now: Instant) -> Option<Turn> {
        let here = self.channel?;
        let target = self.slots.get(self.next)?.channel;
        self.channel = None;
        self.phase = Phase::Switching { started: now, until: now + self.switch, target };
        Some(Turn::Departed(here))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAD: Duration = Duration::from_millis(2);

    fn at(micros: u64) -> Instant {
        Instant::from_nanos(micros * 1000)
    }

    fn schedule(slots: &[(u8, u32)], now: Instant) -> RadioSchedule {
        let mut schedule = RadioSchedule::new(Duration::from_micros(500));
        set(&mut schedule, slots, now).expect("good slots");
        schedule
    }

    fn set(schedule: &mut RadioSchedule, slots: &[(u8, u32)], now: Instant) -> Result<(), CallError> {
        schedule.set(slots.iter().map(|(channel, length_us)| Slot { channel: *channel, length_us: *length_us }), now)
    }

    /// Every turn up to `end`, with its time in microseconds.
    fn turns(schedule: &mut RadioSchedule, end: Instant) -> Vec<(u64, Turn)> {
        let mut turns = Vec::new();
        while let Some(now) = schedule.poll_timeout().filter(|now| *now <= end) {
            while let Some(turn) = schedule.advance(now, LEAD, true) {
                turns.push((now.as_micros(), turn));
            }
        }
        turns
    }

    #[test]
    fn two_slots_take_turns_and_the_switch_is_part_of_the_slot() {
        let mut schedule = schedule(&[(1, 20_000), (6, 10_000)], at(0));
        assert_eq!(
            turns(&mut schedule, at(31_000)),
            [
                (500, Turn::Arrived(1)),
                (18_000, Turn::Leaving(1)),
                (20_000, Turn::Departed(1)),
                (20_500, Turn::Arrived(6)),
                (28_000, Turn::Leaving(6)),
                (30_000, Turn::Departed(6)),
                (30_500, Turn::Arrived(1)),
            ]
        );
    }

    #[test]
    fn one_slot_never_switches() {
        let mut schedule = schedule(&[(11, 20_000)], at(0));
        assert_eq!(turns(&mut schedule, at(10_000_000)), [(500, Turn::Arrived(11))]);
        assert_eq!((schedule.channel(), schedule.poll_timeout()), (Some(11), None));
    }

    #[test]
    fn slots_on_the_same_channel_follow_without_a_farewell() {
        let mut schedule = schedule(&[(1, 5000), (1, 5000)], at(0));
        assert_eq!(
            turns(&mut schedule, at(10_500)),
            [(500, Turn::Arrived(1)), (5000, Turn::Arrived(1)), (10_000, Turn::Arrived(1))]
        );
    }

    #[test]
    fn an_empty_schedule_leaves_the_radio_where_it_is() {
        let mut schedule = schedule(&[(1, 20_000), (6, 10_000)], at(0));
        turns(&mut schedule, at(19_000));
        set(&mut schedule, &[], at(19_000)).expect("stands still");
        assert_eq!(turns(&mut schedule, at(1_000_000)), [(19_000, Turn::Arrived(1))]);
        assert_eq!(schedule.channel(), Some(1));
    }

    #[test]
    fn a_farewell_under_way_holds_the_radio_for_a_bounded_time() {
        let mut schedule = schedule(&[(1, 20_000), (6, 10_000)], at(0));
        turns(&mut schedule, at(18_000));
        assert_eq!(schedule.advance(at(20_000), LEAD, false), None);
        assert_eq!(schedule.channel(), Some(1));
        assert_eq!(schedule.poll_timeout(), Some(at(24_000)));
        assert_eq!(schedule.advance(at(24_000), LEAD, false), Some(Turn::Departed(1)));
    }

    #[test]
    fn another_schedule_takes_the_radio_away_after_a_farewell() {
        let mut schedule = schedule(&[(1, 20_000)], at(0));
        turns(&mut schedule, at(1000));
        set(&mut schedule, &[(6, 20_000)], at(1000)).expect("good slots");
        assert_eq!(
            turns(&mut schedule, at(2000)),
            [(1000, Turn::Leaving(1)), (1000, Turn::Departed(1)), (1500, Turn::Arrived(6))]
        );
    }

    #[test]
    fn slots_that_make_no_sense_are_refused() {
        let mut schedule = schedule(&[(1, 20_000)], at(0));
        let too_many = vec![(1, 1000); MAX_SLOTS + 1];
        for slots in [&[(0, 1000)][..], &[(1, 0)], &[(1, 500), (6, 1000)], &too_many] {
            assert_eq!(set(&mut schedule, slots, at(0)), Err(CallError::BadSchedule), "{slots:?}");
        }
    }

    #[test]
    fn a_very_late_wake_up_does_not_spin() {
        let mut schedule = schedule(&[(1, 501), (6, 501)], at(0));
        let mut count = 0;
        while schedule.advance(at(3_600_000_000), LEAD, true).is_some() {
            count += 1;
        }
        assert!(count < 5, "{count} turns");
        assert!(schedule.poll_timeout().is_some_and(|next| next > at(3_600_000_000)));
    }
}
