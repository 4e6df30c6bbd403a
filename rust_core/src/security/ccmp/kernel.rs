//! Which implementation does a batch, and how a batch is laid out for it.
//!
//! CCMP-128 packets with a body go to the best multi-packet kernel of this processor; what no kernel does (CCMP-256, empty
//! bodies, other processors) goes one by one to `portable`. A backend can be forced, for tests and comparisons.

use super::layout::Aad;

/// An implementation of the inner loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Backend {
    /// One packet at a time, on the `aes` and `ccm` crates.
    Portable,
    /// Four packets at a time with AES-NI.
    AesNi,
    /// Eight packets at a time with VAES on 256-bit registers.
    Vaes256,
    /// Sixteen packets at a time with VAES on 512-bit registers.
    Vaes512,
}

impl Backend {
    /// All, the slowest first.
    pub const ALL: [Self; 4] = [Self::Portable, Self::AesNi, Self::Vaes256, Self::Vaes512];

    /// The best one of this processor.
    pub fn best() -> Self {
        Self::ALL.into_iter().rev().find(|backend| backend.is_available()).unwrap_or(Self::Portable)
    }

    /// True where this processor can do it.
    pub fn is_available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return match self {
            Self::Portable => true,
            Self::AesNi => {
                is_x86_feature_detected!("aes")
                    && is_x86_feature_detected!("ssse3")
                    && is_x86_feature_detected!("sse4.1")
                    && is_x86_feature_detected!("avx")
            }
            Self::Vaes256 => {
                is_x86_feature_detected!("vaes") && is_x86_feature_detected!("avx2") && is_x86_feature_detected!("aes")
            }
            Self::Vaes512 => {
                Self::Vaes256.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
            }
        };
        #[cfg(not(target_arch = "x86_64"))]
        matches!(self, Self::Portable)
    }

    /// The name that reports use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::AesNi => "aes-ni",
            Self::Vaes256 => "vaes-256",
            Self::Vaes512 => "vaes-512",
        }
    }
}

/// One CCMP-128 packet as a kernel sees it: M = 8, L = 2, AAD of two blocks.
pub(super) struct Packet<'a> {
    /// The temporal key.
    pub(super) key: &'a [u8; 16],
    /// See [`super::layout::Layout::nonce`].
    pub(super) nonce: [u8; 13],
    /// See [`super::layout::Layout::aad`].
    pub(super) aad: Aad,
    /// What is read: plaintext or ciphertext.
    pub(super) body: &'a [u8],
    /// What is written, of the same length.
    pub(super) out: &'a mut [u8],
    /// The message integrity code, computed.
    pub(super) mic: [u8; 8],
    /// Where the rest of its job waits for it.
    pub(super) ending: usize,
}

#[cfg(target_arch = "x86_64")]
impl Packet<'_> {
    /// B0 (RFC 3610 2.2): flags, nonce, length.
    pub(super) fn first_block(&self) -> [u8; 16] {
        let length = u16::try_from(self.body.len()).unwrap_or_default();
        self.block(0x59, length)
    }

    /// A counter block (RFC 3610 2.3).
    pub(super) fn counter_block(&self, counter: u16) -> [u8; 16] {
        self.block(0x01, counter)
    }

    fn block(&self, flags: u8, last: u16) -> [u8; 16] {
        let [n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11, n12] = self.nonce;
        let [high, low] = last.to_be_bytes();
        [flags, n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11, n12, high, low]
    }
}

/// True where a kernel can do a body of this length.
pub(super) const fn takes(backend: Backend, body_length: usize) -> bool {
    // Counters of two octets: 65535 blocks are more than a 16-bit length can fill.
    !matches!(backend, Backend::Portable) && body_length > 0 && body_length <= u16::MAX as usize
}

/// Fills `out` and `mic` of every packet; `OPEN`: `body` is ciphertext.
///
/// Packets come back in another order: the longest first, so that lanes of a group end late and together.
pub(super) fn run<const OPEN: bool>(backend: Backend, packets: &mut [Packet<'_>]) {
    #[cfg(target_arch = "x86_64")]
    {
        let mut order: Vec<&mut Packet<'_>> = packets.iter_mut().collect();
        let blocks = |packet: &Packet<'_>| (packet.body.len() - 1) / 16;
        let lengths_differ = order.windows(2).any(|pair| matches!(pair, [a, b] if blocks(a) != blocks(b)));
        if lengths_differ {
            order.sort_by_key(|packet| core::cmp::Reverse(blocks(packet)));
        }
        super::x86::run::<OPEN>(backend, &mut order);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (backend, packets);
}
