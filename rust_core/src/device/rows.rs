//! Where rows lie: side by side in memory that never moves, so that no copy of a key is left behind, and split into shards,
//! each of which one thread may change while others change theirs.

use super::connection_table::Row;
use crate::huge_pages;
use crate::ids::VrId;

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
    /// From the first to the last that was ever taken, vacant ones between: who has row 65,534 alone has 46 MB of them.
    /// There is room for all that may come from the start, so that none moves; systems that give memory when it is first
    /// touched give none for it. Every frame asks for a row several times, and no list of blocks stands between.
    rows: Vec<Row>,
    most: usize,
}

/// Who has rows: a whole table, or one of its shards. Other shards' rows are not to be asked of a shard.
pub(crate) trait HasRows {
    /// The row of a virtual radio, for who knows that it has one, or need not know.
    fn known(&self, vr: VrId) -> Option<&Row>;

    /// The same, to be changed.
    fn known_mut(&mut self, vr: VrId) -> Option<&mut Row>;

    /// The row of a virtual radio, if it has one.
    #[inline]
    fn get(&self, vr: VrId) -> Option<&Row> {
        self.known(vr).filter(|row| !row.is_vacant())
    }

    /// The same, to be changed.
    #[inline]
    fn get_mut(&mut self, vr: VrId) -> Option<&mut Row> {
        self.known_mut(vr).filter(|row| !row.is_vacant())
    }
}

/// A shard's rows beyond so many lie in large pages, where there are: small tables take no more memory than they must.
const MANY: usize = 2048;

impl Rows {
    /// No rows, for that many threads; there will be `most` at most.
    pub(crate) fn new(shards: usize, most: usize) -> Self {
        let step = shards.max(1);
        Self { shards: (0..step).map(|_| Shard { step, rows: Vec::new(), most: most.div_ceil(step) }).collect() }
    }

    /// How many shards.
    pub(crate) const fn shard_count(&self) -> usize {
        self.shards.len()
    }

    #[inline]
    fn shard_of(&self, vr: VrId) -> usize {
        shard_among(vr, self.shards.len())
    }

    /// The shards, each to be changed by another thread.
    pub(crate) fn shards_mut(&mut self) -> &mut [Shard] {
        &mut self.shards
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
        let end = self.shards.iter().map(|shard| shard.rows.len()).max().unwrap_or_default();
        (0..end).flat_map(move |index| self.shards.iter().filter_map(move |shard| shard.at(index)))
    }

    /// All rows, to be changed; shard by shard.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Row> {
        self.shards.iter_mut().flat_map(|shard| &mut shard.rows).filter(|row| !row.is_vacant())
    }
}

/// In which of so many shards a row lies.
#[inline]
pub(crate) const fn shard_among(vr: VrId, shards: usize) -> usize {
    // A division by what is not known costs more than the rest of the way to the row.
    match shards {
        1 => 0,
        2 => vr.index() % 2,
        shards => vr.index() % shards,
    }
}

impl HasRows for Rows {
    #[inline]
    fn known(&self, vr: VrId) -> Option<&Row> {
        match self.shards.as_slice() {
            [only] => only.rows.get(vr.index()),
            shards => shards.get(self.shard_of(vr))?.known(vr),
        }
    }

    #[inline]
    fn known_mut(&mut self, vr: VrId) -> Option<&mut Row> {
        let shard = self.shard_of(vr);
        match self.shards.as_mut_slice() {
            [only] => only.rows.get_mut(vr.index()),
            shards => shards.get_mut(shard)?.known_mut(vr),
        }
    }
}

impl HasRows for Shard {
    #[inline]
    fn known(&self, vr: VrId) -> Option<&Row> {
        self.rows.get(self.index(vr))
    }

    #[inline]
    fn known_mut(&mut self, vr: VrId) -> Option<&mut Row> {
        let index = self.index(vr);
        self.rows.get_mut(index)
    }
}

impl Shard {
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
        self.rows.get(index).filter(|row| !row.is_vacant())
    }

    fn insert(&mut self, row: Row) -> Option<&mut Row> {
        let index = self.index(row.vr());
        if index >= self.most {
            return None;
        }
        self.rows.reserve_exact(self.most - self.rows.len());
        while self.rows.len() <= index {
            if self.rows.len() == MANY {
                huge_pages::prefer(self.rows.spare_capacity_mut());
            }
            self.rows.push(Row::vacant());
        }
        let place = self.rows.get_mut(index)?;
        *place = row;
        Some(place)
    }

    fn take(&mut self, vr: VrId) -> Option<Box<Row>> {
        let place = self.get_mut(vr)?;
        place.keys.clear();
        Some(Box::new(core::mem::replace(place, Row::vacant())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::row_keys::RowKeys;
    use crate::ids::{MacAddr, VmId};

    fn row(number: u16) -> Row {
        Row::new(VrId::new(number), VmId::new(number), MacAddr([2, 0, 0, 0, 0, 1]))
    }

    #[test]
    fn rows_are_found_and_listed_by_virtual_radio_whatever_the_shards() {
        for shards in [1, 2, 3, 7] {
            let mut rows = Rows::new(shards, 65_535);
            let numbers = [3000, 0, 1024, 5, 1023, 65_534, 1];
            for number in numbers {
                assert!(rows.insert(row(number)).is_some());
            }
            assert!(rows.take(VrId::new(5)).is_some() && rows.take(VrId::new(5)).is_none());
            let listed: Vec<usize> = rows.iter().map(|row| row.vr().index()).collect();
            assert_eq!(listed, [0, 1, 1023, 1024, 3000, 65_534]);
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
        assert_eq!(size_of::<Row>() / 64 % 2, 1, "rows next to each other do not fall into the same cache sets");
        assert_eq!(Row::LINE, 64);
        assert_eq!(Row::SENT, 128, "the gate, and the counters of frames handed up, end the line before");
        assert_eq!((core::mem::offset_of!(Row, keys) + RowKeys::LINE) % 64, 0);
    }
}
