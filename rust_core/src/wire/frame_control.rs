//! The Frame Control field (IEEE 802.11-2020 9.2.4.1).

/// Frame type (Table 9-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameType {
    /// Beacons, authentication, association and their kin.
    Management,
    /// Acknowledgements, power-save polls and their kin.
    Control,
    /// Data and Null frames.
    Data,
    /// Extension.
    Extension,
}

/// Management subtypes (Table 9-1).
#[expect(missing_docs, reason = "the names are the standard's")]
pub mod management_subtype {
    pub const ASSOCIATION_REQUEST: u8 = 0;
    pub const ASSOCIATION_RESPONSE: u8 = 1;
    pub const REASSOCIATION_REQUEST: u8 = 2;
    pub const REASSOCIATION_RESPONSE: u8 = 3;
    pub const PROBE_REQUEST: u8 = 4;
    pub const PROBE_RESPONSE: u8 = 5;
    pub const BEACON: u8 = 8;
    pub const ATIM: u8 = 9;
    pub const DISASSOCIATION: u8 = 10;
    pub const AUTHENTICATION: u8 = 11;
    pub const DEAUTHENTICATION: u8 = 12;
    pub const ACTION: u8 = 13;
}

/// Data subtypes (Table 9-1): bit 2 means no data, bit 3 means QoS.
#[expect(missing_docs, reason = "the names are the standard's")]
pub mod data_subtype {
    pub const DATA: u8 = 0;
    pub const NULL: u8 = 4;
    pub const QOS_DATA: u8 = 8;
    pub const QOS_NULL: u8 = 12;
}

/// The Frame Control field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FrameControl(pub u16);

macro_rules! flag {
    ($(#[$doc:meta])* $name:ident, $with:ident, $bit:literal) => {
        $(#[$doc])*
        pub const fn $name(self) -> bool {
            self.0 & (1 << $bit) != 0
        }

        /// The same field with that bit set or cleared.
        #[must_use]
        pub const fn $with(self, value: bool) -> Self {
            if value { Self(self.0 | 1 << $bit) } else { Self(self.0 & !(1 << $bit)) }
        }
    };
}

impl FrameControl {
    /// A field with this type and subtype, protocol version 0, no flags.
    pub const fn new(frame_type: FrameType, subtype: u8) -> Self {
        let number = match frame_type {
            FrameType::Management => 0,
            FrameType::Control => 1,
            FrameType::Data => 2,
            FrameType::Extension => 3,
        };
        Self(number << 2 | (subtype as u16 & 15) << 4)
    }

    /// A data frame's field.
    pub const fn data(subtype: u8) -> Self {
        Self::new(FrameType::Data, subtype)
    }

    /// A management frame's field.
    pub const fn management(subtype: u8) -> Self {
        Self::new(FrameType::Management, subtype)
    }

    /// From the first two octets of a frame.
    pub const fn from_octets(octets: [u8; 2]) -> Self {
        Self(u16::from_le_bytes(octets))
    }

    /// As the first two octets of a frame.
    pub const fn octets(self) -> [u8; 2] {
        self.0.to_le_bytes()
    }

    /// Protocol version; 0 is the only one that is read here.
    pub const fn version(self) -> u8 {
        (self.0 & 3) as u8
    }

    /// Frame type.
    pub const fn frame_type(self) -> FrameType {
        match self.0 >> 2 & 3 {
            0 => FrameType::Management,
            1 => FrameType::Control,
            2 => FrameType::Data,
            _ => FrameType::Extension,
        }
    }

    /// Subtype, 0 to 15.
    pub const fn subtype(self) -> u8 {
        (self.0 >> 4 & 15) as u8
    }

    /// True for a data frame with a QoS Control field.
    pub const fn is_qos_data(self) -> bool {
        self.0 & 0x8c == 0x88
    }

    /// True for a data frame without a body to deliver: Null, QoS Null and their kin.
    pub const fn is_null(self) -> bool {
        self.0 & 0x4c == 0x48
    }

    /// True for a management frame of this subtype.
    pub const fn is_management(self, subtype: u8) -> bool {
        self.0 & 0xfc == Self::management(subtype).0
    }

    flag!(
        /// To DS.
        to_ds, with_to_ds, 8
    );
    flag!(
        /// From DS.
        from_ds, with_from_ds, 9
    );
    flag!(
        /// More Fragments.
        more_fragments, with_more_fragments, 10
    );
    flag!(
        /// Retry.
        retry, with_retry, 11
    );
    flag!(
        /// Power Management: the sender sleeps after this exchange.
        power_management, with_power_management, 12
    );
    flag!(
        /// More Data: the access point holds further frames.
        more_data, with_more_data, 13
    );
    flag!(
        /// Protected Frame.
        protected, with_protected, 14
    );
    flag!(
        /// +HTC, formerly Order.
        order, with_order, 15
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deconstruct_and_construct() {
        let field = FrameControl::from_octets([0x88, 0x49]);
        assert_eq!((field.version(), field.frame_type(), field.subtype()), (0, FrameType::Data, 8));
        assert!(field.to_ds() && !field.from_ds() && field.retry() && field.protected() && !field.order());
        assert!(field.is_qos_data() && !field.is_null());
        let built = FrameControl::data(data_subtype::QOS_DATA).with_to_ds(true).with_retry(true).with_protected(true);
        assert_eq!(built.octets(), [0x88, 0x49]);
        assert_eq!(built.with_retry(false).with_protected(false).octets(), [0x88, 0x01]);
        assert!(FrameControl::from_octets([0x80, 0]).is_management(management_subtype::BEACON));
        assert!(FrameControl::data(data_subtype::QOS_NULL).is_null());
    }
}
