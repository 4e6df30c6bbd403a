//! AES-CCM (RFC 3610, NIST SP 800-38C) for any nonce and tag length, on the block cipher of the `aes` crate.
//!
//! For keys and lengths that are known at run time only; the way of a frame is [`super::ccmp`].
//! Promise: plaintext whose tag is wrong is wiped before anybody sees it.

use core::fmt;

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128Enc, Aes256Enc, Block};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// CCM under one key, with one pair of lengths. The key is wiped when it is dropped, and never printed.
pub struct Ccm {
    cipher: Cipher,
    /// L of RFC 3610: octets of the length field; the nonce has the other 15 - L.
    length_octets: u8,
    /// M of RFC 3610.
    tag_length: u8,
}

impl Ccm {
    /// Key of 16 or 32 octets, nonces of 7 to 13, tags of 4, 6, 8, 10, 12, 14 or 16.
    ///
    /// # Errors
    /// `InvalidKey`, `InvalidNonce` or `InvalidTag`: a length is none of those.
    pub fn new(key: &[u8], nonce_length: usize, tag_length: usize) -> Result<Self, CcmError> {
        let cipher = Cipher::new(key).ok_or(CcmError::InvalidKey(key.len()))?;
        let Ok(nonce_octets @ 7..=13) = u8::try_from(nonce_length) else {
            return Err(CcmError::InvalidNonce(nonce_length));
        };
        let Ok(tag_length @ (4 | 6 | 8 | 10 | 12 | 14 | 16)) = u8::try_from(tag_length) else {
            return Err(CcmError::InvalidTag(tag_length));
        };
        Ok(Self { cipher, length_octets: 15 - nonce_octets, tag_length })
    }

    /// Writes ciphertext and tag to `out`, which is exactly as long as both.
    ///
    /// # Errors
    /// `InvalidNonce` where its length is not the one agreed on; `TooLong`; `WrongRoom`.
    pub fn seal(&self, nonce: &[u8], aad: &[u8], plaintext: &[u8], out: &mut [u8]) -> Result<(), CcmError> {
        self.check(nonce, plaintext.len())?;
        if plaintext.len().checked_add(self.tag_length()) != Some(out.len()) {
            return Err(CcmError::WrongRoom);
        }
        let (ciphertext, tag) = out.split_at_mut_checked(plaintext.len()).ok_or(CcmError::WrongRoom)?;
        copy(tag, self.tag(nonce, aad, plaintext).iter());
        ciphertext.copy_from_slice(plaintext);
        self.apply_key_stream(nonce, ciphertext);
        Ok(())
    }

    /// Writes the plaintext of `data`, which is ciphertext and tag, to `out`, which is exactly as long as the plaintext.
    ///
    /// # Errors
    /// As [`Self::seal`]; `Truncated` where `data` is shorter than a tag; `MicFailed` where the tag is wrong: then `out`
    /// holds zeros.
    pub fn open(&self, nonce: &[u8], aad: &[u8], data: &[u8], out: &mut [u8]) -> Result<(), CcmError> {
        let length = data.len().checked_sub(self.tag_length()).ok_or(CcmError::Truncated)?;
        let (ciphertext, tag) = data.split_at_checked(length).ok_or(CcmError::Truncated)?;
        self.check(nonce, length)?;
        if out.len() != length {
            return Err(CcmError::WrongRoom);
        }
        out.copy_from_slice(ciphertext);
        self.apply_key_stream(nonce, out);
        let expected = self.tag(nonce, aad, out);
        if expected.get(..tag.len()).is_some_and(|expected| expected.ct_eq(tag).into()) {
            Ok(())
        } else {
            out.zeroize();
            Err(CcmError::MicFailed)
        }
    }

    /// Octets of a tag.
    pub const fn tag_length(&self) -> usize {
        self.tag_length as usize
    }

    fn check(&self, nonce: &[u8], length: usize) -> Result<(), CcmError> {
        if nonce.len() + usize::from(self.length_octets) != 15 {
            return Err(CcmError::InvalidNonce(nonce.len()));
        }
        let bits = 8 * u32::from(self.length_octets);
        if (length as u64).checked_shr(bits).unwrap_or_default() == 0 { Ok(()) } else { Err(CcmError::TooLong) }
    }

    /// CBC-MAC over B0, AAD and plaintext (RFC 3610 2.2), encrypted with the key stream's block 0.
    fn tag(&self, nonce: &[u8], aad: &[u8], plaintext: &[u8]) -> Zeroizing<[u8; 16]> {
        let flags = (u8::from(!aad.is_empty()) << 6) | (((self.tag_length - 2) / 2) << 3) | (self.length_octets - 1);
        let mut mac = Zeroizing::new(self.block(flags, nonce, plaintext.len() as u64));
        self.cipher.encrypt(&mut mac);
        if !aad.is_empty() {
            self.absorb(&mut mac, &[&aad_length(aad.len()), aad].concat());
        }
        self.absorb(&mut mac, plaintext);
        let mut first = self.block(self.length_octets - 1, nonce, 0);
        self.cipher.encrypt(&mut first);
        xor(mac.as_mut_slice(), &first);
        mac
    }

    fn absorb(&self, mac: &mut [u8; 16], octets: &[u8]) {
        for block in octets.chunks(16) {
            xor(mac, block);
            self.cipher.encrypt(mac);
        }
    }

    /// Encrypts or decrypts with the key stream from block 1 on (RFC 3610 2.3), several blocks at a time.
    fn apply_key_stream(&self, nonce: &[u8], octets: &mut [u8]) {
        let mut numbers = 1..;
        for chunk in octets.chunks_mut(16 * PARALLEL_BLOCKS) {
            let mut stream = [Block::default(); PARALLEL_BLOCKS];
            for (block, number) in stream.iter_mut().zip(&mut numbers) {
                *block = self.block(self.length_octets - 1, nonce, number).into();
            }
            self.cipher.encrypt_all(&mut stream);
            chunk.chunks_mut(16).zip(&stream).for_each(|(part, block)| xor(part, block));
        }
    }

    /// Flags, nonce, and a number in the last L octets.
    fn block(&self, flags: u8, nonce: &[u8], number: u64) -> [u8; 16] {
        let number = number.to_be_bytes();
        let number = number.iter().skip(number.len().saturating_sub(self.length_octets.into()));
        let mut block = [0; 16];
        copy(&mut block, [flags].iter().chain(nonce).chain(number));
        block
    }
}

impl fmt::Debug for Ccm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Ccm").field("tag_length", &self.tag_length).finish_non_exhaustive()
    }
}

/// Why CCM did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CcmError {
    /// A key has 16 or 32 octets, not this many.
    InvalidKey(usize),
    /// A nonce has 7 to 13 octets, the same number each time, and not this many.
    InvalidNonce(usize),
    /// A tag has 4, 6, 8, 10, 12, 14 or 16 octets, not this many.
    InvalidTag(usize),
    /// The plaintext is longer than the length field that the nonce leaves room for can say.
    TooLong,
    /// Shorter than a tag.
    Truncated,
    /// The tag is wrong.
    MicFailed,
    /// The output buffer has not the length of the result.
    WrongRoom,
}

impl fmt::Display for CcmError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidKey(length) => write!(out, "a key has 16 or 32 octets, not {length}"),
            Self::InvalidNonce(length) => write!(out, "a nonce has 7 to 13 octets, not {length}"),
            Self::InvalidTag(length) => write!(out, "a tag has 4, 6, 8, 10, 12, 14 or 16 octets, not {length}"),
            Self::TooLong => out.write_str("the plaintext is longer than a nonce of that length allows"),
            Self::Truncated => out.write_str("the data is shorter than a tag"),
            Self::MicFailed => out.write_str("the tag is wrong"),
            Self::WrongRoom => out.write_str("the output buffer has not the length of the result"),
        }
    }
}

impl core::error::Error for CcmError {}

/// Boxed, for an expanded key is large where there are no AES instructions.
enum Cipher {
    Aes128(Box<Aes128Enc>),
    Aes256(Box<Aes256Enc>),
}

impl Cipher {
    fn new(key: &[u8]) -> Option<Self> {
        if let Ok(key) = <&[u8; 16]>::try_from(key) {
            Some(Self::Aes128(Box::new(Aes128Enc::new(key.into()))))
        } else if let Ok(key) = <&[u8; 32]>::try_from(key) {
            Some(Self::Aes256(Box::new(Aes256Enc::new(key.into()))))
        } else {
            None
        }
    }

    fn encrypt(&self, block: &mut [u8; 16]) {
        match self {
            Self::Aes128(cipher) => cipher.encrypt_block(block.into()),
            Self::Aes256(cipher) => cipher.encrypt_block(block.into()),
        }
    }

    fn encrypt_all(&self, blocks: &mut [Block]) {
        match self {
            Self::Aes128(cipher) => cipher.encrypt_blocks(blocks),
            Self::Aes256(cipher) => cipher.encrypt_blocks(blocks),
        }
    }
}

/// How the length of the AAD is said in front of it (RFC 3610 2.2).
fn aad_length(length: usize) -> Vec<u8> {
    match (u16::try_from(length), u32::try_from(length)) {
        (Ok(length @ ..0xff00), _) => length.to_be_bytes().to_vec(),
        (_, Ok(length)) => [&[0xff, 0xfe][..], &length.to_be_bytes()].concat(),
        _ => [&[0xff, 0xff][..], &(length as u64).to_be_bytes()].concat(),
    }
}

fn copy<'a>(to: &mut [u8], from: impl Iterator<Item = &'a u8>) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

fn xor(to: &mut [u8], from: &[u8]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to ^= *from);
}

/// As many as the processor can have under way.
const PARALLEL_BLOCKS: usize = 8;

#[cfg(test)]
mod tests {
    use ccm::aead::AeadInOut;
    use proptest::prelude::*;

    use super::*;

    fn seal(key: &[u8], nonce: &[u8], aad: &[u8], plaintext: &[u8], tag_length: usize) -> Result<Vec<u8>, CcmError> {
        let mut out = vec![0; plaintext.len() + tag_length];
        Ccm::new(key, nonce.len(), tag_length)?.seal(nonce, aad, plaintext, &mut out)?;
        Ok(out)
    }

    #[test]
    fn lengths_that_do_not_exist_are_refused() {
        for key in [0, 15, 17, 24, 31, 33] {
            assert_eq!(Ccm::new(&vec![1; key], 13, 8).err(), Some(CcmError::InvalidKey(key)));
        }
        for nonce in [0, 6, 14, 16, 15 + 256] {
            assert_eq!(Ccm::new(&[1; 16], nonce, 8).err(), Some(CcmError::InvalidNonce(nonce)));
        }
        for tag in [0, 2, 5, 15, 17, 18, 16 + 256] {
            assert_eq!(Ccm::new(&[1; 16], 13, tag).err(), Some(CcmError::InvalidTag(tag)));
        }
    }

    #[test]
    fn a_plaintext_longer_than_the_length_field_can_say_is_refused() {
        let key = [1; 16];
        assert!(seal(&key, &[2; 13], b"", &vec![0; 65_535], 8).is_ok());
        assert_eq!(seal(&key, &[2; 13], b"", &vec![0; 65_536], 8), Err(CcmError::TooLong));
        assert!(seal(&key, &[2; 12], b"", &vec![0; 65_536], 8).is_ok());
    }

    #[test]
    fn buffers_and_nonces_of_another_length_are_refused() {
        let ccm = Ccm::new(&[1; 16], 13, 8).unwrap();
        assert_eq!(ccm.seal(&[2; 13], b"", b"abc", &mut [0; 10]), Err(CcmError::WrongRoom));
        assert_eq!(ccm.seal(&[2; 12], b"", b"abc", &mut [0; 11]), Err(CcmError::InvalidNonce(12)));
        assert_eq!(ccm.open(&[2; 13], b"", &[0; 7], &mut []), Err(CcmError::Truncated));
        assert_eq!(ccm.open(&[2; 13], b"", &[0; 9], &mut [0; 2]), Err(CcmError::WrongRoom));
    }

    #[test]
    fn a_wrong_tag_leaves_zeros() {
        let sealed = seal(&[1; 32], &[2; 7], b"header", b"plaintext", 16).unwrap();
        let ccm = Ccm::new(&[1; 32], 7, 16).unwrap();
        let mut out = [0xaa; 9];
        assert_eq!(ccm.open(&[2; 7], b"Header", &sealed, &mut out), Err(CcmError::MicFailed));
        assert_eq!(out, [0; 9]);
        assert_eq!(ccm.open(&[2; 7], b"header", &sealed, &mut out), Ok(()));
        assert_eq!(&out, b"plaintext");
    }

    // NIST SP 800-38C, Appendix C, example 4: the AAD's length takes six octets.
    #[test]
    fn long_associated_data_as_in_sp_800_38c_example_4() {
        let octets = |from: u8, count: usize| (from..).take(count).collect::<Vec<u8>>();
        let aad: Vec<u8> = (0..65_536_u32).map(|index| index.to_le_bytes()[0]).collect();
        let sealed = seal(&octets(0x40, 16), &octets(0x10, 13), &aad, &octets(0x20, 32), 14).unwrap();
        let (ciphertext, tag) = sealed.split_at(32);
        let expected = [0x6991_5dad_1e84_c637_6a68_c296_7e4d_ab61_u128, 0x5ae0_fd1f_aec4_4cc4_8482_8529_463c_cf72];
        assert_eq!(ciphertext, expected.map(u128::to_be_bytes).concat());
        assert_eq!(tag, [0xb4, 0xac, 0x6b, 0xec, 0x93, 0xe8, 0x59, 0x8e, 0x7f, 0x0d, 0xad, 0xbc, 0xea, 0x5b]);
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_and_any_flipped_bit_fails(
            key in prop_oneof![any::<[u8; 16]>().prop_map(Vec::from), any::<[u8; 32]>().prop_map(Vec::from)],
            nonce in proptest::collection::vec(any::<u8>(), 7..=13),
            aad in proptest::collection::vec(any::<u8>(), 0..64),
            plaintext in proptest::collection::vec(any::<u8>(), 0..200),
            half_tag in 2_usize..=8,
            place in any::<proptest::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let mut sealed = seal(&key, &nonce, &aad, &plaintext, 2 * half_tag).unwrap();
            let ccm = Ccm::new(&key, nonce.len(), 2 * half_tag).unwrap();
            let mut out = vec![0; plaintext.len()];
            prop_assert_eq!(ccm.open(&nonce, &aad, &sealed, &mut out), Ok(()));
            prop_assert_eq!(&out, &plaintext);
            sealed[place.index(plaintext.len() + 2 * half_tag)] ^= 1_u8 << bit;
            prop_assert_eq!(ccm.open(&nonce, &aad, &sealed, &mut out), Err(CcmError::MicFailed));
            prop_assert!(out.iter().all(|octet| *octet == 0));
        }

        #[test]
        fn it_agrees_with_the_ccm_crate(
            key in any::<[u8; 32]>(),
            nonce in any::<[u8; 13]>(),
            aad in proptest::collection::vec(any::<u8>(), 0..300),
            plaintext in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            type Reference = ccm::Ccm<aes::Aes256, ccm::consts::U16, ccm::consts::U13>;
            let mut expected = plaintext.clone();
            Reference::new(&key.into()).encrypt_in_place(&nonce.into(), &aad, &mut expected).unwrap();
            prop_assert_eq!(seal(&key, &nonce, &aad, &plaintext, 16), Ok(expected));
        }
    }
}
