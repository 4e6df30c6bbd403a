//! Which row owns an address: the look-up that every frame on its way up needs (RX VM ID lookup, 626).
//!
//! A slot is one word: 48 bits of address and 16 of row. Four of them are a bucket, half a cache line, and a full bucket
//! goes on in the next one, so a look-up is one access to memory nearly always; many together fetch their buckets before
//! the first one looks. Buckets of eight hold more and cost 1.3 times the time: it is the comparisons that count, not
//! the memory. The multiplier of the hash is drawn for each index: whoever chooses addresses cannot choose which bucket
//! they fall into. What a look-up says never depends on it.

use core::hash::{BuildHasher, Hasher};
use std::hash::RandomState;

use crate::ids::{Identifier, MacAddr, VrId};
use crate::prefetch::prefetch;

/// Own address to row. Group addresses cannot be in it: nobody owns one.
#[derive(Clone, Debug)]
pub struct AddressIndex {
    buckets: Vec<Bucket>,
    /// 64 less the logarithm of the number of buckets, which is a power of two and at least 2.
    shift: u32,
    multiplier: u64,
    count: usize,
}

/// Half a cache line of slots.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
struct Bucket([u64; SLOTS]);

const SLOTS: usize = 4;
/// The broadcast address, which is in no index.
const EMPTY: u64 = u64::MAX;
/// Addresses whose buckets are fetched before the first one looks.
const AHEAD: usize = 32;

impl Default for AddressIndex {
    fn default() -> Self {
        // Odd, for then a product keeps every bit of the address.
        let multiplier = RandomState::new().build_hasher().finish() | 1;
        Self { buckets: vec![Bucket([EMPTY; SLOTS]); 2], shift: 63, multiplier, count: 0 }
    }
}

impl AddressIndex {
    /// Adds an address; false, and nothing changes, where somebody owns it already, and for a group address.
    pub fn insert(&mut self, address: MacAddr, row: VrId) -> bool {
        if address.is_group() || self.lookup(address).is_some() {
            return false;
        }
        // At most half of the slots: then one bucket in seven is full, and few addresses stand outside of their own.
        if (self.count + 1) * 2 > self.buckets.len() * SLOTS {
            self.grow();
        }
        self.put(key_of(address) | u64::from(row.to_u16()));
        self.count += 1;
        true
    }

    /// Forgets an address.
    pub fn remove(&mut self, address: MacAddr) {
        let key = key_of(address);
        let mut at = self.home(key);
        let Some((mut hole, mut slot)) = (0..self.buckets.len()).find_map(|_| {
            let bucket = self.buckets.get(at)?;
            let found = bucket.find(key).map(|slot| (at, slot));
            at = self.next(at);
            found
        }) else {
            return;
        };
        self.count -= 1;
        // A look-up ends at a bucket that is not full: what went on from this one has to come back.
        loop {
            let was_full = self.buckets.get(hole).is_none_or(Bucket::is_full);
            self.set(hole, slot, EMPTY);
            if !was_full {
                return;
            }
            let mut from = self.next(hole);
            let moved = loop {
                let Some(bucket) = self.buckets.get(from).filter(|_| from != hole) else { return };
                let strays = bucket.0.iter().position(|entry| *entry != EMPTY && self.has_passed(*entry, hole, from));
                if let Some(stray) = strays {
                    break stray;
                }
                if !bucket.is_full() {
                    return;
                }
                from = self.next(from);
            };
            let entry = self.buckets.get(from).and_then(|bucket| bucket.0.get(moved)).copied().unwrap_or(EMPTY);
            self.set(hole, slot, entry);
            (hole, slot) = (from, moved);
        }
    }

    /// The row that owns the address.
    pub fn lookup(&self, address: MacAddr) -> Option<VrId> {
        let key = key_of(address);
        self.lookup_from(self.home(key), key)
    }

    /// The rows that own the addresses, one for each, appended to `rows`.
    pub fn lookup_many(&self, addresses: impl IntoIterator<Item = MacAddr>, rows: &mut Vec<Option<VrId>>) {
        let mut addresses = addresses.into_iter();
        loop {
            let mut waiting = [(0, 0); AHEAD];
            let mut count = 0;
            for (place, address) in waiting.iter_mut().zip(&mut addresses) {
                let key = key_of(address);
                let home = self.home(key);
                if let Some(bucket) = self.buckets.get(home) {
                    prefetch(bucket);
                }
                *place = (home, key);
                count += 1;
            }
            rows.extend(waiting.iter().take(count).map(|(home, key)| self.lookup_from(*home, *key)));
            if count < AHEAD {
                return;
            }
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    #[inline]
    fn lookup_from(&self, home: usize, key: u64) -> Option<VrId> {
        let bucket = self.buckets.get(home)?;
        if let Some(row) = bucket.row_of(key) {
            return Some(row);
        }
        if bucket.is_full() { self.lookup_onwards(home, key) } else { None }
    }

    #[cold]
    fn lookup_onwards(&self, home: usize, key: u64) -> Option<VrId> {
        let mut at = self.next(home);
        while at != home {
            let bucket = self.buckets.get(at)?;
            if let Some(row) = bucket.row_of(key) {
                return Some(row);
            }
            if !bucket.is_full() {
                return None;
            }
            at = self.next(at);
        }
        None
    }

    fn put(&mut self, entry: u64) {
        let mut at = self.home(entry);
        loop {
            let next = self.next(at);
            match self.buckets.get_mut(at).and_then(|bucket| bucket.0.iter_mut().find(|slot| **slot == EMPTY)) {
                Some(slot) => {
                    *slot = entry;
                    return;
                }
                // There is always room: at most half of the slots are taken.
                None => at = next,
            }
        }
    }

    fn grow(&mut self) {
        let buckets = vec![Bucket([EMPTY; SLOTS]); self.buckets.len() * 2];
        let old = core::mem::replace(&mut self.buckets, buckets);
        self.shift -= 1;
        for entry in old.iter().flat_map(|bucket| bucket.0).filter(|entry| *entry != EMPTY) {
            self.put(entry);
        }
    }

    fn set(&mut self, bucket: usize, slot: usize, entry: u64) {
        if let Some(place) = self.buckets.get_mut(bucket).and_then(|bucket| bucket.0.get_mut(slot)) {
            *place = entry;
        }
    }

    /// The bucket that an entry is looked for in first.
    #[inline]
    fn home(&self, entry: u64) -> usize {
        usize::try_from((entry >> 16).wrapping_mul(self.multiplier) >> self.shift).unwrap_or_default()
    }

    fn next(&self, bucket: usize) -> usize {
        (bucket + 1) & (self.buckets.len() - 1)
    }

    /// Would a look-up of the entry, which stands in bucket `at`, come by bucket `hole` first?
    fn has_passed(&self, entry: u64, hole: usize, at: usize) -> bool {
        let mask = self.buckets.len() - 1;
        let way = at.wrapping_sub(self.home(entry)) & mask;
        way >= at.wrapping_sub(hole) & mask
    }
}

/// The address in the 48 high bits of a word.
#[inline]
fn key_of(MacAddr([a, b, c, d, e, f]): MacAddr) -> u64 {
    let (start, end) = (u32::from_le_bytes([a, b, c, d]), u16::from_le_bytes([e, f]));
    u64::from(start) << 16 | u64::from(end) << 48
}

impl Bucket {
    /// The row of an address, which stands in the 48 high bits of `key`. No branch: which slot it is cannot be foretold.
    #[inline]
    fn row_of(&self, key: u64) -> Option<VrId> {
        let mut found = u64::MAX;
        for slot in self.0 {
            // 16 bits where the address is the same, more where not.
            found = found.min(slot ^ key);
        }
        // An empty slot is like the broadcast address.
        found |= u64::from(key == EMPTY << 16) << 16;
        u16::try_from(found).ok().map(VrId::new)
    }

    fn find(&self, key: u64) -> Option<usize> {
        self.0.iter().position(|slot| (slot ^ key) >> 16 == 0)
    }

    #[inline]
    fn is_full(&self) -> bool {
        !self.0.contains(&EMPTY)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn address(last: u8) -> MacAddr {
        MacAddr([2, 0, 0, 0, 0, last])
    }

    fn numbered(number: u64) -> MacAddr {
        let [.., a, b, c, d, e] = number.to_be_bytes();
        MacAddr([2, a, b, c, d, e])
    }

    #[test]
    fn an_address_has_one_owner() {
        let mut index = AddressIndex::default();
        assert!(index.insert(address(1), VrId::new(1)));
        assert!(!index.insert(address(1), VrId::new(2)));
        assert_eq!(index.lookup(address(1)), Some(VrId::new(1)));
        index.remove(address(1));
        assert_eq!(index.lookup(address(1)), None);
    }

    #[test]
    fn nobody_owns_a_group_address() {
        let mut index = AddressIndex::default();
        for group in [MacAddr::BROADCAST, MacAddr([1, 0, 0x5e, 0, 0, 1])] {
            assert!(!index.insert(group, VrId::new(u16::MAX)));
            assert_eq!(index.lookup(group), None);
        }
    }

    #[test]
    fn many_addresses_are_answered_in_their_order() {
        let mut index = AddressIndex::default();
        for last in 0..100 {
            index.insert(address(last), VrId::new(u16::from(last)));
        }
        let mut rows = Vec::new();
        index.lookup_many([address(7), address(200), address(0)], &mut rows);
        assert_eq!(rows, [Some(VrId::new(7)), None, Some(VrId::new(0))]);
    }

    #[test]
    fn all_rows_that_there_can_be_are_found_and_removed() {
        let mut index = AddressIndex::default();
        let all = || (0..=u16::MAX).map(|row| (numbered(u64::from(row) * 0x0001_0001), VrId::new(row)));
        assert!(all().all(|(address, row)| index.insert(address, row)));
        assert!(index.buckets.len() <= 32_768, "a megabyte");
        let mut rows = Vec::new();
        index.lookup_many(all().map(|(address, _)| address), &mut rows);
        assert!(rows.iter().copied().eq(all().map(|(_, row)| Some(row))));
        for (address, row) in all() {
            index.remove(address);
            if row.to_u16() % 4096 == 0 {
                assert!(all().all(|(other, at)| index.lookup(other) == (at > row).then_some(at)));
            }
        }
        assert_eq!(index.count, 0);
        assert!(index.buckets.iter().all(|bucket| bucket.0 == [EMPTY; SLOTS]));
    }

    /// Addresses that all fall into one bucket of an index of that size, for its multiplier.
    fn colliding(index: &AddressIndex, count: usize) -> Vec<MacAddr> {
        (0..).map(numbered).filter(|address| index.home(key_of(*address)) == 1).take(count).collect()
    }

    proptest! {
        #[test]
        fn it_says_what_a_map_says(
            steps in prop::collection::vec((0..3_u8, 0..60_usize, any::<u16>()), 1..400),
            collide in any::<bool>(),
        ) {
            let mut index = AddressIndex::default();
            for number in 0..200 {
                index.insert(numbered(1 << 33 | number), VrId::new(0));
            }
            let mut map: HashMap<MacAddr, u16> = (0..200).map(|number| (numbered(1 << 33 | number), 0)).collect();
            let addresses = if collide { colliding(&index, 60) } else { (0..60).map(numbered).collect() };
            for (step, number, row) in steps {
                let address = addresses[number];
                if step == 0 {
                    index.remove(address);
                    map.remove(&address);
                } else {
                    let is_new = !map.contains_key(&address);
                    prop_assert_eq!(index.insert(address, VrId::new(row)), is_new);
                    map.entry(address).or_insert(row);
                }
            }
            for address in addresses.iter().chain(map.keys()) {
                prop_assert_eq!(index.lookup(*address).map(VrId::to_u16), map.get(address).copied());
            }
            prop_assert_eq!(index.count, map.len());
        }
    }
}
