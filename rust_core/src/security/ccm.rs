//! AES-CCM (RFC 3610, NIST SP 800-38C) for any nonce and tag length, on the block cipher of the `aes` crate.
//!
//! For keys and lengths that are known at run time only; the way of a frame is [`super::ccmp`].
//! Promise: plaintext whose tag is wrong is wiped before anybody sees it.

use core::fmt;

use aes::cipher::consts::U16;
use aes::cipher::{BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, KeyInit};
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
        copy(tag, self.run::<false>(nonce, aad, plaintext, ciphertext).as_slice());
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
        let expected = self.run::<true>(nonce, aad, ciphertext, out);
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

    /// Encrypts, or decrypts, `input` into `output` of the same length, and returns the tag that belongs to it.
    fn run<const OPEN: bool>(&self, nonce: &[u8], aad: &[u8], input: &[u8], output: &mut [u8]) -> Zeroizing<[u8; 16]> {
        let flags = (u8::from(!aad.is_empty()) << 6) | (((self.tag_length - 2) / 2) << 3) | (self.length_octets - 1);
        let mut tag = Zeroizing::new([0; 16]);
        self.cipher.run(Pass::<OPEN> {
            first: Self::block(flags, nonce, input.len() as u64),
            counter: Self::block(self.length_octets - 1, nonce, 0),
            aad,
            input,
            output,
            tag: &mut tag,
        });
        tag
    }

    /// Flags, nonce, and a number in the last L octets.
    fn block(flags: u8, nonce: &[u8], number: u64) -> [u8; 16] {
        let mut block = [0; 16];
        let (first, rest) = block.split_at_mut(1);
        first.copy_from_slice(&[flags]);
        copy(rest, nonce);
        (u128::from_be_bytes(block) | u128::from(number)).to_be_bytes()
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

    fn run(&self, pass: impl BlockCipherEncClosure<BlockSize = U16>) {
        match self {
            Self::Aes128(cipher) => cipher.encrypt_with_backend(pass),
            Self::Aes256(cipher) => cipher.encrypt_with_backend(pass),
        }
    }
}

/// The way through one packet. CBC-MAC (RFC 3610 2.2) waits for each block; the key stream (2.3) does not, and goes beside
/// it: the processor has both under way.
struct Pass<'a, const OPEN: bool> {
    /// B0.
    first: [u8; 16],
    /// A0, whose key stream hides the tag; those of the text follow.
    counter: [u8; 16],
    aad: &'a [u8],
    input: &'a [u8],
    output: &'a mut [u8],
    tag: &'a mut [u8; 16],
}

impl<const OPEN: bool> BlockSizeUser for Pass<'_, OPEN> {
    type BlockSize = U16;
}

impl<const OPEN: bool> BlockCipherEncClosure for Pass<'_, OPEN> {
    #[expect(
        clippy::inline_always,
        reason = "AES instructions are allowed in the caller only: a call a block otherwise"
    )]
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let mut mac = encrypt(backend, self.first);
        if !self.aad.is_empty() {
            let (mut block, start) = aad_length(self.aad.len());
            let (head, rest) = self.aad.split_at(self.aad.len().min(block.len() - start));
            copy(block.get_mut(start..).unwrap_or_default(), head);
            mac = encrypt(backend, sum(&mac, &block));
            for block in rest.chunks(16) {
                mac = encrypt(backend, sum(&mac, &padded(block)));
            }
        }
        // The number never leaves the last L octets: `check` saw to it.
        let mut counter = u128::from_be_bytes(self.counter);
        let mut next = || {
            counter = counter.wrapping_add(1);
            encrypt(backend, counter.to_be_bytes())
        };
        let (blocks, rest) = self.input.as_chunks();
        let (out_blocks, out_rest) = self.output.as_chunks_mut();
        for (from, to) in blocks.iter().zip(out_blocks) {
            *to = sum(&next(), from);
            mac = encrypt(backend, sum(&mac, if OPEN { to } else { from }));
        }
        if !rest.is_empty() {
            copy(out_rest, &sum(&next(), &padded(rest)));
            mac = encrypt(backend, sum(&mac, &padded(if OPEN { out_rest } else { rest })));
        }
        *self.tag = sum(&mac, &encrypt(backend, self.counter));
    }
}

#[expect(clippy::inline_always, reason = "as in `Pass::call`")]
#[inline(always)]
fn encrypt<B: BlockCipherEncBackend<BlockSize = U16>>(backend: &B, block: [u8; 16]) -> [u8; 16] {
    let mut out = Block::default();
    backend.encrypt_block((&block.into(), &mut out).into());
    out.into()
}

/// One vector instruction.
fn sum(a: &[u8; 16], b: &[u8; 16]) -> [u8; 16] {
    let mut sum = *a;
    sum.iter_mut().zip(b).for_each(|(a, b)| *a ^= b);
    sum
}

/// A block that begins with the length of the AAD (RFC 3610 2.2), and how many octets say it.
fn aad_length(length: usize) -> ([u8; 16], usize) {
    let length = length as u128;
    match length {
        ..0xff00 => ((length << 112).to_be_bytes(), 2),
        0xff00..=0xffff_ffff => ((0xfffe << 112 | length << 80).to_be_bytes(), 6),
        _ => ((0xffff << 112 | length << 48).to_be_bytes(), 10),
    }
}

fn padded(octets: &[u8]) -> [u8; 16] {
    let mut block = [0; 16];
    copy(&mut block, octets);
    block
}

/// As much as there is room for.
fn copy(to: &mut [u8], from: &[u8]) {
    let length = to.len().min(from.len());
    if let (Some(to), Some(from)) = (to.get_mut(..length), from.get(..length)) {
        to.copy_from_slice(from);
    }
}

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
            type Reference = ccm::Ccm<aes::Aes256, U16, ccm::consts::U13>;
            let mut expected = plaintext.clone();
            Reference::new(&key.into()).encrypt_in_place(&nonce.into(), &aad, &mut expected).unwrap();
            prop_assert_eq!(seal(&key, &nonce, &aad, &plaintext, 16), Ok(expected));
        }
    }
}
