//! Which rows have an access point to tell on a channel: the radio asks at each switch, whatever the number of VMs
//! elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use crate::air::Channel;
use crate::ids::VrId;

/// Channel to rows.
#[derive(Clone, Debug, Default)]
pub(super) struct ChannelIndex {
    rows: BTreeMap<Channel, BTreeSet<VrId>>,
    /// Where each virtual radio stands in it.
    places: Vec<Option<Channel>>,
}

impl ChannelIndex {
    /// The row stands on that channel now, or on none.
    pub(super) fn set(&mut self, row: VrId, channel: Option<Channel>) {
        if self.places.len() <= row.index() {
            self.places.resize(row.index() + 1, None);
        }
        let Some(place) = self.places.get_mut(row.index()) else { return };
        let old = core::mem::replace(place, channel);
        if old == channel {
            return;
        }
        if let Some(rows) = old.and_then(|channel| self.rows.get_mut(&channel)) {
            rows.remove(&row);
        }
        if let Some(channel) = channel {
            self.rows.entry(channel).or_default().insert(row);
        }
    }

    /// The rows on a channel, by virtual radio.
    pub(super) fn rows(&self, channel: Channel) -> impl ExactSizeIterator<Item = VrId> {
        static NONE: BTreeSet<VrId> = BTreeSet::new();
        self.rows.get(&channel).unwrap_or(&NONE).iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Identifier;

    #[test]
    fn a_row_stands_on_one_channel_at_most() {
        let mut index = ChannelIndex::default();
        let rows = |index: &ChannelIndex, channel| index.rows(channel).map(VrId::to_u16).collect::<Vec<_>>();
        for (row, channel) in [(7, Some(1)), (3, Some(1)), (9, Some(6)), (7, Some(6)), (9, None)] {
            index.set(VrId::new(row), channel);
        }
        assert_eq!((rows(&index, 1), rows(&index, 6), rows(&index, 11)), (vec![3], vec![7], vec![]));
    }
}
