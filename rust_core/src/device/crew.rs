//! The threads that share the work of a batch.
//!
//! JUSTIFICATION for `unsafe`, and for threads of our own: the least batch that is shared out takes 20 to 40 microseconds
//! and goes to the others four times. A general pool takes a microsecond or two each time for its queues and for saying when all is done;
//! here it is one number that goes up and one that answers, each in a cache line of its own. The one thing Rust cannot
//! see is that [`Crew::each`] does not return, or unwind, before all others have answered, so that what it lends them
//! lives long enough.

#![expect(unsafe_code, reason = "work is lent to threads that are there already; see the module's JUSTIFICATION")]

use core::any::Any;
use core::fmt;
use core::hint::spin_loop;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::panic::{catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, JoinHandle, Thread};

/// The calling thread and as many others as there are further workers.
#[derive(Clone, Default)]
pub(super) struct Crew {
    /// None where the calling thread works alone.
    others: Option<Arc<Others>>,
}

struct Others {
    /// One caller at a time; who comes second works alone.
    turn: Mutex<()>,
    board: Arc<Board>,
    threads: Vec<JoinHandle<()>>,
}

/// Where the caller and the others meet.
struct Board {
    /// How much was given out: the others begin when it changes.
    round: Line<AtomicUsize>,
    desks: Vec<Line<Desk>>,
    /// The caller, where it sleeps until all are done.
    caller: Mutex<Option<Thread>>,
    caller_sleeps: AtomicBool,
}

/// One of the others.
#[derive(Default)]
struct Desk {
    errand: Mutex<Errand>,
    /// The last round it answered.
    done: AtomicUsize,
    sleeps: AtomicBool,
}

#[derive(Default)]
struct Errand {
    work: Option<&'static Work<'static>>,
    panic: Option<Box<dyn Any + Send>>,
}

/// Is told which of the others does it, from 0 on.
type Work<'a> = dyn Fn(usize) + Sync + 'a;

/// Alone in its cache line and the one that is fetched beside it.
#[derive(Default)]
#[repr(align(128))]
struct Line<T>(T);

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

impl Crew {
    /// With that many workers, the calling thread included; 0 is 1.
    pub(super) fn new(workers: usize) -> Result<Self, NoThreads> {
        let others = workers.saturating_sub(1);
        Ok(Self { others: if others == 0 { None } else { Some(Arc::new(Others::new(others)?)) } })
    }

    /// How many workers, the calling thread included.
    pub(super) fn workers(&self) -> usize {
        1 + self.others.as_ref().map_or(0, |others| others.threads.len())
    }

    /// Does all tasks, each on another thread as far as there are threads, and waits for them.
    ///
    /// # Panics
    /// Where one of the tasks did, when all are done.
    pub(super) fn each<T: Send>(&self, mut tasks: impl Iterator<Item = T>, work: impl Fn(T) + Sync) {
        let turn = self.others.as_ref().and_then(|others| Some((others, others.take_turn()?)));
        let Some((others, _turn)) = turn else { return tasks.for_each(work) };
        let Some(own) = tasks.next() else { return };
        let given: Vec<Mutex<Option<T>>> =
            tasks.by_ref().take(others.threads.len()).map(|task| Mutex::new(Some(task))).collect();
        let processor = processor();
        let others_work = |number: usize| {
            if let Some(task) = given.get(number).and_then(|task| lock(task).take()) {
                keep_away_from(processor);
                work(task);
            }
        };
        others.during(&others_work, || {
            work(own);
            tasks.for_each(&work);
        });
    }
}

impl Others {
    fn new(count: usize) -> Result<Self, NoThreads> {
        let board = Arc::new(Board {
            round: Line::default(),
            desks: (0..count).map(|_| Line::default()).collect(),
            caller: Mutex::default(),
            caller_sleeps: AtomicBool::new(false),
        });
        // What was started ends where this is dropped.
        let mut others = Self { turn: Mutex::default(), board, threads: Vec::with_capacity(count) };
        for number in 0..count {
            let board = Arc::clone(&others.board);
            let thread = thread::Builder::new().name(format!("polyradio-{}", number + 1));
            others.threads.push(thread.spawn(move || board.serve(number)).map_err(|_| NoThreads)?);
        }
        Ok(others)
    }

    /// `None` while there is another caller.
    fn take_turn(&self) -> Option<MutexGuard<'_, ()>> {
        match self.turn.try_lock() {
            Ok(turn) => Some(turn),
            Err(TryLockError::Poisoned(panicked)) => Some(panicked.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Does its own while the others do theirs, and waits for them.
    fn during(&self, work: &Work<'_>, own: impl FnOnce()) {
        // SAFETY: the lifetime is longer than the true one; `Answers` waits, before this returns or unwinds, until every
        // desk has answered the round, and who answered has let go of the work.
        let work = unsafe { core::mem::transmute::<&Work<'_>, &'static Work<'static>>(work) };
        for Line(desk) in &self.board.desks {
            *lock(&desk.errand) = Errand { work: Some(work), panic: None };
        }
        let answers = Answers { board: &self.board, round: self.give_out() };
        own();
        drop(answers);
        let panic = self.board.desks.iter().find_map(|Line(desk)| lock(&desk.errand).panic.take());
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// Starts a round.
    fn give_out(&self) -> usize {
        let round = self.board.round.0.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
        for (Line(desk), thread) in self.board.desks.iter().zip(&self.threads) {
            if desk.sleeps.load(Ordering::SeqCst) {
                thread.thread().unpark();
            }
        }
        round
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        // A round without work.
        self.give_out();
        for thread in self.threads.drain(..) {
            // It caught its panics.
            drop(thread.join());
        }
    }
}

impl Board {
    /// What one of the others does until it is given nothing.
    fn serve(&self, number: usize) {
        let Some(Line(desk)) = self.desks.get(number) else { return };
        let mut seen = 0;
        loop {
            self.wait_for_round(desk, seen);
            // Never two rounds ahead: the caller waits for the answer.
            seen = self.round.0.load(Ordering::Acquire);
            let Some(work) = lock(&desk.errand).work.take() else { return };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(number))) {
                lock(&desk.errand).panic = Some(panic);
            }
            desk.done.store(seen, Ordering::SeqCst);
            if self.caller_sleeps.load(Ordering::SeqCst) {
                lock(&self.caller).as_ref().inspect(|caller| caller.unpark());
            }
        }
    }

    fn wait_for_round(&self, desk: &Desk, seen: usize) {
        if wait_until(|| self.round.0.load(Ordering::Acquire) != seen) {
            return;
        }
        // Either it sees here that there is a new round, or the caller sees there that it sleeps.
        desk.sleeps.store(true, Ordering::SeqCst);
        while self.round.0.load(Ordering::SeqCst) == seen {
            thread::park();
        }
        desk.sleeps.store(false, Ordering::Relaxed);
    }
}

/// All answers to a round; waits for them when dropped.
struct Answers<'a> {
    board: &'a Board,
    round: usize,
}

impl Drop for Answers<'_> {
    fn drop(&mut self) {
        let Self { board, round } = *self;
        let all_done = || board.desks.iter().all(|Line(desk)| desk.done.load(Ordering::SeqCst) == round);
        if wait_until(all_done) {
            return;
        }
        *lock(&board.caller) = Some(thread::current());
        board.caller_sleeps.store(true, Ordering::SeqCst);
        while !all_done() {
            thread::park();
        }
        board.caller_sleeps.store(false, Ordering::Relaxed);
    }
}

/// Waits for a while; whether it came.
fn wait_until(is_so: impl Fn() -> bool) -> bool {
    for _ in 0..SPINS {
        if is_so() {
            return true;
        }
        spin_loop();
    }
    false
}

/// Nothing here is left half done by a panic.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
            for _ in 0..100 {
                crew.each(done.iter_mut(), |task| *task += 1);
            }
            assert_eq!(done, [100; 7]);
            crew.each([0; 0].iter(), |_| unreachable!());
        }
    }

    #[test]
    fn who_sleeps_is_woken_and_who_is_waited_for_may_sleep() {
        let crew = Crew::new(3).unwrap();
        for _ in 0..3 {
            // Longer than anybody spins; what is found does not depend on it.
            let (out, started) = (AtomicUsize::new(0), AtomicUsize::new(0));
            crew.each(0..3, |task| {
                started.fetch_add(1, Ordering::Relaxed);
                while started.load(Ordering::Relaxed) < 3 {
                    thread::yield_now();
                }
                for _ in 0..task * 100 * SPINS as usize {
                    spin_loop();
                }
                out.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(out.into_inner(), 3);
        }
    }

    #[test]
    fn a_panic_goes_to_the_caller_when_all_are_done_and_the_next_batch_passes() {
        let crew = Crew::new(3).unwrap();
        for bad in 0..4 {
            let mut done = [false; 4];
            let panic = catch_unwind(AssertUnwindSafe(|| {
                crew.each(done.iter_mut().enumerate(), |(task, done)| {
                    assert!(task != bad, "task {task}");
                    *done = true;
                });
            }));
            assert!(panic.is_err());
            assert!(done.iter().enumerate().take(3).all(|(task, done)| *done == (task != bad)));
        }
        let sum = AtomicUsize::new(0);
        crew.each(1..5, |task| _ = sum.fetch_add(task, Ordering::Relaxed));
        assert_eq!(sum.into_inner(), 10);
    }

    #[test]
    fn callers_do_not_wait_for_each_other() {
        let crew = Crew::new(2).unwrap();
        let sum = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        crew.each(0..4, |task| _ = sum.fetch_add(task, Ordering::Relaxed));
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), 3 * 200 * 6);
    }
}
