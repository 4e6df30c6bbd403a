//! The access point alone: power save, queues, protection, bounded waiting, any octets.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "tests may panic")]

use polyradio_core::access_point::{AccessPoint, QUEUE_LENGTH, StationParameters};
use polyradio_core::air::{AirStation, Burst, Reception, TransmitReport};
use polyradio_core::device::DropReason;
use polyradio_core::frame_batch::FrameBatch;
use polyradio_core::host_api::CallError;
use polyradio_core::host_api::call::CipherSuite;
use polyradio_core::ids::{KeyId, MacAddr, PacketNumber, Tid};
use polyradio_core::security::key_slot::KeySlot;
use polyradio_core::time::Instant;
use polyradio_core::wire::data::{emit_data_frame, ethernet_frames};
use polyradio_core::wire::frame_control::{FrameControl, data_subtype};
use polyradio_core::wire::mac_header::{self, MacHeader, SequenceControl};
use proptest::prelude::*;

const BSSID: MacAddr = MacAddr([2, 0xaa, 0, 0, 0, 1]);
const HOST: MacAddr = MacAddr([2, 0xee, 0, 0, 0, 1]);
const KEY: [u8; 16] = [0x5a; 16];
const RECEPTION: Reception = Reception { channel: 36, rate: 540, signal_dbm: -50 };

fn station(number: u16) -> MacAddr {
    let [high, low] = number.to_be_bytes();
    MacAddr([2, 0, 0, 0, high, low])
}

fn ethernet(destination: MacAddr, source: MacAddr, number: u32) -> Vec<u8> {
    let mut frame = [destination.octets(), source.octets()].concat();
    frame.extend([0x88, 0xb5]);
    frame.extend(number.to_be_bytes());
    frame
}

fn slot() -> KeySlot {
    KeySlot::new(CipherSuite::CCMP_128, KeyId::from_low_bits(0), &KEY, PacketNumber::default()).expect("a key")
}

/// An access point, and stations that hold keys of their own.
struct Cell {
    plane: AccessPoint,
    peers: Vec<KeySlot>,
    sequence: u16,
}

impl Cell {
    fn new(stations: u16) -> Self {
        let mut plane = AccessPoint::new(BSSID, 36);
        let peers = (0..stations).map(|number| {
            let parameters =
                StationParameters { association_id: number + 1, qos: true, authorized: true, privacy: true };
            plane.set_station(station(number), parameters);
            let key_id = KeyId::from_low_bits(0);
            plane.install_key(Some(station(number)), key_id, CipherSuite::CCMP_128, &KEY).expect("a key");
            slot()
        });
        let peers = peers.collect();
        Self { plane, peers, sequence: 0 }
    }

    fn set_beacon(&mut self) {
        let mut frame = vec![0x80, 0, 0, 0];
        frame.extend([0xff; 6]);
        frame.extend(BSSID.octets());
        frame.extend(BSSID.octets());
        frame.extend([0; 10]);
        frame.extend([100, 0, 0x11, 0, 0, 1, b'x', 3, 1, 36]);
        self.plane.set_beacon(&frame, 100, Instant::ZERO).expect("a beacon");
    }

    fn hear(&mut self, frames: &[Vec<u8>]) {
        let frames: FrameBatch = frames.iter().map(Vec::as_slice).collect();
        self.plane.handle_air_frames(&frames, RECEPTION, Instant::ZERO);
    }

    fn power(&mut self, number: u16, is_asleep: bool) {
        let control = FrameControl::data(data_subtype::NULL).with_to_ds(true).with_power_management(is_asleep);
        let mut frame = Vec::new();
        MacHeader::three_address(control, BSSID, station(number), BSSID).emit(&mut frame);
        self.hear(&[frame]);
    }

    /// A station's data frame, sealed.
    fn sealed(&mut self, number: u16, ethernet: &[u8]) -> Vec<u8> {
        let (mut plain, mut sealed) = (Vec::new(), Vec::new());
        emit_data_frame(ethernet, BSSID, true, Some(Tid::default()), &mut plain).expect("whole");
        self.sequence = (self.sequence + 1) % 4096;
        mac_header::set_sequence(&mut plain, SequenceControl { number: self.sequence, fragment: 0 });
        self.peers[usize::from(number)].seal(&plain, &mut sealed).expect("sealed");
        sealed
    }

    fn burst(&mut self) -> Option<Burst> {
        self.plane.poll_transmit(Instant::ZERO)
    }

    fn report(&mut self, burst: Burst, done: usize) {
        self.plane.handle_transmit_report(TransmitReport { burst, done }, Instant::ZERO);
    }

    /// The number in a frame to a station, opened with its key.
    fn open(&mut self, frame: &[u8]) -> (u16, u32) {
        let header = MacHeader::parse(frame).expect("whole");
        let number = u16::from_be_bytes([header.addr1.octets()[4], header.addr1.octets()[5]]);
        let (mut plain, mut content) = (Vec::new(), 0);
        self.peers[usize::from(number)].open(frame, &mut plain).expect("opened");
        ethernet_frames(&plain, &mut Vec::new(), |ethernet| {
            content = u32::from_be_bytes(*ethernet[14..].first_chunk().expect("a number"));
        })
        .expect("whole");
        (number, content)
    }

    fn drops(&self, reason: DropReason) -> u64 {
        self.plane.counters().drops.of(reason)
    }

    fn tim(&mut self, now: Instant) -> (Burst, Vec<u8>) {
        self.plane.handle_timeout(now);
        let burst = self.plane.poll_transmit(now).expect("a beacon");
        let beacon = burst.frames.frame(0).expect("a beacon");
        let tim = beacon[42..].to_vec();
        (burst, tim)
    }
}

#[test]
fn frames_for_a_sleeping_station_wait_are_announced_and_come_when_it_wakes() {
    let mut cell = Cell::new(3);
    cell.set_beacon();
    cell.power(1, true);
    for number in 0..10 {
        cell.plane.handle_wired_frame(&ethernet(station(1), HOST, number));
    }
    assert!(cell.burst().is_none(), "nothing to send but the beacon, which is not due");
    let (burst, tim) = cell.tim(Instant::ZERO);
    assert_eq!(tim, [5, 4, 0, 1, 0, 0b100]);
    cell.report(burst, 1);
    cell.power(1, false);
    let burst = cell.burst().expect("frames");
    let more: Vec<bool> =
        burst.frames.iter().map(|frame| FrameControl::from_octets([frame[0], frame[1]]).more_data()).collect();
    let frames: Vec<Vec<u8>> = burst.frames.iter().map(<[u8]>::to_vec).collect();
    let numbers: Vec<_> = frames.iter().map(|frame| cell.open(frame)).collect();
    assert_eq!(numbers, (0..u32::try_from(frames.len()).expect("few")).map(|number| (1, number)).collect::<Vec<_>>());
    assert!(more[..frames.len() - 1].iter().all(|more| *more));
    assert_eq!(more.last().copied(), Some(frames.len() < 10));
    let done = frames.len();
    cell.report(burst, done);
    let (_, tim) = cell.tim(Instant::from_nanos(102_400_000));
    assert_eq!(tim, [5, 4, 0, 1, 0, 0]);
}

#[test]
fn group_frames_wait_for_the_beacon_while_anybody_sleeps() {
    let mut cell = Cell::new(2);
    cell.set_beacon();
    cell.plane.install_key(None, KeyId::from_low_bits(1), CipherSuite::CCMP_128, &[9; 16]).expect("a key");
    cell.plane.handle_wired_frame(&ethernet(MacAddr::BROADCAST, HOST, 1));
    let burst = cell.burst().expect("everybody is awake");
    cell.report(burst, 1);
    cell.power(0, true);
    cell.plane.handle_wired_frame(&ethernet(MacAddr::BROADCAST, HOST, 2));
    cell.plane.handle_wired_frame(&ethernet(MacAddr::BROADCAST, HOST, 3));
    assert!(cell.burst().is_none());
    let (burst, tim) = cell.tim(Instant::ZERO);
    assert_eq!(tim, [5, 4, 0, 1, 1, 0]);
    let controls: Vec<FrameControl> =
        burst.frames.iter().map(|frame| FrameControl::from_octets([frame[0], frame[1]])).collect();
    assert_eq!(controls.len(), 3);
    assert!(controls[1].more_data() && controls[1].protected() && !controls[2].more_data());
    cell.report(burst, 3);
    assert_eq!(cell.plane.group_packet_number().value(), 3);
}

#[test]
fn what_is_not_acknowledged_is_sent_again_octet_for_octet_and_given_up_in_the_end() {
    let mut cell = Cell::new(1);
    cell.plane.handle_wired_frame(&ethernet(station(0), HOST, 7));
    let first = cell.burst().expect("a frame");
    let mut expected = first.frames.frame(0).expect("a frame").to_vec();
    cell.report(first, 0);
    assert!(mac_header::set_retry(&mut expected));
    for _ in 1..7 {
        let again = cell.burst().expect("again");
        assert_eq!(again.frames.frame(0), Some(expected.as_slice()));
        cell.report(again, 0);
    }
    assert!(cell.burst().is_none());
    assert_eq!((cell.drops(DropReason::NotAcknowledged), cell.plane.counters().retries), (1, 7));
}

#[test]
fn what_was_under_way_when_a_station_fell_asleep_is_kept() {
    let mut cell = Cell::new(1);
    for number in 0..3 {
        cell.plane.handle_wired_frame(&ethernet(station(0), HOST, number));
    }
    for _ in 0..20 {
        let burst = cell.burst().expect("frames");
        cell.power(0, true);
        cell.report(burst, 0);
        assert!(cell.burst().is_none());
        cell.power(0, false);
    }
    let burst = cell.burst().expect("frames");
    let frames: Vec<Vec<u8>> = burst.frames.iter().map(<[u8]>::to_vec).collect();
    let numbers: Vec<_> = frames.iter().map(|frame| cell.open(frame).1).collect();
    assert_eq!(numbers, [0, 1, 2]);
}

#[test]
fn a_queue_is_bounded_and_what_does_not_fit_is_counted() {
    let mut cell = Cell::new(1);
    cell.power(0, true);
    for number in 0..1000 {
        cell.plane.handle_wired_frame(&ethernet(station(0), HOST, number));
        cell.plane.handle_wired_frame(&ethernet(MacAddr::BROADCAST, HOST, number));
    }
    assert_eq!(cell.drops(DropReason::QueueFull), 2 * (1000 - QUEUE_LENGTH as u64));
}

#[test]
fn each_stage_names_its_reason() {
    let mut cell = Cell::new(2);
    let good = cell.sealed(0, &ethernet(HOST, station(0), 1));
    let mut forged = cell.sealed(0, &ethernet(HOST, station(0), 2));
    *forged.last_mut().expect("a tag") ^= 1;
    let mut retried = good.clone();
    mac_header::set_retry(&mut retried);
    let mut replayed = good.clone();
    mac_header::set_sequence(&mut replayed, SequenceControl { number: 4000, fragment: 0 });
    let mut plain = Vec::new();
    emit_data_frame(&ethernet(HOST, station(0), 3), BSSID, true, None, &mut plain).expect("whole");
    let mut elsewhere = good.clone();
    elsewhere[9] ^= 1;
    let mut stranger = plain.clone();
    stranger[15] ^= 0x40;
    cell.hear(&[good, forged, retried, replayed, plain, elsewhere, stranger, vec![0x88]]);
    for (reason, count) in [
        (DropReason::MicFailed, 1),
        (DropReason::Duplicate, 1),
        (DropReason::Replay, 1),
        (DropReason::Unprotected, 1),
        (DropReason::NotOurs, 1),
        (DropReason::NotConnected, 1),
        (DropReason::Truncated, 1),
    ] {
        assert_eq!(cell.drops(reason), count, "{reason}");
    }
    assert_eq!(cell.plane.wired_frames().len(), 1);
    cell.plane.handle_wired_frame(&ethernet(station(9), HOST, 1));
    assert_eq!(cell.drops(DropReason::NoSuchVm), 1);
}

#[test]
fn what_follows_eapol_waits_for_the_decision() {
    let mut cell = Cell::new(0);
    let parameters = StationParameters { association_id: 1, qos: true, authorized: false, privacy: true };
    cell.plane.set_station(station(0), parameters);
    cell.peers.push(slot());
    let mut eapol = [BSSID.octets(), station(0).octets()].concat();
    eapol.extend([0x88, 0x8e, 2, 3, 0, 0]);
    let mut message = Vec::new();
    emit_data_frame(&eapol, BSSID, true, None, &mut message).expect("whole");
    mac_header::set_sequence(&mut message, SequenceControl { number: 4000, fragment: 0 });
    let data = cell.sealed(0, &ethernet(HOST, station(0), 1));
    cell.hear(&[message, data]);
    assert!(!cell.plane.handle_decisions(), "nothing was taken yet");
    assert!(cell.plane.poll_frame().is_some() && cell.plane.poll_frame().is_none());
    cell.plane.set_station(station(0), StationParameters { authorized: true, ..parameters });
    let key_id = KeyId::from_low_bits(0);
    cell.plane.install_key(Some(station(0)), key_id, CipherSuite::CCMP_128, &KEY).expect("a key");
    assert!(cell.plane.handle_decisions() && !cell.plane.handle_decisions());
    assert_eq!((cell.plane.wired_frames().len(), cell.drops(DropReason::NoKey)), (1, 0));
}

#[test]
fn a_station_that_is_removed_leaves_nothing_but_its_farewell() {
    let mut cell = Cell::new(1);
    cell.power(0, true);
    cell.plane.handle_wired_frame(&ethernet(station(0), HOST, 1));
    let mut farewell = vec![0xc0, 0, 0, 0];
    farewell.extend([station(0).octets(), BSSID.octets(), BSSID.octets()].concat());
    farewell.extend([0, 0, 2, 0]);
    cell.plane.send_frame(&farewell, false).expect("a frame");
    assert!(cell.burst().is_none());
    cell.plane.remove_station(station(0));
    let burst = cell.burst().expect("the farewell");
    assert_eq!((burst.frames.len(), burst.frames.frame(0).map(|frame| frame[0])), (1, Some(0xc0)));
    cell.report(burst, 1);
    assert_eq!((cell.drops(DropReason::Flushed), cell.burst().is_none()), (1, true));
}

#[test]
fn the_same_key_again_changes_nothing_and_a_weak_one_is_refused() {
    let mut cell = Cell::new(1);
    let (id, cipher) = (KeyId::from_low_bits(0), CipherSuite::CCMP_128);
    let frame = cell.sealed(0, &ethernet(HOST, station(0), 1));
    cell.hear(core::slice::from_ref(&frame));
    cell.plane.install_key(Some(station(0)), id, cipher, &KEY).expect("the same");
    cell.hear(&[frame]);
    assert_eq!(cell.drops(DropReason::Replay), 1);
    assert_eq!(cell.plane.install_key(None, id, cipher, &[0; 16]), Err(CallError::WeakKey));
    assert_eq!(cell.plane.install_key(Some(HOST), id, cipher, &KEY), Err(CallError::UnknownVm));
}

#[derive(Clone, Debug)]
enum Step {
    Wired(u16),
    Power(u16, bool),
    /// A burst, of which so many frames are acknowledged.
    Send(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_u16).prop_map(Step::Wired),
        2 => (0..4_u16, any::<bool>()).prop_map(|(number, is_asleep)| Step::Power(number, is_asleep)),
        4 => (1..20_usize).prop_map(Step::Send),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn power_save_loses_doubles_and_disorders_nothing(steps in prop::collection::vec(step(), 1..200)) {
        let mut cell = Cell::new(4);
        let (mut sent, mut received) = (vec![Vec::new(); 4], vec![Vec::new(); 4]);
        let mut next = 0;
        let mut deliver = |cell: &mut Cell, done: usize| -> bool {
            let Some(burst) = cell.burst() else { return false };
            let done = done.min(burst.frames.len());
            let frames: Vec<Vec<u8>> = burst.frames.iter().take(done).map(<[u8]>::to_vec).collect();
            for frame in frames {
                let (number, content) = cell.open(&frame);
                assert!(!cell.plane.stations().nth(usize::from(number)).expect("a station").is_asleep());
                received[usize::from(number)].push(content);
            }
            cell.report(burst, done);
            true
        };
        for step in steps {
            match step {
                Step::Wired(number) => {
                    cell.plane.handle_wired_frame(&ethernet(station(number), HOST, next));
                    sent[usize::from(number)].push(next);
                    next += 1;
                }
                Step::Power(number, is_asleep) => cell.power(number, is_asleep),
                Step::Send(done) => {
                    deliver(&mut cell, done);
                }
            }
        }
        for number in 0..4 {
            cell.power(number, false);
        }
        while deliver(&mut cell, usize::MAX) {}
        prop_assert_eq!(sent, received);
        prop_assert_eq!(cell.plane.ready_frames(), 0);
    }

    #[test]
    fn any_octets_do_no_harm(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..40)) {
        let mut cell = Cell::new(2);
        let frames: Vec<Vec<u8>> = frames
            .into_iter()
            .map(|mut frame| {
                // Mostly frames for us from a station we know.
                if frame.len() >= 24 && frame[3] != 0 {
                    frame[0] &= 0xfc;
                    frame[4..10].copy_from_slice(&BSSID.octets());
                    frame[10..16].copy_from_slice(&station(0).octets());
                }
                frame
            })
            .collect();
        cell.hear(&frames);
        for frame in &frames {
            cell.plane.handle_wired_frame(frame);
            let _ = cell.plane.send_frame(frame, false);
        }
        while cell.plane.poll_frame().is_some() {}
        cell.plane.handle_decisions();
        for _ in 0..400 {
            let Some(burst) = cell.burst() else { break };
            cell.report(burst, 0);
        }
        prop_assert!(cell.plane.wired_frames().is_empty(), "no key, no frame");
    }
}
