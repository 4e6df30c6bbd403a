//! One packet of a batch: what is read, what is written, and what became of it.
//!
//! A job is done in three steps: [`Job::prepare`] checks the frame, writes the headers and says what a kernel needs;
//! the kernel does the body; where it opened one, [`is_right`] compares the message integrity code, and [`Job::done`] or
//! [`Job::failed`] ends the job. Out of place or in place differs in the first and last step only.

#![expect(clippy::inline_always, reason = "a packet that is returned by memory waits for its own stores: 9 ns of 27")]

use ccm::aead::inout::InOutBuf;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::layout::{self, Block, Layout, LayoutError};
use super::{CcmpHeader, CcmpKey, HEADER_LENGTH, MAX_MPDU_LENGTH, OpenError, Opened, SealError};
use crate::ids::{KeyId, PacketNumber};
use crate::prefetch::prefetch;

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
    /// The body. At least 16 octets of the same buffer stand before it: a MAC header has 24.
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

    /// Checks the frame, whose header is laid out like that, and writes the headers; `None` where it fails, and then the
    /// job says so. Else it says what will be once the body is done.
    fn prepare_with(&mut self, layout: &Layout) -> Option<Packet>;

    /// The frame has no layout.
    fn refuse(&mut self, error: LayoutError);

    /// Checks the frame and writes the headers; `None` where it fails, and then the job says so.
    #[inline(always)]
    fn prepare(&mut self) -> Option<Packet> {
        match Layout::of_plain_qos_data(self.mpdu()) {
            // Most are: with all lengths known, half of the instructions.
            Some(layout) => self.prepare_with(&layout),
            None => self.prepare_any(),
        }
    }

    /// The same for any header.
    #[inline(never)]
    fn prepare_any(&mut self) -> Option<Packet> {
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

    fn refuse(&mut self, error: LayoutError) {
        self.result = Err(error.into());
    }

    #[inline(always)]
    fn prepare_with(&mut self, layout: &Layout) -> Option<Packet> {
        let header = layout.header_length();
        let length = self.mpdu.len().checked_sub(header)?;
        if self.mpdu.len() > MAX_MPDU_LENGTH - self.key.overhead() {
            self.result = Err(SealError::TooLong);
            return None;
        }
        let sealed = self.mpdu.len() + self.key.overhead();
        let Some(out) = self.out.get_mut(..sealed) else {
            self.result = Err(SealError::NoRoom);
            return None;
        };
        layout.emit_protected(self.mpdu, out);
        *out.get_mut(header..)?.first_chunk_mut()? = CcmpHeader::emit(self.packet_number, self.key_id);
        let output = out.as_mut_ptr().wrapping_add(header + HEADER_LENGTH);
        let input = self.mpdu.as_ptr().wrapping_add(header);
        self.result = Ok(sealed);
        Some(packet(self.key, layout, self.packet_number, (input, output, length)))
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

    fn refuse(&mut self, error: LayoutError) {
        self.result = Err(error.into());
    }

    #[inline(always)]
    fn prepare_with(&mut self, layout: &Layout) -> Option<Packet> {
        match open_headers(self.key, self.mpdu, layout) {
            Ok((number, length)) => {
                let header = layout.header_length();
                if self.out.len() < header + length {
                    self.result = Err(OpenError::NoRoom);
                    return None;
                }
                self.result = Ok(Opened { length: header + length, packet_number: number });
                let input = self.mpdu.as_ptr().wrapping_add(header + HEADER_LENGTH);
                let output = self.out.as_mut_ptr().wrapping_add(header);
                Some(packet(self.key, layout, number, (input, output, length)))
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

    #[inline(always)]
    fn done(&mut self, length: usize, _mic: &[u8; 16]) {
        let header = self.mpdu.len() - self.key.overhead() - length;
        if let (Some(to), Some(from)) = (self.out.get_mut(..header), self.mpdu.get(..header)) {
            copy_header(to, from);
            set_protected(to, false);
        }
    }

    #[cold]
    fn failed(&mut self, length: usize) {
        wipe(self, length);
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

    fn refuse(&mut self, error: LayoutError) {
        let has_room = self.buffer.len() >= self.key.overhead();
        self.result = Err(if has_room { error.into() } else { SealError::NoRoom });
    }

    #[inline(always)]
    fn prepare_with(&mut self, layout: &Layout) -> Option<Packet> {
        let header = layout.header_length();
        let length = self.buffer.len().checked_sub(header + self.key.overhead())?;
        if self.buffer.len() > MAX_MPDU_LENGTH {
            self.result = Err(SealError::TooLong);
            return None;
        }
        self.buffer.copy_within(HEADER_LENGTH..HEADER_LENGTH + header, 0);
        set_protected(self.buffer, true);
        *self.buffer.get_mut(header..)?.first_chunk_mut()? = CcmpHeader::emit(self.packet_number, self.key_id);
        let body = self.buffer.as_mut_ptr().wrapping_add(header + HEADER_LENGTH);
        self.result = Ok(());
        Some(packet(self.key, layout, self.packet_number, (body, body, length)))
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

    fn refuse(&mut self, error: LayoutError) {
        self.result = Err(error.into());
    }

    #[inline(always)]
    fn prepare_with(&mut self, layout: &Layout) -> Option<Packet> {
        match open_headers(self.key, self.buffer, layout) {
            Ok((number, length)) => {
                let header = layout.header_length();
                self.result = Ok(Opened { length: header + length, packet_number: number });
                let body = self.buffer.as_mut_ptr().wrapping_add(header + HEADER_LENGTH);
                Some(packet(self.key, layout, number, (body, body, length)))
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
    if let [first, .., last] = buffer {
        prefetch(first);
        prefetch(last);
    }
}

/// Is it the code that came with the packet? Takes the same time whatever the answer.
pub(super) fn is_right<'k>(job: &impl Job<'k>, mic: &[u8; 16]) -> bool {
    let came = job.mic();
    match came.first_chunk::<16>() {
        Some(came) => u128::from_ne_bytes(*came).ct_eq(&u128::from_ne_bytes(*mic)).into(),
        None => match (came.first_chunk::<8>(), mic.first_chunk::<8>()) {
            (Some(came), Some(mic)) => u64::from_ne_bytes(*came).ct_eq(&u64::from_ne_bytes(*mic)).into(),
            _ => false,
        },
    }
}

#[inline(always)]
fn packet(
    key: &CcmpKey,
    layout: &Layout,
    number: PacketNumber,
    (input, output, length): (*const u8, *mut u8, usize),
) -> Packet {
    let body_length = u16::try_from(length).unwrap_or_default();
    let first = layout.first_block(number, key.mic_length(), body_length);
    Packet { key: key.octets().as_ptr(), first, aad: layout.aad(key.spp_amsdu()), input, output, length }
}

/// Checks a protected MPDU; its packet number, and the length of the body.
#[inline(always)]
fn open_headers(key: &CcmpKey, mpdu: &[u8], layout: &Layout) -> Result<(PacketNumber, usize), OpenError> {
    let ccmp = CcmpHeader::read_after(mpdu, layout)?;
    if mpdu.len() > MAX_MPDU_LENGTH {
        return Err(OpenError::NotCcmp);
    }
    let length = mpdu.len().checked_sub(layout.header_length() + key.overhead()).ok_or(OpenError::Truncated)?;
    Ok((ccmp.packet_number, length))
}

/// Copies a MAC header, of the same length, without a call for those that are common.
#[inline(always)]
fn copy_header(to: &mut [u8], from: &[u8]) {
    match (from.first_chunk::<16>(), from.last_chunk::<16>()) {
        // Both halves together: 16 to 32 octets.
        (Some(first), Some(last)) if from.len() <= 32 && to.len() == from.len() => {
            if let Some(to) = to.first_chunk_mut() {
                *to = *first;
            }
            if let Some(to) = to.last_chunk_mut() {
                *to = *last;
            }
        }
        _ => to.copy_from_slice(from),
    }
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
        *flags = if protected { *flags | layout::PROTECTED } else { *flags & !layout::PROTECTED };
    }
}
