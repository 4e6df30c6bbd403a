//! How a batch goes through a table: in passes, so that the misses of many frames wait together, and by shards, so that
//! several threads may work on it.
//!
//! 1. Each shard: look-up of all addresses; then, for frames of its rows, rows are fetched ahead and frames admitted. Now
//!    the length of every frame that may go out is known.
//! 2. One pass over all: where each frame lies in the result, its VM, its verdict so far.
//! 3. Each shard: the cipher, and what comes after it; what fails only here is put on a list.
//! 4. Frames on such lists are taken out of the result; rarely.
//!
//! All frames of a row are one shard's, in their order, and nothing else is changed: the result does not depend on how
//! many shards there are. Buffers are kept; only what the caller gets is allocated.

use core::fmt;

use super::address_index::AddressIndex;
use super::batch::BatchOutcome;
use super::connection_table::{Groups, Parts, Row};
use super::drop_reason::DropReason;
use super::rows::Shard;
use crate::frame_batch::{FrameBatch, Frames};
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

/// What one shard needs for one batch.
pub(super) struct Lane<P: Path> {
    owners: Vec<Option<VrId>>,
    pub(super) tickets: Vec<Ticket<P::Way>>,
    outs: Vec<&'static mut [u8]>,
    pub(super) spare: P::Spare,
    pub(super) failures: Vec<Failure>,
}

impl<P: Path> Default for Lane<P> {
    fn default() -> Self {
        let (owners, tickets, outs, failures) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { owners, tickets, outs, spare: P::Spare::default(), failures }
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
pub(super) fn run<P: Path>(lanes: &mut Vec<Lane<P>>, parts: Parts<'_>, frames: Frames<'_>, out: &mut BatchOutcome) {
    let Parts { rows, addresses, groups, crew } = parts;
    let count = rows.shard_count();
    lanes.resize_with(count, Lane::default);
    let tasks = rows.shards_mut().iter_mut().zip(lanes.iter_mut()).enumerate();
    crew.each(tasks, |(number, (shard, lane))| lane.admit(shard, number, count, addresses, groups, frames));
    let (mut octets, offsets) = core::mem::take(&mut out.frames).into_parts();
    let mut layout = Layout { offsets, vms: &mut out.vms, verdicts: &mut out.verdicts };
    layout.lay_out(lanes, frames.len());
    make_room(&mut octets, layout.end());
    let mut outs: Vec<Vec<&mut [u8]>> = lanes.iter_mut().map(|lane| recycle(core::mem::take(&mut lane.outs))).collect();
    layout.divide(&mut octets, lanes, &mut outs);
    let tasks = rows.shards_mut().iter_mut().zip(lanes.iter_mut()).zip(&mut outs);
    crew.each(tasks, |((shard, lane), outs)| {
        lane.failures.clear();
        P::run(shard, frames, outs, lane);
    });
    for (lane, outs) in lanes.iter_mut().zip(outs) {
        lane.outs = recycle(outs);
    }
    let has_holes = layout.mark_failed(lanes.iter().flat_map(|lane| &lane.failures));
    out.frames = FrameBatch::from_parts(octets, layout.offsets).unwrap_or_default();
    if has_holes {
        out.frames.keep(out.verdicts.iter().map(Result::is_ok));
    }
}

/// Makes a buffer that long; what was in it stays where it need not grow, for all of it is written.
fn make_room(octets: &mut Vec<u8>, length: usize) {
    if octets.capacity() < length {
        // Memory that comes zeroed from the system is not filled again.
        *octets = vec![0; length];
    } else {
        octets.resize(length, 0);
    }
}

impl<P: Path> Lane<P> {
    fn admit(
        &mut self,
        shard: &mut Shard,
        number: usize,
        count: usize,
        addresses: &AddressIndex,
        groups: Groups<'_>,
        frames: Frames<'_>,
    ) {
        let Self { owners, tickets, spare, .. } = self;
        P::clear(spare);
        owners.clear();
        addresses.lookup_many(frames.iter().map(P::address), owners);
        tickets.clear();
        let is_mine = |vr: &VrId| count == 1 || vr.index() % count == number;
        for vr in owners.iter().take(AHEAD).flatten().filter(|vr| is_mine(vr)) {
            P::prefetch(shard, *vr);
        }
        for (index, (frame, owner)) in (0..).zip(frames.iter().zip(owners.iter())) {
            if let Some(next) = owners.get(index as usize + AHEAD).copied().flatten().filter(is_mine) {
                P::prefetch(shard, next);
            }
            let owner = owner.or_else(|| P::resolve(groups, frame));
            if !owner.as_ref().map_or(number == 0, is_mine) {
                continue;
            }
            let mut row = owner.and_then(|vr| shard.get_mut(vr));
            let vm = row.as_ref().map(|row| row.vm());
            if let Some((way, length)) = row.as_mut().and_then(|row| P::admit_usual(row, frame)) {
                let length = u32::try_from(length).unwrap_or(u32::MAX);
                tickets.push(Ticket { frame: index, length, row: owner, vm, verdict: Ok(()), way });
            } else {
                tickets.push(judge::<P>(index, owner, row, frame, spare));
            }
        }
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
    fn lay_out<P: Path>(&mut self, lanes: &mut [Lane<P>], frames: usize) {
        let Self { offsets, vms, verdicts } = self;
        offsets.clear();
        offsets.reserve_exact(frames + 1);
        vms.clear();
        vms.reserve_exact(frames);
        verdicts.clear();
        verdicts.reserve_exact(frames);
        offsets.push(0);
        let mut end = 0_u32;
        let mut place = |ticket: &mut Ticket<P::Way>| {
            if let Some(next) = end.checked_add(ticket.length) {
                end = next;
            } else {
                (ticket.verdict, ticket.length) = (Err(DropReason::Truncated), 0);
            }
            end
        };
        if let [lane] = lanes {
            offsets.extend(lane.tickets.iter_mut().map(place));
            vms.extend(lane.tickets.iter().map(|ticket| ticket.vm));
            verdicts.extend(lane.tickets.iter().map(|ticket| ticket.verdict));
            return;
        }
        in_order(lanes, |ticket| {
            offsets.push(place(ticket));
            vms.push(ticket.vm);
            verdicts.push(ticket.verdict);
        });
    }

    fn end(&self) -> usize {
        self.offsets.last().map_or(0, |end| *end as usize)
    }

    /// Gives each ticket its part of the result.
    fn divide<'a, P: Path>(&self, octets: &'a mut [u8], lanes: &mut [Lane<P>], outs: &mut [Vec<&'a mut [u8]>]) {
        let mut room = octets;
        let mut cut = |length: u32| {
            let (out, rest) = core::mem::take(&mut room).split_at_mut_checked(length as usize).unwrap_or_default();
            room = rest;
            out
        };
        if let ([lane], [outs]) = (&mut *lanes, &mut *outs) {
            outs.extend(lane.tickets.iter().map(|ticket| cut(ticket.length)));
            return;
        }
        let mut places =
            lanes.iter().zip(outs).map(|(lane, outs)| (lane.tickets.iter().peekable(), outs)).collect::<Vec<_>>();
        for frame in (0..).take(self.vms.len()) {
            for (tickets, outs) in &mut places {
                if let Some(ticket) = tickets.next_if(|ticket| ticket.frame == frame) {
                    outs.push(cut(ticket.length));
                }
            }
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

/// All tickets in the order of their frames.
fn in_order<P: Path>(lanes: &mut [Lane<P>], mut visit: impl FnMut(&mut Ticket<P::Way>)) {
    let mut places: Vec<_> = lanes.iter_mut().map(|lane| lane.tickets.iter_mut().peekable()).collect();
    for frame in 0.. {
        let next = places.iter_mut().find_map(|tickets| tickets.next_if(|ticket| ticket.frame == frame));
        match next {
            Some(ticket) => visit(ticket),
            None => return,
        }
    }
}

/// The memory of a vector for one with other lifetimes: nothing is in it.
pub(super) fn recycle<A, B>(mut vector: Vec<A>) -> Vec<B> {
    vector.clear();
    // Collected in place where both have one layout, as types have that differ in their lifetimes only.
    vector.into_iter().filter_map(|_| None).collect()
}
