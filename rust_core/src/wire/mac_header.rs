//! MAC headers of management, control and data frames (IEEE 802.11-2020 9.2.3, 9.3).
//!
//! ```text
//! FC 2 | Duration 2 | Address 1 6 | Address 2 6 | Address 3 6 | Sequence Control 2 | Address 4 6 | QoS 2 | HT Control 4
//! ```
//! Control frames end after Address 1 or Address 2; Address 4 needs To DS and From DS; QoS Control needs a QoS subtype;
//! HT Control needs the +HTC bit in a QoS Data or management frame.

use super::ParseError;
use super::frame_control::{FrameControl, FrameType};
use crate::ids::{MacAddr, Tid};

/// The Sequence Control field (9.2.4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SequenceControl {
    /// Sequence number, 0 to 4095.
    pub number: u16,
    /// Fragment number, 0 to 15.
    pub fragment: u8,
}

impl SequenceControl {
    /// From the field's octets.
    pub const fn from_octets(octets: [u8; 2]) -> Self {
        let value = u16::from_le_bytes(octets);
        Self { number: value >> 4, fragment: (value & 15) as u8 }
    }

    /// As the field's octets.
    pub const fn octets(self) -> [u8; 2] {
        (self.number << 4 | self.fragment as u16 & 15).to_le_bytes()
    }
}

/// The QoS Control field (9.2.4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct QosControl(pub u16);

impl QosControl {
    /// A field with this priority and nothing else.
    pub const fn from_tid(tid: Tid) -> Self {
        Self(tid.value() as u16)
    }

    /// Traffic identifier.
    pub const fn tid(self) -> Tid {
        Tid::from_low_bits((self.0 & 15) as u8)
    }

    /// End of service period, in a frame from the access point (9.2.4.5.3).
    pub const fn eosp(self) -> bool {
        self.0 & 0x10 != 0
    }

    /// Ack policy: 0 normal, 1 none, 2 no explicit one or U-APSD, 3 block acknowledgement (9.2.4.5.4).
    pub const fn ack_policy(self) -> u8 {
        (self.0 >> 5 & 3) as u8
    }

    /// A-MSDU Present.
    pub const fn amsdu_present(self) -> bool {
        self.0 & 0x80 != 0
    }
}

/// A MAC header; fields that the frame does not have are `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacHeader {
    /// Frame Control.
    pub frame_control: FrameControl,
    /// Duration/ID, as it stands there.
    pub duration: u16,
    /// Receiver.
    pub addr1: MacAddr,
    /// Transmitter.
    pub addr2: Option<MacAddr>,
    /// BSSID, source or destination.
    pub addr3: Option<MacAddr>,
    /// Source, in a four-address frame.
    pub addr4: Option<MacAddr>,
    /// Sequence Control.
    pub sequence: Option<SequenceControl>,
    /// QoS Control.
    pub qos: Option<QosControl>,
    /// HT Control.
    pub ht_control: Option<u32>,
}

/// Octets of the header that every management and data frame has.
pub const THREE_ADDRESS_LENGTH: usize = 24;

/// Octets of the same with a QoS Control field.
const QOS_DATA_LENGTH: usize = THREE_ADDRESS_LENGTH + 2;

/// True for data of protocol version 0 with three addresses and without the +HTC bit.
#[inline]
const fn is_plain_data(control: FrameControl) -> bool {
    // Not both of To DS and From DS; Order means +HTC.
    control.0 & 0x800f == 0x0008 && control.0 & 0x0300 != 0x0300
}

struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], ParseError> {
        let rest = self.octets.get(self.at..).unwrap_or_default();
        let Some(taken) = rest.first_chunk::<N>() else {
            return Err(ParseError::Truncated { what, needed: N, had: rest.len(), at: self.at });
        };
        self.at += N;
        Ok(*taken)
    }

    fn address(&mut self, what: &'static str) -> Result<MacAddr, ParseError> {
        self.take::<6>(what).map(MacAddr)
    }
}

impl MacHeader {
    /// A header with three addresses, as management and data frames have it; sequence number 0.
    pub const fn three_address(frame_control: FrameControl, addr1: MacAddr, addr2: MacAddr, addr3: MacAddr) -> Self {
        Self {
            frame_control,
            duration: 0,
            addr1,
            addr2: Some(addr2),
            addr3: Some(addr3),
            addr4: None,
            sequence: Some(SequenceControl { number: 0, fragment: 0 }),
            qos: None,
            ht_control: None,
        }
    }

    /// Reads the header of an MPDU.
    #[inline]
    pub fn parse(octets: &[u8]) -> Result<Self, ParseError> {
        match octets.first_chunk::<QOS_DATA_LENGTH>() {
            Some(start @ [first, second, ..]) if is_plain_data(FrameControl::from_octets([*first, *second])) => {
                Ok(Self::from_plain_data(start))
            }
            _ => Self::parse_any(octets),
        }
    }

    /// The header of a data frame with three addresses and without HT Control: of nearly all frames.
    #[inline]
    const fn from_plain_data(start: &[u8; QOS_DATA_LENGTH]) -> Self {
        let [f0, f1, d0, d1, r0, r1, r2, r3, r4, r5, t0, t1, t2, t3, t4, t5, a0, a1, a2, a3, a4, a5, s0, s1, q0, q1] =
            *start;
        let frame_control = FrameControl::from_octets([f0, f1]);
        let qos = if frame_control.is_qos_data() { Some(QosControl(u16::from_le_bytes([q0, q1]))) } else { None };
        Self {
            frame_control,
            duration: u16::from_le_bytes([d0, d1]),
            addr1: MacAddr([r0, r1, r2, r3, r4, r5]),
            addr2: Some(MacAddr([t0, t1, t2, t3, t4, t5])),
            addr3: Some(MacAddr([a0, a1, a2, a3, a4, a5])),
            addr4: None,
            sequence: Some(SequenceControl::from_octets([s0, s1])),
            qos,
            ht_control: None,
        }
    }

    fn parse_any(octets: &[u8]) -> Result<Self, ParseError> {
        let mut reader = Reader { octets, at: 0 };
        let frame_control = FrameControl::from_octets(reader.take("Frame Control")?);
        if frame_control.version() != 0 {
            let value = u64::from(frame_control.version());
            return Err(ParseError::Invalid { what: "protocol version", value, at: 0 });
        }
        let duration = u16::from_le_bytes(reader.take("Duration/ID")?);
        let addr1 = reader.address("Address 1")?;
        let mut header = Self {
            frame_control,
            duration,
            addr1,
            addr2: None,
            addr3: None,
            addr4: None,
            sequence: None,
            qos: None,
            ht_control: None,
        };
        match frame_control.frame_type() {
            FrameType::Control => {
                // Control Wrapper (7), CTS (12) and Ack (13) have no transmitter address.
                if !matches!(frame_control.subtype(), 7 | 12 | 13) {
                    header.addr2 = Some(reader.address("Address 2")?);
                }
                return Ok(header);
            }
            FrameType::Extension => return Ok(header),
            FrameType::Management | FrameType::Data => {}
        }
        header.addr2 = Some(reader.address("Address 2")?);
        header.addr3 = Some(reader.address("Address 3")?);
        header.sequence = Some(SequenceControl::from_octets(reader.take("Sequence Control")?));
        if frame_control.frame_type() == FrameType::Data {
            if frame_control.to_ds() && frame_control.from_ds() {
                header.addr4 = Some(reader.address("Address 4")?);
            }
            if frame_control.is_qos_data() {
                header.qos = Some(QosControl(u16::from_le_bytes(reader.take("QoS Control")?)));
            }
        }
        let may_have_htc = frame_control.is_qos_data() || frame_control.frame_type() == FrameType::Management;
        if frame_control.order() && may_have_htc {
            header.ht_control = Some(u32::from_le_bytes(reader.take("HT Control")?));
        }
        Ok(header)
    }

    /// Octets of the header.
    pub const fn length(&self) -> usize {
        let mut length = 10;
        if self.addr2.is_some() {
            length += 6;
        }
        if self.addr3.is_some() {
            length += 6;
        }
        if self.sequence.is_some() {
            length += 2;
        }
        if self.addr4.is_some() {
            length += 6;
        }
        if self.qos.is_some() {
            length += 2;
        }
        if self.ht_control.is_some() {
            length += 4;
        }
        length
    }

    /// Appends the header.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.frame_control.octets());
        out.extend_from_slice(&self.duration.to_le_bytes());
        out.extend_from_slice(&self.addr1.octets());
        for address in [self.addr2, self.addr3].into_iter().flatten() {
            out.extend_from_slice(&address.octets());
        }
        if let Some(sequence) = self.sequence {
            out.extend_from_slice(&sequence.octets());
        }
        if let Some(address) = self.addr4 {
            out.extend_from_slice(&address.octets());
        }
        if let Some(qos) = self.qos {
            out.extend_from_slice(&qos.0.to_le_bytes());
        }
        if let Some(ht_control) = self.ht_control {
            out.extend_from_slice(&ht_control.to_le_bytes());
        }
    }

    /// Destination address (Table 9-30); `None` for control frames.
    pub const fn destination(&self) -> Option<MacAddr> {
        if self.addr3.is_none() {
            None
        } else if self.is_data() && self.frame_control.to_ds() {
            self.addr3
        } else {
            Some(self.addr1)
        }
    }

    /// Source address (Table 9-30); `None` for control frames.
    pub const fn source(&self) -> Option<MacAddr> {
        if self.addr3.is_none() {
            None
        } else if !self.is_data() || !self.frame_control.from_ds() {
            self.addr2
        } else if self.frame_control.to_ds() {
            self.addr4
        } else {
            self.addr3
        }
    }

    /// BSSID; `None` for control and four-address frames.
    pub const fn bssid(&self) -> Option<MacAddr> {
        if !self.is_data() {
            return self.addr3;
        }
        match (self.frame_control.to_ds(), self.frame_control.from_ds()) {
            (false, false) => self.addr3,
            (true, false) => Some(self.addr1),
            (false, true) => self.addr2,
            (true, true) => None,
        }
    }

    const fn is_data(&self) -> bool {
        matches!(self.frame_control.frame_type(), FrameType::Data)
    }
}

/// Replaces the Frame Control field of an MPDU; false where it is too short.
pub fn set_frame_control(frame: &mut [u8], frame_control: FrameControl) -> bool {
    match frame.first_chunk_mut::<2>() {
        Some(field) => {
            *field = frame_control.octets();
            true
        }
        None => false,
    }
}

/// Sets the Retry bit of an MPDU; false where it is too short.
pub fn set_retry(frame: &mut [u8]) -> bool {
    match frame.get_mut(1) {
        Some(flags) => {
            *flags |= 0x08;
            true
        }
        None => false,
    }
}

/// Replaces the Sequence Control field of a management or data MPDU; false where it is too short.
pub fn set_sequence(frame: &mut [u8], sequence: SequenceControl) -> bool {
    match frame.get_mut(22..24) {
        Some(field) => {
            field.copy_from_slice(&sequence.octets());
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame_control::data_subtype;

    fn address(last: u8) -> MacAddr {
        MacAddr([2, 0, 0, 0, 0, last])
    }

    fn qos_data() -> MacHeader {
        let control = FrameControl::data(data_subtype::QOS_DATA).with_to_ds(true);
        let mut header = MacHeader::three_address(control, address(1), address(2), address(3));
        header.sequence = Some(SequenceControl { number: 0x123, fragment: 0 });
        header.qos = Some(QosControl(0x85));
        header
    }

    #[test]
    fn a_qos_data_header_is_read_as_it_was_written() {
        let mut octets = Vec::new();
        qos_data().emit(&mut octets);
        let parsed = MacHeader::parse(&octets).expect("whole");
        assert_eq!(parsed, qos_data());
        assert_eq!((parsed.length(), octets.len()), (26, 26));
        assert_eq!(
            (parsed.bssid(), parsed.source(), parsed.destination()),
            (Some(address(1)), Some(address(2)), Some(address(3)))
        );
        assert!(parsed.qos.is_some_and(|qos| qos.amsdu_present() && qos.tid().value() == 5));
    }

    #[test]
    fn every_prefix_of_a_header_is_truncated() {
        let mut octets = Vec::new();
        qos_data().emit(&mut octets);
        for end in 0..octets.len() {
            assert!(matches!(MacHeader::parse(&octets[..end]), Err(ParseError::Truncated { .. })), "{end}");
        }
    }

    #[test]
    fn four_addresses_and_ht_control_have_their_places() {
        let mut header = qos_data();
        header.frame_control = header.frame_control.with_from_ds(true).with_order(true);
        header.addr4 = Some(address(4));
        header.ht_control = Some(0x0102_0304);
        let mut octets = Vec::new();
        header.emit(&mut octets);
        assert_eq!(MacHeader::parse(&octets), Ok(header));
        assert_eq!((octets.len(), header.source(), header.bssid()), (36, Some(address(4)), None));
    }

    #[test]
    fn the_way_of_nearly_all_frames_reads_what_the_other_one_reads() {
        for control in 0..=u16::MAX {
            let mut octets: Vec<u8> = (0..40).collect();
            octets[..2].copy_from_slice(&control.to_le_bytes());
            assert_eq!(MacHeader::parse(&octets), MacHeader::parse_any(&octets), "{control:04x}");
        }
    }

    #[test]
    fn an_acknowledgement_has_one_address() {
        let header = MacHeader::parse(&[0xd4, 0, 0, 0, 2, 0, 0, 0, 0, 1]).expect("whole");
        assert_eq!((header.addr1, header.addr2, header.length()), (address(1), None, 10));
        assert_eq!((header.source(), header.destination()), (None, None));
    }

    #[test]
    fn protocol_version_1_is_not_read() {
        let error = MacHeader::parse(&[0x89; 40]).expect_err("version 1");
        assert!(matches!(error, ParseError::Invalid { what: "protocol version", value: 1, at: 0 }));
    }
}
