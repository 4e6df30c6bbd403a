//! The medium: stations contend for a channel, one burst at a time flies, those who stand on the channel hear it.
//!
//! Discrete events: [`Medium::advance`] does all that is due at `now`; [`Medium::poll_timeout`] says when it wants to be
//! asked again. Contention is the standard's in short (IEEE 802.11-2020 10.3.4): an idle channel, a DIFS, a random number
//! of slots which goes on counting down where another station won. Acknowledgements take their time and are never lost.
//!
//! Not modelled: collisions, hidden stations, capture effects, fading. Promise: the same seed gives the same run.

use core::time::Duration;
use std::collections::BTreeMap;

use super::phy;
use super::random::Random;
use super::station::{AirStation, Burst, Channel, Reception, TransmitReport};
use crate::frame_batch::FrameBatch;
use crate::ids::MacAddr;
use crate::time::Instant;

/// How one station hears another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// Signal-to-noise ratio, in dB.
    pub snr_db: f64,
    /// Share of frames lost besides, 0 to 1.
    pub loss: f64,
    /// Propagation delay.
    pub delay: Duration,
}

impl Default for Link {
    fn default() -> Self {
        Self { snr_db: 40.0, loss: 0.0, delay: Duration::ZERO }
    }
}

/// Noise floor of a 20 MHz channel, in dBm; a signal stands `snr_db` above it.
const NOISE_DBM: f64 = -95.0;

/// A burst while it flies, for whoever watches the air.
#[derive(Clone, Copy, Debug)]
pub struct OnAir<'a> {
    /// Who sends, as an index of the stations.
    pub radio: usize,
    /// What; only the first `sent` frames of it go out.
    pub burst: &'a Burst,
    /// How many frames go out.
    pub sent: usize,
    /// When the first one starts.
    pub start: Instant,
    /// How long it all takes.
    pub airtime: Duration,
}

#[derive(Debug)]
struct Contender {
    radio: usize,
    burst: Burst,
    since: Instant,
    slots: u64,
}

#[derive(Debug)]
struct Flight {
    radio: usize,
    burst: Burst,
    sent: usize,
    done: usize,
    /// Who has to acknowledge each of the frames that go out.
    targets: Vec<Option<usize>>,
    listeners: Vec<usize>,
    end: Instant,
}

#[derive(Debug, Default)]
struct ChannelState {
    idle_since: Instant,
    contenders: Vec<Contender>,
    flight: Option<Flight>,
}

#[derive(Debug)]
struct Delayed {
    radio: usize,
    frames: FrameBatch,
    reception: Reception,
}

/// The air between all stations.
#[derive(Debug)]
pub struct Medium {
    random: Random,
    ideal: bool,
    channels: BTreeMap<Channel, ChannelState>,
    links: BTreeMap<(usize, usize), Link>,
    disabled: Vec<bool>,
    busy: Vec<bool>,
    delayed: BTreeMap<(Instant, u64), Delayed>,
    delayed_count: u64,
    scratch: FrameBatch,
}

impl Medium {
    /// An empty air.
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            ideal: false,
            channels: BTreeMap::new(),
            links: BTreeMap::new(),
            disabled: Vec::new(),
            busy: Vec::new(),
            delayed: BTreeMap::new(),
            delayed_count: 0,
            scratch: FrameBatch::new(),
        }
    }

    /// One more station; they are numbered in this order.
    pub fn add_radio(&mut self) {
        self.disabled.push(false);
        self.busy.push(false);
    }

    /// How `a` and `b` hear each other.
    pub fn set_link(&mut self, a: usize, b: usize, link: Link) {
        self.links.insert((a.min(b), a.max(b)), link);
    }

    /// Ideal air: a frame takes a microsecond, nothing is lost, nobody waits.
    pub fn set_ideal(&mut self, ideal: bool) {
        self.ideal = ideal;
    }

    /// A disabled radio neither sends nor hears.
    pub fn set_enabled(&mut self, radio: usize, enabled: bool) {
        if let Some(disabled) = self.disabled.get_mut(radio) {
            *disabled = !enabled;
        }
    }

    /// Does all that is due at `now`: ends flights, fetches bursts, starts flights. `watch` is told of each burst when it
    /// starts. True where anything was done.
    pub fn advance<S: AirStation>(
        &mut self,
        stations: &mut [S],
        now: Instant,
        watch: &mut impl FnMut(OnAir<'_>),
    ) -> bool {
        let delivered = self.deliver_delayed(stations, now);
        let ended = self.end_flights(stations, now);
        let fetched = self.fetch_bursts(stations, now);
        let started = self.start_flights(stations, now, watch);
        delivered || ended || fetched || started
    }

    /// When there is something to do again.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let delayed = self.delayed.first_key_value().map(|((at, _), _)| *at);
        let events = self.channels.values().filter_map(|state| match &state.flight {
            Some(flight) => Some(flight.end),
            None => state.contenders.iter().map(|contender| self.start_of(state, contender)).min(),
        });
        events.chain(delayed).min()
    }

    fn is_enabled(&self, radio: usize) -> bool {
        self.disabled.get(radio) == Some(&false)
    }

    fn link(&self, a: usize, b: usize) -> Link {
        self.links.get(&(a.min(b), a.max(b))).copied().unwrap_or_default()
    }

    fn start_of(&self, state: &ChannelState, contender: &Contender) -> Instant {
        let idle = state.idle_since.max(contender.since);
        if self.ideal { idle } else { idle + phy::DIFS + slots(contender.slots) }
    }

    fn deliver_delayed<S: AirStation>(&mut self, stations: &mut [S], now: Instant) -> bool {
        let mut delivered = false;
        while let Some(entry) = self.delayed.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let Delayed { radio, frames, reception } = entry.remove();
            if let Some(station) = stations.get_mut(radio) {
                station.handle_air_frames(&frames, reception, now);
            }
            delivered = true;
        }
        delivered
    }

    fn end_flights<S: AirStation>(&mut self, stations: &mut [S], now: Instant) -> bool {
        let due: Vec<Channel> = self
            .channels
            .iter()
            .filter(|(_, state)| state.flight.as_ref().is_some_and(|flight| flight.end <= now))
            .map(|(channel, _)| *channel)
            .collect();
        for channel in &due {
            let Some(flight) = self.channels.get_mut(channel).and_then(|state| state.flight.take()) else { continue };
            self.land(flight, stations, now);
        }
        !due.is_empty()
    }

    fn land<S: AirStation>(&mut self, flight: Flight, stations: &mut [S], now: Instant) {
        let Flight { radio, burst, sent, mut done, targets, listeners, .. } = flight;
        let is_there = |stations: &[S], disabled: &[bool], listener: usize| {
            disabled.get(listener) == Some(&false)
                && stations.get(listener).is_some_and(|station| station.channel() == Some(burst.channel))
        };
        // A receiver that left while the burst flew acknowledged nothing.
        let gone = |target: &Option<usize>| target.is_some_and(|target| !is_there(stations, &self.disabled, target));
        done = targets.iter().position(gone).unwrap_or(done).min(done);
        for listener in listeners {
            if !is_there(stations, &self.disabled, listener) {
                continue;
            }
            let link = self.link(radio, listener);
            let reception = Reception { channel: burst.channel, rate: burst.rate, signal_dbm: signal_dbm(link) };
            let lossless = self.ideal || is_lossless(&burst, link);
            let all = lossless && done == burst.frames.len();
            if all && link.delay.is_zero() {
                if let Some(station) = stations.get_mut(listener) {
                    station.handle_air_frames(&burst.frames, reception, now);
                }
                continue;
            }
            let mut arrived = core::mem::take(&mut self.scratch);
            arrived.clear();
            for ((index, frame), target) in burst.frames.iter().enumerate().take(sent).zip(&targets) {
                let lost = if *target == Some(listener) {
                    index >= done
                } else {
                    !lossless && self.random.happens(loss(link, burst.rate, frame.len()))
                };
                if !lost {
                    arrived.push(frame);
                }
            }
            if arrived.is_empty() || link.delay.is_zero() {
                if let Some(station) = stations.get_mut(listener).filter(|_| !arrived.is_empty()) {
                    station.handle_air_frames(&arrived, reception, now);
                }
                self.scratch = arrived;
            } else {
                self.delayed_count += 1;
                let delayed = Delayed { radio: listener, frames: arrived, reception };
                self.delayed.insert((now + link.delay, self.delayed_count), delayed);
            }
        }
        if let Some(busy) = self.busy.get_mut(radio) {
            *busy = false;
        }
        if let Some(station) = stations.get_mut(radio) {
            station.handle_transmit_report(TransmitReport { burst, done }, now);
        }
    }

    fn fetch_bursts<S: AirStation>(&mut self, stations: &mut [S], now: Instant) -> bool {
        let mut fetched = false;
        for (radio, station) in stations.iter_mut().enumerate() {
            if self.busy.get(radio) != Some(&false) || self.disabled.get(radio) != Some(&false) {
                continue;
            }
            if station.channel().is_none() {
                continue;
            }
            let Some(burst) = station.poll_transmit(now) else { continue };
            if burst.frames.is_empty() {
                continue;
            }
            let slots = if self.ideal { 0 } else { self.random.up_to(phy::CONTENTION_WINDOW) };
            let state = self.channels.entry(burst.channel).or_default();
            state.contenders.push(Contender { radio, burst, since: now, slots });
            if let Some(busy) = self.busy.get_mut(radio) {
                *busy = true;
            }
            fetched = true;
        }
        fetched
    }

    fn start_flights<S: AirStation>(
        &mut self,
        stations: &mut [S],
        now: Instant,
        watch: &mut impl FnMut(OnAir<'_>),
    ) -> bool {
        let mut started = false;
        let channels: Vec<Channel> = self.channels.keys().copied().collect();
        for channel in channels {
            let Some(state) = self.channels.get(&channel) else { continue };
            if state.flight.is_some() {
                continue;
            }
            let starts = state.contenders.iter().enumerate();
            let first = starts.map(|(index, each)| (self.start_of(state, each), each.radio, index)).min();
            let Some((start, _, index)) = first.filter(|(start, ..)| *start <= now) else { continue };
            let idle_since = state.idle_since;
            let Some(state) = self.channels.get_mut(&channel) else { continue };
            let winner = state.contenders.swap_remove(index);
            for loser in &mut state.contenders {
                let waited = start.since(idle_since.max(loser.since)).saturating_sub(phy::DIFS);
                loser.slots = loser.slots.saturating_sub(slots_in(waited));
            }
            let flight = self.start_flight(winner, stations, start, watch);
            if let Some(state) = self.channels.get_mut(&channel) {
                state.idle_since = flight.end;
                state.flight = Some(flight);
            }
            started = true;
        }
        started
    }

    /// Decides at its start how far the burst comes: which frames reach the one who has to acknowledge them.
    fn start_flight<S: AirStation>(
        &mut self,
        winner: Contender,
        stations: &[S],
        start: Instant,
        watch: &mut impl FnMut(OnAir<'_>),
    ) -> Flight {
        let Contender { radio, burst, .. } = winner;
        let here = |station: &S| station.channel() == Some(burst.channel);
        // The sender's radio may have moved while it waited: then nothing goes out.
        let present = self.is_enabled(radio) && stations.get(radio).is_some_and(here);
        let listeners: Vec<usize> = if present {
            let others = stations.iter().enumerate().filter(|(index, _)| *index != radio);
            others.filter(|(index, each)| self.is_enabled(*index) && here(each)).map(|(index, _)| index).collect()
        } else {
            Vec::new()
        };
        let mut targets = Vec::with_capacity(burst.frames.len());
        let (mut sent, mut done) = (0, 0);
        let mut airtime = Duration::ZERO;
        for frame in burst.frames.iter().take(if present { usize::MAX } else { 0 }) {
            sent += 1;
            let receiver = addressed(frame).unwrap_or(MacAddr::BROADCAST);
            airtime += self.frame_airtime(frame, &burst, receiver, sent > 1);
            let target = if receiver.is_group() { None } else { acknowledging(stations, &listeners, receiver) };
            targets.push(target);
            if !receiver.is_group() {
                let Some(target) = target else { break };
                let link = self.link(radio, target);
                if !self.ideal && self.random.happens(loss(link, burst.rate, frame.len())) {
                    break;
                }
            }
            done += 1;
        }
        watch(OnAir { radio, burst: &burst, sent, start, airtime });
        Flight { radio, burst, sent, done, targets, listeners, end: start + airtime }
    }

    fn frame_airtime(&self, frame: &[u8], burst: &Burst, receiver: MacAddr, follows: bool) -> Duration {
        if self.ideal {
            return Duration::from_micros(1);
        }
        let gap = if follows { phy::SIFS } else { Duration::ZERO };
        if receiver.is_group() {
            gap + phy::airtime(frame.len(), burst.rate.min(phy::BASIC_RATE))
        } else {
            gap + phy::airtime(frame.len(), burst.rate) + phy::acknowledgement()
        }
    }
}

fn is_lossless(burst: &Burst, link: Link) -> bool {
    let longest = burst.frames.iter().map(<[u8]>::len).max().unwrap_or_default();
    link.loss <= 0.0 && phy::loss_probability(link.snr_db, burst.rate, longest) < 1e-9
}

fn acknowledging<S: AirStation>(stations: &[S], listeners: &[usize], receiver: MacAddr) -> Option<usize> {
    listeners.iter().copied().find(|index| stations.get(*index).is_some_and(|each| each.acknowledges(receiver)))
}

fn addressed(frame: &[u8]) -> Option<MacAddr> {
    frame.get(4..10).and_then(<[u8]>::first_chunk::<6>).map(|octets| MacAddr(*octets))
}

fn loss(link: Link, rate: u16, octets: usize) -> f64 {
    1.0 - (1.0 - link.loss) * (1.0 - phy::loss_probability(link.snr_db, rate, octets))
}

fn signal_dbm(link: Link) -> i8 {
    let signal = (NOISE_DBM + link.snr_db).clamp(-127.0, 20.0);
    #[expect(clippy::cast_possible_truncation, reason = "clamped to the type's range")]
    let rounded = signal as i8;
    rounded
}

fn slots(count: u64) -> Duration {
    phy::SLOT.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
}

fn slots_in(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos() / phy::SLOT.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Station {
        address: MacAddr,
        channel: Channel,
        queue: Vec<Burst>,
        heard: Vec<Vec<u8>>,
        reports: Vec<usize>,
    }

    impl AirStation for Station {
        fn channel(&self) -> Option<Channel> {
            Some(self.channel)
        }

        fn acknowledges(&self, receiver: MacAddr) -> bool {
            receiver == self.address
        }

        fn handle_air_frames(&mut self, frames: &FrameBatch, _: Reception, _: Instant) {
            self.heard.extend(frames.iter().map(<[u8]>::to_vec));
        }

        fn poll_transmit(&mut self, _: Instant) -> Option<Burst> {
            self.queue.pop()
        }

        fn handle_transmit_report(&mut self, report: TransmitReport, _: Instant) {
            self.reports.push(report.done);
        }

        fn handle_timeout(&mut self, _: Instant) {}

        fn poll_timeout(&self) -> Option<Instant> {
            None
        }
    }

    fn address(last: u8) -> MacAddr {
        MacAddr([2, 0, 0, 0, 0, last])
    }

    fn station(last: u8, channel: Channel) -> Station {
        Station { address: address(last), channel, ..Station::default() }
    }

    fn burst(channel: Channel, receiver: MacAddr, count: u8) -> Burst {
        let frame = |number: u8| [&[8, 1, 0, 0][..], &receiver.octets(), &[number; 20]].concat();
        let frames: Vec<Vec<u8>> = (0..count).map(frame).collect();
        let frames = frames.iter().map(Vec::as_slice).collect();
        Burst { channel, rate: 540, frames, vms: vec![None; count.into()] }
    }

    fn run(medium: &mut Medium, stations: &mut [Station]) -> (Instant, Vec<Instant>) {
        let (mut now, mut starts) = (Instant::ZERO, Vec::new());
        loop {
            medium.advance(stations, now, &mut |on_air| starts.push(on_air.start));
            match medium.poll_timeout() {
                Some(next) => now = now.max(next),
                None => return (now, starts),
            }
        }
    }

    fn medium(stations: &[Station]) -> Medium {
        let mut medium = Medium::new(1);
        for _ in stations {
            medium.add_radio();
        }
        medium
    }

    #[test]
    fn a_burst_is_heard_on_its_channel_and_reported() {
        let mut stations = [station(1, 36), station(2, 36), station(3, 40)];
        stations[0].queue.push(burst(36, address(2), 3));
        let mut medium = medium(&stations);
        let (end, _) = run(&mut medium, &mut stations);
        assert_eq!(stations[0].reports, [3]);
        assert_eq!((stations[1].heard.len(), stations[2].heard.len()), (3, 0));
        let frame = phy::airtime(30, 540) + phy::acknowledgement();
        let airtime = 3 * frame + 2 * phy::SIFS;
        let waited = end.since(Instant::ZERO).checked_sub(airtime).expect("longer than its airtime");
        assert!(waited >= phy::DIFS && waited <= phy::DIFS + 15 * phy::SLOT, "{waited:?}");
    }

    #[test]
    fn nobody_acknowledges_for_another() {
        let mut stations = [station(1, 36), station(2, 36)];
        stations[0].queue.push(burst(36, address(9), 3));
        let mut medium = medium(&stations);
        run(&mut medium, &mut stations);
        assert_eq!(stations[0].reports, [0]);
        assert_eq!(stations[1].heard.len(), 1, "the first frame flew, the others did not");
    }

    #[test]
    fn a_lossy_link_loses_exactly_what_it_does_not_report() {
        let mut stations = [station(1, 36), station(2, 36)];
        stations[0].queue = (0..100).map(|_| burst(36, address(2), 8)).collect();
        let mut medium = medium(&stations);
        medium.set_link(0, 1, Link { loss: 0.2, ..Link::default() });
        run(&mut medium, &mut stations);
        let done: usize = stations[0].reports.iter().sum();
        assert_eq!(stations[1].heard.len(), done);
        assert!((200..500).contains(&done), "{done} of 800: bursts end at the first loss");
    }

    #[test]
    fn two_stations_share_a_channel_one_at_a_time() {
        let mut stations = [station(1, 36), station(2, 36), station(3, 36)];
        for sender in &mut stations[..2] {
            sender.queue = (0..50).map(|_| burst(36, address(3), 1)).collect();
        }
        let mut medium = medium(&stations);
        let (_, starts) = run(&mut medium, &mut stations);
        assert_eq!((stations[2].heard.len(), starts.len()), (100, 100));
        let frame = phy::airtime(30, 540) + phy::acknowledgement();
        assert!(starts.windows(2).all(|pair| pair[1].since(pair[0]) >= frame + phy::DIFS));
    }

    #[test]
    fn a_disabled_radio_neither_sends_nor_hears() {
        let mut stations = [station(1, 36), station(2, 36)];
        stations[0].queue.push(burst(36, address(2), 1));
        let mut medium = medium(&stations);
        medium.set_enabled(1, false);
        run(&mut medium, &mut stations);
        assert_eq!((stations[0].reports.as_slice(), stations[1].heard.len()), (&[0][..], 0));
    }
}
