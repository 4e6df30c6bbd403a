//! A Linux TAP interface by its file descriptor (`IFF_TAP | IFF_NO_PI`).
//!
//! The descriptor is duplicated through a pidfd of this very process, which is safe: the result is owned here, and the
//! caller's stays open. Both share the open file, which becomes non-blocking.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

use crate::frame_batch::FrameBatch;

/// A TAP interface.
#[derive(Debug)]
pub struct Tap {
    file: OwnedFd,
    buffer: Vec<u8>,
    is_gone: bool,
}

impl Tap {
    /// Duplicates an open descriptor of this process.
    pub fn duplicate(descriptor: RawFd) -> io::Result<Self> {
        if descriptor < 0 {
            return Err(Errno::BADF.into());
        }
        let myself = pidfd_open(getpid(), PidfdFlags::empty())?;
        let file = pidfd_getfd(myself, descriptor, PidfdGetfdFlags::empty())?;
        fcntl_setfl(&file, fcntl_getfl(&file)? | OFlags::NONBLOCK)?;
        Ok(Self { file, buffer: vec![0; LONGEST_FRAME], is_gone: false })
    }

    /// One more handle to the same interface.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { file: self.file.try_clone()?, buffer: vec![0; LONGEST_FRAME], is_gone: self.is_gone })
    }

    /// True once the interface was found gone, with its network namespace for instance: poll(2) would report it for ever.
    pub const fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Reads up to `limit` frames; fewer mean that there are no more for now.
    pub fn fetch(&mut self, limit: usize, mut each: impl FnMut(&[u8])) -> usize {
        let mut count = 0;
        while count < limit {
            match rustix::io::read(&self.file, self.buffer.as_mut_slice()) {
                Ok(length) if length > 0 => {
                    each(self.buffer.get(..length).unwrap_or_default());
                    count += 1;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                // An interface that is there has a frame, or none yet.
                Ok(_) | Err(_) => {
                    self.is_gone = true;
                    break;
                }
            }
        }
        count
    }

    /// Writes frames and empties the batch; returns how many found no room.
    pub fn deliver(&mut self, frames: &mut FrameBatch) -> usize {
        let refused = frames.iter().filter(|frame| !self.write(frame)).count();
        frames.clear();
        refused
    }

    fn write(&self, frame: &[u8]) -> bool {
        loop {
            match rustix::io::write(&self.file, frame) {
                Ok(_) => return true,
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// A jumbo frame; longer ones would be cut off, and nothing here sends them.
const LONGEST_FRAME: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    use std::os::fd::AsRawFd;

    #[test]
    fn frames_pass_both_ways_and_an_empty_interface_does_not_block() {
        let (tap, guest) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).expect("a pair");
        let mut port = Tap::duplicate(tap.as_raw_fd()).expect("duplicated");
        assert_eq!(port.fetch(8, |_| {}), 0);
        for frame in [b"one".as_slice(), b"two"] {
            rustix::io::write(&guest, frame).expect("written");
        }
        let mut frames = FrameBatch::new();
        assert_eq!(port.fetch(1, |frame| assert_eq!(frame, b"one")), 1);
        assert_eq!(port.fetch(8, |frame| assert!(frames.push(frame))), 1);
        assert_eq!(port.deliver(&mut frames), 0);
        let mut buffer = [0; 8];
        assert_eq!(rustix::io::read(&guest, &mut buffer), Ok(3));
        assert_eq!(&buffer[..3], b"two");
        assert!(!port.is_gone());
        drop(guest);
        assert_eq!(port.fetch(8, |_| {}), 0);
        assert!(port.is_gone(), "it would be reported as readable for ever");
        frames.push(b"late");
        assert_eq!(port.deliver(&mut frames), 1);
    }

    #[test]
    fn a_descriptor_that_is_not_open_is_refused() {
        assert!(Tap::duplicate(-1).is_err());
        assert!(Tap::duplicate(1_000_000).is_err());
    }
}
