//! The way up for a table by itself: the stages of `receive`, one row and one answer for each frame.

use core::slice;

use super::connection_table::{Groups, Row};
use super::drop_reason::DropReason;
use super::pipeline::{
    AHEAD, Admission, Alone, Layout, Owner, Path, Place, Sources, Ticket, recycle, split_front, ticket_of,
};
use super::receive::{Way, admit_header, admit_to_nobody, admit_to_row, group_rows, pass, receiver};
use super::rows::{HasRows, Rows};
use super::usual::UsualUp;
use crate::frame_batch::{Frames, make_room};
use crate::host_api::PacketClass;
use crate::host_api::call::KeyScope;
use crate::ids::{KeyId, VrId};
use crate::security::ccmp::{OpenError, OpenJob, open_batch};

/// From the air to the VM that owns the destination.
#[derive(Debug)]
pub(super) struct Up;

impl Path for Up {
    type Way = UsualUp;
    type Seen = PacketClass;
    type Others = Vec<Way>;
    type Jobs = Vec<OpenJob<'static>>;

    /// About 1000 frames of 64 octets, or 85 of 1500 (measured on AMD Zen 4).
    const LITTLE: usize = 1 << 17;

    fn clear(others: &mut Vec<Way>) {
        others.clear();
    }

    #[inline]
    fn address(frame: &[u8]) -> Option<&[u8; 6]> {
        frame.get(4..)?.first_chunk()
    }

    /// A group frame is the first row's that has it.
    #[inline]
    fn resolve(groups: Groups<'_>, frame: &[u8]) -> Option<VrId> {
        if !receiver(frame).is_group() {
            return None;
        }
        group_rows(groups, &admit_header(frame).ok()?).first().copied()
    }

    #[inline]
    fn prefetch(row: &Row) {
        row.prefetch();
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "two loops call it, each per frame")]
    fn admit_usual(row: &mut Row, frame: &[u8]) -> Option<(UsualUp, u32)> {
        UsualUp::admit(row, frame)
    }

    fn admit(row: Option<&mut Row>, frame: &[u8], others: &mut Vec<Way>) -> Admission<UsualUp> {
        admit_other(row.as_deref(), frame, others)
    }

    fn cipher(
        sources: Sources<'_, Self>,
        frames: Frames<'_>,
        tickets: &mut [Ticket<UsualUp>],
        octets: &mut [u8],
        kept_jobs: &mut Self::Jobs,
    ) {
        let mut jobs: Vec<OpenJob<'_>> = recycle(core::mem::take(kept_jobs));
        fill(&mut jobs, sources, frames, tickets, octets);
        if !open_batch(&mut jobs) {
            take_results(&jobs, tickets, sources);
        }
        *kept_jobs = recycle(jobs);
    }

    /// A frame is admitted and made a job in one go, and all are opened together: what is admitted changes nothing of its
    /// row before all are opened.
    fn alone(alone: Alone<'_, Self>, frames: Frames<'_>, octets: &mut Vec<u8>, layout: &mut Layout<'_>) {
        // No frame becomes longer.
        make_room(octets, frames.data().len());
        let mut jobs = recycle(core::mem::take(&mut alone.part.jobs));
        let (owners, tickets) = alone.part.ready(frames.len());
        let Place { marks, octets } = layout.place(octets, frames.data().len());
        let room = octets.len();
        admit_and_fill(&mut jobs, tickets, owners, alone.rows, alone.groups, alone.others, frames, octets);
        marks.write(tickets, room);
        if !open_batch(&mut jobs) {
            let sources = Sources { rows: alone.rows, others: slice::from_ref(alone.others) };
            take_results(&jobs, tickets, sources);
        }
        alone.part.jobs = recycle(jobs);
        alone.finish(octets);
    }

    #[inline]
    fn see(way: UsualUp, out: &[u8]) -> PacketClass {
        way.class(out)
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "two loops call it, each per frame")]
    fn finish<'a>(
        row: &mut Row,
        way: UsualUp,
        seen: impl FnOnce() -> PacketClass,
        length: u32,
        out: impl FnOnce() -> &'a [u8],
        others: &Vec<Way>,
    ) -> Result<(), DropReason> {
        match way.place() {
            None => way.pass(row, seen)?,
            // All that are not usual are listed.
            Some(place) => {
                pass(row, *others.get(place).ok_or(DropReason::Malformed)?, out())?;
            }
        }
        // No counter gets that far.
        row.counters.received = row.counters.received.wrapping_add(1);
        row.counters.received_octets = row.counters.received_octets.wrapping_add(length.into());
        Ok(())
    }
}

/// What the cipher is to open; what goes as it came is copied. A loop in a function of its own has the registers for itself.
#[inline(never)]
fn fill<'a>(
    jobs: &mut Vec<OpenJob<'a>>,
    sources: Sources<'a, Up>,
    frames: Frames<'a>,
    tickets: &mut [Ticket<UsualUp>],
    mut octets: &'a mut [u8],
) {
    jobs.reserve(tickets.len());
    for (ticket, mpdu) in tickets.iter_mut().zip(frames.iter()).filter(|(ticket, _)| ticket.verdict.is_ok()) {
        let out;
        (out, octets) = split_front(octets, ticket.length());
        let way = ticket.way.place().and_then(|place| sources.others(ticket)?.get(place));
        fill_one(jobs, ticket, sources.row(ticket), way, mpdu, out);
    }
}

/// All stages before the cipher for a frame that is not usual.
fn admit_other(row: Option<&Row>, frame: &[u8], others: &mut Vec<Way>) -> Admission<UsualUp> {
    let way = admit_header(frame).and_then(|header| match row {
        Some(row) => admit_to_row(row, &header, frame),
        None => admit_to_nobody(&header, false),
    });
    let way = way.and_then(|way| {
        let length = match way {
            Way::Open(opening, _) => opening.length as usize,
            Way::Up(..) | Way::Forward(..) => frame.len(),
            // For the device alone, and there is none.
            Way::Done(_) => return Err(DropReason::Filtered),
        };
        let place = u32::try_from(others.len()).map_err(|_| DropReason::Truncated)?;
        others.push(way);
        Ok((UsualUp::listed(place), length))
    });
    Admission { is_rows: true, way }
}

/// For one thread, the stages before the cipher, and what the cipher is to open. A loop in a function of its own has the
/// registers for itself.
#[inline(never)]
#[expect(clippy::too_many_arguments, reason = "all that a frame's way needs, each in a register")]
fn admit_and_fill<'a>(
    jobs: &mut Vec<OpenJob<'a>>,
    tickets: &mut [Ticket<UsualUp>],
    owners: &[u16],
    rows: &'a Rows,
    groups: Groups<'_>,
    others: &mut Vec<Way>,
    frames: Frames<'a>,
    mut octets: &'a mut [u8],
) {
    jobs.reserve(frames.len());
    owners.iter().take(AHEAD).filter_map(|owner| rows.known(Owner::found(*owner).row()?)).for_each(Row::prefetch);
    let next = owners.iter().skip(AHEAD);
    let mut index = 0;
    for (((ticket, mpdu), owner), next) in tickets.iter_mut().zip(frames.iter()).zip(owners).zip(next) {
        if let Some(row) = Owner::found(*next).row().and_then(|vr| rows.known(vr)) {
            row.prefetch();
        }
        let mut owner = Owner::found(*owner);
        if owner == Owner::NOBODY {
            owner = Owner::of(Up::resolve(groups, mpdu));
        }
        let row = owner.row().and_then(|vr| rows.get(vr));
        if let Some(row) = row
            && let Some((way, length)) = UsualUp::admit(row, mpdu)
            && let Some(key) = row.keys().find(KeyScope::Pairwise, KeyId::from_low_bits(0))
            && length as usize <= octets.len()
        {
            *ticket = Ticket::usual(index, owner, row.vm(), way, length);
            let out;
            (out, octets) = split_front(octets, length as usize);
            jobs.push(OpenJob { key: key.key(), mpdu, out, result: Err(OpenError::MicFailed) });
        } else {
            octets = fill_other(jobs, ticket, index, owner, row, others, mpdu, octets);
        }
        index = index.wrapping_add(1);
    }
}

/// The same for a frame that is not usual; what is left of `octets`.
#[inline(never)]
#[expect(clippy::too_many_arguments, reason = "see above")]
fn fill_other<'a>(
    jobs: &mut Vec<OpenJob<'a>>,
    ticket: &mut Ticket<UsualUp>,
    index: u32,
    owner: Owner,
    row: Option<&'a Row>,
    others: &mut Vec<Way>,
    mpdu: &'a [u8],
    octets: &'a mut [u8],
) -> &'a mut [u8] {
    let mut admission = admit_other(row, mpdu, others);
    // Only where frames overlap.
    if admission.way.is_ok_and(|(_, length)| length > octets.len()) {
        admission.way = Err(DropReason::Truncated);
    }
    *ticket = ticket_of(index, owner, row.map(Row::vm), admission);
    let (out, octets) = split_front(octets, ticket.length());
    if ticket.verdict.is_ok() {
        fill_one(jobs, ticket, row, others.last(), mpdu, out);
    }
    octets
}

/// What the cipher is to open of a frame that may not be usual, or a copy.
#[inline]
fn fill_one<'a>(
    jobs: &mut Vec<OpenJob<'a>>,
    ticket: &mut Ticket<UsualUp>,
    row: Option<&'a Row>,
    way: Option<&Way>,
    mpdu: &'a [u8],
    out: &'a mut [u8],
) {
    let (scope, key_id) = match (ticket.way.place(), way) {
        (None, _) => (KeyScope::Pairwise, KeyId::from_low_bits(0)),
        (Some(_), Some(Way::Open(opening, _))) => (opening.scope, opening.key_id),
        (Some(_), Some(Way::Up(..) | Way::Forward(..))) if out.len() == mpdu.len() => {
            out.copy_from_slice(mpdu);
            return;
        }
        // All that are not usual are listed.
        (Some(_), _) => {
            ticket.verdict = Err(DropReason::Malformed);
            return;
        }
    };
    match row.and_then(|row| row.keys().find(scope, key_id)) {
        Some(key) => jobs.push(OpenJob { key: key.key(), mpdu, out, result: Err(OpenError::MicFailed) }),
        None => ticket.verdict = Err(DropReason::NoKey),
    }
}

/// What became of the frames that were to be opened.
fn take_results(jobs: &[OpenJob<'_>], tickets: &mut [Ticket<UsualUp>], sources: Sources<'_, Up>) {
    let mut results = jobs.iter().map(|job| job.result);
    let was_opened = |ticket: &Ticket<UsualUp>| match ticket.way.place() {
        None => true,
        Some(place) => {
            let way = sources.others(ticket).and_then(|others| others.get(place));
            matches!(way, Some(Way::Open(..)))
        }
    };
    for ticket in tickets.iter_mut().filter(|ticket| ticket.verdict.is_ok() && was_opened(ticket)) {
        if let Some(Err(error)) = results.next() {
            ticket.verdict = Err(error.into());
        }
    }
}
