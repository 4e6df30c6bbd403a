//! Where the frames of a batch lie in its result.

use super::{Failure, Ticket};
use crate::device::drop_reason::DropReason;
use crate::ids::VmId;

/// Where frames lie in the result, whose they are, and whether they passed.
pub(in crate::device) struct Layout<'a> {
    offsets: Vec<u32>,
    vms: &'a mut Vec<Option<VmId>>,
    verdicts: &'a mut Vec<Result<(), DropReason>>,
}

/// The same of neighbouring frames, to be written, and the octets where they come to lie.
pub(in crate::device) struct Place<'a, 'o> {
    pub(in crate::device) marks: Marks<'a>,
    pub(in crate::device) octets: &'o mut [u8],
}

/// What there is to be said of them.
pub(in crate::device) struct Marks<'a> {
    /// Where each ends.
    ends: &'a mut [u32],
    vms: &'a mut [Option<VmId>],
    verdicts: &'a mut [Result<(), DropReason>],
    /// Where in the result these start.
    start: u32,
}

impl<'a> Layout<'a> {
    /// For so many frames, in the memory of an earlier one.
    pub(super) fn new(
        mut offsets: Vec<u32>,
        vms: &'a mut Vec<Option<VmId>>,
        verdicts: &'a mut Vec<Result<(), DropReason>>,
        frames: usize,
    ) -> Self {
        // All is written later; what is longer than it was is filled first.
        offsets.resize(frames + 1, 0);
        offsets.iter_mut().take(1).for_each(|start| *start = 0);
        vms.resize(frames, None);
        verdicts.resize(frames, Ok(()));
        Self { offsets, vms, verdicts }
    }

    /// All frames, in a buffer of the result's length, or a longer one.
    pub(in crate::device) fn place<'o>(&mut self, octets: &'o mut [u8], length: usize) -> Place<'_, 'o> {
        // Where frames end is said by 32 bits.
        let octets = split(octets, length.min(u32::MAX as usize)).0;
        let ends = self.offsets.get_mut(1..).unwrap_or_default();
        Place { marks: Marks { ends, vms: self.vms, verdicts: self.verdicts, start: 0 }, octets }
    }

    /// Says of frames that failed; true where one of them has octets in the result.
    pub(super) fn mark_failed<'f>(&mut self, failures: impl Iterator<Item = &'f Failure>) -> bool {
        let mut has_holes = false;
        for Failure { frame, reason } in failures {
            let place = *frame as usize;
            has_holes |= self.offsets.get(place) != self.offsets.get(place + 1);
            if let Some(verdict) = self.verdicts.get_mut(place) {
                *verdict = Err(*reason);
            }
        }
        has_holes
    }

    pub(super) fn into_offsets(self) -> Vec<u32> {
        self.offsets
    }
}

impl<'a, 'o> Place<'a, 'o> {
    /// Takes the first so many frames, with so many octets in all: none where there are not so many left.
    pub(super) fn split_off(&mut self, frames: usize, octets: usize) -> Place<'a, 'o> {
        let Self { marks: rest, octets: rest_octets } = self;
        let (ends, vms, verdicts, part);
        (ends, rest.ends) = split(core::mem::take(&mut rest.ends), frames);
        (vms, rest.vms) = split(core::mem::take(&mut rest.vms), frames);
        (verdicts, rest.verdicts) = split(core::mem::take(&mut rest.verdicts), frames);
        (part, *rest_octets) = split(core::mem::take(rest_octets), octets);
        let marks = Marks { ends, vms, verdicts, start: rest.start };
        // Less than 4 GiB in all.
        rest.start = rest.start.saturating_add(u32::try_from(part.len()).unwrap_or(u32::MAX));
        Place { marks, octets: part }
    }

    /// Gives each frame its octets, one behind the other, and says so. What has no room has failed.
    pub(super) fn lay_out<W>(self, tickets: &mut [Ticket<W>]) -> &'o mut [u8] {
        self.marks.write(tickets, self.octets.len());
        self.octets
    }
}

impl Marks<'_> {
    /// Writes what tickets say before the cipher, of frames that lie one behind the other in so much room. What has none
    /// has failed.
    pub(in crate::device) fn write<W>(self, tickets: &mut [Ticket<W>], room: usize) {
        let Self { ends, vms, verdicts, start } = self;
        let mut length = 0_usize;
        for (end, ticket) in ends.iter_mut().zip(&mut *tickets) {
            let more = length.wrapping_add(ticket.length());
            if more > room {
                (ticket.verdict, ticket.length) = (Err(DropReason::Truncated), 0);
            } else {
                length = more;
            }
            // Less than 4 GiB in all.
            #[expect(clippy::cast_possible_truncation, reason = "see above")]
            let passed = length as u32;
            *end = start.wrapping_add(passed);
        }
        for (vm, ticket) in vms.iter_mut().zip(&*tickets) {
            *vm = ticket.vm;
        }
        for (verdict, ticket) in verdicts.iter_mut().zip(&*tickets) {
            *verdict = ticket.verdict;
        }
    }
}

/// The first so many, and the rest; nothing where there are not so many.
fn split<T>(all: &mut [T], count: usize) -> (&mut [T], &mut [T]) {
    all.split_at_mut_checked(count).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::{Owner, length_of};
    use super::*;
    use crate::ids::Identifier;

    fn ticket(frame: u32, length: u32, verdict: Result<(), DropReason>) -> Ticket<()> {
        Ticket { frame, length, owner: Owner::NOBODY, vm: Some(VmId::from_u16(7)), verdict, way: () }
    }

    #[test]
    fn parts_lie_one_behind_the_other_and_what_has_no_room_has_failed() {
        let (mut vms, mut verdicts, mut octets) = (vec![None; 9], Vec::new(), [0; 6]);
        let mut layout = Layout::new(vec![5; 2], &mut vms, &mut verdicts, 5);
        let mut first = [ticket(0, 2, Ok(())), ticket(1, 0, Err(DropReason::Replay))];
        let mut second = [ticket(2, 3, Ok(())), ticket(3, 2, Ok(())), ticket(4, 1, Ok(()))];
        let mut rest = layout.place(&mut octets, 6);
        assert_eq!(rest.split_off(2, 2).lay_out(&mut first).len(), 2);
        assert_eq!(rest.split_off(3, 4).lay_out(&mut second).len(), 4);
        assert_eq!((length_of(&first), second.map(|ticket| ticket.length)), (2, [3, 0, 1]));
        assert_eq!(second[1].verdict, Err(DropReason::Truncated));
        assert!(!layout.mark_failed([Failure { frame: 1, reason: DropReason::Replay }].iter()));
        assert!(layout.mark_failed([Failure { frame: 4, reason: DropReason::MicFailed }].iter()));
        assert_eq!(layout.into_offsets(), [0, 2, 2, 5, 5, 6]);
        assert_eq!(vms, [Some(VmId::from_u16(7)); 5]);
        let [replay, truncated, mic] = [DropReason::Replay, DropReason::Truncated, DropReason::MicFailed].map(Err);
        assert_eq!(verdicts, [Ok(()), replay, Ok(()), truncated, mic]);
    }
}
