//! A cache line of an address index: room for eight addresses and their owners, all compared at once.

/// How many entries a bucket has room for.
pub(super) const SLOTS: usize = 8;

/// Eight entries in one cache line: the addresses' first four octets, their last two, then their owners, each array
/// packed into words, little-endian. An address of zeros is an empty slot; the entries stand before the empty slots.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Bucket {
    tops: [u64; 4],
    lows: [u64; 2],
    ids: [u16; SLOTS],
}

/// What was found: an owner, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    id: u16,
    is_none: bool,
}

impl Found {
    /// Nothing was found.
    pub(super) const NONE: Self = Self { id: 0, is_none: true };

    /// An owner was found.
    pub(super) const fn some(id: u16) -> Self {
        Self { id, is_none: false }
    }

    /// True where nobody was found.
    pub(super) const fn is_none(self) -> bool {
        self.is_none
    }

    /// The owner.
    pub(super) const fn id(self) -> Option<u16> {
        if self.is_none { None } else { Some(self.id) }
    }

    /// The owner, or 65535; without a branch, since nobody can foretell which addresses are ours.
    pub(super) fn or_all_ones(self, id: u16) -> u16 {
        id | u16::from(self.is_none).wrapping_neg()
    }

    /// The number that stands where the owner's does, of no meaning where nobody was found.
    pub(super) const fn raw(self) -> u16 {
        self.id
    }
}

impl Bucket {
    /// Without entries.
    pub(super) const EMPTY: Self = Self { tops: [0; 4], lows: [0; 2], ids: [0; SLOTS] };

    /// The owner of an address other than zero; without a branch.
    #[inline]
    pub(super) fn find(&self, key: u64) -> Found {
        let matches = self.matches(key);
        // The bit above keeps the number below 9 without asking whether there is one.
        let slot = (matches | 1 << (2 * SLOTS)).trailing_zeros() as usize / 2;
        let id = self.ids.get(slot % SLOTS).copied().unwrap_or_default();
        Found { id, is_none: matches == 0 }
    }

    /// As [`find`](Self::find), where `matches` says by a bit for each slot which one holds the address: of the addresses'
    /// first four octets and last two.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called where other instructions are allowed")]
    pub(super) fn find_by(&self, matches: impl FnOnce(&[u64; 4], &[u64; 2]) -> u8) -> Found {
        let matches = matches(&self.tops, &self.lows);
        let slot = u32::from(matches).trailing_zeros() as usize;
        Found { id: self.ids.get(slot % SLOTS).copied().unwrap_or_default(), is_none: matches == 0 }
    }

    /// Two bits for each slot, set where it holds the address.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    fn matches(&self, key: u64) -> u32 {
        super::address_index_x86::matches(&self.tops, &self.lows, key)
    }

    /// Two bits for each slot, set where it holds the address.
    #[cfg(not(target_arch = "x86_64"))]
    #[inline]
    fn matches(&self, key: u64) -> u32 {
        self.matches_portable(key)
    }

    /// As `matches`, on every processor.
    #[cfg(any(test, not(target_arch = "x86_64")))]
    fn matches_portable(&self, key: u64) -> u32 {
        (0..SLOTS).map(|slot| if self.key(slot) == key { 3 << (2 * slot) } else { 0 }).sum()
    }

    /// True where no further entry has room.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.key(SLOTS - 1) != 0
    }

    /// How many entries.
    fn len(&self) -> usize {
        (0..SLOTS).take_while(|slot| self.key(*slot) != 0).count()
    }

    /// All entries: addresses and owners.
    pub(super) fn entries(&self) -> impl Iterator<Item = (u64, u16)> {
        (0..self.len()).map(|slot| (self.key(slot), self.ids.get(slot).copied().unwrap_or_default()))
    }

    /// Adds an entry of an address other than zero; false where there is no room.
    pub(super) fn push(&mut self, key: u64, id: u16) -> bool {
        let slot = self.len();
        self.set(slot, key, id);
        slot < SLOTS
    }

    /// Takes out the entry of an address; the last one takes its slot. False where there is none.
    pub(super) fn remove(&mut self, key: u64) -> bool {
        let Some((last, (last_key, last_id))) = self.entries().enumerate().last() else { return false };
        let Some(slot) = (0..=last).find(|slot| self.key(*slot) == key) else { return false };
        self.set(slot, last_key, last_id);
        self.set(last, 0, 0);
        true
    }

    #[inline]
    fn key(&self, slot: usize) -> u64 {
        let top = self.tops.get(slot / 2).map_or(0, |word| word >> (slot % 2 * 32) & 0xffff_ffff);
        let low = self.lows.get(slot / 4).map_or(0, |word| word >> (slot % 4 * 16) & 0xffff);
        top | low << 32
    }

    fn set(&mut self, slot: usize, key: u64, id: u16) {
        let change = key ^ self.key(slot);
        if let (Some(top), Some(low), Some(place)) =
            (self.tops.get_mut(slot / 2), self.lows.get_mut(slot / 4), self.ids.get_mut(slot))
        {
            *top ^= (change & 0xffff_ffff) << (slot % 2 * 32);
            *low ^= (change >> 32 & 0xffff) << (slot % 4 * 16);
            *place = id;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_a_cache_line() {
        assert_eq!((size_of::<Bucket>(), align_of::<Bucket>()), (64, 64));
    }

    #[test]
    fn each_slot_is_found_by_all_octets_of_its_address() {
        let mut bucket = Bucket::EMPTY;
        let keys: Vec<u64> = (1..=8_u64).map(|number| number * 0x0102_0408_1021).collect();
        for (key, id) in keys.iter().zip(65528..=65535) {
            assert!(!bucket.is_full());
            assert!(bucket.push(*key, id));
        }
        assert!(bucket.is_full() && !bucket.push(9, 9));
        for (slot, key) in keys.iter().enumerate() {
            assert_eq!(bucket.find(*key).id(), Some(65528 + u16::try_from(slot).unwrap()));
            for bit in 0..48 {
                let other = key ^ 1 << bit;
                assert_eq!(bucket.matches(other), bucket.matches_portable(other));
                assert_eq!(bucket.find(other).is_none(), !keys.contains(&other));
            }
        }
    }

    #[test]
    fn entries_stay_together_when_one_is_taken_out() {
        let mut bucket = Bucket::EMPTY;
        assert!(!bucket.remove(1));
        for number in 1..=8 {
            bucket.push(number << 40 | number, u16::try_from(number).unwrap());
        }
        assert!(bucket.remove(3 << 40 | 3) && !bucket.remove(3 << 40 | 3) && !bucket.is_full());
        let ids: Vec<u16> = bucket.entries().map(|(_, id)| id).collect();
        assert_eq!(ids, [1, 2, 8, 4, 5, 6, 7]);
    }
}
