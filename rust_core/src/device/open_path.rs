//! The way up for a table by itself: the stages of `receive`, one row and one answer for each frame.

use super::connection_table::{Groups, Row};
use super::drop_reason::DropReason;
use super::pipeline::{Admission, Failure, Lane, Path, Ticket, recycle};
use super::receive::{Way, admit_header, admit_to_nobody, admit_to_row, drop_reason, group_rows, pass, receiver};
use super::rows::Shard;
use crate::frame_batch::Frames;
use crate::ids::{MacAddr, VrId};
use crate::security::ccmp::{OpenError, OpenJob, open_batch};

/// From the air to the VM that owns the destination.
pub(super) struct Up;

impl Path for Up {
    type Way = Way;
    type Spare = Vec<OpenJob<'static>>;

    #[inline]
    fn address(frame: &[u8]) -> MacAddr {
        receiver(frame)
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

    #[inline]
    fn admit(row: Option<&mut Row>, frame: &[u8]) -> Admission<Way> {
        let way = admit_header(frame).and_then(|header| match row {
            Some(row) => admit_to_row(row, &header, frame),
            None => admit_to_nobody(&header, false),
        });
        let way = match way {
            Ok(way @ Way::Open(opening, _)) => Ok((way, opening.length as usize)),
            Ok(way @ (Way::Up(..) | Way::Forward(..))) => Ok((way, frame.len())),
            // For the device alone, and there is none.
            Ok(Way::Done(_)) => Err(DropReason::Filtered),
            Err(reason) => Err(reason),
        };
        Admission { is_rows: true, way }
    }

    fn run(shard: &mut Shard, frames: Frames<'_>, outs: &mut [&mut [u8]], lane: &mut Lane<Self>) {
        let Lane { tickets, spare, failures, .. } = lane;
        open(shard, frames, tickets, outs, spare);
        for (ticket, out) in tickets.iter().zip(outs) {
            let Some(row) = ticket.row.and_then(|vr| shard.get_mut(vr)) else { continue };
            match ticket.way.and_then(|way| pass(row, way, out)) {
                Ok(_) => {
                    row.counters.received += 1;
                    row.counters.received_octets += out.len() as u64;
                }
                Err(reason) => {
                    row.counters.drop(reason);
                    failures.push(Failure { frame: ticket.frame, reason });
                }
            }
        }
    }
}

/// Opens what is protected and copies what is not.
fn open(
    shard: &Shard,
    frames: Frames<'_>,
    tickets: &mut [Ticket<Way>],
    outs: &mut [&mut [u8]],
    spare: &mut Vec<OpenJob<'static>>,
) {
    let mut jobs: Vec<OpenJob<'_>> = recycle(core::mem::take(spare));
    for (ticket, out) in tickets.iter_mut().zip(outs) {
        let Ok(way) = ticket.way else { continue };
        let Some(mpdu) = frames.frame(ticket.frame as usize) else { continue };
        let Way::Open(opening, _) = way else {
            out.copy_from_slice(mpdu);
            continue;
        };
        let row = ticket.row.and_then(|vr| shard.get(vr));
        match row.and_then(|row| row.keys().find(opening.scope, opening.key_id)) {
            Some(key) => jobs.push(OpenJob { key: key.key(), mpdu, out, result: Err(OpenError::MicFailed) }),
            None => ticket.way = Err(DropReason::NoKey),
        }
    }
    open_batch(&mut jobs);
    if jobs.iter().any(|job| job.result.is_err()) {
        let mut results = jobs.iter().map(|job| job.result);
        for ticket in tickets.iter_mut().filter(|ticket| matches!(ticket.way, Ok(Way::Open(..)))) {
            if let Some(Err(error)) = results.next() {
                ticket.way = Err(drop_reason(error));
            }
        }
    }
    *spare = recycle(jobs);
}
