//! Guests' frames between their ports and the NIC (virtual radio 316; tags 402 to 408).
//!
//! Down: an Ethernet frame becomes a data MPDU under the guest's own source address, tagged with the virtual radio, and
//! goes to the NIC while that has room for it. Up: data becomes Ethernet again and goes to the guest's port; all else is
//! the control plane's. A guest that takes another's address is stopped by the NIC, and the count stands here.

use std::collections::VecDeque;
use std::sync::Arc;

use super::doorbell::{Doorbell, Waker};
use super::nic_link::NicLink;
use super::port::Port;
use crate::device::{DropCounters, DropReason};
use crate::frame_batch::FrameBatch;
use crate::host_api::call::opcode::TRANSMIT_PACKET;
use crate::host_api::{
    CallError, Completion, DeviceCall, Header, IdentifierWidth, Kind, PacketClass, TransmitDescriptor,
};
use crate::ids::{Identifier, MacAddr, Tid, VmId, VrId};
use crate::time::Instant;
use crate::wire::data::{emit_data_frame, ethernet_frames};
use crate::wire::ethernet::EthernetFrame;

/// The first sequence number of control calls; those below it are the data plane's.
pub const CONTROL_SEQUENCE: u16 = 0x8000;

/// Counters of one guest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuestCounters {
    /// Frames that the NIC sent.
    pub sent: u64,
    /// Their octets, as the guest sent them.
    pub sent_octets: u64,
    /// Frames delivered to the guest.
    pub received: u64,
    /// Their octets, as the guest has them.
    pub received_octets: u64,
    /// Frames fetched from the guest and handed to the NIC.
    pub fetched: u64,
    /// Frames that went no further, by reason.
    pub drops: DropCounters,
}

impl GuestCounters {
    /// Name and count; reasons that never occurred left out.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let plain = [
            ("sent", self.sent),
            ("sent_octets", self.sent_octets),
            ("received", self.received),
            ("received_octets", self.received_octets),
            ("fetched", self.fetched),
        ];
        plain.into_iter().chain(self.drops.iter().map(|(reason, count)| (reason.name(), count)))
    }
}

/// A guest's port to its virtual radio.
#[derive(Debug)]
pub struct Guest {
    vr: VrId,
    vm: VmId,
    address: MacAddr,
    port: Port,
    carrier: Option<Carrier>,
    /// Packets go down without an identifier.
    is_legacy: bool,
    /// Frames under way in the NIC.
    outstanding: u16,
    sequence: u16,
    /// Octets of the frames under way, by sequence number.
    lengths: Vec<u16>,
    is_active: bool,
    counters: GuestCounters,
}

/// How frames are addressed while there is a connection.
#[derive(Clone, Copy, Debug)]
struct Carrier {
    bssid: MacAddr,
    qos: bool,
}

impl Guest {
    /// Whose it is.
    pub const fn vm(&self) -> VmId {
        self.vm
    }

    /// Its virtual radio.
    pub const fn vr(&self) -> VrId {
        self.vr
    }

    /// Its address.
    pub const fn address(&self) -> MacAddr {
        self.address
    }

    /// Its counters.
    pub const fn counters(&self) -> &GuestCounters {
        &self.counters
    }

    /// Its port.
    pub const fn port(&self) -> &Port {
        &self.port
    }
}

/// The data plane of one NIC.
#[derive(Debug)]
pub struct DataPlane {
    width: IdentifierWidth,
    /// Frames that one guest may have under way.
    credits: u16,
    guests: Vec<Option<Box<Guest>>>,
    /// Guests that may have frames and credits, the next to be served first.
    active: VecDeque<VrId>,
    doorbell: Arc<Doorbell>,
    /// Whose the packets without identifier are, by sequence number.
    legacy: Vec<Option<VrId>>,
    legacy_sequence: u16,
    down: Vec<u8>,
    up: Vec<u8>,
    control: Vec<u8>,
    incoming: FrameBatch,
    scratch: Vec<u8>,
    /// A guest in this process was given frames since it was last asked.
    has_delivered: bool,
    counters: DropCounters,
}

impl DataPlane {
    /// For this NIC; ports wake `waker`.
    pub fn new(nic: &impl NicLink, waker: Arc<Waker>) -> Self {
        Self {
            width: nic.identifier_width(),
            credits: nic.queue_length().clamp(1, CONTROL_SEQUENCE / 2),
            guests: Vec::new(),
            active: VecDeque::new(),
            doorbell: Arc::new(Doorbell::new(waker)),
            legacy: Vec::new(),
            legacy_sequence: 0,
            down: Vec::new(),
            up: Vec::new(),
            control: Vec::new(),
            incoming: FrameBatch::new(),
            scratch: Vec::new(),
            has_delivered: false,
            counters: DropCounters::default(),
        }
    }

    /// Connects a guest's port with its virtual radio, carrier off; false where that has a guest already.
    pub fn attach(&mut self, vr: VrId, vm: VmId, address: MacAddr, port: Port, is_legacy: bool) -> bool {
        if self.guest(vr).is_some() {
            return false;
        }
        if self.guests.len() <= vr.index() {
            self.guests.resize_with(vr.index() + 1, || None);
        }
        if is_legacy && self.legacy.is_empty() {
            self.legacy.resize(usize::from(CONTROL_SEQUENCE), None);
        }
        port.connect(&self.doorbell, vr.to_u16());
        if let Some(place) = self.guests.get_mut(vr.index()) {
            *place = Some(Box::new(Guest {
                vr,
                vm,
                address,
                port,
                carrier: None,
                is_legacy,
                outstanding: 0,
                sequence: 0,
                lengths: vec![0; usize::from(self.credits).next_power_of_two()],
                is_active: false,
                counters: GuestCounters::default(),
            }));
        }
        true
    }

    /// Takes the guest's port away, false where there is none. Frames under way are still sent.
    pub fn detach(&mut self, vr: VrId) -> bool {
        let guest = self.guests.get_mut(vr.index()).and_then(Option::take);
        self.legacy.iter_mut().filter(|owner| **owner == Some(vr)).for_each(|owner| *owner = None);
        guest.is_some()
    }

    /// Carrier on: how to address frames; or off: what the guest sends is dropped as not connected.
    ///
    /// False where there is no such guest.
    pub fn set_link(&mut self, vr: VrId, bssid: Option<MacAddr>, qos: bool) -> bool {
        let Some(guest) = self.guest_mut(vr) else { return false };
        guest.carrier = bssid.map(|bssid| Carrier { bssid, qos });
        self.activate(vr);
        true
    }

    /// The guest on a virtual radio.
    pub fn guest(&self, vr: VrId) -> Option<&Guest> {
        self.guests.get(vr.index())?.as_deref()
    }

    /// All guests, by virtual radio.
    pub fn guests(&self) -> impl Iterator<Item = &Guest> {
        self.guests.iter().filter_map(Option::as_deref)
    }

    /// The guest may have frames: its descriptor is readable.
    pub fn activate(&mut self, vr: VrId) {
        if let Some(guest) = self.guests.get_mut(vr.index()).and_then(Option::as_deref_mut)
            && !guest.is_active
        {
            guest.is_active = true;
            self.active.push_back(vr);
        }
    }

    /// True where the guest's port would be read: it has credits, and is not known to have frames already.
    pub fn awaits_frames(&self, guest: &Guest) -> bool {
        !guest.is_active && (guest.outstanding < self.credits || guest.carrier.is_none())
    }

    /// Drops that belong to no guest.
    pub const fn counters(&self) -> &DropCounters {
        &self.counters
    }

    /// What came up for the control plane.
    pub fn take_control(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.control)
    }

    /// True where something came up for the control plane.
    pub const fn has_control(&self) -> bool {
        !self.control.is_empty()
    }

    /// True where a guest in this process was given frames since [`clear_delivered`](Self::clear_delivered).
    pub const fn has_delivered(&self) -> bool {
        self.has_delivered
    }

    /// The guests have had the time to take what they were given.
    pub const fn clear_delivered(&mut self) {
        self.has_delivered = false;
    }

    /// Fetches what guests send and the NIC has room for; true where there was anything.
    pub fn handle_guests(&mut self, nic: &mut impl NicLink, now: Instant) -> bool {
        let doorbell = Arc::clone(&self.doorbell);
        doorbell.answer(|caller| self.activate(VrId::new(caller)));
        let mut has_moved = false;
        for _ in 0..self.active.len() {
            let Some(vr) = self.active.pop_front() else { break };
            let Self { guests, legacy, legacy_sequence, down, width, credits, .. } = self;
            let Some(guest) = guests.get_mut(vr.index()).and_then(Option::as_deref_mut) else { continue };
            let room = match guest.carrier {
                Some(_) => usize::from(credits.saturating_sub(guest.outstanding)),
                None => FRAMES_PER_TURN,
            };
            let limit = room.min(FRAMES_PER_TURN);
            let mut sink = Sink { legacy, legacy_sequence, width: *width, out: down };
            let count = guest.fetch(limit, &mut sink);
            has_moved |= count > 0;
            // Fewer than asked for: the port is empty. No credits left: a completion activates it again.
            let has_room = guest.carrier.is_none() || guest.outstanding < *credits;
            guest.is_active = count == limit && has_room;
            if guest.is_active {
                self.active.push_back(vr);
            }
        }
        if !self.down.is_empty() {
            nic.submit(&self.down, now);
            self.down.clear();
        }
        has_moved
    }

    /// Takes what came up from the NIC; true where there was anything.
    pub fn handle_nic(&mut self, nic: &mut impl NicLink) -> bool {
        let mut up = core::mem::take(&mut self.up);
        up.clear();
        let some = nic.poll_messages(&mut up);
        let mut receiver = None;
        let mut rest = up.as_slice();
        while !rest.is_empty() {
            let Ok((header, payload, following)) = Header::<VrId>::parse(rest, self.width) else {
                self.counters.count(DropReason::Malformed);
                break;
            };
            let message = rest.get(..rest.len() - following.len()).unwrap_or_default();
            rest = following;
            match header.kind {
                Kind::Completion if header.opcode == TRANSMIT_PACKET && header.sequence < CONTROL_SEQUENCE => {
                    self.complete(header, payload);
                }
                Kind::DeviceCall if self.receive(header, payload, &mut receiver) => {}
                Kind::Call | Kind::Completion | Kind::DeviceCall => self.hand_up(header.kind, message),
            }
        }
        self.deliver(receiver);
        self.up = up;
        some
    }

    fn hand_up(&mut self, kind: Kind, message: &[u8]) {
        if kind == Kind::DeviceCall && self.control.len() > CONTROL_LIMIT {
            self.counters.count(DropReason::QueueFull);
        } else {
            self.control.extend_from_slice(message);
        }
    }

    /// A data packet: to the guest's port. False where it is something else.
    fn receive(&mut self, header: Header<VrId>, payload: &[u8], receiver: &mut Option<VrId>) -> bool {
        let Ok(DeviceCall::ReceivedPacket { descriptor, frame }) = DeviceCall::parse(header.opcode, payload) else {
            return false;
        };
        if descriptor.class != PacketClass::Data || descriptor.still_protected {
            return false;
        }
        if *receiver != header.identifier {
            self.deliver(*receiver);
            *receiver = header.identifier;
        }
        let Self { incoming, scratch, .. } = self;
        let result = ethernet_frames(frame, scratch, |ethernet| {
            incoming.push(ethernet);
        });
        if result.is_err() {
            match receiver.and_then(|vr| self.guest_mut(vr)) {
                Some(guest) => guest.counters.drops.count(DropReason::Malformed),
                None => self.counters.count(DropReason::Malformed),
            }
        }
        true
    }

    /// Hands the frames received in a row to their guest.
    fn deliver(&mut self, receiver: Option<VrId>) {
        if self.incoming.is_empty() {
            return;
        }
        let Self { guests, incoming, counters, has_delivered, .. } = self;
        let guest = receiver.and_then(|vr| guests.get_mut(vr.index())).and_then(Option::as_deref_mut);
        let Some(guest) = guest else {
            (0..incoming.len()).for_each(|_| counters.count(DropReason::NoSuchVm));
            incoming.clear();
            return;
        };
        let (count, octets) = (incoming.len(), incoming.data().len());
        let refused = guest.port.deliver(incoming);
        *has_delivered |= guest.port.is_attended();
        guest.counters.received += (count - refused) as u64;
        guest.counters.received_octets += octets as u64;
        (0..refused).for_each(|_| guest.counters.drops.count(DropReason::QueueFull));
    }

    /// A packet is through, or is not: its guest may send another one.
    fn complete(&mut self, header: Header<VrId>, payload: &[u8]) {
        let owner = match header.identifier {
            Some(vr) => Some(vr),
            None => self.legacy.get_mut(usize::from(header.sequence)).and_then(Option::take),
        };
        let Some(guest) = owner.and_then(|vr| self.guest_mut(vr)) else { return };
        guest.outstanding = guest.outstanding.saturating_sub(1);
        match Completion::parse(payload) {
            Ok(Completion { result: Ok(()), .. }) => {
                let length = guest.lengths.get(usize::from(header.sequence) & (guest.lengths.len() - 1)).copied();
                guest.counters.sent += 1;
                guest.counters.sent_octets += u64::from(length.unwrap_or_default());
            }
            Ok(Completion { result: Err(error), detail, .. }) => guest.counters.drops.count(drop_reason(error, detail)),
            Err(_) => guest.counters.drops.count(DropReason::Malformed),
        }
        let vr = guest.vr;
        if !guest.is_active {
            self.activate(vr);
        }
    }

    fn guest_mut(&mut self, vr: VrId) -> Option<&mut Guest> {
        self.guests.get_mut(vr.index())?.as_deref_mut()
    }
}

/// Where a guest's frames go.
struct Sink<'a> {
    legacy: &'a mut [Option<VrId>],
    legacy_sequence: &'a mut u16,
    width: IdentifierWidth,
    out: &'a mut Vec<u8>,
}

impl Sink<'_> {
    /// The next sequence number that no packet without identifier is under way with.
    fn legacy_sequence(&mut self, owner: VrId) -> Option<u16> {
        for _ in 0..self.legacy.len() {
            let sequence = *self.legacy_sequence;
            *self.legacy_sequence = (sequence + 1) % CONTROL_SEQUENCE;
            if let Some(place) = self.legacy.get_mut(usize::from(sequence)).filter(|place| place.is_none()) {
                *place = Some(owner);
                return Some(sequence);
            }
        }
        None
    }
}

impl Guest {
    fn fetch(&mut self, limit: usize, sink: &mut Sink<'_>) -> usize {
        let Self { vr, address, port, carrier, is_legacy, outstanding, sequence, lengths, counters, .. } = self;
        port.fetch(limit, |ethernet| {
            let Some(Carrier { bssid, qos }) = *carrier else {
                counters.drops.count(DropReason::NotConnected);
                return;
            };
            match EthernetFrame::new(ethernet) {
                Err(_) => return counters.drops.count(DropReason::Truncated),
                Ok(frame) if frame.payload().len() > MAX_MSDU_LENGTH => {
                    return counters.drops.count(DropReason::Malformed);
                }
                // Without an identifier the source address alone says whose a packet is: it must not lie.
                Ok(frame) if *is_legacy && frame.source() != *address => {
                    return counters.drops.count(DropReason::ForeignSource);
                }
                Ok(_) => {}
            }
            let (identifier, number) = if *is_legacy {
                let Some(number) = sink.legacy_sequence(*vr) else {
                    return counters.drops.count(DropReason::QueueFull);
                };
                (None, number)
            } else {
                let number = *sequence;
                *sequence = (number + 1) % CONTROL_SEQUENCE;
                (Some(*vr), number)
            };
            let mask = lengths.len() - 1;
            if let Some(length) = lengths.get_mut(usize::from(number) & mask) {
                *length = u16::try_from(ethernet.len()).unwrap_or(u16::MAX);
            }
            let header = Header { kind: Kind::Call, opcode: TRANSMIT_PACKET, sequence: number, identifier };
            let is_written = header.emit(sink.width, sink.out, |out| {
                let descriptor = TransmitDescriptor::default();
                descriptor.emit(out);
                // Cannot fail: the header's length was checked above.
                let _ = emit_data_frame(ethernet, bssid, true, qos.then_some(Tid::default()), out);
            });
            if is_written {
                *outstanding += 1;
                counters.fetched += 1;
            } else {
                counters.drops.count(DropReason::NoSuchVm);
            }
        })
    }
}

fn drop_reason(error: CallError, detail: u8) -> DropReason {
    match error {
        CallError::NotAcknowledged => DropReason::NotAcknowledged,
        CallError::QueueFull => DropReason::QueueFull,
        CallError::UnknownVm => DropReason::NoSuchVm,
        _ => DropReason::ALL.get(usize::from(detail)).copied().unwrap_or(DropReason::Malformed),
    }
}

/// The longest MSDU (IEEE 802.11-2020 9.2.4.7.1).
const MAX_MSDU_LENGTH: usize = 2304;
/// How many frames of one guest are fetched before the next one has its turn.
const FRAMES_PER_TURN: usize = 64;
/// Octets of device-initiated calls that may wait for the control plane.
const CONTROL_LIMIT: usize = 16 << 20;
