//! What goes up: completions, received packets, status; each names its virtual radio (VM ID insertion, 616, 628).

use crate::host_api::device_call::DeviceCall;
use crate::host_api::{CallError, Completion, Header, IdentifierWidth, Kind};
use crate::ids::VrId;

/// Octets of received packets that may wait for the host; what comes on top is dropped as `QueueFull`.
const RECEIVE_LIMIT: usize = 8 << 20;

/// Messages waiting for the host.
#[derive(Debug)]
pub(crate) struct Outbox {
    octets: Vec<u8>,
    width: IdentifierWidth,
}

/// Which call a completion answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallTag {
    pub(crate) opcode: u16,
    pub(crate) sequence: u16,
    pub(crate) identifier: Option<VrId>,
}

impl Outbox {
    pub(crate) const fn new(width: IdentifierWidth) -> Self {
        Self { octets: Vec::new(), width }
    }

    /// Answers a call.
    pub(crate) fn complete(&mut self, tag: CallTag, result: Result<(), CallError>, detail: u8, answer: &[u8]) {
        let CallTag { opcode, sequence, identifier } = tag;
        let header = Header { kind: Kind::Completion, opcode, sequence, identifier };
        header.emit(self.width, &mut self.octets, |out| Completion { result, detail, answer }.emit(out));
    }

    /// Queues a device-initiated call; false where it does not fit.
    pub(crate) fn push(&mut self, identifier: Option<VrId>, call: DeviceCall<'_>) -> bool {
        if matches!(call, DeviceCall::ReceivedPacket { .. }) && self.octets.len() >= RECEIVE_LIMIT {
            return false;
        }
        let header = Header { kind: Kind::DeviceCall, opcode: call.opcode(), sequence: 0, identifier };
        header.emit(self.width, &mut self.octets, |out| call.emit(out))
    }

    /// Moves all messages to the end of `out`; false where there were none.
    pub(crate) fn drain_into(&mut self, out: &mut Vec<u8>) -> bool {
        let some = !self.octets.is_empty();
        if out.is_empty() {
            core::mem::swap(out, &mut self.octets);
        } else {
            out.append(&mut self.octets);
        }
        some
    }
}
