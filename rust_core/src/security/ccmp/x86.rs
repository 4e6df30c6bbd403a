//! Multi-packet CCM on x86-64: several packets in flight hide the latency of the AES instructions.
//!
//! A packet alone is a chain: each block of its CBC-MAC waits for the one before. So a vector holds the same block index
//! of one packet (AES-NI) or two (VAES on 256-bit registers), each lane under its own key, and four vectors run together:
//! MAC and counter block share each round-key load. XORs are folded into the last round: `aesenclast(x, rk10 ^ data)` is
//! the ciphertext, `aesenclast(m, rk10 ^ rk0 ^ data)` the next MAC input. Round keys are expanded on the fly, straight
//! into the vectors' layout, so that a key costs 16 octets of memory traffic (32 of CCMP-256).
//!
//! JUSTIFICATION for `unsafe`: the instructions are
//! reachable by intrinsics and assembler alone, and a bounds check for each block of each lane costs more than the block;
//! `cargo bench --bench ccmp` shows the gain over `portable`. The rounds are assembler because LLVM makes a chain at a
//! time from intrinsics and spills round keys, which costs 1.3 times the time at 1500 octets (measured on AMD Zen 5); here
//! MAC and counter chains take turns. No branch and no address depends on a key or on data: lengths alone decide.

#![expect(unsafe_code, reason = "SIMD intrinsics; see the module's JUSTIFICATION")]
#![expect(
    clippy::indexing_slicing,
    reason = "constant indices and lanes below the group's size; unrolled and unchecked"
)]

use core::arch::asm;
use core::arch::x86_64::{
    __m128i, __m256i, _mm_add_epi32, _mm_aesenc_si128, _mm_aesenclast_si128, _mm_and_si128, _mm_bslli_si128,
    _mm_loadu_si128, _mm_or_si128, _mm_set1_epi32, _mm_shuffle_epi8, _mm_storeu_si128, _mm_xor_si128, _mm256_add_epi32,
    _mm256_aesenc_epi128, _mm256_aesenclast_epi128, _mm256_and_si256, _mm256_bslli_epi128, _mm256_castsi256_si128,
    _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_or_si256, _mm256_set1_epi32, _mm256_shuffle_epi8,
    _mm256_storeu_si256, _mm256_xor_si256,
};

use core::hint::black_box;

use zeroize::Zeroize;

use super::batch::{self, Remarks};
use super::job::{Job, words};
use super::kernel::{Kernel, Lanes};
use super::layout::Block;

/// Vectors that run together: four MAC chains and four counter chains fill latency times throughput.
const VECTORS: usize = 4;
const BLOCK: usize = 16;
/// What goes into each round key (FIPS 197 5.2), for keys of 16 octets and of 32.
pub(super) static SCHEDULE: [[i32; 15]; 2] = [
    [0, 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36, 0, 0, 0, 0],
    [0, 0, 0x01, 0, 0x02, 0, 0x04, 0, 0x08, 0, 0x10, 0, 0x20, 0, 0x40],
];
/// Shuffles the last word of a block, rotated, into all four.
pub(super) const ROTATED_LAST_WORD: i32 = 0x0c0f_0e0d;
/// The same, not rotated.
pub(super) const LAST_WORD: i32 = 0x0f0e_0d0c;
/// Turns the little-endian number in a lane's first four octets into the last two octets of its block, big-endian.
pub(super) const COUNTER_AT_END: [i32; 4] = [-0x7f7f_7f80, -0x7f7f_7f80, -0x7f7f_7f80, 0x0001_8080];

/// Sixteen octets of each, to be read from any place between.
#[repr(C, align(64))]
struct Sliding([[u8; BLOCK]; 3]);

const NONE: [u8; BLOCK] = [0x80; BLOCK];
/// Shuffles the last octets of a block to its start (from `32 - count` on), or the first ones to its end (from `count`
/// on); zeros elsewhere.
static SHIFT: Sliding = Sliding([NONE, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], NONE]);
/// From `16 - count` on: that many octets of ones, then zeros.
static MASK: Sliding = Sliding([[0xff; BLOCK], [0; BLOCK], [0; BLOCK]]);

/// The octets of B0 that counter block 0 has too, and its own flags.
static COUNTER_KEEPS: Blocks<1> = Blocks([[!0xff, 0x0000_ffff_ffff_ffff]]);
static COUNTER_FLAGS: Blocks<1> = Blocks([[1, 0]]);

/// A block for each lane.
#[repr(C, align(64))]
struct Blocks<const LANES: usize>([Block; LANES]);

/// Where lanes that have ended go on reading, and behind that writing: each half has as many blocks as the longest body.
/// Not the same half: a lane would wait for what the one before has written.
///
/// What is written is key stream, of the last block's counter too, and goes on the air XOR the plaintext: it is wiped.
struct Parking(Vec<__m128i>);

impl Parking {
    fn make_room(&mut self, octets: usize) {
        let blocks = 2 * octets.div_ceil(BLOCK);
        if self.0.len() < blocks {
            // SAFETY: integers, for which zeros are good.
            *self = Self(vec![unsafe { core::mem::zeroed() }; blocks]);
        }
    }
}

impl Drop for Parking {
    fn drop(&mut self) {
        let half = self.0.len() / 2;
        self.0.iter_mut().skip(half).for_each(Zeroize::zeroize);
    }
}

/// What a group is worked on with. Round keys: the row behind the last one is the last XOR the first.
#[repr(C, align(64))]
struct State<V, const LANES: usize> {
    keys: [[V; VECTORS]; 16],
    /// Counter block 0 without its counter, with the first round key.
    start: [V; VECTORS],
    input: [*const u8; LANES],
    output: [*mut u8; LANES],
}

/// For all that LLVM knows the keys are others from here on: it reads them again, and does not keep them on the stack, which
/// nobody wipes.
macro_rules! written {
    ($keys:ident) => {
        // SAFETY: does nothing.
        unsafe { asm!("/* {0} */", in(reg) $keys.as_mut_ptr(), options(nostack, preserves_flags)) }
    };
}

macro_rules! kernel {
    (
        $(#[$doc:meta])* $name:ident, $features:literal, $vector:ty, $width:literal, $class:ident, $octets:literal,
        gather $gather:ident, scatter $scatter:ident, load $load:ident, store $store:ident, set $set:ident,
        add $add:ident, xor $xor:ident, and $and:ident, or $or:ident, encrypt $encrypt:ident, last $last:ident,
        shuffle $shuffle:ident, shift $shift:ident
    ) => {
        $(#[$doc])*
        pub(super) struct $name<const ROUNDS: usize> {
            state: State<$vector, { VECTORS * $width }>,
            parking: Parking,
        }

        impl<const ROUNDS: usize> $name<ROUNDS> {
            /// For keys of 16 octets (10 rounds) or 32 (14). The processor must have the instructions.
            fn new() -> Self {
                // SAFETY: integers and pointers, for which zeros are good.
                Self { state: unsafe { core::mem::zeroed() }, parking: Parking(Vec::new()) }
            }
        }

        impl<const ROUNDS: usize> Drop for $name<ROUNDS> {
            fn drop(&mut self) {
                self.state.keys.zeroize();
                self.state.start.zeroize();
            }
        }

        impl<const ROUNDS: usize, const MIC: usize> Kernel<{ VECTORS * $width }, MIC> for $name<ROUNDS> {
            /// Ends at once what it begins.
            fn run(
                &mut self,
                opens: bool,
                _before: &mut Lanes<{ VECTORS * $width }>,
                now: &mut Lanes<{ VECTORS * $width }>,
            ) {
                if now.count() > 0 {
                    self.run_group(opens, now);
                }
            }
        }

        impl<const ROUNDS: usize> $name<ROUNDS> {
            /// Takes packets, in that order, through this kernel; those with keys of another length are put into
            /// `others`.
            pub(super) fn run_all<'k, const MIC: usize, J: Job<'k>>(
                jobs: &mut [J],
                order: &[u32],
                remarks: &mut Remarks,
            ) {
                const { assert!(MIC == mic_length(ROUNDS), "codes of 8 octets go with 10 rounds, of 16 with 14") };
                // SAFETY: the processor has the instructions.
                unsafe { Self::new().run_groups::<MIC, J>(jobs, order, remarks) }
            }

            /// What is done for each packet is compiled for these processors too.
            ///
            /// # Safety
            /// The processor has the instructions.
            #[target_feature(enable = $features)]
            unsafe fn run_groups<'k, const MIC: usize, J: Job<'k>>(
                &mut self,
                jobs: &mut [J],
                order: &[u32],
                remarks: &mut Remarks,
            ) {
                batch::run_groups::<_, J, _, MIC>(self, jobs, order, remarks);
            }

            fn run_group(&mut self, opens: bool, lanes: &mut Lanes<{ VECTORS * $width }>) {
                let longest = lanes.length.iter().copied().max().unwrap_or_default();
                let is_even = lanes.length.iter().all(|length| (*length).wrapping_sub(1) / BLOCK == (longest - 1) / BLOCK);
                if !is_even {
                    self.parking.make_room(longest);
                }
                // SAFETY: the processor has the instructions; a lane's `input` and `output` have `length` octets and 16
                // before them, as `Packet` promises; the parking is as long as the longest lane where lanes end early.
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

        impl<const ROUNDS: usize> $name<ROUNDS> {
            /// # Safety
            /// The processor has the instructions. Lanes of non-zero length stand as [`Packet`](super::job::Packet)
            /// promises; `parking` has as many octets as the longest lane, unless all have the same number of blocks.
            #[target_feature(enable = $features)]
            #[expect(clippy::too_many_lines, reason = "one straight line; what is shared stands in registers")]
            unsafe fn group<const OPEN: bool>(&mut self, lanes: &mut Lanes<{ VECTORS * $width }>) {
                const LANES: usize = VECTORS * $width;
                let parked = self.parking.0.as_mut_ptr().cast::<u8>();
                let parked_output = parked.wrapping_add(self.parking.0.len() / 2 * BLOCK);
                let state = &mut self.state;
                let mut tail_counter = Blocks::<LANES>([[0; 2]; LANES]);
                let mut full = [0_usize; LANES];
                let mut rest = [1_usize; LANES];
                let mut order: [usize; LANES] = core::array::from_fn(|lane| lane);
                for lane in 0..LANES {
                    if lanes.length[lane] == 0 {
                        state.input[lane] = parked;
                        state.output[lane] = parked_output;
                    } else {
                        full[lane] = (lanes.length[lane] - 1) / BLOCK;
                        rest[lane] = (lanes.length[lane] - 1) % BLOCK + 1;
                        state.input[lane] = lanes.input[lane];
                        state.output[lane] = lanes.output[lane];
                    }
                    let [.., high, low] = (full[lane] + 1).to_be_bytes();
                    tail_counter.0[lane][1] = u64::from_be_bytes([0, 0, 0, 0, 0, 0, high, low]).swap_bytes();
                }
                if !full.is_sorted_by(|a, b| a >= b) {
                    order.sort_by_key(|lane| core::cmp::Reverse(full[*lane]));
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
                // SAFETY (of `blocks!`): a block for each lane, so vector `v` lies inside.
                macro_rules! blocks {
                    ($blocks:expr, $v:expr) => {
                        unsafe { $load($blocks.as_ptr().add($v * $width).cast()) }
                    };
                }
                // Where each lane's last block ends, 16 octets before that: header or body, so inside the packet.
                macro_rules! tail_window {
                    ($of:expr, $lane:expr) => {
                        $of[$lane].wrapping_add(lanes.length[$lane]).wrapping_sub(BLOCK)
                    };
                }
                let zero = $set(0);
                let mut tail = [zero; VECTORS];
                // SAFETY: see `tail_window!`; lanes without a packet read the static; the tables have 16 octets behind
                // each place.
                each!(v => unsafe {
                    let window = $gather(core::array::from_fn(|lane| match lanes.length[v * $width + lane] {
                        0 => MASK.0.as_ptr().cast(),
                        _ => tail_window!(lanes.input, v * $width + lane),
                    }));
                    let shuffle = $gather(core::array::from_fn(|lane| {
                        SHIFT.0.as_ptr().cast::<u8>().add(2 * BLOCK - rest[v * $width + lane])
                    }));
                    tail[v] = $shuffle(window, shuffle);
                });

                let keys = &mut state.keys;
                let (mut mac, mut counter) = ([zero; VECTORS], [zero; VECTORS]);
                // SAFETY: each key has 16 octets, or 32 with 14 rounds.
                each!(v => unsafe {
                    keys[0][v] = $gather(core::array::from_fn(|lane| lanes.key[v * $width + lane]));
                    if ROUNDS == 14 {
                        keys[1][v] = $gather(core::array::from_fn(|lane| lanes.key[v * $width + lane].add(BLOCK)));
                    }
                });
                // B0 becomes counter block 0: other flags, no length.
                // SAFETY: sixteen octets.
                let (kept, flags) = unsafe {
                    ($gather([COUNTER_KEEPS.0.as_ptr().cast(); $width]), $gather([COUNTER_FLAGS.0.as_ptr().cast(); $width]))
                };
                each!(v => {
                    mac[v] = $xor(blocks!(lanes.first, v), keys[0][v]);
                    counter[v] = $xor($or($and(blocks!(lanes.first, v), kept), flags), keys[0][v]);
                    state.start[v] = counter[v];
                });
                // FIPS 197 5.2: SubWord(RotWord(w3)) in all columns by a shuffle and AESENCLAST, whose ShiftRows does
                // nothing where all columns are equal. The first MAC block and counter block 0 go along.
                let (rotated, last_word) = ($set(ROTATED_LAST_WORD), $set(LAST_WORD));
                macro_rules! fold {
                    ($key:expr) => {{
                        let half = $xor($key, $shift::<4>($key));
                        $xor(half, $shift::<8>(half))
                    }};
                }
                // A round of AES goes along with each round key: the schedule is a chain, and leaves time for it.
                written!(keys);
                let mut before = keys[0];
                let mut expanded = keys[if ROUNDS == 10 { 0 } else { 1 }];
                if ROUNDS == 14 {
                    each!(v => {
                        mac[v] = $encrypt(mac[v], expanded[v]);
                        counter[v] = $encrypt(counter[v], expanded[v]);
                    });
                }
                let mut round = if ROUNDS == 10 { 1 } else { 2 };
                while round <= ROUNDS {
                    let shuffle = if ROUNDS == 10 || round % 2 == 0 { rotated } else { last_word };
                    let constant = $set(SCHEDULE[usize::from(ROUNDS == 14)][round]);
                    each!(v => {
                        let word = $last($shuffle(expanded[v], shuffle), constant);
                        let key = $xor(fold!(before[v]), word);
                        before[v] = if ROUNDS == 10 { key } else { expanded[v] };
                        expanded[v] = key;
                        keys[round][v] = key;
                        if round < ROUNDS {
                            mac[v] = $encrypt(mac[v], key);
                            counter[v] = $encrypt(counter[v], key);
                        }
                    });
                    round += 1;
                }
                written!(keys);
                each!(v => keys[ROUNDS + 1][v] = $xor(keys[ROUNDS][v], keys[0][v]));
                written!(keys);

                // One round of all MAC and counter chains; the round keys stand in memory.
                macro_rules! both {
                    ($round:literal) => {
                        // SAFETY: reads the round keys. LLVM is not told that it only reads: it would keep some of them
                        // on the stack, which nobody wipes.
                        unsafe {
                            asm!(
                                concat!("vmovdqu {k:", $octets, "}, [{p} + {w} * 4 * ", $round, "]"),
                                concat!("vaesenc {m0:", $octets, "}, {m0:", $octets, "}, {k:", $octets, "}"),
                                concat!("vaesenc {c0:", $octets, "}, {c0:", $octets, "}, {k:", $octets, "}"),
                                concat!("vmovdqu {k:", $octets, "}, [{p} + {w} * (4 * ", $round, " + 1)]"),
                                concat!("vaesenc {m1:", $octets, "}, {m1:", $octets, "}, {k:", $octets, "}"),
                                concat!("vaesenc {c1:", $octets, "}, {c1:", $octets, "}, {k:", $octets, "}"),
                                concat!("vmovdqu {k:", $octets, "}, [{p} + {w} * (4 * ", $round, " + 2)]"),
                                concat!("vaesenc {m2:", $octets, "}, {m2:", $octets, "}, {k:", $octets, "}"),
                                concat!("vaesenc {c2:", $octets, "}, {c2:", $octets, "}, {k:", $octets, "}"),
                                concat!("vmovdqu {k:", $octets, "}, [{p} + {w} * (4 * ", $round, " + 3)]"),
                                concat!("vaesenc {m3:", $octets, "}, {m3:", $octets, "}, {k:", $octets, "}"),
                                concat!("vaesenc {c3:", $octets, "}, {c3:", $octets, "}, {k:", $octets, "}"),
                                p = in(reg) state.keys.as_mut_ptr(), w = const $width * BLOCK, k = out($class) _,
                                m0 = inout($class) mac[0], m1 = inout($class) mac[1],
                                m2 = inout($class) mac[2], m3 = inout($class) mac[3],
                                c0 = inout($class) counter[0], c1 = inout($class) counter[1],
                                c2 = inout($class) counter[2], c3 = inout($class) counter[3],
                                options(nostack, preserves_flags)
                            );
                        }
                    };
                }
                macro_rules! rounds {
                    ($round:ident) => {{
                        $round!(1);
                        $round!(2);
                        $round!(3);
                        $round!(4);
                        $round!(5);
                        $round!(6);
                        $round!(7);
                        $round!(8);
                        $round!(9);
                        if ROUNDS == 14 {
                            $round!(10);
                            $round!(11);
                            $round!(12);
                            $round!(13);
                        }
                    }};
                }
                // The same for the MAC chains alone.
                macro_rules! alone {
                    ($round:literal) => {
                        // SAFETY: reads the round keys.
                        unsafe {
                            asm!(
                                concat!("vaesenc {m0:", $octets, "}, {m0:", $octets, "}, [{p} + {w} * 4 * ", $round, "]"),
                                concat!("vaesenc {m1:", $octets, "}, {m1:", $octets, "}, [{p} + {w} * (4 * ", $round, " + 1)]"),
                                concat!("vaesenc {m2:", $octets, "}, {m2:", $octets, "}, [{p} + {w} * (4 * ", $round, " + 2)]"),
                                concat!("vaesenc {m3:", $octets, "}, {m3:", $octets, "}, [{p} + {w} * (4 * ", $round, " + 3)]"),
                                p = in(reg) state.keys.as_ptr(), w = const $width * BLOCK,
                                m0 = inout($class) mac[0], m1 = inout($class) mac[1],
                                m2 = inout($class) mac[2], m3 = inout($class) mac[3],
                                options(nostack, readonly, preserves_flags)
                            );
                        }
                    };
                }
                let mut s0 = [zero; VECTORS];
                each!(v => {
                    s0[v] = $last(counter[v], state.keys[ROUNDS][v]);
                    mac[v] = $last(mac[v], $xor(state.keys[ROUNDS + 1][v], blocks!(lanes.aad[0], v)));
                });
                // What goes into the MAC next. It is a block behind the counters, so that what is opened does not wait for one
                // chain and then for the other.
                let mut text = [zero; VECTORS];
                each!(v => text[v] = $xor(state.keys[ROUNDS + 1][v], blocks!(lanes.aad[1], v)));

                // Whole blocks, in stretches: the shortest lanes end first and are parked with their MAC kept.
                // SAFETY: four words.
                let at_end = unsafe { $gather([COUNTER_AT_END.as_ptr().cast(); $width]) };
                let mut numbers = $set(1);
                let mut done = 0_usize;
                let mut kept_blocks = [Blocks::<LANES>([[0; 2]; LANES]), Blocks([[0; 2]; LANES])];
                let mut left = LANES;
                let is_even = full[order[0]] == full[order[LANES - 1]];
                while left > 0 {
                    let stretch = full[order[left - 1]] - done;
                    for block in done..done + stretch {
                        let number = $shuffle(numbers, at_end);
                        numbers = $add(numbers, $set(1));
                        each!(v => counter[v] = $xor(state.start[v], number));
                        rounds!(both);
                        // SAFETY: lanes that run have a whole block here; the parking has as many as any.
                        each!(v => unsafe {
                            let data = $gather(core::array::from_fn(|lane| state.input[v * $width + lane].add(block * BLOCK)));
                            let result = $last(counter[v], $xor(data, state.keys[ROUNDS][v]));
                            $scatter(core::array::from_fn(|lane| state.output[v * $width + lane].add(block * BLOCK)), result);
                            mac[v] = $last(mac[v], text[v]);
                            text[v] = $xor(if OPEN { result } else { data }, state.keys[ROUNDS + 1][v]);
                        });
                    }
                    done += stretch;
                    if is_even {
                        break;
                    }
                    // Keep the MAC of all lanes that end here, and park them.
                    let mut now = [Blocks::<LANES>([[0; 2]; LANES]), Blocks([[0; 2]; LANES])];
                    // SAFETY: a block for each lane.
                    each!(v => unsafe {
                        $store(now[0].0.as_mut_ptr().add(v * $width).cast(), mac[v]);
                        $store(now[1].0.as_mut_ptr().add(v * $width).cast(), text[v]);
                    });
                    while left > 0 && full[order[left - 1]] == done {
                        left -= 1;
                        let lane = order[left];
                        (kept_blocks[0].0[lane], kept_blocks[1].0[lane]) = (now[0].0[lane], now[1].0[lane]);
                        state.input[lane] = parked;
                        state.output[lane] = parked_output;
                    }
                }

                // The last block of every lane, 1 to 16 octets, at its own counter; then the MAC's last step.
                each!(v => {
                    if !is_even {
                        mac[v] = blocks!(kept_blocks[0].0, v);
                        text[v] = blocks!(kept_blocks[1].0, v);
                    }
                    counter[v] = $xor(state.start[v], blocks!(tail_counter.0, v));
                });
                rounds!(both);
                let mut nowhere = [0_u8; BLOCK];
                // SAFETY: as for the tails above.
                each!(v => unsafe {
                    let mask = $gather(core::array::from_fn(|lane| {
                        MASK.0.as_ptr().cast::<u8>().add(BLOCK - rest[v * $width + lane])
                    }));
                    let result = $and($last(counter[v], $xor(tail[v], state.keys[ROUNDS][v])), mask);
                    mac[v] = $last(mac[v], text[v]);
                    text[v] = $xor(if OPEN { result } else { tail[v] }, state.keys[ROUNDS + 1][v]);
                    let window = core::array::from_fn(|lane| match lanes.length[v * $width + lane] {
                        0 => nowhere.as_mut_ptr(),
                        _ => tail_window!(lanes.output, v * $width + lane),
                    });
                    let shuffle = $gather(core::array::from_fn(|lane| {
                        SHIFT.0.as_ptr().cast::<u8>().add(rest[v * $width + lane])
                    }));
                    let keep = $gather(core::array::from_fn(|lane| {
                        MASK.0.as_ptr().cast::<u8>().add(rest[v * $width + lane])
                    }));
                    let before = $gather(window.map(<*mut u8>::cast_const));
                    $scatter(window, $or($and(before, keep), $shuffle(result, shuffle)));
                });
                rounds!(alone);
                each!(v => mac[v] = $last(mac[v], text[v]));
                rounds!(alone);
                each!(v => {
                    let tag = $xor($last(mac[v], state.keys[ROUNDS][v]), s0[v]);
                    // SAFETY: a block for each lane.
                    unsafe { $store(lanes.mic.as_mut_ptr().add(v * $width).cast(), tag) };
                });
            }
        }
    };
}

/// Are all codes those that came behind the bodies? Takes the same time whatever the answer.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the kernel's processor")]
pub(super) fn codes_are_right<const N: usize, const MIC: usize>(lanes: &Lanes<N>) -> bool {
    let mut difference = 0;
    for lane in 0..lanes.count().min(N) {
        let came = lanes.input[lane].wrapping_add(lanes.length[lane]);
        let [low, high] = words(&lanes.mic[lane]);
        // SAFETY: lanes stand as `Packet` promises of packets that were opened.
        unsafe {
            difference |= came.cast::<u64>().read_unaligned() ^ low;
            if MIC == 16 {
                difference |= came.wrapping_add(8).cast::<u64>().read_unaligned() ^ high;
            }
        }
    }
    black_box(difference) == 0
}

/// Octets of the integrity codes that go with a key's rounds.
pub(super) const fn mic_length(rounds: usize) -> usize {
    if rounds == 10 { 8 } else { 16 }
}

/// Writes the integrity codes behind the bodies: 8 octets with 10 rounds, 16 with 14.
///
/// # Safety
/// Lanes of non-zero length stand as [`Packet`](super::job::Packet) promises of packets that are sealed.
#[inline]
pub(super) unsafe fn put_mics<const N: usize>(lanes: &Lanes<N>, rounds: usize) {
    for lane in 0..lanes.count().min(N) {
        let (mic, place) = (&raw const lanes.mic[lane], lanes.output[lane].wrapping_add(lanes.length[lane]));
        // SAFETY: as promised.
        unsafe {
            if rounds == 10 {
                place.copy_from_nonoverlapping(mic.cast(), 8);
            } else {
                place.copy_from_nonoverlapping(mic.cast(), 16);
            }
        }
    }
}

/// # Safety
/// The place has 16 octets.
#[inline]
#[target_feature(enable = "avx")]
unsafe fn gather_one([place]: [*const u8; 1]) -> __m128i {
    // SAFETY: as promised.
    unsafe { _mm_loadu_si128(place.cast()) }
}

/// # Safety
/// The place has 16 octets.
#[inline]
#[target_feature(enable = "avx")]
unsafe fn scatter_one([place]: [*mut u8; 1], block: __m128i) {
    // SAFETY: as promised.
    unsafe { _mm_storeu_si128(place.cast(), block) };
}

/// # Safety
/// Each place has 16 octets.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn gather_two([low, high]: [*const u8; 2]) -> __m256i {
    let blocks;
    // SAFETY: as promised. As intrinsics the loads become an insertion, which waits for the unit of shuffles.
    unsafe {
        asm!(
            "vbroadcasti128 {other}, xmmword ptr [{high}]",
            "vmovdqu {blocks:x}, xmmword ptr [{low}]",
            "vpblendd {blocks}, {blocks}, {other}, 0xf0",
            low = in(reg) low, high = in(reg) high, blocks = out(ymm_reg) blocks, other = out(ymm_reg) _,
            options(nostack, readonly, pure, preserves_flags)
        );
    }
    blocks
}

/// # Safety
/// Each place has 16 octets.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn scatter_two([low, high]: [*mut u8; 2], blocks: __m256i) {
    // SAFETY: as promised.
    unsafe {
        _mm_storeu_si128(low.cast(), _mm256_castsi256_si128(blocks));
        _mm_storeu_si128(high.cast(), _mm256_extracti128_si256::<1>(blocks));
    }
}

kernel!(
    /// AES-NI: four packets at a time.
    AesNi, "aes,ssse3,sse4.1,avx", __m128i, 1, xmm_reg, "x",
    gather gather_one, scatter scatter_one, load _mm_loadu_si128, store _mm_storeu_si128, set _mm_set1_epi32,
    add _mm_add_epi32, xor _mm_xor_si128, and _mm_and_si128, or _mm_or_si128, encrypt _mm_aesenc_si128, last _mm_aesenclast_si128,
    shuffle _mm_shuffle_epi8, shift _mm_bslli_si128
);

kernel!(
    /// VAES on 256-bit registers: eight packets at a time.
    Vaes256, "vaes,avx2,aes", __m256i, 2, ymm_reg, "y",
    gather gather_two, scatter scatter_two, load _mm256_loadu_si256, store _mm256_storeu_si256, set _mm256_set1_epi32,
    add _mm256_add_epi32, xor _mm256_xor_si256, and _mm256_and_si256, or _mm256_or_si256, encrypt _mm256_aesenc_epi128,
    last _mm256_aesenclast_epi128, shuffle _mm256_shuffle_epi8, shift _mm256_bslli_epi128
);
