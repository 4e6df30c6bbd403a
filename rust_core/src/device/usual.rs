//! Frames as nearly all are: data from or to the access point with three addresses, whole, and protected by pairwise key
//! 0 or to be protected. They are read in a few wide loads.
//!
//! This decides nothing of its own: a frame is usual only where the stages of `receive` and `transmit` let it pass, and
//! is `None` wherever anything is not plain, for those stages to judge.

use super::connection_table::Row;
use super::drop_reason::DropReason;
use super::receive::{check_class, classify};
use super::transmit::{EAPOL_ETHERTYPE, MAX_MPDU_LENGTH};
use super::virtual_mac::DuplicateClass;
use crate::host_api::PacketClass;
use crate::host_api::call::{ConnectionState, KeyScope};
use crate::ids::{KeyId, MacAddr, PacketNumber, Tid};
use crate::security::ccmp::HEADER_LENGTH as CCMP_HEADER_LENGTH;
use crate::security::replay::ReplayClass;
use crate::wire::data::body_ethertype;
use crate::wire::mac_header::THREE_ADDRESS_LENGTH;

/// The first 24 octets of a data frame, little endian.
struct Header {
    control: u64,
    addr1: MacAddr,
    addr2: MacAddr,
    /// Sequence Control.
    sequence: u64,
    /// The header's length, and its QoS Control field's first octet; without the field, 0.
    length: usize,
    qos: u8,
}

impl Header {
    /// `None` where the masked Frame Control field is another one, or the frame is a fragment, to a group, too short or
    /// too long.
    #[inline]
    fn read(frame: &[u8], mask: u64, expected: u64) -> Option<Self> {
        let (words, _) = frame.first_chunk::<THREE_ADDRESS_LENGTH>()?.as_chunks::<8>();
        let [first, second, third] = *words else { return None };
        let (first, second, third) = (u64::from_le_bytes(first), u64::from_le_bytes(second), u64::from_le_bytes(third));
        let [control, addr1_start, addr1_end] = [first & 0xffff, first >> 32, second & 0xffff];
        let [a, b, c, d, e, f, ..] = (addr1_start | addr1_end << 32).to_le_bytes();
        let [g, h, i, j, k, l, ..] = (second >> 16).to_le_bytes();
        let (addr1, addr2) = (MacAddr([a, b, c, d, e, f]), MacAddr([g, h, i, j, k, l]));
        let sequence = third >> 48;
        let has_qos = control & QOS != 0;
        let is_usual = control & mask == expected
            && addr1_start & 1 == 0
            && sequence.trailing_zeros() >= FRAGMENT_BITS
            && frame.len() <= MAX_MPDU_LENGTH;
        let qos = if has_qos { *frame.get(THREE_ADDRESS_LENGTH)? } else { 0 };
        let length = THREE_ADDRESS_LENGTH + if has_qos { 2 } else { 0 };
        is_usual.then_some(Self { control, addr1, addr2, sequence, length, qos })
    }

    #[inline]
    const fn tid(&self) -> Tid {
        Tid::from_low_bits(self.qos & 0x0f)
    }
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
/// Bits of the fragment number in Sequence Control; a field of zeros has more than these.
const FRAGMENT_BITS: u32 = 4;
const AMSDU_PRESENT: u8 = 0x80;
const HAS_QOS: u32 = 0x100;
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
    /// [`HAS_QOS`] and the first octet of the QoS Control field.
    qos: u32,
}

impl UsualUp {
    /// The stages before the key, for a frame that the row's address received; and how long the frame becomes.
    #[inline]
    pub(super) fn admit(row: &Row, frame: &[u8]) -> Option<(Self, usize)> {
        const MASK: u64 = DATA_MASK | TO_DS | FROM_DS | MORE_FRAGMENTS | RETRY | PROTECTED | ORDER;
        let header = Header::read(frame, MASK, DATA | FROM_DS | PROTECTED)?;
        let ccmp = u64::from_le_bytes(*frame.get(header.length..)?.first_chunk::<CCMP_HEADER_LENGTH>()?);
        let packet_number = PacketNumber::from_low_bits(ccmp >> 32 << 16 | ccmp & 0xffff);
        let key = row.keys().find(KeyScope::Pairwise, KeyId::from_low_bits(0))?;
        let length = key.opened_length(frame)?;
        let is_usual = ccmp & CCMP_KEY_OCTET == CCMP_KEY_0
            && length >= header.length
            && row.is_in_bss(header.addr2)
            && row.state() >= ConnectionState::Associated
            && !row.forwards_protected()
            && key.replay().check(ReplayClass::Priority(header.tid()), packet_number);
        let numbers = packet_number.value() | header.sequence >> 4 << 48;
        let qos = if header.control & QOS != 0 { HAS_QOS } else { 0 } | u32::from(header.qos);
        is_usual.then_some((Self { numbers, qos }, length))
    }

    /// The stages behind the key. Without the Retry bit nothing is a copy.
    #[inline]
    pub(super) fn pass(self, row: &mut Row, class: PacketClass) -> Result<PacketClass, DropReason> {
        let key = row.keys.find_mut(KeyScope::Pairwise, KeyId::from_low_bits(0)).ok_or(DropReason::NoKey)?;
        let [qos, ..] = self.qos.to_le_bytes();
        let tid = Tid::from_low_bits(qos & 0x0f);
        if !key.replay_mut().advance(ReplayClass::Priority(tid), PacketNumber::from_low_bits(self.numbers)) {
            return Err(DropReason::Replay);
        }
        let has_qos = self.qos & HAS_QOS != 0;
        let sequence = u16::try_from(self.numbers >> 48).unwrap_or_default();
        row.mac.duplicates.remember(DuplicateClass::Data(has_qos.then_some(tid)), sequence);
        check_class(row, class, false).map(|()| class)
    }

    /// What it is to the host, once it was opened.
    #[inline]
    pub(super) fn class(self, plain: &[u8]) -> PacketClass {
        let [qos, ..] = self.qos.to_le_bytes();
        let header_length = THREE_ADDRESS_LENGTH + if self.qos & HAS_QOS != 0 { 2 } else { 0 };
        classify(plain, header_length, qos & AMSDU_PRESENT != 0)
    }
}

/// A usual frame to the access point: the key's identifier, the packet number that it gets, and how long it becomes.
#[inline(always)]
pub(super) fn admit_down(row: &mut Row, frame: &[u8]) -> Option<(KeyId, PacketNumber, usize)> {
    const MASK: u64 = DATA_MASK | TO_DS | FROM_DS | MORE_FRAGMENTS | PROTECTED | ORDER;
    let header = Header::read(frame, MASK, DATA | TO_DS)?;
    let is_usual = header.qos & AMSDU_PRESENT == 0
        && row.is_in_bss(header.addr1)
        && row.state() == ConnectionState::Authorized
        && body_ethertype(frame.get(header.length..)?) != Some(EAPOL_ETHERTYPE);
    let key_id = row.keys().transmit().filter(|_| is_usual)?;
    let key = row.keys.find_mut(KeyScope::Pairwise, key_id)?;
    let length = key.sealed_length(frame)?;
    Some((key_id, key.next_packet_number()?, length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::receive::{self, Way};
    use super::super::transmit;
    use super::*;
    use crate::host_api::TransmitDescriptor;
    use crate::host_api::call::{CipherSuite, Connection, Parameters};
    use crate::ids::{VmId, VrId};
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
            prop_assert_eq!(opening.length as usize, length);
            let before = dump(&row);
            let plain = &frame[..length];
            let expected = receive::pass(&mut row, way, plain);
            let after = dump(&row);
            // The same once more, by the other way, on a row like the first.
            let mut other = row_with(state, forward, cipher, key_id);
            prop_assert_eq!(dump(&other), before);
            prop_assert_eq!(usual.pass(&mut other, usual.class(plain)), expected);
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
            prop_assert_eq!(key.key().sealed_length(&frame), Some(length));
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
