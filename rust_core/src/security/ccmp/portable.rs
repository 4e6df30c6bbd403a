//! CCMP's CCM on any processor: one packet at a time, on the `ccm` and `aes` crates (which use AES instructions).

use aes::{Aes128Enc, Aes256Enc};
use ccm::aead::AeadInOut;
use ccm::aead::inout::InOutBuf;
use ccm::consts::{U8, U13, U16};
use ccm::{Ccm, KeyInit};

use super::layout::Aad;

/// An expanded key; the `aes` crate wipes it when dropped.
pub(super) enum Schedule {
    /// M = 8.
    Ccmp128(Ccm<Aes128Enc, U8, U13>),
    /// M = 16.
    Ccmp256(Ccm<Aes256Enc, U16, U13>),
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

    /// Octets of the message integrity code.
    pub(super) const fn mic_length(&self) -> usize {
        match self {
            Self::Ccmp128(_) => 8,
            Self::Ccmp256(_) => 16,
        }
    }

    /// Encrypts `body` into `out`, of the same length, and fills `mic`; false where the lengths do not fit.
    pub(super) fn seal(&self, nonce: &[u8; 13], aad: &Aad, body: &[u8], out: &mut [u8], mic: &mut [u8]) -> bool {
        match self {
            Self::Ccmp128(ccm) => seal(ccm, nonce, aad, body, out, mic),
            Self::Ccmp256(ccm) => seal(ccm, nonce, aad, body, out, mic),
        }
    }

    /// Decrypts `body` into `out`, of the same length; false, and zeros in `out`, where `mic` is wrong.
    pub(super) fn open(&self, nonce: &[u8; 13], aad: &Aad, body: &[u8], out: &mut [u8], mic: &[u8]) -> bool {
        let is_right = match self {
            Self::Ccmp128(ccm) => open(ccm, nonce, aad, body, out, mic),
            Self::Ccmp256(ccm) => open(ccm, nonce, aad, body, out, mic),
        };
        if !is_right {
            // The crate does so itself; this one is not optimised away when nobody looks at `out` any more.
            zeroize::Zeroize::zeroize(out);
        }
        is_right
    }
}

fn seal<C: AeadInOut<NonceSize = U13>>(
    ccm: &C,
    nonce: &[u8; 13],
    aad: &Aad,
    body: &[u8],
    out: &mut [u8],
    mic: &mut [u8],
) -> bool {
    let Ok(buffer) = InOutBuf::new(body, out) else { return false };
    let Ok(tag) = ccm.encrypt_inout_detached(nonce.into(), aad.as_slice(), buffer) else { return false };
    let fits = tag.len() == mic.len();
    mic.iter_mut().zip(tag).for_each(|(to, from)| *to = from);
    fits
}

fn open<C: AeadInOut<NonceSize = U13>>(
    ccm: &C,
    nonce: &[u8; 13],
    aad: &Aad,
    body: &[u8],
    out: &mut [u8],
    mic: &[u8],
) -> bool {
    let (Ok(buffer), Ok(tag)) = (InOutBuf::new(body, out), mic.try_into()) else { return false };
    ccm.decrypt_inout_detached(nonce.into(), aad.as_slice(), buffer, tag).is_ok()
}
