//! How many frames a second the whole path moves: `cargo test --release --test runtime_throughput -- --ignored --nocapture`.
#![expect(clippy::print_stdout, reason = "the figures are the point")]
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "tests may panic")]

mod runtime_support;

use std::time::Instant;

use polyradio_core::host::MemoryPort;
use runtime_support::{WIRED, World, vm_address};

const OCTETS: usize = 1500;
const FRAMES: u32 = 40_000;

fn world(vms: u16) -> World {
    let mut world = World::new(1, u32::from(vms).max(2));
    world.runtime.medium().set_ideal(true);
    let access_point = world.add_access_point(36, false);
    for _ in 0..vms {
        world.add_vm(access_point, false);
    }
    world.schedule(&[(36, 100_000)]);
    world.run_for_ms(10);
    for (_, port) in &world.vms {
        port.discard_received(true);
    }
    world.access_points[0].3.discard_received(true);
    world
}

fn measure(world: &mut World, ports: &[MemoryPort], push: impl Fn(&World, core::ops::Range<u32>)) -> f64 {
    let vms = u32::try_from(world.vms.len()).expect("few");
    let per_round = (2048 / vms).max(1);
    let received = || ports.iter().map(|port| port.received().0).sum::<u64>();
    let (start, before) = (Instant::now(), received());
    let mut sent = 0;
    while sent < FRAMES {
        push(world, sent..sent + per_round);
        sent += per_round * vms;
        while received() - before < u64::from(sent) {
            let last = received();
            world.run_for_ms(50);
            assert!(received() > last, "{} of {sent} frames arrived", received() - before);
        }
    }
    f64::from(sent) / start.elapsed().as_secs_f64()
}

#[test]
#[ignore = "a benchmark, to be read by people"]
fn frames_a_second() {
    for vms in [1, 4, 64, 1024] {
        let mut world = world(vms);
        let wired = [world.access_points[0].3.clone()];
        let up = measure(&mut world, &wired, |world, frames| {
            for vm in 0..vms {
                world.send_up(vm, WIRED, frames.clone(), OCTETS);
            }
        });
        let guests: Vec<MemoryPort> = world.vms.iter().map(|(_, port)| port.clone()).collect();
        let down = measure(&mut world, &guests, |world, frames| {
            for vm in 0..vms {
                world.send_down(0, vm_address(vm), frames.clone(), OCTETS);
            }
        });
        println!("{vms:5} VMs: {up:9.0} frames/s up, {down:9.0} frames/s down, {OCTETS} octets");
    }
}
