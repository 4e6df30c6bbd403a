//! The way up: whose frame it is, whether it may pass, and by which key it is opened (RX VM ID lookup, 626).
//!
//! Each stage continues or names the reason why the frame goes no further. A burst passes in three steps, so that
//! opening is one batch: all stages before the key, opening, and the stages that only a verified frame may reach.
//! Replay counters and the duplicate filter are checked before opening and advanced after it; both are checked again
//! then, because the batch itself may hold a frame twice.

use super::connection_table::{ConnectionTable, Groups, Row};
use super::drop_reason::DropReason;
use super::transmit::{EAPOL_ETHERTYPE, SUBTYPE_CONTENTION_FREE, SUBTYPE_NO_DATA, parse};
use super::virtual_mac::DuplicateClass;
use crate::frame_batch::{FrameBatch, Frames, make_room};
use crate::host_api::PacketClass;
use crate::host_api::call::{ConnectionState, KeyScope};
use crate::ids::{KeyId, MacAddr, PacketNumber, Tid, VrId};
use crate::security::ccmp::{CcmpHeader, OpenError, OpenJob, open_batch};
use crate::security::key_slot::KeySlot;
use crate::security::replay::ReplayClass;
use crate::wire::data::body_ethertype;
use crate::wire::frame_control::{FrameControl, FrameType, management_subtype};
use crate::wire::mac_header::{MacHeader, QosControl};

/// What became of one frame for one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Which frame of the burst.
    pub(crate) frame: usize,
    /// The row; `None` where the frame is nobody's.
    pub(crate) row: Option<VrId>,
    /// Where it ended.
    pub(crate) result: Result<Passed, DropReason>,
}

/// A frame that passed all stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// It has done its work in the device.
    Consumed,
    /// A beacon of this BSS: for the beacon watch. Rows that scan have outcomes of their own.
    Beacon {
        bssid: MacAddr,
        /// Some row scans and has it.
        is_wanted: bool,
    },
    /// For the host.
    Packet(Packet),
}

/// What goes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) class: PacketClass,
    pub(crate) tid: Tid,
    /// The key that it was protected with.
    pub(crate) key_id: KeyId,
    pub(crate) content: Content,
}

/// Where the octets are that go up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// As it arrived, in the clear.
    Plain,
    /// As it arrived, protected.
    StillProtected,
    /// Frame of that number of [`Receiver::opened`].
    Opened(usize),
}

/// Room for one burst at a time; kept, so that a burst needs no allocation.
#[derive(Debug, Default)]
pub(crate) struct Receiver {
    addresses: Vec<MacAddr>,
    owners: Vec<Option<VrId>>,
    arrivals: Vec<Arrival>,
    outcomes: Vec<Outcome>,
    opened: FrameBatch,
}

/// A frame that waits for its key, or for its turn behind one that does.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    frame: usize,
    row: Option<VrId>,
    way: Result<Way, DropReason>,
}

/// Where a frame goes after the stages before the key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Done(Passed),
    Up(PacketClass, Meta),
    Forward(KeyId, Meta),
    Open(Opening, Meta),
}

/// What the later stages need of a header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meta {
    header_length: u8,
    tid: Option<Tid>,
    is_group: bool,
    is_amsdu: bool,
    is_retry: bool,
    /// Sequence number, where a copy of the frame can be told by it.
    duplicate: Option<(DuplicateClass, u16)>,
}

/// What is to be opened, and with which key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    pub(super) scope: KeyScope,
    pub(super) key_id: KeyId,
    packet_number: PacketNumber,
    replay: ReplayClass,
    /// How long the frame becomes.
    pub(super) length: u32,
    /// Its place among the frames that are opened.
    slot: u32,
}

impl Receiver {
    /// Takes a burst through all stages; the outcomes stand in [`outcomes`](Self::outcomes).
    pub(crate) fn receive(&mut self, table: &mut ConnectionTable, frames: Frames<'_>) {
        self.arrivals.clear();
        self.outcomes.clear();
        self.opened.clear();
        self.find_rows(table, frames);
        self.admit(table, frames);
        self.open(table, frames);
        self.finish(table);
    }

    /// What became of the last burst, in the order of its frames.
    pub(crate) fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// The frames that were opened.
    pub(crate) const fn opened(&self) -> &FrameBatch {
        &self.opened
    }

    fn find_rows(&mut self, table: &ConnectionTable, frames: Frames<'_>) {
        self.addresses.clear();
        self.addresses.extend(frames.iter().map(receiver));
        self.owners.clear();
        table.rows_of(self.addresses.iter().copied(), &mut self.owners);
    }

    fn admit(&mut self, table: &ConnectionTable, frames: Frames<'_>) {
        let arrivals = &mut self.arrivals;
        for (index, (frame, owner)) in frames.iter().zip(&self.owners).enumerate() {
            let mut arrive = |row: Option<VrId>, way| arrivals.push(Arrival { frame: index, row, way });
            let header = match admit_header(frame) {
                Ok(header) => header,
                Err(reason) => {
                    // A frame that is addressed to a VM and cannot be read counts as that VM's.
                    arrive(*owner, Err(reason));
                    continue;
                }
            };
            if !header.addr1.is_group() {
                let row = owner.and_then(|vr| table.row(vr));
                arrive(*owner, row.map_or(Err(DropReason::NotOurs), |row| admit_to_row(row, &header, frame)));
                continue;
            }
            let rows = group_rows(table.groups(), &header);
            for row in rows.iter().filter_map(|vr| table.row(*vr)) {
                arrive(Some(row.vr()), admit_to_row(row, &header, frame));
            }
            if rows.is_empty() || is_discovery(&header) {
                arrive(None, admit_to_nobody(&header, !rows.is_empty()));
            }
        }
    }

    fn open(&mut self, table: &ConnectionTable, frames: Frames<'_>) {
        let (mut octets, mut offsets) = core::mem::take(&mut self.opened).into_room();
        offsets.truncate(1);
        let mut total = 0;
        let mut count = 0;
        for arrival in &mut self.arrivals {
            let Ok(Way::Open(opening, _)) = &mut arrival.way else { continue };
            total += opening.length as usize;
            let Ok(end) = u32::try_from(total) else {
                total -= opening.length as usize;
                arrival.way = Err(DropReason::Truncated);
                continue;
            };
            opening.slot = count;
            count += 1;
            offsets.push(end);
        }
        make_room(&mut octets, total);
        let mut room = octets.as_mut_slice();
        let mut jobs = Vec::with_capacity(offsets.len());
        for arrival in &self.arrivals {
            let Ok(Way::Open(opening, _)) = &arrival.way else { continue };
            let (out, rest) =
                core::mem::take(&mut room).split_at_mut_checked(opening.length as usize).unwrap_or_default();
            room = rest;
            let row = arrival.row.and_then(|vr| table.row(vr));
            let key = row.and_then(|row| row.keys().find(opening.scope, opening.key_id)).map(KeySlot::key);
            // Both are there: admission looked at them.
            if let (Some(key), Some(mpdu)) = (key, frames.frame(arrival.frame)) {
                jobs.push(OpenJob { key, mpdu, out, result: Err(OpenError::MicFailed) });
            }
        }
        open_batch(&mut jobs);
        for arrival in &mut self.arrivals {
            let Ok(Way::Open(opening, _)) = arrival.way else { continue };
            match jobs.get(opening.slot as usize).map(|job| job.result) {
                Some(Ok(_)) => {}
                Some(Err(error)) => arrival.way = Err(error.into()),
                None => arrival.way = Err(DropReason::MicFailed),
            }
        }
        self.opened = FrameBatch::from_room(octets, offsets).unwrap_or_default();
    }

    fn finish(&mut self, table: &mut ConnectionTable) {
        for arrival in &self.arrivals {
            let Arrival { frame, row: vr, way } = *arrival;
            let row = vr.and_then(|vr| table.row_mut(vr));
            let result = match (way, row) {
                (Err(reason), _) => Err(reason),
                (Ok(Way::Done(passed)), _) => Ok(passed),
                (Ok(_), None) => Err(DropReason::NotOurs),
                (Ok(way), Some(row)) => {
                    let content = match way {
                        Way::Open(opening, _) => Content::Opened(opening.slot as usize),
                        Way::Forward(..) => Content::StillProtected,
                        Way::Done(_) | Way::Up(..) => Content::Plain,
                    };
                    let plain = match content {
                        Content::Opened(slot) => self.opened.frame(slot).unwrap_or_default(),
                        Content::Plain | Content::StillProtected => &[],
                    };
                    pass(row, way, plain).map(|class| packet(class, way, content))
                }
            };
            self.outcomes.push(Outcome { frame, row: vr, result });
        }
    }
}

fn packet(class: PacketClass, way: Way, content: Content) -> Passed {
    let (tid, key_id) = match way {
        Way::Done(passed) => return passed,
        Way::Up(_, meta) => (meta.tid, KeyId::from_low_bits(0)),
        Way::Forward(key_id, meta) => (meta.tid, key_id),
        Way::Open(opening, meta) => (meta.tid, opening.key_id),
    };
    Passed::Packet(Packet { class, tid: tid.unwrap_or_default(), key_id, content })
}

/// The stages behind the key, for a frame that the row admitted: here it is remembered, so that its copy is known.
/// `plain` is what was opened, and is not looked at where nothing was.
#[inline]
pub(super) fn pass(row: &mut Row, way: Way, plain: &[u8]) -> Result<PacketClass, DropReason> {
    match way {
        Way::Done(_) => Ok(PacketClass::Management),
        Way::Up(class, meta) => accept(row, meta).map(|()| class),
        Way::Forward(_, meta) => accept(row, meta).map(|()| PacketClass::Data),
        Way::Open(opening, meta) => verify(row, opening, meta, plain),
    }
}

/// The receiver's address of a frame, read as if it had one.
#[inline]
pub(super) fn receiver(frame: &[u8]) -> MacAddr {
    frame.get(4..).and_then(|rest| rest.first_chunk()).copied().map(MacAddr).unwrap_or_default()
}

/// The rows that have a group frame.
pub(super) fn group_rows<'a>(groups: Groups<'a>, header: &MacHeader) -> &'a [VrId] {
    if is_discovery(header) { groups.scanning() } else { groups.members(header.addr2.unwrap_or_default()) }
}

/// What becomes of a frame that no row has. A beacon is for the device itself, whoever else has it.
pub(super) fn admit_to_nobody(header: &MacHeader, is_wanted: bool) -> Result<Way, DropReason> {
    if !header.addr1.is_group() {
        return Err(DropReason::NotOurs);
    }
    if is_discovery(header) {
        return Ok(Way::Done(Passed::Beacon { bssid: header.addr3.unwrap_or_default(), is_wanted }));
    }
    let is_management = header.frame_control.frame_type() == FrameType::Management;
    Err(if is_management { DropReason::Filtered } else { DropReason::NotOurs })
}

/// The stages before the key, for a frame that is the row's.
#[inline]
pub(super) fn admit_to_row(row: &Row, header: &MacHeader, frame: &[u8]) -> Result<Way, DropReason> {
    match header.frame_control.frame_type() {
        FrameType::Management => admit_management(row, header, frame),
        _ => admit_data(row, header, frame),
    }
}

/// Stages that need no row: form, version, type.
#[inline]
pub(super) fn admit_header(frame: &[u8]) -> Result<MacHeader, DropReason> {
    if let [first, ..] = frame
        && FrameControl(u16::from(*first)).version() == 0
        && FrameControl(u16::from(*first)).frame_type() == FrameType::Control
    {
        return Err(DropReason::Filtered);
    }
    let header = parse(frame)?;
    match header.frame_control.frame_type() {
        FrameType::Management | FrameType::Data => Ok(header),
        FrameType::Control => Err(DropReason::Filtered),
        FrameType::Extension => Err(DropReason::Malformed),
    }
}

/// Management frames go to the VM's MLME as they are; protected ones are opened first.
fn admit_management(row: &Row, header: &MacHeader, frame: &[u8]) -> Result<Way, DropReason> {
    let transmitter = header.addr2.ok_or(DropReason::Malformed)?;
    let meta = meta(header, DuplicateClass::Management(transmitter));
    check_copy(row, header, meta)?;
    if !header.frame_control.protected() {
        return Ok(Way::Up(PacketClass::Management, meta));
    }
    if meta.is_group {
        return Err(DropReason::Malformed);
    }
    if !row.is_in_bss(transmitter) {
        return Err(DropReason::ForeignBss);
    }
    choose_key(row, frame, meta)
}

fn admit_data(row: &Row, header: &MacHeader, frame: &[u8]) -> Result<Way, DropReason> {
    let control = header.frame_control;
    // From the access point only: no frames between stations, no four-address frames.
    if control.to_ds() || !control.from_ds() || control.subtype() & SUBTYPE_CONTENTION_FREE != 0 {
        return Err(DropReason::Malformed);
    }
    if !header.addr2.is_some_and(|transmitter| row.is_in_bss(transmitter)) {
        return Err(DropReason::ForeignBss);
    }
    let connection = row.connection();
    if connection.state < ConnectionState::Associated {
        return Err(DropReason::NotConnected);
    }
    let tid = header.qos.map(QosControl::tid);
    let meta = meta(header, DuplicateClass::Data(tid));
    if meta.is_group && header.source() == Some(row.address()) {
        return Err(DropReason::OwnEcho);
    }
    if control.subtype() & SUBTYPE_NO_DATA != 0 {
        return Ok(Way::Done(Passed::Consumed));
    }
    check_copy(row, header, meta)?;
    // An A-MSDU to a group address does not exist (IEEE 802.11-2020 10.11).
    if meta.is_group && meta.is_amsdu {
        return Err(DropReason::BadAmsdu);
    }
    if control.protected() {
        if row.parameters().forward_protected {
            if connection.state < ConnectionState::Authorized {
                return Err(DropReason::NotConnected);
            }
            let protection = CcmpHeader::read(frame).map_err(DropReason::from)?;
            return Ok(Way::Forward(protection.key_id, meta));
        }
        return choose_key(row, frame, meta);
    }
    let class = classify(frame, usize::from(meta.header_length), meta.is_amsdu);
    if class == PacketClass::Data && connection.privacy {
        return Err(DropReason::Unprotected);
    }
    check_class(row, class, meta.is_group).map(|()| Way::Up(class, meta))
}

fn meta(header: &MacHeader, class: DuplicateClass) -> Meta {
    let is_group = header.addr1.is_group();
    Meta {
        // 36 at most.
        header_length: u8::try_from(header.length()).unwrap_or(u8::MAX),
        tid: header.qos.map(QosControl::tid),
        is_group,
        is_amsdu: header.qos.is_some_and(QosControl::amsdu_present),
        is_retry: header.frame_control.retry(),
        // Group frames are not acknowledged and so never sent again.
        duplicate: header.sequence.filter(|_| !is_group).map(|sequence| (class, sequence.number)),
    }
}

fn check_copy(row: &Row, header: &MacHeader, meta: Meta) -> Result<(), DropReason> {
    if header.frame_control.more_fragments() || header.sequence.is_some_and(|sequence| sequence.fragment != 0) {
        return Err(DropReason::Fragment);
    }
    if is_duplicate(row, meta) { Err(DropReason::Duplicate) } else { Ok(()) }
}

fn is_duplicate(row: &Row, meta: Meta) -> bool {
    meta.duplicate.is_some_and(|(class, number)| row.duplicates.is_duplicate(class, number, meta.is_retry))
}

/// Unicast frames are opened with the pairwise key, group frames with the group key, never crosswise: everybody in the
/// BSS has the group key.
fn choose_key(row: &Row, frame: &[u8], meta: Meta) -> Result<Way, DropReason> {
    let CcmpHeader { packet_number, key_id, class } = CcmpHeader::read(frame).map_err(DropReason::from)?;
    let scope = if meta.is_group { KeyScope::Group } else { KeyScope::Pairwise };
    let key = row.keys().find(scope, key_id).ok_or(DropReason::NoKey)?;
    if !key.replay().check(class, packet_number) {
        return Err(DropReason::Replay);
    }
    let length = key.opened_length(frame).and_then(|length| u32::try_from(length).ok()).ok_or(DropReason::Truncated)?;
    Ok(Way::Open(Opening { scope, key_id, packet_number, replay: class, length, slot: 0 }, meta))
}

/// Stages behind the integrity check: only here do counters move.
fn verify(row: &mut Row, opening: Opening, meta: Meta, plain: &[u8]) -> Result<PacketClass, DropReason> {
    if is_duplicate(row, meta) {
        return Err(DropReason::Duplicate);
    }
    let key = row.keys.find_mut(opening.scope, opening.key_id).ok_or(DropReason::NoKey)?;
    if !key.replay_mut().advance(opening.replay, opening.packet_number) {
        return Err(DropReason::Replay);
    }
    accept(row, meta)?;
    if matches!(opening.replay, ReplayClass::Management) {
        return Ok(PacketClass::Management);
    }
    let class = classify(plain, usize::from(meta.header_length), meta.is_amsdu);
    check_class(row, class, meta.is_group).map(|()| class)
}

/// Remembers a frame, so that its copy is known.
fn accept(row: &mut Row, meta: Meta) -> Result<(), DropReason> {
    if is_duplicate(row, meta) {
        return Err(DropReason::Duplicate);
    }
    if let Some((class, number)) = meta.duplicate {
        row.duplicates.remember(class, number);
    }
    Ok(())
}

#[inline]
pub(super) fn classify(plain: &[u8], header_length: usize, is_amsdu: bool) -> PacketClass {
    let body = plain.get(header_length..).unwrap_or_default();
    if !is_amsdu && body_ethertype(body) == Some(EAPOL_ETHERTYPE) { PacketClass::Eapol } else { PacketClass::Data }
}

/// What the connection lets pass. A group frame is never EAPOL: who holds the group key could forge it.
#[inline]
pub(super) fn check_class(row: &Row, class: PacketClass, is_group: bool) -> Result<(), DropReason> {
    match class {
        PacketClass::Eapol if is_group => Err(DropReason::Filtered),
        PacketClass::Data if row.state() < ConnectionState::Authorized => Err(DropReason::NotConnected),
        _ => Ok(()),
    }
}

/// Frames by which access points are found.
fn is_discovery(header: &MacHeader) -> bool {
    let control = header.frame_control;
    control.is_management(management_subtype::BEACON) || control.is_management(management_subtype::PROBE_RESPONSE)
}
