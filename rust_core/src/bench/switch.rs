//! The radio moves from one VM to another: a slot border of the device's schedule.

use core::time::Duration;
use std::time::Instant as Clock;

use super::{Work, WorkError};
use crate::air::{AirStation, Channel, TransmitReport};
use crate::device::{Device, DeviceConfig};
use crate::host_api::call::{CipherSuite, Connection, ConnectionState, KeyScope, Parameters, Slot, SlotList};
use crate::host_api::{Completion, Header, HostCall, Kind, Messages};
use crate::ids::{KeyId, MacAddr, PacketNumber, VmId, VrId};
use crate::time::Instant;

/// VMs of one access point; it could number no more than 2007.
const STATIONS: u16 = 256;
/// The channels that the radio moves between.
const CHANNELS: [Channel; 2] = [1, 6];
/// Where the VMs stand whose turn does not come.
const OTHERS: [Channel; 4] = [11, 36, 40, 44];
const SLOT_US: u32 = 100_000;

/// A device with many connected VMs whose radio goes to and fro.
///
/// A switch is everything from the end of one VM's slot to the beginning of the other's: farewell and return (the Null
/// frame to the access point included), departure, arrival, settings in force. Time is virtual; it costs nothing.
pub struct Switch {
    device: Device,
    now: Instant,
    up: Vec<u8>,
}

impl Switch {
    /// That many VMs. One stands on each of the two channels and the others on channels without a slot; or, `is_crowded`,
    /// all of them on the two channels, half on each.
    ///
    /// # Errors
    /// `Invalid`: not 2 to 65,535 VMs.
    pub fn new(vms: usize, is_crowded: bool) -> Result<Self, WorkError> {
        let count = u16::try_from(vms).ok().filter(|count| *count >= 2);
        let count = count.ok_or(WorkError::Invalid("there are 2 to 65535 VMs"))?;
        let config = DeviceConfig { max_vms: u32::from(count), ..DeviceConfig::default() };
        let mut work = Self { device: Device::new(config), now: Instant::ZERO, up: Vec::new() };
        for number in 0..count {
            let channels: &[Channel] = if is_crowded || number < 2 { &CHANNELS } else { &OTHERS };
            let channel = channels.get(usize::from(number) % channels.len()).copied().unwrap_or_default();
            work.add_vm(number, channel)?;
        }
        let slots = SlotList::octets(&CHANNELS.map(|channel| Slot { channel, length_us: SLOT_US }));
        let slots = SlotList::new(&slots).ok_or(WorkError::Wrong("the schedule has no slots"))?;
        work.call(None, HostCall::SetSchedule(slots))?;
        // Both ways once: every access point is told.
        work.switch()?;
        work.run(2)?;
        Ok(work)
    }

    fn add_vm(&mut self, number: u16, channel: Channel) -> Result<(), WorkError> {
        let [high, low] = number.to_be_bytes();
        let vr = Some(VrId::new(number));
        let address = MacAddr([2, 0, 0, 0, high, low]);
        self.call(vr, HostCall::InitVm { vm: VmId::new(number), address })?;
        self.call(vr, HostCall::SetParameters(Parameters { channel, rate: 540, ..Parameters::default() }))?;
        let state = ConnectionState::Authorized;
        let [_, access_point] = (number / STATIONS).to_be_bytes();
        let bssid = MacAddr([2, 0xaa, 0, 0, channel, access_point]);
        let association_id = number % STATIONS + 1;
        let connection = Connection { state, bssid, association_id, qos: true, privacy: true, beacon_interval: 0 };
        self.call(vr, HostCall::SetConnection(connection))?;
        let key = [0x5a, high, low, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let (key_id, scope, cipher) = (KeyId::from_low_bits(0), KeyScope::Pairwise, CipherSuite::CCMP_128);
        let receive_counter = PacketNumber::default();
        self.call(vr, HostCall::InstallKey { key_id, scope, cipher, receive_counter, key: &key })
    }

    fn call(&mut self, identifier: Option<VrId>, call: HostCall<'_>) -> Result<(), WorkError> {
        let header = Header { kind: Kind::Call, opcode: call.opcode(), sequence: 0, identifier };
        let width = self.device.identifier_width();
        let mut octets = Vec::new();
        header.emit(width, &mut octets, |out| call.emit(out));
        self.device.handle_messages(&octets, self.now);
        self.up.clear();
        self.device.poll_messages(&mut self.up);
        let is_done = Messages::<VrId>::new(&self.up, width)
            .filter_map(Result::ok)
            .filter(|(header, _)| header.kind == Kind::Completion)
            .any(|(_, payload)| Completion::parse(payload).is_ok_and(|completion| completion.result.is_ok()));
        if is_done { Ok(()) } else { Err(WorkError::Wrong("the device refused to be set up")) }
    }

    /// Lets time pass until the radio stands on another channel and has nothing to say there.
    fn switch(&mut self) -> Result<(), WorkError> {
        const NEVER: WorkError = WorkError::Wrong("the radio did not move");
        let Self { device, now, up } = self;
        let from = device.channel();
        // Far more deadlines than a slot has.
        for _ in 0..1000 {
            while let Some(burst) = device.poll_transmit(*now) {
                let done = burst.frames.len();
                device.handle_transmit_report(TransmitReport { burst, done }, *now);
            }
            if device.channel().is_some() && device.channel() != from {
                up.clear();
                device.poll_messages(up);
                return Ok(());
            }
            *now = device.poll_timeout().ok_or(NEVER)?;
            device.handle_timeout(*now);
        }
        Err(NEVER)
    }
}

impl Work for Switch {
    fn items(&self) -> usize {
        1
    }

    fn run(&mut self, repetitions: usize) -> Result<Duration, WorkError> {
        let start = Clock::now();
        for _ in 0..repetitions {
            self.switch()?;
        }
        Ok(start.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_switch_goes_to_the_other_channel() {
        for is_crowded in [false, true] {
            let mut work = Switch::new(10, is_crowded).unwrap();
            let (before, null_frames) = (work.device.channel(), sent(&work));
            work.run(1).unwrap();
            let after = work.device.channel();
            assert!(before != after && after.is_some_and(|channel| CHANNELS.contains(&channel)));
            work.run(1).unwrap();
            assert_eq!(work.device.channel(), before);
            // Two switches: each VM that has turns says farewell and returns once.
            assert_eq!(sent(&work) - null_frames, if is_crowded { 20 } else { 4 });
        }
        assert!(Switch::new(1, false).is_err() && Switch::new(65_536, false).is_err());
    }

    fn sent(work: &Switch) -> u64 {
        work.device.counters().map(|(_, counters)| counters.null_frames).sum()
    }
}
