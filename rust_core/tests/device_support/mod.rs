//! A host and an air for one device: builds calls and frames, reads what comes back.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this module")]

use core::time::Duration;

use polyradio_core::air::{AirStation, Burst, Reception, TransmitReport};
use polyradio_core::device::{Device, DeviceConfig, DropReason};
use polyradio_core::frame_batch::FrameBatch;
use polyradio_core::host_api::call::{
    CipherSuite, Connection, ConnectionState, KeyScope, Parameters, Slot, SlotList, TransmitDescriptor,
};
use polyradio_core::host_api::device_call::{ReceiveDescriptor, StatusCode};
use polyradio_core::host_api::{CallError, Completion, DeviceCall, Header, HostCall, Kind, Messages};
use polyradio_core::ids::{KeyId, MacAddr, PacketNumber, Tid, VmId, VrId};
use polyradio_core::security::ccmp::CcmpKey;
use polyradio_core::time::Instant;
use polyradio_core::wire::frame_control::{FrameControl, data_subtype, management_subtype};
use polyradio_core::wire::mac_header::{MacHeader, QosControl, SequenceControl};

pub const AP: MacAddr = MacAddr([2, 0xaa, 0, 0, 0, 1]);
pub const OTHER_AP: MacAddr = MacAddr([2, 0xaa, 0, 0, 0, 2]);
pub const PEER: MacAddr = MacAddr([2, 0xbb, 0, 0, 0, 9]);
pub const GROUP_KEY: [u8; 16] = [0x99; 16];

pub fn vr(number: u16) -> VrId {
    VrId::new(number)
}

pub fn address(number: u16) -> MacAddr {
    let [high, low] = number.to_be_bytes();
    MacAddr([2, 0, 0, 0, high, low])
}

pub fn key(number: u16) -> [u8; 16] {
    let [high, low] = number.to_be_bytes();
    [0x5a, high, low, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
}

pub fn at_ms(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

/// What came up, owned.
#[derive(Clone, Debug, PartialEq)]
pub enum Up {
    Done { vr: Option<VrId>, opcode: u16, sequence: u16, result: Result<(), CallError>, detail: u8, answer: Vec<u8> },
    Packet { vr: VrId, descriptor: ReceiveDescriptor, frame: Vec<u8> },
    Status { vr: Option<VrId>, code: StatusCode, value: u16 },
}

pub struct Bench {
    pub device: Device,
    pub now: Instant,
    sequence: u16,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(DeviceConfig { max_vms: 1100, queue_length: 8, ..DeviceConfig::default() })
    }

    pub fn with(config: DeviceConfig) -> Self {
        Self { device: Device::new(config), now: Instant::ZERO, sequence: 0 }
    }

    /// A device on channel 1 with `count` authorized VMs of [`AP`], each with its pairwise key 0 and group key 1.
    pub fn with_vms(count: u16) -> Self {
        let mut bench = Self::new();
        for number in 0..count {
            bench.add_vm(number);
        }
        bench.stand_on(1);
        bench.take();
        bench
    }

    pub fn add_vm(&mut self, number: u16) {
        let vm = VmId::new(number + 1000);
        self.ok(Some(vr(number)), HostCall::InitVm { vm, address: address(number) });
        self.ok(Some(vr(number)), HostCall::SetParameters(parameters(1)));
        self.ok(Some(vr(number)), HostCall::SetConnection(connection(ConnectionState::Authorized)));
        self.install(number, KeyScope::Pairwise, 0, &key(number)).expect("a new key");
        self.install(number, KeyScope::Group, 1, &GROUP_KEY).expect("a new key");
    }

    pub fn stand_on(&mut self, channel: u8) {
        self.schedule(&[(channel, 20_000)]).expect("one slot");
        self.run_until(self.now + Duration::from_millis(5));
        assert_eq!(self.device.channel(), Some(channel));
    }

    pub fn schedule(&mut self, slots: &[(u8, u32)]) -> Result<(), CallError> {
        let slots: Vec<Slot> =
            slots.iter().map(|(channel, length_us)| Slot { channel: *channel, length_us: *length_us }).collect();
        let octets = SlotList::octets(&slots);
        self.call(None, HostCall::SetSchedule(SlotList::new(&octets).expect("whole slots"))).0
    }

    pub fn install(&mut self, number: u16, scope: KeyScope, id: u8, key: &[u8]) -> Result<(), CallError> {
        let (key_id, receive_counter) = (KeyId::from_low_bits(id), PacketNumber::default());
        let cipher = CipherSuite::CCMP_128;
        self.call(Some(vr(number)), HostCall::InstallKey { key_id, scope, cipher, receive_counter, key }).0
    }

    /// Makes a call and returns its sequence number.
    pub fn submit(&mut self, identifier: Option<VrId>, call: HostCall<'_>) -> u16 {
        self.sequence = self.sequence.wrapping_add(1);
        let header = Header { kind: Kind::Call, opcode: call.opcode(), sequence: self.sequence, identifier };
        let mut octets = Vec::new();
        assert!(header.emit(self.device.identifier_width(), &mut octets, |out| call.emit(out)));
        self.device.handle_messages(&octets, self.now);
        self.sequence
    }

    /// Makes a call that is answered at once; what else came up is lost.
    pub fn call(&mut self, identifier: Option<VrId>, call: HostCall<'_>) -> (Result<(), CallError>, Vec<u8>) {
        let sequence = self.submit(identifier, call);
        let answers: Vec<Up> = self
            .take()
            .into_iter()
            .filter(|up| matches!(up, Up::Done { sequence: answered, .. } if *answered == sequence))
            .collect();
        match answers.as_slice() {
            [Up::Done { vr, result, answer, .. }] => {
                assert_eq!(*vr, identifier);
                (*result, answer.clone())
            }
            _ => panic!("one answer, not {answers:?}"),
        }
    }

    pub fn ok(&mut self, identifier: Option<VrId>, call: HostCall<'_>) {
        assert_eq!(self.call(identifier, call).0, Ok(()), "{call:?}");
    }

    /// Submits a frame as VM `number`.
    pub fn transmit(&mut self, number: u16, frame: &[u8]) -> u16 {
        self.submit(Some(vr(number)), packet(frame))
    }

    /// Submits a frame that is refused at once; returns the reason.
    pub fn refused(&mut self, identifier: Option<VrId>, descriptor: TransmitDescriptor, frame: &[u8]) -> DropReason {
        self.submit(identifier, HostCall::TransmitPacket { descriptor, frame });
        match self.take().as_slice() {
            [Up::Done { result: Err(CallError::Dropped), detail, vr, .. }] if *vr == identifier => {
                DropReason::ALL[usize::from(*detail)]
            }
            other => panic!("one refusal, not {other:?}"),
        }
    }

    pub fn take(&mut self) -> Vec<Up> {
        let mut octets = Vec::new();
        self.device.poll_messages(&mut octets);
        read(&octets, &self.device)
    }

    pub fn hear_on(&mut self, channel: u8, frames: &[&[u8]]) -> Vec<Up> {
        let batch: FrameBatch = frames.iter().copied().collect();
        let reception = Reception { channel, rate: 540, signal_dbm: -40 };
        self.device.handle_air_frames(&batch, reception, self.now);
        self.take()
    }

    pub fn hear(&mut self, frames: &[&[u8]]) -> Vec<Up> {
        self.hear_on(1, frames)
    }

    /// Hears one frame that is dropped, and returns whose counter grew and why.
    pub fn dropped(&mut self, frame: &[u8]) -> (Option<VmId>, DropReason) {
        let before = self.drops();
        assert_eq!(self.hear(&[frame]), []);
        let grown: Vec<_> = self.drops().into_iter().filter(|entry| !before.contains(entry)).collect();
        assert_eq!(grown.len(), 1, "{grown:?}");
        (grown[0].0, grown[0].1)
    }

    fn drops(&self) -> Vec<(Option<VmId>, DropReason, u64)> {
        self.device
            .counters()
            .flat_map(|(vm, counters)| counters.drops.iter().map(move |(reason, count)| (vm, reason, count)))
            .collect()
    }

    pub fn burst(&mut self) -> Option<Burst> {
        self.device.poll_transmit(self.now)
    }

    pub fn report(&mut self, burst: Burst, done: usize) {
        self.device.handle_transmit_report(TransmitReport { burst, done }, self.now);
    }

    /// Sends everything that is to be sent now, all acknowledged.
    pub fn send_all(&mut self) -> Vec<Burst> {
        let mut bursts = Vec::new();
        while let Some(burst) = self.burst() {
            bursts.push(burst.clone());
            let done = burst.frames.len();
            self.report(burst, done);
        }
        bursts
    }

    /// Lets time pass; sends, acknowledged, whatever the device wants to send at each of its deadlines.
    pub fn run_until(&mut self, end: Instant) -> Vec<(Instant, Burst)> {
        let mut sent = Vec::new();
        loop {
            sent.extend(self.send_all().into_iter().map(|burst| (self.now, burst)));
            let Some(next) = self.device.poll_timeout().filter(|next| *next <= end) else { break };
            self.now = next;
            self.device.handle_timeout(next);
        }
        self.now = end;
        sent
    }
}

pub fn read(octets: &[u8], device: &Device) -> Vec<Up> {
    Messages::<VrId>::new(octets, device.identifier_width())
        .map(|message| {
            let (header, payload) = message.expect("the device writes whole messages");
            match header.kind {
                Kind::Completion => {
                    let Completion { result, detail, answer } = Completion::parse(payload).expect("a completion");
                    let Header { opcode, sequence, identifier: vr, .. } = header;
                    Up::Done { vr, opcode, sequence, result, detail, answer: answer.to_vec() }
                }
                Kind::DeviceCall => match DeviceCall::parse(header.opcode, payload).expect("a device call") {
                    DeviceCall::ReceivedPacket { descriptor, frame } => Up::Packet {
                        vr: header.identifier.expect("a packet names its VR"),
                        descriptor,
                        frame: frame.to_vec(),
                    },
                    DeviceCall::Status { code, value } => Up::Status { vr: header.identifier, code, value },
                },
                Kind::Call => panic!("a device makes no calls"),
            }
        })
        .collect()
}

pub fn packet(frame: &[u8]) -> HostCall<'_> {
    let tid = MacHeader::parse(frame).ok().and_then(|header| header.qos).map(QosControl::tid).unwrap_or_default();
    HostCall::TransmitPacket { descriptor: TransmitDescriptor { tid, ..TransmitDescriptor::default() }, frame }
}

pub fn parameters(channel: u8) -> Parameters {
    Parameters { channel, ..Parameters::default() }
}

pub fn connection(state: ConnectionState) -> Connection {
    Connection { state, bssid: AP, association_id: 1, qos: true, privacy: true, beacon_interval: 0 }
}

/// A frame's header and what stands behind it.
#[derive(Clone)]
pub struct Frame {
    pub header: MacHeader,
    pub body: Vec<u8>,
}

impl Frame {
    /// From the access point to a station.
    pub fn down(to: MacAddr, number: u16) -> Self {
        let control = FrameControl::data(data_subtype::QOS_DATA).with_from_ds(true);
        Self::new(control, to, AP, PEER, number)
    }

    /// From a VM to the access point.
    pub fn up(from: u16) -> Self {
        let control = FrameControl::data(data_subtype::QOS_DATA).with_to_ds(true);
        Self::new(control, AP, address(from), PEER, 0)
    }

    pub fn management(subtype: u8, to: MacAddr, from: MacAddr) -> Self {
        Self::new(FrameControl::management(subtype), to, from, from, 1)
    }

    pub fn beacon(bssid: MacAddr) -> Self {
        Self::management(management_subtype::BEACON, MacAddr::BROADCAST, bssid)
    }

    fn new(control: FrameControl, addr1: MacAddr, addr2: MacAddr, addr3: MacAddr, number: u16) -> Self {
        let mut header = MacHeader::three_address(control, addr1, addr2, addr3);
        header.sequence = Some(SequenceControl { number, fragment: 0 });
        if control.is_qos_data() {
            header.qos = Some(QosControl::from_tid(Tid::from_low_bits(0)));
        }
        Self { header, body: llc(0x0800, b"some payload") }
    }

    pub fn eapol(mut self) -> Self {
        self.body = llc(0x888e, b"key");
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut MacHeader)) -> Self {
        change(&mut self.header);
        self
    }

    pub fn retry(self) -> Self {
        self.with(|header| header.frame_control = header.frame_control.with_retry(true))
    }

    pub fn octets(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        self.header.emit(&mut octets);
        octets.extend_from_slice(&self.body);
        octets
    }

    pub fn sealed(&self, key: &[u8], id: u8, number: u64) -> Vec<u8> {
        let mut octets = Vec::new();
        let (number, id) = (PacketNumber::from_low_bits(number), KeyId::from_low_bits(id));
        CcmpKey::new(key).expect("16 octets").seal(&self.octets(), number, id, &mut octets).expect("a data frame");
        octets
    }
}

pub fn llc(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut body = vec![0xaa, 0xaa, 3, 0, 0, 0];
    body.extend(ethertype.to_be_bytes());
    body.extend_from_slice(payload);
    body
}

pub fn header(frame: &[u8]) -> MacHeader {
    MacHeader::parse(frame).expect("a whole header")
}
