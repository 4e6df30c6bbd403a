//! The host API codec against `tests/vectors/host_api`, which the Python and gateware tests read too.

#![expect(clippy::unwrap_used, reason = "tests may panic")]

use polyradio_core::host_api::call::{
    CallError, CipherSuite, Connection, ConnectionState, HostCall, KeyScope, Parameters, Slot, SlotList,
    TransmitDescriptor,
};
use polyradio_core::host_api::device_call::{DeviceCall, DeviceInfo, PacketClass, ReceiveDescriptor, StatusCode};
use polyradio_core::host_api::{Completion, Header, IdentifierWidth, Kind};
use polyradio_core::ids::{Identifier, KeyId, MacAddr, PacketNumber, Tid, VmId, VrId};
use serde_json::Value;

#[test]
fn messages_are_read_and_written_as_their_vectors_say() {
    for vector in vectors()["messages"].as_array().unwrap() {
        let name = vector["name"].as_str().unwrap();
        let octets = hex(&vector["octets"]);
        let (header, payload, rest) = Header::<VrId>::parse(&octets, width(vector)).unwrap();
        assert!(rest.is_empty(), "{name}");
        let kind = match vector["kind"].as_str().unwrap() {
            "call" => Kind::Call,
            "completion" => Kind::Completion,
            _ => Kind::DeviceCall,
        };
        assert_eq!(header.kind, kind, "{name}");
        assert_eq!(u64::from(header.sequence), vector["sequence"].as_u64().unwrap(), "{name}");
        let identifier = header.identifier.map(|vr| u64::from(vr.to_u16()));
        assert_eq!(identifier, vector["identifier"].as_u64(), "{name}");

        let mut written = Vec::new();
        assert!(header.emit(width(vector), &mut written, |out| out.extend_from_slice(payload)), "{name}");
        assert_eq!(written, octets, "{name}");

        let mut again = Vec::new();
        if let Some(fields) = vector.get("call") {
            let call = HostCall::parse(header.opcode, payload).unwrap();
            with_call(fields, |expected| assert_eq!(call, *expected, "{name}"));
            assert_eq!(call.opcode(), header.opcode, "{name}");
            call.emit(&mut again);
        } else if let Some(fields) = vector.get("device_call") {
            let frame = hex(&fields["frame"]);
            let call = DeviceCall::parse(header.opcode, payload).unwrap();
            assert_eq!(call, device_call(fields, &frame), "{name}");
            assert_eq!(call.opcode(), header.opcode, "{name}");
            call.emit(&mut again);
        } else {
            let completion = Completion::parse(payload).unwrap();
            let expected = &vector["completion"];
            assert_eq!(completion.result.err(), CallError::from_code(number(expected, "error")), "{name}");
            assert_eq!(completion.detail, number::<u8>(expected, "detail"), "{name}");
            assert_eq!(completion.answer, hex(&expected["answer"]), "{name}");
            completion.emit(&mut again);
            if let Some(fields) = vector.get("device_info") {
                let info = DeviceInfo::parse(completion.answer).unwrap();
                assert_eq!(info, device_info(fields), "{name}");
            }
        }
        assert_eq!(again, payload, "{name}");
    }
}

#[test]
fn messages_that_cannot_be_read_are_refused() {
    for vector in vectors()["refused_messages"].as_array().unwrap() {
        assert!(Header::<VrId>::parse(&hex(&vector["octets"]), width(vector)).is_err(), "{}", vector["name"]);
    }
}

#[test]
fn calls_that_make_no_sense_are_refused_with_their_error() {
    for vector in vectors()["refused_calls"].as_array().unwrap() {
        let payload = hex(&vector["payload"]);
        let error = HostCall::parse(number(vector, "opcode"), &payload).unwrap_err();
        assert_eq!(error.code(), number::<u16>(vector, "error"), "{}", vector["name"]);
    }
}

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/host_api/messages.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn with_call(fields: &Value, check: impl FnOnce(&HostCall<'_>)) {
    let (frame, key) = (hex(&fields["frame"]), hex(&fields["key"]));
    let slots = list(fields, "slots")
        .iter()
        .map(|slot| Slot {
            channel: u8::try_from(slot[0].as_u64().unwrap()).unwrap(),
            length_us: u32::try_from(slot[1].as_u64().unwrap()).unwrap(),
        })
        .collect::<Vec<_>>();
    let slots = SlotList::octets(&slots);
    let channels = list(fields, "channels")
        .iter()
        .map(|channel| u8::try_from(channel.as_u64().unwrap()).unwrap())
        .collect::<Vec<_>>();
    let scope = if fields["scope"] == "group" { KeyScope::Group } else { KeyScope::Pairwise };
    check(&match fields["type"].as_str().unwrap() {
        "DeviceInfo" => HostCall::DeviceInfo,
        "ResetDevice" => HostCall::ResetDevice,
        "SetSchedule" => HostCall::SetSchedule(SlotList::new(&slots).unwrap()),
        "InitVm" => HostCall::InitVm { vm: VmId::new(number(fields, "vm")), address: address(fields, "address") },
        "RemoveVm" => HostCall::RemoveVm,
        "ResetVirtualMac" => HostCall::ResetVirtualMac,
        "SetParameters" => HostCall::SetParameters(Parameters {
            channel: number(fields, "channel"),
            rate: number(fields, "rate"),
            scan_filter: flag(fields, "scan_filter"),
            forward_protected: flag(fields, "forward_protected"),
        }),
        "SetConnection" => HostCall::SetConnection(Connection {
            state: ConnectionState::from_value(number(fields, "state")).unwrap(),
            bssid: address(fields, "bssid"),
            association_id: number(fields, "association_id"),
            qos: flag(fields, "qos"),
            privacy: flag(fields, "privacy"),
            beacon_interval: number(fields, "beacon_interval"),
        }),
        "InstallKey" => HostCall::InstallKey {
            key_id: KeyId::new(number(fields, "key_id")).unwrap(),
            scope,
            cipher: CipherSuite(number(fields, "cipher")),
            receive_counter: PacketNumber::new(number(fields, "receive_counter")).unwrap(),
            key: &key,
        },
        "RemoveKey" => HostCall::RemoveKey { key_id: KeyId::new(number(fields, "key_id")).unwrap(), scope },
        "ReadRow" => HostCall::ReadRow,
        "ReadCounters" => HostCall::ReadCounters,
        "Scan" => HostCall::Scan { channels: &channels },
        "TransmitPacket" => HostCall::TransmitPacket {
            descriptor: TransmitDescriptor {
                tid: Tid::from_low_bits(number(fields, "tid")),
                unprotected: flag(fields, "unprotected"),
                channel: number(fields, "channel"),
            },
            frame: &frame,
        },
        other => panic!("no call {other}"),
    });
}

fn device_call<'a>(fields: &Value, frame: &'a [u8]) -> DeviceCall<'a> {
    if fields["type"] == "Status" {
        let code = StatusCode::from_value(number(fields, "code")).unwrap();
        return DeviceCall::Status { code, value: number(fields, "value") };
    }
    let class = match fields["class"].as_str().unwrap() {
        "data" => PacketClass::Data,
        "eapol" => PacketClass::Eapol,
        _ => PacketClass::Management,
    };
    DeviceCall::ReceivedPacket {
        descriptor: ReceiveDescriptor {
            class,
            decrypted: flag(fields, "decrypted"),
            still_protected: flag(fields, "still_protected"),
            key_id: KeyId::new(number(fields, "key_id")).unwrap(),
            tid: Tid::from_low_bits(number(fields, "tid")),
            channel: number(fields, "channel"),
            signal_dbm: i8::try_from(fields["signal_dbm"].as_i64().unwrap()).unwrap(),
            rate: number(fields, "rate"),
            timestamp_us: number(fields, "timestamp_us"),
        },
        frame,
    }
}

fn device_info(fields: &Value) -> DeviceInfo {
    DeviceInfo {
        max_vms: number(fields, "max_vms"),
        max_radios: number(fields, "max_radios"),
        max_slots: number(fields, "max_slots"),
        queue_length: number(fields, "queue_length"),
        ciphers: number(fields, "ciphers"),
    }
}

fn width(vector: &Value) -> IdentifierWidth {
    if vector["width"] == 1 { IdentifierWidth::One } else { IdentifierWidth::Two }
}

fn number<T: TryFrom<u64>>(fields: &Value, name: &str) -> T {
    let value = fields[name].as_u64().unwrap_or_else(|| panic!("no number {name} in {fields}"));
    T::try_from(value).unwrap_or_else(|_| panic!("{name} {value} is too large"))
}

fn flag(fields: &Value, name: &str) -> bool {
    fields[name].as_bool().unwrap()
}

fn address(fields: &Value, name: &str) -> MacAddr {
    fields[name].as_str().unwrap().parse().unwrap()
}

fn list(fields: &Value, name: &str) -> Vec<Value> {
    fields[name].as_array().cloned().unwrap_or_default()
}

fn hex(value: &Value) -> Vec<u8> {
    let digits: Vec<u8> = value.as_str().unwrap_or_default().bytes().filter(|octet| *octet != b' ').collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
