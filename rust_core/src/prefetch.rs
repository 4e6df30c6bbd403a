//! Asks the processor to fetch what will be needed soon.
//!
//! JUSTIFICATION for `unsafe`: the instruction takes a pointer. It reads nothing that a program could see, and a look-up
//! among 65,535 addresses takes about half the time with it (`cargo bench --bench lookup`).

#![expect(unsafe_code, reason = "see the module's JUSTIFICATION")]

/// Fetches the cache line in which a value starts. Does nothing on processors for which there is no stable way.
#[inline]
pub(crate) fn prefetch<T: ?Sized>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch never faults, and the place is a reference anyway.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(core::ptr::from_ref(place).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// As [`prefetch`], for the cache line `octets` behind the start of `place`: what lies there need not be looked at to
/// have a reference to it.
#[inline]
pub(crate) fn prefetch_at<T>(place: &T, octets: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: as above; any address will do.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(place).wrapping_byte_add(octets).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (place, octets);
}
