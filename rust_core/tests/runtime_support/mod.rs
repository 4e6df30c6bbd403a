//! A world for the runtime's tests: one NIC, access points, VMs whose keys were put there by hand.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this module")]
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "tests may panic")]

use polyradio_core::access_point::{AccessPoint, StationParameters};
use polyradio_core::device::DeviceConfig;
use polyradio_core::frame_batch::FrameBatch;
use polyradio_core::host::{MemoryPort, Port};
use polyradio_core::host_api::call::{CipherSuite, Connection, ConnectionState, KeyScope, Parameters, Slot, SlotList};
use polyradio_core::host_api::{Completion, Header, HostCall, IdentifierWidth, Kind, Messages};
use polyradio_core::ids::{KeyId, MacAddr, PacketNumber, VmId, VrId};
use polyradio_core::runtime::{Runtime, Stop};
use polyradio_core::time::Instant;

pub const WIRED: MacAddr = MacAddr([2, 0, 0, 0xee, 0, 1]);

pub struct World {
    pub runtime: Runtime,
    pub nic: usize,
    pub access_points: Vec<(usize, MacAddr, u8, MemoryPort)>,
    pub vms: Vec<(MacAddr, MemoryPort)>,
    width: IdentifierWidth,
    sequence: u16,
}

pub fn vm_address(vm: u16) -> MacAddr {
    let [high, low] = vm.to_be_bytes();
    MacAddr([2, 0, 0, 1, high, low])
}

pub fn ethernet(destination: MacAddr, source: MacAddr, number: u32, length: usize) -> Vec<u8> {
    let mut frame = [destination.octets(), source.octets()].concat();
    frame.extend([0x88, 0xb5]);
    frame.extend(number.to_be_bytes());
    frame.resize(14 + length.max(4), 0x5a);
    frame
}

/// The numbers of the frames in a batch, as [`ethernet`] put them there.
pub fn numbers(frames: &FrameBatch) -> Vec<u32> {
    let number = |frame: &[u8]| u32::from_be_bytes(*frame[14..].first_chunk().expect("a number"));
    frames.iter().map(number).collect()
}

fn key(vm: u16) -> [u8; 16] {
    let [high, low] = vm.to_be_bytes();
    [0x5a, high, low, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
}

fn beacon(bssid: MacAddr, channel: u8) -> Vec<u8> {
    let mut frame = vec![0x80, 0, 0, 0];
    frame.extend([0xff; 6]);
    frame.extend(bssid.octets());
    frame.extend(bssid.octets());
    frame.extend([0; 10]);
    frame.extend([100, 0, 0x11, 0, 0, 1, b'x', 1, 1, 0x8c, 3, 1, channel]);
    frame
}

impl World {
    pub fn new(seed: u64, max_vms: u32) -> Self {
        let mut runtime = Runtime::new(seed, false);
        let nic = runtime.add_device(DeviceConfig { max_vms, ..DeviceConfig::default() });
        let width = IdentifierWidth::for_vms(max_vms);
        Self { runtime, nic, access_points: Vec::new(), vms: Vec::new(), width, sequence: 0x8000 }
    }

    pub fn call(&mut self, vr: Option<u16>, call: &HostCall<'_>) {
        let mut octets = Vec::new();
        self.sequence = self.sequence.wrapping_add(1) | 0x8000;
        let header =
            Header { kind: Kind::Call, opcode: call.opcode(), sequence: self.sequence, identifier: vr.map(VrId::new) };
        assert!(header.emit(self.width, &mut octets, |out| call.emit(out)));
        let now = self.runtime.now();
        let nic = self.runtime.device_mut(self.nic).expect("a device");
        nic.submit(&octets, now);
        for message in Messages::<VrId>::new(&nic.take_messages(), self.width) {
            let (header, payload) = message.expect("whole");
            if header.kind == Kind::Completion {
                assert_eq!(Completion::parse(payload).expect("whole").result, Ok(()), "{call:?}");
            }
        }
    }

    pub fn schedule(&mut self, slots: &[(u8, u32)]) {
        let slots: Vec<Slot> =
            slots.iter().map(|(channel, length_us)| Slot { channel: *channel, length_us: *length_us }).collect();
        let octets = SlotList::octets(&slots);
        self.call(None, &HostCall::SetSchedule(SlotList::new(&octets).expect("whole slots")));
    }

    pub fn add_access_point(&mut self, channel: u8, beacons: bool) -> usize {
        let number = u8::try_from(self.access_points.len()).expect("few");
        let bssid = MacAddr([2, 0xaa, 0, 0, 0, number + 1]);
        let wired = MemoryPort::new(1 << 20);
        let plane = AccessPoint::new(bssid, channel);
        let radio = self.runtime.add_access_point(plane, Some(Port::Memory(wired.clone())));
        let now = self.runtime.now();
        let plane = &mut self.runtime.access_point_mut(radio).expect("an access point").plane;
        let group_key = [0x90 + number; 16];
        plane.install_key(None, KeyId::from_low_bits(1), CipherSuite::CCMP_128, &group_key).expect("a key");
        if beacons {
            plane.set_beacon(&beacon(bssid, channel), 100, now).expect("a beacon");
        }
        self.access_points.push((radio, bssid, channel, wired));
        self.access_points.len() - 1
    }

    /// A VM that is connected to an access point.
    pub fn add_vm(&mut self, access_point: usize, is_legacy: bool) -> u16 {
        let vm = u16::try_from(self.vms.len()).expect("few");
        let (radio, bssid, channel, _) = self.access_points[access_point].clone();
        let address = vm_address(vm);
        let identifier = Some(vm);
        self.call(identifier, &HostCall::InitVm { vm: VmId::new(vm), address });
        self.call(identifier, &HostCall::SetParameters(Parameters { channel, rate: 540, ..Parameters::default() }));
        let connection = Connection {
            state: ConnectionState::Authorized,
            bssid,
            association_id: vm + 1,
            qos: true,
            privacy: true,
            beacon_interval: 0,
        };
        self.call(identifier, &HostCall::SetConnection(connection));
        let cipher = CipherSuite::CCMP_128;
        let receive_counter = PacketNumber::default();
        let group_key = [0x90 + u8::try_from(access_point).expect("few"); 16];
        for (key_id, scope, key) in
            [(0, KeyScope::Pairwise, key(vm).as_slice()), (1, KeyScope::Group, group_key.as_slice())]
        {
            let key_id = KeyId::from_low_bits(key_id);
            self.call(identifier, &HostCall::InstallKey { key_id, scope, cipher, receive_counter, key });
        }
        let plane = &mut self.runtime.access_point_mut(radio).expect("an access point").plane;
        let parameters = StationParameters { association_id: vm + 1, qos: true, authorized: true, privacy: true };
        plane.set_station(address, parameters);
        plane.install_key(Some(address), KeyId::from_low_bits(0), cipher, &key(vm)).expect("a key");
        let port = MemoryPort::new(1 << 16);
        let guests = &mut self.runtime.device_mut(self.nic).expect("a device").plane;
        let vr = VrId::new(vm);
        assert!(guests.attach(vr, VmId::new(vm), address, Port::Memory(port.clone()), is_legacy));
        assert!(guests.set_link(vr, Some(bssid), true));
        self.vms.push((address, port));
        vm
    }

    /// Lets time pass, whatever comes up for the control plane.
    pub fn run_for_ms(&mut self, millis: u64) {
        self.run_until(Instant::from_nanos(self.runtime.now().as_nanos() + millis * 1_000_000));
    }

    pub fn run_until(&mut self, until: Instant) {
        loop {
            self.runtime.begin_run();
            let stop = self.runtime.run(until, u32::MAX);
            self.take_all();
            if stop == Stop::Until {
                return;
            }
        }
    }

    pub fn take_all(&mut self) {
        self.runtime.device_mut(self.nic).expect("a device").take_messages();
        for (radio, ..) in &self.access_points {
            let plane = &mut self.runtime.access_point_mut(*radio).expect("an access point").plane;
            while plane.poll_frame().is_some() {}
        }
    }

    /// The VM sends frames with these numbers.
    pub fn send_up(&self, vm: u16, destination: MacAddr, frames: core::ops::Range<u32>, length: usize) {
        let (address, port) = &self.vms[usize::from(vm)];
        let batch: Vec<Vec<u8>> = frames.map(|number| ethernet(destination, *address, number, length)).collect();
        assert_eq!(port.push(batch.iter().map(Vec::as_slice).collect()), batch.len());
    }

    /// The wired host of an access point sends frames with these numbers.
    pub fn send_down(&self, access_point: usize, destination: MacAddr, frames: core::ops::Range<u32>, length: usize) {
        let batch: Vec<Vec<u8>> = frames.map(|number| ethernet(destination, WIRED, number, length)).collect();
        assert_eq!(self.access_points[access_point].3.push(batch.iter().map(Vec::as_slice).collect()), batch.len());
    }

    pub fn received_by_vm(&self, vm: u16) -> FrameBatch {
        self.vms[usize::from(vm)].1.take()
    }

    pub fn received_by_wire(&self, access_point: usize) -> FrameBatch {
        self.access_points[access_point].3.take()
    }

    pub fn guest_drops(&self, vm: u16) -> Vec<(&'static str, u64)> {
        let nic = self.runtime.device(self.nic).expect("a device");
        let guest = nic.plane.guest(VrId::new(vm)).expect("a guest");
        guest.counters().drops.iter().map(|(reason, count)| (reason.name(), count)).collect()
    }
}
