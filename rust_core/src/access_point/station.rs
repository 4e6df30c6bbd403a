//! What an access point knows of one station.

use std::collections::VecDeque;

use super::StationParameters;
use super::transmit::Queued;
use crate::ids::MacAddr;
use crate::security::key_slot::KeySlot;
use crate::wire::mac_header::{MacHeader, SequenceControl};

const CLASSES: usize = 17;

#[derive(Debug)]
pub(super) struct Station {
    pub(super) address: MacAddr,
    pub(super) parameters: StationParameters,
    pub(super) key: Option<KeySlot>,
    pub(super) is_asleep: bool,
    pub(super) is_active: bool,
    pub(super) queue: VecDeque<Queued>,
    pub(super) sequence: u16,
    pub(super) sent: u64,
    pub(super) received: u64,
    last_received: [Option<SequenceControl>; CLASSES],
}

impl Station {
    pub(super) const fn new(address: MacAddr, parameters: StationParameters) -> Self {
        Self {
            address,
            parameters,
            key: None,
            is_asleep: false,
            is_active: false,
            queue: VecDeque::new(),
            sequence: 0,
            sent: 0,
            received: 0,
            last_received: [None; CLASSES],
        }
    }

    /// True where the frame was received before (IEEE 802.11-2020 10.3.2.14): a retry with the same sequence control.
    pub(super) fn is_duplicate(&mut self, header: &MacHeader) -> bool {
        let class = header.qos.map_or(CLASSES - 1, |qos| usize::from(qos.tid().value()));
        let Some(last) = self.last_received.get_mut(class) else { return false };
        let duplicate = header.frame_control.retry() && *last == header.sequence;
        *last = header.sequence;
        duplicate
    }
}
