//! Which row owns an address: the look-up that every frame on its way up needs.
//!
//! A hash table of buckets, a bucket one cache line with eight entries. Its number comes from the address by one
//! multiplication; a full bucket overflows into the next ones, and a removal brings entries back, so that an entry only
//! stands behind full buckets and a look-up ends at the first one that is not. It doubles above five entries a bucket:
//! at most 1 MiB for 65,536 addresses, and then one of a hundred entries stands outside its own bucket.
//!
//! Whether an address is somebody's cannot be foretold where strangers' frames are heard too, so nothing branches on it:
//! a bulk look-up compares all of a block with their own buckets, and then looks again at those that were not found.
//! 2.1 to 2.9 ns an address for 16 to 65,535 entries, and 3.2 to 4.2 ns where every other frame is a stranger's, which
//! costs a hash map 7.0 to 8.8 ns (AMD Zen 4, `cargo bench --bench lookup`).
//!
//! Nobody can make it slow by his choice of addresses: where an entry gets further than [`LIMIT`] buckets away, all
//! are placed anew by another multiplier, which is drawn from the former one and the address. Multiplying by a random
//! odd number and taking the top bits puts any two addresses into one bucket about as seldom as chance does (Dietzfelbinger
//! et al., 1997). At most [`ATTEMPTS`] multipliers are tried for an insertion, so its time is bounded; memory depends on
//! the number of entries alone; nothing but time depends on the multiplier, so an answer is the same in every run.

use super::address_bucket::{Bucket, Found, SLOTS};
use crate::ids::{Identifier, MacAddr, VrId};
use crate::prefetch::prefetch;

/// What [`AddressIndex::lookup_octets`] writes where nobody owns an address.
pub const NOBODY: u16 = 65535;

/// Entries a bucket on average, above which the table doubles.
const LOAD: usize = 5;
/// How many buckets behind its own an entry may stand before another multiplier is drawn. Random addresses: 7 at most.
const LIMIT: usize = 16;
/// How many multipliers are tried for one insertion.
const ATTEMPTS: usize = 4;
/// How many addresses a bulk look-up takes at once; their buckets' lines are asked for before the first is read.
pub(super) const BLOCK: usize = 64;
/// Up to so many buckets, 16 KiB, the table is close enough to be read without asking for its lines before.
const NEAR: usize = 256;
/// 2^64 divided by the golden ratio, made odd: addresses in a row get buckets far from each other.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Own address to row.
#[derive(Clone, Debug)]
pub struct AddressIndex {
    /// None, or a power of two, 2 or more.
    buckets: Vec<Bucket>,
    /// 64 less the number of bits of a bucket's number.
    shift: u32,
    multiplier: u64,
    /// Entries in the buckets.
    len: usize,
    /// The owner of the address of zeros, by which buckets tell empty slots.
    zero: Option<VrId>,
}

impl Default for AddressIndex {
    fn default() -> Self {
        Self { buckets: Vec::new(), shift: 63, multiplier: MULTIPLIER, len: 0, zero: None }
    }
}

impl AddressIndex {
    /// Adds an address; false, and nothing changes, where somebody owns it already.
    pub fn insert(&mut self, address: MacAddr, row: VrId) -> bool {
        if self.lookup(address).is_some() {
            return false;
        }
        let key = key(address);
        if key == 0 {
            self.zero = Some(row);
            return true;
        }
        let mut furthest = 0;
        if self.len >= self.buckets.len() * LOAD {
            furthest = self.rebuild((self.buckets.len() * 2).max(2));
        }
        furthest = furthest.max(self.place(key, row.to_u16()));
        self.len += 1;
        for _ in 0..ATTEMPTS {
            if furthest <= LIMIT {
                break;
            }
            self.multiplier = mix(self.multiplier ^ key) | 1;
            furthest = self.rebuild(self.buckets.len());
        }
        true
    }

    /// Forgets an address.
    pub fn remove(&mut self, address: MacAddr) {
        let key = key(address);
        if key == 0 {
            self.zero = None;
            return;
        }
        let mut place = self.home(key);
        loop {
            let Some(bucket) = self.buckets.get_mut(place) else { return };
            let was_full = bucket.is_full();
            if bucket.remove(key) {
                self.len -= 1;
                if was_full {
                    self.refill(place);
                }
                return;
            }
            if !was_full {
                return;
            }
            place = self.after(place);
        }
    }

    /// The row that owns the address.
    pub fn lookup(&self, address: MacAddr) -> Option<VrId> {
        let key = key(address);
        let found = self.find(key);
        let found = if found.is_none() || key == 0 { self.find_elsewhere(key) } else { found };
        found.id().map(VrId::new)
    }

    /// The rows that own the addresses, one for each, appended to `rows`.
    pub fn lookup_many(&self, addresses: impl IntoIterator<Item = MacAddr>, rows: &mut Vec<Option<VrId>>) {
        let mut addresses = addresses.into_iter();
        let mut keys = [0; BLOCK];
        loop {
            let keys = self.approach(&mut keys, &mut addresses);
            let start = rows.len();
            rows.resize(start + keys.len(), None);
            self.find_all(keys, rows.get_mut(start..).unwrap_or_default(), |found| found.id().map(VrId::new));
            if keys.len() < BLOCK {
                return;
            }
        }
    }

    /// The numbers of the rows that own the addresses, [`NOBODY`] where nobody does; as many as both slices have. Row
    /// 65535 is not to be told from nobody.
    pub fn lookup_octets(&self, addresses: &[[u8; 6]], rows: &mut [u16]) {
        let row = |found: Found| found.or_all_ones(found.raw());
        let mut keys = [0; BLOCK];
        let count = addresses.len().min(rows.len());
        let (addresses, rows) = (addresses.get(..count).unwrap_or_default(), rows.get_mut(..count).unwrap_or_default());
        for (addresses, rows) in addresses.chunks(BLOCK).zip(rows.chunks_mut(BLOCK)) {
            #[cfg(target_arch = "x86_64")]
            if let Some((missed, has_zero)) = super::address_index_x86::find_block(self.wide(), addresses, rows) {
                if missed != 0 || has_zero {
                    keys.iter_mut().zip(addresses).for_each(|(place, address)| *place = key(MacAddr(*address)));
                    self.find_missed(keys.get(..addresses.len()).unwrap_or_default(), rows, missed, has_zero, row);
                }
                continue;
            }
            let keys = self.approach(&mut keys, &mut addresses.iter().copied().map(MacAddr));
            self.find_all(keys, rows, row);
        }
    }

    /// For those who take several addresses at once.
    #[cfg(target_arch = "x86_64")]
    fn wide(&self) -> Wide<'_> {
        let is_far = self.buckets.len() > NEAR;
        Wide { buckets: &self.buckets, multiplier: self.multiplier, shift: self.shift, is_far }
    }

    /// Takes as many addresses as there is room for, and asks for their buckets.
    #[inline]
    fn approach<'keys>(
        &self,
        keys: &'keys mut [u64; BLOCK],
        addresses: &mut impl Iterator<Item = MacAddr>,
    ) -> &'keys [u64] {
        let is_far = self.buckets.len() > NEAR;
        let mut count = 0;
        for (place, address) in keys.iter_mut().zip(addresses) {
            *place = key(address);
            if is_far && let Some(bucket) = self.buckets.get(self.home(*place)) {
                prefetch(bucket);
            }
            count += 1;
        }
        keys.get(..count).unwrap_or_default()
    }

    /// Writes what `make` makes of the owner of each address of a block.
    #[inline]
    fn find_all<R>(&self, keys: &[u64], results: &mut [R], make: impl Fn(Found) -> R) {
        // A bit for each address, the last one's lowest: set where its own bucket does not have it.
        let mut missed = 0_u64;
        let mut has_zero = false;
        for (key, result) in keys.iter().zip(results.iter_mut()) {
            let found = self.find(*key);
            *result = make(found);
            missed = missed << 1 | u64::from(found.is_none());
            has_zero |= *key == 0;
        }
        if missed != 0 || has_zero {
            self.find_missed(keys, results, missed, has_zero, make);
        }
    }

    /// Looks beyond their own buckets for the addresses of a block that were not found there.
    #[inline(never)]
    fn find_missed<R>(
        &self,
        keys: &[u64],
        results: &mut [R],
        mut missed: u64,
        has_zero: bool,
        make: impl Fn(Found) -> R,
    ) {
        while missed != 0 {
            let place = keys.len().wrapping_sub(1 + missed.trailing_zeros() as usize);
            missed &= missed - 1;
            let Some(key) = keys.get(place) else { continue };
            if self.buckets.get(self.home(*key)).is_some_and(Bucket::is_full) {
                let found = self.find_elsewhere(*key);
                if let Some(result) = results.get_mut(place).filter(|_| !found.is_none()) {
                    *result = make(found);
                }
            }
        }
        if has_zero {
            for (_, result) in keys.iter().zip(results).filter(|(key, _)| **key == 0) {
                *result = make(self.find_elsewhere(0));
            }
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The owner, if the address stands in its own bucket; of no meaning for the address of zeros.
    #[inline]
    fn find(&self, key: u64) -> Found {
        self.buckets.get(self.home(key)).map_or(Found::NONE, |bucket| bucket.find(key))
    }

    /// The owner, if the address stands outside its own bucket.
    fn find_elsewhere(&self, key: u64) -> Found {
        if key == 0 {
            return self.zero.map_or(Found::NONE, |row| Found::some(row.to_u16()));
        }
        let mut place = self.home(key);
        while self.buckets.get(place).is_some_and(Bucket::is_full) {
            place = self.after(place);
            let found = self.buckets.get(place).map_or(Found::NONE, |bucket| bucket.find(key));
            if !found.is_none() {
                return found;
            }
        }
        Found::NONE
    }

    /// The number of an address's own bucket.
    #[inline]
    fn home(&self, key: u64) -> usize {
        let top = key.wrapping_mul(self.multiplier).wrapping_shr(self.shift);
        usize::try_from(top).unwrap_or_default() & self.mask()
    }

    /// The next bucket, behind the last one the first.
    fn after(&self, place: usize) -> usize {
        (place + 1) & self.mask()
    }

    #[inline]
    fn mask(&self) -> usize {
        self.buckets.len().wrapping_sub(1)
    }

    /// Puts an entry into the first bucket with room, from its own on; returns how many it is away.
    fn place(&mut self, key: u64, id: u16) -> usize {
        let mut place = self.home(key);
        let mut distance = 0;
        // Ends: there are fewer entries than slots.
        while self.buckets.get_mut(place).is_some_and(|bucket| !bucket.push(key, id)) {
            place = self.after(place);
            distance += 1;
        }
        distance
    }

    /// Brings an entry back into a bucket that was full, if one stands behind it that may be there, and so on.
    fn refill(&mut self, mut hole: usize) {
        let mask = self.mask();
        let mut place = self.after(hole);
        while let Some(bucket) = self.buckets.get(place) {
            let was_full = bucket.is_full();
            let gap = place.wrapping_sub(hole) & mask;
            let misplaced = bucket.entries().find(|(key, _)| place.wrapping_sub(self.home(*key)) & mask >= gap);
            if let Some((key, id)) = misplaced {
                if let Some(bucket) = self.buckets.get_mut(place) {
                    bucket.remove(key);
                }
                if let Some(bucket) = self.buckets.get_mut(hole) {
                    bucket.push(key, id);
                }
                hole = place;
            }
            if !was_full {
                return;
            }
            place = self.after(place);
        }
    }

    /// Places all entries anew in so many buckets; returns how many one of them is away from its own at most.
    fn rebuild(&mut self, buckets: usize) -> usize {
        debug_assert!(buckets.is_power_of_two() && buckets * SLOTS > self.len, "room for each entry");
        let old = core::mem::replace(&mut self.buckets, vec![Bucket::EMPTY; buckets]);
        self.shift = u64::BITS - buckets.trailing_zeros();
        old.iter().flat_map(Bucket::entries).map(|(key, id)| self.place(key, id)).max().unwrap_or_default()
    }
}

/// What a look-up needs of an index.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Wide<'a> {
    pub(super) buckets: &'a [Bucket],
    /// An address's bucket has the product's top bits, without `shift` of them, for its number.
    pub(super) multiplier: u64,
    pub(super) shift: u32,
    /// Lines are to be asked for before they are read.
    pub(super) is_far: bool,
}

/// The address as a number, in the order in which two reads bring its octets.
#[inline]
fn key(address: MacAddr) -> u64 {
    let [a, b, c, d, e, f] = address.0;
    u64::from(u32::from_le_bytes([a, b, c, d])) | u64::from(u16::from_le_bytes([e, f])) << 32
}

/// Spreads each bit over all others (the finaliser of `SplitMix64`).
const fn mix(value: u64) -> u64 {
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

#[cfg(test)]
mod tests;
