//! Capture formats against public captures and crash files, looked for in the directory that `POLYRADIO_VECTORS` names, or
//! beside the repository; a test says so where they are absent. Properties need no files.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests may panic and say why")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use polyradio_core::wire::capture::{CaptureReader, FrameError, frame_of};
use polyradio_core::wire::pcapng::PcapngWriter;
use polyradio_core::wire::radiotap::{Field, Fields, Radiotap};
use polyradio_core::wire::{ParseError, mac_header::MacHeader};
use proptest::prelude::*;
use serde_json::Value;

/// (records, records with a whole frame, error at the end)
fn survey(file: &[u8]) -> (usize, usize, Option<ParseError>) {
    let mut reader = CaptureReader::new(file).unwrap();
    let (mut records, mut frames) = (0, 0);
    while let Some(record) = reader.next() {
        let frame = frame_of(&record, reader.packet(&record));
        records += 1;
        frames += usize::from(frame.error.is_none() && !frame.mpdu.is_empty());
    }
    (records, frames, reader.error())
}

#[test]
fn every_public_capture_gives_all_its_frames() {
    let Some(index) = json("captures/index.json") else { return };
    let mut count = 0;
    for capture in index["captures"].as_array().unwrap() {
        let path = capture["file"].as_str().unwrap();
        // Compression is not the core's business.
        let Some(file) = read(path).filter(|_| !is_packed(path)) else { continue };
        let frames = usize::try_from(capture["frames_total"].as_u64().unwrap()).unwrap();
        assert_eq!(survey(&file), (frames, frames, None), "{path}");
        count += 1;
    }
    assert_eq!(count, 15);
}

#[test]
fn frames_and_their_fcs_are_those_of_tshark() {
    let Some(oracle) = json("parsing/header_oracle.json") else { return };
    let mut by_capture: BTreeMap<&str, BTreeMap<u64, &Value>> = BTreeMap::new();
    for frame in oracle["frames"].as_array().unwrap() {
        by_capture
            .entry(frame["capture"].as_str().unwrap())
            .or_default()
            .insert(frame["frame"].as_u64().unwrap(), frame);
    }
    let mut count = 0;
    for (path, expected) in by_capture {
        let Some(file) = find(&format!("captures/{path}")).filter(|_| !is_packed(path)) else { continue };
        let file = std::fs::read(file).unwrap();
        let mut reader = CaptureReader::new(&file).unwrap();
        for number in 1.. {
            let Some(record) = reader.next() else { break };
            let Some(expected) = expected.get(&number) else { continue };
            let frame = frame_of(&record, reader.packet(&record));
            let mut octets = octets(expected["octets"].as_str().unwrap());
            // Behind a Prism header nothing tells tshark of the frame check sequence; here it is known by being right.
            let has_fcs = expected["fcs_present"] == true || path == "aircrack/wpa.cap";
            octets.truncate(octets.len() - if has_fcs { 4 } else { 0 });
            assert_eq!(frame.mpdu.as_ref(), octets, "{path} {number}");
            assert_eq!(frame.has_bad_fcs, expected["fcs_ok"] == false, "{path} {number}");
            if let Some(length) = expected["mac_header_len"].as_u64() {
                assert_eq!(MacHeader::parse(&frame.mpdu).unwrap().length() as u64, length, "{path} {number}");
            }
            count += 1;
        }
    }
    assert!(count > 100, "{count}");
}

#[test]
fn crash_files_are_read_to_their_end() {
    for (path, expected) in [
        ("tcpdump/ieee802.11_exthdr.pcap", (26, 26, None)),
        ("tcpdump/ieee802.11_htc.pcap", (1, 1, None)),
        ("tcpdump/ieee802.11_meshid.pcap", (3, 3, None)),
        ("tcpdump/ieee802.11_rx-stbc.pcap", (3, 3, None)),
    ] {
        let Some(file) = read(&format!("fuzz/{path}")) else { return };
        assert_eq!(survey(&file), expected, "{path}");
    }
}

#[test]
fn crash_files_do_not_crash() {
    let Some(directory) = find("fuzz") else { return };
    let mut count = 0;
    for area in ["tcpdump", "aircrack"] {
        for entry in std::fs::read_dir(directory.join(area)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "pcap") {
                let file = std::fs::read(&path).unwrap();
                for end in 24..=file.len() {
                    survey(&file[..end]);
                }
                count += 1;
            }
        }
    }
    assert_eq!(count, 11);
}

#[test]
fn radiotap_vectors_give_the_fields_of_the_radiotap_library() {
    let ns = |namespace: u8, oui: [u8; 3], data: &'static [u8]| Field::Vendor { oui, namespace, data };
    let known = |bit: u8, data: &'static [u8]| Field::Known { bit, data };
    let tsft = known(0, &[0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]);
    let second = known(0, &[0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x00, 0x11]);
    let vendor_data = &[0xff, 0xee, 0xdd, 0xcc];
    let before = [known(1, &[0x10]), known(2, &[0x02]), known(3, &[0x9e, 0x09, 0xa0, 0x00])];
    let more = [known(5, &[0xe3]), known(11, &[0x05]), known(14, &[0, 0])];
    for (name, expected, is_malformed) in [
        ("0", vec![tsft], false),
        ("00", vec![tsft, second], false),
        ("1", vec![known(1, &[0x33])], false),
        ("0v0", vec![tsft, ns(0, [0; 3], vendor_data), second], false),
        ("0v0-2", vec![tsft, ns(0, [0; 3], vendor_data), second], false),
        ("0v0-3", vec![tsft, ns(1, [0; 3], vendor_data), second], false),
        ("0v0-4", vec![tsft, ns(0, [0; 3], vendor_data), second], false),
        ("malformed-vendor", [before, more].concat(), true),
        (
            "unparsed-vendor",
            [&before[..], &more, &[ns(255, [0xff; 3], &[0xde, 0xad]), known(2, &[0x04])]].concat(),
            false,
        ),
    ] {
        let Some(header) = read(&format!("fuzz/radiotap/{name}.bin")) else { return };
        let fields: Vec<_> = Fields::new(&header).unwrap().collect();
        assert_eq!(fields.last().is_some_and(Result::is_err), is_malformed, "{name}");
        assert_eq!(fields.iter().copied().flatten().collect::<Vec<_>>(), expected, "{name}");
        assert_eq!(Radiotap::parse(&header).unwrap().1, header.len(), "{name}");
    }
}

proptest! {
    #[test]
    fn any_octets_behind_a_file_header_are_read_without_panic(
        head in prop::sample::select(vec![
            &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 127, 0, 0, 0][..],
            &[0xa1, 0xb2, 0x3c, 0x4d, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0x24, 0, 0, 119],
            &[10, 13, 13, 10, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 28, 0, 0, 0],
        ]),
        tail in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        survey(&[head, &tail[..]].concat());
    }

    #[test]
    fn any_packet_of_any_link_type_is_taken_apart_without_panic(
        link_type in prop::sample::select(vec![105_u16, 119, 127, 163, 192, 1]),
        mut packet in prop::collection::vec(any::<u8>(), 0..80),
        small in any::<bool>(),
        original_length in 0_u32..100,
    ) {
        // Mostly small lengths, so that headers end inside the packet.
        if let ([a, _, b, c, ..], true) = (packet.as_mut_slice(), small) {
            (*a, *b, *c) = (0, *b & 63, 0);
        }
        let mut writer = PcapngWriter::new(Vec::new(), "", None).unwrap();
        writer.add_interface("", link_type, None).unwrap();
        writer.write_packet(0, 0, &packet, Some(original_length), None).unwrap();
        let file = writer.finish().unwrap();
        let mut reader = CaptureReader::new(&file).unwrap();
        let record = reader.next().unwrap();
        let frame = frame_of(&record, reader.packet(&record));
        prop_assert!(frame.mpdu.len() <= packet.len());
        prop_assert_eq!(matches!(frame.error, Some(FrameError::NotWifi { .. })), link_type == 1 || frame.error.is_some_and(
            |error| link_type == 192 && matches!(error, FrameError::NotWifi { .. })
        ));
    }

    #[test]
    fn packets_are_read_as_they_were_written(
        packets in prop::collection::vec(
            (any::<bool>(), any::<u64>(), prop::collection::vec(any::<u8>(), 0..40), prop::option::of("[^\0]{1,20}")), 0..8
        ),
    ) {
        let mut writer = PcapngWriter::new(Vec::new(), "polyradio", None).unwrap();
        writer.add_interface("a", 105, None).unwrap();
        writer.add_interface("b", 127, Some("second")).unwrap();
        for (second, time, packet, comment) in &packets {
            writer.write_packet((*second).into(), *time, packet, None, comment.as_deref()).unwrap();
        }
        let file = writer.finish().unwrap();
        let mut reader = CaptureReader::new(&file).unwrap();
        for (second, time, packet, comment) in &packets {
            let record = reader.next().unwrap();
            prop_assert_eq!((record.interface, record.timestamp_ns), (usize::from(*second), *time));
            prop_assert_eq!(reader.packet(&record), &packet[..]);
            prop_assert_eq!(&record.comment, comment);
        }
        prop_assert!(reader.next().is_none() && reader.error().is_none());
    }
}

fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn json(path: &str) -> Option<Value> {
    Some(serde_json::from_slice(&read(path)?).unwrap())
}

fn read(path: &str) -> Option<Vec<u8>> {
    Some(std::fs::read(find(path)?).unwrap())
}

fn find(path: &str) -> Option<PathBuf> {
    let directories = match std::env::var("POLYRADIO_VECTORS") {
        Ok(directory) => vec![PathBuf::from(directory)],
        Err(_) => ["../../shared/vectors", "../../../shared/vectors"]
            .map(|directory| Path::new(env!("CARGO_MANIFEST_DIR")).join(directory))
            .to_vec(),
    };
    let found = directories.into_iter().map(|directory| directory.join(path)).find(|file| file.exists());
    if found.is_none() {
        eprintln!("skipped: no {path} under POLYRADIO_VECTORS or beside the repository");
    }
    found
}

/// Packed files are unpacked by the caller of the reader; Python's tests do that.
fn is_packed(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "gz")
}
