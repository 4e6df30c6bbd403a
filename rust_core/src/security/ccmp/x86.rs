//! Multi-packet CCM on x86-64: several packets in flight hide the latency of the AES instructions.
//!
//! A packet alone is a chain: each block of its CBC-MAC waits for the one before. So a vector holds the same block index
//! of one (AES-NI), two (VAES) or four (VAES with AVX-512) packets, each lane under its own key, and four vectors run
//! together: MAC and counter block share each round-key load. XORs are folded into the last round:
//! `aesenclast(x, rk10 ^ data)` is the ciphertext, `aesenclast(m, rk10 ^ rk0 ^ data)` the next MAC input. Round keys are
//! expanded on the fly, straight into the vectors' layout, so that a key costs 16 octets of memory traffic.
//!
//! JUSTIFICATION for `unsafe`: the instructions are reachable by intrinsics alone, and a
//! bounds check for each block of each lane costs more than the block; the benchmark of `seal_batch` shows the gain over
//! `portable`. No branch and no address depends on a key or on data: lengths alone decide.

#![expect(unsafe_code, reason = "SIMD intrinsics; see the module's JUSTIFICATION")]
#![expect(
    clippy::indexing_slicing,
    reason = "constant indices and lanes below the group's size; unrolled and unchecked"
)]

use core::arch::x86_64::{
    __m128i, __m256i, __m512i, _mm_aesenc_si128, _mm_aesenclast_si128, _mm_and_si128, _mm_bslli_si128, _mm_loadu_si128,
    _mm_set1_epi32, _mm_shuffle_epi8, _mm_storeu_si128, _mm_xor_si128, _mm256_aesenc_epi128, _mm256_aesenclast_epi128,
    _mm256_and_si256, _mm256_bslli_epi128, _mm256_loadu_si256, _mm256_set1_epi32, _mm256_shuffle_epi8,
    _mm256_storeu_si256, _mm256_xor_si256, _mm512_aesenc_epi128, _mm512_aesenclast_epi128, _mm512_and_si512,
    _mm512_bslli_epi128, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_shuffle_epi8, _mm512_storeu_si512,
    _mm512_xor_si512,
};

use zeroize::Zeroize;

use super::kernel::{Backend, Packet};
use super::x86_stretch;

/// Vectors that run together: four MAC chains and four counter chains fill latency times throughput.
pub(super) const VECTORS: usize = 4;
const BLOCK: usize = 16;
const ROUND_CONSTANTS: [i32; 10] = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36];

/// What a group works on: a block for each lane.
#[repr(C, align(64))]
struct Blocks<const LANES: usize>([[u8; BLOCK]; LANES]);

/// Where lanes that have ended go on reading and writing: as long as the longest body.
struct Parking(Vec<u8>);

impl Parking {
    fn of(packets: &[&mut Packet<'_>]) -> Self {
        Self(vec![0; packets.iter().map(|packet| packet.body.len()).max().unwrap_or_default() + BLOCK])
    }
}

impl Drop for Parking {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// What whole blocks are worked on with: round keys (the twelfth row is the last one XOR the first), counter blocks
/// without their counter but with the first round key, and the MAC so far.
#[repr(C, align(64))]
pub(super) struct State<V, const LANES: usize> {
    pub(super) keys: [[V; VECTORS]; 12],
    pub(super) start: [V; VECTORS],
    pub(super) mac: [V; VECTORS],
    pub(super) input: [*const u8; LANES],
    pub(super) output: [*mut u8; LANES],
}

macro_rules! kernel {
    (
        $(#[$doc:meta])* $name:ident, $group:ident, $features:literal, $vector:ty, $width:literal,
        load $load:ident, store $store:ident, set $set:ident,
        xor $xor:ident, and $and:ident, enc $enc:ident, last $last:ident, shuffle $shuffle:ident, shift $shift:ident, stretch $stretch:ident
    ) => {
        $(#[$doc])*
        ///
        /// Fills `out` and `mic` of each packet. Bodies have at least one octet.
        #[target_feature(enable = $features)]
        pub(super) fn $name<const OPEN: bool>(packets: &mut [&mut Packet<'_>]) {
            let mut parking = Parking::of(packets);
            let parked = parking.0.as_mut_ptr();
            let zero = $set(0);
            let mut state = State::<$vector, { VECTORS * $width }> {
                keys: [[zero; VECTORS]; 12],
                start: [zero; VECTORS],
                mac: [zero; VECTORS],
                input: [parked.cast_const(); VECTORS * $width],
                output: [parked; VECTORS * $width],
            };
            for group in packets.chunks_mut(VECTORS * $width) {
                // SAFETY: every packet of the group has `body` and `out` of the same length, of at least one octet and no
                // more than the parking has.
                unsafe { $group::<OPEN>(group, &mut state, parked) };
            }
            state.keys.iter_mut().flatten().for_each(Zeroize::zeroize);
            state.start.iter_mut().for_each(Zeroize::zeroize);
        }

        /// # Safety
        /// One to `VECTORS * $width` packets, longest first, each with `body` and `out` of the same, non-zero length;
        /// `parked` has as many octets as the longest.
        #[target_feature(enable = $features)]
        #[expect(clippy::too_many_lines, reason = "one straight line; what is shared stands in registers")]
        unsafe fn $group<const OPEN: bool>(
            packets: &mut [&mut Packet<'_>],
            state: &mut State<$vector, { VECTORS * $width }>,
            parked: *mut u8,
        ) {
            const LANES: usize = VECTORS * $width;
            let mut first = Blocks::<LANES>([[0; BLOCK]; LANES]);
            let mut aad1 = Blocks::<LANES>([[0; BLOCK]; LANES]);
            let mut aad2 = Blocks::<LANES>([[0; BLOCK]; LANES]);
            let mut counter0 = Blocks::<LANES>([[0; BLOCK]; LANES]);
            let mut key = Blocks::<LANES>([[0; BLOCK]; LANES]);
            let mut tail = Blocks::<LANES>([[0; BLOCK]; LANES]);
            let mut mask = Blocks::<LANES>([[0; BLOCK]; LANES]);
            let mut tail_counter = Blocks::<LANES>([[0; BLOCK]; LANES]);
            let mut full = [0_usize; LANES];
            state.input = [parked.cast_const(); LANES];
            state.output = [parked; LANES];
            for (lane, packet) in packets.iter_mut().enumerate() {
                let length = packet.body.len();
                first.0[lane] = packet.first_block();
                counter0.0[lane] = packet.counter_block(0);
                [aad1.0[lane], aad2.0[lane]] = packet.aad.blocks();
                key.0[lane] = *packet.key;
                full[lane] = (length - 1) / BLOCK;
                let rest = &packet.body[full[lane] * BLOCK..];
                tail.0[lane][..rest.len()].copy_from_slice(rest);
                mask.0[lane][..rest.len()].fill(0xff);
                let [.., high, low] = (full[lane] + 1).to_be_bytes();
                tail_counter.0[lane][14..].copy_from_slice(&[high, low]);
                state.input[lane] = packet.body.as_ptr();
                state.output[lane] = packet.out.as_mut_ptr();
            }

            macro_rules! each {
                ($vector_index:ident => $body:expr) => {{
                    let mut $vector_index = 0;
                    while $vector_index < VECTORS {
                        $body;
                        $vector_index += 1;
                    }
                }};
            }
            // SAFETY (of `blocks!`): each `Blocks` holds LANES * 16 octets, so vector `v` lies inside, and is aligned.
            macro_rules! blocks {
                ($blocks:expr, $v:expr) => {
                    unsafe { $load($blocks.0.as_ptr().add($v * $width).cast()) }
                };
            }
            let zero = $set(0);
            let (mut mac, mut counter, mut start, mut s0) =
                ([zero; VECTORS], [zero; VECTORS], [zero; VECTORS], [zero; VECTORS]);
            let keys = &mut state.keys;
            let mut expanded = [zero; VECTORS];
            each!(v => {
                expanded[v] = blocks!(key, v);
                keys[0][v] = expanded[v];
                mac[v] = $xor(blocks!(first, v), expanded[v]);
                start[v] = $xor(blocks!(counter0, v), expanded[v]);
                counter[v] = start[v];
            });
            // FIPS 197 5.2: SubWord(RotWord(w3)) in all columns by a shuffle and AESENCLAST, whose ShiftRows does nothing
            // where all columns are equal. The first MAC block and the first counter block go along.
            let rotate = $set(0x0c0f_0e0d);
            for (round, constant) in ROUND_CONSTANTS.iter().enumerate() {
                let constant = $set(*constant);
                each!(v => {
                    let word = $last($shuffle(expanded[v], rotate), constant);
                    let half = $xor(expanded[v], $shift::<4>(expanded[v]));
                    expanded[v] = $xor($xor(half, $shift::<8>(half)), word);
                    keys[round + 1][v] = expanded[v];
                    if round < 9 {
                        mac[v] = $enc(mac[v], expanded[v]);
                        counter[v] = $enc(counter[v], expanded[v]);
                    }
                });
            }
            each!(v => {
                keys[11][v] = $xor(keys[10][v], keys[0][v]);
                s0[v] = $last(counter[v], keys[10][v]);
                mac[v] = $last(mac[v], $xor(keys[11][v], blocks!(aad1, v)));
            });
            let mut round = 1;
            while round < 10 {
                each!(v => mac[v] = $enc(mac[v], keys[round][v]));
                round += 1;
            }
            each!(v => mac[v] = $last(mac[v], $xor(keys[11][v], blocks!(aad2, v))));

            // Whole blocks, in stretches: the shortest lanes end first and are parked with their MAC kept.
            let mut done = 0_usize;
            let mut kept = Blocks::<LANES>([[0; BLOCK]; LANES]);
            let mut lane = LANES;
            state.start = start;
            while lane > 0 {
                let stretch = full[lane - 1] - done;
                if stretch > 0 {
                    state.mac = mac;
                    // SAFETY: lanes that run have `stretch` more whole blocks, at `done` blocks from their start; the
                    // parking has as many as any.
                    unsafe { x86_stretch::$stretch::<OPEN>(state, done, stretch) };
                    mac = state.mac;
                }
                done += stretch;
                // Keep the MAC of all lanes that end here, and park them.
                let mut now = Blocks::<LANES>([[0; BLOCK]; LANES]);
                // SAFETY: as for `blocks!`.
                each!(v => unsafe { $store(now.0.as_mut_ptr().add(v * $width).cast(), mac[v]) });
                while lane > 0 && full[lane - 1] == done {
                    lane -= 1;
                    kept.0[lane] = now.0[lane];
                    state.input[lane] = parked;
                    state.output[lane] = parked;
                }
            }

            let keys = &state.keys;
            // The last block of every lane, 1 to 16 octets, at its own counter; then the MAC's last step.
            each!(v => {
                mac[v] = blocks!(kept, v);
                counter[v] = $xor(start[v], blocks!(tail_counter, v));
            });
            let mut round = 1;
            while round < 10 {
                each!(v => {
                    let key = keys[round][v];
                    mac[v] = $enc(mac[v], key);
                    counter[v] = $enc(counter[v], key);
                });
                round += 1;
            }
            each!(v => {
                let data = blocks!(tail, v);
                let result = $and($last(counter[v], $xor(data, keys[10][v])), blocks!(mask, v));
                mac[v] = $last(mac[v], $xor(if OPEN { result } else { data }, keys[11][v]));
                // SAFETY: as for `blocks!`.
                unsafe { $store(tail.0.as_mut_ptr().add(v * $width).cast(), result) };
            });
            let mut round = 1;
            while round < 10 {
                each!(v => mac[v] = $enc(mac[v], keys[round][v]));
                round += 1;
            }
            each!(v => {
                let tag = $xor($last(mac[v], keys[10][v]), s0[v]);
                // SAFETY: as for `blocks!`.
                unsafe { $store(kept.0.as_mut_ptr().add(v * $width).cast(), tag) };
            });
            for (lane, packet) in packets.iter_mut().enumerate() {
                let start = full[lane] * BLOCK;
                let rest = &mut packet.out[start..];
                let length = rest.len();
                rest.copy_from_slice(&tail.0[lane][..length]);
                packet.mic.copy_from_slice(&kept.0[lane][..8]);
            }
        }
    };
}

kernel!(
    /// AES-NI: four packets at a time.
    aes_ni, aes_ni_group, "aes,ssse3,sse4.1,avx", __m128i, 1,
    load _mm_loadu_si128, store _mm_storeu_si128, set _mm_set1_epi32,
    xor _mm_xor_si128, and _mm_and_si128, enc _mm_aesenc_si128, last _mm_aesenclast_si128,
    shuffle _mm_shuffle_epi8, shift _mm_bslli_si128, stretch aes_ni
);

kernel!(
    /// VAES on 256-bit registers: eight packets at a time.
    vaes_256, vaes_256_group, "vaes,avx2,aes", __m256i, 2,
    load _mm256_loadu_si256, store _mm256_storeu_si256, set _mm256_set1_epi32,
    xor _mm256_xor_si256, and _mm256_and_si256, enc _mm256_aesenc_epi128, last _mm256_aesenclast_epi128,
    shuffle _mm256_shuffle_epi8, shift _mm256_bslli_epi128, stretch vaes_256
);

kernel!(
    /// VAES on 512-bit registers: sixteen packets at a time.
    vaes_512, vaes_512_group, "vaes,avx512f,avx512bw,avx2,aes", __m512i, 4,
    load _mm512_loadu_si512, store _mm512_storeu_si512, set _mm512_set1_epi32,
    xor _mm512_xor_si512, and _mm512_and_si512, enc _mm512_aesenc_epi128, last _mm512_aesenclast_epi128,
    shuffle _mm512_shuffle_epi8, shift _mm512_bslli_epi128, stretch vaes_512
);

/// Runs a kernel; packets come longest first, with bodies of at least one octet.
pub(super) fn run<const OPEN: bool>(backend: Backend, packets: &mut [&mut Packet<'_>]) {
    debug_assert!(packets.iter().all(|packet| !packet.body.is_empty() && packet.body.len() == packet.out.len()));
    match backend {
        // SAFETY: the processor has the instructions.
        Backend::Vaes512 if backend.is_available() => unsafe { vaes_512::<OPEN>(packets) },
        // SAFETY: as above.
        Backend::Vaes256 if backend.is_available() => unsafe { vaes_256::<OPEN>(packets) },
        // SAFETY: as above.
        Backend::AesNi if backend.is_available() => unsafe { aes_ni::<OPEN>(packets) },
        _ => {}
    }
}
