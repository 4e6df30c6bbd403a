//! Batches of a connection table say and do the same whatever the number of its workers.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "tests may panic")]

use polyradio_core::device::ConnectionTable;
use polyradio_core::device::batch::BatchOutcome;
use polyradio_core::frame_batch::FrameBatch;
use polyradio_core::host_api::CallError;
use polyradio_core::host_api::call::{CipherSuite, Connection, ConnectionState, KeyScope, Parameters};
use polyradio_core::ids::{KeyId, MacAddr, PacketNumber, VmId, VrId};
use polyradio_core::security::ccmp::CcmpKey;
use proptest::prelude::*;

const VMS: u16 = 9;
const GROUP_KEY: [u8; 16] = [0x77; 16];

/// A VM: connection state, which of two access points, privacy, scanning, forwarding; its pairwise key's identifier.
type Vm = (u8, bool, bool, bool, bool, u8);

/// A frame: the VM, its Frame Control field, QoS Control and fragment, packet number and sequence number, its body, what
/// is done to it.
#[derive(Clone, Debug)]
struct Frame {
    vm: u16,
    control: u16,
    qos: u8,
    fragment: u8,
    number: u64,
    sequence: u16,
    body: Vec<u8>,
    is_group: bool,
    is_from_other: bool,
    key: u8,
    cut: Option<u8>,
    flip: Option<u8>,
}

fn address(vm: u16) -> MacAddr {
    let [high, low] = vm.to_be_bytes();
    MacAddr([2, 0, 0, 9, high, low])
}

const fn access_point(other: bool) -> MacAddr {
    MacAddr([2, 0, 0, 0, 1, other as u8])
}

fn pairwise(vm: u16) -> Vec<u8> {
    // Some have CCMP-256.
    vec![vm.to_le_bytes()[0] + 1; if vm % 4 == 3 { 32 } else { 16 }]
}

fn table(vms: &[Vm], workers: usize) -> ConnectionTable {
    let mut table = ConnectionTable::with_workers(64, workers).expect("threads");
    for (number, (state, other, privacy, scan_filter, forward_protected, id)) in (0..).zip(vms.iter().copied()) {
        // Not one behind the other.
        let (vr, zero) = (VrId::new(number * 7), PacketNumber::default());
        table.add(vr, VmId::new(number + 100), address(number)).expect("free");
        let state = ConnectionState::from_value(state).expect("below 4");
        let connection = Connection { state, bssid: access_point(other), privacy, ..Connection::default() };
        table.set_connection(vr, connection).expect("a row");
        let parameters = Parameters { scan_filter, forward_protected, ..Parameters::default() };
        table.set_parameters(vr, parameters).expect("a row");
        let key = pairwise(number);
        let cipher = if key.len() == 32 { CipherSuite::CCMP_256 } else { CipherSuite::CCMP_128 };
        let id = KeyId::from_low_bits(id);
        table.install_key(vr, KeyScope::Pairwise, id, cipher, &key, zero).expect("a new key");
        let group = KeyId::from_low_bits(1);
        table.install_key(vr, KeyScope::Group, group, CipherSuite::CCMP_128, &GROUP_KEY, zero).expect("a new key");
    }
    table
}

impl Frame {
    fn octets(&self, is_down: bool) -> Vec<u8> {
        let station = if self.is_group { MacAddr::BROADCAST } else { address(self.vm) };
        let radio = access_point(self.is_from_other);
        let (first, second) = if is_down { (radio, address(self.vm)) } else { (station, radio) };
        // The direction is nearly always right.
        let control = if self.control & 0x8000 == 0 {
            self.control ^ if is_down { 0x0100 } else { 0x0200 }
        } else {
            self.control
        };
        let mut plain = control.to_le_bytes().to_vec();
        plain.extend_from_slice(&[0, 0]);
        for address in [first, second, radio] {
            plain.extend_from_slice(&address.octets());
        }
        plain.extend_from_slice(&(self.sequence << 4 | u16::from(self.fragment)).to_le_bytes());
        if control & 0x8c == 0x88 {
            plain.extend_from_slice(&[self.qos, 0]);
        }
        plain.extend_from_slice(&self.body);
        let mut out = Vec::new();
        let key = if self.is_group { GROUP_KEY.to_vec() } else { pairwise(self.vm) };
        let key = CcmpKey::new(&key).expect("a length of keys");
        let number = PacketNumber::from_low_bits(self.number);
        if is_down
            || control & 0x4000 == 0
            || key.seal(&plain, number, KeyId::from_low_bits(self.key), &mut out).is_err()
        {
            out = plain;
        }
        if let Some(flip) = self.flip {
            let at = usize::from(flip) % out.len();
            out[at] ^= 1 << (flip & 7);
        }
        if let Some(cut) = self.cut {
            out.truncate(usize::from(cut));
        }
        out
    }
}

fn vm() -> impl Strategy<Value = Vm> {
    let often = |chance| prop::bool::weighted(chance);
    (
        prop_oneof![4 => Just(3_u8), 1 => 0..3_u8],
        often(0.2),
        often(0.7),
        often(0.2),
        often(0.1),
        prop_oneof![3 => Just(0_u8), 1 => 0..4_u8],
    )
}

fn frame() -> impl Strategy<Value = Frame> {
    let control = prop_oneof![
        6 => Just(0x4088_u16),
        3 => Just(0x4008),
        1 => Just(0x0088),
        1 => Just(0x4888),
        1 => Just(0x0080),
        1 => Just(0x00d0),
        1 => any::<u16>().prop_map(|control| control & !0x0003),
    ];
    let body = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..100),
        1 => Just(vec![0xaa, 0xaa, 3, 0, 0, 0, 0x88, 0x8e, 1, 2, 3]),
    ];
    let header = (
        0..VMS + 1,
        control,
        prop_oneof![3 => Just(0_u8), 1 => any::<u8>()],
        prop_oneof![9 => Just(0_u8), 1 => 0..16_u8],
    );
    let numbers = (0..40_u64, 0..4_u16, prop_oneof![4 => Just(0_u8), 1 => 0..4_u8]);
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.2));
    (header, numbers, body, flags, prop::option::weighted(0.05, 0..60_u8), prop::option::weighted(0.05, any::<u8>()))
        .prop_map(
            |((vm, control, qos, fragment), (number, sequence, key), body, (is_group, is_from_other), cut, flip)| {
                Frame {
                    vm,
                    control,
                    qos,
                    fragment,
                    number,
                    sequence,
                    body,
                    is_group,
                    is_from_other,
                    key: if is_group { 1 } else { key },
                    cut,
                    flip,
                }
            },
        )
}

/// With what is no frame between them: little is done by one thread, whatever there are.
fn padded(frames: &[Vec<u8>]) -> FrameBatch {
    let filler = vec![0; (1 << 17) / (frames.len() + 1) + 1];
    frames.iter().flat_map(|frame| [filler.as_slice(), frame]).chain([filler.as_slice()]).collect()
}

#[test]
fn a_strangers_frame_is_nobodys_where_the_last_row_is_taken() {
    for workers in [1, 2, 3, 5] {
        let mut table = ConnectionTable::with_workers(u32::MAX, workers).expect("threads");
        let last = 65_534;
        let own = address(last);
        table.add_vm(VmId::new(last), own, Some(access_point(false)), true).expect("free");
        let (id, zero) = (KeyId::from_low_bits(0), PacketNumber::default());
        let cipher = CipherSuite::CCMP_128;
        table.install_key(VrId::new(last), KeyScope::Pairwise, id, cipher, &pairwise(1), zero).expect("a new key");
        let refused = table.add_vm(VmId::new(65_535), address(5), Some(access_point(false)), true);
        assert_eq!(refused, Err(CallError::TooManyVms), "its number stands for nobody");
        let before = table.save();
        for is_down in [false, true] {
            let frame = Frame {
                vm: 1,
                control: 0x4088,
                qos: 0,
                fragment: 0,
                number: 1,
                sequence: 1,
                body: vec![1; 64],
                is_group: false,
                is_from_other: false,
                key: 0,
                cut: None,
                flip: None,
            };
            let frames = padded(&[frame.octets(is_down), vec![], vec![0x88; 30]]);
            let outcome = if is_down { table.seal_batch(frames.frames()) } else { table.open_batch(frames.frames()) };
            assert!(outcome.verdicts.iter().all(Result::is_err), "{:?}", outcome.verdicts);
            assert!(outcome.vms.iter().all(Option::is_none));
            assert_eq!(table.save(), before, "{workers} workers: no VM's counters have moved");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// More frames than go through the cipher together; most come again, and are replays where they were opened.
    #[test]
    fn what_long_batches_do_does_not_depend_on_the_workers(
        vms in prop::collection::vec(vm(), 1..usize::from(VMS)),
        batch in prop::collection::vec(frame(), 1..60),
        is_little in any::<bool>(),
    ) {
        let (mut alone, mut crew) = (table(&vms, 1), table(&vms, 2));
        for is_down in [false, true] {
            let octets: Vec<Vec<u8>> = batch.iter().map(|frame| frame.octets(is_down)).collect();
            let again: Vec<Vec<u8>> = octets.iter().cycle().take(700).cloned().collect();
            let frames = if is_little { again.iter().map(Vec::as_slice).collect() } else { padded(&again) };
            let run = |table: &mut ConnectionTable| {
                if is_down { table.seal_batch(frames.frames()) } else { table.open_batch(frames.frames()) }
            };
            let expected = run(&mut alone);
            prop_assert_eq!(&run(&mut crew), &expected);
            prop_assert_eq!(crew.save(), alone.save());
            // One by one they come to the same end, but for what a batch checks before any of it is opened.
            let mut one_by_one = table(&vms, 1);
            let passed = again.iter().filter(|frame| {
                let single: FrameBatch = core::iter::once(frame.as_slice()).collect();
                let outcome = if is_down { one_by_one.seal_batch(single.frames()) } else { one_by_one.open_batch(single.frames()) };
                outcome.verdicts.iter().all(Result::is_ok)
            });
            let passed = passed.count();
            if !is_down {
                prop_assert_eq!(expected.verdicts.iter().filter(|verdict| verdict.is_ok()).count(), passed);
            }
        }
    }
}

proptest! {
    #[test]
    fn what_batches_do_does_not_depend_on_the_workers(
        vms in prop::collection::vec(vm(), 1..usize::from(VMS)),
        batches in prop::collection::vec((prop::collection::vec(frame(), 0..60), any::<bool>()), 1..4),
    ) {
        let mut alone = table(&vms, 1);
        let mut crews: Vec<ConnectionTable> = [2, 3].into_iter().map(|workers| table(&vms, workers)).collect();
        // One outcome for all: what was in it does not matter.
        let mut kept = BatchOutcome::default();
        for (batch, is_little) in &batches {
            for is_down in [false, true] {
                let octets: Vec<Vec<u8>> = batch.iter().map(|frame| frame.octets(is_down)).collect();
                let frames = if *is_little { octets.iter().map(Vec::as_slice).collect() } else { padded(&octets) };
                let run = |table: &mut ConnectionTable, out: &mut BatchOutcome| {
                    if is_down {
                        table.seal_batch_into(frames.frames(), out);
                    } else {
                        table.open_batch_into(frames.frames(), out);
                    }
                };
                let mut expected = BatchOutcome::default();
                run(&mut alone, &mut expected);
                prop_assert_eq!(expected.verdicts.len(), frames.len());
                for crew in &mut crews {
                    run(crew, &mut kept);
                    prop_assert_eq!(&kept, &expected);
                    prop_assert_eq!(crew.save(), alone.save(), "counters, packet numbers, replay counters");
                }
            }
        }
    }
}
