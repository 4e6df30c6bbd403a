//! The stages of a batch before the cipher: whose each frame is, and whether it may pass.

use core::ops::Range;

use super::{Admission, Failure, Owner, Path, Ticket, length_of, shard_of};
use crate::device::address_index::{AddressIndex, BLOCK, NOBODY};
use crate::device::connection_table::{Groups, Row};
use crate::device::drop_reason::DropReason;
use crate::device::rows::{HasRows, Rows, Shard};
use crate::frame_batch::Frames;
use crate::ids::VmId;

/// Rows that are fetched while others are worked on: as many as a core has misses under way, and some more.
pub(in crate::device) const AHEAD: usize = 24;

/// Neighbouring frames of a batch.
pub(in crate::device) struct Part<P: Path> {
    /// The first one's number.
    start: usize,
    /// Whose the frames are: rows, or [`NOBODY`].
    owners: Vec<u16>,
    /// By shard, where there are several: its frames, and whose they are.
    by_shard: Vec<Vec<(u32, Owner)>>,
    pub(in crate::device) tickets: Vec<Ticket<P::Way>>,
    /// Where there are several shards, what became of each frame in the cipher, and what there is to know of it: few octets,
    /// which other threads read.
    pub(super) fates: Vec<(Result<(), DropReason>, P::Seen)>,
    pub(in crate::device) jobs: P::Jobs,
}

impl<P: Path> Default for Part<P> {
    fn default() -> Self {
        let (owners, by_shard, tickets) = (Vec::new(), Vec::new(), Vec::new());
        Self { start: 0, owners, by_shard, tickets, fates: Vec::new(), jobs: P::Jobs::default() }
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
        let frames = frames.part(range);
        find_owners::<P>(addresses, frames, owners);
        if shards == 1 {
            return;
        }
        by_shard.resize_with(shards, Vec::new);
        by_shard.iter_mut().for_each(Vec::clear);
        let numbers = u32::try_from(*start).unwrap_or(u32::MAX)..;
        for (number, (owner, frame)) in numbers.zip(owners.iter_mut().zip(frames.iter())) {
            if *owner == NOBODY {
                *owner = Owner::of(P::resolve(groups, frame)).0;
            }
            if let Some(list) = by_shard.get_mut(shard_of(Owner(*owner), shards)) {
                list.push((number, Owner(*owner)));
            }
        }
    }

    /// Where one thread does all, whose the frames are, with [`AHEAD`] of nobody behind, and room for a ticket each.
    pub(in crate::device) fn ready(&mut self, frames: usize) -> (&[u16], &mut [Ticket<P::Way>]) {
        let Self { owners, tickets, .. } = self;
        owners.resize(frames + AHEAD, NOBODY);
        tickets.resize(frames, Ticket::default());
        (owners, tickets)
    }

    /// Where one thread does all, all frames through the stages before the cipher.
    pub(super) fn admit_all(
        &mut self,
        rows: &mut Rows,
        others: &mut P::Others,
        groups: Groups<'_>,
        frames: Frames<'_>,
    ) {
        let (owners, tickets) = self.ready(frames.len());
        admit_all::<P>(tickets, rows, others, owners, groups, frames);
    }

    /// Where there are several, their tickets in the order of the frames; this is part `number`.
    pub(super) fn bring_into_order(&mut self, lanes: &[Lane<P>], number: usize) {
        let Self { owners, tickets, .. } = self;
        tickets.clear();
        let starts = lanes.iter().map(|lane| lane.tickets.get(lane.start(number)..).unwrap_or_default().iter());
        let mut places: Vec<_> = starts.collect();
        tickets.extend(
            owners.iter().filter_map(|owner| places.get_mut(shard_of(Owner(*owner), lanes.len()))?.next().copied()),
        );
    }

    /// The first frame's number.
    pub(super) const fn start(&self) -> usize {
        self.start
    }

    /// How many frames, where there are several shards.
    pub(super) const fn len(&self) -> usize {
        self.owners.len()
    }

    /// Where a frame stands in this part.
    pub(super) const fn place_of(&self, frame: u32) -> usize {
        (frame as usize).saturating_sub(self.start)
    }

    fn of_shard(&self, shard: usize) -> &[(u32, Owner)] {
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
        tickets.resize(parts.iter().map(|part| part.of_shard(number).len()).sum(), Ticket::default());
        starts.clear();
        let mut start = 0;
        for part in parts {
            let list = part.of_shard(number);
            let tickets = tickets.get_mut(start..start + list.len()).unwrap_or_default();
            admit_listed::<P>(tickets, shard, others, list, frames);
            starts.push((start, length_of(tickets)));
            start += list.len();
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

/// Whose addresses they are; by itself, for the look-up has all registers then.
#[inline(never)]
fn find_owners<P: Path>(addresses: &AddressIndex, frames: Frames<'_>, owners: &mut Vec<u16>) {
    let mut octets = [[0; 6]; BLOCK];
    // All is written: what is longer than it was is filled first.
    owners.resize(frames.len(), NOBODY);
    for (number, owners) in owners.chunks_mut(BLOCK).enumerate() {
        let frames = frames.part(number * BLOCK..number * BLOCK + owners.len());
        for (octets, frame) in octets.iter_mut().zip(frames.iter()) {
            *octets = *P::address(frame).unwrap_or(&[0; 6]);
        }
        addresses.lookup_octets(&octets, owners);
    }
}

/// Where one thread does all. A loop in a function of its own has the registers for itself.
#[inline(never)]
fn admit_all<P: Path>(
    tickets: &mut [Ticket<P::Way>],
    rows: &mut Rows,
    others: &mut P::Others,
    owners: &[u16],
    groups: Groups<'_>,
    frames: Frames<'_>,
) {
    owners.iter().take(AHEAD).filter_map(|owner| rows.known(Owner(*owner).row()?)).for_each(P::prefetch);
    let next = owners.iter().skip(AHEAD);
    let mut index = 0;
    for (((ticket, frame), owner), next) in tickets.iter_mut().zip(frames.iter()).zip(owners).zip(next) {
        if let Some(row) = Owner(*next).row().and_then(|vr| rows.known(vr)) {
            P::prefetch(row);
        }
        let mut owner = Owner(*owner);
        if owner == Owner::NOBODY {
            owner = Owner::of(P::resolve(groups, frame));
        }
        admit_one::<P>(ticket, others, rows, index, owner, frame);
        index = index.wrapping_add(1);
    }
}

/// Where there are several, the frames that a thread found for this one.
#[inline(never)]
fn admit_listed<P: Path>(
    tickets: &mut [Ticket<P::Way>],
    shard: &mut Shard,
    others: &mut P::Others,
    list: &[(u32, Owner)],
    frames: Frames<'_>,
) {
    list.iter().take(AHEAD).filter_map(|(_, owner)| shard.known(owner.row()?)).for_each(P::prefetch);
    for (place, (ticket, (index, owner))) in tickets.iter_mut().zip(list).enumerate() {
        if let Some(row) = list.get(place + AHEAD).and_then(|(_, owner)| shard.known(owner.row()?)) {
            P::prefetch(row);
        }
        let frame = frames.frame(*index as usize).unwrap_or_default();
        admit_one::<P>(ticket, others, shard, *index, *owner, frame);
    }
}

/// The stages before the cipher for one frame.
#[inline(always)]
#[expect(clippy::inline_always, reason = "two loops call it, each per frame")]
fn admit_one<P: Path>(
    ticket: &mut Ticket<P::Way>,
    others: &mut P::Others,
    rows: &mut impl HasRows,
    index: u32,
    owner: Owner,
    frame: &[u8],
) {
    let mut row = owner.row().and_then(|vr| rows.get_mut(vr));
    if let Some(row) = &mut row
        && let Some((way, length)) = P::admit_usual(row, frame)
    {
        *ticket = Ticket::usual(index, owner, row.vm(), way, length);
    } else {
        *ticket = judge::<P>(index, owner, row, frame, others);
    }
}

#[inline(never)]
fn judge<P: Path>(
    index: u32,
    owner: Owner,
    row: Option<&mut Row>,
    frame: &[u8],
    others: &mut P::Others,
) -> Ticket<P::Way> {
    let vm = row.as_ref().map(|row| row.vm());
    ticket_of(index, owner, vm, P::admit(row, frame, others))
}

/// The ticket of a frame that is not usual.
pub(in crate::device) fn ticket_of<W: Default>(
    index: u32,
    owner: Owner,
    vm: Option<VmId>,
    admission: Admission<W>,
) -> Ticket<W> {
    let Admission { is_rows, way } = admission;
    let (owner, vm) = if is_rows { (owner, vm) } else { (Owner::NOBODY, None) };
    let (verdict, way, length) = match way {
        Ok((way, length)) => (Ok(()), way, u32::try_from(length).unwrap_or(u32::MAX)),
        Err(reason) => (Err(reason), W::default(), 0),
    };
    Ticket { frame: index, length, owner, vm, verdict, way }
}
