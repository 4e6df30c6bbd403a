//! The threads that share the work of a batch.

use core::fmt;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// The calling thread and as many others as there are further workers.
#[derive(Clone, Default)]
pub(super) struct Crew {
    /// None where the calling thread works alone.
    others: Option<Arc<ThreadPool>>,
    /// Grows with all tasks that were given out: who waits for more has them then.
    round: Arc<AtomicUsize>,
}

/// The system gave no thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoThreads;

impl fmt::Display for NoThreads {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the system gave no threads for the workers of a connection table")
    }
}

impl core::error::Error for NoThreads {}

/// How often a thread looks for what it waits for before it goes to sleep: some hundredths of a millisecond. To wake it
/// costs more than a small batch.
const SPINS: u32 = 4_000;

/// How long a thread needs to leave a task that is done.
const AFTERWARDS: u32 = 64;

impl Crew {
    /// With that many workers, the calling thread included; 0 is 1.
    pub(super) fn new(workers: usize) -> Result<Self, NoThreads> {
        let others = workers.saturating_sub(1);
        if others == 0 {
            return Ok(Self::default());
        }
        let pool = ThreadPoolBuilder::new().num_threads(others).thread_name(|number| format!("polyradio-{number}"));
        let pool = pool.build().map_err(|_| NoThreads)?;
        Ok(Self { others: Some(Arc::new(pool)), round: Arc::default() })
    }

    /// How many workers, the calling thread included.
    pub(super) fn workers(&self) -> usize {
        1 + self.others.as_ref().map_or(0, |pool| pool.current_num_threads())
    }

    /// Does all tasks, each on another thread, and waits for them.
    pub(super) fn each<T: Send>(&self, mut tasks: impl Iterator<Item = T>, work: impl Fn(T) + Sync) {
        let Some(pool) = &self.others else { return tasks.for_each(work) };
        let (work, left) = (&work, &AtomicUsize::new(0));
        pool.in_place_scope(|scope| {
            let own = tasks.next();
            let processor = processor();
            for task in tasks {
                left.fetch_add(1, Ordering::Relaxed);
                scope.spawn(move |_| {
                    keep_away_from(processor);
                    work(task);
                    left.fetch_sub(1, Ordering::Release);
                });
            }
            let round = self.round.fetch_add(1, Ordering::Release).wrapping_add(1);
            // Behind the tasks: who is done with its own stays awake for what comes next.
            for _ in 0..pool.current_num_threads() {
                let current = Arc::clone(&self.round);
                pool.spawn(move || wait_until(|| current.load(Ordering::Acquire) != round));
            }
            own.map(work);
            // Leaving the scope waits for certain.
            wait_until(|| left.load(Ordering::Acquire) == 0);
            // The last one still has to say so to the scope: who asks before sleeps.
            (0..AFTERWARDS).for_each(|_| spin_loop());
        });
    }
}

/// On which processor the calling thread runs.
#[cfg(target_os = "linux")]
fn processor() -> usize {
    rustix::thread::sched_getcpu()
}

/// Moves the thread to another processor where it runs on that one. Linux wakes a thread on the processor of the one
/// that wakes it, and leaves both there, for neither ever waits long: they would take turns.
#[cfg(target_os = "linux")]
fn keep_away_from(other: usize) {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
    if sched_getcpu() != other {
        return;
    }
    // What the process may use: the main thread's set.
    let Ok(mut set) = sched_getaffinity(Some(rustix::process::getpid())) else { return };
    if other < CpuSet::MAX_CPU {
        set.unset(other);
    }
    if set.count() > 0 {
        // If it may not, it stays.
        let _ = sched_setaffinity(None, &set);
    }
}

#[cfg(not(target_os = "linux"))]
fn processor() -> usize {
    0
}

#[cfg(not(target_os = "linux"))]
fn keep_away_from(_: usize) {}

/// Waits for a while.
fn wait_until(is_so: impl Fn() -> bool) {
    for _ in 0..SPINS {
        if is_so() {
            return;
        }
        spin_loop();
    }
}

impl fmt::Debug for Crew {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Crew").field("workers", &self.workers()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_task_is_done_once_whatever_the_number_of_workers() {
        for workers in 0..4 {
            let crew = Crew::new(workers).unwrap();
            assert_eq!(crew.workers(), workers.max(1));
            let mut done = [0; 7];
            crew.each(done.iter_mut(), |task| *task += 1);
            assert_eq!(done, [1; 7]);
        }
    }
}
