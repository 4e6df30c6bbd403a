//! The emulated NIC: owns the parts and moves octets between them.

use core::time::Duration;

use super::beacon_watch::{BeaconWatch, LOST_AFTER};
use super::connection_table::{ConnectionTable, Row};
use super::counters::Counters;
use super::drop_reason::DropReason;
use super::outbox::Outbox;
use super::power_save::{Announcements, AnnouncementsInFlight};
use super::radio_schedule::{RadioSchedule, Turn};
use super::receive::{Content, Outcome, Packet, Passed, Receiver};
use super::transmitter::{Limits, Transmitter};
use super::virtual_mac::PowerState;
use super::vm_differentiator::handle_call;
use crate::air::{AirStation, Burst, Channel, Reception, TransmitReport};
use crate::frame_batch::FrameBatch;
use crate::host_api::call::{Connection, Parameters};
use crate::host_api::{DeviceCall, IdentifierWidth, Kind, Messages, ReceiveDescriptor, StatusCode};
use crate::ids::{MacAddr, VmId, VrId};
use crate::time::Instant;

/// What a device is built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceConfig {
    /// How many VMs; the identifier's width follows from it.
    pub max_vms: u32,
    /// Frames that one VM may have under way.
    pub queue_length: u16,
    /// How long the radio takes from one channel to another, in microseconds.
    pub switch_us: u32,
    /// How often a frame is sent before it counts as not acknowledged.
    pub retry_limit: u8,
    /// How many frames one VM sends before the next one has its turn.
    pub burst_frames: u16,
    /// How much airtime one VM's turn takes at most, in microseconds (estimated; one frame is always sent).
    pub burst_limit_us: u32,
}

impl Default for DeviceConfig {
    fn default() -> Self {
        Self { max_vms: 64, queue_length: 64, switch_us: 500, retry_limit: 7, burst_frames: 16, burst_limit_us: 2500 }
    }
}

/// The NIC: host API octets on one side, air frames on the other.
///
/// Calls in with [`handle_messages`](Self::handle_messages), everything that goes up out of
/// [`poll_messages`](Self::poll_messages); the air side is [`AirStation`].
#[derive(Debug)]
pub struct Device {
    config: DeviceConfig,
    pub(super) table: ConnectionTable,
    pub(super) schedule: RadioSchedule,
    pub(super) transmitter: Transmitter,
    pub(super) outbox: Outbox,
    pub(super) counters: Counters,
    watch: BeaconWatch,
    announcements: Announcements,
    announcements_in_flight: Option<AnnouncementsInFlight>,
    receiver: Receiver,
}

impl Device {
    /// A device as after power-up: no rows, no schedule, the radio on no channel.
    pub fn new(config: DeviceConfig) -> Self {
        // An identifier field has two octets at most, and 65,535 stands for nobody.
        let config = DeviceConfig { max_vms: config.max_vms.min(65_535), ..config };
        let limits = Limits {
            frames: usize::from(config.burst_frames.max(1)),
            airtime_us: u64::from(config.burst_limit_us),
            retries: config.retry_limit,
            queue_length: usize::from(config.queue_length),
        };
        Self {
            config,
            table: ConnectionTable::new(config.max_vms),
            schedule: RadioSchedule::new(Duration::from_micros(u64::from(config.switch_us))),
            transmitter: Transmitter::new(limits),
            outbox: Outbox::new(IdentifierWidth::for_vms(config.max_vms)),
            counters: Counters::default(),
            watch: BeaconWatch::default(),
            announcements: Announcements::default(),
            announcements_in_flight: None,
            receiver: Receiver::default(),
        }
    }

    /// Takes calls, tagged with VR IDs, one behind the other. Octets that are no call are counted and end the batch.
    pub fn handle_messages(&mut self, octets: &[u8], now: Instant) {
        for message in Messages::<VrId>::new(octets, self.identifier_width()) {
            match message {
                Ok((header, payload)) if header.kind == Kind::Call => handle_call(self, header, payload, now),
                Ok(_) | Err(_) => self.counters.bad_messages += 1,
            }
        }
        self.advance(now);
    }

    /// Appends all completions and device-initiated calls; false where there were none.
    pub fn poll_messages(&mut self, out: &mut Vec<u8>) -> bool {
        self.outbox.drain_into(out)
    }

    /// Counters: of the device itself (`None`), then of each row's VM.
    pub fn counters(&self) -> impl Iterator<Item = (Option<VmId>, &Counters)> {
        let rows = self.table.rows().map(|row| (Some(row.vm()), row.counters()));
        core::iter::once((None, &self.counters)).chain(rows)
    }

    /// The rows of the connection table, by virtual radio.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.table.rows()
    }

    /// The VM whose row owns `address`.
    pub fn vm_of(&self, address: MacAddr) -> Option<VmId> {
        self.table.row(self.table.row_of(address)?).map(Row::vm)
    }

    /// How wide the identifier field of this device's messages is.
    pub const fn identifier_width(&self) -> IdentifierWidth {
        IdentifierWidth::for_vms(self.config.max_vms)
    }

    /// What it was built with.
    pub const fn config(&self) -> &DeviceConfig {
        &self.config
    }

    /// Forgets everything but the calls that wait for their completion: their frames are flushed.
    pub(super) fn reset(&mut self, now: Instant) {
        for row in self.table.rows_mut() {
            self.transmitter.flush_all(row, &mut self.outbox);
        }
        for row in self.table.rows() {
            if let Some(in_flight) = &mut self.announcements_in_flight {
                in_flight.forget(row.vr());
            }
        }
        self.table.clear();
        self.announcements.cancel();
        self.watch.clear();
        self.watch.stand_on(None, now);
        self.schedule = RadioSchedule::new(Duration::from_micros(u64::from(self.config.switch_us)));
        self.counters = Counters::default();
    }

    /// Null frames of a row that goes are nobody's any more.
    pub(super) fn forget_announcements(&mut self, vr: VrId) {
        self.announcements.forget(vr);
        if let Some(in_flight) = &mut self.announcements_in_flight {
            in_flight.forget(vr);
        }
    }

    /// Watches for the beacons of an access point while some row asks for it.
    pub(super) fn watch_access_point(&mut self, connection: Connection, parameters: Parameters, now: Instant) {
        let (channel, bssid) = (parameters.channel, connection.bssid);
        match watching_rows(&self.table, channel, bssid).next() {
            Some(row) => self.watch.watch(channel, bssid, row.connection().beacon_interval, now),
            None => self.watch.forget(channel, bssid),
        }
    }

    fn advance(&mut self, now: Instant) {
        while self.schedule.is_leaving() || self.schedule.poll_timeout().is_some_and(|next| next <= now) {
            let is_free = !self.is_sending() && self.announcements.is_empty();
            let lead = self.farewell_time();
            match self.schedule.advance(now, lead, is_free) {
                Some(Turn::Arrived(channel)) => {
                    self.watch.stand_on(Some(channel), now);
                    self.announcements.plan(&self.table, channel, PowerState::Awake);
                    if self.schedule.is_shared() {
                        let (code, value) = (StatusCode::RadioGranted, u16::from(channel));
                        self.outbox.push(None, DeviceCall::Status { code, value });
                    }
                }
                Some(Turn::Leaving(channel)) => self.announcements.plan(&self.table, channel, PowerState::Asleep),
                Some(Turn::Departed(_)) => {
                    self.watch.stand_on(None, now);
                    self.announcements.cancel();
                }
                None => break,
            }
        }
    }

    /// How long it takes to tell every access point on this channel that the radio leaves.
    fn farewell_time(&self) -> Duration {
        let Some(channel) = self.schedule.next_channel() else { return FAREWELL };
        let rows = self.table.on_channel(channel).len();
        FAREWELL.max(FAREWELL_PER_ROW.saturating_mul(u32::try_from(rows).unwrap_or(u32::MAX)))
    }

    const fn is_sending(&self) -> bool {
        self.transmitter.is_sending() || self.announcements_in_flight.is_some()
    }

    /// Counts an outcome and hands up what passed.
    fn deliver(&mut self, outcome: Outcome, frames: &FrameBatch, reception: Reception, now: Instant) {
        let row = outcome.row.and_then(|vr| self.table.row_mut(vr));
        let packet = match (outcome.result, row) {
            (Err(reason), Some(row)) => return row.counters.drop(reason),
            (Err(reason), None) => return self.counters.drop(reason),
            (Ok(Passed::Beacon { bssid, is_wanted }), _) => {
                if self.watch.heard(reception.channel, bssid, now) {
                    self.counters.consumed += 1;
                } else if !is_wanted {
                    self.counters.drop(DropReason::Filtered);
                }
                return;
            }
            (Ok(Passed::Consumed), Some(row)) => {
                row.counters.consumed += 1;
                return;
            }
            (Ok(_), None) => return self.counters.drop(DropReason::NotOurs),
            (Ok(Passed::Packet(packet)), Some(row)) => (packet, row),
        };
        let (Packet { class, tid, key_id, content }, row) = packet;
        let frame = match content {
            Content::Plain | Content::StillProtected => frames.frame(outcome.frame),
            Content::Opened(slot) => self.receiver.opened().frame(slot),
        };
        let frame = frame.unwrap_or_default();
        let descriptor = ReceiveDescriptor {
            class,
            decrypted: matches!(content, Content::Opened(_)),
            still_protected: content == Content::StillProtected,
            key_id,
            tid,
            channel: reception.channel,
            signal_dbm: reception.signal_dbm,
            rate: reception.rate,
            timestamp_us: now.as_micros(),
        };
        if self.outbox.push(Some(row.vr()), DeviceCall::ReceivedPacket { descriptor, frame }) {
            row.counters.received += 1;
            row.counters.received_octets += frame.len() as u64;
        } else {
            row.counters.drop(DropReason::QueueFull);
        }
    }
}

impl AirStation for Device {
    fn channel(&self) -> Option<Channel> {
        self.schedule.channel()
    }

    fn acknowledges(&self, receiver: MacAddr) -> bool {
        self.schedule.channel().is_some() && self.table.row_of(receiver).is_some()
    }

    fn handle_air_frames(&mut self, frames: &FrameBatch, reception: Reception, now: Instant) {
        self.advance(now);
        if self.schedule.channel() != Some(reception.channel) {
            self.counters.off_channel += frames.len() as u64;
            return;
        }
        self.receiver.receive(&mut self.table, frames.frames());
        for index in 0.. {
            let Some(outcome) = self.receiver.outcomes().get(index).copied() else { break };
            self.deliver(outcome, frames, reception, now);
        }
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Burst> {
        self.advance(now);
        let channel = self.schedule.channel()?;
        if self.is_sending() {
            return None;
        }
        let limits = self.transmitter.limits();
        if let Some((burst, in_flight)) = self.announcements.burst(&mut self.table, channel, limits) {
            self.announcements_in_flight = Some(in_flight);
            return Some(burst);
        }
        // Whoever was told farewell must not be heard again before the return.
        if self.schedule.is_leaving() {
            self.advance(now);
            return None;
        }
        self.transmitter.burst(&mut self.table, channel, &mut self.outbox)
    }

    fn handle_transmit_report(&mut self, report: TransmitReport, now: Instant) {
        if let Some(in_flight) = self.announcements_in_flight.take() {
            self.announcements.report(&mut self.table, in_flight, report.done);
        } else {
            self.transmitter.report(&mut self.table, report.done, &mut self.outbox);
        }
        self.advance(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        for (channel, bssid) in self.watch.handle_timeout(now) {
            for row in watching_rows(&self.table, channel, bssid) {
                let status = DeviceCall::Status { code: StatusCode::BeaconLoss, value: LOST_AFTER };
                self.outbox.push(Some(row.vr()), status);
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.schedule.poll_timeout(), self.watch.poll_timeout()].into_iter().flatten().min()
    }
}

/// The rows that are connected to that access point there and want to know of its loss.
fn watching_rows(table: &ConnectionTable, channel: Channel, bssid: MacAddr) -> impl Iterator<Item = &Row> {
    let rows = table.members(bssid).iter().filter_map(|vr| table.row(*vr));
    rows.filter(move |row| row.parameters().channel == channel && row.connection().beacon_interval > 0)
}

/// The farewell starts this long before the slot ends, or earlier where many rows share the channel.
const FAREWELL: Duration = Duration::from_millis(2);
const FAREWELL_PER_ROW: Duration = Duration::from_micros(80);
