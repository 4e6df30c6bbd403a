//! A batch: which packets go to which kernel, in which order.
//!
//! Packets are sorted by length, the longest first, so that the lanes of a group end late and together; those of one
//! length keep their order. A group of them is prepared, done and finished before the next but one is looked at.

use super::job::Job;
use super::kernel::Backend;
use super::portable::Header;
#[cfg(target_arch = "x86_64")]
use super::{
    job,
    kernel::{self, Kernel, Lanes},
    x86,
};

/// What becomes known on the way.
#[cfg(target_arch = "x86_64")]
pub(super) struct Remarks {
    /// Packets whose keys have another length than the kernel's.
    others: Vec<u32>,
    /// None has failed so far, certainly.
    is_right: bool,
}

/// Takes all packets through a backend; `Portable` where this processor does not have that one. True where certainly none
/// has failed.
pub(super) fn run<'k, J: Job<'k>>(backend: Backend, jobs: &mut [J]) -> bool {
    match backend {
        _ if jobs.is_empty() => true,
        #[cfg(target_arch = "x86_64")]
        _ if backend != Backend::Portable && backend.is_available() => {
            let is_256 = jobs.first().is_some_and(|job| job.key().is_256());
            let mut remarks = Remarks { others: Vec::new(), is_right: true };
            let (mut few, mut many) = ([0; FEW], Vec::new());
            let order = if let Some(few) = few.get_mut(..jobs.len()) {
                few
            } else {
                many.resize(jobs.len(), 0);
                many.as_mut_slice()
            };
            sort(jobs, order);
            kernel::run(backend, is_256, jobs, order, &mut remarks);
            if !remarks.others.is_empty() {
                let others = core::mem::take(&mut remarks.others);
                kernel::run(backend, !is_256, jobs, &others, &mut remarks);
            }
            remarks.is_right
        }
        _ => {
            jobs.iter_mut().for_each(run_portable);
            false
        }
    }
}

/// Takes one packet through the backend that is best for one: a packet is a chain, and the width no help.
pub(super) fn run_one<'k, J: Job<'k>>(job: &mut J) {
    let backend = if Backend::AesNi.is_available() { Backend::AesNi } else { Backend::Portable };
    run(backend, core::slice::from_mut(job));
}

/// Takes packets through a kernel, in that order; those whose keys have another length than the kernel's are put into
/// `remarks`.
///
/// A kernel ends a group of packets while it begins the next: either alone leaves half of the processor idle.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the kernel's processor")]
pub(super) fn run_groups<'k, K, J, const N: usize, const MIC: usize>(
    kernel: &mut K,
    jobs: &mut [J],
    order: &[u32],
    remarks: &mut Remarks,
) where
    K: Kernel<N, MIC>,
    J: Job<'k>,
{
    let mut memory = [const { Lanes::NEW }; 2];
    let [mut before, mut now] = memory.each_mut();
    let mut order = order;
    fetch::<_, N>(jobs, order);
    loop {
        order = prepare::<_, N, MIC>(jobs, order, now, remarks);
        if now.count() + before.count() == 0 {
            break;
        }
        kernel.run(J::OPENS, before, now);
        if J::OPENS {
            remarks.is_right &= finish::<_, N, MIC>(jobs, before);
        }
        before.clear();
        (before, now) = (now, before);
    }
}

/// Fills lanes with the next packets and returns those that have none yet.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the kernel's processor")]
fn prepare<'o, 'k, J: Job<'k>, const N: usize, const MIC: usize>(
    jobs: &mut [J],
    order: &'o [u32],
    lanes: &mut Lanes<N>,
    remarks: &mut Remarks,
) -> &'o [u32] {
    let mut count = 0;
    let mut order = order;
    while count < N
        && let Some((index, rest)) = order.split_first()
    {
        order = rest;
        let Some(job) = jobs.get_mut(*index as usize) else { continue };
        if job.key().mic_length() != MIC {
            remarks.others.push(*index);
        } else if job.put_plain::<N, MIC>(lanes, count, *index).is_some() {
            count += 1;
        } else {
            let lanes_taken = prepare_any(lanes, count, *index, job);
            // What takes none has failed, or was done by itself.
            remarks.is_right &= lanes_taken > 0;
            count += lanes_taken;
        }
    }
    lanes.set_count(count);
    fetch::<_, N>(jobs, order);
    order
}

/// Asks for what the next group needs.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the kernel's processor")]
fn fetch<'k, J: Job<'k>, const N: usize>(jobs: &[J], order: &[u32]) {
    for index in order.iter().take(N) {
        if let Some(job) = jobs.get(*index as usize) {
            job.fetch();
        }
    }
}

/// Compares the codes of packets that were opened; are all right?
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the kernel's processor")]
fn finish<'k, J: Job<'k>, const N: usize, const MIC: usize>(jobs: &mut [J], lanes: &Lanes<N>) -> bool {
    let all_right = x86::codes_are_right::<N, MIC>(lanes);
    if all_right && !J::IN_PLACE {
        return true;
    }
    for (index, length, mic) in lanes.done() {
        let Some(job) = jobs.get_mut(index as usize) else { continue };
        if all_right || job::is_right(job, mic, MIC) {
            job.done(length, mic);
        } else {
            job.failed(length);
        }
    }
    all_right
}

/// Prepares a packet with any header; says how many lanes it took, one or none.
#[cfg(target_arch = "x86_64")]
#[inline(never)]
fn prepare_any<'k, J: Job<'k>, const N: usize>(lanes: &mut Lanes<N>, lane: usize, index: u32, job: &mut J) -> usize {
    match job.prepare() {
        Some(packet) if packet.length > 0 => {
            lanes.put(lane, index, packet);
            1
        }
        Some(packet) => {
            run_body(job, &Header::of(packet.first, packet.aad), packet.length);
            0
        }
        None => 0,
    }
}

fn run_portable<'k, J: Job<'k>>(job: &mut J) {
    if let Some(packet) = job.prepare() {
        run_body(job, &Header::of(packet.first, packet.aad), packet.length);
    }
}

/// What a kernel would do, by the key's schedule.
#[cold]
fn run_body<'k, J: Job<'k>>(job: &mut J, header: &Header, length: usize) {
    let schedule = job.key().schedule();
    let mut mic = [0; 16];
    let came = job.mic();
    mic.iter_mut().zip(came).for_each(|(to, from)| *to = *from);
    let came_length = came.len();
    let Some(body) = job.body(length) else { return job.failed(length) };
    if J::OPENS {
        let is_right = schedule.open(header, body, mic.get(..came_length).unwrap_or_default());
        if is_right { job.done(length, &mic) } else { job.failed(length) }
    } else {
        match schedule.seal(header, body) {
            Some(mic) => job.done(length, &mic),
            None => job.failed(length),
        }
    }
}

/// Puts the packets into an order, of as many entries: the longest first.
#[cfg(target_arch = "x86_64")]
fn sort<'k, J: Job<'k>>(jobs: &[J], order: &mut [u32]) {
    let size = jobs.first().map_or(0, J::size);
    if jobs.iter().all(|job| job.size() == size) {
        (0..).zip(order).for_each(|(index, place)| *place = index);
        return;
    }
    // A counting sort by blocks: there are few, and a comparing one costs more than AES does.
    let blocks = |job: &J| (job.size() / 16).min(BLOCKS - 1);
    let mut starts = [0_u32; BLOCKS];
    for job in jobs {
        if let Some(count) = starts.get_mut(blocks(job)) {
            *count += 1;
        }
    }
    let mut start = 0;
    for count in starts.iter_mut().rev() {
        start += core::mem::replace(count, start);
    }
    for (index, job) in (0..).zip(jobs) {
        if let Some(place) = starts.get_mut(blocks(job)) {
            if let Some(place) = order.get_mut(*place as usize) {
                *place = index;
            }
            *place += 1;
        }
    }
}

/// Packets of a batch whose order needs no memory from the heap.
#[cfg(target_arch = "x86_64")]
const FEW: usize = 256;

/// Packets of 511 blocks, 8176 octets, and more count as alike.
#[cfg(target_arch = "x86_64")]
const BLOCKS: usize = 512;
