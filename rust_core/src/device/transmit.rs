//! The way down, first half: whose frame it is, whether it may be sent, and under which key (TX VM ID lookup, 632).
//!
//! Each stage continues or names the reason why the frame goes no further. The second half, queues and bursts, is
//! `transmitter`.

use super::connection_table::{ConnectionTable, Row};
use super::drop_reason::DropReason;
use crate::host_api::TransmitDescriptor;
use crate::host_api::call::ConnectionState;
use crate::ids::{KeyId, Tid, VrId};
use crate::wire::ParseError;
use crate::wire::data::{body_ethertype, ethernet_frames};
use crate::wire::ethernet::EthernetFrame;
use crate::wire::frame_control::FrameType;
use crate::wire::mac_header::{MacHeader, QosControl};

/// The longest MPDU, FCS left out (IEEE 802.11-2020 Table 9-25).
pub const MAX_MPDU_LENGTH: usize = 11_454;

/// Ethertype of EAPOL (IEEE 802.1X-2020 11.1.1).
pub const EAPOL_ETHERTYPE: u16 = 0x888e;

/// What the stages learnt about a frame on its way down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) kind: OutgoingKind,
    /// The frame's TID, where it has a QoS Control field.
    pub(crate) tid: Option<Tid>,
    /// The host asked to send it in the clear; only EAPOL may be.
    pub(crate) unprotected: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutgoingKind {
    Management,
    /// Data without a body: Null and QoS Null.
    Null,
    Eapol,
    Data,
}

impl OutgoingKind {
    /// True for what belongs to a connection and goes when it goes.
    pub(crate) const fn is_data(self) -> bool {
        !matches!(self, Self::Management)
    }
}

/// Parses a frame from the host.
pub(crate) fn parse(frame: &[u8]) -> Result<MacHeader, DropReason> {
    if frame.len() > MAX_MPDU_LENGTH {
        return Err(DropReason::Malformed);
    }
    MacHeader::parse(frame).map_err(|error| match error {
        ParseError::Truncated { .. } => DropReason::Truncated,
        ParseError::Invalid { .. } => DropReason::Malformed,
    })
}

/// Whose frame it is: by the identifier, and the source address must be that VM's; a legacy host's frame by the source
/// address alone.
pub(crate) fn attribute(
    table: &ConnectionTable,
    identifier: Option<VrId>,
    header: &MacHeader,
) -> Result<VrId, DropReason> {
    let source = header.addr2.ok_or(DropReason::Malformed)?;
    match identifier {
        None => table.row_of(source).ok_or(DropReason::NoSuchVm),
        Some(vr) => {
            let row = table.row(vr).ok_or(DropReason::NoSuchVm)?;
            if row.address() == source { Ok(vr) } else { Err(DropReason::ForeignSource) }
        }
    }
}

/// Whether the row may send this frame now.
pub(crate) fn admit(
    row: &Row,
    header: &MacHeader,
    frame: &[u8],
    descriptor: TransmitDescriptor,
) -> Result<Outgoing, DropReason> {
    let control = header.frame_control;
    let kind = match control.frame_type() {
        FrameType::Management => OutgoingKind::Management,
        FrameType::Data if control.subtype() & SUBTYPE_CONTENTION_FREE != 0 => return Err(DropReason::Malformed),
        FrameType::Data if control.subtype() & SUBTYPE_NO_DATA != 0 => OutgoingKind::Null,
        FrameType::Data => {
            let body = frame.get(header.length()..).unwrap_or_default();
            let is_amsdu = header.qos.is_some_and(QosControl::amsdu_present);
            if !is_amsdu && body_ethertype(body) == Some(EAPOL_ETHERTYPE) {
                OutgoingKind::Eapol
            } else {
                OutgoingKind::Data
            }
        }
        FrameType::Control | FrameType::Extension => return Err(DropReason::Malformed),
    };
    // The device numbers and protects; what says that it is numbered or protected already is not for it.
    if control.protected() {
        return Err(DropReason::Malformed);
    }
    if control.more_fragments() || header.sequence.is_some_and(|sequence| sequence.fragment != 0) {
        return Err(DropReason::Fragment);
    }
    let tid = header.qos.map(QosControl::tid);
    if tid.is_some_and(|tid| tid != descriptor.tid) {
        return Err(DropReason::Malformed);
    }
    let outgoing = Outgoing { kind, tid, unprotected: descriptor.unprotected };
    if kind.is_data() {
        if !control.to_ds() || control.from_ds() {
            return Err(DropReason::Malformed);
        }
        check_connection(row, header, outgoing)?;
        if kind == OutgoingKind::Data && header.qos.is_some_and(QosControl::amsdu_present) {
            check_subframes(row, frame)?;
        }
        protection(row, outgoing)?;
    }
    Ok(outgoing)
}

/// The key that a frame is sealed with, or `None` for what is sent in the clear.
///
/// Only ever the pairwise key: a unicast frame never falls back to the group key, and a frame to the DS is unicast on
/// the air whatever its destination is.
pub(crate) fn protection(row: &Row, outgoing: Outgoing) -> Result<Option<KeyId>, DropReason> {
    match outgoing.kind {
        OutgoingKind::Management | OutgoingKind::Null => Ok(None),
        OutgoingKind::Eapol if outgoing.unprotected => Ok(None),
        OutgoingKind::Eapol | OutgoingKind::Data => match row.keys().transmit() {
            Some(key_id) => Ok(Some(key_id)),
            None if row.connection().privacy => Err(DropReason::NoKey),
            None => Ok(None),
        },
    }
}

/// Each MSDU of an A-MSDU says its source for itself.
fn check_subframes(row: &Row, frame: &[u8]) -> Result<(), DropReason> {
    let mut is_own = true;
    let result = ethernet_frames(frame, &mut Vec::new(), |ethernet| {
        is_own &= EthernetFrame::new(ethernet).is_ok_and(|view| view.source() == row.address());
    });
    match result {
        Ok(()) if is_own => Ok(()),
        Ok(()) => Err(DropReason::ForeignSource),
        Err(_) => Err(DropReason::BadAmsdu),
    }
}

fn check_connection(row: &Row, header: &MacHeader, outgoing: Outgoing) -> Result<(), DropReason> {
    let needed = match outgoing.kind {
        OutgoingKind::Data => ConnectionState::Authorized,
        _ => ConnectionState::Associated,
    };
    if row.connection().state < needed {
        return Err(DropReason::NotConnected);
    }
    if header.addr1.is_group() || !row.is_in_bss(header.addr1) {
        return Err(DropReason::ForeignBss);
    }
    Ok(())
}

/// Bit of the subtype of data frames that carry no data (IEEE 802.11-2020 Table 9-1).
pub(crate) const SUBTYPE_NO_DATA: u8 = 0b0100;
/// Bits of the subtype of data frames that carry a contention-free acknowledgement or poll: long obsolete.
pub(crate) const SUBTYPE_CONTENTION_FREE: u8 = 0b0011;
