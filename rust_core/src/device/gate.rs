//! What a row's connection and parameters say of a frame as nearly all are, in one word that stands beside what such a
//! frame changes.

use crate::host_api::call::{Connection, ConnectionState, Parameters};
use crate::ids::MacAddr;

/// The access point's address in the 48 low bits, little endian, and what the row lets pass above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gate(u64);

impl Gate {
    /// Protected data from the access point is opened.
    const UP: u64 = 1 << 48;
    /// Data is let through, in both directions.
    const DATA: u64 = 1 << 49;
    /// Any access point is the row's.
    const ANY: u64 = 1 << 50;

    /// The row is somebody's.
    const TAKEN: u64 = 1 << 51;

    /// Of a row that is nobody's: nothing passes.
    pub(super) const VACANT: Self = Self(0);

    /// What they say.
    pub(super) fn of(connection: Connection, parameters: Parameters, accepts_any_bss: bool) -> Self {
        let is_up = connection.state >= ConnectionState::Associated && !parameters.forward_protected;
        let flags = [
            (is_up, Self::UP),
            (connection.state == ConnectionState::Authorized, Self::DATA),
            (accepts_any_bss, Self::ANY),
        ];
        let flags = flags.into_iter().filter_map(|(is_set, flag)| is_set.then_some(flag));
        Self(flags.fold(address_word(connection.bssid) | Self::TAKEN, |word, flag| word | flag))
    }

    /// Protected data from this transmitter, a word as [`address_word`] makes it, may be opened.
    #[inline]
    pub(super) const fn lets_up(self, transmitter: u64) -> bool {
        self.0 & Self::UP != 0 && self.is_of(transmitter)
    }

    /// Data to this receiver may be sent.
    #[inline]
    pub(super) const fn lets_down(self, receiver: u64) -> bool {
        self.lets_data() && self.is_of(receiver)
    }

    /// Data may pass, and not only EAPOL.
    #[inline]
    pub(super) const fn lets_data(self) -> bool {
        self.0 & Self::DATA != 0
    }

    /// See [`VACANT`](Self::VACANT).
    #[inline]
    pub(super) const fn is_vacant(self) -> bool {
        self.0 == 0
    }

    #[inline]
    const fn is_of(self, address: u64) -> bool {
        (self.0 ^ address) << 16 == 0 || self.0 & Self::ANY != 0
    }
}

/// The octets of an address, the first one lowest.
#[inline]
pub(super) const fn address_word(address: MacAddr) -> u64 {
    let [a, b, c, d, e, f] = address.octets();
    u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_lets_pass_what_state_parameters_and_access_point_allow() {
        let bssid = MacAddr([2, 0xff, 0, 0, 1, 0x80]);
        let strangers = [MacAddr::ZERO, MacAddr([2, 0xff, 0, 0, 1, 0x81]), MacAddr([3, 0xff, 0, 0, 1, 0x80])];
        for state in (0..4).filter_map(ConnectionState::from_value) {
            for forward_protected in [false, true] {
                for any in [false, true] {
                    let connection = Connection { state, bssid, ..Connection::default() };
                    let parameters = Parameters { forward_protected, ..Parameters::default() };
                    let gate = Gate::of(connection, parameters, any);
                    let is_up = state >= ConnectionState::Associated && !forward_protected;
                    let is_authorized = state == ConnectionState::Authorized;
                    assert_eq!(gate.lets_data(), is_authorized);
                    let own = address_word(bssid);
                    assert_eq!((gate.lets_up(own), gate.lets_down(own)), (is_up, is_authorized));
                    for stranger in strangers.map(address_word) {
                        let expected = (is_up && any, is_authorized && any);
                        assert_eq!((gate.lets_up(stranger), gate.lets_down(stranger)), expected);
                    }
                }
            }
        }
        let of_nobody = Gate::of(Connection::default(), Parameters::default(), false);
        for (gate, is_vacant) in [(Gate::VACANT, true), (of_nobody, false)] {
            assert_eq!((gate.lets_up(0), gate.lets_down(0), gate.is_vacant()), (false, false, is_vacant));
        }
    }
}
