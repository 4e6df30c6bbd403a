//! CCMP's CCM on any processor: one packet at a time, on the `ccm` and `aes` crates (which use AES instructions).

use aes::{Aes128Enc, Aes256Enc};
use ccm::aead::AeadInOut;
use ccm::aead::inout::InOutBuf;
use ccm::consts::{U8, U13, U16};
use ccm::{Ccm, KeyInit};

use super::layout::Block;

/// An expanded key; the `aes` crate wipes it when dropped.
pub(super) enum Schedule {
    /// M = 8.
    Ccmp128(Ccm<Aes128Enc, U8, U13>),
    /// M = 16.
    Ccmp256(Ccm<Aes256Enc, U16, U13>),
}

/// Nonce and AAD, from the blocks that the kernels take.
pub(super) struct Header {
    nonce: [u8; 13],
    aad: [u8; 32],
}

impl Header {
    /// From B0, B1 and B2.
    pub(super) fn of(first: Block, aad: [Block; 2]) -> Self {
        let [_flags, nonce @ .., _, _] = octets(first);
        let mut blocks = [0; 32];
        let (one, two) = blocks.split_at_mut(16);
        one.copy_from_slice(&octets(aad[0]));
        two.copy_from_slice(&octets(aad[1]));
        Self { nonce, aad: blocks }
    }

    fn aad(&self) -> &[u8] {
        let [high, low, rest @ ..] = &self.aad;
        rest.get(..usize::from(u16::from_be_bytes([*high, *low]))).unwrap_or_default()
    }
}

impl Schedule {
    /// CCMP-128.
    pub(super) fn ccmp_128(key: &[u8; 16]) -> Self {
        Self::Ccmp128(Ccm::new(key.into()))
    }

    /// CCMP-256.
    pub(super) fn ccmp_256(key: &[u8; 32]) -> Self {
        Self::Ccmp256(Ccm::new(key.into()))
    }

    /// Encrypts the body, and says its code; `None` where the lengths do not fit. A code of 8 octets is padded.
    pub(super) fn seal(&self, header: &Header, body: InOutBuf<'_, '_, u8>) -> Option<[u8; 16]> {
        match self {
            Self::Ccmp128(ccm) => seal(ccm, header, body),
            Self::Ccmp256(ccm) => seal(ccm, header, body),
        }
    }

    /// Decrypts the body; false where `mic` is wrong: then the caller wipes what was written.
    pub(super) fn open(&self, header: &Header, body: InOutBuf<'_, '_, u8>, mic: &[u8]) -> bool {
        match self {
            Self::Ccmp128(ccm) => open(ccm, header, body, mic),
            Self::Ccmp256(ccm) => open(ccm, header, body, mic),
        }
    }
}

fn seal<C: AeadInOut<NonceSize = U13>>(ccm: &C, header: &Header, body: InOutBuf<'_, '_, u8>) -> Option<[u8; 16]> {
    let tag = ccm.encrypt_inout_detached((&header.nonce).into(), header.aad(), body).ok()?;
    let mut mic = [0; 16];
    mic.iter_mut().zip(tag).for_each(|(to, from)| *to = from);
    Some(mic)
}

fn open<C: AeadInOut<NonceSize = U13>>(ccm: &C, header: &Header, body: InOutBuf<'_, '_, u8>, mic: &[u8]) -> bool {
    let Ok(tag) = mic.try_into() else { return false };
    ccm.decrypt_inout_detached((&header.nonce).into(), header.aad(), body, tag).is_ok()
}

fn octets([low, high]: Block) -> [u8; 16] {
    (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
}
