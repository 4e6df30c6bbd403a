//! The connection table by itself, without radio and queues: frames in, frames, VMs and verdicts out.
//!
//! The stages are the device's own (`transmit`, `receive`); only queue and air are left out.

use super::connection_table::{ConnectionTable, Row};
use super::drop_reason::DropReason;
use super::receive::{Content, GroupRows, Passed, Receiver};
use super::transmit::{self, Outgoing};
use crate::frame_batch::{FrameBatch, Frames};
use crate::host_api::call::{Connection, ConnectionState, KeyScope};
use crate::host_api::{CallError, TransmitDescriptor};
use crate::ids::{Identifier, KeyId, MacAddr, PacketNumber, VmId, VrId};
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
    /// Makes a row for a VM, its virtual radio numbered as the VM is; connected means authorized, with privacy. Without
    /// `bssid`, frames of every BSS are its own.
    ///
    /// # Errors
    /// As [`add`](Self::add) and [`set_connection`](Self::set_connection); the table is as before then.
    pub fn add_vm(
        &mut self,
        vm: VmId,
        address: MacAddr,
        bssid: Option<MacAddr>,
        is_connected: bool,
    ) -> Result<(), CallError> {
        let vr = VrId::from_u16(vm.to_u16());
        self.add(vr, vm, address)?;
        let state = if is_connected { ConnectionState::Authorized } else { ConnectionState::Disconnected };
        match bssid {
            Some(bssid) => {
                let connection = Connection { state, bssid, qos: true, privacy: true, ..Connection::default() };
                self.set_connection(vr, connection).inspect_err(|_| drop(self.remove(vr)))
            }
            None if is_connected => {
                self.accept_any_bss(vr);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The transmit path: VM by source address, then sealed with its pairwise key. Sequence numbers stay as they are.
    pub fn seal_batch(&mut self, frames: Frames<'_>) -> BatchOutcome {
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
    pub fn open_batch(&mut self, frames: Frames<'_>) -> BatchOutcome {
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
        rows.into_iter().map(|vr| self.vm_of(vr?)).collect()
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

/// Gives the frame a packet number where it is to be sealed.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host_api::call::CipherSuite;
    use crate::wire::frame_control::{FrameControl, data_subtype};
    use crate::wire::mac_header::MacHeader;

    const AP: MacAddr = MacAddr([2, 0, 0, 0, 1, 0]);
    const KEY: [u8; 16] = *b"a temporal key!!";

    fn address(number: u8) -> MacAddr {
        MacAddr([2, 0, 0, 0, 0, number])
    }

    fn table(bssid: Option<MacAddr>) -> ConnectionTable {
        let mut table = ConnectionTable::new(4);
        for number in 0..2 {
            table.add_vm(VmId::new(number.into()), address(number), bssid, true).unwrap();
            let (vr, id, zero) = (VrId::new(number.into()), KeyId::from_low_bits(0), PacketNumber::default());
            let key = [&[number], &KEY[1..]].concat();
            table.install_key(vr, KeyScope::Pairwise, id, CipherSuite::CCMP_128, &key, zero).unwrap();
        }
        table
    }

    fn frame(to_ds: bool, addr1: MacAddr, addr2: MacAddr) -> Vec<u8> {
        let control = FrameControl::data(data_subtype::DATA).with_to_ds(to_ds).with_from_ds(!to_ds);
        let mut out = Vec::new();
        MacHeader::three_address(control, addr1, addr2, AP).emit(&mut out);
        out.extend_from_slice(b"body");
        out
    }

    fn batch(frames: &[Vec<u8>]) -> FrameBatch {
        frames.iter().map(Vec::as_slice).collect()
    }

    #[test]
    fn each_frame_is_sealed_with_the_key_of_its_source() {
        for bssid in [Some(AP), None] {
            let mut table = table(bssid);
            let plain = [frame(true, AP, address(1)), frame(true, AP, address(9)), frame(true, AP, address(0))];
            let sealed = table.seal_batch(batch(&plain).frames());
            assert_eq!(sealed.verdicts, [Ok(()), Err(DropReason::NoSuchVm), Ok(())]);
            assert_eq!(sealed.vms, [Some(VmId::new(1)), None, Some(VmId::new(0))]);
            assert_eq!(sealed.frames.frame(1), Some(&[][..]));
            for (index, number) in [(0, 1), (2, 0)] {
                let key =
                    table.row(VrId::new(number)).unwrap().keys().find(KeyScope::Pairwise, KeyId::from_low_bits(0));
                let mut opened = Vec::new();
                key.unwrap().key().open(sealed.frames.frame(index).unwrap(), &mut opened).unwrap();
                assert_eq!(opened, plain[index]);
            }
        }
    }

    #[test]
    fn each_frame_is_opened_once_with_the_key_of_its_destination() {
        let mut table = table(Some(AP));
        let key = table.row(VrId::new(1)).unwrap().keys().find(KeyScope::Pairwise, KeyId::from_low_bits(0)).unwrap();
        let plain = frame(false, address(1), AP);
        let mut sealed = Vec::new();
        key.key().seal(&plain, PacketNumber::from_low_bits(7), KeyId::from_low_bits(0), &mut sealed).unwrap();
        let mut for_another = sealed.clone();
        for_another[9] = 0;
        let opened = table.open_batch(batch(&[sealed.clone(), for_another, sealed, plain.clone()]).frames());
        let (mic, replay, clear) = (DropReason::MicFailed, DropReason::Replay, DropReason::Unprotected);
        assert_eq!(opened.verdicts, [Ok(()), Err(mic), Err(replay), Err(clear)]);
        assert_eq!(opened.vms, [1, 0, 1, 1].map(|vm| Some(VmId::new(vm))));
        assert!(opened.frames.iter().eq([plain.as_slice(), &[], &[], &[]]));
    }

    #[test]
    fn addresses_are_looked_up_in_their_order() {
        let table = table(None);
        let found = table.lookup_batch([address(1), address(5), address(0)]);
        assert_eq!(found, [Some(VmId::new(1)), None, Some(VmId::new(0))]);
    }
}
