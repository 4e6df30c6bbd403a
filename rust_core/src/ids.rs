//! Identifiers: every number that names something has a type of its own.
//!
//! A [`VmId`] and a [`VrId`] never convert into each other; only the host driver's table does that.

use core::fmt;
use core::str::FromStr;

/// A 48-bit MAC address (IEEE 802-2014 8.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// The group address of all stations.
    pub const BROADCAST: Self = Self([0xff; 6]);
    /// The unset address: nobody's.
    pub const ZERO: Self = Self([0; 6]);

    /// True for multicast and broadcast addresses.
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// True where the locally administered bit is set.
    pub const fn is_local(self) -> bool {
        self.0[0] & 2 != 0
    }

    /// The octets, first on air first.
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// The address as a 48-bit number, first octet most significant: the key of look-up tables.
    pub const fn to_u64(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(out, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl FromStr for MacAddr {
    type Err = InvalidMacAddr;

    fn from_str(text: &str) -> Result<Self, InvalidMacAddr> {
        let mut octets = [0; 6];
        let mut parts = text.split(':');
        for octet in &mut octets {
            let part = parts.next().filter(|part| part.len() == 2).ok_or(InvalidMacAddr)?;
            *octet = u8::from_str_radix(part, 16).map_err(|_| InvalidMacAddr)?;
        }
        if parts.next().is_some() { Err(InvalidMacAddr) } else { Ok(Self(octets)) }
    }
}

/// The text is not six pairs of hexadecimal digits with colons between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidMacAddr;

impl fmt::Display for InvalidMacAddr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a MAC address is six pairs of hexadecimal digits, such as 02:00:00:00:00:01")
    }
}

impl core::error::Error for InvalidMacAddr {}

/// What the identifier field of a host API message may hold: a VM ID above the host driver, a VR ID below it.
pub trait Identifier: Copy + Eq + Ord + fmt::Debug {
    /// From the field's value.
    fn from_u16(value: u16) -> Self;
    /// The field's value.
    fn to_u16(self) -> u16;
}

macro_rules! identifier {
    ($name:ident, $what:literal) => {
        #[doc = $what]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(u16);

        impl $name {
            /// From its number.
            pub const fn new(value: u16) -> Self {
                Self(value)
            }

            /// As an index into a table of rows.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl Identifier for $name {
            fn from_u16(value: u16) -> Self {
                Self(value)
            }

            fn to_u16(self) -> u16 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, out)
            }
        }
    };
}

identifier!(VmId, "A virtual machine, as the host knows it (US 8,392,625, VM ID tag 406/408).");
identifier!(VrId, "A virtual radio, as the NIC knows it (US 8,392,625, VR ID tag 402/404).");

/// A key identifier, 0 to 3 for CCMP (IEEE 802.11-2020 12.5.3.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyId(u8);

impl KeyId {
    /// `None` above 3.
    pub const fn new(value: u8) -> Option<Self> {
        if value <= 3 { Some(Self(value)) } else { None }
    }

    /// From the two low bits, as the CCMP header carries them in its bits 6 and 7.
    pub const fn from_low_bits(value: u8) -> Self {
        Self(value & 3)
    }

    /// 0 to 3.
    pub const fn value(self) -> u8 {
        self.0
    }
}

/// A traffic identifier, 0 to 15 (IEEE 802.11-2020 9.2.4.5.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Tid(u8);

impl Tid {
    /// From the four low bits of a QoS Control field.
    pub const fn from_low_bits(value: u8) -> Self {
        Self(value & 15)
    }

    /// 0 to 15.
    pub const fn value(self) -> u8 {
        self.0
    }
}

/// A 48-bit CCMP packet number (IEEE 802.11-2020 12.5.3.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct PacketNumber(u64);

impl PacketNumber {
    /// The last number a key may be used with.
    pub const MAX: Self = Self((1 << 48) - 1);

    /// `None` above 48 bits.
    pub const fn new(value: u64) -> Option<Self> {
        if value <= Self::MAX.0 { Some(Self(value)) } else { None }
    }

    /// From the 48 low bits.
    pub const fn from_low_bits(value: u64) -> Self {
        Self(value & Self::MAX.0)
    }

    /// The number.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// PN5 first, as the nonce has it (IEEE 802.11-2020 12.5.3.3.4).
    pub const fn to_be_octets(self) -> [u8; 6] {
        let [_, _, a, b, c, d, e, f] = self.0.to_be_bytes();
        [a, b, c, d, e, f]
    }

    /// The next one, or `None` where the key is exhausted.
    pub const fn next(self) -> Option<Self> {
        if self.0 < Self::MAX.0 { Some(Self(self.0 + 1)) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_address_prints_as_it_is_read() {
        let address: MacAddr = "02:00:00:00:0a:ff".parse().expect("well formed");
        assert_eq!(address.to_string(), "02:00:00:00:0a:ff");
        assert!(address.is_local() && !address.is_group());
    }

    #[test]
    fn a_mac_address_of_another_form_is_refused() {
        for text in
            ["", "02:00:00:00:00", "02:00:00:00:00:00:00", "2:0:0:0:0:0", "02-00-00-00-00-00", "0g:00:00:00:00:00"]
        {
            assert_eq!(text.parse::<MacAddr>(), Err(InvalidMacAddr), "{text}");
        }
    }

    #[test]
    fn a_packet_number_ends_at_48_bits() {
        assert_eq!(PacketNumber::MAX.next(), None);
        assert_eq!(PacketNumber::new(1 << 48), None);
        assert_eq!(PacketNumber::from_low_bits(0xb503_9776_e70c).to_be_octets(), [0xb5, 3, 0x97, 0x76, 0xe7, 0x0c]);
    }
}
