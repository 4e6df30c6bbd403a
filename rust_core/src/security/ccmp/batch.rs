//! A batch: which packets go to which kernel, in which order.
//!
//! Packets are sorted by length, the longest first, so that the lanes of a group end late and together; those of one
//! length keep their order. A few groups, a wave, are prepared, done and finished before the next ones are looked at:
//! what they touch is then still in the cache.

use super::job::Job;
use super::kernel::Backend;
use super::portable::Header;
#[cfg(target_arch = "x86_64")]
use super::{
    job,
    kernel::{self, Kernel, Lanes},
    layout::PlainQosData,
};

/// Takes all packets through a backend; `Portable` where this processor does not have that one.
pub(super) fn run<'k, J: Job<'k>>(backend: Backend, jobs: &mut [J]) {
    match backend {
        Backend::Portable => jobs.iter_mut().for_each(run_portable),
        _ if jobs.is_empty() => {}
        #[cfg(target_arch = "x86_64")]
        _ if backend.is_available() => {
            let is_256 = jobs.first().is_some_and(|job| job.key().is_256());
            let mut others = Vec::new();
            kernel::run(backend, is_256, jobs, &order(jobs), &mut others);
            if !others.is_empty() {
                kernel::run(backend, !is_256, jobs, &others, &mut Vec::new());
            }
        }
        _ => jobs.iter_mut().for_each(run_portable),
    }
}

/// Takes one packet through the backend that is best for one: a packet is a chain, and the width no help.
pub(super) fn run_one<'k, J: Job<'k>>(job: &mut J) {
    let backend = if Backend::AesNi.is_available() { Backend::AesNi } else { Backend::Portable };
    run(backend, core::slice::from_mut(job));
}

/// Takes packets through a kernel, in that order; those whose keys have another length than the kernel's are put into
/// `others`.
///
/// `W` groups, a wave, are prepared, then done, then finished: what a kernel does for several at once, or what runs
/// together where nothing stands between, is so done for all of them.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the kernel's processor")]
pub(super) fn run_groups<'k, K, J, const N: usize, const W: usize>(
    kernel: &mut K,
    jobs: &mut [J],
    order: &[u32],
    others: &mut Vec<u32>,
) where
    K: Kernel<N>,
    J: Job<'k>,
{
    let mut wave: [Lanes<N>; W] = [const { Lanes::NEW }; W];
    let mut order = order.iter();
    while order.len() > 0 {
        for index in order.clone().take(W * N) {
            if let Some(job) = jobs.get(*index as usize) {
                job.fetch();
            }
        }
        for lanes in &mut wave {
            let mut count = 0;
            while count < N
                && let Some(index) = order.next()
            {
                let Some(job) = jobs.get_mut(*index as usize) else { continue };
                if job.key().mic_length() != K::MIC_LENGTH {
                    others.push(*index);
                    continue;
                }
                // What both ways find out is not brought together: it would go by memory.
                match PlainQosData::of(job.mpdu()) {
                    Some(header) if job.mpdu().len() > EMPTY => {
                        let put = |packet| lanes.put(count, *index, packet);
                        count += usize::from(job.prepare_with(&header, K::MIC_LENGTH, put).is_some());
                    }
                    _ => count += prepare_any(lanes, count, *index, job),
                }
            }
            lanes.set_count(count);
        }
        let full = wave.iter().take_while(|lanes| lanes.count() > 0).count();
        kernel.run(J::OPENS, wave.get_mut(..full).unwrap_or_default());
        if !J::OPENS {
            continue;
        }
        for lanes in &wave {
            for (index, length, mic) in lanes.done() {
                let Some(job) = jobs.get_mut(index as usize) else { continue };
                if job::is_right(job, mic, K::MIC_LENGTH) {
                    job.done(length, mic);
                } else {
                    job.failed(length);
                }
            }
        }
    }
}

/// Octets that may be a plain QoS data frame without a body, protected by CCMP-256 or not at all.
#[cfg(target_arch = "x86_64")]
const EMPTY: usize = 26 + 8 + 16;

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

/// The packets, the longest first.
#[cfg(target_arch = "x86_64")]
fn order<'k, J: Job<'k>>(jobs: &[J]) -> Vec<u32> {
    let indices = 0..u32::try_from(jobs.len()).unwrap_or(u32::MAX);
    let size = jobs.first().map_or(0, J::size);
    if jobs.iter().all(|job| job.size() == size) {
        return indices.collect();
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
    let mut sorted = vec![0; jobs.len()];
    for (index, job) in indices.zip(jobs) {
        if let Some(place) = starts.get_mut(blocks(job)) {
            if let Some(place) = sorted.get_mut(*place as usize) {
                *place = index;
            }
            *place += 1;
        }
    }
    sorted
}

/// Packets of 511 blocks, 8176 octets, and more count as alike.
#[cfg(target_arch = "x86_64")]
const BLOCKS: usize = 512;
