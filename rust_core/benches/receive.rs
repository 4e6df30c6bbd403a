//! What the connection table costs beside the cipher: `cargo bench --bench receive`. Nanoseconds a frame, the best of many
//! slices; each slice of the table's batches stands next to one of the cipher alone, over the same frames and keys.
//!
//! Arguments, all optional: numbers of VMs, `open` or `seal`, and `octets=N`, `batch=N`, `slices=N`; `workers=N` compares
//! tables with one and N threads, both ways, in batches that should be `batch=1024` or more, for one thread does smaller ones;
//! `prepared=N` octets of frames are ready when the clock starts: with many times what the second-level cache holds, no
//! thread has them nearer than another.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a measurement for people"
)]

use core::hint::black_box;
use std::time::Instant;

use polyradio_core::device::ConnectionTable;
use polyradio_core::device::batch::BatchOutcome;
use polyradio_core::frame_batch::FrameBatch;
use polyradio_core::host_api::call::{CipherSuite, KeyScope};
use polyradio_core::ids::{KeyId, MacAddr, PacketNumber, VmId, VrId};
use polyradio_core::security::ccmp::{
    CcmpKey, OpenError, OpenJob, SealError, SealJob, open_batch as open_alone, seal_batch as seal_alone,
};

const ACCESS_POINT: MacAddr = MacAddr([2, 0xa9, 0, 0, 0, 1]);
const HEADER: usize = 26;

struct Settings {
    batch: usize,
    slices: usize,
    vms: Vec<u32>,
    /// Of a body.
    octets: Vec<usize>,
    /// `open` or `seal`, or empty for both.
    direction: String,
    workers: usize,
    prepared: usize,
}

/// The table, and the same keys once more outside it: what prepares the frames and what is measured alone leaves the
/// table's memory as it is.
struct Setup {
    table: ConnectionTable,
    keys: Vec<CcmpKey>,
    vms: u32,
    nobodys: FrameBatch,
    packet_number: u64,
    random: u64,
}

/// Nanoseconds a frame, the best slice.
#[derive(Clone, Copy)]
struct Best(f64);

struct Figures {
    table: Best,
    /// The same with the result's memory kept from batch to batch.
    kept: Best,
    alone: Best,
}

fn address(vm: u32) -> MacAddr {
    // Not in the order of the numbers.
    let [a, b, c, d] = vm.wrapping_mul(0x9e37_79b1).to_be_bytes();
    MacAddr([2, 0x11, a, b, c, d])
}

impl Setup {
    fn new(vms: u32, workers: usize) -> Self {
        let mut table = ConnectionTable::with_workers(vms, workers).unwrap();
        let mut keys = Vec::new();
        for vm in 0..vms {
            let number = u16::try_from(vm).unwrap();
            table.add_vm(VmId::new(number), address(vm), Some(ACCESS_POINT), true).unwrap();
            let mut key = [0x5a; 16];
            key[..4].copy_from_slice(&(vm + 1).to_be_bytes());
            let (vr, id, zero) = (VrId::new(number), KeyId::from_low_bits(0), PacketNumber::default());
            table.install_key(vr, KeyScope::Pairwise, id, CipherSuite::CCMP_128, &key, zero).unwrap();
            keys.push(CcmpKey::new(&key).unwrap());
        }
        let nobodys = core::iter::repeat_n(&[0; 100][..], 2048).collect();
        Self { table, keys, vms, nobodys, packet_number: 0, random: 0x1234_5678_9abc_def1 }
    }

    /// Batches of nobody's frames, enough of them for several workers, so that none sleeps when the time starts: to wake one
    /// takes longer than a batch.
    fn wake(&mut self, kept: &mut BatchOutcome) {
        for _ in 0..if self.table.workers() > 1 { 5 } else { 0 } {
            self.table.seal_batch_into(self.nobodys.frames(), kept);
        }
    }

    fn pick(&mut self) -> u32 {
        // xorshift64*
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let number = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        u32::try_from((number * u64::from(self.vms)) >> 32).unwrap()
    }

    /// Plaintext frames of VMs in any order.
    fn plain(&mut self, frames: usize, octets: usize, is_down: bool, vms: &mut Vec<u32>, batch: &mut FrameBatch) {
        vms.clear();
        vms.extend((0..frames).map(|_| self.pick()));
        batch.clear();
        let mut frame = vec![0x5a; HEADER + octets];
        for (index, vm) in vms.iter().enumerate() {
            frame[..HEADER].fill(0);
            // QoS Data, From DS on the way up and To DS on the way down.
            frame[..2].copy_from_slice(&[0x88, if is_down { 1 } else { 2 }]);
            let (first, second) = if is_down { (ACCESS_POINT, address(*vm)) } else { (address(*vm), ACCESS_POINT) };
            frame[4..10].copy_from_slice(&first.octets());
            frame[10..16].copy_from_slice(&second.octets());
            frame[16..22].copy_from_slice(&ACCESS_POINT.octets());
            frame[22..24].copy_from_slice(&u16::try_from((index % 4096) << 4).unwrap().to_le_bytes());
            batch.push(&frame);
        }
    }

    /// The same, protected, with packet numbers that were not there before.
    fn sealed(&mut self, plain: &FrameBatch, vms: &[u32], batch: &mut FrameBatch) {
        batch.clear();
        for (vm, frame) in vms.iter().zip(plain.iter()) {
            self.packet_number += 1;
            let number = PacketNumber::from_low_bits(self.packet_number);
            let key = &self.keys[*vm as usize];
            batch.push_with(|out| key.seal(frame, number, KeyId::from_low_bits(0), out).is_ok());
        }
    }

    fn open(&mut self, settings: &Settings, octets: usize) -> Figures {
        let (batches, mut best) = (batches(settings, octets), Figures::WORST);
        let mut prepared: Vec<(Vec<u32>, FrameBatch, FrameBatch)> = Vec::new();
        prepared.resize_with(batches, Default::default);
        let mut room = vec![1; settings.batch * (HEADER + octets)];
        let mut kept = BatchOutcome::default();
        for slice in 0..settings.slices {
            for (vms, plain, sealed) in &mut prepared {
                self.plain(settings.batch, octets, false, vms, plain);
                self.sealed(plain, vms, sealed);
            }
            let start = Instant::now();
            for (vms, _, batch) in &prepared {
                let mut jobs: Vec<OpenJob<'_>> = (room.chunks_exact_mut(HEADER + octets))
                    .zip(vms.iter().zip(batch.iter()))
                    .map(|(out, (vm, mpdu))| {
                        let key = &self.keys[*vm as usize];
                        OpenJob { key, mpdu, out, result: Err(OpenError::MicFailed) }
                    })
                    .collect();
                open_alone(&mut jobs);
                black_box(&jobs);
            }
            best.alone.take(start, batches * settings.batch);
            self.wake(&mut kept);
            let start = Instant::now();
            for (_, _, batch) in &prepared {
                if slice % 2 == 0 {
                    black_box(self.table.open_batch(batch.frames()));
                } else {
                    self.table.open_batch_into(batch.frames(), &mut kept);
                    assert!(black_box(&kept).verdicts.iter().all(Result::is_ok));
                }
            }
            if slice % 2 == 0 { &mut best.table } else { &mut best.kept }.take(start, batches * settings.batch);
        }
        best
    }

    fn seal(&mut self, settings: &Settings, octets: usize) -> Figures {
        let (batches, mut best) = (batches(settings, octets), Figures::WORST);
        let mut prepared: Vec<(Vec<u32>, FrameBatch)> = Vec::new();
        prepared.resize_with(batches, Default::default);
        let length = HEADER + 8 + octets + 8;
        let mut room = vec![1; settings.batch * length];
        let mut kept = BatchOutcome::default();
        for slice in 0..settings.slices {
            for (vms, plain) in &mut prepared {
                self.plain(settings.batch, octets, true, vms, plain);
            }
            let start = Instant::now();
            for (vms, batch) in &prepared {
                self.packet_number += 1;
                let (packet_number, key_id) =
                    (PacketNumber::from_low_bits(self.packet_number), KeyId::from_low_bits(0));
                let mut jobs: Vec<SealJob<'_>> = (room.chunks_exact_mut(length))
                    .zip(vms.iter().zip(batch.iter()))
                    .map(|(out, (vm, mpdu))| {
                        let key = &self.keys[*vm as usize];
                        SealJob { key, packet_number, key_id, mpdu, out, result: Err(SealError::NoRoom) }
                    })
                    .collect();
                seal_alone(&mut jobs);
                black_box(&jobs);
            }
            best.alone.take(start, batches * settings.batch);
            self.wake(&mut kept);
            let start = Instant::now();
            for (_, batch) in &prepared {
                if slice % 2 == 0 {
                    black_box(self.table.seal_batch(batch.frames()));
                } else {
                    self.table.seal_batch_into(batch.frames(), &mut kept);
                    assert!(black_box(&kept).verdicts.iter().all(Result::is_ok));
                }
            }
            if slice % 2 == 0 { &mut best.table } else { &mut best.kept }.take(start, batches * settings.batch);
        }
        best
    }
}

impl Figures {
    const WORST: Self = Self { table: Best(f64::INFINITY), kept: Best(f64::INFINITY), alone: Best(f64::INFINITY) };
}

impl Best {
    fn take(&mut self, start: Instant, frames: usize) {
        self.0 = self.0.min(start.elapsed().as_secs_f64() * 1e9 / frames as f64);
    }
}

/// How many batches a slice has.
fn batches(settings: &Settings, octets: usize) -> usize {
    (settings.prepared / (settings.batch * (HEADER + 16 + octets))).max(1)
}

fn settings() -> Settings {
    // As much as the second-level cache holds.
    let (vms, octets, direction) = (Vec::new(), Vec::new(), String::new());
    let mut settings = Settings { batch: 256, slices: 400, vms, octets, direction, workers: 1, prepared: 400_000 };
    for argument in std::env::args().skip(1) {
        if let Some(batch) = argument.strip_prefix("batch=") {
            settings.batch = batch.parse().unwrap();
        } else if let Some(slices) = argument.strip_prefix("slices=") {
            settings.slices = slices.parse().unwrap();
        } else if let Some(workers) = argument.strip_prefix("workers=") {
            settings.workers = workers.parse().unwrap();
        } else if let Some(octets) = argument.strip_prefix("prepared=") {
            settings.prepared = octets.parse().unwrap();
        } else if let Some(octets) = argument.strip_prefix("octets=") {
            settings.octets.push(octets.parse().unwrap());
        } else if ["open", "seal"].contains(&argument.as_str()) {
            settings.direction = argument;
        } else if let Ok(vms) = argument.parse() {
            settings.vms.push(vms);
        }
    }
    if settings.vms.is_empty() {
        settings.vms = vec![16, 1024, 65_535];
    }
    if settings.octets.is_empty() {
        settings.octets = vec![64, 1500];
    }
    settings
}

/// Tables with one and with many workers in turns, the best of each.
fn compare_workers(settings: &Settings) {
    let workers = settings.workers;
    println!("batches of {}; ns a frame, result's memory kept: 1 worker, {workers} workers, ratio", settings.batch);
    for vms in &settings.vms {
        let mut setups = [Setup::new(*vms, 1), Setup::new(*vms, workers)];
        for octets in settings.octets.iter().copied() {
            let mut best = [[f64::INFINITY; 2]; 2];
            for _ in 0..10 {
                for (setup, [open, seal]) in setups.iter_mut().zip(&mut best) {
                    *open = open.min(setup.open(settings, octets).kept.0);
                    *seal = seal.min(setup.seal(settings, octets).kept.0);
                }
            }
            let [[open, seal], [more_open, more_seal]] = best;
            for (name, one, more) in [("open", open, more_open), ("seal", seal, more_seal)] {
                println!("{name} {octets:4} octets {vms:5} VMs: {one:7.1} {more:7.1} {:5.2}", one / more);
            }
        }
    }
}

fn main() {
    let settings = settings();
    if settings.workers > 1 {
        compare_workers(&settings);
        return;
    }
    let mut setups: Vec<Setup> = settings.vms.iter().map(|vms| Setup::new(*vms, 1)).collect();
    println!("batches of {} frames; ns a frame: table, with its result's memory kept, cipher alone", settings.batch);
    let directions = [("open", Setup::open as fn(&mut Setup, &Settings, usize) -> Figures), ("seal", Setup::seal)];
    for octets in settings.octets.iter().copied() {
        for (name, measure) in directions.into_iter().filter(|(name, _)| name.contains(&settings.direction)) {
            let figures: Vec<Figures> = setups.iter_mut().map(|setup| measure(setup, &settings, octets)).collect();
            for (setup, Figures { table: Best(table), kept: Best(kept), alone: Best(alone) }) in
                setups.iter().zip(&figures)
            {
                let vms = setup.vms;
                let (more, kept_more) = (table - alone, kept - alone);
                println!(
                    "{name} {octets:4} octets {vms:5} VMs: {table:7.1} {kept:7.1} {alone:7.1}; beside the cipher \
                     {more:7.1} {kept_more:7.1}"
                );
            }
            if let ([first, .., last], [few, .., many]) = (figures.as_slice(), settings.vms.as_slice()) {
                let (table, kept) = (last.table.0 / first.table.0, last.kept.0 / first.kept.0);
                println!("{name} {octets:4} octets {many} : {few} VMs: {table:.2} {kept:.2}");
            }
        }
    }
}
