//! How fast each CCMP backend is, all in one run: `cargo bench --bench ccmp [-- OCTETS BACKEND]`, for a profiler too.
//! Nanoseconds a packet, the best of many slices of 64 packets under 64 keys. `polyradio bench` measures more.

#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::cast_precision_loss, reason = "a measurement for people")]

use std::time::Instant;

use polyradio_core::ids::{KeyId, PacketNumber};
use polyradio_core::security::ccmp::{Backend, CcmpKey, SealError, SealJob, seal_batch_with};

const BATCH: usize = 64;
const ROUNDS: u64 = 2000;
const REPEATS: u32 = 4;

fn measure(backend: Backend, keys: &[CcmpKey], octets: usize) -> f64 {
    let mut mpdu = vec![0x5a; 26 + octets];
    mpdu.splice(..2, [0x88, 0x01]);
    // Slots an odd number of cache lines apart: no two lanes fall into one set.
    let slot = ((octets + 64).div_ceil(64) | 1) * 64;
    let mut out = vec![0; slot * BATCH];
    let mut best = f64::INFINITY;
    for round in 0..ROUNDS {
        let mut jobs: Vec<SealJob<'_>> = out
            .chunks_mut(slot)
            .zip(keys.iter().cycle().skip(usize::try_from(round).unwrap() * BATCH % keys.len()))
            .map(|(out, key)| SealJob {
                key,
                packet_number: PacketNumber::from_low_bits(round + 1),
                key_id: KeyId::from_low_bits(0),
                mpdu: &mpdu,
                out,
                result: Err(SealError::Truncated),
            })
            .collect();
        let start = Instant::now();
        for _ in 0..REPEATS {
            seal_batch_with(backend, &mut jobs);
        }
        best = best.min(start.elapsed().as_secs_f64() / f64::from(REPEATS));
        assert!(jobs.iter().all(|job| job.result.is_ok()));
    }
    best / BATCH as f64 * 1e9
}

fn main() {
    let keys: Vec<CcmpKey> = (1..=64_u8).map(|number| CcmpKey::new(&[number; 16]).unwrap()).collect();
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| {
        let of_its_kind = |other: &&String| other.parse::<usize>().is_ok() == name.parse::<usize>().is_ok();
        wanted.iter().filter(of_its_kind).count() == 0 || wanted.iter().any(|wanted| wanted == name)
    };
    for octets in [64_usize, 256, 1500, 2304].into_iter().filter(|octets| is_wanted(&octets.to_string())) {
        for backend in Backend::ALL.into_iter().filter(|backend| backend.is_available() && is_wanted(backend.name())) {
            println!("{octets:5} octets {:9}: {:8.1} ns", backend.name(), measure(backend, &keys, octets));
        }
    }
}
