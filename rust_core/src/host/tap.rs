//! A Linux TAP interface, by its open file descriptor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, read, write};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

use crate::frame_batch::FrameBatch;

/// The largest frame that a TAP interface hands out here: MTU 1500 and 802.1Q leave room to spare.
const FRAME_ROOM: usize = 9216;

/// A TAP interface opened with `IFF_TAP | IFF_NO_PI`.
#[derive(Debug)]
pub struct TapPort {
    descriptor: OwnedFd,
    buffer: Box<[u8]>,
}

impl TapPort {
    /// Takes a duplicate of file descriptor `number` of this process; the caller's own stays open.
    ///
    /// # Errors
    /// The operating system's, where there is no such descriptor.
    pub fn from_number(number: i32) -> io::Result<Self> {
        // A duplicate by number without `unsafe`: the process asks the kernel for a descriptor of itself.
        let this_process = pidfd_open(getpid(), PidfdFlags::empty())?;
        let descriptor = pidfd_getfd(this_process, number, PidfdGetfdFlags::empty())?;
        fcntl_setfl(&descriptor, fcntl_getfl(&descriptor)? | OFlags::NONBLOCK)?;
        Ok(Self { descriptor, buffer: vec![0; FRAME_ROOM].into() })
    }

    /// One more handle of the same interface.
    ///
    /// # Errors
    /// The operating system's, where there are no descriptors left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { descriptor: self.descriptor.try_clone()?, buffer: vec![0; FRAME_ROOM].into() })
    }

    pub(super) fn fetch(&mut self, limit: usize, out: &mut FrameBatch) {
        for _ in 0..limit {
            match read(&self.descriptor, &mut *self.buffer) {
                Ok(0) => break,
                Ok(length) => {
                    out.push(self.buffer.get(..length).unwrap_or_default());
                }
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
    }

    pub(super) fn deliver(&self, frames: &FrameBatch) -> usize {
        let mut taken = 0;
        for frame in frames.iter() {
            loop {
                match write(&self.descriptor, frame) {
                    Ok(_) => taken += 1,
                    Err(Errno::INTR) => continue,
                    // The interface is down or its queue is full: the frame is lost to the guest and counted.
                    Err(_) => return taken,
                }
                break;
            }
        }
        taken
    }
}

impl AsFd for TapPort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
