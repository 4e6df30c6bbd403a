//! Which row owns an address: the look-up that every frame on its way up needs.

use core::hash::{BuildHasherDefault, Hasher};
use std::collections::HashMap;

use crate::ids::{MacAddr, VrId};

/// Own address to row.
#[derive(Clone, Debug, Default)]
pub struct AddressIndex {
    rows: HashMap<u64, VrId, BuildHasherDefault<AddressHasher>>,
}

impl AddressIndex {
    /// Adds an address; false, and nothing changes, where somebody owns it already.
    pub fn insert(&mut self, address: MacAddr, row: VrId) -> bool {
        match self.rows.entry(address.to_u64()) {
            std::collections::hash_map::Entry::Occupied(_) => false,
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(row);
                true
            }
        }
    }

    /// Forgets an address.
    pub fn remove(&mut self, address: MacAddr) {
        self.rows.remove(&address.to_u64());
    }

    /// The row that owns the address.
    pub fn lookup(&self, address: MacAddr) -> Option<VrId> {
        self.rows.get(&address.to_u64()).copied()
    }

    /// The rows that own the addresses, one for each, appended to `rows`.
    pub fn lookup_many(&self, addresses: impl IntoIterator<Item = MacAddr>, rows: &mut Vec<Option<VrId>>) {
        rows.extend(addresses.into_iter().map(|address| self.lookup(address)));
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.rows.clear();
    }
}

/// Folds the 48 bits by one wide multiplication; the general-purpose hash costs more than the rest of the look-up.
#[derive(Clone, Copy, Debug, Default)]
pub struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.write_u64(u64::from(*octet));
        }
    }

    fn write_u64(&mut self, value: u64) {
        // 2^64 divided by the golden ratio, made odd.
        let product = u128::from(self.0.rotate_left(5) ^ value) * 0x9e37_79b9_7f4a_7c15;
        let [a, b, c, d, e, f, g, h, high @ ..] = product.to_le_bytes();
        self.0 = u64::from_le_bytes([a, b, c, d, e, f, g, h]) ^ u64::from_le_bytes(high);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> MacAddr {
        MacAddr([2, 0, 0, 0, 0, last])
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
    fn many_addresses_are_answered_in_their_order() {
        let mut index = AddressIndex::default();
        for last in 0..100 {
            index.insert(address(last), VrId::new(u16::from(last)));
        }
        let mut rows = Vec::new();
        index.lookup_many([address(7), address(200), address(0)], &mut rows);
        assert_eq!(rows, [Some(VrId::new(7)), None, Some(VrId::new(0))]);
    }
}
