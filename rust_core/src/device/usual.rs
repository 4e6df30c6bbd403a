//! Frames as nearly all are: data from or to the access point with three addresses, whole, and protected by pairwise key
//! 0 or to be protected. They are read in a few wide loads.
//!
//! This decides nothing of its own: a frame is usual only where the stages of `receive` and `transmit` let it pass, and
//! is `None` wherever anything is not plain, for those stages to judge.

use super::connection_table::Row;
use super::drop_reason::DropReason;
use super::receive::classify;
use super::transmit::{EAPOL_ETHERTYPE, MAX_MPDU_LENGTH};
use super::virtual_mac::DuplicateClass;
use crate::host_api::PacketClass;
use crate::host_api::call::KeyScope;
use crate::ids::{KeyId, PacketNumber, Tid};
use crate::security::ccmp::HEADER_LENGTH as CCMP_HEADER_LENGTH;
use crate::security::replay::ReplayClass;
use crate::wire::data::body_ethertype;
use crate::wire::mac_header::THREE_ADDRESS_LENGTH;

/// What is read of the first octets of a data frame, little endian.
struct Header {
    /// Addresses 1 and 2.
    receiver: u64,
    transmitter: u64,
    /// Sequence Control.
    sequence: u64,
    /// The QoS Control field's first octet, without the field 0; and [`HAS_QOS`].
    qos: u32,
}

impl Header {
    /// From the first three words. `None` where the masked Frame Control field is another one, or the frame is a fragment,
    /// or to a group.
    #[inline]
    fn read([first, second, third]: [u64; 3], qos: u8, mask: u64, expected: u64) -> Option<Self> {
        let sequence = third >> 48;
        let is_usual = first & (mask | GROUP) == expected && sequence & FRAGMENT == 0;
        let receiver = first >> 32 | (second & 0xffff) << 32;
        let qos = if first & QOS != 0 { HAS_QOS | u32::from(qos) } else { 0 };
        is_usual.then_some(Self { receiver, transmitter: second >> 16, sequence, qos })
    }

    /// Octets of the MAC header.
    #[inline]
    const fn length(&self) -> usize {
        header_length(self.qos)
    }
}

#[inline]
const fn header_length(qos: u32) -> usize {
    THREE_ADDRESS_LENGTH + if qos & HAS_QOS != 0 { 2 } else { 0 }
}

/// The first words of a frame.
#[inline]
fn words(octets: &[u8]) -> Option<[u64; 3]> {
    let (words, _) = octets.first_chunk::<THREE_ADDRESS_LENGTH>()?.as_chunks::<8>();
    let [first, second, third] = *words else { return None };
    Some([first, second, third].map(u64::from_le_bytes))
}

/// Protocol version 0, Data or QoS Data.
const DATA: u64 = 0x0008;
const DATA_MASK: u64 = 0x007f;
const QOS: u64 = 0x0080;
const TO_DS: u64 = 0x0100;
const FROM_DS: u64 = 0x0200;
const MORE_FRAGMENTS: u64 = 0x0400;
const RETRY: u64 = 0x0800;
const PROTECTED: u64 = 0x4000;
const ORDER: u64 = 0x8000;
/// The first bit of Address 1.
const GROUP: u64 = 1 << 32;
/// The fragment number in Sequence Control.
const FRAGMENT: u64 = 0x000f;
const AMSDU_PRESENT: u32 = 0x80;
const HAS_QOS: u32 = 0x100;
/// Octets of headers, and of the code of CCMP-256.
const SHORTEST: usize = THREE_ADDRESS_LENGTH + 2 + CCMP_HEADER_LENGTH + 16;
/// `ExtIV`, and the key's identifier, in the fourth octet of a CCMP header.
const CCMP_KEY_OCTET: u64 = 0xe0 << 24;
const CCMP_KEY_0: u64 = 0x20 << 24;

/// A usual frame from the access point, before it is opened.
///
/// Two numbers, so that it stays in registers until it is written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct UsualUp {
    /// The packet number in the 48 low bits, the sequence number above.
    numbers: u64,
    /// [`HAS_QOS`] and the first octet of the QoS Control field; or [`LISTED`].
    qos: u32,
}

/// It is not usual: `numbers` is its place on a list of others.
const LISTED: u32 = 1 << 31;

impl UsualUp {
    /// A frame that is not usual, in the room of one that is: it stands on a list of others at that place.
    pub(super) const fn listed(place: u32) -> Self {
        Self { numbers: place as u64, qos: LISTED }
    }

    /// That place.
    #[inline]
    pub(super) fn place(self) -> Option<usize> {
        if self.qos & LISTED == 0 { None } else { usize::try_from(self.numbers).ok() }
    }

    /// The stages before the key, for a frame that the row's address received; and how long the frame becomes.
    #[inline]
    pub(super) fn admit(row: &Row, frame: &[u8]) -> Option<(Self, u32)> {
        const MASK: u64 = DATA_MASK | TO_DS | FROM_DS | MORE_FRAGMENTS | RETRY | PROTECTED | ORDER;
        // No QoS frame is shorter that is protected with the longest code; others are not many.
        let start =
            frame.first_chunk::<SHORTEST>()?.first_chunk::<{ THREE_ADDRESS_LENGTH + 2 + CCMP_HEADER_LENGTH }>()?;
        let [.., qos, _, _, _, _, _, _, _, _, _] = *start;
        let header = Header::read(words(start)?, qos, MASK, DATA | FROM_DS | PROTECTED)?;
        let (with_qos, without) = (start.last_chunk()?, start.get(THREE_ADDRESS_LENGTH..)?.first_chunk()?);
        let ccmp = u64::from_le_bytes(if header.qos & HAS_QOS != 0 { *with_qos } else { *without });
        let packet_number = PacketNumber::from_low_bits(ccmp >> 32 << 16 | ccmp & 0xffff);
        let key = row.keys().find(KeyScope::Pairwise, KeyId::from_low_bits(0))?;
        let length = key.opened_length(frame)?;
        let is_usual = ccmp & CCMP_KEY_OCTET == CCMP_KEY_0
            && frame.len() <= MAX_MPDU_LENGTH
            && row.gate().lets_up(header.transmitter)
            && key.replay().check(ReplayClass::Priority(tid(header.qos)), packet_number);
        let numbers = packet_number.value() | header.sequence >> 4 << 48;
        #[expect(clippy::cast_possible_truncation, reason = "the frame is no longer than an MPDU may be")]
        is_usual.then_some((Self { numbers, qos: header.qos }, length as u32))
    }

    /// The stages behind the key. Without the Retry bit nothing is a copy. What the frame is to the host matters only where
    /// the connection lets nothing but EAPOL pass.
    #[inline]
    pub(super) fn pass(self, row: &mut Row, class: impl FnOnce() -> PacketClass) -> Result<(), DropReason> {
        let key = row.keys.find_mut(KeyScope::Pairwise, KeyId::from_low_bits(0)).ok_or(DropReason::NoKey)?;
        let tid = tid(self.qos);
        if !key.replay_mut().advance(ReplayClass::Priority(tid), PacketNumber::from_low_bits(self.numbers)) {
            return Err(DropReason::Replay);
        }
        let has_qos = self.qos & HAS_QOS != 0;
        let sequence = u16::try_from(self.numbers >> 48).unwrap_or_default();
        row.duplicates.remember(DuplicateClass::Data(has_qos.then_some(tid)), sequence);
        if !row.gate().lets_data() && class() == PacketClass::Data {
            return Err(DropReason::NotConnected);
        }
        Ok(())
    }

    /// What it is to the host, once it was opened.
    #[inline]
    pub(super) fn class(self, plain: &[u8]) -> PacketClass {
        classify(plain, header_length(self.qos), self.qos & AMSDU_PRESENT != 0)
    }
}

/// The traffic identifier of a QoS Control field; 0 without one.
#[inline]
const fn tid(qos: u32) -> Tid {
    let [qos, ..] = qos.to_le_bytes();
    Tid::from_low_bits(qos)
}

/// A usual frame to the access point: the key's identifier, the packet number that it gets, and how long it becomes.
#[inline(always)]
pub(super) fn admit_down(row: &mut Row, frame: &[u8]) -> Option<(KeyId, PacketNumber, u32)> {
    const MASK: u64 = DATA_MASK | TO_DS | FROM_DS | MORE_FRAGMENTS | PROTECTED | ORDER;
    let words = words(frame)?;
    let has_qos = words[0] & QOS != 0;
    let qos = if has_qos { *frame.get(THREE_ADDRESS_LENGTH)? } else { 0 };
    let header = Header::read(words, qos, MASK, DATA | TO_DS)?;
    let is_usual = header.qos & AMSDU_PRESENT == 0
        && frame.len() <= MAX_MPDU_LENGTH
        && row.gate().lets_down(header.receiver)
        && body_ethertype(frame.get(header.length()..)?) != Some(EAPOL_ETHERTYPE);
    let key_id = row.keys().transmit().filter(|_| is_usual)?;
    let key = row.keys.find_mut(KeyScope::Pairwise, key_id)?;
    let length = key.sealed_length(frame)?;
    #[expect(clippy::cast_possible_truncation, reason = "65,535 at most")]
    Some((key_id, key.next_packet_number()?, length as u32))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::receive::{self, Way};
    use super::super::transmit;
    use super::*;
    use crate::host_api::TransmitDescriptor;
    use crate::host_api::call::{CipherSuite, Connection, ConnectionState, Parameters};
    use crate::ids::{MacAddr, VmId, VrId};
    use crate::wire::mac_header::{MacHeader, QosControl};

    const STATION: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
    const ACCESS_POINT: MacAddr = MacAddr([2, 0, 0, 0, 1, 0]);

    fn row_with(state: ConnectionState, forward_protected: bool, cipher: CipherSuite, key_id: u8) -> Row {
        let mut table = super::super::ConnectionTable::new(1);
        let (vr, zero) = (VrId::new(0), PacketNumber::default());
        table.add(vr, VmId::new(0), STATION).unwrap();
        let connection = Connection { state, bssid: ACCESS_POINT, privacy: true, ..Connection::default() };
        table.set_connection(vr, connection).unwrap();
        table.set_parameters(vr, Parameters { forward_protected, ..Parameters::default() }).unwrap();
        let mut row = *table.remove(vr).unwrap();
        let key = vec![7; if cipher == CipherSuite::CCMP_256 { 32 } else { 16 }];
        row.keys.install(KeyScope::Pairwise, KeyId::from_low_bits(key_id), cipher, &key, zero).unwrap();
        row
    }

    fn rows() -> impl Strategy<Value = (ConnectionState, bool, CipherSuite, u8)> {
        let states = (0..4_u8).prop_map(|state| ConnectionState::from_value(state).unwrap());
        let ciphers = prop_oneof![Just(CipherSuite::CCMP_128), Just(CipherSuite::CCMP_256)];
        (prop_oneof![3 => Just(ConnectionState::Authorized), 1 => states], prop::bool::weighted(0.2), ciphers, 0..2_u8)
    }

    /// Frames that are usual, but for what is changed at some places.
    fn frames(control: u16, first: MacAddr, second: MacAddr) -> impl Strategy<Value = Vec<u8>> {
        let subtypes = prop_oneof![Just(0x0008_u16), Just(0x0088)];
        let bodies = prop_oneof![
            3 => prop::collection::vec(any::<u8>(), 0..60),
            1 => Just(vec![0xaa, 0xaa, 3, 0, 0, 0, 0x88, 0x8e]),
        ];
        let changes = prop::collection::vec((0..40_usize, any::<u8>()), 0..3);
        (subtypes, 0..3_u8, any::<u8>(), bodies, changes).prop_map(move |(subtype, number, qos, body, changes)| {
            let mut frame = (control | subtype).to_le_bytes().to_vec();
            frame.extend_from_slice(&[0, 0]);
            for address in [first, second, second] {
                frame.extend_from_slice(&address.octets());
            }
            frame.extend_from_slice(&[0x50, 0]);
            if subtype & 0x80 != 0 {
                frame.extend_from_slice(&[qos, 0]);
            }
            if control & 0x4000 != 0 {
                frame.extend_from_slice(&[number, 0, 0, 0x20, 0, 0, 0, 0]);
            }
            frame.extend_from_slice(&body);
            for (at, value) in changes {
                if let Some(octet) = frame.get_mut(at) {
                    *octet = value;
                }
            }
            frame
        })
    }

    fn dump(row: &Row) -> String {
        format!("{row:?}")
    }

    proptest! {
        #[test]
        fn what_is_usual_on_its_way_up_is_what_the_stages_let_pass(
            (state, forward, cipher, key_id) in rows(),
            frame in frames(0x4200, STATION, ACCESS_POINT),
        ) {
            let mut row = row_with(state, forward, cipher, key_id);
            let Some((usual, length)) = UsualUp::admit(&row, &frame) else { return Ok(()) };
            let header = MacHeader::parse(&frame).unwrap();
            let way = receive::admit_to_row(&row, &header, &frame);
            let Ok(way @ Way::Open(opening, _)) = way else { panic!("not opened: {way:?}") };
            prop_assert_eq!((opening.scope, opening.key_id.value()), (KeyScope::Pairwise, 0));
            prop_assert_eq!(opening.length, length);
            let before = dump(&row);
            let plain = &frame[..length as usize];
            let expected = receive::pass(&mut row, way, plain);
            let after = dump(&row);
            // The same once more, by the other way, on a row like the first.
            let mut other = row_with(state, forward, cipher, key_id);
            prop_assert_eq!(dump(&other), before);
            let class = usual.class(plain);
            prop_assert_eq!(usual.pass(&mut other, || class).map(|()| class), expected);
            prop_assert_eq!(dump(&other), after);
        }

        #[test]
        fn what_is_usual_on_its_way_down_is_what_the_stages_let_pass(
            (state, forward, cipher, key_id) in rows(),
            frame in frames(0x0100, ACCESS_POINT, STATION),
        ) {
            let mut row = row_with(state, forward, cipher, key_id);
            let Some((key_id, number, length)) = admit_down(&mut row, &frame) else { return Ok(()) };
            let header = MacHeader::parse(&frame).unwrap();
            let tid = header.qos.map(QosControl::tid).unwrap_or_default();
            let descriptor = TransmitDescriptor { tid, ..TransmitDescriptor::default() };
            let outgoing = transmit::admit(&row, &header, &frame, descriptor).expect("admitted");
            prop_assert_eq!(transmit::protection(&row, outgoing), Ok(Some(key_id)));
            let key = row.keys().find(KeyScope::Pairwise, key_id).unwrap();
            prop_assert_eq!((number.value(), key.transmitted().value()), (1, 1));
            prop_assert_eq!(key.key().sealed_length(&frame), Some(length as usize));
        }
    }

    #[test]
    fn a_frame_as_nearly_all_are_is_usual() {
        for cipher in [CipherSuite::CCMP_128, CipherSuite::CCMP_256] {
            let mut row = row_with(ConnectionState::Authorized, false, cipher, 0);
            for control in [0x4208_u16, 0x4288] {
                let mut frame = control.to_le_bytes().to_vec();
                frame.extend_from_slice(&[0, 0]);
                for address in [STATION, ACCESS_POINT, ACCESS_POINT] {
                    frame.extend_from_slice(&address.octets());
                }
                frame.extend_from_slice(&[0x50, 0]);
                if control & 0x80 != 0 {
                    frame.extend_from_slice(&[5, 0]);
                }
                frame.extend_from_slice(&[1, 0, 0, 0x20, 0, 0, 0, 0]);
                frame.extend_from_slice(&[0; 24]);
                assert!(UsualUp::admit(&row, &frame).is_some());
                frame[..2].copy_from_slice(&((control & !0x4200) | 0x0100).to_le_bytes());
                frame[4..10].copy_from_slice(&ACCESS_POINT.octets());
                assert!(admit_down(&mut row, &frame).is_some());
            }
        }
    }
}
