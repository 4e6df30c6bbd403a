//! How the host driver reaches a NIC: octets down, octets up.

use crate::device::Device;
use crate::host_api::IdentifierWidth;
use crate::time::Instant;

/// A NIC, wherever it is.
pub trait NicLink {
    /// Takes calls, tagged with VR IDs, one behind the other.
    fn submit(&mut self, messages: &[u8], now: Instant);

    /// Appends completions and device-initiated calls; false where there were none.
    fn poll_messages(&mut self, out: &mut Vec<u8>) -> bool;

    /// How wide the identifier field of its messages is.
    fn identifier_width(&self) -> IdentifierWidth;

    /// How many frames one VM may have under way in it.
    fn queue_length(&self) -> u16;
}

impl NicLink for Device {
    fn submit(&mut self, messages: &[u8], now: Instant) {
        self.handle_messages(messages, now);
    }

    fn poll_messages(&mut self, out: &mut Vec<u8>) -> bool {
        Self::poll_messages(self, out)
    }

    fn identifier_width(&self) -> IdentifierWidth {
        Self::identifier_width(self)
    }

    fn queue_length(&self) -> u16 {
        self.config().queue_length
    }
}
