//! The device's way up: every frame is delivered to its owner or counted with the reason that it deserves.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "tests may panic")]

mod device_support;

use device_support::*;
use polyradio_core::device::DropReason;
use polyradio_core::host_api::PacketClass;
use polyradio_core::host_api::call::{ConnectionState, HostCall, KeyScope, Parameters};
use polyradio_core::ids::{KeyId, MacAddr, VmId};
use polyradio_core::wire::frame_control::{FrameControl, data_subtype, management_subtype};
use polyradio_core::wire::mac_header::{QosControl, SequenceControl};

#[expect(clippy::unnecessary_wraps, reason = "compared with whose counter grew, which may be nobody's")]
fn vm(number: u16) -> Option<VmId> {
    Some(VmId::new(number + 1000))
}

fn packets(ups: Vec<Up>) -> Vec<(u16, PacketClass, bool, Vec<u8>)> {
    ups.into_iter()
        .map(|up| match up {
            Up::Packet { vr, descriptor, frame } => {
                (u16::try_from(vr.index()).expect("small"), descriptor.class, descriptor.decrypted, frame)
            }
            other => panic!("a packet, not {other:?}"),
        })
        .collect()
}

#[test]
fn a_protected_frame_goes_to_the_vm_that_owns_its_destination() {
    let mut bench = Bench::with_vms(3);
    let plain = Frame::down(address(1), 7);
    let got = packets(bench.hear(&[&plain.sealed(&key(1), 0, 1)]));
    assert_eq!(got, [(1, PacketClass::Data, true, plain.octets())]);
}

#[test]
fn the_descriptor_says_how_a_packet_was_received() {
    let mut bench = Bench::with_vms(1);
    let frame = Frame::down(address(0), 7).with(|header| header.qos = Some(QosControl(5))).sealed(&key(0), 0, 1);
    let ups = bench.hear(&[&frame]);
    let [Up::Packet { descriptor, .. }] = ups.as_slice() else { panic!("one packet") };
    assert_eq!((descriptor.channel, descriptor.signal_dbm, descriptor.rate), (1, -40, 540));
    assert_eq!((descriptor.tid.value(), descriptor.key_id.value(), descriptor.still_protected), (5, 0, false));
    assert_eq!(descriptor.timestamp_us, bench.now.as_micros());
}

#[test]
fn a_group_frame_goes_to_every_vm_of_its_bss() {
    let mut bench = Bench::with_vms(3);
    bench.ok(Some(vr(2)), {
        let other =
            polyradio_core::host_api::call::Connection { bssid: OTHER_AP, ..connection(ConnectionState::Authorized) };
        HostCall::SetConnection(other)
    });
    let plain = Frame::down(MacAddr::BROADCAST, 7);
    let got = packets(bench.hear(&[&plain.sealed(&GROUP_KEY, 1, 1)]));
    assert_eq!(got.iter().map(|(number, ..)| *number).collect::<Vec<_>>(), [0, 1]);
    assert!(got.iter().all(|(_, _, decrypted, frame)| *decrypted && *frame == plain.octets()));
}

#[test]
fn a_frame_for_nobody_is_not_ours() {
    let mut bench = Bench::with_vms(1);
    assert_eq!(bench.dropped(&Frame::down(address(9), 1).sealed(&key(0), 0, 1)), (None, DropReason::NotOurs));
    let foreign_group = Frame::down(MacAddr::BROADCAST, 1).with(|header| header.addr2 = Some(OTHER_AP));
    assert_eq!(bench.dropped(&foreign_group.octets()), (None, DropReason::NotOurs));
}

#[test]
fn what_is_wrong_with_a_frame_is_counted_as_its_owners() {
    let mut bench = Bench::with_vms(2);
    let good = || Frame::down(address(1), 1);
    let sealed = |frame: Frame| frame.sealed(&key(1), 0, 1);
    let from_station = FrameControl::data(data_subtype::QOS_DATA);
    let cases: [(&str, Vec<u8>, DropReason); 12] = [
        ("another access point", sealed(good().with(|h| h.addr2 = Some(OTHER_AP))), DropReason::ForeignBss),
        ("between stations", sealed(good().with(|h| h.frame_control = from_station)), DropReason::Malformed),
        (
            "four addresses",
            sealed(good().with(|h| {
                h.frame_control = h.frame_control.with_to_ds(true);
                h.addr4 = Some(PEER);
            })),
            DropReason::Malformed,
        ),
        ("plaintext", good().octets(), DropReason::Unprotected),
        ("another VM's key", good().sealed(&key(0), 0, 1), DropReason::MicFailed),
        ("an identifier without key", good().sealed(&key(1), 2, 1), DropReason::NoKey),
        ("the group key on unicast", good().sealed(&GROUP_KEY, 1, 1), DropReason::NoKey),
        ("packet number 0", good().sealed(&key(1), 0, 0), DropReason::Replay),
        (
            "first fragment",
            sealed(good().with(|h| h.frame_control = h.frame_control.with_more_fragments(true))),
            DropReason::Fragment,
        ),
        (
            "last fragment",
            sealed(good().with(|h| h.sequence = Some(SequenceControl { number: 1, fragment: 1 }))),
            DropReason::Fragment,
        ),
        ("cut in the CCMP header", sealed(good())[..30].to_vec(), DropReason::Truncated),
        ("cut in the MAC header", good().octets()[..20].to_vec(), DropReason::Truncated),
    ];
    for (what, frame, reason) in cases {
        assert_eq!(bench.dropped(&frame), (vm(1), reason), "{what}");
    }
    // After all of that the good one still passes: nothing moved a counter.
    assert_eq!(bench.hear(&[&sealed(good())]).len(), 1);
}

#[test]
fn group_frames_are_never_opened_with_the_pairwise_key() {
    let mut bench = Bench::with_vms(1);
    let group = || Frame::down(MacAddr::BROADCAST, 1);
    assert_eq!(bench.dropped(&group().sealed(&key(0), 0, 1)), (vm(0), DropReason::NoKey));
    assert_eq!(bench.dropped(&group().octets()), (vm(0), DropReason::Unprotected));
    let echo = group().with(|header| header.addr3 = Some(address(0)));
    assert_eq!(bench.dropped(&echo.sealed(&GROUP_KEY, 1, 1)), (vm(0), DropReason::OwnEcho));
    let amsdu = group().with(|header| header.qos = Some(QosControl(0x80)));
    assert_eq!(bench.dropped(&amsdu.sealed(&GROUP_KEY, 1, 1)), (vm(0), DropReason::BadAmsdu));
    assert_eq!(bench.dropped(&group().eapol().sealed(&GROUP_KEY, 1, 1)), (vm(0), DropReason::Filtered));
}

#[test]
fn a_frame_passes_once_even_within_one_burst() {
    let mut bench = Bench::with_vms(1);
    let first = Frame::down(address(0), 1).sealed(&key(0), 0, 5);
    let second = Frame::down(address(0), 2).sealed(&key(0), 0, 6);
    let older = Frame::down(address(0), 3).sealed(&key(0), 0, 4);
    assert_eq!(bench.hear(&[&first, &first, &second, &older]).len(), 2);
    assert_eq!(bench.dropped(&second), (vm(0), DropReason::Replay));
    let counters = bench.device.rows().next().expect("a row").counters().clone();
    assert_eq!(counters.drops.of(DropReason::Replay), 3);
    // Another TID counts for itself.
    let other_tid = Frame::down(address(0), 1).with(|header| header.qos = Some(QosControl(6)));
    assert_eq!(bench.hear(&[&other_tid.sealed(&key(0), 0, 1)]).len(), 1);
}

#[test]
fn a_retransmission_is_a_duplicate_and_not_a_replay() {
    let mut bench = Bench::with_vms(1);
    let frame = Frame::down(address(0), 1);
    assert_eq!(bench.hear(&[&frame.sealed(&key(0), 0, 1)]).len(), 1);
    assert_eq!(bench.dropped(&frame.retry().sealed(&key(0), 0, 1)), (vm(0), DropReason::Duplicate));
}

#[test]
fn eapol_is_accepted_in_the_clear_from_the_own_access_point_only() {
    let mut bench = Bench::with_vms(1);
    bench.ok(Some(vr(0)), HostCall::SetConnection(connection(ConnectionState::Associated)));
    let eapol = || Frame::down(address(0), 1).eapol();
    let got = packets(bench.hear(&[&eapol().octets()]));
    assert_eq!(got, [(0, PacketClass::Eapol, false, eapol().octets())]);
    let foreign = eapol().with(|header| header.addr2 = Some(OTHER_AP));
    assert_eq!(bench.dropped(&foreign.octets()), (vm(0), DropReason::ForeignBss));
    let group = eapol().with(|header| header.addr1 = MacAddr::BROADCAST);
    assert_eq!(bench.dropped(&group.octets()), (vm(0), DropReason::Filtered));
    // Not authorized yet: a protected EAPOL frame passes, protected data does not.
    let protected = Frame::down(address(0), 2).eapol().sealed(&key(0), 0, 1);
    assert_eq!(packets(bench.hear(&[&protected]))[0].1, PacketClass::Eapol);
    let data = Frame::down(address(0), 3).sealed(&key(0), 0, 2);
    assert_eq!(bench.dropped(&data), (vm(0), DropReason::NotConnected));
    bench.ok(Some(vr(0)), HostCall::SetConnection(connection(ConnectionState::Authenticated)));
    assert_eq!(bench.dropped(&eapol().octets()), (vm(0), DropReason::NotConnected));
}

#[test]
fn without_privacy_data_passes_in_the_clear() {
    let mut bench = Bench::with_vms(1);
    let open = polyradio_core::host_api::call::Connection { privacy: false, ..connection(ConnectionState::Authorized) };
    bench.ok(Some(vr(0)), HostCall::SetConnection(open));
    let got = packets(bench.hear(&[&Frame::down(address(0), 1).octets()]));
    assert_eq!((got.len(), got[0].1, got[0].2), (1, PacketClass::Data, false));
}

#[test]
fn a_frame_is_forwarded_as_it_is_where_the_vm_decrypts_itself() {
    let mut bench = Bench::with_vms(1);
    let forward = Parameters { forward_protected: true, ..parameters(1) };
    bench.ok(Some(vr(0)), HostCall::SetParameters(forward));
    let frame = Frame::down(address(0), 1).sealed(&key(0), 2, 1);
    for (number, frame) in [(2, &frame), (2, &frame)] {
        // No replay check: that is the host's, with the key.
        let ups = bench.hear(&[frame]);
        let [Up::Packet { descriptor, frame: got, .. }] = ups.as_slice() else { panic!("one packet") };
        assert_eq!((descriptor.still_protected, descriptor.decrypted), (true, false));
        assert_eq!(descriptor.key_id, KeyId::from_low_bits(number));
        assert_eq!(got, frame);
    }
}

#[test]
fn beacons_go_to_scanning_vms_alone() {
    let mut bench = Bench::with_vms(3);
    assert_eq!(bench.dropped(&Frame::beacon(OTHER_AP).octets()), (None, DropReason::Filtered));
    bench.ok(Some(vr(1)), HostCall::SetParameters(Parameters { scan_filter: true, ..parameters(1) }));
    let got = packets(bench.hear(&[&Frame::beacon(OTHER_AP).octets()]));
    assert_eq!(
        got.iter().map(|(number, class, ..)| (*number, *class)).collect::<Vec<_>>(),
        [(1, PacketClass::Management)]
    );
}

#[test]
fn management_frames_go_to_their_vm_and_farewells_to_the_whole_bss() {
    let mut bench = Bench::with_vms(2);
    let unicast = Frame::management(management_subtype::DEAUTHENTICATION, address(1), AP).octets();
    assert_eq!(packets(bench.hear(&[&unicast])), [(1, PacketClass::Management, false, unicast)]);
    let group = Frame::management(management_subtype::DEAUTHENTICATION, MacAddr::BROADCAST, AP).octets();
    assert_eq!(bench.hear(&[&group]).len(), 2);
    let probe = Frame::management(management_subtype::PROBE_REQUEST, MacAddr::BROADCAST, PEER).octets();
    assert_eq!(bench.dropped(&probe), (None, DropReason::Filtered));
}

#[test]
fn null_frames_are_consumed_and_control_frames_filtered() {
    let mut bench = Bench::with_vms(1);
    let null = Frame::down(address(0), 1).with(|header| {
        header.frame_control = FrameControl::data(data_subtype::NULL).with_from_ds(true);
        header.qos = None;
    });
    assert_eq!(bench.hear(&[&null.octets()[..24]]), []);
    assert_eq!(bench.device.rows().next().expect("a row").counters().consumed, 1);
    let [a, b, c, d, e, f] = address(0).octets();
    assert_eq!(bench.dropped(&[0xd4, 0, 0, 0, a, b, c, d, e, f]), (vm(0), DropReason::Filtered));
    assert_eq!(bench.dropped(&[]), (None, DropReason::Truncated));
    let mut other_version = Frame::down(address(0), 1).octets();
    other_version[0] |= 1;
    assert_eq!(bench.dropped(&other_version), (vm(0), DropReason::Malformed));
}

#[test]
fn nothing_is_heard_on_another_channel() {
    let mut bench = Bench::with_vms(1);
    assert_eq!(bench.hear_on(6, &[&Frame::down(address(0), 1).sealed(&key(0), 0, 1)]), []);
    let (_, counters) = bench.device.counters().next().expect("the device's own");
    assert_eq!(counters.off_channel, 1);
}

#[test]
fn a_removed_vm_receives_nothing_and_its_successor_has_none_of_its_keys() {
    let mut bench = Bench::with_vms(1);
    bench.ok(Some(vr(0)), HostCall::RemoveVm);
    let frame = Frame::down(address(0), 1).sealed(&key(0), 0, 1);
    assert_eq!(bench.dropped(&frame), (None, DropReason::NotOurs));
    bench.ok(Some(vr(0)), HostCall::InitVm { vm: VmId::new(2000), address: address(0) });
    bench.ok(Some(vr(0)), HostCall::SetConnection(connection(ConnectionState::Authorized)));
    assert_eq!(bench.dropped(&frame), (Some(VmId::new(2000)), DropReason::NoKey));
}

#[test]
fn a_host_that_fetches_nothing_costs_bounded_memory() {
    let mut bench = Bench::with_vms(1);
    let open = polyradio_core::host_api::call::Connection { privacy: false, ..connection(ConnectionState::Authorized) };
    bench.ok(Some(vr(0)), HostCall::SetConnection(open));
    let mut frame = Frame::down(address(0), 1);
    frame.body = llc(0x0800, &[0; 11_000]);
    let frame = frame.octets();
    let batch: polyradio_core::frame_batch::FrameBatch = core::iter::repeat_n(frame.as_slice(), 1000).collect();
    let reception = polyradio_core::air::Reception { channel: 1, rate: 540, signal_dbm: -40 };
    polyradio_core::air::AirStation::handle_air_frames(&mut bench.device, &batch, reception, bench.now);
    let counters = bench.device.rows().next().expect("a row").counters().clone();
    assert!(counters.drops.of(DropReason::QueueFull) > 0);
    assert_eq!(counters.received + counters.drops.of(DropReason::QueueFull), 1000);
}

#[test]
fn the_same_key_again_is_no_new_key() {
    let mut bench = Bench::with_vms(1);
    let frame = Frame::down(address(0), 1).sealed(&key(0), 0, 1);
    assert_eq!(bench.hear(&[&frame]).len(), 1);
    let again = bench.install(0, KeyScope::Pairwise, 0, &key(0));
    assert_eq!(again, Err(polyradio_core::host_api::CallError::KeyInUse));
    assert_eq!(bench.dropped(&frame), (vm(0), DropReason::Replay));
}
