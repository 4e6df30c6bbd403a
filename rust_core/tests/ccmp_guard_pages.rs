//! No kernel touches an octet outside of a packet: each packet stands right before, or right behind, memory that ends the
//! process when it is touched.

#![cfg(target_os = "linux")]
#![expect(unsafe_code, reason = "pages without access are asked for by a system call")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic and say why")]

use core::ptr::null_mut;

use polyradio_core::ids::{KeyId, PacketNumber};
use polyradio_core::security::ccmp::{
    Backend, CcmpKey, HEADER_LENGTH, OpenError, OpenInPlaceJob, OpenJob, SealError, SealInPlaceJob, SealJob,
    open_batch_with, open_in_place, seal_batch_with, seal_in_place,
};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

const PAGE: usize = 4096;
const PAGES: usize = 3;

/// Pages between two that nobody may touch.
struct Fenced(*mut u8);

impl Fenced {
    fn new() -> Self {
        let all = (PAGES + 2) * PAGE;
        // SAFETY: a new mapping; only its inner pages are given out.
        unsafe {
            let start = mmap_anonymous(null_mut(), all, ProtFlags::empty(), MapFlags::PRIVATE).unwrap();
            mprotect(start.byte_add(PAGE), PAGES * PAGE, MprotectFlags::READ | MprotectFlags::WRITE).unwrap();
            Self(start.cast::<u8>().add(PAGE))
        }
    }

    /// That many octets, right before the last fence or right behind the first one.
    fn octets(&mut self, length: usize, at_end: bool) -> &mut [u8] {
        assert!(length <= PAGES * PAGE);
        let start = if at_end { PAGES * PAGE - length } else { 0 };
        // SAFETY: inside of the pages that may be touched; borrowed as long as `self` is.
        unsafe { core::slice::from_raw_parts_mut(self.0.add(start), length) }
    }
}

impl Drop for Fenced {
    fn drop(&mut self) {
        // SAFETY: as it was mapped, and nobody has it any more.
        unsafe { munmap(self.0.sub(PAGE).cast(), (PAGES + 2) * PAGE).unwrap() };
    }
}

/// A QoS data frame with a body of that many octets.
fn frame(body: usize, number: usize) -> Vec<u8> {
    let mut mpdu = vec![u8::try_from(number % 251).unwrap(); 26 + body];
    mpdu[..2].copy_from_slice(&[0x88, 0x01]);
    mpdu
}

fn check(backend: Backend, bodies: &[usize], key_length: usize, at_end: bool) {
    let key = CcmpKey::new(&vec![7; key_length]).unwrap();
    let (packet_number, key_id) = (PacketNumber::from_low_bits(9), KeyId::from_low_bits(0));
    let plain: Vec<Vec<u8>> = bodies.iter().enumerate().map(|(number, body)| frame(*body, number)).collect();
    let lengths: Vec<usize> = plain.iter().map(|mpdu| key.sealed_length(mpdu).unwrap()).collect();
    let fenced = || bodies.iter().map(|_| Fenced::new()).collect::<Vec<_>>();
    let (mut from, mut to) = (fenced(), fenced());

    let mut jobs: Vec<SealJob<'_>> = from
        .iter_mut()
        .zip(&mut to)
        .zip(plain.iter().zip(&lengths))
        .map(|((from, to), (mpdu, length))| {
            let room = from.octets(mpdu.len(), at_end);
            room.copy_from_slice(mpdu);
            let out = to.octets(*length, at_end);
            SealJob { key: &key, packet_number, key_id, mpdu: room, out, result: Err(SealError::NoRoom) }
        })
        .collect();
    seal_batch_with(backend, &mut jobs);
    let sealed: Vec<Vec<u8>> = jobs.iter().map(|job| job.out[..job.result.unwrap()].to_vec()).collect();

    let mut jobs: Vec<OpenJob<'_>> = from
        .iter_mut()
        .zip(&mut to)
        .zip(sealed.iter().zip(&plain))
        .map(|((from, to), (mpdu, plain))| {
            let room = from.octets(mpdu.len(), at_end);
            room.copy_from_slice(mpdu);
            OpenJob { key: &key, mpdu: room, out: to.octets(plain.len(), at_end), result: Err(OpenError::NoRoom) }
        })
        .collect();
    open_batch_with(backend, &mut jobs);
    assert!(jobs.iter().zip(&plain).all(|(job, plain)| job.result.is_ok() && *job.out == plain[..]));

    let mut jobs: Vec<SealInPlaceJob<'_>> = from
        .iter_mut()
        .zip(plain.iter().zip(&lengths))
        .map(|(from, (mpdu, length))| {
            let buffer = from.octets(*length, at_end);
            buffer[HEADER_LENGTH..HEADER_LENGTH + mpdu.len()].copy_from_slice(mpdu);
            SealInPlaceJob { key: &key, packet_number, key_id, buffer, result: Err(SealError::NoRoom) }
        })
        .collect();
    seal_in_place(backend, &mut jobs);
    assert!(jobs.iter().zip(&sealed).all(|(job, sealed)| job.result.is_ok() && *job.buffer == sealed[..]));

    let buffers = jobs.into_iter().map(|job| job.buffer);
    let mut jobs: Vec<OpenInPlaceJob<'_>> =
        buffers.map(|buffer| OpenInPlaceJob { key: &key, buffer, result: Err(OpenError::NoRoom) }).collect();
    open_in_place(backend, &mut jobs);
    for (job, plain) in jobs.iter().zip(&plain) {
        assert!(job.result.is_ok() && job.buffer[HEADER_LENGTH..HEADER_LENGTH + plain.len()] == plain[..]);
    }
}

#[test]
fn every_length_of_a_short_packet_keeps_to_its_buffer() {
    for backend in Backend::ALL.into_iter().filter(|backend| backend.is_available()) {
        for key_length in [16, 32] {
            for at_end in [false, true] {
                for body in 0..=140 {
                    check(backend, &[body], key_length, at_end);
                    check(backend, &[body; 17], key_length, at_end);
                }
            }
        }
    }
}

#[test]
fn ragged_groups_keep_to_their_buffers() {
    let bodies: Vec<usize> = (0..45).map(|number| [1, 15, 16, 17, 63, 64, 65, 200, 1500, 2304][number % 10]).collect();
    for backend in Backend::ALL.into_iter().filter(|backend| backend.is_available()) {
        for count in [1, 2, 5, 8, 9, 15, 16, 17, 32, 45] {
            for at_end in [false, true] {
                check(backend, &bodies[..count], 16, at_end);
                check(backend, &bodies[..count], 32, at_end);
            }
        }
        check(backend, &[7935; 16], 16, true);
    }
}
