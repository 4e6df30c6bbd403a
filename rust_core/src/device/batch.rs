//! The connection table by itself, without radio and queues: frames in, frames, VMs and verdicts out.
//!
//! The stages are the device's own (`transmit`, `receive`); only queue and air are left out.

use super::connection_table::{ConnectionTable, Row};
use super::drop_reason::DropReason;
use super::receive::{Content, GroupRows, Passed, Receiver};
use super::transmit::{self, Outgoing};
use crate::frame_batch::FrameBatch;
use crate::host_api::TransmitDescriptor;
use crate::host_api::call::KeyScope;
use crate::ids::{KeyId, MacAddr, PacketNumber, VmId, VrId};
use crate::security::ccmp::{SealError, SealJob, seal_batch};
use crate::security::key_slot::KeySlot;
use crate::wire::mac_header::QosControl;

/// What became of a batch: an entry of each list for each frame that went in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchOutcome {
    /// The frames that passed; empty where they did not.
    pub frames: FrameBatch,
    /// Whose frames they are.
    pub vms: Vec<Option<VmId>>,
    /// Whether they passed.
    pub verdicts: Vec<Result<(), DropReason>>,
}

/// A frame that was attributed, and the packet number it is sealed with.
struct Sealing {
    row: Option<VrId>,
    way: Result<Option<(KeyId, PacketNumber)>, DropReason>,
}

impl ConnectionTable {
    /// The transmit path: VM by source address, then sealed with its pairwise key. Sequence numbers stay as they are.
    pub fn seal_batch(&mut self, frames: &FrameBatch) -> BatchOutcome {
        let sealings: Vec<Sealing> = frames.iter().map(|frame| self.admit_to_seal(frame)).collect();
        let mut lengths = Vec::with_capacity(frames.len());
        for (sealing, frame) in sealings.iter().zip(frames.iter()) {
            lengths.push(match sealing.way {
                Err(_) => 0,
                Ok(None) => frame.len(),
                Ok(Some((key_id, _))) => {
                    self.pairwise(sealing.row, key_id).and_then(|key| key.key().sealed_length(frame)).unwrap_or(0)
                }
            });
        }
        let mut octets = vec![0; lengths.iter().sum()];
        let mut room = octets.as_mut_slice();
        let mut jobs = Vec::with_capacity(frames.len());
        for ((sealing, mpdu), length) in sealings.iter().zip(frames.iter()).zip(&lengths) {
            let (out, rest) = core::mem::take(&mut room).split_at_mut_checked(*length).unwrap_or_default();
            room = rest;
            match sealing.way {
                Err(_) => {}
                Ok(None) => out.copy_from_slice(mpdu),
                Ok(Some((key_id, packet_number))) => {
                    if let Some(key) = self.pairwise(sealing.row, key_id).map(KeySlot::key) {
                        jobs.push(SealJob { key, packet_number, key_id, mpdu, out, result: Err(SealError::NoRoom) });
                    }
                }
            }
        }
        seal_batch(&mut jobs);
        let mut sealed = jobs.iter().map(|job| job.result.is_ok());
        let verdicts = sealings.iter().map(|sealing| match sealing.way {
            Err(reason) => Err(reason),
            Ok(Some(_)) if sealed.next() != Some(true) => Err(DropReason::Malformed),
            Ok(_) => Ok(()),
        });
        let verdicts: Vec<Result<(), DropReason>> = verdicts.collect();
        let frames = whole(octets, &lengths, &verdicts);
        for (sealing, (verdict, frame)) in sealings.iter().zip(verdicts.iter().zip(frames.iter())) {
            let Some(row) = sealing.row.and_then(|vr| self.row_mut(vr)) else { continue };
            match verdict {
                Ok(()) => {
                    row.counters.sent += 1;
                    row.counters.sent_octets += frame.len() as u64;
                }
                Err(reason) => row.counters.drop(*reason),
            }
        }
        let vms = sealings.iter().map(|sealing| sealing.row.and_then(|vr| self.row(vr)).map(Row::vm)).collect();
        BatchOutcome { frames, vms, verdicts }
    }

    /// The receive path: VM by destination address, all checks, opened. A group frame is the first row's whose access
    /// point sent it: each frame has one answer.
    pub fn open_batch(&mut self, frames: &FrameBatch) -> BatchOutcome {
        let mut receiver = Receiver::default();
        receiver.receive(self, frames, GroupRows::First);
        let mut out = BatchOutcome::default();
        let mut next = 0;
        for outcome in receiver.outcomes() {
            // A beacon has an outcome for each row that scans: the first one answers.
            if outcome.frame != next {
                continue;
            }
            next += 1;
            let row = outcome.row.and_then(|vr| self.row_mut(vr));
            out.vms.push(row.as_ref().map(|row| row.vm()));
            let frame = match outcome.result {
                Ok(Passed::Packet(packet)) => match packet.content {
                    Content::Plain | Content::StillProtected => {
                        frames.frame(outcome.frame).ok_or(DropReason::Truncated)
                    }
                    Content::Opened(slot) => receiver.opened().frame(slot).ok_or(DropReason::Truncated),
                },
                Ok(Passed::Consumed | Passed::Beacon { .. }) => Err(DropReason::Filtered),
                Err(reason) => Err(reason),
            };
            out.frames.push(frame.unwrap_or_default());
            out.verdicts.push(frame.map(|_| ()));
            match (frame, row) {
                (Ok(frame), Some(row)) => {
                    row.counters.received += 1;
                    row.counters.received_octets += frame.len() as u64;
                }
                (Err(reason), Some(row)) => row.counters.drop(reason),
                (_, None) => {}
            }
        }
        out
    }

    /// The VMs that own the addresses, one for each.
    pub fn lookup_batch(&self, addresses: impl IntoIterator<Item = MacAddr>) -> Vec<Option<VmId>> {
        let mut rows = Vec::new();
        self.rows_of(addresses, &mut rows);
        rows.into_iter().map(|vr| self.row(vr?).map(Row::vm)).collect()
    }

    fn admit_to_seal(&mut self, frame: &[u8]) -> Sealing {
        let attributed =
            transmit::parse(frame).and_then(|header| transmit::attribute(self, None, &header).map(|vr| (header, vr)));
        let (header, vr) = match attributed {
            Ok(attributed) => attributed,
            Err(reason) => return Sealing { row: None, way: Err(reason) },
        };
        let tid = header.qos.map(QosControl::tid).unwrap_or_default();
        let descriptor = TransmitDescriptor { tid, ..TransmitDescriptor::default() };
        let Some(row) = self.row_mut(vr) else { return Sealing { row: None, way: Err(DropReason::NoSuchVm) } };
        let way = transmit::admit(row, &header, frame, descriptor).and_then(|outgoing| number(row, outgoing));
        Sealing { row: Some(vr), way }
    }

    fn pairwise(&self, vr: Option<VrId>, key_id: KeyId) -> Option<&KeySlot> {
        self.row(vr?)?.keys().find(KeyScope::Pairwise, key_id)
    }
}

fn number(row: &mut Row, outgoing: Outgoing) -> Result<Option<(KeyId, PacketNumber)>, DropReason> {
    let Some(key_id) = transmit::protection(row, outgoing)? else { return Ok(None) };
    let key = row.keys.find_mut(KeyScope::Pairwise, key_id).ok_or(DropReason::NoKey)?;
    key.next_packet_number().map(|number| Some((key_id, number))).ok_or(DropReason::KeyExhausted)
}

/// The frames of a buffer, those that did not pass taken out.
fn whole(octets: Vec<u8>, lengths: &[usize], verdicts: &[Result<(), DropReason>]) -> FrameBatch {
    let mut offsets = vec![0];
    let mut end = 0;
    for length in lengths {
        end += length;
        offsets.push(u32::try_from(end).unwrap_or(u32::MAX));
    }
    let frames = FrameBatch::from_parts(octets, offsets).unwrap_or_default();
    let is_whole = verdicts.iter().zip(lengths).all(|(verdict, length)| verdict.is_ok() || *length == 0);
    if is_whole {
        return frames;
    }
    frames.iter().zip(verdicts).map(|(frame, verdict)| if verdict.is_ok() { frame } else { &[] }).collect()
}
