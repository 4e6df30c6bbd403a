//! The way down, second half: whose turn it is, bursts, retransmission, completions.
//!
//! Lanes with frames stand in a list for their channel and are served in turn, each for a bounded airtime; a turn costs
//! the same with two VMs as with two thousand. Numbers and protection are given when a frame leaves its queue, so packet
//! numbers go out in order; what is sent again is the same octets but for the Retry bit.

use std::collections::{BTreeMap, VecDeque};

use super::connection_table::{ConnectionTable, Row};
use super::drop_reason::DropReason;
use super::outbox::Outbox;
use super::transmit::{OutgoingKind, protection};
use super::transmit_queue::{Enqueued, LaneKey, Queued};
use crate::air::{Burst, Channel};
use crate::host_api::call::{CallError, KeyScope};
use crate::host_api::{DeviceCall, StatusCode};
use crate::ids::{KeyId, PacketNumber, VrId};
use crate::security::ccmp::{SealError, SealJob, seal_batch};
use crate::security::key_slot::KeySlot;
use crate::wire::frame_control::FrameControl;
use crate::wire::mac_header::{self, SequenceControl};

/// Bounds of one turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) frames: usize,
    pub(crate) airtime_us: u64,
    pub(crate) retries: u8,
    pub(crate) queue_length: usize,
}

/// Who waits for which channel, and what is on the air.
#[derive(Debug)]
pub(crate) struct Transmitter {
    limits: Limits,
    /// For each channel the lanes with frames, the next to be served first.
    lanes: BTreeMap<Channel, VecDeque<(VrId, LaneKey)>>,
    in_flight: Option<InFlight>,
}

/// A burst on the air.
#[derive(Debug)]
struct InFlight {
    row: VrId,
    lane: LaneKey,
    frames: Vec<Queued>,
    /// What was not acknowledged is sent again; not so once its key is gone.
    is_repeated: bool,
}

impl Transmitter {
    pub(crate) const fn new(limits: Limits) -> Self {
        Self { limits, lanes: BTreeMap::new(), in_flight: None }
    }

    /// Queues a frame that passed all stages.
    pub(crate) fn enqueue(&mut self, row: &mut Row, lane: LaneKey, frame: Queued, outbox: &mut Outbox) {
        let tag = frame.tag;
        match row.mac.queue.enqueue(lane, frame, self.limits.queue_length) {
            Enqueued::Taken => {}
            Enqueued::TakenFor(old) => {
                row.counters.drop(DropReason::QueueFull);
                outbox.complete(old.tag, Err(CallError::QueueFull), DropReason::QueueFull as u8, &[]);
            }
            Enqueued::Full => {
                row.counters.drop(DropReason::QueueFull);
                outbox.complete(tag, Err(CallError::QueueFull), DropReason::QueueFull as u8, &[]);
                return;
            }
        }
        self.list(row, lane);
    }

    /// The row's own channel was another one until now.
    pub(crate) fn move_lane(&mut self, row: &Row, old: Channel) {
        let Some(lanes) = self.lanes.get_mut(&old) else { return };
        let before = lanes.len();
        lanes.retain(|entry| *entry != (row.vr(), LaneKey::Own));
        // Not found: it is empty, or on the air and listed again at its end.
        if lanes.len() < before {
            self.lanes.entry(row.parameters().channel).or_default().push_back((row.vr(), LaneKey::Own));
        }
    }

    /// The next VM's burst on this channel.
    pub(crate) fn burst(
        &mut self,
        table: &mut ConnectionTable,
        channel: Channel,
        outbox: &mut Outbox,
    ) -> Option<Burst> {
        loop {
            let (vr, lane) = self.lanes.get_mut(&channel)?.pop_front()?;
            let Some(row) = table.row_mut(vr) else { continue };
            let frames = take_turn(row, lane, self.limits, outbox);
            if frames.is_empty() {
                row.mac.queue.lane_mut(lane).is_listed = false;
                continue;
            }
            let burst = Burst {
                channel,
                rate: row_rate(row),
                frames: frames.iter().map(|frame| frame.mpdu.as_slice()).collect(),
                vms: vec![Some(row.vm()); frames.len()],
            };
            self.in_flight = Some(InFlight { row: vr, lane, frames, is_repeated: true });
            return Some(burst);
        }
    }

    /// The end of a burst: `done` frames were acknowledged, the next one was not, the others did not go out.
    pub(crate) fn report(&mut self, table: &mut ConnectionTable, done: usize, outbox: &mut Outbox) {
        let Some(InFlight { row: vr, lane, frames, is_repeated }) = self.in_flight.take() else { return };
        // Without frames: they were flushed, and their lane may be listed already.
        let Some(row) = table.row_mut(vr).filter(|_| !frames.is_empty()) else { return };
        let mut again = Vec::new();
        for (index, mut frame) in frames.into_iter().enumerate() {
            frame.tries = frame.tries.saturating_add(u8::from(index <= done));
            if index < done {
                row.counters.sent += 1;
                row.counters.sent_octets += frame.mpdu.len() as u64;
                outbox.complete(frame.tag, Ok(()), frame.tries, &[]);
                continue;
            }
            if index == done {
                row.counters.retries += 1;
                mac_header::set_retry(&mut frame.mpdu);
            }
            if index == done && frame.tries >= self.limits.retries {
                row.counters.drop(DropReason::NotAcknowledged);
                outbox.complete(frame.tag, Err(CallError::NotAcknowledged), frame.tries, &[]);
            } else if !is_repeated && frame.outgoing.kind.is_data() {
                discard(row, &frame, DropReason::Flushed, outbox);
            } else {
                again.push(frame);
            }
        }
        let waiting = row.mac.queue.lane_mut(lane);
        for frame in again.into_iter().rev() {
            waiting.frames.push_front(frame);
        }
        waiting.is_listed = false;
        self.list(row, lane);
    }

    /// Drops the frames that wait in a row's queue; those on the air have their completion by what becomes of them.
    pub(crate) fn flush_data(&mut self, row: &mut Row, outbox: &mut Outbox) {
        for frame in row.mac.queue.take_where(|frame| frame.outgoing.kind.is_data()) {
            discard(row, &frame, DropReason::Flushed, outbox);
        }
        if let Some(in_flight) = self.in_flight.as_mut().filter(|in_flight| in_flight.row == row.vr()) {
            in_flight.is_repeated = false;
        }
    }

    /// Drops every frame of a row, those on the air too: whoever has the virtual radio next must not hear of them.
    pub(crate) fn flush_all(&mut self, row: &mut Row, outbox: &mut Outbox) {
        let mut frames = row.mac.queue.take_where(|_| true);
        if let Some(in_flight) = self.in_flight.as_mut().filter(|in_flight| in_flight.row == row.vr()) {
            frames.append(&mut in_flight.frames);
            in_flight.is_repeated = false;
        }
        for frame in &frames {
            discard(row, frame, DropReason::Flushed, outbox);
        }
        for lanes in self.lanes.values_mut() {
            lanes.retain(|(vr, _)| *vr != row.vr());
        }
        row.mac.queue = super::transmit_queue::TransmitQueue::default();
    }

    /// The bounds of a turn.
    pub(crate) const fn limits(&self) -> Limits {
        self.limits
    }

    /// True while a burst is on the air.
    pub(crate) const fn is_sending(&self) -> bool {
        self.in_flight.is_some()
    }

    fn list(&mut self, row: &mut Row, key: LaneKey) {
        let channel = match key {
            LaneKey::Own => row.parameters().channel,
            LaneKey::Elsewhere(channel) => channel,
        };
        let entry = (row.vr(), key);
        let lane = row.mac.queue.lane_mut(key);
        if !lane.is_listed && !lane.frames.is_empty() {
            lane.is_listed = true;
            self.lanes.entry(channel).or_default().push_back(entry);
        }
    }
}

/// The rate that a row's frames are sent with, in units of 100 kbit/s.
pub(crate) fn row_rate(row: &Row) -> u16 {
    match row.parameters().rate {
        0 => DEFAULT_RATE,
        rate => rate,
    }
}

/// About how long a frame takes with what stands between two frames, in microseconds: only to bound a turn.
pub(crate) fn airtime_us(length: usize, rate: u16) -> u64 {
    const BETWEEN_FRAMES_US: u64 = 60;
    BETWEEN_FRAMES_US + (length as u64 * 80).div_ceil(u64::from(rate.max(1)))
}

/// 54 Mbit/s.
const DEFAULT_RATE: u16 = 540;

/// Takes the frames of one turn from a lane, numbered and sealed.
fn take_turn(row: &mut Row, key: LaneKey, limits: Limits, outbox: &mut Outbox) -> Vec<Queued> {
    let rate = row_rate(row);
    let mut airtime = 0;
    let mut frames = Vec::new();
    let mut protected = Vec::new();
    while frames.len() < limits.frames {
        let Some(next) = row.mac.queue.lane_mut(key).frames.front() else { break };
        airtime += airtime_us(next.mpdu.len(), rate);
        if !frames.is_empty() && airtime > limits.airtime_us {
            break;
        }
        let Some(mut frame) = row.mac.queue.lane_mut(key).frames.pop_front() else { break };
        if !frame.is_sealed {
            match number(row, &mut frame, outbox) {
                Ok(None) => frame.is_sealed = true,
                Ok(Some((key_id, packet_number))) => protected.push((frames.len(), key_id, packet_number)),
                Err(reason) => {
                    discard(row, &frame, reason, outbox);
                    continue;
                }
            }
        }
        frames.push(frame);
    }
    seal(row, &mut frames, &protected);
    // What could not be sealed must not go out as it is.
    let (sealed, failed): (Vec<_>, Vec<_>) = frames.into_iter().partition(|frame| frame.is_sealed);
    for frame in &failed {
        discard(row, frame, DropReason::Malformed, outbox);
    }
    sealed
}

/// Gives a frame its sequence number and, where it is protected, its packet number.
fn number(row: &mut Row, frame: &mut Queued, outbox: &mut Outbox) -> Result<Option<(KeyId, PacketNumber)>, DropReason> {
    // Keys and connection may have changed since it was queued.
    let key_id = protection(row, frame.outgoing)?;
    let number = match key_id {
        None => None,
        Some(key_id) => {
            let key = row.keys.find_mut(KeyScope::Pairwise, key_id).ok_or(DropReason::NoKey)?;
            let Some(number) = key.next_packet_number() else {
                let code = StatusCode::KeyExhausted;
                outbox.push(Some(row.vr()), DeviceCall::Status { code, value: u16::from(key_id.value()) });
                return Err(DropReason::KeyExhausted);
            };
            Some((key_id, number))
        }
    };
    let sequence = match frame.outgoing.kind {
        OutgoingKind::Null => row.mac.sequence.take(None),
        OutgoingKind::Management | OutgoingKind::Eapol | OutgoingKind::Data => {
            row.mac.sequence.take(frame.outgoing.tid)
        }
    };
    mac_header::set_sequence(&mut frame.mpdu, SequenceControl { number: sequence, fragment: 0 });
    // Whether the station sleeps is the radio's to say: it knows when it leaves.
    if let Some(control) = frame.mpdu.first_chunk::<2>().map(|octets| FrameControl(u16::from_le_bytes(*octets))) {
        let control = control.with_power_management(false).with_retry(false);
        mac_header::set_frame_control(&mut frame.mpdu, control);
    }
    Ok(number)
}

/// Seals the frames of a turn in one batch.
fn seal(row: &Row, frames: &mut [Queued], protected: &[(usize, KeyId, PacketNumber)]) {
    let mut sealed: Vec<Vec<u8>> = Vec::with_capacity(protected.len());
    for (index, key_id, _) in protected {
        let key = row.keys().find(KeyScope::Pairwise, *key_id).map(KeySlot::key);
        let length = key.zip(frames.get(*index)).and_then(|(key, frame)| key.sealed_length(&frame.mpdu));
        sealed.push(vec![0; length.unwrap_or_default()]);
    }
    let mut jobs = Vec::with_capacity(protected.len());
    for ((index, key_id, packet_number), out) in protected.iter().zip(&mut sealed) {
        let Some(key) = row.keys().find(KeyScope::Pairwise, *key_id).map(KeySlot::key) else { return };
        let Some(frame) = frames.get(*index) else { return };
        let (packet_number, key_id) = (*packet_number, *key_id);
        let result = Err(SealError::NoRoom);
        jobs.push(SealJob { key, packet_number, key_id, mpdu: &frame.mpdu, out, result });
    }
    seal_batch(&mut jobs);
    let done: Vec<bool> = jobs.iter().map(|job| job.result.is_ok()).collect();
    for (((index, ..), out), is_done) in protected.iter().zip(sealed).zip(done) {
        if let Some(frame) = frames.get_mut(*index).filter(|_| is_done) {
            frame.mpdu = out;
            frame.is_sealed = true;
        }
    }
}

fn discard(row: &mut Row, frame: &Queued, reason: DropReason, outbox: &mut Outbox) {
    row.counters.drop(reason);
    outbox.complete(frame.tag, Err(CallError::Dropped), reason as u8, &[]);
}

#[cfg(test)]
mod tests {
    use super::super::device::{Device, DeviceConfig};
    use super::*;
    use crate::host_api::TransmitDescriptor;
    use crate::host_api::call::{CipherSuite, Connection, ConnectionState};
    use crate::ids::{MacAddr, VmId};
    use crate::security::replay::ReplayCounters;
    use crate::wire::frame_control::data_subtype;

    #[test]
    fn an_exhausted_key_sends_its_last_number_and_then_nothing() {
        let mut device = Device::new(DeviceConfig::default());
        let (vr, address, bssid) = (VrId::new(0), MacAddr([2; 6]), MacAddr([4; 6]));
        device.table.add(vr, VmId::new(0), address).unwrap();
        let (state, privacy) = (ConnectionState::Authorized, true);
        device.table.set_connection(vr, Connection { state, bssid, privacy, ..Connection::default() }).unwrap();
        let row = device.table.row_mut(vr).unwrap();
        let (id, zero) = (KeyId::from_low_bits(0), PacketNumber::default());
        row.keys.install(KeyScope::Pairwise, id, CipherSuite::CCMP_128, &[1; 16], zero).unwrap();
        let key = row.keys.find_mut(KeyScope::Pairwise, id).unwrap();
        key.resume(PacketNumber::from_low_bits(PacketNumber::MAX.value() - 1), &ReplayCounters::new(zero));

        let control = FrameControl::data(data_subtype::DATA).with_to_ds(true);
        let header = mac_header::MacHeader::three_address(control, bssid, address, bssid);
        let mut mpdu = Vec::new();
        header.emit(&mut mpdu);
        for sequence in 0..2 {
            let tag = super::super::outbox::CallTag { opcode: 0x30, sequence, identifier: Some(vr) };
            let outgoing = super::super::transmit::admit(row, &header, &mpdu, TransmitDescriptor::default()).unwrap();
            let frame = Queued { tag, outgoing, mpdu: mpdu.clone(), is_sealed: false, tries: 0 };
            device.transmitter.enqueue(row, LaneKey::Own, frame, &mut device.outbox);
        }
        let burst = device.transmitter.burst(&mut device.table, 0, &mut device.outbox).unwrap();
        assert_eq!(burst.frames.len(), 1);
        let row = device.table.row(vr).unwrap();
        assert_eq!(row.counters().drops.of(DropReason::KeyExhausted), 1);
        let mut messages = Vec::new();
        assert!(device.poll_messages(&mut messages), "a status and a completion");
    }
}
