//! The stages of a batch before the cipher: whose each frame is, and whether it may pass.

use core::ops::Range;

use super::{Admission, Failure, Path, Ticket, shard_of};
use crate::device::address_index::AddressIndex;
use crate::device::connection_table::{Groups, Row};
use crate::device::drop_reason::DropReason;
use crate::device::rows::Shard;
use crate::frame_batch::Frames;
use crate::ids::VrId;

/// Rows that are fetched while others are worked on: as many as a core has misses under way, and some more.
const AHEAD: usize = 16;

/// Neighbouring frames of a batch.
pub(super) struct Part<P: Path> {
    /// The first one's number.
    start: usize,
    owners: Vec<Option<VrId>>,
    /// By shard, where there are several: its frames, and whose they are.
    by_shard: Vec<Vec<(u32, Option<VrId>)>>,
    pub(super) tickets: Vec<Ticket<P::Way>>,
    /// Where there are several shards, what became of each frame in the cipher, and what there is to know of it: few octets,
    /// which other threads read.
    pub(super) fates: Vec<Result<P::Seen, DropReason>>,
    pub(super) jobs: P::Jobs,
    pub(super) outs: Vec<&'static mut [u8]>,
}

impl<P: Path> Default for Part<P> {
    fn default() -> Self {
        let (owners, by_shard, tickets, outs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { start: 0, owners, by_shard, tickets, fates: Vec::new(), jobs: P::Jobs::default(), outs }
    }
}

/// The frames of one shard.
pub(super) struct Lane<P: Path> {
    /// Where there are several: part by part, from here on, and where each part's start and how many octets they have.
    pub(super) tickets: Vec<Ticket<P::Way>>,
    pub(super) starts: Vec<(usize, usize)>,
    pub(super) failures: Vec<Failure>,
}

impl<P: Path> Default for Lane<P> {
    fn default() -> Self {
        Self { tickets: Vec::new(), starts: Vec::new(), failures: Vec::new() }
    }
}

impl<P: Path> Part<P> {
    /// Whose the frames are.
    pub(super) fn look_up(
        &mut self,
        addresses: &AddressIndex,
        groups: Groups<'_>,
        frames: Frames<'_>,
        range: Range<usize>,
        shards: usize,
    ) {
        let Self { start, owners, by_shard, .. } = self;
        *start = range.start;
        owners.clear();
        let frames = frames.part(range);
        addresses.lookup_many(frames.iter().map(P::address), owners);
        if shards == 1 {
            return;
        }
        by_shard.resize_with(shards, Vec::new);
        by_shard.iter_mut().for_each(Vec::clear);
        let numbers = u32::try_from(*start).unwrap_or(u32::MAX)..;
        for (number, (owner, frame)) in numbers.zip(owners.iter_mut().zip(frames.iter())) {
            if owner.is_none() {
                *owner = P::resolve(groups, frame);
            }
            if let Some(list) = by_shard.get_mut(shard_of(*owner, shards)) {
                list.push((number, *owner));
            }
        }
    }

    /// Where there is one shard, all its frames through the stages before the cipher.
    pub(super) fn admit_all(
        &mut self,
        shard: &mut Shard,
        others: &mut P::Others,
        groups: Groups<'_>,
        frames: Frames<'_>,
    ) {
        self.tickets.clear();
        admit_all::<P>(&mut self.tickets, shard, others, &self.owners, groups, frames);
    }

    /// Where there are several, their tickets in the order of the frames; this is part `number`.
    pub(super) fn bring_into_order(&mut self, lanes: &[Lane<P>], number: usize) {
        let Self { owners, tickets, .. } = self;
        tickets.clear();
        let starts = lanes.iter().map(|lane| lane.tickets.get(lane.start(number)..).unwrap_or_default().iter());
        let mut places: Vec<_> = starts.collect();
        tickets
            .extend(owners.iter().filter_map(|owner| places.get_mut(shard_of(*owner, lanes.len()))?.next().copied()));
    }

    /// How many frames.
    pub(super) const fn len(&self) -> usize {
        self.owners.len()
    }

    /// How many octets the frames have that passed.
    pub(super) fn length(&self) -> usize {
        self.tickets.iter().map(|ticket| ticket.length as usize).sum()
    }

    /// Where a frame stands in this part.
    pub(super) const fn place_of(&self, frame: u32) -> usize {
        (frame as usize).saturating_sub(self.start)
    }

    fn of_shard(&self, shard: usize) -> &[(u32, Option<VrId>)] {
        self.by_shard.get(shard).map(Vec::as_slice).unwrap_or_default()
    }
}

impl<P: Path> Lane<P> {
    /// Where there are several shards, the stages before the cipher for all frames of this one.
    pub(super) fn admit(
        &mut self,
        shard: &mut Shard,
        others: &mut P::Others,
        parts: &[Part<P>],
        number: usize,
        frames: Frames<'_>,
    ) {
        let Self { tickets, starts, .. } = self;
        tickets.clear();
        starts.clear();
        for part in parts {
            let start = tickets.len();
            admit_listed::<P>(tickets, shard, others, part.of_shard(number), frames);
            let length = tickets.get(start..).unwrap_or_default().iter().map(|ticket| ticket.length as usize).sum();
            starts.push((start, length));
        }
    }

    /// How many octets the frames of a part have that passed.
    pub(super) fn length(&self, part: usize) -> usize {
        self.starts.get(part).map_or(0, |(_, length)| *length)
    }

    fn start(&self, part: usize) -> usize {
        self.starts.get(part).map_or(0, |(start, _)| *start)
    }
}

/// Where there is one shard. A loop in a function of its own has the registers for itself.
#[inline(never)]
fn admit_all<P: Path>(
    tickets: &mut Vec<Ticket<P::Way>>,
    shard: &mut Shard,
    others: &mut P::Others,
    owners: &[Option<VrId>],
    groups: Groups<'_>,
    frames: Frames<'_>,
) {
    owners.iter().take(AHEAD).flatten().for_each(|vr| P::prefetch(shard, *vr));
    for (index, (frame, owner)) in (0..).zip(frames.iter().zip(owners)) {
        if let Some(next) = owners.get(index as usize + AHEAD).copied().flatten() {
            P::prefetch(shard, next);
        }
        let owner = owner.or_else(|| P::resolve(groups, frame));
        admit_one::<P>(tickets, others, shard, index, owner, frame);
    }
}

/// Where there are several, the frames that a thread found for this one.
#[inline(never)]
fn admit_listed<P: Path>(
    tickets: &mut Vec<Ticket<P::Way>>,
    shard: &mut Shard,
    others: &mut P::Others,
    list: &[(u32, Option<VrId>)],
    frames: Frames<'_>,
) {
    list.iter().take(AHEAD).filter_map(|(_, owner)| *owner).for_each(|vr| P::prefetch(shard, vr));
    for (place, (index, owner)) in list.iter().enumerate() {
        if let Some((_, Some(next))) = list.get(place + AHEAD) {
            P::prefetch(shard, *next);
        }
        if let Some(frame) = frames.frame(*index as usize) {
            admit_one::<P>(tickets, others, shard, *index, *owner, frame);
        }
    }
}

/// The stages before the cipher for one frame.
#[inline(always)]
#[expect(clippy::inline_always, reason = "two loops call it, each per frame")]
fn admit_one<P: Path>(
    tickets: &mut Vec<Ticket<P::Way>>,
    others: &mut P::Others,
    shard: &mut Shard,
    index: u32,
    owner: Option<VrId>,
    frame: &[u8],
) {
    let mut row = owner.and_then(|vr| shard.get_mut(vr));
    let vm = row.as_ref().map(|row| row.vm());
    if let Some((way, length)) = row.as_mut().and_then(|row| P::admit_usual(row, frame)) {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        tickets.push(Ticket { frame: index, length, row: owner, vm, verdict: Ok(()), way });
    } else {
        tickets.push(judge::<P>(index, owner, row, frame, others));
    }
}

#[inline(never)]
fn judge<P: Path>(
    index: u32,
    owner: Option<VrId>,
    row: Option<&mut Row>,
    frame: &[u8],
    others: &mut P::Others,
) -> Ticket<P::Way> {
    let vm = row.as_ref().map(|row| row.vm());
    let Admission { is_rows, way } = P::admit(row, frame, others);
    let (row, vm) = if is_rows { (owner, vm) } else { (None, None) };
    let (verdict, way, length) = match way {
        Ok((way, length)) => (Ok(()), way, u32::try_from(length).unwrap_or(u32::MAX)),
        Err(reason) => (Err(reason), P::Way::default(), 0),
    };
    Ticket { frame: index, length, row, vm, verdict, way }
}
