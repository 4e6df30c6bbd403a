//! How fast each CCMP backend is, all in one run: `cargo bench --bench ccmp [-- OCTETS BACKEND seal|open]`, for a profiler
//! too.
//! Nanoseconds a packet, the best of many slices of 64 packets under 64 keys. `polyradio bench` measures more.

#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::cast_precision_loss, reason = "a measurement for people")]

use std::time::Instant;

use polyradio_core::ids::{KeyId, PacketNumber};
use polyradio_core::security::ccmp::{
    Backend, CcmpKey, OpenError, OpenJob, SealError, SealJob, open_batch_with, seal_batch_with,
};

const BATCH: usize = 64;
const ROUNDS: u64 = 2000;
const REPEATS: u32 = 4;
const OCTETS: [&str; 4] = ["64", "256", "1500", "2304"];
type Direction = fn(Backend, &[CcmpKey], usize) -> f64;
const DIRECTIONS: [(&str, Direction); 2] = [("seal", seal), ("open", open)];

fn seal(backend: Backend, keys: &[CcmpKey], octets: usize) -> f64 {
    let mut mpdu = vec![0x5a; 26 + octets];
    mpdu.splice(..2, [0x88, 0x01]);
    let slot = slot(octets);
    let mut out = vec![0; slot * BATCH];
    let mut best = f64::INFINITY;
    for round in 0..ROUNDS {
        let mut jobs: Vec<SealJob<'_>> = out
            .chunks_mut(slot)
            .zip(keys)
            .map(|(out, key)| SealJob {
                key,
                packet_number: PacketNumber::from_low_bits(round + 1),
                key_id: KeyId::from_low_bits(0),
                mpdu: &mpdu,
                out,
                result: Err(SealError::Truncated),
            })
            .collect();
        best = best.min(measure(|| seal_batch_with(backend, &mut jobs)));
        assert!(jobs.iter().all(|job| job.result.is_ok()));
    }
    best
}

fn open(backend: Backend, keys: &[CcmpKey], octets: usize) -> f64 {
    let mut mpdu = vec![0x5a; 26 + octets];
    mpdu.splice(..2, [0x88, 0x01]);
    let sealed = keys.iter().map(|key| {
        let mut sealed = Vec::new();
        key.seal(&mpdu, PacketNumber::from_low_bits(1), KeyId::from_low_bits(0), &mut sealed).unwrap();
        sealed
    });
    let sealed: Vec<_> = sealed.collect();
    let slot = slot(octets);
    let mut out = vec![0; slot * BATCH];
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let mut jobs: Vec<OpenJob<'_>> = out
            .chunks_mut(slot)
            .zip(keys.iter().zip(&sealed))
            .map(|(out, (key, mpdu))| OpenJob { key, mpdu, out, result: Err(OpenError::Truncated) })
            .collect();
        best = best.min(measure(|| open_batch_with(backend, &mut jobs)));
        assert!(jobs.iter().all(|job| job.result.is_ok()));
    }
    best
}

/// Room for a packet: an odd number of cache lines, so that no two lanes fall into one set.
const fn slot(octets: usize) -> usize {
    ((octets + 64).div_ceil(64) | 1) * 64
}

/// Nanoseconds a packet.
fn measure(mut batch: impl FnMut() -> bool) -> f64 {
    let start = Instant::now();
    for _ in 0..REPEATS {
        assert!(batch());
    }
    start.elapsed().as_secs_f64() / f64::from(REPEATS) / BATCH as f64 * 1e9
}

fn main() {
    let keys: Vec<CcmpKey> = (1..=64_u8).map(|number| CcmpKey::new(&[number; 16]).unwrap()).collect();
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |kind: &[&str], name: &str| {
        let wanted: Vec<_> = wanted.iter().filter(|wanted| kind.contains(&wanted.as_str())).collect();
        wanted.is_empty() || wanted.iter().any(|wanted| *wanted == name)
    };
    let backends = Backend::ALL.map(Backend::name);
    for octets in OCTETS.into_iter().filter(|octets| is_wanted(&OCTETS, octets)) {
        for backend in
            Backend::ALL.into_iter().filter(|backend| backend.is_available() && is_wanted(&backends, backend.name()))
        {
            for (name, direction) in DIRECTIONS.into_iter().filter(|(name, _)| is_wanted(&["seal", "open"], name)) {
                let time = direction(backend, &keys, octets.parse().unwrap());
                println!("{octets:>5} octets {:9} {name}: {time:8.1} ns", backend.name());
            }
        }
    }
}
