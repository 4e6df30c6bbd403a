//! How a batch goes through a table: in passes, so that the misses of many frames wait together, and by shards, so that
//! several threads may work on it.
//!
//! 1. Each thread: look-up of the addresses of its part of the batch; whose frames they are.
//! 2. Each shard: its rows are fetched ahead and their frames admitted, in order. Now the length of every frame that may
//!    go out is known.
//! 3. One pass over all: where each frame lies in the result, its VM, its verdict so far.
//! 4. Each shard: the cipher, and what comes after it; what fails only here is put on a list.
//! 5. Frames on such lists are taken out of the result; rarely.
//!
//! All frames of a row are one shard's, in their order, and nothing else is changed: the result does not depend on how
//! many shards there are. Buffers are kept; only what the caller gets is allocated.

use core::fmt;
use core::ops::Range;

use super::address_index::AddressIndex;
use super::batch::BatchOutcome;
use super::connection_table::{Groups, Parts, Row};
use super::drop_reason::DropReason;
use super::rows::Shard;
use crate::frame_batch::{FrameBatch, Frames, make_room};
use crate::ids::{MacAddr, VmId, VrId};

/// A direction: up or down.
pub(super) trait Path: Sized + Sync {
    /// What is to be done with a frame that was admitted.
    type Way: Copy + Default + Send;

    /// What else a batch needs room for; kept from batch to batch.
    type Spare: Default + Send;

    /// Empties the room.
    fn clear(spare: &mut Self::Spare);

    /// The address that says whose frame it is; any if it has none.
    fn address(frame: &[u8]) -> MacAddr;

    /// The row of a frame whose address no row owns.
    fn resolve(groups: Groups<'_>, frame: &[u8]) -> Option<VrId>;

    /// Starts to load what such a frame needs of its row.
    fn prefetch(shard: &Shard, vr: VrId);

    /// What is to be done, and how long the frame becomes, where it is as nearly all frames are and passes.
    fn admit_usual(row: &mut Row, frame: &[u8]) -> Option<(Self::Way, usize)>;

    /// All stages before the cipher.
    fn admit(row: Option<&mut Row>, frame: &[u8], spare: &mut Self::Spare) -> Admission<Self::Way>;

    /// The cipher and all stages behind it. Lists the frames that did not pass after all.
    fn run(shard: &mut Shard, frames: Frames<'_>, outs: &mut [&mut [u8]], lane: &mut Lane<Self>);
}

/// What the stages before the cipher say.
pub(super) struct Admission<W> {
    /// False where the frame turned out to be nobody's.
    pub(super) is_rows: bool,
    /// What is to be done, and how long the frame becomes.
    pub(super) way: Result<(W, usize), DropReason>,
}

/// A frame on its way through a shard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket<W> {
    pub(super) frame: u32,
    length: u32,
    pub(super) row: Option<VrId>,
    vm: Option<VmId>,
    /// Whether it passed so far.
    pub(super) verdict: Result<(), DropReason>,
    /// Where it did.
    pub(super) way: W,
}

/// A frame that failed behind the cipher.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    pub(super) frame: u32,
    pub(super) reason: DropReason,
}

/// What a batch needs; kept from batch to batch.
#[derive(Debug)]
pub(super) struct Scratch<P: Path> {
    searches: Vec<Search>,
    lanes: Vec<Lane<P>>,
}

impl<P: Path> Default for Scratch<P> {
    fn default() -> Self {
        Self { searches: Vec::new(), lanes: Vec::new() }
    }
}

/// Whose frames a part of the batch has.
#[derive(Debug, Default)]
struct Search {
    owners: Vec<Option<VrId>>,
    /// By shard, where there are several: its frames, and whose they are.
    by_shard: Vec<Vec<(u32, Option<VrId>)>>,
}

/// What one shard needs for one batch.
pub(super) struct Lane<P: Path> {
    pub(super) tickets: Vec<Ticket<P::Way>>,
    outs: Vec<&'static mut [u8]>,
    pub(super) spare: P::Spare,
    pub(super) failures: Vec<Failure>,
}

impl<P: Path> Default for Lane<P> {
    fn default() -> Self {
        let (tickets, outs, failures) = (Vec::new(), Vec::new(), Vec::new());
        Self { tickets, outs, spare: P::Spare::default(), failures }
    }
}

impl<P: Path> fmt::Debug for Lane<P> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Lane").finish_non_exhaustive()
    }
}

/// Rows that are fetched while others are worked on: as many as a core has misses under way, and some more.
const AHEAD: usize = 16;

/// Frames that go through the cipher and what is behind it together: their rows and jobs stay in the nearest cache.
pub(super) const SLICE: usize = 64;

/// Takes a batch through all stages.
pub(super) fn run<P: Path>(scratch: &mut Scratch<P>, parts: Parts<'_>, frames: Frames<'_>, out: &mut BatchOutcome) {
    let Parts { rows, addresses, groups, crew } = parts;
    let Scratch { searches, lanes } = scratch;
    let count = rows.shard_count();
    searches.resize_with(count, Search::default);
    lanes.resize_with(count, Lane::default);
    let part = frames.len().div_ceil(count);
    crew.each(searches.iter_mut().enumerate(), |(number, search)| {
        search.look_up::<P>(addresses, groups, frames, number * part..(number * part + part).min(frames.len()), count);
    });
    let tasks = rows.shards_mut().iter_mut().zip(lanes.iter_mut()).enumerate();
    crew.each(tasks, |(number, (shard, lane))| lane.admit(shard, searches, number, groups, frames));
    let (mut octets, offsets) = core::mem::take(&mut out.frames).into_room();
    let mut outs: Vec<Vec<&mut [u8]>> = lanes.iter_mut().map(|lane| recycle(core::mem::take(&mut lane.outs))).collect();
    make_room(&mut octets, lanes.iter().map(Lane::length).sum::<usize>().min(u32::MAX as usize));
    let mut layout = Layout { offsets, vms: &mut out.vms, verdicts: &mut out.verdicts };
    layout.clear(frames.len());
    layout.lay_out(&mut octets, lanes, searches, &mut outs);
    let tasks = rows.shards_mut().iter_mut().zip(lanes.iter_mut()).zip(&mut outs);
    crew.each(tasks, |((shard, lane), outs)| {
        lane.failures.clear();
        P::run(shard, frames, outs, lane);
    });
    for (lane, outs) in lanes.iter_mut().zip(outs) {
        lane.outs = recycle(outs);
    }
    let has_holes = layout.mark_failed(lanes.iter().flat_map(|lane| &lane.failures));
    out.frames = FrameBatch::from_room(octets, layout.offsets).unwrap_or_default();
    if has_holes {
        out.frames.keep(out.verdicts.iter().map(Result::is_ok));
    }
}

impl Search {
    /// Whose the frames of a part of the batch are.
    fn look_up<P: Path>(
        &mut self,
        addresses: &AddressIndex,
        groups: Groups<'_>,
        frames: Frames<'_>,
        part: Range<usize>,
        shards: usize,
    ) {
        let Self { owners, by_shard } = self;
        owners.clear();
        let start = u32::try_from(part.start).unwrap_or(u32::MAX);
        let frames = frames.part(part);
        addresses.lookup_many(frames.iter().map(P::address), owners);
        if shards == 1 {
            return;
        }
        by_shard.resize_with(shards, Vec::new);
        by_shard.iter_mut().for_each(Vec::clear);
        for (index, (owner, frame)) in (start..).zip(owners.iter_mut().zip(frames.iter())) {
            if owner.is_none() {
                *owner = P::resolve(groups, frame);
            }
            if let Some(list) = by_shard.get_mut(shard_of(*owner, shards)) {
                list.push((index, *owner));
            }
        }
    }
}

impl<P: Path> Lane<P> {
    /// The stages before the cipher for all frames of a shard.
    fn admit(&mut self, shard: &mut Shard, searches: &[Search], number: usize, groups: Groups<'_>, frames: Frames<'_>) {
        P::clear(&mut self.spare);
        self.tickets.clear();
        if let [Search { owners, .. }] = searches {
            self.admit_all(shard, owners, groups, frames);
            return;
        }
        for Search { by_shard, .. } in searches {
            self.admit_listed(shard, by_shard.get(number).map(Vec::as_slice).unwrap_or_default(), frames);
        }
    }

    /// Where there is one shard. A loop in a function of its own has the registers for itself.
    #[inline(never)]
    fn admit_all(&mut self, shard: &mut Shard, owners: &[Option<VrId>], groups: Groups<'_>, frames: Frames<'_>) {
        let Self { tickets, spare, .. } = self;
        owners.iter().take(AHEAD).flatten().for_each(|vr| P::prefetch(shard, *vr));
        for (index, (frame, owner)) in (0..).zip(frames.iter().zip(owners)) {
            if let Some(next) = owners.get(index as usize + AHEAD).copied().flatten() {
                P::prefetch(shard, next);
            }
            let owner = owner.or_else(|| P::resolve(groups, frame));
            admit_one::<P>(tickets, spare, shard, index, owner, frame);
        }
    }

    /// Where there are several, the frames that a thread found for this one.
    #[inline(never)]
    fn admit_listed(&mut self, shard: &mut Shard, list: &[(u32, Option<VrId>)], frames: Frames<'_>) {
        let Self { tickets, spare, .. } = self;
        list.iter().take(AHEAD).filter_map(|(_, owner)| *owner).for_each(|vr| P::prefetch(shard, vr));
        for (place, (index, owner)) in list.iter().enumerate() {
            if let Some((_, Some(next))) = list.get(place + AHEAD) {
                P::prefetch(shard, *next);
            }
            if let Some(frame) = frames.frame(*index as usize) {
                admit_one::<P>(tickets, spare, shard, *index, *owner, frame);
            }
        }
    }

    /// How many octets the frames have that passed.
    fn length(&self) -> usize {
        self.tickets.iter().map(|ticket| ticket.length as usize).sum()
    }
}

/// The stages before the cipher for one frame.
#[inline(always)]
#[expect(clippy::inline_always, reason = "two loops call it, each per frame")]
fn admit_one<P: Path>(
    tickets: &mut Vec<Ticket<P::Way>>,
    spare: &mut P::Spare,
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
        tickets.push(judge::<P>(index, owner, row, frame, spare));
    }
}

#[inline(never)]
fn judge<P: Path>(
    index: u32,
    owner: Option<VrId>,
    row: Option<&mut Row>,
    frame: &[u8],
    spare: &mut P::Spare,
) -> Ticket<P::Way> {
    let vm = row.as_ref().map(|row| row.vm());
    let Admission { is_rows, way } = P::admit(row, frame, spare);
    let (row, vm) = if is_rows { (owner, vm) } else { (None, None) };
    let (verdict, way, length) = match way {
        Ok((way, length)) => (Ok(()), way, u32::try_from(length).unwrap_or(u32::MAX)),
        Err(reason) => (Err(reason), P::Way::default(), 0),
    };
    Ticket { frame: index, length, row, vm, verdict, way }
}

/// Where frames lie in the result.
struct Layout<'a> {
    offsets: Vec<u32>,
    vms: &'a mut Vec<Option<VmId>>,
    verdicts: &'a mut Vec<Result<(), DropReason>>,
}

impl Layout<'_> {
    fn clear(&mut self, frames: usize) {
        let Self { offsets, vms, verdicts } = self;
        offsets.clear();
        offsets.reserve_exact(frames + 1);
        offsets.push(0);
        vms.clear();
        vms.reserve_exact(frames);
        verdicts.clear();
        verdicts.reserve_exact(frames);
    }

    /// Gives each frame its part of the result, in their order.
    fn lay_out<'a, P: Path>(
        &mut self,
        octets: &'a mut [u8],
        lanes: &mut [Lane<P>],
        searches: &[Search],
        outs: &mut [Vec<&'a mut [u8]>],
    ) {
        let Self { offsets, vms, verdicts } = self;
        let (mut room, mut end) = (octets, 0_u32);
        let mut place = |ticket: &mut Ticket<P::Way>| {
            if end.checked_add(ticket.length).is_none() {
                (ticket.verdict, ticket.length) = (Err(DropReason::Truncated), 0);
            }
            end += ticket.length;
            end
        };
        let mut cut = |ticket: &Ticket<P::Way>| {
            let (out, rest) =
                core::mem::take(&mut room).split_at_mut_checked(ticket.length as usize).unwrap_or_default();
            room = rest;
            out
        };
        if let ([lane], [outs]) = (&mut *lanes, &mut *outs) {
            offsets.extend(lane.tickets.iter_mut().map(place));
            vms.extend(lane.tickets.iter().map(|ticket| ticket.vm));
            verdicts.extend(lane.tickets.iter().map(|ticket| ticket.verdict));
            outs.extend(lane.tickets.iter().map(cut));
            return;
        }
        let shards = lanes.len();
        let mut places: Vec<_> = lanes.iter_mut().map(|lane| lane.tickets.iter_mut()).zip(outs).collect();
        for owner in searches.iter().flat_map(|search| &search.owners) {
            let Some((tickets, outs)) = places.get_mut(shard_of(*owner, shards)) else { continue };
            let Some(ticket) = tickets.next() else { continue };
            offsets.push(place(ticket));
            vms.push(ticket.vm);
            verdicts.push(ticket.verdict);
            outs.push(cut(ticket));
        }
    }

    /// Says of frames that failed; true where one of them has octets in the result.
    fn mark_failed<'a>(&mut self, failures: impl Iterator<Item = &'a Failure>) -> bool {
        let mut has_holes = false;
        for Failure { frame, reason } in failures {
            if let Some(verdict) = self.verdicts.get_mut(*frame as usize) {
                has_holes |= verdict.is_ok();
                *verdict = Err(*reason);
            }
        }
        has_holes
    }
}

/// Whose frames each shard has; nobody's are the first one's.
#[inline]
const fn shard_of(owner: Option<VrId>, count: usize) -> usize {
    match (owner, count) {
        (None, _) => 0,
        (Some(vr), 2) => vr.index() % 2,
        (Some(vr), count) => vr.index() % count,
    }
}

/// The memory of a vector for one with other lifetimes: nothing is in it.
pub(super) fn recycle<A, B>(mut vector: Vec<A>) -> Vec<B> {
    vector.clear();
    // Collected in place where both have one layout, as types have that differ in their lifetimes only.
    vector.into_iter().filter_map(|_| None).collect()
}
