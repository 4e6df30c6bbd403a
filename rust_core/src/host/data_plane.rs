//! The host driver's data plane: guests' Ethernet frames down, received packets up, tags translated on the way.
//!
//! It reaches the NIC by host API octets alone ([`NicLink`]), so a board on a serial line can take the emulated one's
//! place. A guest may have as many frames under way as the device has room for; what is beyond that stays in its port
//! (back-pressure). What the control plane has to see, it hands on untouched, in [`DataPlane::take_control`].
//!
//! Sequence numbers below [`FIRST_CONTROL_SEQUENCE`] are the data plane's own.

use std::collections::{BTreeMap, VecDeque};

use super::port::Port;
use crate::device::{Device, DropCounters, DropReason};
use crate::frame_batch::FrameBatch;
use crate::host_api::call::opcode;
use crate::host_api::device_call::opcode::RECEIVED_PACKET;
use crate::host_api::{
    CallError, Completion, DeviceCall, Header, IdentifierWidth, Kind, Messages, PacketClass, TransmitDescriptor,
};
use crate::ids::{MacAddr, Tid, VmId, VrId};
use crate::time::Instant;
use crate::wire::data::{MsduError, emit_data_frame, ethernet_frames};
use crate::wire::ethernet::EthernetFrame;

/// Sequence numbers from here on belong to the control plane.
pub const FIRST_CONTROL_SEQUENCE: u16 = 0x8000;

/// The way to a NIC: octets of the host API down and up.
pub trait NicLink {
    /// Hands down calls.
    fn submit(&mut self, octets: &[u8], now: Instant);

    /// Appends completions and device-initiated calls; false where there were none.
    fn poll(&mut self, out: &mut Vec<u8>) -> bool;
}

impl NicLink for Device {
    fn submit(&mut self, octets: &[u8], now: Instant) {
        self.handle_messages(octets, now);
    }

    fn poll(&mut self, out: &mut Vec<u8>) -> bool {
        self.poll_messages(out)
    }
}

/// How a guest's frames are addressed while its connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestLink {
    /// The access point.
    pub bssid: MacAddr,
    /// Send QoS Data.
    pub qos: bool,
}

/// What happened to a guest's frames.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuestCounters {
    /// Frames that went out and were acknowledged.
    pub sent: u64,
    /// Octets of the Ethernet frames handed down.
    pub sent_octets: u64,
    /// Frames that the guest was given.
    pub received: u64,
    /// Octets of those.
    pub received_octets: u64,
    /// Frames that went no further, by reason.
    pub drops: DropCounters,
}

/// A guest: its port, its link, its frames under way.
#[derive(Debug)]
struct Guest {
    vm: VmId,
    address: MacAddr,
    port: Port,
    link: Option<GuestLink>,
    legacy: bool,
    under_way: usize,
    is_active: bool,
    inbox: FrameBatch,
    counters: GuestCounters,
}

/// The guests of one device.
#[derive(Debug)]
pub struct DataPlane {
    width: IdentifierWidth,
    queue_length: usize,
    guests: BTreeMap<VrId, Guest>,
    active: VecDeque<VrId>,
    legacy_sequences: BTreeMap<u16, VrId>,
    sequence: u16,
    fetched: FrameBatch,
    down: Vec<u8>,
    up: Vec<u8>,
    scratch: Vec<u8>,
    touched: Vec<VrId>,
    control: Vec<u8>,
    has_delivered: bool,
}

/// A virtual radio has one guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RadioTaken;

impl DataPlane {
    /// For a device with identifiers of this width, which holds `queue_length` frames of each VM.
    pub fn new(width: IdentifierWidth, queue_length: usize) -> Self {
        Self {
            width,
            queue_length: queue_length.max(1),
            guests: BTreeMap::new(),
            active: VecDeque::new(),
            legacy_sequences: BTreeMap::new(),
            sequence: 0,
            fetched: FrameBatch::new(),
            down: Vec::new(),
            up: Vec::new(),
            scratch: Vec::new(),
            touched: Vec::new(),
            control: Vec::new(),
            has_delivered: false,
        }
    }

    /// Connects a guest's port to a virtual radio; `legacy`: its packets carry no identifier.
    pub fn attach(
        &mut self,
        radio: VrId,
        vm: VmId,
        address: MacAddr,
        port: Port,
        legacy: bool,
    ) -> Result<(), RadioTaken> {
        if self.guests.contains_key(&radio) {
            return Err(RadioTaken);
        }
        let guest = Guest {
            vm,
            address,
            port,
            link: None,
            legacy,
            under_way: 0,
            is_active: false,
            inbox: FrameBatch::new(),
            counters: GuestCounters::default(),
        };
        self.guests.insert(radio, guest);
        self.wake(radio);
        Ok(())
    }

    /// Disconnects it; false where there is none.
    pub fn detach(&mut self, radio: VrId) -> bool {
        self.legacy_sequences.retain(|_, each| *each != radio);
        self.guests.remove(&radio).is_some()
    }

    /// Carrier on, or off (`None`); false where there is no such guest.
    pub fn set_link(&mut self, radio: VrId, link: Option<GuestLink>) -> bool {
        self.wake(radio);
        self.guests.get_mut(&radio).map(|guest| guest.link = link).is_some()
    }

    /// A guest's counters.
    pub fn counters(&self, radio: VrId) -> Option<&GuestCounters> {
        self.guests.get(&radio).map(|guest| &guest.counters)
    }

    /// The VM and address of each guest's virtual radio.
    pub fn guests(&self) -> impl Iterator<Item = (VrId, VmId, MacAddr)> {
        self.guests.iter().map(|(radio, guest)| (*radio, guest.vm, guest.address))
    }

    /// The guests' ports, to be waited for.
    pub fn ports(&self) -> impl Iterator<Item = (VrId, &Port)> {
        self.guests.iter().map(|(radio, guest)| (*radio, &guest.port))
    }

    /// True where a guest has room for frames under way: its port is worth waiting for.
    pub fn has_room(&self, radio: VrId) -> bool {
        self.guests.get(&radio).is_some_and(|guest| guest.under_way < self.queue_length)
    }

    /// This guest's port may have something to send.
    pub fn wake(&mut self, radio: VrId) {
        if let Some(guest) = self.guests.get_mut(&radio).filter(|guest| !guest.is_active) {
            guest.is_active = true;
            self.active.push_back(radio);
        }
    }

    /// True where a guest in this process was given frames since [`Self::wake_all`].
    pub const fn has_delivered(&self) -> bool {
        self.has_delivered
    }

    /// Every guest's port may have something to send.
    pub fn wake_all(&mut self) {
        self.has_delivered = false;
        for (radio, guest) in &mut self.guests {
            if !guest.is_active && !guest.port.is_idle() {
                guest.is_active = true;
                self.active.push_back(*radio);
            }
        }
    }

    /// Messages for the control plane: completions of its calls, management frames, EAPOL, status; tagged with VR IDs.
    pub fn take_control(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.control)
    }

    /// True where [`Self::take_control`] would give something.
    pub fn has_control(&self) -> bool {
        !self.control.is_empty()
    }

    /// Moves what can be moved, both ways; true where anything moved.
    pub fn pump(&mut self, nic: &mut impl NicLink, now: Instant) -> bool {
        let mut moved = false;
        loop {
            let up = self.pump_up(nic);
            let down = self.pump_down(nic, now);
            moved |= up || down;
            if !up && !down {
                return moved;
            }
        }
    }

    fn pump_down(&mut self, nic: &mut impl NicLink, now: Instant) -> bool {
        let mut down = core::mem::take(&mut self.down);
        let mut fetched = core::mem::take(&mut self.fetched);
        down.clear();
        while let Some(radio) = self.active.pop_front() {
            let Some(guest) = self.guests.get_mut(&radio) else { continue };
            guest.is_active = false;
            let room = self.queue_length.saturating_sub(guest.under_way);
            fetched.clear();
            guest.port.fetch(room, &mut fetched);
            for ethernet in fetched.iter() {
                self.sequence = (self.sequence + 1) % FIRST_CONTROL_SEQUENCE;
                let identifier = (!guest.legacy).then_some(radio);
                let header =
                    Header { kind: Kind::Call, opcode: opcode::TRANSMIT_PACKET, sequence: self.sequence, identifier };
                match emit_packet(header, ethernet, guest.link, self.width, &mut down) {
                    Ok(()) => {
                        guest.under_way += 1;
                        guest.counters.sent_octets += ethernet.len() as u64;
                        if guest.legacy {
                            self.legacy_sequences.insert(self.sequence, radio);
                        }
                    }
                    Err(reason) => guest.counters.drops.count(reason),
                }
            }
        }
        let moved = !down.is_empty();
        if moved {
            nic.submit(&down, now);
        }
        self.down = down;
        self.fetched = fetched;
        moved
    }

    fn pump_up(&mut self, nic: &mut impl NicLink) -> bool {
        let mut up = core::mem::take(&mut self.up);
        up.clear();
        let moved = nic.poll(&mut up);
        // A device that sends what cannot be read is cut off at that place; the emulated one never does.
        for (header, payload) in Messages::<VrId>::new(&up, self.width).map_while(Result::ok) {
            self.handle_message(header, payload);
        }
        for radio in core::mem::take(&mut self.touched) {
            let Some(guest) = self.guests.get_mut(&radio) else { continue };
            let taken = guest.port.deliver(&guest.inbox);
            self.has_delivered |= taken > 0 && guest.port.is_attended();
            for (index, frame) in guest.inbox.iter().enumerate() {
                if index < taken {
                    guest.counters.received += 1;
                    guest.counters.received_octets += frame.len() as u64;
                } else {
                    guest.counters.drops.count(DropReason::QueueFull);
                }
            }
            guest.inbox.clear();
        }
        self.up = up;
        moved
    }

    fn handle_message(&mut self, header: Header<VrId>, payload: &[u8]) {
        let is_packet = header.opcode == opcode::TRANSMIT_PACKET && header.sequence < FIRST_CONTROL_SEQUENCE;
        match header.kind {
            Kind::Completion if is_packet => self.handle_completion(header, payload),
            Kind::DeviceCall if header.opcode == RECEIVED_PACKET => match DeviceCall::parse(header.opcode, payload) {
                Ok(DeviceCall::ReceivedPacket { descriptor, frame })
                    if descriptor.class == PacketClass::Data && !descriptor.still_protected =>
                {
                    self.handle_data(header.identifier, frame);
                }
                _ => self.hand_on(header, payload),
            },
            _ => self.hand_on(header, payload),
        }
    }

    fn hand_on(&mut self, header: Header<VrId>, payload: &[u8]) {
        header.emit(self.width, &mut self.control, |out| out.extend_from_slice(payload));
    }

    fn handle_completion(&mut self, header: Header<VrId>, payload: &[u8]) {
        let radio = header.identifier.or_else(|| self.legacy_sequences.remove(&header.sequence));
        let Some(radio) = radio else { return };
        let Some(guest) = self.guests.get_mut(&radio) else { return };
        guest.under_way = guest.under_way.saturating_sub(1);
        match Completion::parse(payload).map(|completion| (completion.result, completion.detail)) {
            Ok((Ok(()), _)) => guest.counters.sent += 1,
            Ok((Err(error), detail)) => guest.counters.drops.count(drop_reason(error, detail)),
            Err(_) => guest.counters.drops.count(DropReason::Malformed),
        }
        if !guest.port.is_idle() {
            self.wake(radio);
        }
    }

    fn handle_data(&mut self, radio: Option<VrId>, frame: &[u8]) {
        let Some((radio, guest)) = radio.and_then(|radio| Some((radio, self.guests.get_mut(&radio)?))) else { return };
        let was_empty = guest.inbox.is_empty();
        let inbox = &mut guest.inbox;
        let result = ethernet_frames(frame, &mut self.scratch, |ethernet| {
            inbox.push(ethernet);
        });
        match result {
            Ok(()) => {}
            Err(MsduError::BadAmsdu) => guest.counters.drops.count(DropReason::BadAmsdu),
            Err(MsduError::Unreadable(_)) => guest.counters.drops.count(DropReason::Malformed),
        }
        if was_empty && !guest.inbox.is_empty() {
            self.touched.push(radio);
        }
    }
}

fn emit_packet(
    header: Header<VrId>,
    ethernet: &[u8],
    link: Option<GuestLink>,
    width: IdentifierWidth,
    out: &mut Vec<u8>,
) -> Result<(), DropReason> {
    let link = link.ok_or(DropReason::NotConnected)?;
    EthernetFrame::new(ethernet).map_err(|_| DropReason::Truncated)?;
    let descriptor = TransmitDescriptor::default();
    let tid = link.qos.then(Tid::default);
    let written = header.emit(width, out, |out| {
        descriptor.emit(out);
        // Cannot fail: the Ethernet header's length was checked.
        let _ = emit_data_frame(ethernet, link.bssid, true, tid, out);
    });
    if written { Ok(()) } else { Err(DropReason::Malformed) }
}

fn drop_reason(error: CallError, detail: u8) -> DropReason {
    match error {
        CallError::NotAcknowledged => DropReason::NotAcknowledged,
        CallError::QueueFull => DropReason::QueueFull,
        CallError::UnknownVm => DropReason::NoSuchVm,
        CallError::Dropped => DropReason::ALL.get(usize::from(detail)).copied().unwrap_or(DropReason::Malformed),
        _ => DropReason::Malformed,
    }
}
