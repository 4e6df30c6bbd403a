//! The way down for a table by itself: the stages of `transmit`, without queue and air.

use super::connection_table::{Groups, Row};
use super::drop_reason::DropReason;
use super::pipeline::{Admission, Alone, Layout, Path, Sources, Ticket, recycle, split_front};
use super::transmit::{self, Outgoing};
use super::usual;
use crate::frame_batch::Frames;
use crate::host_api::TransmitDescriptor;
use crate::host_api::call::KeyScope;
use crate::ids::{KeyId, PacketNumber, VrId};
use crate::security::ccmp::{SealError, SealJob, seal_batch};
use crate::wire::mac_header::QosControl;

/// From the VM that owns the source to the air.
#[derive(Debug)]
pub(super) struct Down;

/// The frame's packet number in the 48 low bits, the key's identifier and [`SEALS`](Way::SEALS) above; 0 for what goes in
/// the clear.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Way(u64);

impl Way {
    const SEALS: u64 = 1 << 63;

    #[inline]
    const fn sealed(key_id: KeyId, number: PacketNumber) -> Self {
        Self(number.value() | (key_id.value() as u64) << 48 | Self::SEALS)
    }

    /// Key and number, where it is to be sealed.
    #[inline]
    fn seals(self) -> Option<(KeyId, PacketNumber)> {
        let [.., key_id, _] = self.0.to_le_bytes();
        (self.0 & Self::SEALS != 0).then_some((KeyId::from_low_bits(key_id), PacketNumber::from_low_bits(self.0)))
    }
}

impl Path for Down {
    type Way = Way;
    type Seen = ();
    type Others = ();
    type Jobs = Vec<SealJob<'static>>;

    /// About 500 frames of 64 octets, or 40 of 1500 (measured on AMD Zen 4).
    const LITTLE: usize = 1 << 16;

    fn clear((): &mut ()) {}

    #[inline]
    fn address(frame: &[u8]) -> Option<&[u8; 6]> {
        frame.get(10..)?.first_chunk()
    }

    #[inline]
    fn resolve(_: Groups<'_>, _: &[u8]) -> Option<VrId> {
        None
    }

    #[inline]
    fn prefetch(row: &Row) {
        row.prefetch_to_send();
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "two loops call it, each per frame")]
    fn admit_usual(row: &mut Row, frame: &[u8]) -> Option<(Way, u32)> {
        usual::admit_down(row, frame).map(|(key_id, number, length)| (Way::sealed(key_id, number), length))
    }

    fn admit(row: Option<&mut Row>, frame: &[u8], (): &mut ()) -> Admission<Way> {
        let nobodys = |reason| Admission { is_rows: false, way: Err(reason) };
        let header = match transmit::parse(frame) {
            Ok(header) if header.addr2.is_some() => header,
            Ok(_) => return nobodys(DropReason::Malformed),
            Err(reason) => return nobodys(reason),
        };
        let Some(row) = row else { return nobodys(DropReason::NoSuchVm) };
        let tid = header.qos.map(QosControl::tid).unwrap_or_default();
        let descriptor = TransmitDescriptor { tid, ..TransmitDescriptor::default() };
        let outgoing = transmit::admit(row, &header, frame, descriptor);
        Admission { is_rows: true, way: outgoing.and_then(|outgoing| number(row, outgoing, frame)) }
    }

    fn cipher(
        sources: Sources<'_, Self>,
        frames: Frames<'_>,
        tickets: &mut [Ticket<Way>],
        octets: &mut [u8],
        kept_jobs: &mut Self::Jobs,
    ) {
        let mut jobs: Vec<SealJob<'_>> = recycle(core::mem::take(kept_jobs));
        fill(&mut jobs, sources, frames, tickets, octets);
        if !seal_batch(&mut jobs) {
            let mut results = jobs.iter().map(|job| job.result);
            for ticket in tickets.iter_mut().filter(|ticket| ticket.verdict.is_ok() && ticket.way.seals().is_some()) {
                if let Some(Err(_)) = results.next() {
                    ticket.verdict = Err(DropReason::Malformed);
                }
            }
        }
        *kept_jobs = recycle(jobs);
    }

    fn alone(alone: Alone<'_, Self>, frames: Frames<'_>, octets: &mut Vec<u8>, layout: &mut Layout<'_>) {
        alone.by_stages(frames, octets, layout);
    }

    #[inline]
    fn see(_: Way, _: &[u8]) {}

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "two loops call it, each per frame")]
    fn finish<'a>(
        row: &mut Row,
        _: Way,
        _: impl FnOnce(),
        length: u32,
        _: impl FnOnce() -> &'a [u8],
        (): &(),
    ) -> Result<(), DropReason> {
        // No counter gets that far.
        row.counters.sent = row.counters.sent.wrapping_add(1);
        row.counters.sent_octets = row.counters.sent_octets.wrapping_add(length.into());
        Ok(())
    }
}

/// What the cipher is to seal; what goes in the clear is copied. A loop in a function of its own has the registers for
/// itself.
#[inline(never)]
fn fill<'a>(
    jobs: &mut Vec<SealJob<'a>>,
    sources: Sources<'a, Down>,
    frames: Frames<'a>,
    tickets: &mut [Ticket<Way>],
    mut octets: &'a mut [u8],
) {
    jobs.reserve(tickets.len());
    for (ticket, mpdu) in tickets.iter_mut().zip(frames.iter()).filter(|(ticket, _)| ticket.verdict.is_ok()) {
        let out;
        (out, octets) = split_front(octets, ticket.length());
        let Some((key_id, packet_number)) = ticket.way.seals() else {
            out.copy_from_slice(mpdu);
            continue;
        };
        match sources.row(ticket).and_then(|row| row.keys().find(KeyScope::Pairwise, key_id)) {
            Some(key) => {
                let key = key.key();
                jobs.push(SealJob { key, packet_number, key_id, mpdu, out, result: Err(SealError::NoRoom) });
            }
            None => ticket.verdict = Err(DropReason::NoKey),
        }
    }
}

/// Gives the frame a packet number where it is to be sealed, and says how long it becomes.
#[inline]
fn number(row: &mut Row, outgoing: Outgoing, frame: &[u8]) -> Result<(Way, usize), DropReason> {
    let Some(key_id) = transmit::protection(row, outgoing)? else { return Ok((Way::default(), frame.len())) };
    let key = row.keys.find_mut(KeyScope::Pairwise, key_id).ok_or(DropReason::NoKey)?;
    let number = key.next_packet_number().ok_or(DropReason::KeyExhausted)?;
    let length = key.sealed_length(frame).ok_or(DropReason::Malformed)?;
    Ok((Way::sealed(key_id, number), length))
}
