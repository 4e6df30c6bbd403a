//! One installed key: its cipher, its transmit packet number, its replay counters.
//!
//! Not here: where the slot belongs (`device::connection_table`). Promise: a slot hands out each packet number once, from
//! 1 on (IEEE 802.11-2020 12.5.3.3.2), and cannot be copied, so neither can its count.

use core::fmt;

use super::ccmp::{CcmpHeader, CcmpKey, HEADER_LENGTH, MAX_MPDU_LENGTH, OpenError, SealError};
use super::replay::ReplayCounters;
use crate::host_api::call::{CallError, CipherSuite};
use crate::ids::{KeyId, PacketNumber};

/// An installed key. No `Clone`: two slots under one key would repeat packet numbers.
///
/// In this order: where a slot starts a cache line, as in a row of the connection table, the replay counter of priority 0,
/// the packet number of what is sent, and the key fill one line.
#[repr(C)]
pub struct KeySlot {
    replay: ReplayCounters,
    transmitted: PacketNumber,
    key_id: KeyId,
    /// Frames are sent with it.
    sends: bool,
    key: CcmpKey,
}

impl KeySlot {
    /// Where that line starts.
    pub(crate) const LINE: usize = core::mem::offset_of!(Self, transmitted) - size_of::<PacketNumber>();

    /// Installs a temporal key; received packet numbers must be larger than `receive_counter`.
    ///
    /// # Errors
    /// `UnsupportedCipher`: not CCMP, or the key's length is not the cipher's. `WeakKey`: all octets are zero, as some
    /// supplicants once installed by mistake (CVE-2017-13077 and its kin).
    pub fn new(
        cipher: CipherSuite,
        key_id: KeyId,
        key: &[u8],
        receive_counter: PacketNumber,
    ) -> Result<Self, CallError> {
        let ccmp_key = CcmpKey::new(key).ok().filter(|key| key.cipher() == cipher);
        let key = ccmp_key.ok_or(CallError::UnsupportedCipher)?;
        if key.is_zero() {
            return Err(CallError::WeakKey);
        }
        let replay = ReplayCounters::new(receive_counter);
        Ok(Self { replay, transmitted: PacketNumber::default(), key_id, sends: false, key })
    }

    /// Gives the next packet number away; `None` after 2^48 - 1: the key is exhausted (IEEE 802.11-2020 12.5.3.3.2).
    pub fn next_packet_number(&mut self) -> Option<PacketNumber> {
        self.transmitted = self.transmitted.next()?;
        Some(self.transmitted)
    }

    /// Seals a frame under the next packet number and appends it to `out`.
    ///
    /// # Errors
    /// `KeyExhausted` where no number is left; else as [`CcmpKey::seal`].
    pub fn seal(&mut self, mpdu: &[u8], out: &mut Vec<u8>) -> Result<PacketNumber, SealError> {
        let number = self.next_packet_number().ok_or(SealError::KeyExhausted)?;
        self.key.seal(mpdu, number, self.key_id, out)?;
        Ok(number)
    }

    /// Checks for a replay, opens a frame, appends it to `out`, and then moves the replay counter.
    ///
    /// The frame's key identifier is not looked at: whoever chose this slot did.
    ///
    /// # Errors
    /// `Replay`, or as [`CcmpKey::open`]; counter and `out` are as before.
    pub fn open(&mut self, mpdu: &[u8], out: &mut Vec<u8>) -> Result<PacketNumber, OpenError> {
        let header = CcmpHeader::read(mpdu)?;
        if !self.replay.check(header.class, header.packet_number) {
            return Err(OpenError::Replay);
        }
        self.key.open(mpdu, out)?;
        // Cannot be refused: nothing came between check and advance.
        let _ = self.replay.advance(header.class, header.packet_number);
        Ok(header.packet_number)
    }

    /// After a restore: both counts go on from where the saved ones stood, never back.
    pub fn resume(&mut self, transmitted: PacketNumber, replay: &ReplayCounters) {
        self.transmitted = self.transmitted.max(transmitted);
        self.replay.raise(replay);
    }

    /// Is it that temporal key? Takes the same time whatever the answer.
    pub fn same_key(&self, key: &[u8]) -> bool {
        self.key.same_octets(key)
    }

    /// How long that protected MPDU becomes; `None` where it is shorter than CCMP header and MIC.
    #[inline]
    pub fn opened_length(&self, mpdu: &[u8]) -> Option<usize> {
        mpdu.len().checked_sub(self.overhead())
    }

    /// How long that plaintext MPDU becomes; `None` above what can be protected.
    #[inline]
    pub fn sealed_length(&self, mpdu: &[u8]) -> Option<usize> {
        Some(mpdu.len() + self.overhead()).filter(|length| *length <= MAX_MPDU_LENGTH)
    }

    /// CCMP header and MIC, from what lies next to the key.
    #[inline]
    const fn overhead(&self) -> usize {
        HEADER_LENGTH + self.key.mic_length()
    }

    /// The key itself, for batches.
    pub const fn key(&self) -> &CcmpKey {
        &self.key
    }

    /// Its cipher.
    pub const fn cipher(&self) -> CipherSuite {
        self.key.cipher()
    }

    /// Its identifier in CCMP headers.
    pub const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Frames are sent with it. Whoever holds several keys of a peer keeps that true of one of them at most.
    #[inline]
    pub const fn sends(&self) -> bool {
        self.sends
    }

    /// Frames are sent with it from now on, or with another key.
    pub(crate) const fn set_sends(&mut self, sends: bool) {
        self.sends = sends;
    }

    /// The last packet number given away; 0 before the first. A group key's Key RSC is this.
    pub const fn transmitted(&self) -> PacketNumber {
        self.transmitted
    }

    /// The replay counters.
    pub const fn replay(&self) -> &ReplayCounters {
        &self.replay
    }

    /// The replay counters, to be moved after a batch was opened.
    pub const fn replay_mut(&mut self) -> &mut ReplayCounters {
        &mut self.replay
    }
}

impl fmt::Debug for KeySlot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("KeySlot")
            .field("cipher", &self.cipher())
            .field("key_id", &self.key_id)
            .field("transmitted", &self.transmitted)
            .field("replay", &self.replay)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 16] = *b"a temporal key!!";
    const FRAME: &[u8] = b"\x08\x01\0\0\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x02\0\0\0\0\x03\x10\0data";

    fn slot() -> KeySlot {
        KeySlot::new(CipherSuite::CCMP_128, KeyId::from_low_bits(0), &KEY, PacketNumber::default()).unwrap()
    }

    #[test]
    fn packet_numbers_start_from_one_and_end_at_48_bits() {
        let mut slot = slot();
        assert_eq!(slot.transmitted().value(), 0);
        assert_eq!(slot.next_packet_number(), PacketNumber::new(1));
        assert_eq!(slot.next_packet_number(), PacketNumber::new(2));
        slot.resume(PacketNumber::from_low_bits((1 << 48) - 2), &ReplayCounters::new(PacketNumber::default()));
        assert_eq!(slot.next_packet_number(), Some(PacketNumber::MAX));
        assert_eq!(slot.next_packet_number(), None);
        let mut out = Vec::new();
        assert_eq!(slot.seal(FRAME, &mut out), Err(SealError::KeyExhausted));
        assert!(out.is_empty() && slot.next_packet_number().is_none(), "it does not wrap");
    }

    #[test]
    fn a_frame_passes_once() {
        let (mut sender, mut receiver) = (slot(), slot());
        let (mut first, mut second, mut out) = (Vec::new(), Vec::new(), b"before".to_vec());
        sender.seal(FRAME, &mut first).unwrap();
        sender.seal(FRAME, &mut second).unwrap();
        assert_eq!(receiver.open(&second, &mut out), Ok(PacketNumber::from_low_bits(2)));
        assert_eq!(out, [b"before", FRAME].concat());
        for replayed in [&second, &first] {
            assert_eq!(receiver.open(replayed, &mut out), Err(OpenError::Replay));
        }
        assert_eq!(out.len(), 6 + FRAME.len());
    }

    #[test]
    fn a_forged_frame_does_not_move_the_replay_counter() {
        let (mut sender, mut receiver) = (slot(), slot());
        let (mut sealed, mut out) = (Vec::new(), Vec::new());
        sender.seal(FRAME, &mut sealed).unwrap();
        let mut forged = sealed.clone();
        forged[24 + 7] = 0xff; // PN5
        assert_eq!(receiver.open(&forged, &mut out), Err(OpenError::MicFailed));
        assert!(out.is_empty());
        assert_eq!(receiver.open(&sealed, &mut out), Ok(PacketNumber::from_low_bits(1)));
    }

    #[test]
    fn keys_that_cannot_be_are_refused() {
        let install = |cipher, key: &[u8]| {
            KeySlot::new(cipher, KeyId::from_low_bits(1), key, PacketNumber::default()).map(|slot| slot.cipher()).err()
        };
        assert_eq!(install(CipherSuite::CCMP_128, &KEY), None);
        assert_eq!(install(CipherSuite::CCMP_256, &[KEY, KEY].concat()), None);
        assert_eq!(install(CipherSuite::CCMP_128, &[0; 16]), Some(CallError::WeakKey));
        assert_eq!(install(CipherSuite::CCMP_256, &[0; 32]), Some(CallError::WeakKey));
        for (cipher, length) in [(4, 0), (4, 15), (4, 32), (10, 16), (10, 33), (2, 32), (8, 16), (0, 16)] {
            let refused = install(CipherSuite(cipher), &vec![1; length]);
            assert_eq!(refused, Some(CallError::UnsupportedCipher), "cipher {cipher}, {length} octets");
        }
    }

    #[test]
    fn the_same_key_is_recognised_and_never_printed() {
        let slot = slot();
        assert!(slot.same_key(&KEY));
        assert!(
            !slot.same_key(b"a temporal key!?") && !slot.same_key(&KEY[..15]) && !slot.same_key(&[KEY, KEY].concat())
        );
        let printed = format!("{slot:?}");
        assert!(printed.contains("key_id") && !printed.contains("97, 32"), "{printed}");
    }
}
