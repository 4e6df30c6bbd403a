//! The way up for a table by itself: the stages of `receive`, one row and one answer for each frame.

use super::connection_table::{Groups, Row};
use super::drop_reason::DropReason;
use super::pipeline::{Admission, Path, Shards, Ticket, recycle, split_front};
use super::receive::{Way, admit_header, admit_to_nobody, admit_to_row, group_rows, pass, receiver};
use super::rows::Shard;
use super::usual::UsualUp;
use crate::frame_batch::Frames;
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
    fn prefetch(shard: &Shard, vr: VrId) {
        shard.prefetch(vr);
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "two loops call it, each per frame")]
    fn admit_usual(row: &mut Row, frame: &[u8]) -> Option<(UsualUp, u32)> {
        UsualUp::admit(row, frame)
    }

    fn admit(row: Option<&mut Row>, frame: &[u8], others: &mut Vec<Way>) -> Admission<UsualUp> {
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

    fn cipher(
        shards: impl Shards<Self>,
        frames: Frames<'_>,
        tickets: &mut [Ticket<UsualUp>],
        octets: &mut [u8],
        kept_jobs: &mut Self::Jobs,
    ) {
        let mut jobs: Vec<OpenJob<'_>> = recycle(core::mem::take(kept_jobs));
        fill(&mut jobs, shards, frames, tickets, octets);
        open_batch(&mut jobs);
        if jobs.iter().any(|job| job.result.is_err()) {
            let mut results = jobs.iter().map(|job| job.result);
            let is_opened = |ticket: &Ticket<UsualUp>| match ticket.way.place() {
                None => true,
                Some(place) => {
                    let way = shards.others(ticket).and_then(|others| others.get(place));
                    matches!(way, Some(Way::Open(..)))
                }
            };
            for ticket in tickets.iter_mut().filter(|ticket| ticket.verdict.is_ok() && is_opened(ticket)) {
                if let Some(Err(error)) = results.next() {
                    ticket.verdict = Err(error.into());
                }
            }
        }
        *kept_jobs = recycle(jobs);
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
    shards: impl Shards<Up> + 'a,
    frames: Frames<'a>,
    tickets: &mut [Ticket<UsualUp>],
    mut octets: &'a mut [u8],
) {
    jobs.reserve(tickets.len());
    for (ticket, mpdu) in tickets.iter_mut().zip(frames.iter()).filter(|(ticket, _)| ticket.verdict.is_ok()) {
        let out;
        (out, octets) = split_front(octets, ticket.length());
        let row = shards.row(ticket);
        let key = if let Some(place) = ticket.way.place() {
            let way = shards.others(ticket).and_then(|others| others.get(place));
            let Some(Way::Open(opening, _)) = way else {
                out.copy_from_slice(mpdu);
                continue;
            };
            row.and_then(|row| row.keys().find(opening.scope, opening.key_id))
        } else {
            row.and_then(|row| row.keys().find(KeyScope::Pairwise, KeyId::from_low_bits(0)))
        };
        match key {
            Some(key) => jobs.push(OpenJob { key: key.key(), mpdu, out, result: Err(OpenError::MicFailed) }),
            None => ticket.verdict = Err(DropReason::NoKey),
        }
    }
}
