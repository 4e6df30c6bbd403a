//! Per-VM device initialisation (620): a VM's first call makes its row, its virtual MAC and its filter.
//!
//! The radio itself is initialised once, with the device; a VM's initialisation does not touch it.

use super::connection_table::ConnectionTable;
use super::outbox::Outbox;
use super::transmitter::Transmitter;
use super::virtual_mac::{DuplicateFilter, VirtualMac};
use crate::host_api::CallError;
use crate::ids::{MacAddr, VmId, VrId};

/// Makes the row; from then on frames to its address are its own.
pub(crate) fn init_vm(table: &mut ConnectionTable, vr: VrId, vm: VmId, address: MacAddr) -> Result<(), CallError> {
    table.add(vr, vm, address).map(|_| ())
}

/// Removes the row: every frame is accounted for, every key wiped.
pub(crate) fn remove_vm(
    table: &mut ConnectionTable,
    transmitter: &mut Transmitter,
    outbox: &mut Outbox,
    vr: VrId,
) -> Result<(), CallError> {
    let mut row = table.remove(vr)?;
    transmitter.flush_all(&mut row, outbox);
    Ok(())
}

/// Starts a virtual MAC anew: queue, sequence counters, duplicate filter. Row, keys and packet numbers stay.
pub(crate) fn reset_virtual_mac(
    table: &mut ConnectionTable,
    transmitter: &mut Transmitter,
    outbox: &mut Outbox,
    vr: VrId,
) -> Result<(), CallError> {
    let row = table.row_mut(vr).ok_or(CallError::UnknownVm)?;
    transmitter.flush_all(row, outbox);
    // The access point still believes what it was told last.
    row.duplicates = DuplicateFilter::default();
    row.mac = VirtualMac { power: row.mac.power, ..VirtualMac::default() };
    Ok(())
}
