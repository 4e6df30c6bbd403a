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
};

/// Takes all packets through a backend; `Portable` where this processor does not have that one.
pub(super) fn run<'k, J: Job<'k>>(backend: Backend, jobs: &mut [J]) {
    match backend {
        Backend::Portable => jobs.iter_mut().for_each(run_portable),
        _ if jobs.is_empty() => {}
        #[cfg(target_arch = "x86_64")]
        _ if backend.is_available() => {
            let (short, long) = order(jobs);
            kernel::run(backend, false, jobs, &short);
            kernel::run(backend, true, jobs, &long);
        }
        _ => jobs.iter_mut().for_each(run_portable),
    }
}

/// Takes one packet through the backend that is best for one: a packet is a chain, and the width no help.
pub(super) fn run_one<'k, J: Job<'k>>(job: &mut J) {
    let backend = if Backend::AesNi.is_available() { Backend::AesNi } else { Backend::Portable };
    run(backend, core::slice::from_mut(job));
}

/// Takes packets through a kernel, in that order. All have keys of one length.
#[cfg(target_arch = "x86_64")]
pub(super) fn run_groups<'k, K: Kernel<N>, J: Job<'k>, const N: usize>(kernel: &mut K, jobs: &mut [J], order: &[u32]) {
    // All groups of a wave are prepared, then done, then finished: the chains at the end of a group and the key schedules
    // at the start of the next one run together where nothing stands between them.
    let mut wave: [Lanes<N>; WAVE] = core::array::from_fn(|_| Lanes::new());
    let mut order = order.iter();
    while order.len() > 0 {
        for index in order.clone().take(WAVE * N) {
            if let Some(job) = jobs.get(*index as usize) {
                job.fetch();
            }
        }
        for lanes in &mut wave {
            lanes.clear();
            while !lanes.is_full()
                && let Some(index) = order.next()
            {
                let Some(job) = jobs.get_mut(*index as usize) else { continue };
                let Some(packet) = job.prepare() else { continue };
                if packet.length == 0 {
                    run_body(job, &Header::of(packet.first, packet.aad), packet.length);
                } else {
                    lanes.push(*index, packet);
                }
            }
        }
        for lanes in wave.iter_mut().filter(|lanes| !lanes.is_empty()) {
            kernel.run(J::OPENS, lanes);
        }
        if !J::OPENS {
            continue;
        }
        for lanes in &wave {
            for (index, length, mic) in lanes.done() {
                let Some(job) = jobs.get_mut(index as usize) else { continue };
                if job::is_right(job, mic) {
                    job.done(length, mic);
                } else {
                    job.failed(length);
                }
            }
        }
    }
}

/// Groups that are in flight together.
#[cfg(target_arch = "x86_64")]
const WAVE: usize = 4;

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

/// The packets with keys of 16 octets and those with 32, the longest first.
#[cfg(target_arch = "x86_64")]
fn order<'k, J: Job<'k>>(jobs: &[J]) -> (Vec<u32>, Vec<u32>) {
    let indices = 0..u32::try_from(jobs.len()).unwrap_or(u32::MAX);
    let (size, is_256) = jobs.first().map_or((0, false), |job| (job.size(), job.key().is_256()));
    if jobs.iter().all(|job| job.size() == size && job.key().is_256() == is_256) {
        let all: Vec<u32> = indices.collect();
        return if is_256 { (Vec::new(), all) } else { (all, Vec::new()) };
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
    let is_256 = |index: &u32| jobs.get(*index as usize).is_some_and(|job| job.key().is_256());
    if sorted.iter().any(is_256) { sorted.into_iter().partition(|index| !is_256(index)) } else { (sorted, Vec::new()) }
}

/// Packets of 511 blocks, 8176 octets, and more count as alike.
#[cfg(target_arch = "x86_64")]
const BLOCKS: usize = 512;
