//! Multi-packet CCM with VAES on 512-bit registers (AVX-512): sixteen packets at a time, four in a vector.
//!
//! As `x86`, but bodies are read and written 64 octets at a time: one of 16 stores to as many cache lines for each block
//! is what this width waits for (measured on AMD Zen 5: 60 cycles an iteration instead of 44). So a lane's four blocks are
//! turned from its own register into four registers that hold a block of each lane, and back. While the four counter
//! chains of one vector's four blocks run, the MAC chains of all four vectors do one block of the 64 octets before:
//! both need the same round keys, opening and sealing are alike, and the MAC of B0 and of the AAD hides behind the first
//! counters. What the last 64 octets leave to the MACs is a chain that fills half of the AES units: it goes along with the
//! key schedule of the next group, which is a chain too. The last octets of a lane are masked: nothing outside a packet is
//! read or written, and no lane is parked. Vectors whose lanes have all ended cost nothing any more.
//!
//! Measured on AMD Zen 5, an iteration (a block of sixteen lanes) takes 41 cycles of AES and 4 for the turning, which
//! shares a unit with it. Each load of eight octets adds a third of a cycle: so the keys of two rounds stand in registers,
//! a lane's pointer is loaded once, and where the code begins matters (up to a tenth). On AMD Zen 4, which does half as much
//! at once, an iteration takes 80 cycles, and a packet of 64 octets 39, where its AES takes 33.
//!
//! JUSTIFICATION for `unsafe`: see `x86`.

#![expect(unsafe_code, reason = "SIMD intrinsics and assembler; see the JUSTIFICATION in x86")]
#![expect(
    clippy::indexing_slicing,
    reason = "constant indices and lanes below the group's size; unrolled and unchecked"
)]

use core::arch::asm;
use core::arch::x86_64::{
    __m512i, _mm_loadu_si128, _mm_setr_epi32, _mm512_aesenc_epi128, _mm512_aesenclast_epi128, _mm512_and_si512,
    _mm512_broadcast_i32x4, _mm512_bslli_epi128, _mm512_castsi128_si512, _mm512_cmpgt_epu64_mask, _mm512_inserti32x4,
    _mm512_load_si512, _mm512_mask_mov_epi64, _mm512_mask_storeu_epi8, _mm512_maskz_loadu_epi8, _mm512_maskz_mov_epi8,
    _mm512_or_si512, _mm512_set1_epi32, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_shuffle_epi8,
    _mm512_shuffle_i32x4, _mm512_store_si512, _mm512_xor_si512,
};
use core::mem::MaybeUninit;
use core::sync::atomic::{Ordering, compiler_fence};

use super::batch::{self, Remarks};
use super::job::Job;
use super::kernel::{Kernel, Lanes};
use super::x86::{COUNTER_AT_END, LAST_WORD, ROTATED_LAST_WORD, SCHEDULE, mic_length, put_mics};

const VECTORS: usize = 4;
const LANES: usize = 16;
/// The same sixteen words in each kernel.
#[repr(C, align(64))]
struct Words([i32; 16]);

/// The numbers of a chunk's blocks.
static AHEAD: [Words; 4] = [Words([0; 16]), Words([1; 16]), Words([2; 16]), Words([3; 16])];
/// [`COUNTER_AT_END`] in each lane.
static AT_END: Words = {
    let [a, b, c, d] = COUNTER_AT_END;
    Words([a, b, c, d, a, b, c, d, a, b, c, d, a, b, c, d])
};
/// Octets of a body that are worked on at a time.
const CHUNK: usize = 64;
const BLOCK: usize = 16;

/// A vector of each group of four lanes.
type Vectors = [__m512i; VECTORS];

/// VAES on 512-bit registers: sixteen packets at a time, or two times sixteen.
pub(super) struct Vaes512<const ROUNDS: usize> {
    /// Memory for so many groups; clearing it before it is written would take a tenth of the time of 64 short packets.
    groups: [MaybeUninit<Group<ROUNDS>>; 2],
    /// Whose turn it is.
    is_second: bool,
    /// Groups that hold something to be wiped, and how many halves of their `text`.
    used: usize,
    texts: usize,
}

/// What is kept of sixteen packets.
#[repr(C, align(64))]
struct Group<const ROUNDS: usize> {
    /// The row behind the last round's is the last XOR the first.
    keys: [Vectors; 16],
    /// Counter block 0 without its counter, with the first round key.
    start: Vectors,
    s0: Vectors,
    mac: Vectors,
    /// What goes into the MAC, with the last round key and the first: by block and vector, of the chunk before and of
    /// this one.
    text: [[Vectors; 4]; 2],
    /// Lengths, twice for each lane.
    length: [[u64; 2]; LANES],
    longest: usize,
    /// The longest of each vector.
    most: [usize; VECTORS],
}

impl<const ROUNDS: usize> Vaes512<ROUNDS> {
    /// For keys of 16 octets (10 rounds) or 32 (14). The processor must have the instructions.
    const fn new() -> Self {
        Self { groups: [const { MaybeUninit::uninit() }; 2], is_second: false, used: 0, texts: 0 }
    }
}

impl<const ROUNDS: usize> Drop for Vaes512<ROUNDS> {
    fn drop(&mut self) {
        for group in self.groups.iter_mut().take(self.used).map(MaybeUninit::as_mut_ptr) {
            // SAFETY: the processor has the instructions, or no group was used.
            unsafe { Group::wipe(group, self.texts) };
        }
    }
}

/// Writes zeros over vectors, whether they were ever written or not, even where nobody reads them any more.
///
/// # Safety
/// That many vectors from there on may be written.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn wipe(vectors: *mut MaybeUninit<__m512i>, count: usize) {
    // SAFETY: as promised; `MaybeUninit` may hold anything, and integers may be zero.
    unsafe {
        (0..count).for_each(|vector| vectors.add(vector).write_volatile(MaybeUninit::zeroed()));
    }
    compiler_fence(Ordering::SeqCst);
}

impl<const ROUNDS: usize, const MIC: usize> Kernel<LANES, MIC> for Vaes512<ROUNDS> {
    fn run(&mut self, opens: bool, before: &mut Lanes<LANES>, now: &mut Lanes<LANES>) {
        let [first, second] = self.groups.each_mut().map(MaybeUninit::as_mut_ptr);
        let (old, new) = if self.is_second { (first, second) } else { (second, first) };
        self.is_second = !self.is_second;
        // SAFETY: the processor has the instructions; lanes stand as `Packet` promises, and what there is in `before` was
        // in `now` the last time.
        unsafe {
            if now.count() > 0 {
                self.used = 2.min(self.used + 1);
                Group::begin(new, now, old, before);
                if opens {
                    Group::bodies::<true>(new, now);
                } else {
                    Group::bodies::<false>(new, now);
                }
                self.texts = self.texts.max((*new).longest.div_ceil(CHUNK).min(2));
            } else {
                Group::end(old, before);
            }
            if !opens {
                put_mics(before, ROUNDS);
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

/// A step of the MACs over the last chunk, or to the integrity codes, of which there are one to five.
macro_rules! end_step {
    ($rounds:ident, $group:ident, $lanes:ident, $mac:ident, $place:ident, $left:ident) => {{
        $left -= 1;
        let (keys, old) = (&raw const (*$group).keys, $mac);
        rounds!(mac_alone, $rounds, keys, 0, $mac, unused);
        if $left > 0 {
            let text = &raw const (*$group).text[$place / CHUNK % 2][$place / BLOCK % 4];
            each!(v => {
                let next = _mm512_aesenclast_epi128($mac[v], (*text)[v]);
                $mac[v] = _mm512_mask_mov_epi64(old[v], longer(&(*$group).length, v, $place), next);
            });
            $place += BLOCK;
        } else {
            each!(v => {
                let tag = _mm512_xor_si512(_mm512_aesenclast_epi128($mac[v], (*keys)[$rounds][v]), (*$group).s0[v]);
                _mm512_store_si512($lanes.mic.as_mut_ptr().add(4 * v).cast(), tag);
            });
        }
    }};
}

/// Which MAC blocks go along with a chunk's counters.
const SECOND_AAD: u8 = 0;
const WHOLE_CHUNK: u8 = 1;
const LAST_CHUNK: u8 = 2;

impl<const ROUNDS: usize> Vaes512<ROUNDS> {
    /// Takes packets, in that order, through this kernel; those with keys of another length are put into `remarks`.
    pub(super) fn run_all<'k, const MIC: usize, J: Job<'k>>(jobs: &mut [J], order: &[u32], remarks: &mut Remarks) {
        const { assert!(MIC == mic_length(ROUNDS), "codes of 8 octets go with 10 rounds, of 16 with 14") };
        // SAFETY: the processor has the instructions.
        unsafe { Self::new().run_groups::<MIC, J>(jobs, order, remarks) }
    }

    /// What is done for each packet is compiled for these processors too.
    ///
    /// # Safety
    /// The processor has the instructions.
    #[target_feature(enable = "vaes,avx512f,avx512bw,avx512vl,avx2,aes")]
    unsafe fn run_groups<'k, const MIC: usize, J: Job<'k>>(
        &mut self,
        jobs: &mut [J],
        order: &[u32],
        remarks: &mut Remarks,
    ) {
        batch::run_groups::<_, J, _, MIC>(self, jobs, order, remarks);
    }
}

impl<const ROUNDS: usize> Group<ROUNDS> {
    /// Leaves nothing of keys and texts.
    ///
    /// # Safety
    /// The processor has the instructions, and the group may be written.
    #[target_feature(enable = "avx512f")]
    unsafe fn wipe(group: *mut Self, texts: usize) {
        // SAFETY: these places are vectors of the group's.
        unsafe {
            wipe((&raw mut (*group).keys).cast(), (ROUNDS + 2) * VECTORS);
            wipe((&raw mut (*group).text).cast(), texts * 4 * VECTORS);
            wipe((&raw mut (*group).start).cast(), VECTORS);
            wipe((&raw mut (*group).s0).cast(), VECTORS);
            wipe((&raw mut (*group).mac).cast(), VECTORS);
        }
    }

    /// All between the beginning and the end of the MAC.
    ///
    /// # Safety
    /// As [`Self::begin`], which was there before.
    #[target_feature(enable = "vaes,avx512f,avx512bw,avx512vl,avx2,aes")]
    unsafe fn bodies<const OPEN: bool>(group: *mut Self, lanes: &Lanes<LANES>) {
        let shortest = lanes.length.iter().copied().min().unwrap_or_default();
        let longest = lanes.length.iter().copied().max().unwrap_or_default();
        let (whole, chunks) = (shortest / CHUNK, longest.div_ceil(CHUNK));
        // SAFETY: as promised; `begin` and the chunk before have written what a chunk reads; `chunk` is below `whole`
        // where no masks are used.
        unsafe {
            (*group).longest = longest;
            (*group).most =
                core::array::from_fn(|v| lanes.length.iter().skip(4 * v).take(4).copied().max().unwrap_or_default());
            (*group).length = lanes.length.map(|length| [length as u64; 2]);
            let mut mac = if whole > 0 {
                Self::chunk::<OPEN, false, SECOND_AAD, VECTORS, 4>(group, lanes, (*group).mac, 0)
            } else {
                Self::chunk::<OPEN, true, SECOND_AAD, VECTORS, 4>(group, lanes, (*group).mac, 0)
            };
            for chunk in 1..whole {
                mac = Self::chunk::<OPEN, false, WHOLE_CHUNK, VECTORS, 4>(group, lanes, mac, chunk);
            }
            for chunk in whole.max(1)..chunks {
                // Vectors whose lanes all ended before the last chunk have nothing left to do.
                let ended = (*group).most.iter().rev().take_while(|most| **most <= (chunk - 1) * CHUNK).count();
                mac = match VECTORS - ended {
                    1 => Self::chunk::<OPEN, true, LAST_CHUNK, 1, 4>(group, lanes, mac, chunk),
                    2 => Self::chunk::<OPEN, true, LAST_CHUNK, 2, 4>(group, lanes, mac, chunk),
                    3 => Self::chunk::<OPEN, true, LAST_CHUNK, 3, 4>(group, lanes, mac, chunk),
                    _ if longest <= chunk * CHUNK + 2 * BLOCK => {
                        Self::chunk::<OPEN, true, LAST_CHUNK, 4, 2>(group, lanes, mac, chunk)
                    }
                    _ => Self::chunk::<OPEN, true, LAST_CHUNK, 4, 4>(group, lanes, mac, chunk),
                };
            }
            (*group).mac = mac;
        }
    }

    /// Expands the keys and does B0, counter block 0 and the first block of AAD; and ends the group before, if there is one.
    /// Not inlined: round keys would be spilled to the stack, which nobody wipes.
    ///
    /// The schedule is a chain, as the MAC is: rounds of AES of three kinds go along with each round key.
    ///
    /// # Safety
    /// The processor has the instructions, and lanes stand as [`Packet`](super::job::Packet) promises; those of the group
    /// before have come through [`Self::bodies`].
    #[inline(never)]
    #[target_feature(enable = "vaes,avx512f,avx512bw,avx512vl,avx2,aes")]
    unsafe fn begin(group: *mut Self, lanes: &Lanes<LANES>, ending: *mut Self, ending_lanes: &mut Lanes<LANES>) {
        let zero = [_mm512_setzero_si512(); VECTORS];
        let (mut mac, mut counter, mut before, mut expanded) = (zero, zero, zero, zero);
        // B0 becomes counter block 0: other flags, no length.
        let kept = _mm512_broadcast_i32x4(_mm_setr_epi32(!0xff, -1, -1, 0xffff));
        let flags = _mm512_broadcast_i32x4(_mm_setr_epi32(1, 0, 0, 0));
        let (rotated, last_word) = (_mm512_set1_epi32(ROTATED_LAST_WORD), _mm512_set1_epi32(LAST_WORD));
        // SAFETY: each key has 16 octets, or 32 with 14 rounds; a block for each lane; what is read was written before.
        unsafe {
            let (mut end, mut place, mut left) = (zero, 0, 0);
            if ending_lanes.count() > 0 {
                (end, place, left) = ((*ending).mac, (*ending).last_chunk(), (*ending).steps_left());
            }
            let keys = &raw mut (*group).keys;
            each!(v => {
                let key = gather(lanes, v, 0);
                (*keys)[0][v] = key;
                (before[v], expanded[v]) = (key, key);
                let first = _mm512_load_si512(lanes.first.as_ptr().add(4 * v).cast());
                mac[v] = _mm512_xor_si512(first, key);
                counter[v] = _mm512_xor_si512(_mm512_or_si512(_mm512_and_si512(first, kept), flags), key);
                (*group).start[v] = counter[v];
            });
            if ROUNDS == 14 {
                each!(v => {
                    expanded[v] = gather(lanes, v, 16);
                    (*keys)[1][v] = expanded[v];
                    mac[v] = _mm512_aesenc_epi128(mac[v], expanded[v]);
                    counter[v] = _mm512_aesenc_epi128(counter[v], expanded[v]);
                });
            }
            let mut round = if ROUNDS == 10 { 1 } else { 2 };
            loop {
                let constant = _mm512_set1_epi32(SCHEDULE[usize::from(ROUNDS == 14)][round]);
                let is_rotated = ROUNDS == 10 || round % 2 == 0;
                let word = if is_rotated { rotated } else { last_word };
                each!(v => {
                    let word = _mm512_aesenclast_epi128(_mm512_shuffle_epi8(expanded[v], word), constant);
                    let key = _mm512_xor_si512(fold(before[v]), word);
                    before[v] = if ROUNDS == 10 { key } else { expanded[v] };
                    expanded[v] = key;
                    (*keys)[round][v] = key;
                });
                if round == ROUNDS {
                    break;
                }
                each!(v => {
                    mac[v] = _mm512_aesenc_epi128(mac[v], expanded[v]);
                    counter[v] = _mm512_aesenc_epi128(counter[v], expanded[v]);
                });
                if round % 2 == 1 && left > 0 {
                    end_step!(ROUNDS, ending, ending_lanes, end, place, left);
                }
                round += 1;
            }
            each!(v => {
                let last = expanded[v];
                let both = _mm512_xor_si512(last, (*keys)[0][v]);
                (*keys)[ROUNDS + 1][v] = both;
                (*group).s0[v] = _mm512_aesenclast_epi128(counter[v], last);
                let aad = _mm512_load_si512(lanes.aad[0].as_ptr().add(4 * v).cast());
                (*group).mac[v] = _mm512_aesenclast_epi128(mac[v], _mm512_xor_si512(both, aad));
            });
        }
    }

    /// Encrypts or decrypts 64 octets of each lane, or what a lane has of them; and takes the MACs further by the blocks
    /// of the chunk before.
    ///
    /// # Safety
    /// As [`Self::group`]; without `MASKED`, each lane has 64 octets from there on.
    #[inline]
    #[target_feature(enable = "vaes,avx512f,avx512bw,avx512vl,avx2,aes")]
    #[expect(clippy::too_many_lines, reason = "one straight line; what is shared stands in registers")]
    unsafe fn chunk<const OPEN: bool, const MASKED: bool, const MAC: u8, const ACTIVE: usize, const BLOCKS: usize>(
        group: *mut Self,
        lanes: &Lanes<LANES>,
        mut mac: Vectors,
        chunk: usize,
    ) -> Vectors {
        let place = chunk * CHUNK;
        let mut unused = [0_u8; CHUNK];
        if !MASKED {
            // SAFETY: does nothing.
            unsafe { asm!(".p2align 6", options(nomem, nostack, preserves_flags)) };
        }
        let number = set1(u32::try_from(4 * chunk + 1).unwrap_or_default());
        let mut numbers = [number; 4];
        each!(b => {
            if b > 0 {
                numbers[b] = add(number, &AHEAD[b]);
            }
            numbers[b] = shuffle(numbers[b], &AT_END);
        });
        // SAFETY: written before, as promised.
        let (keys, before_last, last_but_one) = unsafe {
            let keys = &raw const (*group).keys;
            (keys, (*keys)[ROUNDS - 2], (*keys)[ROUNDS - 1])
        };
        macro_rules! vector {
            ($s:literal) => {{
                if MAC == LAST_CHUNK && (*group).most[$s] <= place {
                    let old = mac;
                    rounds_of_some!(ROUNDS, keys, ACTIVE, mac, unused);
                    each!(v => if v < ACTIVE {
                        let next = _mm512_aesenclast_epi128(mac[v], (*group).text[(chunk + 1) % 2][$s][v]);
                        mac[v] = _mm512_mask_mov_epi64(old[v], longer(&(*group).length, v, place - CHUNK + 16 * $s), next);
                    });
                } else {
                    let mut counter = numbers;
                    each!(b => counter[b] = _mm512_xor_si512((*group).start[$s], counter[b]));
                    let old = mac;
                    match MAC {
                        SECOND_AAD if $s > 0 => rounds!(counter_alone, ROUNDS, keys, $s, mac, counter),
                        LAST_CHUNK => rounds_of_some!(ROUNDS, keys, $s, BLOCKS, ACTIVE, mac, counter),
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
                    let mut masks = [u64::MAX; 4];
                    let mut octets = [_mm512_setzero_si512(); 4];
                    let mut output = [unused.as_mut_ptr(); 4];
                    if MASKED {
                        each!(lane => {
                            let left = lanes.length[4 * $s + lane].saturating_sub(place);
                            masks[lane] = mask(left);
                            // Where all is masked the place may be nowhere, and a fault that is not taken takes long.
                            let input = lanes.input[4 * $s + lane];
                            let input = if left == 0 { unused.as_ptr() } else { input.wrapping_add(place) };
                            if left > 0 {
                                output[lane] = lanes.output[4 * $s + lane].wrapping_add(place);
                            }
                            octets[lane] = _mm512_maskz_loadu_epi8(masks[lane], input.cast());
                        });
                    } else {
                        octets[0] = load::<{ 4 * $s }>(&lanes.input, place);
                        octets[1] = load::<{ 4 * $s + 1 }>(&lanes.input, place);
                        octets[2] = load::<{ 4 * $s + 2 }>(&lanes.input, place);
                        octets[3] = load::<{ 4 * $s + 3 }>(&lanes.input, place);
                    }
                    let data = turn(octets);
                    let mut result = data;
                    each!(b => {
                        result[b] = _mm512_aesenclast_epi128(counter[b], _mm512_xor_si512(data[b], (*group).keys[ROUNDS][$s]));
                    });
                    let mut out = turn(result);
                    if MASKED {
                        each!(lane => {
                            _mm512_mask_storeu_epi8(output[lane].cast(), masks[lane], out[lane]);
                            out[lane] = _mm512_maskz_mov_epi8(masks[lane], out[lane]);
                        });
                    } else {
                        store::<{ 4 * $s }>(&lanes.output, place, out[0]);
                        store::<{ 4 * $s + 1 }>(&lanes.output, place, out[1]);
                        store::<{ 4 * $s + 2 }>(&lanes.output, place, out[2]);
                        store::<{ 4 * $s + 3 }>(&lanes.output, place, out[3]);
                    }
                    let text = match (OPEN, MASKED) {
                        (false, _) => data,
                        (true, false) => result,
                        (true, true) => turn(out),
                    };
                    let key = (*group).keys[ROUNDS + 1][$s];
                    each!(b => (*group).text[chunk % 2][b][$s] = _mm512_xor_si512(text[b], key));
                    each!(v => if v < ACTIVE {
                        if MAC != SECOND_AAD {
                            mac[v] = _mm512_aesenclast_epi128(mac[v], (*group).text[(chunk + 1) % 2][$s][v]);
                        } else if $s == 0 {
                            let aad = _mm512_load_si512(lanes.aad[1].as_ptr().add(4 * v).cast());
                            mac[v] = _mm512_aesenclast_epi128(mac[v], _mm512_xor_si512((*group).keys[ROUNDS + 1][v], aad));
                        }
                        if MAC == LAST_CHUNK {
                            let has_more = longer(&(*group).length, v, place - CHUNK + 16 * $s);
                            mac[v] = _mm512_mask_mov_epi64(old[v], has_more, mac[v]);
                        }
                    });
                }
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

    /// Ends a group of lanes that is the last one.
    ///
    /// # Safety
    /// As [`Self::begin`] for the group before.
    #[inline(never)]
    #[target_feature(enable = "vaes,avx512f,avx512bw,avx512vl,avx2,aes")]
    unsafe fn end(group: *mut Self, lanes: &mut Lanes<LANES>) {
        // SAFETY: as promised.
        unsafe {
            let (mut mac, mut place, mut left) = ((*group).mac, (*group).last_chunk(), (*group).steps_left());
            while left > 0 {
                end_step!(ROUNDS, group, lanes, mac, place, left);
            }
        }
    }

    /// Where the longest lane's last chunk begins.
    const fn last_chunk(&self) -> usize {
        (self.longest - 1) / CHUNK * CHUNK
    }

    /// Blocks of that chunk, and a step to the code.
    const fn steps_left(&self) -> usize {
        (self.longest - self.last_chunk()).div_ceil(BLOCK) + 1
    }
}

/// 64 octets from a place on, and a request for those `AHEAD` octets further: by few instructions, for which this width
/// leaves little room.
///
/// # Safety
/// The place has 64 octets there.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load<const LANE: usize>(inputs: &[*const u8; LANES], place: usize) -> __m512i {
    let vector;
    // SAFETY: as promised; prefetching never faults.
    unsafe {
        asm!(
            "mov {t}, [{inputs} + 8 * {lane}]",
            "prefetcht0 [{t} + {place} + 512]",
            "vmovdqu64 {v}, [{t} + {place}]",
            inputs = in(reg) inputs, place = in(reg) place, t = out(reg) _, v = out(zmm_reg) vector, lane = const LANE,
            options(nostack, readonly, pure, preserves_flags)
        );
    }
    vector
}

/// The same the other way.
///
/// # Safety
/// The place has 64 octets there.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store<const LANE: usize>(outputs: &[*mut u8; LANES], place: usize, vector: __m512i) {
    // SAFETY: as promised; prefetching never faults.
    unsafe {
        asm!(
            "mov {t}, [{outputs} + 8 * {lane}]",
            "prefetchw [{t} + {place} + 192]",
            "vmovdqu64 [{t} + {place}], {v}",
            outputs = in(reg) outputs, place = in(reg) place, t = out(reg) _, v = in(zmm_reg) vector, lane = const LANE,
            options(nostack, preserves_flags)
        );
    }
}

/// A number of 32 bits in each word.
#[inline]
#[target_feature(enable = "avx512f")]
fn set1(number: u32) -> __m512i {
    let vector;
    // SAFETY: registers only. As an intrinsic it is folded with what follows, into more instructions.
    unsafe {
        asm!("vpbroadcastd {v}, {n:e}", n = in(reg) number, v = out(zmm_reg) vector, options(nostack, nomem, pure, preserves_flags));
    }
    vector
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add(vector: __m512i, constant: &Words) -> __m512i {
    let sum;
    // SAFETY: reads a constant.
    unsafe {
        asm!("vpaddd {s}, {v}, [{c}]", c = in(reg) constant, v = in(zmm_reg) vector, s = out(zmm_reg) sum, options(nostack, readonly, pure, preserves_flags));
    }
    sum
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn shuffle(vector: __m512i, constant: &Words) -> __m512i {
    let shuffled;
    // SAFETY: reads a constant.
    unsafe {
        asm!("vpshufb {s}, {v}, [{c}]", c = in(reg) constant, v = in(zmm_reg) vector, s = out(zmm_reg) shuffled, options(nostack, readonly, pure, preserves_flags));
    }
    shuffled
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

/// Sixteen octets of the keys of a vector's lanes, from that place on.
///
/// # Safety
/// Each key has them.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn gather(lanes: &Lanes<LANES>, vector: usize, place: usize) -> __m512i {
    let [a, b, c, d] = core::array::from_fn(|lane| lanes.key[4 * vector + lane].wrapping_add(place));
    // SAFETY: as promised.
    unsafe {
        let vector = _mm512_castsi128_si512(_mm_loadu_si128(a.cast()));
        let vector = _mm512_inserti32x4::<1>(vector, _mm_loadu_si128(b.cast()));
        let vector = _mm512_inserti32x4::<2>(vector, _mm_loadu_si128(c.cast()));
        _mm512_inserti32x4::<3>(vector, _mm_loadu_si128(d.cast()))
    }
}
