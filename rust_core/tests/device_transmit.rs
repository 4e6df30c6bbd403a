//! The device's way down: attribution, queues, turns, protection, retransmission, and the answer to every call.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "tests may panic")]

mod device_support;

use device_support::*;
use polyradio_core::air::AirStation;
use polyradio_core::device::{DeviceConfig, DropReason, RowSnapshot, parse_counters};
use polyradio_core::host_api::call::{
    CallError, Connection, ConnectionState, HostCall, KeyScope, Parameters, TransmitDescriptor, opcode,
};
use polyradio_core::host_api::device_call::{DeviceInfo, StatusCode};
use polyradio_core::ids::{KeyId, MacAddr, PacketNumber, VmId, VrId};
use polyradio_core::security::ccmp::{CcmpHeader, CcmpKey};
use polyradio_core::wire::frame_control::{data_subtype, management_subtype};
use polyradio_core::wire::mac_header::{MacHeader, QosControl, SequenceControl};

fn opened(key: &[u8], frame: &[u8]) -> (Vec<u8>, u64) {
    let mut out = Vec::new();
    let number = CcmpKey::new(key).expect("a key").open(frame, &mut out).expect("sealed with that key");
    (out, number.value())
}

fn done(vr: Option<VrId>, sequence: u16, result: Result<(), CallError>, detail: u8) -> Up {
    Up::Done { vr, opcode: opcode::TRANSMIT_PACKET, sequence, result, detail, answer: Vec::new() }
}

#[test]
fn calls_are_answered_with_their_own_error() {
    let mut bench = Bench::with_vms(1);
    let init = |vm, address| HostCall::InitVm { vm: VmId::new(vm), address };
    let cases = [
        (Some(vr(1)), init(1, address(0)), CallError::AddressTaken),
        (Some(vr(1)), init(1, MacAddr::BROADCAST), CallError::InvalidAddress),
        (Some(vr(0)), init(1, address(1)), CallError::AlreadyInitialised),
        (Some(vr(1100)), init(1, address(1)), CallError::TooManyVms),
        (None, init(1, address(1)), CallError::NoIdentifier),
        (None, HostCall::ReadRow, CallError::NoIdentifier),
        (Some(vr(1)), HostCall::RemoveVm, CallError::UnknownVm),
        (Some(vr(1)), HostCall::ReadCounters, CallError::UnknownVm),
        (Some(vr(0)), HostCall::Scan { channels: &[1] }, CallError::UnknownOpcode),
        (
            Some(vr(0)),
            HostCall::RemoveKey { key_id: KeyId::from_low_bits(3), scope: KeyScope::Group },
            CallError::NoSuchKey,
        ),
    ];
    for (identifier, call, error) in cases {
        assert_eq!(bench.call(identifier, call).0, Err(error), "{call:?}");
    }
    assert_eq!(bench.install(0, KeyScope::Pairwise, 1, &[0; 16]), Err(CallError::WeakKey));
    assert_eq!(bench.install(0, KeyScope::Pairwise, 1, &[1; 15]), Err(CallError::UnsupportedCipher));
    assert_eq!(bench.schedule(&[(0, 5)]), Err(CallError::BadSchedule));
}

#[test]
fn the_device_says_what_it_is() {
    let mut bench = Bench::new();
    let (result, answer) = bench.call(None, HostCall::DeviceInfo);
    assert_eq!(result, Ok(()));
    let info = DeviceInfo::parse(&answer).expect("device information");
    assert_eq!((info.max_vms, info.max_radios, info.queue_length, info.ciphers), (1100, 1, 8, 1 << 4 | 1 << 10));
}

#[test]
fn a_packet_is_sealed_numbered_sent_and_answered() {
    let mut bench = Bench::with_vms(2);
    let frame = Frame::up(1);
    let sequences = [bench.transmit(1, &frame.octets()), bench.transmit(1, &frame.octets())];
    assert_eq!(bench.take(), [], "answered when it is sent");
    let burst = bench.burst().expect("two frames");
    assert_eq!((burst.channel, burst.rate, burst.vms.as_slice()), (1, 540, &[Some(VmId::new(1001)); 2][..]));
    for (index, sent) in burst.frames.iter().enumerate() {
        let (plain, number) = opened(&key(1), sent);
        assert_eq!(number, index as u64 + 1);
        let number = u16::try_from(index).expect("small");
        let expected = frame.clone().with(|h| h.sequence = Some(SequenceControl { number, fragment: 0 }));
        assert_eq!(plain, expected.octets());
    }
    assert_eq!(bench.burst().map(|burst| burst.frames.len()), None, "one burst at a time");
    bench.report(burst, 2);
    assert_eq!(bench.take(), sequences.map(|sequence| done(Some(vr(1)), sequence, Ok(()), 1)));
}

#[test]
fn a_vm_cannot_send_under_anothers_address() {
    let mut bench = Bench::with_vms(2);
    let foreign = Frame::up(1).octets();
    let descriptor = TransmitDescriptor::default();
    assert_eq!(bench.refused(Some(vr(0)), descriptor, &foreign), DropReason::ForeignSource);
    let row = bench.device.rows().next().expect("row 0");
    assert_eq!(row.counters().drops.of(DropReason::ForeignSource), 1);
    assert_eq!(bench.burst().map(|burst| burst.frames.len()), None);
}

#[test]
fn a_vm_cannot_send_under_anothers_address_within_an_amsdu() {
    let mut bench = Bench::with_vms(2);
    let amsdu = |sources: &[MacAddr]| {
        let mut frame = Frame::up(0).with(|header| header.qos = Some(QosControl(0x80)));
        frame.body.clear();
        for source in sources {
            let msdu = llc(0x0800, b"12");
            let length = u16::try_from(msdu.len()).expect("short").to_be_bytes();
            frame.body.extend([&PEER.octets()[..], &source.octets(), &length, &msdu].concat());
            frame.body.resize(frame.body.len().next_multiple_of(4), 0);
        }
        frame
    };
    bench.transmit(0, &amsdu(&[address(0), address(0)]).octets());
    assert_eq!(bench.send_all().len(), 1);
    bench.take();
    let descriptor = TransmitDescriptor::default();
    for foreign in [address(1), PEER] {
        let frame = amsdu(&[address(0), foreign]).octets();
        assert_eq!(bench.refused(Some(vr(0)), descriptor, &frame), DropReason::ForeignSource);
    }
    let mut cut_off = amsdu(&[address(0)]).octets();
    cut_off.truncate(cut_off.len() - 4);
    assert_eq!(bench.refused(Some(vr(0)), descriptor, &cut_off), DropReason::BadAmsdu);
}

#[test]
fn a_legacy_hosts_packet_is_attributed_by_its_source() {
    let mut bench = Bench::with_vms(2);
    let sequence = bench.submit(None, packet(&Frame::up(1).octets()));
    let burst = bench.burst().expect("attributed");
    assert_eq!(burst.vms, [Some(VmId::new(1001))]);
    opened(&key(1), burst.frames.frame(0).expect("one frame"));
    bench.report(burst, 1);
    assert_eq!(bench.take(), [done(None, sequence, Ok(()), 1)]);
    assert_eq!(bench.refused(None, TransmitDescriptor::default(), &Frame::up(7).octets()), DropReason::NoSuchVm);
}

#[test]
fn what_may_not_be_sent_is_refused_with_its_reason() {
    let mut bench = Bench::with_vms(1);
    let up = || Frame::up(0);
    let control = up().header.frame_control;
    let cases: [(&str, Vec<u8>, DropReason); 9] = [
        ("to another access point", up().with(|h| h.addr1 = OTHER_AP).octets(), DropReason::ForeignBss),
        ("past the access point", up().with(|h| h.addr1 = MacAddr::BROADCAST).octets(), DropReason::ForeignBss),
        ("not to the DS", up().with(|h| h.frame_control = control.with_to_ds(false)).octets(), DropReason::Malformed),
        (
            "protected already",
            up().with(|h| h.frame_control = control.with_protected(true)).octets(),
            DropReason::Malformed,
        ),
        (
            "a fragment",
            up().with(|h| h.frame_control = control.with_more_fragments(true)).octets(),
            DropReason::Fragment,
        ),
        ("another TID than it says", up().with(|h| h.qos = Some(QosControl(6))).octets(), DropReason::Malformed),
        ("cut off", up().octets()[..20].to_vec(), DropReason::Truncated),
        ("nothing", Vec::new(), DropReason::Truncated),
        ("too long", [up().octets(), vec![0; 12_000]].concat(), DropReason::Malformed),
    ];
    for (what, frame, reason) in cases {
        assert_eq!(bench.refused(Some(vr(0)), TransmitDescriptor::default(), &frame), reason, "{what}");
    }
}

#[test]
fn data_waits_for_authorization_and_is_never_sent_in_the_clear() {
    let mut bench = Bench::with_vms(1);
    let (plain, unprotected) =
        (TransmitDescriptor::default(), TransmitDescriptor { unprotected: true, ..TransmitDescriptor::default() });
    let remove = HostCall::RemoveKey { key_id: KeyId::from_low_bits(0), scope: KeyScope::Pairwise };
    bench.ok(Some(vr(0)), remove);
    let (data, eapol) = (Frame::up(0).octets(), Frame::up(0).eapol().octets());
    assert_eq!(bench.refused(Some(vr(0)), plain, &data), DropReason::NoKey, "the group key is no substitute");
    assert_eq!(bench.refused(Some(vr(0)), unprotected, &data), DropReason::NoKey);
    assert_eq!(bench.refused(Some(vr(0)), plain, &eapol), DropReason::NoKey);
    bench.ok(Some(vr(0)), HostCall::SetConnection(connection(ConnectionState::Associated)));
    assert_eq!(bench.refused(Some(vr(0)), plain, &data), DropReason::NotConnected);
    bench.submit(Some(vr(0)), HostCall::TransmitPacket { descriptor: unprotected, frame: &eapol });
    let sent = bench.send_all();
    assert_eq!(sent[0].frames.frame(0), Some(eapol.as_slice()));
    bench.ok(Some(vr(0)), HostCall::SetConnection(connection(ConnectionState::Authenticated)));
    bench.take();
    assert_eq!(bench.refused(Some(vr(0)), unprotected, &eapol), DropReason::NotConnected);
}

#[test]
fn a_retransmission_is_the_same_octets_but_for_the_retry_bit() {
    let mut bench = Bench::with_vms(1);
    let sequences: Vec<u16> = (0..3).map(|_| bench.transmit(0, &Frame::up(0).octets())).collect();
    let first = bench.burst().expect("three frames");
    bench.report(first.clone(), 1);
    assert_eq!(bench.take(), [done(Some(vr(0)), sequences[0], Ok(()), 1)]);
    let second = bench.burst().expect("two frames");
    let mut expected = first.frames.frame(1).expect("three frames").to_vec();
    expected[1] |= 0x08;
    assert_eq!(second.frames.frame(0), Some(expected.as_slice()));
    assert_eq!(second.frames.frame(1), first.frames.frame(2), "it had not gone out: no retry");
    bench.report(second, 2);
    assert_eq!(bench.take(), [done(Some(vr(0)), sequences[1], Ok(()), 2), done(Some(vr(0)), sequences[2], Ok(()), 1)]);
}

#[test]
fn a_frame_is_given_up_at_the_retry_limit() {
    let mut bench = Bench::with_vms(1);
    let sequence = bench.transmit(0, &Frame::up(0).octets());
    for _ in 0..7 {
        assert_eq!(bench.take(), []);
        let burst = bench.burst().expect("once more");
        bench.report(burst, 0);
    }
    assert_eq!(bench.take(), [done(Some(vr(0)), sequence, Err(CallError::NotAcknowledged), 7)]);
    assert_eq!(bench.burst().map(|burst| burst.frames.len()), None);
}

#[test]
fn a_full_queue_refuses_and_harms_no_neighbour() {
    let mut bench = Bench::with_vms(2);
    for _ in 0..8 {
        bench.transmit(0, &Frame::up(0).octets());
    }
    assert_eq!(bench.take(), []);
    let sequence = bench.transmit(0, &Frame::up(0).octets());
    let full = done(Some(vr(0)), sequence, Err(CallError::QueueFull), DropReason::QueueFull as u8);
    assert_eq!(bench.take(), [full]);
    bench.transmit(1, &Frame::up(1).octets());
    assert_eq!(bench.take(), []);
}

#[test]
fn a_queue_full_of_data_has_room_for_a_handshake() {
    let mut bench = Bench::with_vms(1);
    for _ in 0..8 {
        bench.transmit(0, &Frame::up(0).octets());
    }
    let eapol = bench.transmit(0, &Frame::up(0).eapol().octets());
    assert_eq!(bench.take(), [], "nothing is refused");
    bench.send_all();
    assert!(bench.take().contains(&done(Some(vr(0)), eapol, Ok(()), 1)));
    bench.transmit(0, &Frame::up(0).eapol().octets());
    for _ in 0..8 {
        bench.transmit(0, &Frame::up(0).octets());
    }
    assert_eq!(bench.take(), [], "nor does the handshake take the data's room");
    bench.send_all();
    bench.take();
    for _ in 0..100 {
        bench.transmit(0, &Frame::up(0).eapol().octets());
    }
    let refused = bench.take();
    assert!((50..100).contains(&refused.len()), "{} of 100: still bounded", refused.len());
}

#[test]
fn vms_take_turns() {
    let config = DeviceConfig { max_vms: 1100, queue_length: 8, burst_frames: 4, ..DeviceConfig::default() };
    let mut bench = Bench::with(config);
    for number in 0..1024 {
        bench.add_vm(number);
    }
    bench.stand_on(1);
    for number in 0..1024 {
        for _ in 0..8 {
            bench.transmit(number, &Frame::up(number).octets());
        }
    }
    let bursts = bench.send_all();
    assert_eq!(bursts.len(), 2048);
    for round in bursts.chunks(1024) {
        let mut served: Vec<_> = round.iter().map(|burst| burst.vms[0]).collect();
        assert!(round.iter().all(|burst| burst.vms.len() == 4));
        served.dedup();
        assert_eq!(served.len(), 1024, "each VM once a round");
    }
}

#[test]
fn one_turn_is_bounded_in_airtime() {
    let mut bench = Bench::with_vms(1);
    bench.ok(Some(vr(0)), HostCall::SetParameters(Parameters { rate: 60, ..parameters(1) }));
    let mut frame = Frame::up(0);
    frame.body = llc(0x0800, &[0; 1400]);
    for _ in 0..4 {
        bench.transmit(0, &frame.octets());
    }
    // 1400 octets at 6 Mbit/s take 1.9 ms.
    assert_eq!(bench.send_all().iter().map(|burst| burst.frames.len()).collect::<Vec<_>>(), [1; 4]);
}

#[test]
fn removing_the_pairwise_key_flushes_what_was_queued_under_it() {
    let mut bench = Bench::with_vms(2);
    let on_air = [bench.transmit(0, &Frame::up(0).octets()), bench.transmit(0, &Frame::up(0).octets())];
    let burst = bench.burst().expect("two frames");
    let queued = bench.transmit(0, &Frame::up(0).octets());
    bench.transmit(1, &Frame::up(1).octets());
    let removed =
        bench.submit(Some(vr(0)), HostCall::RemoveKey { key_id: KeyId::from_low_bits(0), scope: KeyScope::Pairwise });
    let flushed = |sequence| done(Some(vr(0)), sequence, Err(CallError::Dropped), DropReason::Flushed as u8);
    let answers = bench.take();
    assert_eq!(answers[0], flushed(queued));
    assert!(matches!(answers[1], Up::Done { sequence, result: Ok(()), .. } if sequence == removed));
    bench.install(0, KeyScope::Pairwise, 0, &[7; 16]).expect("a new key");
    bench.report(burst, 1);
    assert_eq!(bench.take(), [done(Some(vr(0)), on_air[0], Ok(()), 1), flushed(on_air[1])]);
    assert_eq!(bench.send_all().iter().map(|burst| burst.vms.clone()).collect::<Vec<_>>(), [[Some(VmId::new(1001))]]);
}

#[test]
fn a_vm_removed_while_its_frames_are_on_the_air_leaves_nothing_to_its_successor() {
    let mut bench = Bench::with_vms(1);
    let sequence = bench.transmit(0, &Frame::up(0).octets());
    let burst = bench.burst().expect("one frame");
    bench.submit(Some(vr(0)), HostCall::RemoveVm);
    let flushed = done(Some(vr(0)), sequence, Err(CallError::Dropped), DropReason::Flushed as u8);
    assert_eq!(bench.take()[0], flushed);
    bench.add_vm(0);
    let mine = bench.transmit(0, &Frame::up(0).octets());
    bench.report(burst, 0);
    assert_eq!(bench.take(), [], "the old burst's end concerns nobody");
    let bursts = bench.send_all();
    assert_eq!((bursts.len(), bursts[0].frames.len()), (1, 1));
    assert_eq!(bench.take(), [done(Some(vr(0)), mine, Ok(()), 1)]);
}

#[test]
fn a_reset_virtual_mac_does_not_touch_its_neighbour() {
    let mut bench = Bench::with_vms(2);
    for _ in 0..2 {
        bench.take();
        bench.send_all();
        bench.transmit(0, &Frame::up(0).octets());
        bench.transmit(1, &Frame::up(1).octets());
    }
    bench.take();
    bench.submit(Some(vr(0)), HostCall::ResetVirtualMac);
    assert_eq!(bench.take().len(), 2, "the flushed frame and the call itself");
    bench.transmit(0, &Frame::up(0).octets());
    let sent: Vec<(u16, u64)> = bench
        .send_all()
        .iter()
        .flat_map(|burst| burst.frames.iter().map(<[u8]>::to_vec).collect::<Vec<_>>())
        .map(|frame| {
            let number = header(&frame).sequence.expect("numbered").number;
            (number, CcmpHeader::read(&frame).expect("protected").packet_number.value())
        })
        .collect();
    // Row 1 goes on; row 0 counts frames from 0 again, but its key's packet numbers never go back.
    assert_eq!(sent, [(1, 2), (0, 2)]);
}

#[test]
fn a_probe_request_waits_for_its_channel_and_blocks_nothing() {
    let mut bench = Bench::with_vms(1);
    let probe = Frame::management(management_subtype::PROBE_REQUEST, MacAddr::BROADCAST, address(0)).octets();
    let mut probes = Vec::new();
    for channel in 2..13 {
        let descriptor = TransmitDescriptor { channel, ..TransmitDescriptor::default() };
        probes.push(bench.submit(Some(vr(0)), HostCall::TransmitPacket { descriptor, frame: &probe }));
    }
    // Room for eight: the three oldest had to go.
    let evicted = |sequence| done(Some(vr(0)), sequence, Err(CallError::QueueFull), DropReason::QueueFull as u8);
    assert_eq!(bench.take(), [evicted(probes[0]), evicted(probes[1]), evicted(probes[2])]);
    bench.transmit(0, &Frame::up(0).octets());
    assert_eq!(bench.send_all().len(), 1, "data is not behind the probes");
    bench.schedule(&[(9, 20_000)]).expect("one slot");
    let sent = bench.run_until(bench.now + core::time::Duration::from_millis(5));
    assert!(matches!(sent.as_slice(), [.., (_, burst)] if burst.channel == 9 && burst.frames.len() == 1));
}

#[test]
fn the_radio_tells_each_access_point_before_it_leaves_and_when_it_is_back() {
    let mut bench = Bench::with_vms(2);
    bench.ok(Some(vr(1)), HostCall::SetParameters(parameters(6)));
    bench.schedule(&[(1, 20_000), (6, 20_000)]).expect("two slots");
    let start = bench.now;
    bench.run_until(bench.now + core::time::Duration::from_millis(45));
    bench.take();
    for number in [0, 1] {
        bench.transmit(number, &Frame::up(number).octets());
    }
    let sent = bench.run_until(bench.now + core::time::Duration::from_millis(120));
    let story: Vec<(u16, u8, &str)> = sent
        .iter()
        .flat_map(|(_, burst)| burst.frames.iter().map(|frame| (burst.channel, header(frame))))
        .map(|(channel, header)| {
            let number = u16::from(header.addr2 == Some(address(1)));
            let what = match (header.frame_control.is_null(), header.frame_control.power_management()) {
                (true, true) => "sleep",
                (true, false) => "awake",
                (false, _) => "data",
            };
            (number, channel, what)
        })
        .collect();
    assert_eq!(
        story[..7],
        [
            (0, 1, "data"),
            (0, 1, "sleep"),
            (1, 6, "awake"),
            (1, 6, "data"),
            (1, 6, "sleep"),
            (0, 1, "awake"),
            (0, 1, "sleep")
        ],
        "{start:?}"
    );
    let grants: Vec<u16> = bench
        .take()
        .into_iter()
        .filter_map(|up| match up {
            Up::Status { vr: None, code: StatusCode::RadioGranted, value } => Some(value),
            _ => None,
        })
        .collect();
    assert_eq!(grants[..3], [6, 1, 6]);
}

#[test]
fn an_access_point_that_does_not_answer_holds_the_radio_for_a_bounded_time() {
    let mut bench = Bench::with_vms(1);
    bench.schedule(&[(1, 20_000), (6, 20_000)]).expect("two slots");
    let start = bench.now.as_micros();
    let mut left_at = None;
    for _ in 0..40 {
        while let Some(burst) = bench.burst() {
            bench.report(burst, 0);
        }
        let next = bench.device.poll_timeout().expect("a schedule");
        bench.now = next;
        bench.device.handle_timeout(next);
        if bench.device.channel().is_none() {
            left_at = Some(next);
            break;
        }
    }
    assert!(left_at.is_some_and(|left| left.as_micros() <= start + 500 + 20_000 + 4_000), "{left_at:?}");
}

#[test]
fn seven_beacons_missed_are_a_loss_for_the_vms_of_that_access_point() {
    let mut bench = Bench::with_vms(3);
    for number in [0, 1] {
        let watching = Connection { beacon_interval: 100, ..connection(ConnectionState::Authorized) };
        bench.ok(Some(vr(number)), HostCall::SetConnection(watching));
    }
    bench.run_until(at_ms(600));
    assert_eq!(bench.hear(&[&Frame::beacon(AP).octets()]), [], "heard, and not handed up");
    bench.run_until(at_ms(1316));
    assert_eq!(bench.take(), []);
    bench.run_until(at_ms(2000));
    let loss = |number| Up::Status { vr: Some(vr(number)), code: StatusCode::BeaconLoss, value: 7 };
    assert_eq!(bench.take(), [loss(0), loss(1)]);
}

#[test]
fn a_row_and_its_counters_can_be_read_and_hold_no_key() {
    let mut bench = Bench::with_vms(2);
    bench.transmit(0, &Frame::up(0).octets());
    bench.send_all();
    bench.take();
    let (_, answer) = bench.call(Some(vr(0)), HostCall::ReadRow);
    let row = RowSnapshot::parse(&answer).expect("a row");
    assert_eq!((row.vm, row.vr, row.address), (VmId::new(1000), vr(0), address(0)));
    assert_eq!((row.parameters, row.connection), (parameters(1), connection(ConnectionState::Authorized)));
    assert_eq!(
        row.keys.iter().map(|key| (key.scope, key.is_transmit)).collect::<Vec<_>>(),
        [(KeyScope::Pairwise, true), (KeyScope::Group, false)]
    );
    assert_eq!(row.keys[0].transmitted, PacketNumber::from_low_bits(1));
    assert!(!answer.windows(4).any(|window| window == &key(0)[..4]));
    for end in 0..answer.len() {
        assert!(RowSnapshot::parse(&answer[..end]).is_err(), "{end}");
    }
    let (_, answer) = bench.call(Some(vr(0)), HostCall::ReadCounters);
    assert_eq!(parse_counters(&answer).expect("counters").sent, 1);
    let (_, answer) = bench.call(Some(vr(1)), HostCall::ReadCounters);
    assert_eq!(parse_counters(&answer).expect("counters").sent, 0);
    assert_eq!(bench.call(None, HostCall::ReadCounters).0, Ok(()));
}

#[test]
fn a_reset_device_is_as_new_and_every_frame_is_answered() {
    let mut bench = Bench::with_vms(2);
    let sequence = bench.transmit(0, &Frame::up(0).octets());
    bench.submit(None, HostCall::ResetDevice);
    let flushed = done(Some(vr(0)), sequence, Err(CallError::Dropped), DropReason::Flushed as u8);
    let answers = bench.take();
    assert_eq!((answers.len(), &answers[0]), (2, &flushed));
    assert_eq!((bench.device.channel(), bench.device.poll_timeout()), (None, None));
    assert!(!bench.device.acknowledges(address(0)) && bench.device.rows().next().is_none());
}

#[test]
fn frames_to_an_own_address_are_acknowledged_and_no_others() {
    let bench = Bench::with_vms(2);
    assert!(bench.device.acknowledges(address(0)) && bench.device.acknowledges(address(1)));
    assert!(!bench.device.acknowledges(address(2)) && !bench.device.acknowledges(MacAddr::BROADCAST));
    assert_eq!(bench.device.vm_of(address(1)), Some(VmId::new(1001)));
}

#[test]
fn a_null_frame_of_a_vm_does_not_put_the_station_to_sleep() {
    let mut bench = Bench::with_vms(1);
    let null = Frame::up(0).with(|header: &mut MacHeader| {
        let control = polyradio_core::wire::frame_control::FrameControl::data(data_subtype::NULL);
        header.frame_control = control.with_to_ds(true).with_power_management(true);
        header.qos = None;
    });
    bench.transmit(0, &null.octets()[..24]);
    let sent = bench.send_all();
    assert!(!header(sent[0].frames.frame(0).expect("one frame")).frame_control.power_management());
}
