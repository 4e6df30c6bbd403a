//! How long a look-up of an address takes in bulk, beside std's `HashMap`: `cargo bench --bench lookup`. Nanoseconds an
//! address, the best of many slices, one of each in turn.

#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::cast_precision_loss, reason = "a measurement for people")]

use core::hint::black_box;
use std::collections::HashMap;
use std::time::Instant;

use polyradio_core::device::address_index::AddressIndex;
use polyradio_core::ids::{MacAddr, VrId};

const LOOKUPS: usize = 4096;
const ROUNDS: usize = 2000;

/// `SplitMix64`.
const fn random(number: u64) -> u64 {
    let value = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

fn address(number: u64) -> MacAddr {
    let [a, b, c, d, e, ..] = random(number).to_be_bytes();
    MacAddr([2, a, b, c, d, e])
}

fn main() {
    for entries in [16_u64, 256, 4096, 65_535] {
        let mut index = AddressIndex::default();
        let mut map = HashMap::new();
        for number in 0..entries {
            let row = VrId::new(u16::try_from(number).unwrap());
            assert!(index.insert(address(number), row));
            map.insert(address(number).to_u64(), row);
        }
        let wanted: Vec<MacAddr> = (0..LOOKUPS as u64).map(|number| address(random(number) % entries)).collect();
        let mut rows = Vec::with_capacity(LOOKUPS);
        let (mut ours, mut theirs) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..ROUNDS {
            let start = Instant::now();
            rows.clear();
            index.lookup_many(black_box(&wanted).iter().copied(), &mut rows);
            black_box(&rows);
            ours = ours.min(start.elapsed().as_secs_f64());
            let start = Instant::now();
            rows.clear();
            rows.extend(black_box(&wanted).iter().map(|address| map.get(&address.to_u64()).copied()));
            black_box(&rows);
            theirs = theirs.min(start.elapsed().as_secs_f64());
        }
        let [ours, theirs] = [ours, theirs].map(|seconds| seconds / LOOKUPS as f64 * 1e9);
        println!("{entries:6} addresses: {ours:6.2} ns, HashMap {theirs:6.2} ns, {:.1} times", theirs / ours);
    }
}
