//! Which implementation does a batch, and how a group of packets is laid out for it.
//!
//! Packets go to the best multi-packet kernel of this processor; what no kernel does (empty bodies, other processors) goes
//! one by one to `portable`. A backend can be forced, for tests and comparisons.

#[cfg(target_arch = "x86_64")]
use super::{
    batch::Remarks,
    job::{Job, Packet},
    layout::Block,
    x86, x86_512,
};

/// An implementation of the inner loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Backend {
    /// One packet at a time, on the `aes` and `ccm` crates.
    Portable,
    /// Four packets at a time with AES-NI.
    AesNi,
    /// Eight packets at a time with VAES on 256-bit registers.
    Vaes256,
    /// Sixteen packets at a time with VAES on 512-bit registers; a rest of eight or less as `Vaes256`.
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
                    && is_x86_feature_detected!("avx512vl")
            }
        };
        #[cfg(not(target_arch = "x86_64"))]
        matches!(self, Self::Portable)
    }

    /// The one of that name, whether this processor can do it or not.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|backend| backend.name() == name)
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

/// A group of packets that a kernel does together, a lane each; lanes without a packet have length 0.
#[cfg(target_arch = "x86_64")]
#[repr(C, align(64))]
pub(super) struct Lanes<const N: usize> {
    /// B0 (RFC 3610 2.2).
    pub(super) first: [Block; N],
    /// B1 and B2.
    pub(super) aad: [[Block; N]; 2],
    /// The message integrity codes: what a kernel finds out.
    pub(super) mic: [[u8; 16]; N],
    pub(super) key: [*const u8; N],
    pub(super) input: [*const u8; N],
    pub(super) output: [*mut u8; N],
    pub(super) length: [usize; N],
    pub(super) index: [u32; N],
    count: usize,
}

#[cfg(target_arch = "x86_64")]
impl<const N: usize> Lanes<N> {
    /// Without packets; [`set_count`](Self::set_count) is still to be called.
    pub(super) const NEW: Self = Self {
        first: [[0; 2]; N],
        aad: [[[0; 2]; N]; 2],
        mic: [[0; 16]; N],
        key: [core::ptr::null(); N],
        input: [core::ptr::null(); N],
        output: [core::ptr::null_mut(); N],
        length: [0; N],
        index: [0; N],
        count: 0,
    };

    /// Puts a packet into a lane; all lanes before have one.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "see job")]
    pub(super) fn put(&mut self, lane: usize, index: u32, packet: Packet) {
        let places = (self.first.get_mut(lane), self.index.get_mut(lane), self.length.get_mut(lane));
        let (Some(first), Some(number), Some(length)) = places else { return };
        (*first, *number, *length) = (packet.first, index, packet.length);
        for (aad, block) in self.aad.iter_mut().zip(packet.aad) {
            if let Some(aad) = aad.get_mut(lane) {
                *aad = block;
            }
        }
        let places = (self.key.get_mut(lane), self.input.get_mut(lane), self.output.get_mut(lane));
        if let (Some(key), Some(input), Some(output)) = places {
            (*key, *input, *output) = (packet.key, packet.input, packet.output);
        }
    }

    /// That many lanes have a packet, the others none.
    pub(super) fn set_count(&mut self, count: usize) {
        self.count = count;
        if count < N {
            for (length, key) in self.length.iter_mut().zip(&mut self.key).skip(count) {
                (*length, *key) = (0, NOWHERE.0.as_ptr());
            }
        }
    }

    /// None is to be looked at any more.
    pub(super) const fn clear(&mut self) {
        self.count = 0;
    }

    /// Lanes that have a packet: the first ones.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// Of each packet: the number that it was pushed with, octets of its body, its code.
    pub(super) fn done(&self) -> impl Iterator<Item = (u32, usize, &[u8; 16])> {
        let codes = self.index.iter().zip(self.length).zip(&self.mic);
        codes.take(self.count).map(|((index, length), mic)| (*index, length, mic))
    }
}

/// Keys of lanes without a packet.
#[cfg(target_arch = "x86_64")]
static NOWHERE: Nowhere = Nowhere([0; 64]);

#[cfg(target_arch = "x86_64")]
#[repr(align(64))]
struct Nowhere([u8; 64]);

/// Multi-packet CCM: encrypts or decrypts the bodies of a group and finds out their integrity codes, which stand behind
/// the bodies once those are encrypted. Codes have `MIC` octets: 8 or 16.
#[cfg(target_arch = "x86_64")]
pub(super) trait Kernel<const N: usize, const MIC: usize> {
    /// Does the packets of `now`, and ends those of `before`, which were `now` the last time: only then are their bodies and
    /// codes what they should be. Either may be without packets. Lanes stand in any order; those that are sorted, the
    /// longest first, take the least time.
    fn run(&mut self, opens: bool, before: &mut Lanes<N>, now: &mut Lanes<N>);
}

/// Half a group of the widest kernel.
#[cfg(target_arch = "x86_64")]
const HALF: usize = 8;

/// Takes packets, in that order, through the kernel of a backend that is available. Those whose keys are of the other
/// length than `is_256` says are put into `remarks`.
#[cfg(target_arch = "x86_64")]
pub(super) fn run<'k, J: Job<'k>>(
    backend: Backend,
    is_256: bool,
    jobs: &mut [J],
    order: &[u32],
    remarks: &mut Remarks,
) {
    match (backend, is_256) {
        _ if order.is_empty() => {}
        (Backend::Vaes512, _) if order.len() <= HALF => run(Backend::Vaes256, is_256, jobs, order, remarks),
        (Backend::Vaes512, _) => {
            // What is left for a group of at most eight has the narrow registers for itself.
            let left = Some(order.len() % (2 * HALF)).filter(|left| *left <= HALF).unwrap_or_default();
            let (order, rest) = order.split_at_checked(order.len() - left).unwrap_or((order, &[]));
            if is_256 {
                x86_512::Vaes512::<14>::run_all::<16, _>(jobs, order, remarks);
            } else {
                x86_512::Vaes512::<10>::run_all::<8, _>(jobs, order, remarks);
            }
            run(Backend::Vaes256, is_256, jobs, rest, remarks);
        }
        (Backend::Vaes256, false) => x86::Vaes256::<10>::run_all::<8, _>(jobs, order, remarks),
        (Backend::Vaes256, true) => x86::Vaes256::<14>::run_all::<16, _>(jobs, order, remarks),
        (Backend::AesNi | Backend::Portable, false) => x86::AesNi::<10>::run_all::<8, _>(jobs, order, remarks),
        (Backend::AesNi | Backend::Portable, true) => x86::AesNi::<14>::run_all::<16, _>(jobs, order, remarks),
    }
}
