//! Properties: whatever is called and whatever is heard, no frame crosses from one VM to another, no frame is lost
//! without being counted, every call has one answer, and nothing panics.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "tests may panic")]

mod device_support;

use std::collections::HashMap;

use device_support::*;
use polyradio_core::air::{AirStation, TransmitReport};
use polyradio_core::device::{ConnectionTable, Counters, Device, DeviceConfig};
use polyradio_core::frame_batch::FrameBatch;
use polyradio_core::host_api::call::{
    CipherSuite, Connection, ConnectionState, HostCall, KeyScope, Parameters, Slot, SlotList, TransmitDescriptor,
};
use polyradio_core::host_api::{Header, Kind};
use polyradio_core::ids::{Identifier, KeyId, MacAddr, PacketNumber, Tid, VmId, VrId};
use polyradio_core::time::Instant;
use polyradio_core::wire::frame_control::FrameControl;
use polyradio_core::wire::mac_header::{MacHeader, QosControl, SequenceControl};
use proptest::prelude::*;

const VMS: u16 = 4;

/// One VM of a random device.
#[derive(Clone, Debug)]
struct Vm {
    state: u8,
    bssid: MacAddr,
    privacy: bool,
    scan_filter: bool,
    forward: bool,
    pairwise: Option<(u8, u16)>,
    group: Option<u8>,
}

/// A random frame, mostly plausible.
#[derive(Clone, Debug)]
struct Heard {
    control: u16,
    addresses: [MacAddr; 3],
    sequence: u16,
    fragment: u8,
    tid: u8,
    is_eapol: bool,
    sealed: Option<(u16, u8, u64)>,
    cut: usize,
}

fn addresses() -> impl Strategy<Value = MacAddr> {
    prop_oneof![
        6 => (0..VMS + 1).prop_map(address),
        3 => Just(AP),
        2 => Just(OTHER_AP),
        2 => Just(MacAddr::BROADCAST),
        1 => any::<[u8; 6]>().prop_map(MacAddr),
    ]
}

fn vms() -> impl Strategy<Value = Vec<Vm>> {
    let bssid = prop_oneof![3 => Just(AP), 1 => Just(OTHER_AP)];
    let state = prop_oneof![1 => 0..3_u8, 4 => Just(3_u8)];
    let pairwise = proptest::option::weighted(0.8, (0..2_u8, 0..VMS));
    let group = proptest::option::weighted(0.8, 1..3_u8);
    let flags = (proptest::bool::weighted(0.8), proptest::bool::weighted(0.2), proptest::bool::weighted(0.1));
    let vm = (state, bssid, flags, pairwise, group).prop_map(
        |(state, bssid, (privacy, scan_filter, forward), pairwise, group)| Vm {
            state,
            bssid,
            privacy,
            scan_filter,
            forward,
            pairwise,
            group,
        },
    );
    // Most VMs have the key and the identifiers that the frames for them are sealed with.
    (proptest::collection::vec(vm, usize::from(VMS)), proptest::collection::vec(0..5_u8, usize::from(VMS))).prop_map(
        |(mut vms, odd)| {
            for ((vm, number), odd) in vms.iter_mut().zip(0..).zip(odd) {
                if odd > 0 {
                    (vm.pairwise, vm.group) = (Some((0, number)), Some(1));
                }
            }
            vms
        },
    )
}

fn heard() -> impl Strategy<Value = Heard> {
    // Frame Control: data to a station or to the DS, management, or anything.
    let control = prop_oneof![
        6 => Just(0x0288_u16),
        2 => Just(0x0208_u16),
        2 => Just(0x0a88_u16),
        1 => Just(0x0188_u16),
        1 => Just(0x0080_u16),
        1 => Just(0x00c0_u16),
        1 => any::<u16>(),
    ];
    let who = (addresses(), prop_oneof![3 => Just(AP), 1 => addresses()], addresses());
    let any_key = (0..VMS + 1, 0..4_u8, 0..6_u64, Just(false));
    let right_key = (Just(0), Just(0), 0..6_u64, Just(true));
    let sealed = proptest::option::weighted(0.8, prop_oneof![1 => any_key, 3 => right_key]);
    let cut = prop_oneof![9 => Just(usize::MAX), 1 => 0..80_usize];
    (control, who, 0..3_u16, proptest::bool::weighted(0.05), 0..3_u8, any::<bool>(), sealed, cut).prop_map(
        |(control, (a, b, c), sequence, is_fragment, tid, is_eapol, sealed, cut)| Heard {
            control,
            addresses: [a, b, c],
            sequence,
            fragment: u8::from(is_fragment),
            tid,
            is_eapol,
            sealed: sealed.map(|(number, id, packet_number, is_right)| match (is_right, a.is_group()) {
                (false, _) => (number, id, packet_number),
                (true, true) => (VMS, 1, packet_number),
                (true, false) => (u16::from(a.octets()[5]) % VMS, 0, packet_number),
            }),
            cut,
        },
    )
}

/// Key `VMS` is the group key; the others are pairwise.
fn temporal_key(number: u16) -> [u8; 16] {
    if number == VMS { GROUP_KEY } else { key(number) }
}

impl Heard {
    fn octets(&self) -> Vec<u8> {
        let [a, b, c] = self.addresses;
        let control = FrameControl(self.control).with_order(false);
        let mut header = MacHeader::three_address(control, a, b, c);
        header.sequence = Some(SequenceControl { number: self.sequence, fragment: self.fragment });
        if control.is_qos_data() {
            header.qos = Some(QosControl::from_tid(Tid::from_low_bits(self.tid)));
        }
        // The body says which key it was sealed with.
        let marker = self.sealed.map_or(0xff, |(number, ..)| number).to_be_bytes();
        let frame = Frame { header, body: llc(if self.is_eapol { 0x888e } else { 0x0800 }, &marker) };
        let is_protectable = control.version() == 0 && self.control & 0x04 == 0;
        let mut octets = match self.sealed {
            Some((number, id, packet_number)) if is_protectable && !(control.to_ds() && control.from_ds()) => {
                frame.sealed(&temporal_key(number), id, packet_number)
            }
            _ => frame.octets(),
        };
        octets.truncate(self.cut);
        octets
    }
}

fn bench(vms: &[Vm]) -> Bench {
    let mut bench = Bench::new();
    for (number, vm) in (0..).zip(vms) {
        let identifier = Some(vr(number));
        bench.ok(identifier, HostCall::InitVm { vm: VmId::new(number + 1000), address: address(number) });
        let (scan_filter, forward_protected) = (vm.scan_filter, vm.forward);
        bench.ok(
            identifier,
            HostCall::SetParameters(Parameters { channel: 1, rate: 0, scan_filter, forward_protected }),
        );
        let state = ConnectionState::from_value(vm.state).expect("below 4");
        let connection = Connection { state, bssid: vm.bssid, privacy: vm.privacy, ..connection(state) };
        bench.ok(identifier, HostCall::SetConnection(connection));
        if let Some((id, number_of_key)) = vm.pairwise {
            bench.install(number, KeyScope::Pairwise, id, &key(number_of_key)).expect("a new key");
        }
        if let Some(id) = vm.group {
            bench.install(number, KeyScope::Group, id, &GROUP_KEY).expect("a new key");
        }
    }
    bench.stand_on(1);
    bench.take();
    bench
}

/// How many frames were accounted for so far, in whatever way.
fn accounted(device: &Device) -> u64 {
    let of = |counters: &Counters| {
        let dropped: u64 = counters.drops.iter().map(|(_, count)| count).sum();
        counters.received + counters.consumed + counters.off_channel + dropped
    };
    device.counters().map(|(_, counters)| of(counters)).sum()
}

/// True where the row of `vm` may have this frame as it was heard.
fn may_have(vm: &Vm, number: u16, heard: &MacHeader) -> bool {
    let is_management = heard.frame_control.0 & 0x0c == 0;
    match (heard.addr1.is_group(), is_management) {
        (false, _) => heard.addr1 == address(number),
        (true, false) => heard.addr2 == Some(vm.bssid),
        (true, true) => heard.addr2 == Some(vm.bssid) || vm.scan_filter,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_frame_is_handed_up_only_to_its_owner_and_opened_only_with_its_key(
        vms in vms(),
        bursts in proptest::collection::vec(proptest::collection::vec(heard(), 1..8), 1..5),
    ) {
        let mut bench = bench(&vms);
        for burst in bursts {
            let frames: Vec<Vec<u8>> = burst.iter().map(Heard::octets).collect();
            let views: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
            for up in bench.hear(&views) {
                let Up::Packet { vr, descriptor, frame } = up else { panic!("only packets: {up:?}") };
                let number = u16::try_from(vr.index()).expect("small");
                let vm = &vms[vr.index()];
                let header = header(&frame);
                prop_assert!(may_have(vm, number, &header), "{vr} has {header:?}");
                let is_data = header.frame_control.0 & 0x0c == 0x08;
                if is_data {
                    prop_assert_eq!(header.addr2, Some(vm.bssid));
                    prop_assert!(vm.state >= 2);
                }
                if descriptor.decrypted {
                    let marker = frame.last_chunk::<2>().map(|octets| u16::from_be_bytes(*octets)).expect("marked");
                    let expected = if header.addr1.is_group() { Some(VMS) } else { vm.pairwise.map(|(_, key)| key) };
                    prop_assert_eq!(Some(marker), expected);
                    prop_assert!(!header.frame_control.protected());
                } else if is_data && vm.privacy && !descriptor.still_protected {
                    prop_assert!(!header.addr1.is_group());
                    prop_assert_eq!(frame.get(header.length() + 6..header.length() + 8), Some(&[0x88, 0x8e][..]));
                }
            }
        }
    }

    #[test]
    fn no_protected_frame_is_handed_up_twice(
        vms in vms(),
        bursts in proptest::collection::vec(proptest::collection::vec(heard(), 1..8), 1..5),
    ) {
        let mut bench = bench(&vms);
        let mut last: HashMap<(usize, bool, u8), u64> = HashMap::new();
        for frame in bursts.iter().flatten().filter(|frame| frame.cut == usize::MAX) {
            for up in bench.hear(&[&frame.octets()]) {
                let Up::Packet { vr, descriptor, frame: got } = up else { panic!("only packets: {up:?}") };
                if let (true, Some((.., packet_number))) = (descriptor.decrypted, frame.sealed) {
                    let header = header(&got);
                    // Management frames count for themselves.
                    let class = if header.frame_control.0 & 0x0c == 0 { 16 } else { descriptor.tid.value() };
                    let last = last.entry((vr.index(), header.addr1.is_group(), class)).or_insert(0);
                    prop_assert!(packet_number > *last, "{packet_number} after {last}");
                    *last = packet_number;
                }
            }
        }
    }

    #[test]
    fn every_frame_heard_is_delivered_or_counted(vms in vms(), frames in proptest::collection::vec(heard(), 1..12)) {
        let mut bench = bench(&vms);
        for frame in frames {
            let octets = frame.octets();
            let before = accounted(&bench.device);
            bench.hear(&[&octets]);
            let counted = accounted(&bench.device) - before;
            let is_group = octets.get(4).is_some_and(|first| first & 1 != 0);
            let most = if is_group { u64::from(VMS) + 1 } else { 1 };
            prop_assert!((1..=most).contains(&counted), "{counted} times: {frame:?}");
        }
    }

    #[test]
    fn arbitrary_octets_are_counted_and_do_no_harm(
        vms in vms(),
        messages in proptest::collection::vec(any::<u8>(), 0..200),
        frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..100), 0..5),
    ) {
        let mut bench = bench(&vms);
        bench.device.handle_messages(&messages, bench.now);
        let views: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        let before = accounted(&bench.device);
        bench.hear(&views);
        prop_assert!(accounted(&bench.device) >= before + frames.len() as u64);
    }

    #[test]
    fn every_call_has_one_answer_with_its_sequence_and_identifier(steps in proptest::collection::vec(step(), 1..80)) {
        let mut bench = Bench::with(DeviceConfig { max_vms: 4, queue_length: 4, ..DeviceConfig::default() });
        let mut open: HashMap<u16, Option<VrId>> = HashMap::new();
        let mut on_air = None;
        for step in steps.iter().chain([&Step::Report(16), &Step::Reset]) {
            match step {
                Step::Call(identifier, call) => {
                    let sequence = bench.submit(*identifier, call.call());
                    open.insert(sequence, *identifier);
                }
                Step::Reset => {
                    open.insert(bench.submit(None, HostCall::ResetDevice), None);
                }
                Step::Wait(micros) => {
                    let now = Instant::from_nanos(bench.now.as_nanos() + u64::from(*micros) * 1000);
                    while let Some(next) = bench.device.poll_timeout().filter(|next| *next <= now) {
                        prop_assert!(next >= bench.now);
                        bench.now = next;
                        bench.device.handle_timeout(next);
                        prop_assert!(bench.device.poll_timeout().is_none_or(|after| after > next));
                    }
                    bench.now = now;
                }
                Step::Send => on_air = bench.burst().or(on_air),
                Step::Report(done) => {
                    if let Some(burst) = on_air.take() {
                        let done = usize::from(*done).min(burst.frames.len());
                        prop_assert_eq!(burst.vms.len(), burst.frames.len());
                        bench.device.handle_transmit_report(TransmitReport { burst, done }, bench.now);
                    }
                }
            }
            for up in bench.take() {
                if let Up::Done { vr, sequence, .. } = up {
                    prop_assert_eq!(open.remove(&sequence), Some(vr), "answered once, to whom it was asked");
                }
            }
        }
        prop_assert!(open.is_empty(), "without an answer: {open:?}");
    }

    #[test]
    fn a_table_by_itself_judges_as_the_device_does(
        vms in vms(),
        frames in proptest::collection::vec(heard(), 1..12),
    ) {
        let mut bench = bench(&vms);
        let mut table = table(&vms);
        for frame in frames.iter().map(Heard::octets).filter(|frame| frame.get(4).is_some_and(|first| first & 1 == 0)) {
            let outcome = table.open_batch(core::iter::once(frame.as_slice()).collect::<FrameBatch>().frames());
            let handed_up: Vec<(VmId, Vec<u8>)> = bench
                .hear(&[&frame])
                .into_iter()
                .map(|up| match up {
                    Up::Packet { vr, frame, .. } => (VmId::new(vr.to_u16() + 1000), frame),
                    other => panic!("only packets: {other:?}"),
                })
                .collect();
            let passed = outcome.verdicts[0].is_ok();
            let expected = outcome.vms[0].filter(|_| passed).zip(outcome.frames.frame(0).map(<[u8]>::to_vec));
            prop_assert_eq!(handed_up, expected.into_iter().collect::<Vec<_>>());
        }
    }
}

/// The same rows without a device around them.
fn table(vms: &[Vm]) -> ConnectionTable {
    let mut table = ConnectionTable::new(u32::from(VMS));
    for (number, vm) in (0..).zip(vms) {
        let zero = PacketNumber::default();
        table.add(vr(number), VmId::new(number + 1000), address(number)).expect("free");
        let (scan_filter, forward_protected) = (vm.scan_filter, vm.forward);
        let parameters = Parameters { channel: 1, rate: 0, scan_filter, forward_protected };
        table.set_parameters(vr(number), parameters).expect("a row");
        let state = ConnectionState::from_value(vm.state).expect("below 4");
        let connection = Connection { state, bssid: vm.bssid, privacy: vm.privacy, ..connection(state) };
        table.set_connection(vr(number), connection).expect("a row");
        if let Some((id, key_number)) = vm.pairwise {
            let (scope, id) = (KeyScope::Pairwise, KeyId::from_low_bits(id));
            table.install_key(vr(number), scope, id, CipherSuite::CCMP_128, &key(key_number), zero).expect("a new key");
        }
        if let Some(id) = vm.group {
            let (scope, id) = (KeyScope::Group, KeyId::from_low_bits(id));
            table.install_key(vr(number), scope, id, CipherSuite::CCMP_128, &GROUP_KEY, zero).expect("a new key");
        }
    }
    table
}

#[derive(Clone, Debug)]
enum Step {
    Call(Option<VrId>, OwnedCall),
    Wait(u16),
    Send,
    Report(u8),
    Reset,
}

#[derive(Clone, Debug)]
enum OwnedCall {
    Init(u16),
    Remove,
    ResetMac,
    Parameters(u8),
    Connection(u8),
    Install(u8, Vec<u8>),
    RemoveKey(u8),
    Read,
    Schedule(Vec<u8>),
    Transmit(u16, u8, Vec<u8>),
    Unknown,
}

impl OwnedCall {
    fn call(&self) -> HostCall<'_> {
        let pairwise = KeyScope::Pairwise;
        match self {
            Self::Init(number) => HostCall::InitVm { vm: VmId::new(*number), address: address(*number) },
            Self::Remove => HostCall::RemoveVm,
            Self::ResetMac => HostCall::ResetVirtualMac,
            Self::Parameters(channel) => HostCall::SetParameters(parameters(*channel)),
            Self::Connection(state) => {
                let state = ConnectionState::from_value(*state).expect("below 4");
                HostCall::SetConnection(Connection { beacon_interval: 10, ..connection(state) })
            }
            Self::Install(id, key) => HostCall::InstallKey {
                key_id: KeyId::from_low_bits(*id),
                scope: pairwise,
                cipher: CipherSuite::CCMP_128,
                receive_counter: PacketNumber::default(),
                key,
            },
            Self::RemoveKey(id) => HostCall::RemoveKey { key_id: KeyId::from_low_bits(*id), scope: pairwise },
            Self::Read => HostCall::ReadRow,
            Self::Schedule(octets) => HostCall::SetSchedule(SlotList::new(octets).expect("whole slots")),
            Self::Transmit(_, channel, frame) => HostCall::TransmitPacket {
                descriptor: TransmitDescriptor { channel: *channel, ..TransmitDescriptor::default() },
                frame,
            },
            Self::Unknown => HostCall::Scan { channels: &[] },
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let channel = prop_oneof![Just(1_u8), Just(6)];
    let slots = proptest::collection::vec((channel.clone(), 600..9000_u32), 0..3).prop_map(|slots| {
        let slots: Vec<Slot> = slots.into_iter().map(|(channel, length_us)| Slot { channel, length_us }).collect();
        SlotList::octets(&slots)
    });
    let call = prop_oneof![
        2 => (0..4_u16).prop_map(OwnedCall::Init),
        1 => Just(OwnedCall::Remove),
        1 => Just(OwnedCall::ResetMac),
        2 => channel.clone().prop_map(OwnedCall::Parameters),
        4 => prop_oneof![1 => 0..3_u8, 3 => Just(3)].prop_map(OwnedCall::Connection),
        2 => (0..2_u8, 1..4_u8).prop_map(|(id, octet)| OwnedCall::Install(id, vec![octet; 16])),
        1 => (0..2_u8).prop_map(OwnedCall::RemoveKey),
        1 => Just(OwnedCall::Read),
        2 => slots.prop_map(OwnedCall::Schedule),
        8 => (0..4_u16, prop_oneof![3 => Just(0_u8), 1 => channel])
            .prop_map(|(number, channel)| OwnedCall::Transmit(number, channel, Frame::up(number).octets())),
        1 => Just(OwnedCall::Unknown),
    ];
    // A call for the VM whose frame or address it carries is the usual case; any other one must do no harm.
    let call = (call, proptest::option::weighted(0.3, proptest::option::of(0..5_u16))).prop_map(|(call, other)| {
        let own = match &call {
            OwnedCall::Init(number) | OwnedCall::Transmit(number, ..) => Some(*number),
            OwnedCall::Schedule(_) => None,
            _ => Some(0),
        };
        Step::Call(other.unwrap_or(own).map(vr), call)
    });
    prop_oneof![
        8 => call,
        2 => (0..20_000_u16).prop_map(Step::Wait),
        3 => Just(Step::Send),
        3 => (0..17_u8).prop_map(Step::Report),
    ]
}

#[test]
fn a_message_that_is_no_call_is_counted_and_not_answered() {
    let mut bench = Bench::new();
    let mut octets = Vec::new();
    let header = Header::<VrId> { kind: Kind::Completion, opcode: 1, sequence: 1, identifier: None };
    header.emit(bench.device.identifier_width(), &mut octets, |_| {});
    octets.push(1);
    bench.device.handle_messages(&octets, bench.now);
    assert_eq!(bench.take(), []);
    let (_, counters) = bench.device.counters().next().expect("the device's own");
    assert_eq!(counters.bad_messages, 2);
}
