//! Frames, elements and EAPOL-Key against real frames and other projects' tests, looked for in the directory that
//! `POLYRADIO_VECTORS` names, or beside the repository; a test says so where they are absent.

#![expect(clippy::unwrap_used, clippy::print_stderr, clippy::indexing_slicing, reason = "tests may panic and say why")]

use std::path::{Path, PathBuf};

use polyradio_core::wire::ParseError;
use polyradio_core::wire::data::{body_ethertype, ethernet_frames};
use polyradio_core::wire::eapol_key::{EapolKey, key_information};
use polyradio_core::wire::element::{Elements, defragment, element_id};
use polyradio_core::wire::ethernet::EthernetFrame;
use polyradio_core::wire::frame_control::{FrameType, management_subtype};
use polyradio_core::wire::mac_header::{MacHeader, QosControl};
use polyradio_core::wire::management::Management;
use polyradio_core::wire::rsn_element::RsnElement;
use serde_json::Value;

#[test]
fn headers_are_read_as_tshark_reads_them() {
    let Some(file) = read("parsing/header_oracle.json") else { return };
    let frames = file["frames"].as_array().unwrap();
    assert_eq!(frames.len(), 244);
    for frame in frames {
        let name = format!("{} frame {}", frame["capture"], frame["frame"]);
        let octets = mpdu(frame);
        let header = MacHeader::parse(&octets).unwrap();
        let expected = &frame["tshark"];
        compare_frame_control(&header, expected, &name);

        let addresses = [
            ("wlan.ra", Some(header.addr1)),
            ("wlan.ta", header.addr2),
            ("wlan.da", header.destination()),
            ("wlan.sa", header.source()),
            ("wlan.bssid", header.bssid()),
        ];
        for (field, address) in addresses {
            // tshark calls the two addresses of CF-End by other names.
            let is_cf_end = header.frame_control.octets()[0] == 0xe4;
            if !(is_cf_end && matches!(field, "wlan.ta" | "wlan.bssid")) {
                assert_eq!(address, text(expected, field).map(|text| text.parse().unwrap()), "{name} {field}");
            }
        }
        let sequence = header.sequence;
        assert_eq!(sequence.map(|field| u32::from(field.number)), number(expected, "wlan.seq"), "{name}");
        assert_eq!(sequence.map(|field| u32::from(field.fragment)), number(expected, "wlan.frag"), "{name}");
        let qos = header.qos;
        assert_eq!(qos.map(|field| u32::from(field.tid().value())), number(expected, "wlan.qos.tid"), "{name}");
        assert_eq!(qos.map(|field| u32::from(field.ack_policy())), number(expected, "wlan.qos.ack"), "{name}");
        if let Some(present) = number(expected, "wlan.qos.amsdupresent") {
            assert_eq!(qos.map(QosControl::amsdu_present), Some(present == 1), "{name}");
        }
        if let Some(last) = number(expected, "wlan.qos.eosp") {
            assert_eq!(qos.map(QosControl::eosp), Some(last == 1), "{name}");
        }
        if let Some(length) = frame["mac_header_len"].as_u64() {
            assert_eq!(header.length() as u64, length, "{name}");
        }
        let mut written = Vec::new();
        header.emit(&mut written);
        assert_eq!(written, octets[..header.length()], "{name}");
    }
}

fn compare_frame_control(header: &MacHeader, expected: &Value, name: &str) {
    let control = header.frame_control;
    let frame_type = match control.frame_type() {
        FrameType::Management => 0,
        FrameType::Control => 1,
        FrameType::Data => 2,
        FrameType::Extension => 3,
    };
    let fields = [
        ("wlan.fc.version", u32::from(control.version())),
        ("wlan.fc.type", frame_type),
        ("wlan.fc.subtype", u32::from(control.subtype())),
        ("wlan.fc.tods", u32::from(control.to_ds())),
        ("wlan.fc.fromds", u32::from(control.from_ds())),
        ("wlan.fc.frag", u32::from(control.more_fragments())),
        ("wlan.fc.retry", u32::from(control.retry())),
        ("wlan.fc.pwrmgt", u32::from(control.power_management())),
        ("wlan.fc.moredata", u32::from(control.more_data())),
        ("wlan.fc.protected", u32::from(control.protected())),
        ("wlan.fc.order", u32::from(control.order())),
        ("wlan.duration", u32::from(header.duration)),
    ];
    for (field, value) in fields {
        assert_eq!(Some(value), number(expected, field), "{name} {field}");
    }
}

/// Management frames of the air are read whole and written again octet by octet; flags, Duration and the
/// fragment number are not kept.
#[test]
fn management_frames_of_the_air_survive() {
    let Some(file) = read("parsing/header_oracle.json") else { return };
    let mut count = 0;
    for frame in file["frames"].as_array().unwrap() {
        let octets = mpdu(frame);
        let header = MacHeader::parse(&octets).unwrap();
        if header.frame_control.frame_type() != FrameType::Management || frame["fcs_ok"] == false {
            continue;
        }
        let name = format!("{} frame {}", frame["capture"], frame["frame"]);
        let parsed = Management::parse(&octets).unwrap();
        let has_elements = !matches!(parsed.subtype, management_subtype::ACTION | 14) && parsed.algorithm <= 2;
        if has_elements && !header.frame_control.protected() && frame["tshark"]["_ws.malformed"].is_null() {
            assert_eq!(parsed.rest, [0; 0], "{name}");
        }
        for (_, data) in parsed.elements.iter().filter(|(id, _)| *id == element_id::RSN) {
            let element = RsnElement::parse(data).unwrap();
            let mut again = Vec::new();
            element.emit(&mut again);
            assert_eq!(RsnElement::parse(&again), Ok(element), "{name}");
        }
        let mut written = Vec::new();
        parsed.emit(&mut written);
        assert_eq!(written[4..22], octets[4..22], "{name}");
        assert_eq!(header.sequence.map(|field| field.number), Some(parsed.sequence_number), "{name}");
        let mut body = octets[header.length()..].to_vec();
        let is_response = matches!(
            parsed.subtype,
            management_subtype::ASSOCIATION_RESPONSE | management_subtype::REASSOCIATION_RESPONSE
        );
        if is_response && !header.frame_control.protected() {
            // Some access points leave out the two high bits of the AID (IEEE 802.11-2020 9.4.1.8).
            body[5] |= 0xc0;
        }
        assert_eq!(written[24..], body, "{name}");
        count += 1;
    }
    assert!(count > 100, "{count}");
}

#[test]
fn fragmented_elements_are_put_together_as_linux_does() {
    let Some(file) = read("parsing/element_defragmentation.json") else { return };
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let whole = defragment(&octets(&case["input"])).unwrap();
        assert_eq!(Some(whole.len() as u64), case["result_len"].as_u64(), "{}", case["id"]);
    }
}

#[test]
fn eapol_key_frames_have_the_fields_that_iwd_expects() {
    let Some(file) = read("eapol/eapol_key_frames.json") else { return };
    let frames = file["frames"].as_array().unwrap();
    assert_eq!(frames.len(), 17);
    for frame in frames {
        let (id, expect, pdu) = (&frame["id"], &frame["expect"], octets(&frame["frame"]));
        let key = EapolKey::parse(&pdu, 16).unwrap();
        let numbers = [
            ("protocol_version", u64::from(key.protocol_version)),
            ("packet_len", pdu.len() as u64 - 4),
            ("descriptor_type", u64::from(key.descriptor_type)),
            ("key_descriptor_version", u64::from(key.key_information & key_information::DESCRIPTOR_VERSION)),
            ("key_length", u64::from(key.key_length)),
            ("key_replay_counter", key.replay_counter),
            ("key_data_len", key.key_data.len() as u64),
        ];
        for (field, value) in numbers {
            assert_eq!(Some(value), expect[field].as_u64(), "{id} {field}");
        }
        let bits = [
            ("key_type", key_information::PAIRWISE),
            ("install", key_information::INSTALL),
            ("key_ack", key_information::ACK),
            ("key_mic", key_information::MIC),
            ("secure", key_information::SECURE),
            ("error", key_information::ERROR),
            ("request", key_information::REQUEST),
            ("encrypted_key_data", key_information::ENCRYPTED_KEY_DATA),
            ("smk_message", key_information::SMK_MESSAGE),
        ];
        for (field, bit) in bits {
            assert_eq!(Some(key.has(bit)), expect[field].as_bool(), "{id} {field}");
        }
        assert_eq!(key.nonce[..], octets(&expect["key_nonce"]), "{id}");
        assert_eq!(key.iv[..], octets(&expect["eapol_key_iv"]), "{id}");
        assert_eq!(key.rsc[..], octets(&expect["key_rsc"]), "{id}");
        assert_eq!(key.mic, octets(&expect["key_mic_data"]), "{id}");
        let mut written = Vec::new();
        assert!(key.emit(&mut written));
        assert_eq!(written, pdu, "{id}");
    }
}

#[test]
fn frames_of_other_projects_tests_have_their_meaning() {
    let Some(file) = read("fuzz/seed_frames.json") else { return };
    let seed = |name: &str| {
        let seeds = file["seeds"].as_array().unwrap();
        let found = seeds.iter().find(|seed| seed["name"].as_str().unwrap().contains(name));
        let octets = octets(&found.unwrap()["octets"]);
        // A radiotap header says its length.
        let radiotap = if octets[..2] == [0, 0] { usize::from(octets[2]) } else { 0 };
        octets[radiotap..].to_vec()
    };
    let with_htc = MacHeader::parse(&seed("Dot11HTControl")).unwrap();
    assert!(with_htc.ht_control.is_some());
    assert_eq!(Management::parse(&seed("ieee80211-rs beacon.bin")).unwrap().subtype, management_subtype::BEACON);
    assert_eq!(Management::parse(&seed("probe_req_good2")).unwrap().subtype, management_subtype::PROBE_REQUEST);
    let arp = seed("Dot11DataARP");
    assert_eq!(body_ethertype(&arp[24..]), Some(0x0806));
    for (name, length) in [("test_rts", 16), ("test_cts", 10), ("test_ack", 10), ("compressed_block_ack", 16)] {
        assert_eq!(MacHeader::parse(&seed(name)).unwrap().length(), length, "{name}");
    }
    for number in 1..=6 {
        let octets = seed(&format!("rsne_data_{number}"));
        let element = Elements::new(&octets).next().unwrap().unwrap();
        assert_eq!(element.id, element_id::RSN);
        assert_eq!(RsnElement::parse(element.data).unwrap().version, 1, "{number}");
    }
}

/// Every parser, on every prefix and suffix of octets that broke other parsers or test them.
#[test]
fn the_corpora_of_other_projects_panic_nowhere() {
    let (Some(seeds), Some(directory)) = (read("fuzz/seed_frames.json"), vectors()) else { return };
    let seeds = seeds["seeds"].as_array().unwrap();
    assert_eq!(seeds.len(), 94);
    let mut corpus: Vec<Vec<u8>> = seeds.iter().map(|seed| octets(&seed["octets"])).collect();
    for folder in std::fs::read_dir(directory.join("fuzz/hostap")).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let octets = std::fs::read(file.unwrap().path()).unwrap();
            corpus.extend(messages(&octets));
            corpus.push(octets);
        }
    }
    assert!(corpus.len() > 94 + 16);
    for octets in &corpus {
        for at in 0..=octets.len() {
            read_in_every_way(&octets[..at]);
            read_in_every_way(&octets[at..]);
        }
    }
}

#[test]
fn the_messages_of_hostap_fuzzing_are_read() {
    let Some(directory) = vectors() else { return };
    for (name, count) in [("eapol-key-auth/supp.msg", 4), ("eapol-key-supp/auth.msg", 4)] {
        let file = std::fs::read(directory.join("fuzz/hostap").join(name)).unwrap();
        let keys: Vec<_> = messages(&file).iter().map(|pdu| EapolKey::parse(pdu, 16)).collect();
        assert!(keys.len() >= count && keys.iter().all(Result::is_ok), "{name}: {keys:?}");
    }
    for name in ["multi.dat", "multi-sae.dat", "multi-sae-ffc.dat"] {
        let file = std::fs::read(directory.join("fuzz/hostap/ap-mgmt").join(name)).unwrap();
        let frames: Vec<_> = messages(&file).iter().map(|frame| Management::parse(frame)).collect();
        assert!(!frames.is_empty() && frames.iter().all(Result::is_ok), "{name}: {frames:?}");
    }
}

/// Messages with a 16-bit big-endian length before each, as hostap's corpora hold them.
fn messages(mut octets: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let Some((length, rest)) = octets.split_first_chunk::<2>() {
        let Some((message, rest)) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))) else { break };
        messages.push(message.to_vec());
        octets = rest;
    }
    messages
}

fn read_in_every_way(octets: &[u8]) {
    if let Ok(header) = MacHeader::parse(octets) {
        let mut written = Vec::new();
        header.emit(&mut written);
        assert_eq!(written, octets[..header.length()]);
    }
    let mut scratch = Vec::new();
    let _ = ethernet_frames(octets, &mut scratch, |frame| assert!(EthernetFrame::new(frame).is_ok()));
    let _ = Management::parse(octets);
    let _ = RsnElement::parse(octets);
    let _ = EapolKey::parse(octets, 16);
    let _ = EapolKey::parse(octets, 24);
    let _ = defragment(octets);
    let elements: Result<Vec<_>, ParseError> = Elements::new(octets).collect();
    if let Ok(elements) = elements {
        assert_eq!(elements.iter().map(|element| 2 + element.data.len()).sum::<usize>(), octets.len());
    }
}

/// Without the frame check sequence.
fn mpdu(frame: &Value) -> Vec<u8> {
    let mut octets = octets(&frame["octets"]);
    // Behind a Prism header tshark is not told of the frame check sequence.
    if frame["fcs_present"] == true || frame["capture"] == "aircrack/wpa.cap" {
        octets.truncate(octets.len() - 4);
    }
    octets
}

fn text<'a>(fields: &'a Value, field: &str) -> Option<&'a str> {
    fields[field].as_str()
}

fn number(fields: &Value, field: &str) -> Option<u32> {
    text(fields, field).map(|text| match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).unwrap(),
        None => text.parse().unwrap(),
    })
}

fn octets(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn read(name: &str) -> Option<Value> {
    Some(serde_json::from_slice(&std::fs::read(vectors()?.join(name)).unwrap()).unwrap())
}

fn vectors() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = match std::env::var_os("POLYRADIO_VECTORS") {
        Some(directory) => Some(directory.into()),
        None => ["../../shared/vectors", "../../../shared/vectors"]
            .map(|path| here.join(path))
            .into_iter()
            .find(|path| path.is_dir()),
    };
    if directory.is_none() {
        eprintln!("skipped: no vectors; POLYRADIO_VECTORS may name their directory");
    }
    directory
}
