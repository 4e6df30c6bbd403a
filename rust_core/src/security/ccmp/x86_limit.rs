//! The AES rounds of CCM and nothing else, on registers: how fast this processor could be at best.
//!
//! JUSTIFICATION for assembler: a compiler would drop rounds whose result nobody reads, or spill chains; here twelve
//! independent chains hide the instruction's latency, so that only its throughput counts. No memory is read or written.

#![expect(unsafe_code, reason = "assembler; see JUSTIFICATION")]

use core::arch::asm;

use super::kernel::Backend;

/// AES rounds on at least that many blocks (each block ten times), at the width of the backend's registers. Nothing is
/// done where the processor does not have the backend, and `Portable` has none of its own.
///
/// Returns false where nothing was done.
pub fn aes_rounds(backend: Backend, blocks: u64) -> bool {
    if !backend.is_available() {
        return false;
    }
    let rounds = blocks.saturating_mul(10);
    match backend {
        Backend::Portable => return false,
        // SAFETY: the processor has what the backend needs, asked above.
        Backend::AesNi => unsafe { narrow(rounds.div_ceil(24)) },
        // SAFETY: as above.
        Backend::Vaes256 => unsafe { medium(rounds.div_ceil(48)) },
        // SAFETY: as above.
        Backend::Vaes512 => unsafe { wide(rounds.div_ceil(96)) },
    }
    true
}

macro_rules! chains {
    ($name:ident, $features:literal, $register:literal) => {
        /// Two rounds of twelve chains, that often.
        #[target_feature(enable = $features)]
        fn $name(times: u64) {
            if times == 0 {
                return;
            }
            // SAFETY: touches registers alone, all of them named.
            unsafe {
                asm!(
                    "2:",
                    concat!("vaesenc ", $register, "0, ", $register, "0, ", $register, "15"),
                    concat!("vaesenc ", $register, "1, ", $register, "1, ", $register, "15"),
                    concat!("vaesenc ", $register, "2, ", $register, "2, ", $register, "15"),
                    concat!("vaesenc ", $register, "3, ", $register, "3, ", $register, "15"),
                    concat!("vaesenc ", $register, "4, ", $register, "4, ", $register, "15"),
                    concat!("vaesenc ", $register, "5, ", $register, "5, ", $register, "15"),
                    concat!("vaesenc ", $register, "6, ", $register, "6, ", $register, "15"),
                    concat!("vaesenc ", $register, "7, ", $register, "7, ", $register, "15"),
                    concat!("vaesenc ", $register, "8, ", $register, "8, ", $register, "15"),
                    concat!("vaesenc ", $register, "9, ", $register, "9, ", $register, "15"),
                    concat!("vaesenc ", $register, "10, ", $register, "10, ", $register, "15"),
                    concat!("vaesenc ", $register, "11, ", $register, "11, ", $register, "15"),
                    concat!("vaesenc ", $register, "0, ", $register, "0, ", $register, "15"),
                    concat!("vaesenc ", $register, "1, ", $register, "1, ", $register, "15"),
                    concat!("vaesenc ", $register, "2, ", $register, "2, ", $register, "15"),
                    concat!("vaesenc ", $register, "3, ", $register, "3, ", $register, "15"),
                    concat!("vaesenc ", $register, "4, ", $register, "4, ", $register, "15"),
                    concat!("vaesenc ", $register, "5, ", $register, "5, ", $register, "15"),
                    concat!("vaesenc ", $register, "6, ", $register, "6, ", $register, "15"),
                    concat!("vaesenc ", $register, "7, ", $register, "7, ", $register, "15"),
                    concat!("vaesenc ", $register, "8, ", $register, "8, ", $register, "15"),
                    concat!("vaesenc ", $register, "9, ", $register, "9, ", $register, "15"),
                    concat!("vaesenc ", $register, "10, ", $register, "10, ", $register, "15"),
                    concat!("vaesenc ", $register, "11, ", $register, "11, ", $register, "15"),
                    "dec {times}",
                    "jnz 2b",
                    times = inout(reg) times => _,
                    out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
                    out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                    options(nomem, nostack),
                );
            }
        }
    };
}

chains!(narrow, "aes,avx", "xmm");
chains!(medium, "aes,vaes,avx2", "ymm");
chains!(wide, "aes,vaes,avx512f", "zmm");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_processor_has_runs() {
        for backend in Backend::ALL {
            assert_eq!(aes_rounds(backend, 100), backend.is_available() && backend != Backend::Portable);
        }
        assert!(!aes_rounds(Backend::Portable, 1));
    }
}
