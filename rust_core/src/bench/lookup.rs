//! Address to VM ID: the connection table's bulk look-up, and the standard library's map.

use core::hint::black_box;
use core::time::Duration;
use std::collections::{HashMap, HashSet};
use std::time::Instant;

use super::limit::QUERIES;
use super::ring::below;
use super::{BATCH, Work, WorkError};
use crate::air::random::Random;
use crate::device::ConnectionTable;
use crate::device::address_index::NOBODY;
use crate::ids::{Identifier, MacAddr, VmId, VrId};

/// The connection table's look-up of addresses that are there, in random order, a batch at a time.
pub struct Lookup {
    table: ConnectionTable,
    queries: Vec<[u8; 6]>,
    cursor: usize,
}

impl Lookup {
    /// A table of that many VMs.
    ///
    /// # Errors
    /// `Invalid`: not 1 to 65,535 entries; `Wrong`: an address was not found as it was entered.
    pub fn new(entries: usize, seed: u64) -> Result<Self, WorkError> {
        let Queries { owners, queries } = Queries::new(entries, seed)?;
        let mut table = ConnectionTable::new(1 << 16);
        for (number, address) in (0..=u16::MAX).zip(&owners) {
            let added = table.add_vm(VmId::new(number), *address, None, false);
            added.map_err(|_| WorkError::Wrong("the table refused a VM"))?;
        }
        let found = table.lookup_batch(owners.iter().copied());
        if !found.iter().copied().eq((0..=u16::MAX).take(owners.len()).map(|number| Some(VmId::new(number)))) {
            return Err(WorkError::Wrong("the table found another VM"));
        }
        let queries = queries.iter().map(|address| address.octets()).collect();
        Ok(Self { table, queries, cursor: 0 })
    }
}

impl Work for Lookup {
    fn items(&self) -> usize {
        BATCH
    }

    fn run(&mut self, repetitions: usize) -> Result<Duration, WorkError> {
        let Self { table, queries, cursor } = self;
        let mut vms = [0; BATCH];
        let mut missing = 0;
        let start = Instant::now();
        for batch in queries.chunks_exact(BATCH).cycle().skip(*cursor).take(repetitions) {
            table.vms_of(batch, &mut vms);
            missing += black_box(&vms).iter().filter(|vm| **vm == NOBODY).count();
        }
        let taken = start.elapsed();
        *cursor = (*cursor + repetitions) % (queries.len() / BATCH).max(1);
        if missing == 0 { Ok(taken) } else { Err(WorkError::Wrong("an address was not found")) }
    }
}

/// The same with `std::collections::HashMap` and its own hash.
pub struct StdMap {
    map: HashMap<u64, u16>,
    queries: Vec<MacAddr>,
    cursor: usize,
}

impl StdMap {
    /// A map of that many addresses.
    ///
    /// # Errors
    /// `Invalid`: not 1 to 65,535 entries.
    pub fn new(entries: usize, seed: u64) -> Result<Self, WorkError> {
        let Queries { owners, queries } = Queries::new(entries, seed)?;
        let map = owners.iter().map(|address| address.to_u64()).zip(0..=u16::MAX).collect();
        Ok(Self { map, queries, cursor: 0 })
    }
}

impl Work for StdMap {
    fn items(&self) -> usize {
        BATCH
    }

    fn run(&mut self, repetitions: usize) -> Result<Duration, WorkError> {
        let Self { map, queries, cursor } = self;
        let mut rows: Vec<Option<VrId>> = Vec::with_capacity(BATCH);
        let mut missing = 0;
        let start = Instant::now();
        for batch in queries.chunks_exact(BATCH).cycle().skip(*cursor).take(repetitions) {
            rows.clear();
            rows.extend(batch.iter().map(|address| map.get(&address.to_u64()).copied().map(VrId::from_u16)));
            missing += black_box(&rows).iter().filter(|row| row.is_none()).count();
        }
        let taken = start.elapsed();
        *cursor = (*cursor + repetitions) % (queries.len() / BATCH).max(1);
        if missing == 0 { Ok(taken) } else { Err(WorkError::Wrong("an address was not found")) }
    }
}

/// Unique addresses, and which of them are asked for.
struct Queries {
    owners: Vec<MacAddr>,
    queries: Vec<MacAddr>,
}

impl Queries {
    fn new(entries: usize, seed: u64) -> Result<Self, WorkError> {
        if entries == 0 || entries > 65_535 {
            return Err(WorkError::Invalid("there are 1 to 65535 entries"));
        }
        let mut random = Random::new(seed);
        let owners = addresses(entries, &mut random);
        let count = QUERIES.max(4 * entries).next_multiple_of(BATCH);
        let queries = (0..count).filter_map(|_| owners.get(below(&mut random, entries)).copied()).collect();
        Ok(Self { owners, queries })
    }
}

/// Unique, unicast, locally administered addresses by chance.
pub(super) fn addresses(count: usize, random: &mut Random) -> Vec<MacAddr> {
    let mut known = HashSet::with_capacity(count);
    let mut addresses = Vec::with_capacity(count);
    while addresses.len() < count {
        let [a, b, c, d, e, f, ..] = random.next_u64().to_le_bytes();
        let address = MacAddr([a & 0xfc | 2, b, c, d, e, f]);
        if known.insert(address) {
            addresses.push(address);
        }
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_that_is_asked_for_is_found() {
        for entries in [1, 16, 1000] {
            let mut work = Lookup::new(entries, 5).unwrap();
            assert!(work.run(QUERIES / BATCH + 3).unwrap() > Duration::ZERO);
            assert!(StdMap::new(entries, 5).unwrap().run(3).unwrap() > Duration::ZERO);
            assert_eq!(work.items(), BATCH);
        }
    }

    #[test]
    fn a_missing_address_is_no_time() {
        let mut work = Lookup::new(16, 5).unwrap();
        work.queries[0] = MacAddr::BROADCAST.octets();
        assert!(work.run(1).is_err());
        assert!(Lookup::new(0, 1).is_err() && StdMap::new(65_536, 1).is_err());
        assert!(Lookup::new(65_535, 1).is_ok() && StdMap::new(65_535, 1).is_ok());
    }

    #[test]
    fn addresses_are_unique_and_unicast() {
        let found = addresses(5000, &mut Random::new(1));
        assert!(found.iter().all(|address| !address.is_group() && address.is_local()));
        assert_eq!(found.iter().collect::<HashSet<_>>().len(), 5000);
    }
}
