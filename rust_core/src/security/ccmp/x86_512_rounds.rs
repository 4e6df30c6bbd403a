//! Rounds of AES for `x86_512`, as assembler in the order in which they are to run: LLVM would make a chain at a time from
//! intrinsics. Macros, so that what they take stays in registers; a vector's round keys stand 64 octets apart, a round's 256.

/// One round of the MAC chains, and of the counter chains of the lanes of vector `s`: loads are what this width is short
/// of, so the round keys of that vector are loaded once for both.
macro_rules! both {
    ($keys:expr, $s:literal, $round:literal, $mac:ident, $counter:ident) => {{
        let _key: __m512i;
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
            p = in(reg) $keys, k = out(zmm_reg) _key, r = const 256 * $round,
            o0 = const 64 * $s, o1 = const 64 * (($s + 1) % 4),
            o2 = const 64 * (($s + 2) % 4), o3 = const 64 * (($s + 3) % 4),
            m0 = inout(zmm_reg) $mac[$s], m1 = inout(zmm_reg) $mac[($s + 1) % 4],
            m2 = inout(zmm_reg) $mac[($s + 2) % 4], m3 = inout(zmm_reg) $mac[($s + 3) % 4],
            c0 = inout(zmm_reg) $counter[0], c1 = inout(zmm_reg) $counter[1],
            c2 = inout(zmm_reg) $counter[2], c3 = inout(zmm_reg) $counter[3],
            options(nostack, readonly, preserves_flags)
        );
    }};
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
    ($keys:expr, $s:literal, $round:literal, $mac:ident, $counter:ident) => {{
        let _key: __m512i;
        asm!(
            concat!("vmovdqa64 {k}, [{p} + 256 * ", $round, " + 64 * ", $s, "]"),
            "vaesenc {c0}, {c0}, {k}",
            "vaesenc {c1}, {c1}, {k}",
            "vaesenc {c2}, {c2}, {k}",
            "vaesenc {c3}, {c3}, {k}",
            p = in(reg) $keys, k = out(zmm_reg) _key,
            c0 = inout(zmm_reg) $counter[0], c1 = inout(zmm_reg) $counter[1],
            c2 = inout(zmm_reg) $counter[2], c3 = inout(zmm_reg) $counter[3],
            options(nostack, readonly, preserves_flags)
        );
    }};
}

/// An instruction of a round, its key in memory.
macro_rules! encrypt {
    ($block:expr, $keys:expr, $place:expr) => {
        asm!(
            "vaesenc {b}, {b}, [{p} + {place}]",
            b = inout(zmm_reg) $block, p = in(reg) $keys, place = const $place,
            options(nostack, readonly, preserves_flags)
        )
    };
}

/// One round of the MAC chains of the first `ACTIVE` vectors alone.
macro_rules! some_alone {
    ($keys:expr, $active:ident, $round:literal, $mac:ident, $counter:ident) => {{
        encrypt!($mac[0], $keys, 256 * $round);
        if $active > 1 {
            encrypt!($mac[1], $keys, 256 * $round + 64);
        }
        if $active > 2 {
            encrypt!($mac[2], $keys, 256 * $round + 128);
        }
        if $active > 3 {
            encrypt!($mac[3], $keys, 256 * $round + 192);
        }
    }};
}

/// The same, with the counter chains of the lanes of vector `s`.
macro_rules! both_some {
    ($keys:expr, $s:literal, $active:ident, $blocks:ident, $round:literal, $mac:ident, $counter:ident) => {{
        encrypt!($mac[0], $keys, 256 * $round);
        encrypt!($counter[0], $keys, 256 * $round + 64 * $s);
        if $active > 1 {
            encrypt!($mac[1], $keys, 256 * $round + 64);
        }
        encrypt!($counter[1], $keys, 256 * $round + 64 * $s);
        if $active > 2 {
            encrypt!($mac[2], $keys, 256 * $round + 128);
        }
        if $blocks > 2 {
            encrypt!($counter[2], $keys, 256 * $round + 64 * $s);
        }
        if $active > 3 {
            encrypt!($mac[3], $keys, 256 * $round + 192);
        }
        if $blocks > 2 {
            encrypt!($counter[3], $keys, 256 * $round + 64 * $s);
        }
    }};
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

/// The same for the first `ACTIVE` vectors: of their MAC chains, and of `BLOCKS` counter chains of vector `s` where it is
/// named.
macro_rules! rounds_of_some {
    ($rounds:ident, $keys:expr, $($s:literal, $blocks:ident,)? $active:ident, $mac:ident, $counter:ident) => {{
        rounds_of_some!(@one $keys, $($s, $blocks,)? $active, 1, $mac, $counter);
        rounds_of_some!(@one $keys, $($s, $blocks,)? $active, 2, $mac, $counter);
        rounds_of_some!(@one $keys, $($s, $blocks,)? $active, 3, $mac, $counter);
        rounds_of_some!(@one $keys, $($s, $blocks,)? $active, 4, $mac, $counter);
        rounds_of_some!(@one $keys, $($s, $blocks,)? $active, 5, $mac, $counter);
        rounds_of_some!(@one $keys, $($s, $blocks,)? $active, 6, $mac, $counter);
        rounds_of_some!(@one $keys, $($s, $blocks,)? $active, 7, $mac, $counter);
        rounds_of_some!(@one $keys, $($s, $blocks,)? $active, 8, $mac, $counter);
        rounds_of_some!(@one $keys, $($s, $blocks,)? $active, 9, $mac, $counter);
        if $rounds == 14 {
            rounds_of_some!(@one $keys, $($s, $blocks,)? $active, 10, $mac, $counter);
            rounds_of_some!(@one $keys, $($s, $blocks,)? $active, 11, $mac, $counter);
            rounds_of_some!(@one $keys, $($s, $blocks,)? $active, 12, $mac, $counter);
            rounds_of_some!(@one $keys, $($s, $blocks,)? $active, 13, $mac, $counter);
        }
    }};
    (@one $keys:expr, $active:ident, $round:literal, $mac:ident, $counter:ident) => {
        some_alone!($keys, $active, $round, $mac, $counter)
    };
    (@one $keys:expr, $s:literal, $blocks:ident, $active:ident, $round:literal, $mac:ident, $counter:ident) => {
        both_some!($keys, $s, $active, $blocks, $round, $mac, $counter)
    };
}
