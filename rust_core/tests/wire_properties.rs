//! Properties of the wire formats: `parse(emit(x)) == x`, every prefix parses or is truncated, no octets panic.

use polyradio_core::ids::{MacAddr, Tid};
use polyradio_core::wire::ParseError;
use polyradio_core::wire::data::{MsduError, emit_data_frame, ethernet_frames};
use polyradio_core::wire::eapol_key::EapolKey;
use polyradio_core::wire::element::{Elements, defragment, element_id, emit_element};
use polyradio_core::wire::ethernet;
use polyradio_core::wire::frame_control::{FrameControl, FrameType, data_subtype, management_subtype as subtype};
use polyradio_core::wire::mac_header::{MacHeader, QosControl, SequenceControl, set_sequence};
use polyradio_core::wire::management::Management;
use polyradio_core::wire::rsn_element::RsnElement;
use proptest::array::{uniform6, uniform8, uniform16, uniform32};
use proptest::collection::vec;
use proptest::prelude::*;

fn address() -> impl Strategy<Value = MacAddr> {
    uniform6(any::<u8>()).prop_map(MacAddr)
}

/// Frames of all kinds: Frame Control without a protocol version, then anything.
fn mpdu() -> impl Strategy<Value = Vec<u8>> {
    (vec(any::<u8>(), 0..200), any::<bool>()).prop_map(|(mut octets, is_data)| {
        if let Some(first) = octets.first_mut() {
            *first = if is_data { *first & 0xf0 | 0x08 } else { *first & 0xfc };
        }
        octets
    })
}

fn elements() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    vec((any::<u8>(), vec(any::<u8>(), 0..=255)), 0..6)
}

/// A frame with the fixed fields of its subtype.
fn management() -> impl Strategy<Value = Management> {
    let addresses = (address(), address(), address(), address());
    let numbers = (any::<u64>(), uniform8(any::<u16>()));
    (0_u8..16, addresses, numbers, elements()).prop_map(|(subtype, addresses, numbers, elements)| {
        let (destination, source, bssid, other) = addresses;
        let (timestamp, [sequence, interval, capability, listen, status, aid, transaction, reason]) = numbers;
        let mut frame = Management {
            subtype,
            destination,
            source,
            bssid,
            sequence_number: sequence & 0x0fff,
            elements,
            ..Management::default()
        };
        match subtype {
            subtype::ASSOCIATION_REQUEST => (frame.capability, frame.listen_interval) = (capability, listen),
            subtype::REASSOCIATION_REQUEST => {
                (frame.capability, frame.listen_interval, frame.current_ap) = (capability, listen, other);
            }
            subtype::ASSOCIATION_RESPONSE | subtype::REASSOCIATION_RESPONSE => {
                (frame.capability, frame.status, frame.association_id) = (capability, status, aid & 0x3fff);
            }
            subtype::PROBE_REQUEST => {}
            subtype::PROBE_RESPONSE | subtype::BEACON => {
                (frame.timestamp, frame.beacon_interval, frame.capability) = (timestamp, interval, capability);
            }
            subtype::DISASSOCIATION | subtype::DEAUTHENTICATION => frame.reason = reason,
            subtype::AUTHENTICATION => {
                (frame.algorithm, frame.transaction, frame.status) = (interval % 3, transaction, status);
            }
            _ => {
                frame.elements.clear();
                frame.rest = timestamp.to_le_bytes().to_vec();
            }
        }
        frame
    })
}

fn rsn_element() -> impl Strategy<Value = RsnElement> {
    let suites = || vec(any::<u32>(), 0..5);
    let pmkids = vec(uniform16(any::<u8>()), 0..3);
    (any::<[u16; 2]>(), any::<u32>(), suites(), suites(), pmkids, any::<Option<u32>>()).prop_map(
        |([version, capabilities], group_cipher, pairwise_ciphers, akm_suites, pmkids, group_management_cipher)| {
            RsnElement {
                version,
                group_cipher,
                pairwise_ciphers,
                akm_suites,
                capabilities,
                pmkids,
                group_management_cipher,
            }
        },
    )
}

fn eapol_key() -> impl Strategy<Value = EapolKey> {
    let numbers = (any::<[u8; 2]>(), any::<[u16; 2]>(), any::<u64>());
    let octets = (uniform32(any::<u8>()), uniform16(any::<u8>()), uniform8(any::<u8>()));
    let mic = prop_oneof![Just(0_usize), Just(16), Just(24)].prop_flat_map(|length| vec(any::<u8>(), length));
    (numbers, octets, mic, vec(any::<u8>(), 0..300)).prop_map(|(numbers, octets, mic, key_data)| {
        let ([protocol_version, descriptor_type], [key_information, key_length], replay_counter) = numbers;
        let (nonce, iv, rsc) = octets;
        EapolKey {
            protocol_version,
            descriptor_type,
            key_information,
            key_length,
            replay_counter,
            nonce,
            iv,
            rsc,
            mic,
            key_data,
        }
    })
}

/// An Ethernet II frame, its Ethertype where data frames carry it.
fn ethernet_frame() -> impl Strategy<Value = Vec<u8>> {
    (address(), address(), 0x0600_u16.., vec(any::<u8>(), 0..300)).prop_map(|(destination, source, kind, payload)| {
        let mut octets = Vec::new();
        ethernet::emit_header(destination, source, kind, &mut octets);
        octets.extend(payload);
        octets
    })
}

fn delivered(mpdu: &[u8]) -> Result<Vec<Vec<u8>>, MsduError> {
    let mut frames = Vec::new();
    ethernet_frames(mpdu, &mut Vec::new(), |frame| frames.push(frame.to_vec())).map(|()| frames)
}

fn written(emit: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    emit(&mut out);
    out
}

proptest! {
    #[test]
    fn a_header_is_written_as_it_was_read_and_every_prefix_of_it_is_truncated(octets in mpdu()) {
        if let Ok(header) = MacHeader::parse(&octets) {
            let (own, _) = octets.split_at(header.length());
            prop_assert_eq!(written(|out| header.emit(out)), own);
            for end in 0..own.len() {
                let cut = MacHeader::parse(own.get(..end).unwrap_or_default());
                let is_truncated = matches!(
                    cut,
                    Err(ParseError::Truncated { needed, had, at, .. }) if at + had == end && had < needed
                );
                prop_assert!(is_truncated, "{} octets: {:?}", end, cut);
            }
        }
    }

    #[test]
    fn a_sequence_control_field_survives(field in any::<[u8; 2]>()) {
        prop_assert_eq!(SequenceControl::from_octets(field).octets(), field);
    }

    #[test]
    fn a_management_frame_is_read_as_it_was_written(frame in management()) {
        let octets = written(|out| frame.emit(out));
        prop_assert_eq!(Management::parse(&octets), Ok(frame));
    }

    #[test]
    fn a_prefix_of_a_management_frame_is_a_frame_with_a_rest_or_truncated(frame in management()) {
        let octets = written(|out| frame.emit(out));
        for end in 0..octets.len() {
            let prefix = octets.get(..end).unwrap_or_default();
            match Management::parse(prefix) {
                Ok(read) => prop_assert_eq!(written(|out| read.emit(out)), prefix),
                Err(error) => prop_assert!(matches!(error, ParseError::Truncated { .. }), "{}: {}", end, error),
            }
        }
    }

    #[test]
    fn what_is_read_of_any_management_frame_survives(octets in vec(any::<u8>(), 24..200), subtype in 0_u8..16) {
        let control = FrameControl::new(FrameType::Management, subtype).octets();
        let mut frame: Vec<u8> = control.into_iter().chain(octets).collect();
        // The body of a later fragment is opaque, and the fragment number is not kept.
        let is_long_enough = set_sequence(&mut frame, SequenceControl { number: 5, fragment: 0 });
        prop_assert!(is_long_enough);
        if let Ok(read) = Management::parse(&frame) {
            prop_assert_eq!(Management::parse(&written(|out| read.emit(out))), Ok(read));
        }
    }

    #[test]
    fn elements_are_read_as_they_were_written(elements in elements(), junk in vec(any::<u8>(), 0..20)) {
        let mut octets = written(|out| for (id, data) in &elements { emit_element(*id, data, out); });
        let read: Result<Vec<_>, _> = Elements::new(&octets).map(|each| each.map(|it| (it.id, it.data.to_vec()))).collect();
        prop_assert_eq!(read, Ok(elements));
        octets.extend(junk);
        let mut rest = Elements::new(&octets);
        let again = written(|out| {
            while let Some(Ok(element)) = rest.next() {
                emit_element(element.id, element.data, out);
            }
        });
        prop_assert!(octets.starts_with(&again));
    }

    #[test]
    fn a_fragmented_element_is_put_together(data in vec(any::<u8>(), 0..1500), behind in elements()) {
        let octets = written(|out| {
            let first = data.len().min(254);
            let (head, mut tail) = data.split_at(first);
            emit_element(element_id::EXTENSION, &[&[107], head].concat(), out);
            // A last element of 255 octets is followed by an empty one, or by one that is no fragment.
            while !tail.is_empty() {
                let (fragment, rest) = tail.split_at(tail.len().min(255));
                emit_element(element_id::FRAGMENT, fragment, out);
                tail = rest;
            }
            emit_element(element_id::SSID, b"behind", out);
            for (id, data) in &behind {
                emit_element(*id, data, out);
            }
        });
        prop_assert_eq!(defragment(&octets), Ok(data));
    }

    #[test]
    fn an_rsn_element_is_read_as_it_was_written(element in rsn_element(), octets in vec(any::<u8>(), 0..80)) {
        let data = written(|out| element.emit(out));
        prop_assert_eq!(RsnElement::parse(&data), Ok(element));
        for end in 0..data.len() {
            if let Err(error) = RsnElement::parse(data.get(..end).unwrap_or_default()) {
                prop_assert!(matches!(error, ParseError::Truncated { .. }), "{}: {}", end, error);
            }
        }
        if let Ok(read) = RsnElement::parse(&octets) {
            prop_assert_eq!(RsnElement::parse(&written(|out| read.emit(out))), Ok(read));
        }
    }

    #[test]
    fn an_eapol_key_frame_is_read_as_it_was_written(key in eapol_key(), padding in 0_usize..8) {
        let mut pdu = written(|out| assert!(key.emit(out)));
        for end in 0..pdu.len() {
            let cut = EapolKey::parse(pdu.get(..end).unwrap_or_default(), key.mic.len());
            prop_assert!(matches!(cut, Err(ParseError::Truncated { .. })), "{}", end);
        }
        pdu.resize(pdu.len() + padding, 0);
        prop_assert_eq!(EapolKey::parse(&pdu, key.mic.len()), Ok(key));
    }

    #[test]
    fn an_ethernet_frame_survives_the_air(
        frame in ethernet_frame(), bssid in address(), to_ds: bool, tid in proptest::option::of(0_u8..16),
    ) {
        let tid = tid.map(Tid::from_low_bits);
        let mut mpdu = Vec::new();
        prop_assert_eq!(emit_data_frame(&frame, bssid, to_ds, tid, &mut mpdu), Ok(()));
        prop_assert_eq!(MacHeader::parse(&mpdu).map(|header| header.bssid()), Ok(Some(bssid)));
        prop_assert_eq!(delivered(&mpdu), Ok(vec![frame]));
    }

    #[test]
    fn an_amsdu_delivers_all_its_frames_or_none(frames in vec(ethernet_frame(), 1..4), cut: prop::sample::Index) {
        let control = FrameControl::data(data_subtype::QOS_DATA).with_from_ds(true);
        let [receiver, transmitter] = [MacAddr([2; 6]), MacAddr([4; 6])];
        let mut header = MacHeader::three_address(control, receiver, transmitter, transmitter);
        header.qos = Some(QosControl(0x80));
        let mut mpdu = written(|out| header.emit(out));
        for frame in &frames {
            let subframe = written(|out| assert!(emit_data_frame(frame, transmitter, true, None, out).is_ok()));
            let (addresses, _) = frame.split_at(12);
            let (_, body) = subframe.split_at(24);
            mpdu.resize(26 + (mpdu.len() - 26).next_multiple_of(4), 0);
            mpdu.extend_from_slice(addresses);
            mpdu.extend(u16::try_from(body.len()).map(u16::to_be_bytes).unwrap_or_default());
            mpdu.extend_from_slice(body);
        }
        let prefix = mpdu.get(..26 + cut.index(mpdu.len() - 26)).unwrap_or_default();
        match delivered(prefix) {
            Ok(whole) => prop_assert!(frames.starts_with(&whole)),
            Err(error) => prop_assert!(matches!(error, MsduError::Unreadable(ParseError::Truncated { .. })), "{}", error),
        }
        prop_assert_eq!(delivered(&mpdu), Ok(frames));
    }

    #[test]
    fn no_data_frame_delivers_more_than_it_holds(octets in mpdu()) {
        if let Ok(frames) = delivered(&octets) {
            prop_assert!(frames.iter().map(Vec::len).sum::<usize>() <= octets.len());
        }
    }
}
