//! How fast own addresses are looked up, next to a hash map, all in one run: `cargo bench --bench lookup`. Nanoseconds
//! an address, the best of many slices that take turns; the addresses asked for are drawn at random, and a share of
//! them is nobody's.

#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::cast_precision_loss, reason = "a measurement for people")]

use core::hash::BuildHasherDefault;
use core::hint::black_box;
use std::collections::HashMap;
use std::time::Instant;

use polyradio_core::device::ConnectionTable;
use polyradio_core::device::address_hasher::AddressHasher;
use polyradio_core::device::address_index::{AddressIndex, NOBODY};
use polyradio_core::ids::{Identifier, MacAddr, VmId, VrId};

/// Many more than a branch predictor remembers.
const ASKED: usize = 1 << 15;
const ROUNDS: usize = 200;

/// Numbers that look random, the same in every run (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next()).unwrap() % end
    }

    /// A unicast, locally administered address.
    fn address(&mut self) -> MacAddr {
        let [a, b, c, d, e, f, ..] = self.next().to_le_bytes();
        MacAddr([a & 0xfc | 2, b, c, d, e, f])
    }
}

/// The best time of each work, in nanoseconds an address.
fn measure(works: &mut [(&str, &mut dyn FnMut())]) -> Vec<f64> {
    let mut best = vec![f64::INFINITY; works.len()];
    for _ in 0..ROUNDS {
        for (best, (_, work)) in best.iter_mut().zip(works.iter_mut()) {
            let start = Instant::now();
            work();
            *best = best.min(start.elapsed().as_secs_f64());
        }
    }
    best.into_iter().map(|seconds| seconds / ASKED as f64 * 1e9).collect()
}

fn compare(entries: usize, strangers: usize) {
    let mut numbers = Numbers(88_172_645_463_325_252);
    let mut map: HashMap<u64, VrId, BuildHasherDefault<AddressHasher>> = HashMap::default();
    let mut index = AddressIndex::default();
    let mut table = ConnectionTable::new(1 << 16);
    let mut owned = Vec::new();
    for number in 0..u16::try_from(entries).unwrap() {
        let (address, row) = (numbers.address(), VrId::new(number));
        map.insert(address.to_u64(), row);
        assert!(index.insert(address, row));
        if strangers == 0 {
            table.add(row, VmId::new(number), address).unwrap();
        }
        owned.push(address);
    }
    let mut draw = || match numbers.below(100) {
        percent if percent < strangers => numbers.address(),
        _ => *owned.get(numbers.below(entries)).unwrap(),
    };
    let asked: Vec<MacAddr> = (0..ASKED).map(|_| draw()).collect();
    let octets: Vec<[u8; 6]> = asked.iter().map(|address| address.octets()).collect();

    let (mut expected, mut found, mut single) = (Vec::new(), Vec::new(), Vec::new());
    let (mut raw, mut vms) = (vec![0; ASKED], vec![0; ASKED]);
    let mut by_map = || {
        expected.clear();
        expected.extend(asked.iter().map(|address| map.get(&address.to_u64()).copied()));
    };
    let mut by_index = || {
        found.clear();
        index.lookup_many(black_box(&asked).iter().copied(), &mut found);
    };
    let mut one_by_one = || {
        single.clear();
        single.extend(asked.iter().map(|address| index.lookup(*address)));
    };
    let mut by_octets = || index.lookup_octets(black_box(&octets), &mut raw);
    let mut by_table = || table.vms_of(black_box(&octets), &mut vms);
    let mut works: Vec<(&str, &mut dyn FnMut())> = vec![
        ("hash map", &mut by_map),
        ("rows", &mut by_index),
        ("octets", &mut by_octets),
        ("one by one", &mut one_by_one),
    ];
    if strangers == 0 {
        works.push(("VMs", &mut by_table));
    }
    let best = measure(&mut works);
    print!("{entries:6} entries, {strangers:3} % strangers:");
    for ((name, _), nanoseconds) in works.iter().zip(&best) {
        print!("  {name} {nanoseconds:5.2} ns ({:.2})", best.first().unwrap() / nanoseconds);
    }
    println!();
    assert_eq!(found, expected);
    assert_eq!(single, expected);
    let numbers: Vec<u16> = expected.iter().map(|row| row.map_or(NOBODY, VrId::to_u16)).collect();
    assert_eq!(raw, numbers);
    assert!(strangers != 0 || vms == raw);
}

/// Insertions one after the other: the mean, and the longest, which is a growth.
fn insertions() {
    let mut numbers = Numbers(1);
    let addresses: Vec<MacAddr> = (0..65535).map(|_| numbers.address()).collect();
    let (mut mean, mut longest) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..20 {
        let mut index = AddressIndex::default();
        let mut slowest = 0.0_f64;
        let start = Instant::now();
        for (address, number) in addresses.iter().zip(0..) {
            let start = Instant::now();
            index.insert(*address, VrId::new(number));
            slowest = slowest.max(start.elapsed().as_secs_f64());
        }
        mean = mean.min(start.elapsed().as_secs_f64() / addresses.len() as f64);
        longest = longest.min(slowest);
    }
    println!("65535 insertions: {:.0} ns each, the longest {:.0} us", mean * 1e9, longest * 1e6);
}

fn main() {
    for strangers in [0, 50, 100] {
        for entries in [16, 256, 4096, 65535] {
            compare(entries, strangers);
        }
    }
    insertions();
}
