//! Which rows are connected to an access point: the look-up for group frames.

use std::collections::HashMap;

use super::address_hasher::AddressHasher;
use crate::ids::{MacAddr, VrId};

/// BSSID to rows, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct BssIndex {
    members: HashMap<u64, Vec<VrId>, core::hash::BuildHasherDefault<AddressHasher>>,
}

impl BssIndex {
    /// Adds a row; nothing happens for the zero address.
    pub(super) fn insert(&mut self, bssid: MacAddr, row: VrId) {
        if bssid != MacAddr::ZERO {
            self.members.entry(bssid.to_u64()).or_default().push(row);
        }
    }

    /// Removes a row.
    pub(super) fn remove(&mut self, bssid: MacAddr, row: VrId) {
        if let Some(rows) = self.members.get_mut(&bssid.to_u64()) {
            rows.retain(|other| *other != row);
            if rows.is_empty() {
                self.members.remove(&bssid.to_u64());
            }
        }
    }

    /// The rows of an access point.
    pub(super) fn members(&self, bssid: MacAddr) -> &[VrId] {
        self.members.get(&bssid.to_u64()).map(Vec::as_slice).unwrap_or_default()
    }
}
