//! The whole path: guests, host driver, NIC, air, access points, wired side, in virtual time.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "tests may panic")]

mod runtime_support;

use std::path::PathBuf;

use polyradio_core::air::Link;
use polyradio_core::device::DropReason;
use polyradio_core::ids::{MacAddr, VmId};
use polyradio_core::time::Instant;
use runtime_support::{WIRED, World, ethernet, numbers, vm_address};

/// One NIC, two VMs on two channels, a schedule of two slots.
fn two_channels(seed: u64) -> World {
    let mut world = World::new(seed, 64);
    for channel in [1, 36] {
        let access_point = world.add_access_point(channel, true);
        world.add_vm(access_point, false);
    }
    world.schedule(&[(1, 20_000), (36, 20_000)]);
    world.run_for_ms(100);
    world
}

fn every(count: u32) -> Vec<u32> {
    (0..count).collect()
}

#[test]
fn one_radio_on_two_channels_loses_nothing_in_either_direction() {
    let mut world = two_channels(1);
    for vm in [0, 1] {
        world.send_up(vm, WIRED, 0..500, 800);
    }
    // The wired side sends at the pace of the air, so that no sleeping station's queue runs over.
    for number in 0..400 {
        for vm in [0, 1] {
            world.send_down(usize::from(vm), vm_address(vm), number..number + 1, 800);
        }
        world.run_for_ms(1);
    }
    world.run_for_ms(1000);
    for vm in [0_u16, 1] {
        assert_eq!(numbers(&world.received_by_wire(usize::from(vm))), every(500), "up, VM {vm}");
        assert_eq!(numbers(&world.received_by_vm(vm)), every(400), "down, VM {vm}");
        assert_eq!(world.guest_drops(vm), []);
    }
    for (radio, ..) in &world.access_points {
        let counters = world.runtime.access_point(*radio).expect("an access point").plane.counters();
        for reason in DropReason::ALL {
            assert_eq!(counters.drops.of(*reason), 0, "{reason}");
        }
    }
}

#[test]
fn a_lossy_link_delays_and_repeats_but_loses_and_doubles_nothing() {
    let mut world = World::new(7, 64);
    let access_point = world.add_access_point(36, true);
    world.add_vm(access_point, false);
    world.schedule(&[(36, 100_000)]);
    let link = Link { loss: 0.08, ..Link::default() };
    assert!(world.runtime.set_link(world.nic, world.access_points[0].0, link));
    world.run_for_ms(10);
    world.send_up(0, WIRED, 0..1000, 400);
    world.send_down(0, vm_address(0), 0..1000, 400);
    world.run_for_ms(4000);
    assert_eq!(numbers(&world.received_by_wire(0)), every(1000));
    assert_eq!(numbers(&world.received_by_vm(0)), every(1000));
    let counters = world.runtime.access_point(world.access_points[0].0).expect("an access point").plane.counters();
    assert!(counters.retries > 50, "{} retries", counters.retries);
    assert!(counters.drops.of(DropReason::Duplicate) > 0, "acknowledgements are lost too");
}

#[test]
fn a_dead_link_gives_every_frame_up_with_a_reason() {
    let mut world = World::new(7, 64);
    let access_point = world.add_access_point(36, false);
    world.add_vm(access_point, false);
    world.schedule(&[(36, 100_000)]);
    assert!(world.runtime.set_link(world.nic, 1, Link { loss: 1.0, ..Link::default() }));
    world.send_up(0, WIRED, 0..20, 400);
    world.run_for_ms(2000);
    assert_eq!(world.guest_drops(0), [("not_acknowledged", 20)]);
}

#[test]
fn frames_of_one_network_never_reach_the_other() {
    let mut world = World::new(3, 64);
    // Both on one channel: everything is heard by everybody.
    for _ in 0..2 {
        let access_point = world.add_access_point(6, true);
        world.add_vm(access_point, false);
    }
    world.schedule(&[(6, 100_000)]);
    world.run_for_ms(10);
    for vm in [0, 1] {
        world.send_up(vm, WIRED, 0..50, 100);
        world.send_up(vm, MacAddr::BROADCAST, 50..60, 100);
        world.send_down(usize::from(vm), vm_address(vm), 0..50, 100);
        world.send_down(usize::from(vm), vm_address(1 - vm), 50..60, 100);
        world.send_down(usize::from(vm), MacAddr::BROADCAST, 60..70, 100);
    }
    world.run_for_ms(1000);
    for vm in [0_u16, 1] {
        let up = world.received_by_wire(usize::from(vm));
        assert!(up.iter().all(|frame| frame[6..12] == vm_address(vm).octets()));
        assert_eq!(up.len(), 60);
        let down = world.received_by_vm(vm);
        assert!(down.iter().all(|frame| frame[6..12] == WIRED.octets()));
        let mut received = numbers(&down);
        received.sort_unstable();
        assert_eq!(received, (0..50).chain(60..70).collect::<Vec<_>>());
        let radio = world.access_points[usize::from(vm)].0;
        let counters = world.runtime.access_point(radio).expect("an access point").plane.counters();
        assert_eq!(counters.drops.of(DropReason::NoSuchVm), 10);
        assert!(counters.drops.of(DropReason::NotOurs) >= 60);
    }
}

#[test]
fn stations_of_one_network_reach_each_other_through_their_access_point() {
    let mut world = World::new(3, 64);
    let access_point = world.add_access_point(6, true);
    let (first, second) = (world.add_vm(access_point, false), world.add_vm(access_point, false));
    world.schedule(&[(6, 100_000)]);
    world.run_for_ms(10);
    world.send_up(first, vm_address(second), 0..100, 600);
    world.send_up(second, MacAddr::BROADCAST, 0..5, 600);
    world.run_for_ms(500);
    assert_eq!(numbers(&world.received_by_vm(second)), every(100));
    assert_eq!(numbers(&world.received_by_vm(first)), every(5));
    assert_eq!(numbers(&world.received_by_wire(0)), every(5));
}

#[test]
fn a_guest_whose_nic_is_full_is_not_read_on() {
    let mut world = World::new(1, 64);
    let access_point = world.add_access_point(36, false);
    world.add_vm(access_point, false);
    // The radio is elsewhere for good.
    world.schedule(&[(1, 100_000)]);
    world.send_up(0, WIRED, 0..1000, 100);
    world.run_for_ms(500);
    assert_eq!(world.vms[0].1.pending(), 1000 - 64);
    world.schedule(&[(36, 100_000)]);
    world.run_for_ms(500);
    assert_eq!(numbers(&world.received_by_wire(0)), every(1000));
    assert_eq!(world.guest_drops(0), []);
}

#[test]
fn a_guest_that_takes_anothers_address_is_stopped_and_counted() {
    for is_legacy in [false, true] {
        let mut world = World::new(1, 64);
        let access_point = world.add_access_point(36, false);
        let (liar, victim) = (world.add_vm(access_point, is_legacy), world.add_vm(access_point, is_legacy));
        world.schedule(&[(36, 100_000)]);
        let forged = ethernet(WIRED, vm_address(victim), 9, 100);
        let honest = ethernet(WIRED, vm_address(liar), 1, 100);
        world.vms[0].1.push([forged.as_slice(), honest.as_slice()].into_iter().collect());
        world.run_for_ms(100);
        assert_eq!(world.guest_drops(liar), [("foreign_source", 1)]);
        let wired = world.received_by_wire(0);
        assert!(wired.iter().eq([honest.as_slice()]), "legacy: {is_legacy}");
    }
}

#[test]
fn packets_without_identifier_find_their_way() {
    let mut world = World::new(1, 64);
    let access_point = world.add_access_point(36, false);
    for _ in 0..3 {
        world.add_vm(access_point, true);
    }
    world.schedule(&[(36, 100_000)]);
    for vm in 0..3 {
        world.send_up(vm, WIRED, u32::from(vm) * 300..u32::from(vm) * 300 + 300, 100);
    }
    world.run_for_ms(2000);
    let mut received = numbers(&world.received_by_wire(0));
    received.sort_unstable();
    assert_eq!(received, every(900));
    for vm in 0..3 {
        assert_eq!(world.guest_drops(vm), []);
    }
}

#[test]
fn without_a_carrier_frames_are_read_and_counted() {
    let mut world = World::new(1, 64);
    let access_point = world.add_access_point(36, false);
    let vm = world.add_vm(access_point, false);
    let guests = &mut world.runtime.device_mut(world.nic).expect("a device").plane;
    assert!(guests.set_link(polyradio_core::ids::VrId::new(vm), None, true));
    world.send_up(vm, WIRED, 0..500, 100);
    world.run_for_ms(10);
    assert_eq!(world.guest_drops(vm), [("not_connected", 500)]);
    assert_eq!(world.vms[0].1.pending(), 0);
}

#[test]
fn airtime_is_counted_for_each_vm_and_never_exceeds_the_time() {
    let mut world = two_channels(1);
    world.send_up(0, WIRED, 0..400, 1000);
    world.send_up(1, WIRED, 0..100, 1000);
    let before = world.runtime.now();
    world.run_for_ms(500);
    let spent = world.runtime.now().since(before);
    let airtime: Vec<_> = world.runtime.medium().airtime(0).collect();
    let of = |vm| airtime.iter().find(|(owner, _)| *owner == Some(VmId::new(vm))).map(|(_, time)| *time);
    let (first, second) = (of(0).expect("VM 0 sent"), of(1).expect("VM 1 sent"));
    assert!(first > second * 2 && first + second < spent, "{airtime:?}");
}

fn captured(seed: u64, name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut world = World::new(seed, 64);
    for channel in [1, 36] {
        let access_point = world.add_access_point(channel, true);
        world.add_vm(access_point, false);
        let link = Link { loss: 0.1, snr_db: 24.0, ..Link::default() };
        world.runtime.set_link(world.nic, world.access_points[access_point].0, link);
    }
    let names = [(VmId::new(0), "alpha".to_owned()), (VmId::new(1), "beta".to_owned())];
    world.runtime.start_capture(&path, &names).expect("a file");
    world.schedule(&[(1, 15_000), (36, 25_000)]);
    for vm in [0, 1] {
        world.send_up(vm, WIRED, 0..200, 700);
        world.send_down(usize::from(vm), vm_address(vm), 0..100, 300);
    }
    world.run_for_ms(700);
    assert!(world.runtime.finish_capture().expect("written") > 600);
    std::fs::read(path).expect("the file")
}

#[test]
fn the_same_seed_gives_the_same_capture_to_the_octet() {
    let first = captured(11, "first.pcapng");
    assert!(first == captured(11, "second.pcapng"));
    assert!(first != captured(12, "third.pcapng"));
}

#[test]
fn a_capture_is_in_the_order_of_time_and_names_its_vms() {
    use polyradio_core::wire::capture::CaptureReader;
    let octets = captured(11, "ordered.pcapng");
    let mut reader = CaptureReader::new(octets.as_slice()).expect("pcapng");
    let mut last = 0;
    let mut comments = std::collections::BTreeSet::new();
    for record in reader.by_ref() {
        assert!(record.timestamp_ns >= last);
        last = record.timestamp_ns;
        comments.insert(record.comment.clone().unwrap_or_default());
    }
    assert_eq!(reader.error(), None);
    assert_eq!(reader.interfaces(), [Some("alpha"), Some("beta"), Some("air")]);
    let expected = ["", "VM 0 (alpha) receive", "VM 0 (alpha) transmit", "VM 1 (beta) receive", "VM 1 (beta) transmit"];
    assert!(comments.iter().eq(expected.iter()), "{comments:?}");
}

#[test]
fn a_run_ends_where_the_time_is_up_and_nothing_waits() {
    let mut world = World::new(1, 64);
    world.run_until(Instant::from_nanos(123_456_789));
    assert_eq!(world.runtime.now(), Instant::from_nanos(123_456_789));
}
