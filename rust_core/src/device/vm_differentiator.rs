//! The VM differentiator (618): finds whom a call concerns. Controls by the header's identifier; packets by the identifier
//! too, or, from a legacy host, by their source address.

use super::device::Device;
use super::drop_reason::DropReason;
use super::outbox::CallTag;
use super::row_encoding::{emit_counters, emit_row};
use super::transmit;
use super::transmit_queue::{LaneKey, Queued};
use super::vm_init;
use crate::host_api::call::{Connection, ConnectionState, HostCall, KeyScope, Parameters};
use crate::host_api::device_call::DeviceInfo;
use crate::host_api::{CallError, Header, TransmitDescriptor};
use crate::ids::VrId;
use crate::time::Instant;

/// Answers one call; a packet is answered when it was sent or dropped.
pub(crate) fn handle_call(device: &mut Device, header: Header<VrId>, payload: &[u8], now: Instant) {
    let tag = CallTag { opcode: header.opcode, sequence: header.sequence, identifier: header.identifier };
    let mut answer = Vec::new();
    let result = match HostCall::parse(header.opcode, payload) {
        Ok(HostCall::TransmitPacket { descriptor, frame }) => {
            transmit_packet(device, tag, descriptor, frame);
            return;
        }
        Ok(call) => control(device, header.identifier, call, &mut answer, now),
        Err(error) => Err(error),
    };
    device.outbox.complete(tag, result, 0, &answer);
}

fn control(
    device: &mut Device,
    identifier: Option<VrId>,
    call: HostCall<'_>,
    answer: &mut Vec<u8>,
    now: Instant,
) -> Result<(), CallError> {
    match call {
        HostCall::DeviceInfo => device_info(device).emit(answer),
        HostCall::ResetDevice => device.reset(now),
        HostCall::SetSchedule(slots) => device.schedule.set(slots.iter(), now)?,
        HostCall::ReadCounters if identifier.is_none() => emit_counters(&device.counters, answer),
        HostCall::InitVm { vm, address } => {
            let vr = identifier.ok_or(CallError::NoIdentifier)?;
            vm_init::init_vm(&mut device.table, vr, vm, address)?;
        }
        // The engine's: this device carries none.
        HostCall::Scan { .. } => return Err(CallError::UnknownOpcode),
        call => return row_control(device, identifier.ok_or(CallError::NoIdentifier)?, call, answer, now),
    }
    Ok(())
}

/// Controls of one row.
fn row_control(
    device: &mut Device,
    vr: VrId,
    call: HostCall<'_>,
    answer: &mut Vec<u8>,
    now: Instant,
) -> Result<(), CallError> {
    let Device { table, transmitter, outbox, .. } = device;
    let row = table.row_mut(vr).ok_or(CallError::UnknownVm)?;
    match call {
        HostCall::RemoveVm => {
            let (connection, parameters) = (row.connection(), row.parameters());
            vm_init::remove_vm(table, transmitter, outbox, vr)?;
            device.forget_announcements(vr);
            device.watch_access_point(connection, parameters, now);
        }
        HostCall::ResetVirtualMac => vm_init::reset_virtual_mac(table, transmitter, outbox, vr)?,
        HostCall::SetParameters(parameters) => set_parameters(device, vr, parameters, now)?,
        HostCall::SetConnection(connection) => set_connection(device, vr, connection, now)?,
        HostCall::InstallKey { key_id, scope, cipher, receive_counter, key } => {
            table.install_key(vr, scope, key_id, cipher, key, receive_counter)?;
        }
        HostCall::RemoveKey { key_id, scope } => {
            row.keys.remove(scope, key_id)?;
            if scope == KeyScope::Pairwise {
                // What was queued under this key must not be sent under another one, or none.
                transmitter.flush_data(row, outbox);
            }
        }
        HostCall::ReadRow => emit_row(row, answer),
        HostCall::ReadCounters => emit_counters(row.counters(), answer),
        HostCall::DeviceInfo
        | HostCall::ResetDevice
        | HostCall::SetSchedule(_)
        | HostCall::InitVm { .. }
        | HostCall::Scan { .. }
        | HostCall::TransmitPacket { .. } => return Err(CallError::UnknownOpcode),
    }
    Ok(())
}

fn set_parameters(device: &mut Device, vr: VrId, parameters: Parameters, now: Instant) -> Result<(), CallError> {
    let row = device.table.row(vr).ok_or(CallError::UnknownVm)?;
    let (connection, old) = (row.connection(), row.parameters());
    device.table.set_parameters(vr, parameters)?;
    if old.channel != parameters.channel {
        if let Some(row) = device.table.row(vr) {
            device.transmitter.move_lane(row, old.channel);
        }
        device.watch_access_point(connection, old, now);
        device.watch_access_point(connection, parameters, now);
    }
    Ok(())
}

fn set_connection(device: &mut Device, vr: VrId, connection: Connection, now: Instant) -> Result<(), CallError> {
    let row = device.table.row(vr).ok_or(CallError::UnknownVm)?;
    let (old, parameters) = (row.connection(), row.parameters());
    device.table.set_connection(vr, connection)?;
    let is_over = connection.state < ConnectionState::Associated && old.state >= ConnectionState::Associated;
    if let Some(row) = device.table.row_mut(vr).filter(|_| is_over || old.bssid != connection.bssid) {
        device.transmitter.flush_data(row, &mut device.outbox);
    }
    device.watch_access_point(old, parameters, now);
    device.watch_access_point(connection, parameters, now);
    Ok(())
}

fn transmit_packet(device: &mut Device, tag: CallTag, descriptor: TransmitDescriptor, frame: &[u8]) {
    let Device { table, transmitter, outbox, counters, .. } = device;
    if tag.identifier.is_some_and(|vr| table.row(vr).is_none()) {
        counters.drop(DropReason::NoSuchVm);
        outbox.complete(tag, Err(CallError::UnknownVm), DropReason::NoSuchVm as u8, &[]);
        return;
    }
    let attributed = transmit::parse(frame)
        .and_then(|header| transmit::attribute(table, tag.identifier, &header).map(|vr| (header, vr)));
    // A VM's own identifier says whose mistake it was, even where the frame says nothing or claims to be another's.
    let vr = attributed.as_ref().ok().map(|(_, vr)| *vr).or(tag.identifier);
    let Some(row) = vr.and_then(|vr| table.row_mut(vr)) else {
        let reason = attributed.err().unwrap_or(DropReason::NoSuchVm);
        counters.drop(reason);
        outbox.complete(tag, Err(CallError::Dropped), reason as u8, &[]);
        return;
    };
    let admitted = attributed.and_then(|(header, _)| transmit::admit(row, &header, frame, descriptor));
    match admitted {
        Ok(outgoing) => {
            let lane = match descriptor.channel {
                0 => LaneKey::Own,
                channel if channel == row.parameters().channel => LaneKey::Own,
                channel => LaneKey::Elsewhere(channel),
            };
            let queued = Queued { tag, outgoing, mpdu: frame.to_vec(), is_sealed: false, tries: 0 };
            transmitter.enqueue(row, lane, queued, outbox);
        }
        Err(reason) => {
            row.counters.drop(reason);
            outbox.complete(tag, Err(CallError::Dropped), reason as u8, &[]);
        }
    }
}

fn device_info(device: &Device) -> DeviceInfo {
    use crate::host_api::call::CipherSuite;
    DeviceInfo {
        max_vms: device.config().max_vms,
        max_radios: 1,
        max_slots: u8::try_from(super::radio_schedule::MAX_SLOTS).unwrap_or(u8::MAX),
        queue_length: device.config().queue_length,
        ciphers: 1 << CipherSuite::CCMP_128.0 | 1 << CipherSuite::CCMP_256.0,
    }
}
