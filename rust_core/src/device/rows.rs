//! Where rows lie: in blocks that never move, so that no copy of a key is left behind, and split into shards, each of
//! which one thread may change while others change theirs.

use core::mem::offset_of;

use super::connection_table::Row;
use super::row_keys::RowKeys;
use crate::ids::VrId;
use crate::prefetch::{prefetch, prefetch_at};

/// All rows of a table. Virtual radio `v` lies in shard `v % n`.
#[derive(Debug)]
pub(crate) struct Rows {
    shards: Vec<Shard>,
}

/// The rows that belong together to one thread.
#[derive(Debug)]
pub(crate) struct Shard {
    /// How many shards there are.
    step: usize,
    blocks: Vec<Block>,
}

/// Neighbouring rows.
#[derive(Debug, Default)]
struct Block {
    /// Bit `i`: row `i` is somebody's. Says without a look at the row whether there is one.
    taken: u64,
    /// Empty, or [`BLOCK`] rows from the first that was taken to the end of the table.
    rows: Vec<Row>,
}

const BLOCK: usize = 64;

impl Rows {
    /// No rows, for that many threads.
    pub(crate) fn new(shards: usize) -> Self {
        let step = shards.max(1);
        Self { shards: (0..step).map(|_| Shard { step, blocks: Vec::new() }).collect() }
    }

    /// How many shards.
    pub(crate) const fn shard_count(&self) -> usize {
        self.shards.len()
    }

    /// In which shard a row lies.
    #[inline]
    pub(crate) fn shard_of(&self, vr: VrId) -> usize {
        // A division by what is not known costs more than the rest of the way to the row.
        match self.shards.len() {
            2 => vr.index() % 2,
            shards => vr.index() % shards,
        }
    }

    /// The shards, each to be changed by another thread.
    pub(crate) fn shards_mut(&mut self) -> &mut [Shard] {
        &mut self.shards
    }

    #[inline]
    pub(crate) fn get(&self, vr: VrId) -> Option<&Row> {
        match self.shards.as_slice() {
            [only] => only.at(vr.index()),
            shards => shards.get(self.shard_of(vr))?.get(vr),
        }
    }

    pub(crate) fn get_mut(&mut self, vr: VrId) -> Option<&mut Row> {
        let shard = self.shard_of(vr);
        self.shards.get_mut(shard)?.get_mut(vr)
    }

    /// Puts a row, which has no keys yet, into its place.
    pub(crate) fn insert(&mut self, row: Row) -> Option<&mut Row> {
        let shard = self.shard_of(row.vr());
        self.shards.get_mut(shard)?.insert(row)
    }

    /// Takes a row out; its keys are wiped where they lie.
    pub(crate) fn take(&mut self, vr: VrId) -> Option<Box<Row>> {
        let shard = self.shard_of(vr);
        self.shards.get_mut(shard)?.take(vr)
    }

    /// All rows, by virtual radio.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Row> {
        let end = self.shards.iter().map(|shard| shard.blocks.len() * BLOCK).max().unwrap_or_default();
        (0..end).flat_map(move |index| self.shards.iter().filter_map(move |shard| shard.at(index)))
    }

    /// All rows, to be changed; shard by shard.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Row> {
        self.shards.iter_mut().flat_map(|shard| &mut shard.blocks).flat_map(|block| {
            let taken = block.taken;
            block.rows.iter_mut().enumerate().filter_map(move |(bit, row)| (taken >> bit & 1 != 0).then_some(row))
        })
    }
}

impl Shard {
    /// The row of a virtual radio of this shard.
    #[inline]
    pub(crate) fn get(&self, vr: VrId) -> Option<&Row> {
        self.at(self.index(vr))
    }

    /// The same, to be changed.
    #[inline]
    pub(crate) fn get_mut(&mut self, vr: VrId) -> Option<&mut Row> {
        let index = self.index(vr);
        let block = self.blocks.get_mut(index / BLOCK)?;
        if block.taken >> (index % BLOCK) & 1 == 0 {
            return None;
        }
        block.rows.get_mut(index % BLOCK)
    }

    /// Starts to load what a frame for that row needs.
    #[inline]
    pub(crate) fn prefetch(&self, vr: VrId) {
        let index = self.index(vr);
        if let Some(row) = self.blocks.get(index / BLOCK).and_then(|block| block.rows.get(index % BLOCK)) {
            prefetch(row);
            prefetch_at(row, offset_of!(Row, mac));
            prefetch_at(row, offset_of!(Row, keys));
            prefetch_at(row, offset_of!(Row, keys) + RowKeys::REPLAY);
        }
    }

    /// As [`prefetch`](Self::prefetch), for a frame on its way down.
    #[inline]
    pub(crate) fn prefetch_to_send(&self, vr: VrId) {
        let index = self.index(vr);
        if let Some(row) = self.blocks.get(index / BLOCK).and_then(|block| block.rows.get(index % BLOCK)) {
            prefetch(row);
            prefetch_at(row, offset_of!(Row, keys));
            prefetch_at(row, offset_of!(Row, keys) + RowKeys::REPLAY);
        }
    }

    #[inline]
    const fn index(&self, vr: VrId) -> usize {
        // A division costs more than the rest of the way to the row.
        match self.step {
            1 => vr.index(),
            2 => vr.index() / 2,
            step => vr.index() / step,
        }
    }

    #[inline]
    fn at(&self, index: usize) -> Option<&Row> {
        let block = self.blocks.get(index / BLOCK)?;
        if block.taken >> (index % BLOCK) & 1 == 0 {
            return None;
        }
        block.rows.get(index % BLOCK)
    }

    fn insert(&mut self, row: Row) -> Option<&mut Row> {
        let index = self.index(row.vr());
        if self.blocks.len() <= index / BLOCK {
            self.blocks.resize_with(index / BLOCK + 1, Block::default);
        }
        let block = self.blocks.get_mut(index / BLOCK)?;
        if block.rows.is_empty() {
            block.rows.reserve_exact(BLOCK);
            block.rows.extend((0..BLOCK).map(|_| Row::vacant()));
        }
        let place = block.rows.get_mut(index % BLOCK)?;
        *place = row;
        block.taken |= 1 << (index % BLOCK);
        Some(place)
    }

    fn take(&mut self, vr: VrId) -> Option<Box<Row>> {
        let index = self.index(vr);
        let block = self.blocks.get_mut(index / BLOCK)?;
        let bit = 1 << (index % BLOCK);
        let place = block.rows.get_mut(index % BLOCK).filter(|_| block.taken & bit != 0)?;
        place.keys.clear();
        block.taken &= !bit;
        Some(Box::new(core::mem::replace(place, Row::vacant())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{MacAddr, VmId};

    fn row(number: u16) -> Row {
        Row::new(VrId::new(number), VmId::new(number), MacAddr([2, 0, 0, 0, 0, 1]))
    }

    #[test]
    fn rows_are_found_and_listed_by_virtual_radio_whatever_the_shards() {
        for shards in [1, 2, 3, 7] {
            let mut rows = Rows::new(shards);
            let numbers = [300, 0, 64, 5, 63, 65_535, 1];
            for number in numbers {
                assert!(rows.insert(row(number)).is_some());
            }
            assert!(rows.take(VrId::new(5)).is_some() && rows.take(VrId::new(5)).is_none());
            let listed: Vec<usize> = rows.iter().map(|row| row.vr().index()).collect();
            assert_eq!(listed, [0, 1, 63, 64, 300, 65_535]);
            assert_eq!(rows.iter_mut().count(), 6);
            for number in numbers {
                let found = rows.get(VrId::new(number)).map(Row::vr);
                assert_eq!(found, (number != 5).then_some(VrId::new(number)));
            }
            assert!(rows.get(VrId::new(2)).is_none() && rows.get_mut(VrId::new(2)).is_none());
        }
    }

    #[test]
    fn what_a_frame_needs_stands_at_the_start_of_cache_lines() {
        assert_eq!(offset_of!(Row, keys) % 64, 0);
        assert_eq!(RowKeys::SENDING / 64, RowKeys::REPLAY / 64, "one line is fetched ahead, for both ways");
        assert_eq!(size_of::<Row>() / 64 % 2, 1, "rows next to each other do not fall into the same cache sets");
        assert!(offset_of!(Row, counters) + 32 <= 64, "counters of frames that passed share the row's first line");
    }
}
