//! Tests of CCMP as a whole; those with vectors from files are in `tests/security_vectors.rs`.

use proptest::prelude::*;

use super::*;
use crate::ids::Tid;

/// IEEE 802.11-2020 J.6.4, the CCMP-128 example.
const KEY: [u8; 16] = 0xc97c_1f67_ce37_1185_514a_8a19_f2bd_d52f_u128.to_be_bytes();
const NUMBER: PacketNumber = PacketNumber::from_low_bits(0xb503_9776_e70c);
const HEADER: &str = "0848c32c0fd2e128a57c5030f1844408abaea5b8fcba8033";
const BODY: &str = "f8ba1a55d02f85ae967bb62fb6cda8eb7e78a050";
const PROTECTED_BODY: &str = "0ce70020769703b5f3d0a2fe9a3dbf2342a643e43246e80c3c04d0197845ce0b16f97623";

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn key() -> CcmpKey {
    CcmpKey::new(&KEY).unwrap()
}

fn seal(key: &CcmpKey, mpdu: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    key.seal(mpdu, NUMBER, KeyId::from_low_bits(0), &mut out).unwrap();
    out
}

fn open(key: &CcmpKey, mpdu: &[u8]) -> Result<Vec<u8>, OpenError> {
    let mut out = b"before".to_vec();
    let result = key.open(mpdu, &mut out);
    assert!(out.starts_with(b"before") && (result.is_ok() || out.len() == 6), "the output is as before");
    result.map(|_| out.split_off(6))
}

/// A QoS data frame with four addresses and HT Control: everything that a header can hold.
fn full_frame() -> Vec<u8> {
    let mut frame = hex(HEADER);
    frame[0] = 0x88;
    frame[1] = 0x83;
    frame.extend_from_slice(&[4; 6]);
    frame.extend_from_slice(&[0x95, 0x77]);
    frame.extend_from_slice(&[9; 4]);
    frame.extend_from_slice(b"body");
    frame
}

#[test]
fn the_example_of_the_standard_is_sealed_and_opened() {
    let (plain, sealed) = (hex(&[HEADER, BODY].concat()), hex(&[HEADER, PROTECTED_BODY].concat()));
    assert_eq!(seal(&key(), &plain), sealed);
    let mut opened = Vec::new();
    assert_eq!(key().open(&sealed, &mut opened), Ok(NUMBER));
    let mut cleared = plain;
    cleared[1] &= !0x40;
    assert_eq!(opened, cleared);
    assert_eq!(seal(&key(), &opened), sealed, "the Protected Frame bit need not be set before");
}

/// The AAD, out of B1 and B2.
fn aad(layout: &Layout, spp_amsdu: bool) -> Vec<u8> {
    let blocks = layout.aad(if spp_amsdu { 0x8f } else { 0x0f });
    let octets: Vec<u8> = blocks.iter().flatten().flat_map(|word| word.to_le_bytes()).collect();
    let length = usize::from(octets[0]) << 8 | usize::from(octets[1]);
    assert!(octets[2 + length..].iter().all(|octet| *octet == 0), "zeros behind it");
    octets[2..2 + length].to_vec()
}

/// The nonce, out of B0.
fn nonce(layout: &Layout) -> Vec<u8> {
    let block: Vec<u8> = layout.first_block(NUMBER, 8, 0x1234).iter().flat_map(|word| word.to_le_bytes()).collect();
    assert_eq!((block[0], &block[14..]), (0x59, &[0x12, 0x34][..]));
    block[1..14].to_vec()
}

#[test]
fn associated_data_masks_what_may_change_on_the_way() {
    let layout = Layout::of(&full_frame()).unwrap();
    assert_eq!(layout.length(), 36);
    let masked = aad(&layout, false);
    // Subtype bits 4 to 6, Retry, Power Management, More Data and Order are 0, Protected Frame is 1.
    assert_eq!(masked[..2], [0x88, 0x43]);
    assert_eq!(masked[2..20], full_frame()[4..22]);
    assert_eq!(masked[20..], [0, 0, 4, 4, 4, 4, 4, 4, 0x05, 0]);
    assert_eq!(aad(&layout, true)[28..], [0x85, 0]);
    assert_eq!(nonce(&layout)[..7], [5, 0x50, 0x30, 0xf1, 0x84, 0x44, 0x08]);
}

#[test]
fn all_header_forms_have_their_length_of_associated_data() {
    // Frame Control, length of the header, length of the AAD.
    let forms = [
        ([0x08, 0x01], 24, 22),
        ([0x08, 0x83], 30, 28), // Order in a frame without QoS Control is no +HTC.
        ([0x88, 0x02], 26, 24),
        ([0x88, 0x82], 30, 24),
        ([0x88, 0x03], 32, 30),
        ([0x88, 0x83], 36, 30),
        ([0xd0, 0x00], 24, 22),
        ([0xd0, 0x80], 28, 22),
    ];
    for (frame_control, header, length) in forms {
        let mut frame = vec![0; header];
        frame[..2].copy_from_slice(&frame_control);
        let layout = Layout::of(&frame).unwrap();
        assert_eq!((layout.length(), aad(&layout, false).len()), (header, length), "{frame_control:02x?}");
        frame.pop();
        assert_eq!(Layout::of(&frame).err(), Some(LayoutError::Truncated));
    }
}

#[test]
fn management_frames_keep_their_subtype_and_say_so_in_the_nonce() {
    let mut frame = hex(HEADER);
    frame[..2].copy_from_slice(&[0xd0, 0xb8]);
    frame.extend_from_slice(&[0; 4]);
    let layout = Layout::of(&frame).unwrap();
    assert_eq!(aad(&layout, false)[..2], [0xd0, 0xc0], "Order stays where there is no QoS Control");
    assert_eq!(nonce(&layout)[0], 0x10);
    assert_eq!(layout.replay_class(), ReplayClass::Management);
}

#[test]
fn bits_that_may_change_on_the_way_do_not_matter_and_all_others_do() {
    let plain = full_frame();
    let sealed = seal(&key(), &plain);
    for index in 0..sealed.len() {
        for bit in 0..8 {
            let mut changed = sealed.clone();
            changed[index] ^= 1 << bit;
            let is_free = match index {
                0 => (4..7).contains(&bit), // subtype
                1 => (3..6).contains(&bit), // Retry, Power Management, More Data
                // Duration, sequence number, QoS Control, HT Control, reserved octet of the CCMP header.
                2 | 3 | 23 | 31 | 32..36 | 38 => true,
                // Sequence number; ack policy, EOSP, A-MSDU Present without SPP.
                22 | 30 => bit >= 4,
                // Key ID and reserved bits, not ExtIV.
                39 => bit != 5,
                _ => false,
            };
            assert_eq!(open(&key(), &changed).is_ok(), is_free, "octet {index}, bit {bit}");
        }
    }
}

#[test]
fn the_amsdu_present_bit_counts_between_spp_capable_stations() {
    let spp = CcmpKey::new(&KEY).unwrap().with_spp_amsdu(true);
    let mut sealed = seal(&spp, &full_frame());
    assert!(open(&spp, &sealed).is_ok());
    sealed[30] ^= 0x80;
    assert_eq!(open(&spp, &sealed), Err(OpenError::MicFailed));
}

#[test]
fn frames_that_are_not_ccmp_are_refused_before_the_key_is_used() {
    let sealed = seal(&key(), &hex(&[HEADER, BODY].concat()));
    let refused = |octet: usize, value: u8| {
        let mut changed = sealed.clone();
        changed[octet] = value;
        (open(&key(), &changed).unwrap_err(), CcmpHeader::read(&changed).err())
    };
    let both = |error| (error, Some(error));
    assert_eq!(refused(1, 0x08), both(OpenError::NotProtected));
    assert_eq!(refused(27, 0x00), both(OpenError::NotCcmp), "ExtIV is 0");
    assert_eq!(refused(0, 0x09), both(OpenError::NotCcmp), "protocol version 1");
    assert_eq!(refused(0, 0xb4), both(OpenError::NotCcmp), "a control frame");
    assert_eq!(refused(0, 0x0c), both(OpenError::NotCcmp), "an extension frame");
}

#[test]
fn every_prefix_of_a_protected_frame_is_refused() {
    for key in [key(), CcmpKey::new(&[KEY, KEY].concat()).unwrap()] {
        let sealed = seal(&key, &full_frame());
        for length in 0..sealed.len() {
            let shortest = 36 + 8 + key.mic_length();
            let error = if length < shortest { OpenError::Truncated } else { OpenError::MicFailed };
            assert_eq!(open(&key, &sealed[..length]), Err(error), "{length} octets");
        }
    }
}

#[test]
fn an_empty_body_is_protected_too() {
    let header = hex(HEADER);
    let sealed = seal(&key(), &header);
    assert_eq!(sealed.len(), 24 + 8 + 8);
    assert!(open(&key(), &sealed).is_ok());
}

#[test]
fn frames_above_65535_octets_are_refused() {
    let mut frame = hex(HEADER);
    frame.resize(MAX_MPDU_LENGTH - 16, 0x55);
    let mut sealed = seal(&key(), &frame);
    assert_eq!(sealed.len(), MAX_MPDU_LENGTH);
    assert!(open(&key(), &sealed).is_ok());
    sealed.push(0);
    assert_eq!(open(&key(), &sealed), Err(OpenError::NotCcmp));
    frame.push(0);
    let mut out = Vec::new();
    assert_eq!(key().seal(&frame, NUMBER, KeyId::from_low_bits(0), &mut out), Err(SealError::TooLong));
    assert!(out.is_empty());
}

#[test]
fn frames_that_cannot_be_protected_are_refused() {
    let refused = |mpdu: &[u8]| {
        let mut out = b"before".to_vec();
        let error = key().seal(mpdu, NUMBER, KeyId::from_low_bits(0), &mut out).unwrap_err();
        assert_eq!(out, b"before");
        error
    };
    assert_eq!(refused(b""), SealError::Truncated);
    assert_eq!(refused(&full_frame()[..35]), SealError::Truncated);
    assert_eq!(refused(&[0xd4; 30]), SealError::NotProtectable);
    assert_eq!(refused(&[0x89; 30]), SealError::NotProtectable);
}

#[test]
fn a_wrong_mic_leaves_no_plaintext_in_the_output() {
    let mut sealed = seal(&key(), &hex(&[HEADER, BODY].concat()));
    let last = sealed.len() - 1;
    sealed[last] ^= 1;
    let mut out = [0xaa; 44];
    assert_eq!(key().open_into(&sealed, &mut out), Err(OpenError::MicFailed));
    assert_eq!(out[24..], [0; 20]);
    assert_eq!(key().open_into(&sealed, &mut out[..43]), Err(OpenError::NoRoom));
}

#[test]
fn the_header_is_read_without_a_key() {
    let mut sealed = Vec::new();
    key().seal(&full_frame(), NUMBER, KeyId::from_low_bits(2), &mut sealed).unwrap();
    let class = ReplayClass::Priority(Tid::from_low_bits(5));
    let expected = CcmpHeader { packet_number: NUMBER, key_id: KeyId::from_low_bits(2), class };
    assert_eq!(CcmpHeader::read(&sealed), Ok(expected));
    sealed[38] = 0xff;
    sealed[39] |= 0x1f;
    assert_eq!(CcmpHeader::read(&sealed), Ok(expected), "reserved bits are ignored");
    assert!(open(&key(), &sealed).is_ok());
}

#[test]
fn a_batch_takes_packets_of_several_keys_and_lengths() {
    let keys = [key(), CcmpKey::new(&[KEY, KEY].concat()).unwrap()];
    let frames: Vec<Vec<u8>> =
        (0..20).map(|index| [full_frame(), vec![index; 97 * usize::from(index)]].concat()).collect();
    let mut rooms = vec![vec![0xaa; 2112]; frames.len()];
    let mut jobs: Vec<SealJob<'_>> = (frames.iter().zip(&mut rooms).zip(keys.iter().cycle()))
        .map(|((mpdu, out), key)| {
            let key_id = KeyId::from_low_bits(1);
            SealJob { key, packet_number: NUMBER, key_id, mpdu, out, result: Err(SealError::NoRoom) }
        })
        .collect();
    seal_batch(&mut jobs);
    let mut sealed: Vec<Vec<u8>> = jobs.iter().map(|job| job.out[..job.result.unwrap()].to_vec()).collect();
    sealed[7][40] ^= 1; // PN2

    let mut rooms = vec![vec![0xaa; 2112]; frames.len()];
    let mut jobs: Vec<OpenJob<'_>> = (sealed.iter().zip(&mut rooms).zip(keys.iter().cycle()))
        .map(|((mpdu, out), key)| OpenJob { key, mpdu, out, result: Err(OpenError::NoRoom) })
        .collect();
    open_batch(&mut jobs);
    for (index, (job, frame)) in jobs.iter().zip(&frames).enumerate() {
        if index == 7 {
            assert_eq!(job.result, Err(OpenError::MicFailed));
            assert!(!job.out.windows(8).any(|window| window == [7; 8]));
        } else {
            assert_eq!(job.result, Ok(Opened { length: frame.len(), packet_number: NUMBER }));
            assert_eq!(job.out[..frame.len()], **frame);
        }
    }
}

#[test]
fn keys_of_other_lengths_are_refused_and_none_is_printed() {
    for length in [0, 1, 15, 17, 24, 31, 33, 64] {
        assert_eq!(CcmpKey::new(&vec![1; length]).err(), Some(InvalidKeyLength(length)));
    }
    assert_eq!(format!("{:?}", key()), "CcmpKey { cipher: CipherSuite(4), .. }");
}

proptest! {
    #[test]
    fn any_octets_can_be_tried(mpdu in proptest::collection::vec(any::<u8>(), 0..120)) {
        let _ = CcmpHeader::read(&mpdu);
        let _ = open(&key(), &mpdu);
        let mut out = Vec::new();
        if key().seal(&mpdu, NUMBER, KeyId::from_low_bits(3), &mut out).is_ok() {
            let mut expected = mpdu;
            expected[1] &= !0x40;
            prop_assert_eq!(open(&key(), &out), Ok(expected));
        }
    }
}
