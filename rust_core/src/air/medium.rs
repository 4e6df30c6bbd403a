//! The medium: who may send when, who hears it, and what is acknowledged.
//!
//! Radios on a channel contend (IEEE 802.11-2020 10.3.4): a radio counts random slots down while the channel is idle;
//! the first to reach zero sends a burst. There are no collisions: of two radios that are due at once the one that
//! has waited longer sends first. A burst is
//! heard by every enabled radio that stood on its channel at its start and at its end, each frame with a draw of its own.
//!
//! Sans-IO: [`Medium::touch`] says that a radio may have something to send, [`Medium::advance`] does what is due,
//! [`Medium::poll_timeout`] says when that is next. Not here: clocks, captures, what a frame means.
//! Promise: all chance comes from the seed; the same calls give the same run.

use core::time::Duration;
use std::collections::BTreeMap;

use super::flight::{Flight, Receiver};
use super::phy;
use super::random::Random;
use super::station::{AirStation, Burst, Channel, Reception, TransmitReport};
use crate::frame_batch::FrameBatch;
use crate::ids::VmId;
use crate::time::Instant;

/// How well two radios hear each other, both ways.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// Signal-to-noise ratio, in dB.
    pub snr_db: f64,
    /// Frames lost on top of the error model, 0 to 1; acknowledgements are lost as well.
    pub loss: f64,
    /// Propagation delay, one way.
    pub delay: Duration,
}

impl Default for Link {
    fn default() -> Self {
        Self { snr_db: 40.0, loss: 0.0, delay: Duration::ZERO }
    }
}

/// A frame on the air, for whoever watches.
#[derive(Clone, Copy, Debug)]
pub struct AirFrame<'a> {
    /// When its first octet went out.
    pub start: Instant,
    /// Where.
    pub channel: Channel,
    /// How fast, in units of 100 kbit/s.
    pub rate: u16,
    /// How strong at the radio that it is addressed to, or else at one that stands on the channel.
    pub signal_dbm: i8,
    /// The radio that sent it.
    pub sender: usize,
    /// Whose it is, where the sender knows.
    pub vm: Option<VmId>,
    /// The MPDU without FCS.
    pub frame: &'a [u8],
}

/// The air between all radios, which are numbered as in the slice of stations.
#[derive(Debug)]
pub struct Medium {
    radios: Vec<Radio>,
    links: BTreeMap<(usize, usize), Link>,
    /// When each channel became idle.
    idle_from: BTreeMap<Channel, Instant>,
    flights: Vec<Flight>,
    random: Random,
    is_ideal: bool,
    heard: FrameBatch,
    spare: Vec<Flight>,
}

#[derive(Debug)]
struct Radio {
    is_enabled: bool,
    /// It may have something to send.
    wants: bool,
    is_sending: bool,
    contention: Option<Contention>,
    window: u16,
    airtime: BTreeMap<Option<VmId>, Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Contention {
    channel: Channel,
    ready_at: Instant,
    slots: u16,
    /// The channel had been idle for long: no countdown (10.3.4.2).
    is_immediate: bool,
}

impl Medium {
    /// An empty air.
    pub fn new(seed: u64) -> Self {
        Self {
            radios: Vec::new(),
            links: BTreeMap::new(),
            idle_from: BTreeMap::new(),
            flights: Vec::new(),
            random: Random::new(seed),
            is_ideal: false,
            heard: FrameBatch::new(),
            spare: Vec::new(),
        }
    }

    /// One more radio; returns its number.
    pub fn add_radio(&mut self) -> usize {
        self.radios.push(Radio {
            is_enabled: true,
            wants: true,
            is_sending: false,
            contention: None,
            window: phy::CW_MIN,
            airtime: BTreeMap::new(),
        });
        self.radios.len() - 1
    }

    /// How two radios hear each other from now on.
    pub fn set_link(&mut self, a: usize, b: usize, link: Link) {
        self.links.insert((a.min(b), a.max(b)), link);
    }

    /// A radio that is off neither hears nor sends; what it is sending is cut off.
    pub fn set_enabled(&mut self, radio: usize, enabled: bool) {
        if let Some(radio) = self.radios.get_mut(radio) {
            radio.is_enabled = enabled;
            radio.wants = true;
            radio.contention = None;
        }
    }

    /// Frames take a microsecond each and nobody contends: to measure everything else.
    pub const fn set_ideal(&mut self, enabled: bool) {
        self.is_ideal = enabled;
    }

    /// The radio may have something to send: to be called whenever its station was given anything.
    pub fn touch(&mut self, radio: usize) {
        if let Some(radio) = self.radios.get_mut(radio) {
            radio.wants = true;
        }
    }

    /// Airtime that the radio has sent, by VM, acknowledgements and interframe spaces counted.
    pub fn airtime(&self, radio: usize) -> impl Iterator<Item = (Option<VmId>, Duration)> {
        self.radios.get(radio).into_iter().flat_map(|radio| radio.airtime.iter()).map(|(vm, airtime)| (*vm, *airtime))
    }

    /// Ends the bursts that are over and starts those that are due; true where it did either.
    ///
    /// `observe` sees every frame once, when its burst has ended.
    pub fn advance<S: AirStation>(
        &mut self,
        stations: &mut [S],
        now: Instant,
        observe: &mut dyn FnMut(&AirFrame<'_>),
    ) -> bool {
        let mut has_moved = false;
        loop {
            let mut is_done = true;
            while let Some(flight) = self.take_ended(now) {
                self.land(flight, stations, now, observe);
                is_done = false;
            }
            self.contend(stations, now);
            while let Some((radio, start)) = self.next_start().filter(|(_, start)| *start <= now) {
                if self.launch(radio, start, stations, now) {
                    is_done = false;
                }
            }
            if is_done {
                return has_moved;
            }
            has_moved = true;
        }
    }

    /// When [`advance`](Self::advance) has something to do, if nothing else happens before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let landing = self.flights.iter().map(|flight| flight.end);
        landing.chain(self.next_start().map(|(_, start)| start)).min()
    }

    /// When the oldest burst under way began: no frame that is still to be seen is older.
    pub fn oldest_start(&self) -> Option<Instant> {
        self.flights.iter().map(|flight| flight.start).min()
    }

    fn take_ended(&mut self, now: Instant) -> Option<Flight> {
        let (index, flight) = self.flights.iter().enumerate().min_by_key(|(_, flight)| flight.end)?;
        (flight.end <= now).then(|| self.flights.remove(index))
    }

    /// Who wants to send, and stands somewhere, draws its slots.
    fn contend<S: AirStation>(&mut self, stations: &[S], now: Instant) {
        for (radio, station) in self.radios.iter_mut().zip(stations) {
            if !radio.wants || !radio.is_enabled || radio.is_sending {
                radio.contention = None;
                continue;
            }
            let channel = station.channel();
            if radio.contention.is_some_and(|contention| Some(contention.channel) == channel) {
                continue;
            }
            radio.contention = channel.map(|channel| {
                let is_busy = self.flights.iter().any(|flight| flight.burst.channel == channel);
                let idle_from = self.idle_from.get(&channel);
                let is_immediate = !is_busy && idle_from.is_none_or(|idle| *idle + phy::difs(channel) <= now);
                let slots = if is_immediate { 0 } else { self.random.up_to(radio.window) };
                Contention { channel, ready_at: now, slots, is_immediate }
            });
        }
    }

    /// The radio that is due first on a channel that is idle, and when.
    fn next_start(&self) -> Option<(usize, Instant)> {
        let contenders = self.radios.iter().enumerate().filter_map(|(index, radio)| Some((index, radio.contention?)));
        contenders
            .filter(|(_, contention)| self.flights.iter().all(|flight| flight.burst.channel != contention.channel))
            .map(|(index, contention)| (index, self.start_of(contention), contention.ready_at))
            .min_by_key(|(index, start, ready_at)| (*start, *ready_at, *index))
            .map(|(index, start, _)| (index, start))
    }

    fn countdown_from(&self, contention: Contention) -> Instant {
        let idle_from = self.idle_from.get(&contention.channel).copied().unwrap_or_default();
        let from = contention.ready_at.max(idle_from);
        if self.is_ideal || contention.is_immediate { from } else { from + phy::difs(contention.channel) }
    }

    fn start_of(&self, contention: Contention) -> Instant {
        let slots = if self.is_ideal { 0 } else { u32::from(contention.slots) };
        self.countdown_from(contention) + phy::SLOT * slots
    }

    /// Asks a radio whose turn it is for its burst; false where it has nothing to send.
    fn launch<S: AirStation>(&mut self, sender: usize, due: Instant, stations: &mut [S], now: Instant) -> bool {
        let burst = stations.get_mut(sender).and_then(|station| station.poll_transmit(now));
        let Some(radio) = self.radios.get_mut(sender) else { return false };
        radio.contention = None;
        radio.wants = false;
        let Some(burst) = burst.filter(|burst| !burst.frames.is_empty()) else { return false };
        radio.is_sending = true;
        // A caller that is late by a little does not make the air slower.
        let oldest = Instant::from_nanos(now.as_nanos().saturating_sub(MAX_LAG_NS));
        let start = if self.is_ideal { now } else { due.max(oldest) };
        self.freeze(burst.channel, start);
        let mut flight = self.spare.pop().unwrap_or_default();
        flight.reset(sender, burst, start);
        self.find_receivers(&mut flight, stations);
        flight.fly(stations, &mut self.random, self.is_ideal);
        self.flights.push(flight);
        true
    }

    /// The channel becomes busy: countdowns stop where they are.
    fn freeze(&mut self, channel: Channel, start: Instant) {
        for index in 0..self.radios.len() {
            let Some(contention) = self.radios.get(index).and_then(|radio| radio.contention) else { continue };
            if contention.channel != channel {
                continue;
            }
            let waited = start.since(self.countdown_from(contention)).as_nanos() / phy::SLOT.as_nanos();
            let Some(radio) = self.radios.get_mut(index) else { continue };
            let slots = if contention.is_immediate {
                self.random.up_to(radio.window)
            } else {
                contention.slots.saturating_sub(u16::try_from(waited).unwrap_or(u16::MAX))
            };
            radio.contention = Some(Contention { slots, is_immediate: false, ..contention });
        }
    }

    fn find_receivers<S: AirStation>(&self, flight: &mut Flight, stations: &[S]) {
        for (index, (radio, station)) in self.radios.iter().zip(stations).enumerate() {
            let hears = index != flight.sender && radio.is_enabled && !radio.is_sending;
            if hears && station.channel() == Some(flight.burst.channel) {
                let pair = (index.min(flight.sender), index.max(flight.sender));
                flight.add_receiver(index, self.links.get(&pair).copied().unwrap_or_default());
            }
        }
    }

    /// The end of a burst: whoever is still there has the frames, and the sender learns what became of them.
    fn land<S: AirStation>(
        &mut self,
        mut flight: Flight,
        stations: &mut [S],
        now: Instant,
        observe: &mut dyn FnMut(&AirFrame<'_>),
    ) {
        let channel = flight.burst.channel;
        self.idle_from.insert(channel, flight.end);
        let is_sender_on = self.radios.get(flight.sender).is_some_and(|radio| radio.is_enabled);
        if is_sender_on {
            flight.observe(observe);
        }
        for index in 0..flight.receivers.len() {
            let Some(receiver) = flight.receivers.get(index) else { break };
            let is_enabled = self.radios.get(receiver.radio).is_some_and(|radio| radio.is_enabled);
            let station = stations.get_mut(receiver.radio).filter(|_| is_enabled && is_sender_on);
            match station.filter(|station| station.channel() == Some(channel)) {
                Some(station) => {
                    deliver(station, &flight, receiver, &mut self.heard, now);
                    self.touch(receiver.radio);
                }
                None => flight.lose_receiver(index),
            }
        }
        if !is_sender_on {
            flight.done = 0;
        }
        if let Some(radio) = self.radios.get_mut(flight.sender) {
            for (vm, airtime) in &flight.airtime {
                *radio.airtime.entry(*vm).or_default() += *airtime;
            }
            let has_failed = flight.done < flight.burst.frames.len();
            radio.window = if has_failed { (radio.window * 2 + 1).min(phy::CW_MAX) } else { phy::CW_MIN };
            radio.is_sending = false;
            radio.wants = true;
        }
        if let Some(station) = stations.get_mut(flight.sender) {
            let burst = core::mem::take(&mut flight.burst);
            station.handle_transmit_report(TransmitReport { burst, done: flight.done }, now);
        }
        self.spare.push(flight);
    }
}

fn deliver<S: AirStation>(station: &mut S, flight: &Flight, receiver: &Receiver, heard: &mut FrameBatch, now: Instant) {
    let Burst { channel, rate, ref frames, .. } = flight.burst;
    let reception = Reception { channel, rate, signal_dbm: phy::signal_dbm(receiver.link.snr_db) };
    if flight.sent == frames.len() && receiver.lost.is_empty() {
        station.handle_air_frames(frames, reception, now);
        return;
    }
    heard.clear();
    for (index, frame) in frames.iter().take(flight.sent).enumerate() {
        if receiver.lost.binary_search(&index).is_err() {
            heard.push(frame);
        }
    }
    if !heard.is_empty() {
        station.handle_air_frames(heard, reception, now);
    }
}

/// How late a caller in wall-clock time may be without the air losing time.
pub(crate) const MAX_LAG_NS: u64 = 5_000_000;
