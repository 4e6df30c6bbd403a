//! Multi-packet CCM with VAES on 512-bit registers (AVX-512): sixteen packets at a time, four in a vector.
//!
//! As `x86`, but bodies are read and written 64 octets at a time: one of 16 stores to as many cache lines for each block
//! is what this width waits for (measured on AMD Zen 5: 60 cycles an iteration instead of 44). So a lane's four blocks are
//! turned from its own register into four registers that hold a block of each lane, and back. While the four counter
//! chains of one vector's four blocks run, the MAC chains of all four vectors do one block of the 64 octets before:
//! both need the same round keys, opening and sealing are alike, and the MAC of B0 and of the AAD hides behind the first
//! counters. The last octets of a lane are masked: nothing outside a packet is read or written, and no lane is parked.
//!
//! JUSTIFICATION for `unsafe`: see `x86`.

#![expect(unsafe_code, reason = "SIMD intrinsics and assembler; see the JUSTIFICATION in x86")]
#![expect(
    clippy::indexing_slicing,
    reason = "constant indices and lanes below the group's size; unrolled and unchecked"
)]

use core::arch::asm;
use core::arch::x86_64::{
    __m512i, _mm_loadu_si128, _mm_setr_epi32, _mm512_add_epi32, _mm512_aesenc_epi128, _mm512_aesenclast_epi128,
    _mm512_and_si512, _mm512_broadcast_i32x4, _mm512_bslli_epi128, _mm512_castsi128_si512, _mm512_cmpgt_epu64_mask,
    _mm512_inserti32x4, _mm512_load_si512, _mm512_mask_mov_epi64, _mm512_mask_storeu_epi8, _mm512_maskz_loadu_epi8,
    _mm512_maskz_mov_epi8, _mm512_or_si512, _mm512_set1_epi32, _mm512_set1_epi64, _mm512_setzero_si512,
    _mm512_shuffle_epi8, _mm512_shuffle_i32x4, _mm512_store_si512, _mm512_storeu_si512, _mm512_xor_si512,
};

use zeroize::Zeroize;

use super::kernel::{Kernel, Lanes};
use super::x86::{COUNTER_AT_END, LAST_WORD, ROTATED_LAST_WORD, ROUND_CONSTANTS, put_mics};

const VECTORS: usize = 4;
const LANES: usize = 16;
/// The numbers of a chunk's blocks.
const AHEAD: [i32; 4] = [0, 1, 2, 3];
/// Octets of a body that are worked on at a time.
const CHUNK: usize = 64;

/// A vector of each group of four lanes.
type Vectors = [__m512i; VECTORS];

/// VAES on 512-bit registers: sixteen packets at a time.
#[repr(C, align(64))]
pub(super) struct Vaes512<const ROUNDS: usize> {
    /// The row behind the last round's is the last XOR the first.
    keys: [Vectors; 16],
    /// Counter block 0 without its counter, with the first round key.
    start: Vectors,
    s0: Vectors,
    /// What goes into the MAC, with the last round key and the first: by block and vector, of the chunk before and of
    /// this one.
    text: [[Vectors; 4]; 2],
    /// Lengths, twice for each lane.
    length: [[u64; 2]; LANES],
}

impl<const ROUNDS: usize> Vaes512<ROUNDS> {
    /// For keys of 16 octets (10 rounds) or 32 (14). The processor must have the instructions.
    pub(super) fn new() -> Self {
        // SAFETY: integers, for which zeros are good.
        unsafe { core::mem::zeroed() }
    }
}

impl<const ROUNDS: usize> Drop for Vaes512<ROUNDS> {
    fn drop(&mut self) {
        self.keys.iter_mut().take(ROUNDS + 2).for_each(Zeroize::zeroize);
        self.start.zeroize();
        self.s0.zeroize();
        self.text.as_flattened_mut().iter_mut().for_each(Zeroize::zeroize);
    }
}

impl<const ROUNDS: usize> Kernel<LANES> for Vaes512<ROUNDS> {
    fn run(&mut self, opens: bool, lanes: &mut Lanes<LANES>) {
        // SAFETY: the processor has the instructions.
        unsafe {
            if opens {
                self.group::<true>(lanes);
            } else {
                self.group::<false>(lanes);
                put_mics(lanes, ROUNDS);
            }
        }
    }
}

macro_rules! each {
    ($v:ident => $body:expr) => {{
        let mut $v = 0;
        while $v < VECTORS {
            $body;
            $v += 1;
        }
    }};
}

/// One round of the MAC chains, and of the counter chains of the lanes of vector `s`: loads are what this width is short
/// of, so the round keys of that vector are loaded once for both.
macro_rules! both {
    ($keys:expr, $s:literal, $round:literal, $mac:ident, $counter:ident) => {
        asm!(
            "vmovdqa64 {k}, [{p} + {r} + {o0}]",
            "vaesenc {m0}, {m0}, {k}",
            "vaesenc {c0}, {c0}, {k}",
            "vaesenc {m1}, {m1}, [{p} + {r} + {o1}]",
            "vaesenc {c1}, {c1}, {k}",
            "vaesenc {m2}, {m2}, [{p} + {r} + {o2}]",
            "vaesenc {c2}, {c2}, {k}",
            "vaesenc {m3}, {m3}, [{p} + {r} + {o3}]",
            "vaesenc {c3}, {c3}, {k}",
            p = in(reg) $keys, k = out(zmm_reg) _, r = const 256 * $round,
            o0 = const 64 * $s, o1 = const 64 * (($s + 1) % 4),
            o2 = const 64 * (($s + 2) % 4), o3 = const 64 * (($s + 3) % 4),
            m0 = inout(zmm_reg) $mac[$s], m1 = inout(zmm_reg) $mac[($s + 1) % 4],
            m2 = inout(zmm_reg) $mac[($s + 2) % 4], m3 = inout(zmm_reg) $mac[($s + 3) % 4],
            c0 = inout(zmm_reg) $counter[0], c1 = inout(zmm_reg) $counter[1],
            c2 = inout(zmm_reg) $counter[2], c3 = inout(zmm_reg) $counter[3],
            options(nostack, readonly, preserves_flags)
        )
    };
}

/// The same with round keys in registers.
macro_rules! both_by_register {
    ($keys:ident, $s:literal, $mac:ident, $counter:ident) => {
        asm!(
            "vaesenc {m0}, {m0}, {k0}",
            "vaesenc {c0}, {c0}, {k0}",
            "vaesenc {m1}, {m1}, {k1}",
            "vaesenc {c1}, {c1}, {k0}",
            "vaesenc {m2}, {m2}, {k2}",
            "vaesenc {c2}, {c2}, {k0}",
            "vaesenc {m3}, {m3}, {k3}",
            "vaesenc {c3}, {c3}, {k0}",
            k0 = in(zmm_reg) $keys[$s], k1 = in(zmm_reg) $keys[($s + 1) % 4],
            k2 = in(zmm_reg) $keys[($s + 2) % 4], k3 = in(zmm_reg) $keys[($s + 3) % 4],
            m0 = inout(zmm_reg) $mac[$s], m1 = inout(zmm_reg) $mac[($s + 1) % 4],
            m2 = inout(zmm_reg) $mac[($s + 2) % 4], m3 = inout(zmm_reg) $mac[($s + 3) % 4],
            c0 = inout(zmm_reg) $counter[0], c1 = inout(zmm_reg) $counter[1],
            c2 = inout(zmm_reg) $counter[2], c3 = inout(zmm_reg) $counter[3],
            options(nostack, nomem, preserves_flags)
        )
    };
}

/// One round of the MAC chains alone.
macro_rules! mac_alone {
    ($keys:expr, $s:literal, $round:literal, $mac:ident, $counter:ident) => {
        asm!(
            concat!("vaesenc {m0}, {m0}, [{p} + 256 * ", $round, "]"),
            concat!("vaesenc {m1}, {m1}, [{p} + 256 * ", $round, " + 64]"),
            concat!("vaesenc {m2}, {m2}, [{p} + 256 * ", $round, " + 128]"),
            concat!("vaesenc {m3}, {m3}, [{p} + 256 * ", $round, " + 192]"),
            p = in(reg) $keys,
            m0 = inout(zmm_reg) $mac[0], m1 = inout(zmm_reg) $mac[1],
            m2 = inout(zmm_reg) $mac[2], m3 = inout(zmm_reg) $mac[3],
            options(nostack, readonly, preserves_flags)
        )
    };
}

/// One round of the counter chains alone.
macro_rules! counter_alone {
    ($keys:expr, $s:literal, $round:literal, $mac:ident, $counter:ident) => {
        asm!(
            concat!("vmovdqa64 {k}, [{p} + 256 * ", $round, " + 64 * ", $s, "]"),
            "vaesenc {c0}, {c0}, {k}",
            "vaesenc {c1}, {c1}, {k}",
            "vaesenc {c2}, {c2}, {k}",
            "vaesenc {c3}, {c3}, {k}",
            p = in(reg) $keys, k = out(zmm_reg) _,
            c0 = inout(zmm_reg) $counter[0], c1 = inout(zmm_reg) $counter[1],
            c2 = inout(zmm_reg) $counter[2], c3 = inout(zmm_reg) $counter[3],
            options(nostack, readonly, preserves_flags)
        )
    };
}

/// All rounds but the first and the last.
macro_rules! rounds {
    ($round:ident, $rounds:ident, $keys:expr, $s:literal, $mac:ident, $counter:ident) => {{
        $round!($keys, $s, 1, $mac, $counter);
        $round!($keys, $s, 2, $mac, $counter);
        $round!($keys, $s, 3, $mac, $counter);
        $round!($keys, $s, 4, $mac, $counter);
        $round!($keys, $s, 5, $mac, $counter);
        $round!($keys, $s, 6, $mac, $counter);
        $round!($keys, $s, 7, $mac, $counter);
        $round!($keys, $s, 8, $mac, $counter);
        $round!($keys, $s, 9, $mac, $counter);
        if $rounds == 14 {
            $round!($keys, $s, 10, $mac, $counter);
            $round!($keys, $s, 11, $mac, $counter);
            $round!($keys, $s, 12, $mac, $counter);
            $round!($keys, $s, 13, $mac, $counter);
        }
    }};
}

/// Which MAC blocks go along with a chunk's counters.
const SECOND_AAD: u8 = 0;
const WHOLE_CHUNK: u8 = 1;
const LAST_CHUNK: u8 = 2;

impl<const ROUNDS: usize> Vaes512<ROUNDS> {
    /// # Safety
    /// The processor has the instructions, and lanes stand as [`Packet`](super::job::Packet) promises.
    #[target_feature(enable = "vaes,avx512f,avx512bw,avx2,aes")]
    unsafe fn group<const OPEN: bool>(&mut self, lanes: &mut Lanes<LANES>) {
        let shortest = lanes.length.iter().copied().min().unwrap_or_default();
        let longest = lanes.length.iter().copied().max().unwrap_or_default();
        let (whole, chunks) = (shortest / CHUNK, longest.div_ceil(CHUNK));
        // SAFETY: as promised; `chunk` is below `whole` where no masks are used.
        unsafe {
            let mut mac = self.begin(lanes);
            mac = self.chunk::<OPEN, true, SECOND_AAD>(lanes, mac, 0);
            for chunk in 1..whole {
                mac = self.chunk::<OPEN, false, WHOLE_CHUNK>(lanes, mac, chunk);
            }
            for chunk in whole.max(1)..chunks {
                mac = self.chunk::<OPEN, true, LAST_CHUNK>(lanes, mac, chunk);
            }
            self.end(lanes, mac, chunks - 1, longest);
        }
    }

    /// Expands the keys and does B0 and counter block 0; says the MAC with the first block of AAD.
    ///
    /// # Safety
    /// As [`Self::group`].
    #[inline]
    #[target_feature(enable = "vaes,avx512f,avx512bw,avx2,aes")]
    unsafe fn begin(&mut self, lanes: &Lanes<LANES>) -> Vectors {
        let keys = &mut self.keys;
        let zero = _mm512_setzero_si512();
        let (mut mac, mut counter) = ([zero; VECTORS], [zero; VECTORS]);
        // B0 becomes counter block 0: other flags, no length.
        let kept = _mm512_broadcast_i32x4(_mm_setr_epi32(!0xff, -1, -1, 0xffff));
        let flags = _mm512_broadcast_i32x4(_mm_setr_epi32(1, 0, 0, 0));
        // SAFETY: each key has 16 octets, or 32 with 14 rounds; a block for each lane.
        each!(v => unsafe {
            let places: [*const u8; 4] = [lanes.key[4 * v], lanes.key[4 * v + 1], lanes.key[4 * v + 2], lanes.key[4 * v + 3]];
            keys[0][v] = gather(places);
            if ROUNDS == 14 {
                keys[1][v] = gather(places.map(|place| place.add(16)));
            }
            let first = _mm512_load_si512(lanes.first.as_ptr().add(4 * v).cast());
            mac[v] = _mm512_xor_si512(first, keys[0][v]);
            let start = _mm512_or_si512(_mm512_and_si512(first, kept), flags);
            counter[v] = _mm512_xor_si512(start, keys[0][v]);
            self.start[v] = counter[v];
        });
        for (twice, length) in self.length.iter_mut().zip(lanes.length) {
            *twice = [length as u64; 2];
        }
        let (rotated, last_word) = (_mm512_set1_epi32(ROTATED_LAST_WORD), _mm512_set1_epi32(LAST_WORD));
        if ROUNDS == 10 {
            let mut expanded = keys[0];
            let mut round = 1;
            while round <= 10 {
                let constant = _mm512_set1_epi32(ROUND_CONSTANTS[round - 1]);
                each!(v => {
                    let word = _mm512_aesenclast_epi128(_mm512_shuffle_epi8(expanded[v], rotated), constant);
                    expanded[v] = _mm512_xor_si512(fold(expanded[v]), word);
                    keys[round][v] = expanded[v];
                });
                round += 1;
            }
        } else {
            let (mut before, mut expanded) = (keys[0], keys[1]);
            let mut round = 2;
            while round <= 14 {
                let even = round % 2 == 0;
                let constant = _mm512_set1_epi32(if even { ROUND_CONSTANTS[round / 2 - 1] } else { 0 });
                each!(v => {
                    let shuffled = _mm512_shuffle_epi8(expanded[v], if even { rotated } else { last_word });
                    let next = _mm512_xor_si512(fold(before[v]), _mm512_aesenclast_epi128(shuffled, constant));
                    before[v] = expanded[v];
                    expanded[v] = next;
                    keys[round][v] = next;
                });
                round += 1;
            }
        }
        each!(v => keys[ROUNDS + 1][v] = _mm512_xor_si512(keys[ROUNDS][v], keys[0][v]));
        let mut round = 1;
        while round < ROUNDS {
            each!(v => {
                mac[v] = _mm512_aesenc_epi128(mac[v], keys[round][v]);
                counter[v] = _mm512_aesenc_epi128(counter[v], keys[round][v]);
            });
            round += 1;
        }
        // SAFETY: a block for each lane.
        each!(v => unsafe {
            self.s0[v] = _mm512_aesenclast_epi128(counter[v], keys[ROUNDS][v]);
            let aad = _mm512_load_si512(lanes.aad[0].as_ptr().add(4 * v).cast());
            mac[v] = _mm512_aesenclast_epi128(mac[v], _mm512_xor_si512(keys[ROUNDS + 1][v], aad));
        });
        mac
    }

    /// Encrypts or decrypts 64 octets of each lane, or what a lane has of them; and takes the MACs further by the blocks
    /// of the chunk before.
    ///
    /// # Safety
    /// As [`Self::group`]; without `MASKED`, each lane has 64 octets from there on.
    #[inline]
    #[target_feature(enable = "vaes,avx512f,avx512bw,avx2,aes")]
    #[expect(clippy::too_many_lines, reason = "one straight line; what is shared stands in registers")]
    unsafe fn chunk<const OPEN: bool, const MASKED: bool, const MAC: u8>(
        &mut self,
        lanes: &Lanes<LANES>,
        mut mac: Vectors,
        chunk: usize,
    ) -> Vectors {
        let place = chunk * CHUNK;
        let mut unused = [0_u8; CHUNK];
        let keys = self.keys.as_ptr();
        let (before, now) = self.text.split_at_mut(1);
        let (before, now) = if chunk & 1 == 0 { (&now[0], &mut before[0]) } else { (&before[0], &mut now[0]) };
        let [.., third, second, first, zeroth] = (4 * chunk + 1).to_be_bytes();
        let number = _mm512_set1_epi32(i32::from_be_bytes([third, second, first, zeroth]));
        let at_end = {
            let [a, b, c, d] = COUNTER_AT_END;
            _mm512_broadcast_i32x4(_mm_setr_epi32(a, b, c, d))
        };
        let mut numbers = [_mm512_setzero_si512(); 4];
        each!(b => {
            let number = _mm512_add_epi32(number, _mm512_set1_epi32(AHEAD[b]));
            numbers[b] = _mm512_shuffle_epi8(number, at_end);
        });
        let (before_last, last_but_one) = (self.keys[ROUNDS - 2], self.keys[ROUNDS - 1]);
        macro_rules! vector {
            ($s:literal) => {{
                let mut counter = numbers;
                each!(b => counter[b] = _mm512_xor_si512(self.start[$s], counter[b]));
                let old = mac;
                match MAC {
                    SECOND_AAD if $s > 0 => rounds!(counter_alone, ROUNDS, keys, $s, mac, counter),
                    _ if MASKED => rounds!(both, ROUNDS, keys, $s, mac, counter),
                    _ => {
                        both!(keys, $s, 1, mac, counter);
                        both!(keys, $s, 2, mac, counter);
                        both!(keys, $s, 3, mac, counter);
                        both!(keys, $s, 4, mac, counter);
                        both!(keys, $s, 5, mac, counter);
                        both!(keys, $s, 6, mac, counter);
                        both!(keys, $s, 7, mac, counter);
                        if ROUNDS == 14 {
                            both!(keys, $s, 8, mac, counter);
                            both!(keys, $s, 9, mac, counter);
                            both!(keys, $s, 10, mac, counter);
                            both!(keys, $s, 11, mac, counter);
                        }
                        both_by_register!(before_last, $s, mac, counter);
                        both_by_register!(last_but_one, $s, mac, counter);
                    }
                }
                if !MASKED {
                    // 32 streams are more than the processor follows by itself.
                    each!(lane => {
                        let output = lanes.output[4 * $s + lane].wrapping_add(place + 192);
                        let input = lanes.input[4 * $s + lane].wrapping_add(place + 512);
                        asm!("prefetcht0 [{q}]", "prefetchw [{p}]", q = in(reg) input, p = in(reg) output, options(nostack, readonly, preserves_flags));
                    });
                }
                let mut masks = [u64::MAX; 4];
                let mut octets = [_mm512_setzero_si512(); 4];
                let mut output = [unused.as_mut_ptr(); 4];
                each!(lane => {
                    let input = lanes.input[4 * $s + lane];
                    octets[lane] = if MASKED {
                        let left = lanes.length[4 * $s + lane].saturating_sub(place);
                        masks[lane] = mask(left);
                        // Where all is masked the place may be nowhere, and a fault that is not taken takes long.
                        let input = if left == 0 { unused.as_ptr() } else { input.wrapping_add(place) };
                        if left > 0 {
                            output[lane] = lanes.output[4 * $s + lane].wrapping_add(place);
                        }
                        _mm512_maskz_loadu_epi8(masks[lane], input.cast())
                    } else {
                        load(input.add(place))
                    }
                });
                let data = turn(octets);
                let mut result = data;
                each!(b => {
                    result[b] = _mm512_aesenclast_epi128(counter[b], _mm512_xor_si512(data[b], self.keys[ROUNDS][$s]));
                });
                let mut out = turn(result);
                if MASKED {
                    each!(lane => {
                        _mm512_mask_storeu_epi8(output[lane].cast(), masks[lane], out[lane]);
                        out[lane] = _mm512_maskz_mov_epi8(masks[lane], out[lane]);
                    });
                } else {
                    each!(lane => _mm512_storeu_si512(lanes.output[4 * $s + lane].add(place).cast(), out[lane]));
                }
                let text = match (OPEN, MASKED) {
                    (false, _) => data,
                    (true, false) => result,
                    (true, true) => turn(out),
                };
                let key = self.keys[ROUNDS + 1][$s];
                each!(b => now[b][$s] = _mm512_xor_si512(text[b], key));
                each!(v => {
                    if MAC != SECOND_AAD {
                        mac[v] = _mm512_aesenclast_epi128(mac[v], before[$s][v]);
                    } else if $s == 0 {
                        let aad = _mm512_load_si512(lanes.aad[1].as_ptr().add(4 * v).cast());
                        mac[v] = _mm512_aesenclast_epi128(mac[v], _mm512_xor_si512(self.keys[ROUNDS + 1][v], aad));
                    }
                    if MAC == LAST_CHUNK {
                        mac[v] = _mm512_mask_mov_epi64(old[v], longer(&self.length, v, place - CHUNK + 16 * $s), mac[v]);
                    }
                });
            }};
        }
        // SAFETY: as promised; masks let nothing be touched that is not the packet's.
        unsafe {
            vector!(0);
            vector!(1);
            vector!(2);
            vector!(3);
        }
        mac
    }

    /// Takes the MACs over the last chunk, and finds out the integrity codes.
    ///
    /// # Safety
    /// As [`Self::group`].
    #[inline]
    #[target_feature(enable = "vaes,avx512f,avx512bw,avx2,aes")]
    unsafe fn end(&mut self, lanes: &mut Lanes<LANES>, mut mac: Vectors, chunk: usize, longest: usize) {
        let keys = self.keys.as_ptr();
        for (block, text) in self.text[chunk % 2].iter().enumerate() {
            let place = chunk * CHUNK + 16 * block;
            if place >= longest {
                break;
            }
            let old = mac;
            // SAFETY: reads the round keys.
            unsafe { rounds!(mac_alone, ROUNDS, keys, 0, mac, unused) };
            each!(v => {
                mac[v] = _mm512_aesenclast_epi128(mac[v], text[v]);
                mac[v] = _mm512_mask_mov_epi64(old[v], longer(&self.length, v, place), mac[v]);
            });
        }
        // SAFETY: reads the round keys; a block for each lane.
        unsafe {
            rounds!(mac_alone, ROUNDS, keys, 0, mac, unused);
            each!(v => {
                let tag = _mm512_xor_si512(_mm512_aesenclast_epi128(mac[v], self.keys[ROUNDS][v]), self.s0[v]);
                _mm512_store_si512(lanes.mic.as_mut_ptr().add(4 * v).cast(), tag);
            });
        }
    }
}

/// A load that the compiler does not fold into each instruction that uses it.
///
/// # Safety
/// The place has 64 octets.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load(place: *const u8) -> __m512i {
    let vector;
    // SAFETY: as promised.
    unsafe {
        asm!(
            "vmovdqu64 {v}, [{p}]",
            p = in(reg) place, v = out(zmm_reg) vector, options(nostack, readonly, pure, preserves_flags)
        );
    }
    vector
}

/// The lanes of a vector that have an octet at that place, two bits for each.
#[inline]
#[target_feature(enable = "avx512f")]
fn longer(length: &[[u64; 2]; LANES], vector: usize, place: usize) -> u8 {
    // SAFETY: two words for each lane.
    let length = unsafe { _mm512_load_si512(length.as_ptr().add(4 * vector).cast()) };
    _mm512_cmpgt_epu64_mask(length, _mm512_set1_epi64(i64::try_from(place).unwrap_or(i64::MAX)))
}

/// That many ones, 64 at most.
#[inline]
fn mask(octets: usize) -> u64 {
    if octets >= CHUNK { u64::MAX } else { !(u64::MAX << octets) }
}

/// Four blocks of each of four lanes, lane by lane, to four lanes of each of four blocks, and back.
#[inline]
#[target_feature(enable = "avx512f")]
fn turn([a, b, c, d]: Vectors) -> Vectors {
    let (low, high) = (_mm512_shuffle_i32x4::<0x44>(a, b), _mm512_shuffle_i32x4::<0xee>(a, b));
    let (low2, high2) = (_mm512_shuffle_i32x4::<0x44>(c, d), _mm512_shuffle_i32x4::<0xee>(c, d));
    [
        _mm512_shuffle_i32x4::<0x88>(low, low2),
        _mm512_shuffle_i32x4::<0xdd>(low, low2),
        _mm512_shuffle_i32x4::<0x88>(high, high2),
        _mm512_shuffle_i32x4::<0xdd>(high, high2),
    ]
}

/// The running XOR of a round key's words, by FIPS 197 5.2.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn fold(key: __m512i) -> __m512i {
    let half = _mm512_xor_si512(key, _mm512_bslli_epi128::<4>(key));
    _mm512_xor_si512(half, _mm512_bslli_epi128::<8>(half))
}

/// # Safety
/// Each place has 16 octets.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn gather([a, b, c, d]: [*const u8; 4]) -> __m512i {
    // SAFETY: as promised.
    unsafe {
        let vector = _mm512_castsi128_si512(_mm_loadu_si128(a.cast()));
        let vector = _mm512_inserti32x4::<1>(vector, _mm_loadu_si128(b.cast()));
        let vector = _mm512_inserti32x4::<2>(vector, _mm_loadu_si128(c.cast()));
        _mm512_inserti32x4::<3>(vector, _mm_loadu_si128(d.cast()))
    }
}
