//! How a batch goes through a table: in passes, so that the misses of many frames wait together, and in parts, so that
//! several threads may work on it.
//!
//! 1. Each part of the batch: look-up of the addresses; whose frames they are.
//! 2. Each shard: its rows are fetched ahead and their frames admitted, in order. Now the length of every frame that may
//!    go out is known.
//! 3. Each part: where its frames lie in the result, their VMs, their verdicts so far; then the cipher. Parts and not
//!    shards, for what lies side by side in memory is best written by one thread.
//! 4. Each shard: what comes after the cipher, by its own tickets and by what the parts say of each frame in an octet or
//!    two: a cache line that another thread wrote costs as much as the rest of a frame's way. What fails only here is put
//!    on a list.
//! 5. Frames on such lists are taken out of the result; rarely.
//!
//! All frames of a row are one shard's, in their order, and nothing else is changed: the result does not depend on how
//! many shards there are, nor on whether one thread does all, as it does where there is little to be done.
//! Buffers are kept; only what the caller gets is allocated.

mod admission;
mod layout;

use core::{fmt, slice};

use admission::Lane;
pub(super) use admission::{AHEAD, Part, ticket_of};
pub(super) use layout::{Layout, Place};

use super::address_index::NOBODY;
use super::batch::BatchOutcome;
use super::connection_table::{Groups, Parts, Row};
use super::crew::Crew;
use super::drop_reason::DropReason;
use super::rows::{HasRows, Rows, shard_among};
use crate::frame_batch::{FrameBatch, Frames, make_room};
use crate::ids::{Identifier, VmId, VrId};

/// A direction: up or down.
pub(super) trait Path: Sized + Sync {
    /// What is to be done with a frame that was admitted.
    type Way: Copy + Default + Send + Sync;

    /// What the stages behind the cipher have to know of a frame's octets.
    type Seen: Copy + Send + Sync;

    /// What there is to say of a shard's frames that are not as nearly all are.
    type Others: Default + Send + Sync;

    /// Room for what the cipher is given.
    type Jobs: Default + Send + Sync;

    /// Batches of fewer octets are done by one thread, see [`is_little`].
    const LITTLE: usize;

    /// Empties the room.
    fn clear(others: &mut Self::Others);

    /// The address that says whose frame it is; nothing if it has none.
    fn address(frame: &[u8]) -> Option<&[u8; 6]>;

    /// The row of a frame whose address no row owns.
    fn resolve(groups: Groups<'_>, frame: &[u8]) -> Option<VrId>;

    /// Starts to load what such a frame needs of its row.
    fn prefetch(row: &Row);

    /// What is to be done, and how long the frame becomes, where it is as nearly all frames are and passes.
    fn admit_usual(row: &mut Row, frame: &[u8]) -> Option<(Self::Way, u32)>;

    /// All stages before the cipher.
    fn admit(row: Option<&mut Row>, frame: &[u8], others: &mut Self::Others) -> Admission<Self::Way>;

    /// The cipher, or a copy of what goes as it came, for some frames and their tickets. In `octets` they come to lie one
    /// behind the other, each as long as its ticket says.
    fn cipher(
        sources: Sources<'_, Self>,
        frames: Frames<'_>,
        tickets: &mut [Ticket<Self::Way>],
        octets: &mut [u8],
        jobs: &mut Self::Jobs,
    );

    /// All after the look-up, by one thread.
    fn alone(alone: Alone<'_, Self>, frames: Frames<'_>, octets: &mut Vec<u8>, layout: &mut Layout<'_>);

    /// Looks at a frame that passed the cipher.
    fn see(way: Self::Way, out: &[u8]) -> Self::Seen;

    /// The stages behind the cipher, for a frame of so many octets that passed it; counted where it passes these too. What
    /// was seen of it is asked for where it matters, and the octets themselves only where a frame is not usual: another
    /// thread may have written them last.
    fn finish<'a>(
        row: &mut Row,
        way: Self::Way,
        seen: impl FnOnce() -> Self::Seen,
        length: u32,
        out: impl FnOnce() -> &'a [u8],
        others: &Self::Others,
    ) -> Result<(), DropReason>;
}

/// What the stages before the cipher say.
pub(super) struct Admission<W> {
    /// False where the frame turned out to be nobody's.
    pub(super) is_rows: bool,
    /// What is to be done, and how long the frame becomes.
    pub(super) way: Result<(W, usize), DropReason>,
}

/// A frame on its way: half a cache line at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket<W> {
    /// Where it passed so far.
    pub(super) way: W,
    frame: u32,
    length: u32,
    vm: Option<VmId>,
    pub(super) owner: Owner,
    /// Whether it passed so far.
    pub(super) verdict: Result<(), DropReason>,
}

/// Memory for one.
impl<W: Default> Default for Ticket<W> {
    fn default() -> Self {
        Self { way: W::default(), frame: 0, length: 0, vm: None, owner: Owner::NOBODY, verdict: Ok(()) }
    }
}

impl<W> Ticket<W> {
    /// Of a frame that is as nearly all are, and passed so far.
    #[inline]
    pub(super) const fn usual(frame: u32, owner: Owner, vm: VmId, way: W, length: u32) -> Self {
        Self { way, frame, length, vm: Some(vm), owner, verdict: Ok(()) }
    }

    /// Octets that the frame has in the result; none where it did not pass.
    #[inline]
    pub(super) const fn length(&self) -> usize {
        self.length as usize
    }
}

/// Whose a frame is: a row's number, or [`NOBODY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner(u16);

impl Owner {
    pub(super) const NOBODY: Self = Self(NOBODY);

    #[inline]
    pub(super) fn of(row: Option<VrId>) -> Self {
        row.map_or(Self::NOBODY, |vr| Self(vr.to_u16()))
    }

    /// As a look-up says it.
    #[inline]
    pub(super) const fn found(row: u16) -> Self {
        Self(row)
    }

    #[inline]
    pub(super) fn row(self) -> Option<VrId> {
        (self.0 != NOBODY).then_some(VrId::new(self.0))
    }
}

/// Where the cipher finds what it needs of a frame: all rows, and by thread the frames that are not usual.
pub(super) struct Sources<'s, P: Path> {
    pub(super) rows: &'s Rows,
    pub(super) others: &'s [P::Others],
}

impl<P: Path> Clone for Sources<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: Path> Copy for Sources<'_, P> {}

impl<'s, P: Path> Sources<'s, P> {
    /// A frame's row, if it has one.
    #[inline]
    pub(super) fn row(self, ticket: &Ticket<P::Way>) -> Option<&'s Row> {
        self.rows.known(ticket.owner.row()?)
    }

    /// Where to look a frame up that is not usual.
    #[inline]
    pub(super) fn others(self, ticket: &Ticket<P::Way>) -> Option<&'s P::Others> {
        self.others.get(shard_of(ticket.owner, self.others.len()))
    }
}

/// A frame that failed behind the cipher.
#[derive(Clone, Copy, Debug)]
struct Failure {
    frame: u32,
    reason: DropReason,
}

/// What a batch needs; kept from batch to batch.
pub(super) struct Scratch<P: Path> {
    /// At least as many as threads that were at work: each has one of each.
    parts: Vec<Part<P>>,
    lanes: Vec<Lane<P>>,
    others: Vec<P::Others>,
}

impl<P: Path> Default for Scratch<P> {
    fn default() -> Self {
        Self { parts: Vec::new(), lanes: Vec::new(), others: Vec::new() }
    }
}

impl<P: Path> fmt::Debug for Scratch<P> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Scratch").finish_non_exhaustive()
    }
}

/// Frames that go through the cipher and what is behind it together: their rows, jobs and octets stay in the second-level
/// cache, and groups of a kernel have neighbours to end beside (64 octets: 2 ns a frame faster than 64 at a time).
const SLICE: usize = 256;

/// Takes a batch through all stages.
pub(super) fn run<P: Path>(scratch: &mut Scratch<P>, table: Parts<'_>, frames: Frames<'_>, out: &mut BatchOutcome) {
    let Parts { rows, addresses, groups, crew } = table;
    let Scratch { parts, lanes, others } = scratch;
    let count = if is_little::<P>(frames) { 1 } else { rows.shard_count() };
    parts.resize_with(count.max(parts.len()), Part::default);
    lanes.resize_with(count.max(lanes.len()), Lane::default);
    others.resize_with(count.max(others.len()), P::Others::default);
    for lane in &mut *lanes {
        lane.failures.clear();
    }
    let (mut octets, offsets) = core::mem::take(&mut out.frames).into_room();
    let mut layout = Layout::new(offsets, &mut out.vms, &mut out.verdicts, frames.len());
    if let (1, [part, ..], [lane, ..], [own, ..]) = (count, &mut **parts, &mut **lanes, &mut **others) {
        part.look_up(addresses, groups, frames, 0..frames.len(), 1);
        P::clear(own);
        let alone = Alone { rows, others: own, part, groups, failures: &mut lane.failures };
        P::alone(alone, frames, &mut octets, &mut layout);
    } else {
        crew.each(parts.iter_mut().zip(frames.divide(count)), |(part, range)| {
            part.look_up(addresses, groups, frames, range, count);
        });
        by_several(scratch, rows, crew, frames, &mut octets, &mut layout);
    }
    let has_holes = layout.mark_failed(scratch.lanes.iter().flat_map(|lane| &lane.failures));
    out.frames = FrameBatch::from_room(octets, layout.into_offsets()).unwrap_or_default();
    if has_holes {
        out.frames.keep(out.verdicts.iter().map(Result::is_ok));
    }
}

/// Too little for several threads: to share a batch out, and to have lines of memory that another one wrote last, costs
/// about 7 microseconds and 12 nanoseconds a frame, and half of the work is saved.
fn is_little<P: Path>(frames: Frames<'_>) -> bool {
    /// What a frame gains beside its octets, in octets.
    const PER_FRAME: usize = 32;
    frames.data().len().saturating_add(PER_FRAME * frames.len()) < P::LITTLE
}

/// A table and the frames that were looked up, for one thread.
pub(super) struct Alone<'a, P: Path> {
    pub(super) rows: &'a mut Rows,
    pub(super) others: &'a mut P::Others,
    pub(super) part: &'a mut Part<P>,
    pub(super) groups: Groups<'a>,
    failures: &'a mut Vec<Failure>,
}

impl<P: Path> Alone<'_, P> {
    /// All stages, one after the other: cipher and what is behind it take turns.
    pub(super) fn by_stages(self, frames: Frames<'_>, octets: &mut Vec<u8>, layout: &mut Layout<'_>) {
        let Self { rows, others, part, groups, failures } = self;
        part.admit_all(rows, others, groups, frames);
        let length = length_of(&part.tickets).min(u32::MAX as usize);
        make_room(octets, length);
        let mut rest = layout.place(octets, length).lay_out(&mut part.tickets);
        for (number, tickets) in part.tickets.chunks_mut(SLICE).enumerate() {
            let octets;
            (octets, rest) = split_front(rest, length_of(tickets));
            let frames = frames.part(number * SLICE..number * SLICE + tickets.len());
            let sources = Sources { rows, others: slice::from_ref(others) };
            P::cipher(sources, frames, tickets, octets, &mut part.jobs);
            finish_all::<P>(rows, tickets, octets, others, failures);
        }
    }

    /// The stages behind the cipher for all frames.
    pub(super) fn finish(self, octets: &[u8]) {
        finish_all::<P>(self.rows, &self.part.tickets, octets, self.others, self.failures);
    }
}

/// All after the look-up, by several threads.
fn by_several<P: Path>(
    scratch: &mut Scratch<P>,
    rows: &mut Rows,
    crew: &Crew,
    frames: Frames<'_>,
    octets: &mut Vec<u8>,
    layout: &mut Layout<'_>,
) {
    let Scratch { parts, lanes, others } = scratch;
    let tasks = rows.shards_mut().iter_mut().zip(lanes.iter_mut().zip(others.iter_mut())).enumerate();
    crew.each(tasks, |(number, (shard, (lane, others)))| {
        P::clear(others);
        lane.admit(shard, others, parts, number, frames);
    });
    let lengths = |number: usize| lanes.iter().map(move |lane| lane.length(number)).sum::<usize>();
    let length = (0..parts.len()).map(lengths).sum::<usize>().min(u32::MAX as usize);
    make_room(octets, length);
    let mut outs: Vec<&[u8]> = parts.iter().map(|_| &[][..]).collect();
    let (sources, shared_lanes) = (Sources { rows, others }, &*lanes);
    let mut rest = layout.place(octets, length);
    let tasks = parts.iter_mut().zip(&mut outs).enumerate().map(|(number, (part, out))| {
        let place = rest.split_off(part.len(), lengths(number));
        (number, part, out, place)
    });
    crew.each(tasks, |(number, part, out, place)| {
        part.bring_into_order(shared_lanes, number);
        let octets = place.lay_out(&mut part.tickets);
        part.fates.clear();
        let (mut start, first) = (0, part.start());
        for (number, tickets) in part.tickets.chunks_mut(SLICE).enumerate() {
            let length = length_of(tickets);
            let frames = frames.part(first + number * SLICE..first + number * SLICE + tickets.len());
            let mut octets = octets.get_mut(start..start + length).unwrap_or_default();
            P::cipher(sources, frames, tickets, octets, &mut part.jobs);
            part.fates.extend(tickets.iter().map(|ticket| {
                let out;
                (out, octets) = split_front(core::mem::take(&mut octets), ticket.length());
                // Of a frame that did not pass nobody asks what was seen.
                (ticket.verdict, P::see(ticket.way, out))
            }));
            start += length;
        }
        *out = octets;
    });
    let tasks = rows.shards_mut().iter_mut().zip(lanes.iter_mut().zip(others.iter()));
    let (shared_parts, shared_outs) = (&*parts, &*outs);
    crew.each(tasks, |(shard, (lane, others))| {
        // From the shard's own tickets: those in the order of the frames are in the nearest cache of who had the cipher.
        for (number, (part, octets)) in shared_parts.iter().zip(shared_outs).enumerate() {
            let Lane { tickets, starts, failures } = &mut *lane;
            let start = starts.get(number).map_or(0, |(start, _)| *start);
            let end = starts.get(number + 1).map_or(tickets.len(), |(start, _)| *start);
            let mut cursor = Cursor::default();
            for ticket in tickets.get(start..end).unwrap_or_default() {
                let at = part.place_of(ticket.frame);
                let out = || cursor.octets_of(&part.tickets, at, octets);
                if let Some((verdict, seen)) = part.fates.get(at) {
                    finish_one::<P>(shard, ticket, *verdict, || *seen, out, others, failures);
                }
            }
        }
    });
}

/// Where a frame of a part was that was asked for last.
#[derive(Default)]
struct Cursor {
    place: usize,
    start: usize,
}

impl Cursor {
    /// The octets of the frame at that place, of all that the part has; places are asked for in order.
    #[inline(never)]
    fn octets_of<'a, W>(&mut self, tickets: &[Ticket<W>], place: usize, octets: &'a [u8]) -> &'a [u8] {
        self.start += length_of(tickets.get(self.place..place).unwrap_or_default());
        self.place = place;
        let length = tickets.get(place).map_or(0, Ticket::length);
        octets.get(self.start..self.start + length).unwrap_or_default()
    }
}

/// The stages behind the cipher for all frames of a slice.
#[inline(never)]
fn finish_all<P: Path>(
    rows: &mut Rows,
    tickets: &[Ticket<P::Way>],
    mut octets: &[u8],
    others: &P::Others,
    failures: &mut Vec<Failure>,
) {
    for ticket in tickets {
        let out;
        (out, octets) = octets.split_at(ticket.length().min(octets.len()));
        finish_one::<P>(rows, ticket, ticket.verdict, || P::see(ticket.way, out), || out, others, failures);
    }
}

/// The same for one frame.
#[inline(always)]
#[expect(clippy::inline_always, reason = "two loops call it, each per frame")]
fn finish_one<'a, P: Path>(
    rows: &mut impl HasRows,
    ticket: &Ticket<P::Way>,
    verdict: Result<(), DropReason>,
    seen: impl FnOnce() -> P::Seen,
    out: impl FnOnce() -> &'a [u8],
    others: &P::Others,
    failures: &mut Vec<Failure>,
) {
    let Some(row) = ticket.owner.row().and_then(|vr| rows.known_mut(vr)) else { return };
    if let Err(reason) = verdict.and_then(|()| P::finish(row, ticket.way, seen, ticket.length, out, others)) {
        row.counters.drop(reason);
        failures.push(Failure { frame: ticket.frame, reason });
    }
}

/// Whose frames each shard has; nobody's are the first one's.
#[inline]
fn shard_of(owner: Owner, count: usize) -> usize {
    owner.row().map_or(0, |vr| shard_among(vr, count))
}

/// Octets of frames in the result.
#[inline]
fn length_of<W>(tickets: &[Ticket<W>]) -> usize {
    // Less than 4 GiB in all, or the frames were given none.
    tickets.iter().fold(0, |length, ticket| length.wrapping_add(ticket.length()))
}

/// The first so many octets, or all that there are, and the others.
#[inline]
pub(super) const fn split_front(octets: &mut [u8], count: usize) -> (&mut [u8], &mut [u8]) {
    octets.split_at_mut(if count < octets.len() { count } else { octets.len() })
}

/// The memory of a vector for one with other lifetimes: nothing is in it.
pub(super) fn recycle<A, B>(mut vector: Vec<A>) -> Vec<B> {
    vector.clear();
    // Collected in place where both have one layout, as types have that differ in their lifetimes only.
    vector.into_iter().filter_map(|_| None).collect()
}
