//! The connection table by itself, without radio and queues: frames in, frames, VMs and verdicts out.
//!
//! The stages are the device's own (`transmit`, `receive`); only queue and air are left out.

use super::connection_table::ConnectionTable;
use super::drop_reason::DropReason;
use super::open_path::Up;
use super::pipeline;
use super::seal_path::Down;
use crate::frame_batch::{FrameBatch, Frames};
use crate::host_api::CallError;
use crate::host_api::call::{Connection, ConnectionState};
use crate::ids::{Identifier, MacAddr, VmId, VrId};

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
        let mut out = BatchOutcome::default();
        self.seal_batch_into(frames, &mut out);
        out
    }

    /// As [`seal_batch`](Self::seal_batch), into the memory of an earlier outcome: new memory costs more than the rest of
    /// the way.
    pub fn seal_batch_into(&mut self, frames: Frames<'_>, out: &mut BatchOutcome) {
        let (parts, scratch) = self.parts();
        pipeline::run(&mut scratch.down, parts, frames, out);
    }

    /// The receive path: VM by destination address, all checks, opened. A group frame is the first row's whose access
    /// point sent it: each frame has one answer.
    pub fn open_batch(&mut self, frames: Frames<'_>) -> BatchOutcome {
        let mut out = BatchOutcome::default();
        self.open_batch_into(frames, &mut out);
        out
    }

    /// As [`open_batch`](Self::open_batch), into the memory of an earlier outcome: new memory costs more than the rest of
    /// the way.
    pub fn open_batch_into(&mut self, frames: Frames<'_>, out: &mut BatchOutcome) {
        let (parts, scratch) = self.parts();
        pipeline::run(&mut scratch.up, parts, frames, out);
    }

    /// The VMs that own the addresses, one for each.
    pub fn lookup_batch(&self, addresses: impl IntoIterator<Item = MacAddr>) -> Vec<Option<VmId>> {
        let mut rows = Vec::new();
        self.rows_of(addresses, &mut rows);
        rows.into_iter().map(|vr| self.vm_of(vr?)).collect()
    }
}

/// What batches need room for; kept, so that they need no allocation.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    up: pipeline::Scratch<Up>,
    down: pipeline::Scratch<Down>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host_api::call::{CipherSuite, KeyScope};
    use crate::ids::{KeyId, PacketNumber};
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
