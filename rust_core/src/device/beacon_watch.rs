//! Whether the access points are still there: beacons are expected only while the radio stands on their channel.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::air::Channel;
use crate::ids::MacAddr;
use crate::time::{Instant, TIME_UNIT};

/// So many beacon intervals on its channel without a beacon, and the access point counts as lost.
pub(super) const LOST_AFTER: u16 = 7;

/// The access points that somebody is connected to.
#[derive(Clone, Debug, Default)]
pub(super) struct BeaconWatch {
    watched: BTreeMap<(Channel, MacAddr), Watch>,
    here: Option<Channel>,
    next: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Watch {
    patience: Duration,
    /// Time on the channel that is left until the access point counts as lost.
    remaining: Duration,
    /// Since when that time runs; `None` while the radio is elsewhere.
    since: Option<Instant>,
    is_lost: bool,
}

impl Watch {
    fn deadline(&self) -> Option<Instant> {
        self.since.filter(|_| !self.is_lost).map(|since| since + self.remaining)
    }
}

impl BeaconWatch {
    /// Watches an access point; watching it already, only the interval (in time units) is taken over.
    pub(super) fn watch(&mut self, channel: Channel, bssid: MacAddr, interval: u16, now: Instant) {
        let patience = TIME_UNIT * u32::from(interval) * u32::from(LOST_AFTER);
        let since = (self.here == Some(channel)).then_some(now);
        let watch = self.watched.entry((channel, bssid)).or_insert(Watch {
            patience,
            remaining: patience,
            since,
            is_lost: false,
        });
        if watch.patience != patience {
            *watch = Watch { patience, remaining: patience, since, is_lost: false };
        }
        self.note_next();
    }

    /// Watches it no longer.
    pub(super) fn forget(&mut self, channel: Channel, bssid: MacAddr) {
        self.watched.remove(&(channel, bssid));
    }

    /// Watches nothing any more.
    pub(super) fn clear(&mut self) {
        self.watched.clear();
        self.next = None;
    }

    /// A beacon was heard; true where somebody watches for it.
    pub(super) fn heard(&mut self, channel: Channel, bssid: MacAddr, now: Instant) -> bool {
        let Some(watch) = self.watched.get_mut(&(channel, bssid)) else { return false };
        watch.remaining = watch.patience;
        watch.is_lost = false;
        watch.since = (self.here == Some(channel)).then_some(now);
        // `next` may be early, never late: looking at all of them for each beacon would cost more than a wake-up.
        self.next = [self.next, watch.deadline()].into_iter().flatten().min();
        true
    }

    /// The radio stands on this channel now, or on none.
    pub(super) fn stand_on(&mut self, channel: Option<Channel>, now: Instant) {
        if self.here == channel {
            return;
        }
        for ((place, _), watch) in &mut self.watched {
            if let Some(since) = watch.since.take() {
                watch.remaining = watch.remaining.saturating_sub(now.since(since));
            }
            if Some(*place) == channel {
                watch.since = Some(now);
            }
        }
        self.here = channel;
        self.note_next();
    }

    /// The access points that have just been lost.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Vec<(Channel, MacAddr)> {
        if self.next.is_none_or(|next| next > now) {
            return Vec::new();
        }
        let mut lost = Vec::new();
        for (place, watch) in &mut self.watched {
            if watch.deadline().is_some_and(|deadline| deadline <= now) {
                watch.is_lost = true;
                lost.push(*place);
            }
        }
        self.note_next();
        lost
    }

    /// When to look again; may be early.
    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    fn note_next(&mut self) {
        self.next = self.watched.values().filter_map(Watch::deadline).min();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AP: MacAddr = MacAddr([2, 0, 0, 0, 1, 0]);

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    fn watching() -> BeaconWatch {
        let mut watch = BeaconWatch::default();
        watch.watch(1, AP, 100, at(0));
        watch
    }

    #[test]
    fn seven_intervals_of_silence_are_a_loss_said_once() {
        let mut watch = watching();
        watch.stand_on(Some(1), at(0));
        let deadline = watch.poll_timeout().expect("running");
        assert_eq!(deadline.as_micros(), 7 * 102_400);
        assert!(watch.handle_timeout(at(716)).is_empty());
        assert_eq!(watch.handle_timeout(deadline), [(1, AP)]);
        assert!(watch.handle_timeout(at(5000)).is_empty());
        assert!(watch.heard(1, AP, at(5000)));
        assert_eq!(watch.handle_timeout(at(6000)), [(1, AP)]);
    }

    #[test]
    fn only_time_on_its_channel_counts() {
        let mut watch = watching();
        assert_eq!(watch.poll_timeout(), None);
        watch.stand_on(Some(1), at(0));
        watch.stand_on(None, at(500));
        watch.stand_on(Some(6), at(501));
        assert!(watch.handle_timeout(at(10_000)).is_empty());
        watch.stand_on(Some(1), at(10_000));
        assert!(watch.handle_timeout(at(10_200)).is_empty());
        assert_eq!(watch.handle_timeout(at(10_217)), [(1, AP)]);
    }

    #[test]
    fn a_beacon_heard_starts_the_time_again() {
        let mut watch = watching();
        watch.stand_on(Some(1), at(0));
        assert!(watch.heard(1, AP, at(700)));
        assert!(!watch.heard(6, AP, at(700)));
        assert!(watch.handle_timeout(at(1400)).is_empty());
        assert!(watch.poll_timeout().is_some_and(|next| next > at(1400)));
        assert_eq!(watch.handle_timeout(at(1420)), [(1, AP)]);
    }
}
