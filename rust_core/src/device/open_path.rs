//! The way up for a table by itself: the stages of `receive`, one row and one answer for each frame.

use super::connection_table::{Groups, Row};
use super::drop_reason::DropReason;
use super::pipeline::{Admission, Path, Shards, Ticket, recycle};
use super::receive::{Way, admit_header, admit_to_nobody, admit_to_row, group_rows, pass, receiver};
use super::rows::Shard;
use super::usual::UsualUp;
use crate::frame_batch::Frames;
use crate::host_api::PacketClass;
use crate::host_api::call::KeyScope;
use crate::ids::{KeyId, MacAddr, VrId};
use crate::security::ccmp::{OpenError, OpenJob, open_batch};

/// From the air to the VM that owns the destination.
#[derive(Debug)]
pub(super) struct Up;

/// What is to be done with a frame: it is usual, or stands on the list of others.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UpWay {
    usual: UsualUp,
    /// Its number on that list, from 1 on; 0: it is usual.
    other: u32,
}

impl UpWay {
    #[inline]
    fn other<'a>(self, others: impl FnOnce() -> Option<&'a Vec<Way>>) -> Option<Way> {
        // Beyond the list is nobody.
        if self.other == 0 { None } else { others()?.get(self.other as usize - 1).copied() }
    }
}

impl Path for Up {
    type Way = UpWay;
    type Seen = PacketClass;
    type Others = Vec<Way>;
    type Jobs = Vec<OpenJob<'static>>;

    fn clear(others: &mut Vec<Way>) {
        others.clear();
    }

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

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "two loops call it, each per frame")]
    fn admit_usual(row: &mut Row, frame: &[u8]) -> Option<(UpWay, usize)> {
        UsualUp::admit(row, frame).map(|(usual, length)| (UpWay { usual, other: 0 }, length))
    }

    fn admit(row: Option<&mut Row>, frame: &[u8], others: &mut Vec<Way>) -> Admission<UpWay> {
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
            others.push(way);
            let other = u32::try_from(others.len()).unwrap_or_default();
            Ok((UpWay { other, ..UpWay::default() }, length))
        });
        Admission { is_rows: true, way }
    }

    fn cipher(
        shards: impl Shards<Self>,
        frames: Frames<'_>,
        tickets: &mut [Ticket<UpWay>],
        outs: &mut [&mut [u8]],
        kept_jobs: &mut Self::Jobs,
    ) {
        let mut jobs: Vec<OpenJob<'_>> = recycle(core::mem::take(kept_jobs));
        let is_opened = |ticket: &Ticket<UpWay>| match ticket.way.other(|| shards.others(ticket)) {
            None => Some((KeyScope::Pairwise, KeyId::from_low_bits(0))),
            Some(Way::Open(opening, _)) => Some((opening.scope, opening.key_id)),
            Some(_) => None,
        };
        for (ticket, out) in tickets.iter_mut().zip(outs).filter(|(ticket, _)| ticket.verdict.is_ok()) {
            let Some(mpdu) = frames.frame(ticket.frame as usize) else { continue };
            let Some((scope, key_id)) = is_opened(ticket) else {
                out.copy_from_slice(mpdu);
                continue;
            };
            match shards.row(ticket).and_then(|row| row.keys().find(scope, key_id)) {
                Some(key) => jobs.push(OpenJob { key: key.key(), mpdu, out, result: Err(OpenError::MicFailed) }),
                None => ticket.verdict = Err(DropReason::NoKey),
            }
        }
        open_batch(&mut jobs);
        if jobs.iter().any(|job| job.result.is_err()) {
            let mut results = jobs.iter().map(|job| job.result);
            for ticket in tickets.iter_mut().filter(|ticket| ticket.verdict.is_ok() && is_opened(ticket).is_some()) {
                if let Some(Err(error)) = results.next() {
                    ticket.verdict = Err(error.into());
                }
            }
        }
        *kept_jobs = recycle(jobs);
    }

    #[inline]
    fn see(way: UpWay, out: &[u8]) -> PacketClass {
        way.usual.class(out)
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "two loops call it, each per frame")]
    fn finish<'a>(
        row: &mut Row,
        way: UpWay,
        seen: PacketClass,
        length: u32,
        out: impl FnOnce() -> &'a [u8],
        others: &Vec<Way>,
    ) -> Result<(), DropReason> {
        match way.other(|| Some(others)) {
            None => way.usual.pass(row, seen)?,
            Some(way) => pass(row, way, out())?,
        };
        row.counters.received += 1;
        row.counters.received_octets += u64::from(length);
        Ok(())
    }
}
