//! One packet of a batch: what is read, what is written, and what became of it.
//!
//! A job is done in three steps: [`Job::prepare`] checks the frame, writes the headers and says what a kernel needs;
//! the kernel does the body; where it opened one, the message integrity code is compared, by [`is_right`] where not all of
//! a group are right, and [`Job::done`] or [`Job::failed`] ends the job. Out of place or in place differs in the first and
//! last step only.

#![expect(clippy::inline_always, reason = "what is returned by memory waits for its own stores: 9 ns of 27")]
#![cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "kernels alone ask for some of it"))]

use core::hint::black_box;

use ccm::aead::inout::InOutBuf;
use zeroize::Zeroize;

use super::layout::{Block, Layout, LayoutError, PROTECTED};
use super::{CcmpHeader, CcmpKey, HEADER_LENGTH, MAX_MPDU_LENGTH, OpenError, Opened, SealError};
#[cfg(target_arch = "x86_64")]
use super::{
    kernel::Lanes,
    x86_plain::{self, MAC_HEADER, Plain, is_plain, is_plain_protected, protected_by},
};
use crate::ids::{KeyId, PacketNumber};
use crate::prefetch::{prefetch, prefetch_at};

/// One packet of [`super::seal_batch`].
#[derive(Debug)]
pub struct SealJob<'a> {
    /// The key; every job may have another one.
    pub key: &'a CcmpKey,
    /// A packet number that was never used with this key.
    pub packet_number: PacketNumber,
    /// The key's identifier.
    pub key_id: KeyId,
    /// The plaintext MPDU.
    pub mpdu: &'a [u8],
    /// Where the protected one goes: at least [`CcmpKey::sealed_length`] octets.
    pub out: &'a mut [u8],
    /// Octets written to `out`, once the batch is done.
    pub result: Result<usize, SealError>,
}

/// One packet of [`super::open_batch`].
#[derive(Debug)]
pub struct OpenJob<'a> {
    /// The key; every job may have another one.
    pub key: &'a CcmpKey,
    /// The protected MPDU.
    pub mpdu: &'a [u8],
    /// Where the plaintext one goes: at least [`CcmpKey::opened_length`] octets.
    pub out: &'a mut [u8],
    /// What was written to `out`, once the batch is done.
    pub result: Result<Opened, OpenError>,
}

/// One packet of [`super::seal_in_place`]: the body stays where it is, the MAC header moves.
#[derive(Debug)]
pub struct SealInPlaceJob<'a> {
    /// The key; every job may have another one.
    pub key: &'a CcmpKey,
    /// A packet number that was never used with this key.
    pub packet_number: PacketNumber,
    /// The key's identifier.
    pub key_id: KeyId,
    /// [`HEADER_LENGTH`] octets of headroom, the plaintext MPDU, [`CcmpKey::mic_length`] octets of room: afterwards, the
    /// protected MPDU.
    pub buffer: &'a mut [u8],
    /// Whether it is protected, once the batch is done. Where not, the MPDU is as before.
    pub result: Result<(), SealError>,
}

/// One packet of [`super::open_in_place`]: the body stays where it is, the MAC header moves.
#[derive(Debug)]
pub struct OpenInPlaceJob<'a> {
    /// The key; every job may have another one.
    pub key: &'a CcmpKey,
    /// The protected MPDU: afterwards the plaintext one stands behind the first [`HEADER_LENGTH`] octets.
    pub buffer: &'a mut [u8],
    /// Length of the plaintext MPDU and packet number, once the batch is done. On an error no plaintext is left; where
    /// the code was wrong the body is wiped.
    pub result: Result<Opened, OpenError>,
}

/// What a kernel needs of a packet. The pointers are good until the job is touched again.
#[derive(Clone, Copy)]
pub(super) struct Packet {
    /// 16 or 32 octets.
    pub(super) key: *const u8,
    /// B0 (RFC 3610 2.2).
    pub(super) first: Block,
    /// B1 and B2.
    pub(super) aad: [Block; 2],
    /// The body. At least 16 octets of the same buffer stand before it: a MAC header has 24. Where it is opened, its
    /// integrity code stands behind.
    pub(super) input: *const u8,
    /// Where the body goes: apart from the input, or the very same octets. Here too, 16 octets of buffer stand before;
    /// and behind it, where it is sealed, the octets of its integrity code.
    pub(super) output: *mut u8,
    /// Octets of the body.
    pub(super) length: usize,
}

/// A packet on its way through a batch.
pub(super) trait Job<'k> {
    /// Ciphertext in, plaintext out.
    const OPENS: bool;

    /// The header moves once a body was opened: [`done`](Self::done) has something to do.
    const IN_PLACE: bool = false;

    /// The key.
    fn key(&self) -> &'k CcmpKey;

    /// How long it is, about: batches are sorted by this.
    fn size(&self) -> usize {
        self.mpdu().len()
    }

    /// The MPDU.
    fn mpdu(&self) -> &[u8];

    /// Asks for the memory that [`prepare`](Self::prepare) is about to touch: frames and keys of many VMs are seldom in
    /// the cache.
    fn fetch(&self);

    /// Checks the frame, says what a kernel needs and writes the headers; `None` where it fails, and then the job says so.
    /// Else it says what will be once the body is done.
    fn prepare_with(&mut self, layout: &Layout) -> Option<Packet>;

    /// Where the packet is plain and passes, puts it into a lane, as the packet of that index, and says what will be once it
    /// is done. Its codes have `MIC` octets.
    #[cfg(target_arch = "x86_64")]
    fn put_plain<const N: usize, const MIC: usize>(
        &mut self,
        lanes: &mut Lanes<N>,
        lane: usize,
        index: u32,
    ) -> Option<()>;

    /// The frame has no layout.
    fn refuse(&mut self, error: LayoutError);

    /// As [`prepare_with`](Self::prepare_with), where the frame has a layout.
    fn prepare(&mut self) -> Option<Packet> {
        match Layout::of(self.mpdu()) {
            Ok(layout) => self.prepare_with(&layout),
            Err(error) => {
                self.refuse(error);
                None
            }
        }
    }

    /// The body of that many octets, for who works with slices.
    fn body(&mut self, length: usize) -> Option<InOutBuf<'_, '_, u8>>;

    /// The integrity code that came with the packet; empty where the packet is sealed.
    fn mic(&self) -> &[u8] {
        &[]
    }

    /// The body is done and its integrity code is this. A kernel that seals writes the code itself.
    fn done(&mut self, length: usize, mic: &[u8; 16]);

    /// The body could not be done, or its code is wrong: what was written is wiped.
    fn failed(&mut self, length: usize);
}

impl<'k> Job<'k> for SealJob<'k> {
    const OPENS: bool = false;

    fn key(&self) -> &'k CcmpKey {
        self.key
    }

    #[inline(always)]
    fn fetch(&self) {
        prefetch(self.key);
        fetch_ends(self.mpdu);
        fetch_ends(self.out);
    }

    fn mpdu(&self) -> &[u8] {
        self.mpdu
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn put_plain<const N: usize, const MIC: usize>(
        &mut self,
        lanes: &mut Lanes<N>,
        lane: usize,
        index: u32,
    ) -> Option<()> {
        let length = self.mpdu.len();
        let sealed = length.wrapping_add(HEADER_LENGTH + MIC);
        if !is_plain(self.mpdu) || sealed > MAX_MPDU_LENGTH || sealed > self.out.len() {
            return None;
        }
        self.result = Ok(sealed);
        let (header, new_header) = (self.mpdu.as_ptr(), self.out.as_mut_ptr());
        let length = length.wrapping_sub(MAC_HEADER);
        let plain = Plain::to_seal(header, new_header, length, self.packet_number, self.key_id);
        x86_plain::put::<N, MIC>(lanes, lane, index, self.key, &plain);
        Some(())
    }

    fn refuse(&mut self, error: LayoutError) {
        self.result = Err(error.into());
    }

    #[inline(always)]
    fn prepare_with(&mut self, header: &Layout) -> Option<Packet> {
        let mic_length = self.key.mic_length();
        let start = header.length();
        let length = self.mpdu.len().checked_sub(start)?;
        let overhead = HEADER_LENGTH + mic_length;
        if self.mpdu.len() > MAX_MPDU_LENGTH - overhead {
            self.result = Err(SealError::TooLong);
            return None;
        }
        let sealed = self.mpdu.len() + overhead;
        let Some(out) = self.out.get_mut(..sealed) else {
            self.result = Err(SealError::NoRoom);
            return None;
        };
        let output = out.as_mut_ptr().wrapping_add(start + HEADER_LENGTH);
        let input = self.mpdu.as_ptr().wrapping_add(start);
        let packet = packet(self.key, header, (self.packet_number, mic_length), (input, output, length));
        header.emit(true, self.mpdu, out);
        *out.get_mut(start..)?.first_chunk_mut()? = CcmpHeader::emit(self.packet_number, self.key_id);
        self.result = Ok(sealed);
        Some(packet)
    }

    fn body(&mut self, length: usize) -> Option<InOutBuf<'_, '_, u8>> {
        let header = self.mpdu.len().checked_sub(length)?;
        let out = self.out.get_mut(header + HEADER_LENGTH..)?.get_mut(..length)?;
        InOutBuf::new(self.mpdu.get(header..)?, out).ok()
    }

    #[inline(always)]
    fn done(&mut self, _length: usize, mic: &[u8; 16]) {
        let start = self.mpdu.len() + HEADER_LENGTH;
        put_mic(self.key, self.out.get_mut(start..).unwrap_or_default(), mic);
    }

    fn failed(&mut self, _length: usize) {
        self.result = Err(SealError::TooLong);
    }
}

impl<'k> Job<'k> for OpenJob<'k> {
    const OPENS: bool = true;

    fn key(&self) -> &'k CcmpKey {
        self.key
    }

    #[inline(always)]
    fn fetch(&self) {
        prefetch(self.key);
        fetch_ends(self.mpdu);
        fetch_ends(self.out);
    }

    fn mpdu(&self) -> &[u8] {
        self.mpdu
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn put_plain<const N: usize, const MIC: usize>(
        &mut self,
        lanes: &mut Lanes<N>,
        lane: usize,
        index: u32,
    ) -> Option<()> {
        let opened = self.mpdu.len().wrapping_sub(HEADER_LENGTH + MIC);
        if !is_plain_protected::<MIC>(self.mpdu) || opened > self.out.len() {
            return None;
        }
        let number = protected_by(self.mpdu)?;
        self.result = Ok(Opened { length: opened, packet_number: number });
        let (header, new_header) = (self.mpdu.as_ptr(), self.out.as_mut_ptr());
        let plain = Plain::to_open(header, new_header, opened.wrapping_sub(MAC_HEADER), number);
        x86_plain::put::<N, MIC>(lanes, lane, index, self.key, &plain);
        Some(())
    }

    fn refuse(&mut self, error: LayoutError) {
        self.result = Err(error.into());
    }

    #[inline(always)]
    fn prepare_with(&mut self, header: &Layout) -> Option<Packet> {
        let mic_length = self.key.mic_length();
        match open_headers(mic_length, self.mpdu, header) {
            Ok((number, length)) => {
                let start = header.length();
                if self.out.len() < start + length {
                    self.result = Err(OpenError::NoRoom);
                    return None;
                }
                let input = self.mpdu.as_ptr().wrapping_add(start + HEADER_LENGTH);
                let output = self.out.as_mut_ptr().wrapping_add(start);
                let packet = packet(self.key, header, (number, mic_length), (input, output, length));
                header.emit(false, self.mpdu, self.out);
                self.result = Ok(Opened { length: start + length, packet_number: number });
                Some(packet)
            }
            Err(error) => {
                self.result = Err(error);
                None
            }
        }
    }

    fn body(&mut self, length: usize) -> Option<InOutBuf<'_, '_, u8>> {
        let header = self.mpdu.len().checked_sub(self.key.overhead() + length)?;
        let body = self.mpdu.get(header + HEADER_LENGTH..)?.get(..length)?;
        InOutBuf::new(body, self.out.get_mut(header..)?.get_mut(..length)?).ok()
    }

    fn mic(&self) -> &[u8] {
        mic_of(self.key, self.mpdu)
    }

    fn done(&mut self, _length: usize, _mic: &[u8; 16]) {}

    #[cold]
    fn failed(&mut self, length: usize) {
        wipe(self, length);
        let header = self.mpdu.len() - self.key.overhead() - length;
        self.out.get_mut(..header).unwrap_or_default().zeroize();
        self.result = Err(OpenError::MicFailed);
    }
}

impl<'k> Job<'k> for SealInPlaceJob<'k> {
    const OPENS: bool = false;

    fn key(&self) -> &'k CcmpKey {
        self.key
    }

    #[inline(always)]
    fn fetch(&self) {
        prefetch(self.key);
        fetch_ends(self.buffer);
    }

    fn mpdu(&self) -> &[u8] {
        let end = self.buffer.len().saturating_sub(self.key.mic_length());
        self.buffer.get(HEADER_LENGTH..end).unwrap_or_default()
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn put_plain<const N: usize, const MIC: usize>(
        &mut self,
        lanes: &mut Lanes<N>,
        lane: usize,
        index: u32,
    ) -> Option<()> {
        let mpdu = self.buffer.get(HEADER_LENGTH..self.buffer.len().wrapping_sub(MIC))?;
        if self.buffer.len() > MAX_MPDU_LENGTH || !is_plain(mpdu) {
            return None;
        }
        let length = mpdu.len().wrapping_sub(MAC_HEADER);
        self.result = Ok(());
        let new_header = self.buffer.as_mut_ptr();
        let header = new_header.wrapping_add(HEADER_LENGTH).cast_const();
        let plain = Plain::to_seal(header, new_header, length, self.packet_number, self.key_id);
        x86_plain::put::<N, MIC>(lanes, lane, index, self.key, &plain);
        Some(())
    }

    fn refuse(&mut self, error: LayoutError) {
        let has_room = self.buffer.len() >= self.key.overhead();
        self.result = Err(if has_room { error.into() } else { SealError::NoRoom });
    }

    #[inline(always)]
    fn prepare_with(&mut self, header: &Layout) -> Option<Packet> {
        let mic_length = self.key.mic_length();
        let start = header.length();
        let length = self.buffer.len().checked_sub(start + HEADER_LENGTH + mic_length)?;
        if self.buffer.len() > MAX_MPDU_LENGTH {
            self.result = Err(SealError::TooLong);
            return None;
        }
        self.buffer.copy_within(HEADER_LENGTH..HEADER_LENGTH + start, 0);
        set_protected(self.buffer, true);
        *self.buffer.get_mut(start..)?.first_chunk_mut()? = CcmpHeader::emit(self.packet_number, self.key_id);
        let body = self.buffer.as_mut_ptr().wrapping_add(start + HEADER_LENGTH);
        let packet = packet(self.key, header, (self.packet_number, mic_length), (body, body, length));
        self.result = Ok(());
        Some(packet)
    }

    fn body(&mut self, length: usize) -> Option<InOutBuf<'_, '_, u8>> {
        body_in_place(self.key, self.buffer, length)
    }

    #[inline(always)]
    fn done(&mut self, _length: usize, mic: &[u8; 16]) {
        let start = self.buffer.len() - self.key.mic_length();
        put_mic(self.key, self.buffer.get_mut(start..).unwrap_or_default(), mic);
    }

    fn failed(&mut self, _length: usize) {
        self.result = Err(SealError::TooLong);
    }
}

impl<'k> Job<'k> for OpenInPlaceJob<'k> {
    const OPENS: bool = true;
    const IN_PLACE: bool = true;

    fn key(&self) -> &'k CcmpKey {
        self.key
    }

    #[inline(always)]
    fn fetch(&self) {
        prefetch(self.key);
        fetch_ends(self.buffer);
    }

    fn mpdu(&self) -> &[u8] {
        self.buffer
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn put_plain<const N: usize, const MIC: usize>(
        &mut self,
        lanes: &mut Lanes<N>,
        lane: usize,
        index: u32,
    ) -> Option<()> {
        if !is_plain_protected::<MIC>(self.buffer) {
            return None;
        }
        let number = protected_by(self.buffer)?;
        let opened = self.buffer.len().wrapping_sub(HEADER_LENGTH + MIC);
        self.result = Ok(Opened { length: opened, packet_number: number });
        let plain = Plain::to_open_in_place(self.buffer.as_mut_ptr(), opened.wrapping_sub(MAC_HEADER), number);
        x86_plain::put::<N, MIC>(lanes, lane, index, self.key, &plain);
        Some(())
    }

    fn refuse(&mut self, error: LayoutError) {
        self.result = Err(error.into());
    }

    #[inline(always)]
    fn prepare_with(&mut self, header: &Layout) -> Option<Packet> {
        let mic_length = self.key.mic_length();
        match open_headers(mic_length, self.buffer, header) {
            Ok((number, length)) => {
                let start = header.length();
                self.result = Ok(Opened { length: start + length, packet_number: number });
                let body = self.buffer.as_mut_ptr().wrapping_add(start + HEADER_LENGTH);
                Some(packet(self.key, header, (number, mic_length), (body, body, length)))
            }
            Err(error) => {
                self.result = Err(error);
                None
            }
        }
    }

    fn body(&mut self, length: usize) -> Option<InOutBuf<'_, '_, u8>> {
        body_in_place(self.key, self.buffer, length)
    }

    fn mic(&self) -> &[u8] {
        mic_of(self.key, self.buffer)
    }

    #[inline(always)]
    fn done(&mut self, length: usize, _mic: &[u8; 16]) {
        let header = self.buffer.len() - self.key.overhead() - length;
        self.buffer.copy_within(..header, HEADER_LENGTH);
        set_protected(self.buffer.get_mut(HEADER_LENGTH..).unwrap_or_default(), false);
    }

    #[cold]
    fn failed(&mut self, length: usize) {
        wipe(self, length);
        self.result = Err(OpenError::MicFailed);
    }
}

/// The body that ends where the integrity code begins.
fn body_in_place<'a>(key: &CcmpKey, buffer: &'a mut [u8], length: usize) -> Option<InOutBuf<'a, 'a, u8>> {
    let start = buffer.len().checked_sub(key.mic_length() + length)?;
    buffer.get_mut(start..)?.get_mut(..length).map(InOutBuf::from)
}

/// Leaves nothing of a body that was written.
fn wipe<'k>(job: &mut impl Job<'k>, length: usize) {
    if let Some(mut body) = job.body(length) {
        body.get_out().zeroize();
    }
}

/// Asks for the first and the last octets of a buffer.
#[inline(always)]
fn fetch_ends(buffer: &[u8]) {
    prefetch(buffer);
    prefetch_at(buffer, buffer.len().wrapping_sub(1));
}

/// Is it the code, of `mic_length` octets, that came with the packet? Takes the same time whatever the answer: all octets
/// are looked at together, and the compiler does not know that the question is whether they are alike.
#[inline(always)]
pub(super) fn is_right<'k>(job: &impl Job<'k>, mic: &[u8; 16], mic_length: usize) -> bool {
    let [low, high] = words(mic);
    let difference = if mic_length == 16 {
        job.mpdu().last_chunk().map(words).map(|[came_low, came_high]| (low ^ came_low) | (high ^ came_high))
    } else {
        job.mpdu().last_chunk().map(|came| low ^ u64::from_le_bytes(*came))
    };
    difference.is_some_and(|difference| black_box(difference) == 0)
}

/// The words of a code.
pub(super) fn words(octets: &[u8; 16]) -> [u64; 2] {
    let (words, _) = octets.as_chunks();
    [0, 1].map(|word| words.get(word).copied().map_or(0, u64::from_le_bytes))
}

#[inline(always)]
fn packet(
    key: &CcmpKey,
    header: &Layout,
    (number, mic_length): (PacketNumber, usize),
    (input, output, length): (*const u8, *mut u8, usize),
) -> Packet {
    let body_length = u16::try_from(length).unwrap_or_default();
    let first = header.first_block(number, mic_length, body_length);
    Packet { key: key.place(), first, aad: header.aad(key.qos_mask()), input, output, length }
}

/// Checks a protected MPDU; its packet number, and the length of the body.
#[inline(always)]
fn open_headers(mic_length: usize, mpdu: &[u8], header: &Layout) -> Result<(PacketNumber, usize), OpenError> {
    if !header.is_protected() {
        return Err(OpenError::NotProtected);
    }
    let ccmp = mpdu.get(header.length()..).and_then(<[u8]>::first_chunk).ok_or(OpenError::Truncated)?;
    let (number, _) = CcmpHeader::parse(*ccmp)?;
    if mpdu.len() > MAX_MPDU_LENGTH {
        return Err(OpenError::NotCcmp);
    }
    let overhead = header.length() + HEADER_LENGTH + mic_length;
    Ok((number, mpdu.len().checked_sub(overhead).ok_or(OpenError::Truncated)?))
}

#[inline(always)]
fn put_mic(key: &CcmpKey, room: &mut [u8], mic: &[u8; 16]) {
    if key.mic_length() == 16 {
        if let Some(room) = room.first_chunk_mut() {
            *room = *mic;
        }
    } else if let (Some(room), Some(mic)) = (room.first_chunk_mut::<8>(), mic.first_chunk::<8>()) {
        *room = *mic;
    }
}

fn mic_of<'a>(key: &CcmpKey, mpdu: &'a [u8]) -> &'a [u8] {
    mpdu.len().checked_sub(key.mic_length()).and_then(|start| mpdu.get(start..)).unwrap_or_default()
}

fn set_protected(header: &mut [u8], protected: bool) {
    if let Some(flags) = header.get_mut(1) {
        *flags = if protected { *flags | PROTECTED } else { *flags & !PROTECTED };
    }
}
