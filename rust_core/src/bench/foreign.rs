//! Other implementations of CCM, in C: OpenSSL's `libcrypto` and Intel's `intel-ipsec-mb`.
//!
//! Whoever has loaded the library gives the addresses of its functions; the loop over packets runs here, without the
//! cost of a call from Python for each. Keys are expanded, nonces and additional data stand ready, and a library that
//! takes many packets at once is only made to finish them at the end of a slice: each has it as good as it can be.
//!
//! JUSTIFICATION for `unsafe`: a C function is called by its address; there is no other way, and a comparison from
//! Python would measure Python. Addresses are trusted as those that `ctypes` calls are: a wrong one ends the process.
//! Results are compared with ours before anything is measured.

#![expect(unsafe_code, reason = "see JUSTIFICATION")]

use core::ffi::{c_int, c_void};
use core::ptr;
use core::time::Duration;
use std::time::Instant;

use super::ccmp::CcmPacket;
use super::ring::{Direction, MIC, Ring, Shape};
use super::{BATCH, Work, WorkError};
use crate::ids::KeyId;

/// The address of a function or an object.
pub type Address = usize;

/// More contexts than this would need more memory than the packets: one context is given the key of each packet then.
const CONTEXTS: usize = 4096;

const REFUSED: WorkError = WorkError::Wrong("the library refused a packet");

/// Functions of OpenSSL's `EVP` interface, and the cipher.
#[derive(Clone, Copy, Debug)]
pub struct OpenSslFunctions {
    /// `EVP_CIPHER *`: AES-128-CCM.
    pub cipher: Address,
    /// `EVP_CIPHER_CTX_new`.
    pub new: Address,
    /// `EVP_CIPHER_CTX_free`.
    pub free: Address,
    /// `EVP_CIPHER_CTX_ctrl`.
    pub ctrl: Address,
    /// `EVP_EncryptInit_ex` or `EVP_DecryptInit_ex`.
    pub init: Address,
    /// `EVP_EncryptUpdate` or `EVP_DecryptUpdate`.
    pub update: Address,
}

type New = unsafe extern "C" fn() -> *mut c_void;
type Free = unsafe extern "C" fn(*mut c_void);
type Ctrl = unsafe extern "C" fn(*mut c_void, c_int, c_int, *mut c_void) -> c_int;
type Init = unsafe extern "C" fn(*mut c_void, *const c_void, *const c_void, *const u8, *const u8) -> c_int;
type Update = unsafe extern "C" fn(*mut c_void, *mut u8, *mut c_int, *const u8, c_int) -> c_int;

/// `EVP_CTRL_AEAD_SET_IVLEN`, `_GET_TAG`, `_SET_TAG`.
const SET_IVLEN: c_int = 0x9;
const GET_TAG: c_int = 0x10;
const SET_TAG: c_int = 0x11;

/// Packets through OpenSSL, one at a time; a ready context for each key, up to 4096 keys.
pub struct OpenSsl {
    ring: Ring,
    direction: Direction,
    packets: Vec<CcmPacket>,
    cursor: usize,
    contexts: Vec<Address>,
    free: Free,
    ctrl: Ctrl,
    init: Init,
    update: Update,
}

impl OpenSsl {
    /// Makes packets and contexts, and compares the first packets with ours.
    ///
    /// # Errors
    /// As [`Ring::new`]; `Wrong` where the library refused something or gave other octets.
    ///
    /// # Safety
    /// The addresses are those of the functions that they stand for, in a library that stays loaded.
    pub unsafe fn new(shape: &Shape, functions: OpenSslFunctions) -> Result<Self, WorkError> {
        let OpenSslFunctions { cipher, new, free, ctrl, init, update } = functions;
        if [cipher, new, free, ctrl, init, update].contains(&0) {
            return Err(WorkError::Invalid("a function has no address"));
        }
        // SAFETY: as promised by the caller.
        let (new, free, ctrl, init, update) = unsafe {
            (
                core::mem::transmute::<Address, New>(new),
                core::mem::transmute::<Address, Free>(free),
                core::mem::transmute::<Address, Ctrl>(ctrl),
                core::mem::transmute::<Address, Init>(init),
                core::mem::transmute::<Address, Update>(update),
            )
        };
        let (ring, direction) = (Ring::new(shape)?, shape.direction);
        let packets = CcmPacket::all(&ring, direction);
        let contexts = Vec::new();
        let mut work = Self { ring, direction, packets, cursor: 0, contexts, free, ctrl, init, update };
        let keys = &work.ring.key_octets;
        let keys = if keys.len() > CONTEXTS { keys.get(..1).unwrap_or_default() } else { keys };
        for key in keys {
            let mut zero = [0_u8; MIC];
            let tag = if direction == Direction::Open { zero.as_mut_ptr().cast() } else { ptr::null_mut() };
            // SAFETY: the calls that EVP_EncryptInit(3) shows for CCM; pointers live as long as each call.
            let is_ready = unsafe {
                let context = new();
                if context.is_null() {
                    return Err(REFUSED);
                }
                work.contexts.push(context.expose_provenance());
                init(context, ptr::with_exposed_provenance(cipher), ptr::null(), ptr::null(), ptr::null()) == 1
                    && ctrl(context, SET_IVLEN, 13, ptr::null_mut()) == 1
                    && ctrl(context, SET_TAG, 8, tag) == 1
                    && init(context, ptr::null(), ptr::null(), key.as_ptr(), ptr::null()) == 1
            };
            if !is_ready {
                return Err(REFUSED);
            }
        }
        work.run(work.packets.len() / BATCH)?;
        compare(&work.ring, direction, &work.packets)?;
        Ok(work)
    }

    fn one(&mut self, packet: &CcmPacket) -> Option<()> {
        let Self { ring, contexts, ctrl, init, update, .. } = self;
        let (key, context) = match contexts.as_slice() {
            [one] if ring.key_octets.len() > 1 => (ring.key_octets.get(packet.key)?.as_ptr(), *one),
            all => (ptr::null(), *all.get(packet.key)?),
        };
        let (input, output) = halves(ring, packet)?;
        let context = ptr::with_exposed_provenance_mut(context);
        let (body, aad) = (c_int::try_from(packet.body).ok()?, c_int::try_from(packet.aad.len()).ok()?);
        let mut length = 0;
        let (nonce, aad_start) = (packet.nonce.as_ptr(), packet.aad.as_ptr());
        // SAFETY: `halves` has room for body and tag on both sides; the calls are those that EVP_EncryptInit(3) shows.
        let is_done = unsafe {
            match self.direction {
                Direction::Seal => {
                    init(context, ptr::null(), ptr::null(), key, nonce) == 1
                        && update(context, ptr::null_mut(), &raw mut length, ptr::null(), body) == 1
                        && update(context, ptr::null_mut(), &raw mut length, aad_start, aad) == 1
                        && update(context, output.as_mut_ptr(), &raw mut length, input.as_ptr(), body) == 1
                        && ctrl(context, GET_TAG, 8, output.as_mut_ptr().add(packet.body).cast()) == 1
                }
                Direction::Open => {
                    ctrl(context, SET_TAG, 8, input.as_ptr().add(packet.body).cast_mut().cast()) == 1
                        && init(context, ptr::null(), ptr::null(), key, nonce) == 1
                        && update(context, ptr::null_mut(), &raw mut length, ptr::null(), body) == 1
                        && update(context, ptr::null_mut(), &raw mut length, aad_start, aad) == 1
                        && update(context, output.as_mut_ptr(), &raw mut length, input.as_ptr(), body) > 0
                }
            }
        };
        is_done.then_some(())
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        for context in &self.contexts {
            // SAFETY: made by `new`, freed once.
            unsafe { (self.free)(ptr::with_exposed_provenance_mut(*context)) };
        }
    }
}

impl Work for OpenSsl {
    fn items(&self) -> usize {
        BATCH
    }

    fn run(&mut self, repetitions: usize) -> Result<Duration, WorkError> {
        let packets = core::mem::take(&mut self.packets);
        let count = repetitions.saturating_mul(BATCH);
        let mut done = 0;
        let start = Instant::now();
        for packet in packets.iter().cycle().skip(self.cursor).take(count) {
            done += usize::from(self.one(packet).is_some());
        }
        let taken = start.elapsed();
        self.cursor = (self.cursor + count) % packets.len().max(1);
        self.packets = packets;
        if done == count { Ok(taken) } else { Err(REFUSED) }
    }
}

/// A manager of intel-ipsec-mb, initialised, and functions from its table. The layout of jobs is that of version 1.3.
#[derive(Clone, Copy, Debug)]
pub struct IpsecMbFunctions {
    /// `IMB_MGR *`.
    pub manager: Address,
    /// `keyexp_128`.
    pub expand_key: Address,
    /// `get_next_job`.
    pub next: Address,
    /// `submit_job_nocheck`.
    pub submit: Address,
    /// `get_completed_job`.
    pub completed: Address,
    /// `flush_job`.
    pub flush: Address,
}

type ExpandKey = unsafe extern "C" fn(*const u8, *mut u8, *mut u8);
type GetJob = unsafe extern "C" fn(*mut c_void) -> *mut Job;

/// `IMB_JOB` of version 1.3, 200 octets.
#[repr(C)]
struct Job {
    enc_keys: *const u8,
    dec_keys: *const u8,
    key_length: u64,
    source: *const u8,
    destination: *mut u8,
    cipher_start: u64,
    cipher_length: u64,
    hash_start: u64,
    hash_length: u64,
    iv: *const u8,
    iv_length: u64,
    tag: *mut u8,
    tag_length: u64,
    aad: *const u8,
    aad_length: u64,
    unused: u64,
    status: c_int,
    cipher_mode: c_int,
    cipher_direction: c_int,
    hash_algorithm: c_int,
    chain_order: c_int,
    user_data: *const u8,
    user_data2: *const u8,
    functions: [*const c_void; 2],
    segments: c_int,
    cipher_fields: *const c_void,
}

const _: () = assert!(size_of::<Job>() == 200 && core::mem::offset_of!(Job, status) == 128);

const COMPLETED: c_int = 3;
const CIPHER_CCM: c_int = 9;
const AUTHENTICATE_CCM: c_int = 11;

/// An expanded key, aligned as the library wants it.
#[repr(C, align(16))]
#[derive(Clone, Copy)]
struct Expanded([u8; 176]);

/// Packets through intel-ipsec-mb, by its interface of single jobs: the library keeps them until it has as many as it can
/// do at once. (Its bursts of version 1.3 lose count unless each is flushed, and then take longer.)
pub struct IpsecMb {
    ring: Ring,
    direction: Direction,
    packets: Vec<CcmPacket>,
    tags: Vec<[u8; MIC]>,
    cursor: usize,
    keys: Vec<Expanded>,
    manager: Address,
    next: GetJob,
    submit: GetJob,
    completed: GetJob,
    flush: GetJob,
}

impl IpsecMb {
    /// Makes packets and expands keys, and compares the first packets with ours.
    ///
    /// # Errors
    /// As [`Ring::new`]; `Wrong` where the library gave other octets or lost a packet.
    ///
    /// # Safety
    /// The addresses are those of the manager and the functions that they stand for, of version 1.3, in a library that
    /// stays loaded.
    pub unsafe fn new(shape: &Shape, functions: IpsecMbFunctions) -> Result<Self, WorkError> {
        let IpsecMbFunctions { manager, expand_key, next, submit, completed, flush } = functions;
        if [manager, expand_key, next, submit, completed, flush].contains(&0) {
            return Err(WorkError::Invalid("a function has no address"));
        }
        // SAFETY: as promised by the caller.
        let (expand_key, next, submit, completed, flush) = unsafe {
            (
                core::mem::transmute::<Address, ExpandKey>(expand_key),
                core::mem::transmute::<Address, GetJob>(next),
                core::mem::transmute::<Address, GetJob>(submit),
                core::mem::transmute::<Address, GetJob>(completed),
                core::mem::transmute::<Address, GetJob>(flush),
            )
        };
        let (ring, direction) = (Ring::new(shape)?, shape.direction);
        let packets = CcmPacket::all(&ring, direction);
        let mut keys = vec![Expanded([0; 176]); ring.key_octets.len()];
        let mut unused = Expanded([0; 176]);
        for (octets, key) in ring.key_octets.iter().zip(&mut keys) {
            // SAFETY: 16 octets are read, eleven aligned round keys written twice.
            unsafe { expand_key(octets.as_ptr(), key.0.as_mut_ptr(), unused.0.as_mut_ptr()) };
        }
        let tags = vec![[0; MIC]; packets.len()];
        let mut work =
            Self { ring, direction, packets, tags, cursor: 0, keys, manager, next, submit, completed, flush };
        work.run(work.packets.len() / BATCH)?;
        compare(&work.ring, direction, &work.packets)?;
        Ok(work)
    }

    /// Fills a job; the tag of a packet to be opened goes to `tags`.
    ///
    /// # Safety
    /// `job` is a job of the library.
    unsafe fn fill(&mut self, job: *mut Job, index: usize) -> Option<()> {
        let packet = self.packets.get(index)?;
        let key = self.keys.get(packet.key)?.0.as_ptr();
        let own_tag = self.tags.get_mut(index)?.as_mut_ptr();
        let is_open = self.direction == Direction::Open;
        let body = packet.body as u64;
        let (nonce, aad, aad_length) = (packet.nonce.as_ptr(), packet.aad.as_ptr(), packet.aad.len() as u64);
        let (input, output) = halves(&mut self.ring, packet)?;
        // SAFETY: `job` is valid; `output` has room for body and tag.
        unsafe {
            let tag = if is_open { own_tag } else { output.as_mut_ptr().add(packet.body) };
            (*job).enc_keys = key;
            (*job).dec_keys = key;
            (*job).key_length = 16;
            (*job).source = input.as_ptr();
            (*job).destination = output.as_mut_ptr();
            (*job).cipher_start = 0;
            (*job).cipher_length = body;
            (*job).hash_start = 0;
            (*job).hash_length = body;
            (*job).iv = nonce;
            (*job).iv_length = 13;
            (*job).tag = tag;
            (*job).tag_length = MIC as u64;
            (*job).aad = aad;
            (*job).aad_length = aad_length;
            (*job).cipher_mode = CIPHER_CCM;
            (*job).cipher_direction = if is_open { 2 } else { 1 };
            (*job).hash_algorithm = AUTHENTICATE_CCM;
            (*job).chain_order = if is_open { 1 } else { 2 };
            (*job).user_data = if is_open { input.as_ptr().add(packet.body) } else { tag };
            (*job).user_data2 = tag;
        }
        Some(())
    }
}

/// Whether a job ended well: for a packet that was opened, with the tag that it came with.
///
/// # Safety
/// It is a job that the library has given back.
unsafe fn is_right(job: *const Job) -> bool {
    // SAFETY: as promised; both tags have eight octets.
    unsafe {
        let tags = ((*job).user_data.cast::<[u8; MIC]>(), (*job).user_data2.cast::<[u8; MIC]>());
        (*job).status == COMPLETED && tags.0.read_unaligned() == tags.1.read_unaligned()
    }
}

impl Work for IpsecMb {
    fn items(&self) -> usize {
        BATCH
    }

    fn run(&mut self, repetitions: usize) -> Result<Duration, WorkError> {
        let Self { next, submit, completed, flush, .. } = *self;
        let manager: *mut c_void = ptr::with_exposed_provenance_mut(self.manager);
        let count = repetitions.saturating_mul(BATCH);
        let mut done = 0;
        let start = Instant::now();
        for _ in 0..count {
            // SAFETY: a job is filled before it is submitted, and looked at once it was given back.
            unsafe {
                self.fill(next(manager), self.cursor).ok_or(REFUSED)?;
                let mut job = submit(manager);
                while !job.is_null() {
                    done += usize::from(is_right(job));
                    job = completed(manager);
                }
            }
            self.cursor = if self.cursor + 1 < self.packets.len() { self.cursor + 1 } else { 0 };
        }
        loop {
            // SAFETY: as above.
            let job = unsafe { flush(manager) };
            if job.is_null() {
                break;
            }
            // SAFETY: as above.
            done += usize::from(unsafe { is_right(job) });
        }
        let taken = start.elapsed();
        if done == count { Ok(taken) } else { Err(WorkError::Wrong("the library lost a packet or its tag is wrong")) }
    }
}

/// What is read and what is written of a packet, tag included on the protected side.
fn halves<'a>(ring: &'a mut Ring, packet: &CcmPacket) -> Option<(&'a [u8], &'a mut [u8])> {
    let start = packet.place * ring.slot;
    let room = packet.body + MIC;
    let input = ring.input.get(start + packet.from..)?.get(..room)?;
    let output = ring.output.get_mut(start + packet.to..)?.get_mut(..room)?;
    Some((input, output))
}

/// Body, and tag where there is one, of the first packets against ours.
fn compare(ring: &Ring, direction: Direction, packets: &[CcmPacket]) -> Result<(), WorkError> {
    for (packet, read) in packets.iter().zip(&ring.packets).take(256) {
        let mut ours = Vec::new();
        let mpdu = ring.read(read);
        let key = ring.keys.get(packet.key).ok_or(REFUSED)?;
        let (done, length) = match direction {
            Direction::Seal => {
                (key.seal(mpdu, read.number, KeyId::from_low_bits(0), &mut ours).is_ok(), packet.body + MIC)
            }
            Direction::Open => (key.open(mpdu, &mut ours).is_ok(), packet.body),
        };
        let ours = ours.get(packet.to..).and_then(|ours| ours.get(..length));
        let start = packet.place * ring.slot + packet.to;
        if !done || ours.is_none() || ours != ring.output.get(start..start + length) {
            return Err(WorkError::Wrong("the library's octets are not ours"));
        }
    }
    Ok(())
}
