//! Asks the system to keep memory in large pages, where it can: memory that is read at random in more pages than a
//! processor remembers the places of costs as much again to find as to load.
//!
//! JUSTIFICATION for `unsafe`: nobody offers this advice for memory that somebody else owns by a safe call. What is said
//! of pages changes nothing of what is in them.

#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "see the module's JUSTIFICATION"))]

/// Asks for it; nothing happens where the system cannot do it, or is not Linux.
pub(crate) fn prefer<T>(memory: &mut [core::mem::MaybeUninit<T>]) {
    #[cfg(target_os = "linux")]
    {
        use rustix::mm::{Advice, madvise};
        let page = rustix::param::page_size();
        let start = memory.as_mut_ptr().cast::<u8>();
        let length = size_of_val(memory);
        let before = start.align_offset(page);
        let whole = length.saturating_sub(before) / page * page;
        if whole > 0 {
            // SAFETY: the pages lie within `memory`; this advice leaves their content as it is.
            // The advice is that, and may be refused.
            let _ = unsafe { madvise(start.wrapping_add(before).cast(), whole, Advice::LinuxHugepage) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = memory;
}
