//! Every backend gives the same octets as the portable one, on random ragged batches, and touches nothing else.

#![expect(clippy::unwrap_used, clippy::print_stderr, clippy::indexing_slicing, reason = "tests may panic and say why")]

use polyradio_core::ids::{KeyId, PacketNumber};
use polyradio_core::security::ccmp::{
    Backend, CcmpKey, HEADER_LENGTH, OpenError, OpenInPlaceJob, OpenJob, Opened, SealError, SealInPlaceJob, SealJob,
    open_batch_with, open_in_place, seal_batch_with, seal_in_place,
};

const GUARD: usize = 32;
const SEED: u64 = 0x5eed_cc39;

/// `SplitMix64`, for the test alone.
struct Random(u64);

impl Random {
    const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let value = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    const fn up_to(&mut self, limit: u64) -> u64 {
        self.next() % (limit + 1)
    }
}

struct Frame {
    key: CcmpKey,
    number: PacketNumber,
    mpdu: Vec<u8>,
}

fn random_octets(random: &mut Random, length: usize) -> Vec<u8> {
    (0..length).map(|_| random.next().to_le_bytes()[3]).collect()
}

/// A data frame with 24, 26, 30 or 32 octets of header (AAD of 22, 24, 28 or 30), or a management frame.
fn random_frame(random: &mut Random, longest: u64) -> Frame {
    let (first, second, header) =
        [(0x08, 0x01, 24), (0x88, 0x02, 26), (0x08, 0x03, 30), (0x88, 0x03, 32), (0xd0, 0x00, 24)]
            [usize::try_from(random.up_to(4)).unwrap()];
    let length = if random.up_to(3) == 0 { random.up_to(33) } else { random.up_to(longest) };
    let mut mpdu = random_octets(random, header + usize::try_from(length).unwrap());
    mpdu[0] = first;
    mpdu[1] = second;
    let key_length = if random.up_to(9) == 0 { 32 } else { 16 };
    let key = CcmpKey::new(&random_octets(random, key_length)).unwrap();
    Frame { key, number: PacketNumber::from_low_bits(random.next()), mpdu }
}

fn seal(backend: Backend, frames: &[Frame]) -> Vec<Vec<u8>> {
    let mut buffers: Vec<Vec<u8>> =
        frames.iter().map(|frame| vec![0xa5; frame.key.sealed_length(&frame.mpdu).unwrap() + GUARD]).collect();
    let mut jobs: Vec<SealJob<'_>> = frames
        .iter()
        .zip(&mut buffers)
        .map(|(frame, buffer)| SealJob {
            key: &frame.key,
            packet_number: frame.number,
            key_id: KeyId::from_low_bits(1),
            mpdu: &frame.mpdu,
            out: buffer,
            result: Err(SealError::Truncated),
        })
        .collect();
    let none_failed = seal_batch_with(backend, &mut jobs);
    assert_eq!(none_failed, jobs.iter().all(|job| job.result.is_ok()));
    let lengths: Vec<usize> = jobs.iter().map(|job| job.result.unwrap()).collect();
    for (buffer, length) in buffers.iter_mut().zip(lengths) {
        assert_eq!(buffer[length..], [0xa5; GUARD], "guard octets behind the packet");
        buffer.truncate(length);
    }
    buffers
}

fn open(backend: Backend, frames: &[Frame], sealed: &[Vec<u8>]) -> Vec<(Result<Opened, OpenError>, Vec<u8>)> {
    let mut buffers: Vec<Vec<u8>> = frames.iter().map(|frame| vec![0xa5; frame.mpdu.len() + GUARD]).collect();
    let mut jobs: Vec<OpenJob<'_>> = frames
        .iter()
        .zip(sealed)
        .zip(&mut buffers)
        .map(|((frame, mpdu), out)| OpenJob { key: &frame.key, mpdu, out, result: Err(OpenError::Truncated) })
        .collect();
    let none_failed = open_batch_with(backend, &mut jobs);
    assert_eq!(none_failed, jobs.iter().all(|job| job.result.is_ok()));
    let results: Vec<_> = jobs.iter().map(|job| job.result).collect();
    for (buffer, frame) in buffers.iter_mut().zip(frames) {
        assert_eq!(buffer[frame.mpdu.len()..], [0xa5; GUARD], "guard octets behind the packet");
        buffer.truncate(frame.mpdu.len());
    }
    results.into_iter().zip(buffers).collect()
}

/// The same in one buffer a packet, with guards on both sides.
fn seal_where_it_lies(backend: Backend, frames: &[Frame]) -> Vec<Vec<u8>> {
    let buffer = |frame: &Frame| {
        let room = GUARD + frame.key.mic_length();
        [&[0xa5; GUARD + HEADER_LENGTH], &frame.mpdu[..], &vec![0xa5; room]].concat()
    };
    let mut buffers: Vec<Vec<u8>> = frames.iter().map(buffer).collect();
    let mut jobs: Vec<SealInPlaceJob<'_>> = frames
        .iter()
        .zip(&mut buffers)
        .map(|(frame, buffer)| {
            let end = buffer.len() - GUARD;
            let (key, buffer) = (&frame.key, &mut buffer[GUARD..end]);
            let (packet_number, key_id) = (frame.number, KeyId::from_low_bits(1));
            SealInPlaceJob { key, packet_number, key_id, buffer, result: Err(SealError::Truncated) }
        })
        .collect();
    seal_in_place(backend, &mut jobs);
    assert!(jobs.iter().all(|job| job.result.is_ok()));
    buffers.into_iter().map(without_guards).collect()
}

fn open_where_it_lies(
    backend: Backend,
    frames: &[Frame],
    sealed: &[Vec<u8>],
) -> Vec<(Result<Opened, OpenError>, Vec<u8>)> {
    let mut buffers: Vec<Vec<u8>> =
        sealed.iter().map(|mpdu| [&[0xa5; GUARD], &mpdu[..], &[0xa5; GUARD]].concat()).collect();
    let mut jobs: Vec<OpenInPlaceJob<'_>> = frames
        .iter()
        .zip(&mut buffers)
        .map(|(frame, buffer)| {
            let end = buffer.len() - GUARD;
            OpenInPlaceJob { key: &frame.key, buffer: &mut buffer[GUARD..end], result: Err(OpenError::Truncated) }
        })
        .collect();
    open_in_place(backend, &mut jobs);
    let results: Vec<_> = jobs.iter().map(|job| job.result).collect();
    let mpdu = |(buffer, frame): (Vec<u8>, &Frame)| {
        without_guards(buffer)[HEADER_LENGTH..HEADER_LENGTH + frame.mpdu.len()].to_vec()
    };
    results.into_iter().zip(buffers.into_iter().zip(frames).map(mpdu)).collect()
}

fn without_guards(mut buffer: Vec<u8>) -> Vec<u8> {
    let end = buffer.len() - GUARD;
    assert_eq!((&buffer[..GUARD], &buffer[end..]), (&[0xa5; GUARD][..], &[0xa5; GUARD][..]), "guard octets");
    buffer.truncate(end);
    buffer.split_off(GUARD)
}

/// Octets of the MAC header of one of the forms that [`random_frame`] makes.
fn header_length(mpdu: &[u8]) -> usize {
    24 + usize::from(mpdu[0] == 0x88) * 2 + usize::from(mpdu[0] != 0xd0 && mpdu[1] == 3) * 6
}

fn compare(batches: u64, longest: u64) {
    eprintln!("seed {SEED:#x}; best backend here: {}", Backend::best().name());
    let mut random = Random::new(SEED ^ longest);
    for batch in 0..batches {
        let count = 1 + random.up_to(99);
        let frames: Vec<Frame> = (0..count).map(|_| random_frame(&mut random, longest)).collect();
        let expected = seal(Backend::Portable, &frames);
        let mut tampered = expected.clone();
        let mut is_tampered = vec![false; frames.len()];
        for (index, mpdu) in tampered.iter_mut().enumerate() {
            if random.up_to(4) == 0 {
                // Address 1, ciphertext or MIC: all of it is authenticated.
                let header = 32 + 8;
                let place = if mpdu.len() > header && random.up_to(1) == 0 {
                    header + usize::try_from(random.up_to((mpdu.len() - header - 1) as u64)).unwrap()
                } else {
                    5
                };
                mpdu[place] ^= 1 << random.up_to(7);
                is_tampered[index] = true;
            }
        }
        for backend in Backend::ALL.into_iter().filter(|backend| backend.is_available()) {
            assert!(seal(backend, &frames) == expected, "{} seals batch {batch} otherwise", backend.name());
            assert!(
                seal_where_it_lies(backend, &frames) == expected,
                "{} seals batch {batch} otherwise in place",
                backend.name()
            );
            for (index, (result, plain)) in open_where_it_lies(backend, &frames, &tampered).into_iter().enumerate() {
                let frame = &frames[index];
                if is_tampered[index] {
                    assert_eq!(result, Err(OpenError::MicFailed), "{} batch {batch} packet {index}", backend.name());
                    let body = plain[header_length(&frame.mpdu)..].iter();
                    assert!(body.into_iter().all(|octet| *octet == 0), "no plaintext stays");
                } else {
                    assert_eq!(result.unwrap().length, frame.mpdu.len());
                    assert!(plain[..] == frame.mpdu[..], "{} batch {batch} packet {index} in place", backend.name());
                }
            }
            for (index, (result, plain)) in open(backend, &frames, &tampered).into_iter().enumerate() {
                let frame = &frames[index];
                if is_tampered[index] {
                    assert_eq!(result, Err(OpenError::MicFailed), "{} batch {batch} packet {index}", backend.name());
                    assert!(plain.iter().all(|octet| matches!(octet, 0 | 0xa5)), "no plaintext stays");
                } else {
                    let opened = result.unwrap();
                    assert_eq!((opened.length, opened.packet_number), (frame.mpdu.len(), frame.number));
                    assert!(plain[..] == frame.mpdu[..], "{} batch {batch} packet {index}", backend.name());
                }
            }
        }
    }
}

#[test]
fn every_backend_agrees_on_ragged_batches() {
    compare(150, 1600);
}

#[test]
fn every_backend_agrees_on_the_longest_packets() {
    compare(8, 7935);
}

/// The whole comparison: `cargo test --release --test ccmp_backends -- --ignored`.
#[test]
#[ignore = "takes minutes"]
fn every_backend_agrees_on_a_hundred_thousand_batches() {
    compare(100_000, 2304);
    compare(2000, 7935);
}
