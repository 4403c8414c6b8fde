//! Operations that are interrupted, or stopped, before each of their atomic steps in turn, and the queue for them.

use std::cell::Cell;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::Wake;
use std::thread::{self, JoinHandle};

use apiqueue_core_stepped as core;
use core::stepped::with_hook;
use core::{Clock, ManualClock, Queue, QueueOver, Rate, Slot, Waiter, Weighing, WeightedQueue};

pub(crate) const INTERVAL: u32 = 10;

pub(crate) type Line<const N: usize> = Queue<&'static ManualClock<u32>, N>;
pub(crate) type Heavy = WeightedQueue<&'static ManualClock<u32>, 4>;
pub(crate) type Place<const N: usize> = Waiter<Arc<Line<N>>>;

pub(crate) fn rate(interval: u32, burst: u32) -> Rate<u32> {
    let rate = Rate::<u32>::every(interval).unwrap();
    rate.burst(burst).unwrap().strict()
}

pub(crate) fn clock() -> &'static ManualClock<u32> {
    Box::leak(Box::new(ManualClock::<u32>::new(1_000)))
}

pub(crate) fn line<const N: usize>(burst: u32) -> (Arc<Line<N>>, &'static ManualClock<u32>) {
    let clock = clock();
    (Arc::new(Queue::new(clock, rate(INTERVAL, burst))), clock)
}

pub(crate) fn heavy(burst: u32) -> (Arc<Heavy>, &'static ManualClock<u32>) {
    let clock = clock();
    let queue = WeightedQueue::new(clock, rate(INTERVAL, burst));
    (Arc::new(queue), clock)
}

pub(crate) fn join<const N: usize>(queue: &Arc<Line<N>>) -> Option<Place<N>> {
    Waiter::enqueue(queue.clone()).ok()
}

/// One call of a driver.
pub(crate) fn drive<C: Clock, K: Weighing>(queue: &QueueOver<C, impl Deref<Target = [Slot]>, K>) {
    let _ = queue.advance();
}

/// Counts the calls of its waker.
#[derive(Default)]
pub(crate) struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Counter {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Before which of its steps an operation is interrupted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step(usize);

impl Step {
    /// More than any operation has.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..1_000).map(Self)
    }

    /// Runs `operation` with `handler` called before that step. False when there is no such step.
    pub(crate) fn run(self, mut handler: impl FnMut() + 'static, operation: impl FnOnce()) -> bool {
        let hit = Rc::new(Cell::new(false));
        let (mark, mut step) = (hit.clone(), 0);
        with_hook(
            move || {
                if step == self.0 {
                    mark.set(true);
                    handler();
                }
                step += 1;
            },
            operation,
        );
        hit.get()
    }

    /// Runs `operation`, which stops for good before that step. False when there is no such step.
    pub(crate) fn abandon(self, operation: impl FnOnce()) -> bool {
        let mut step = 0;
        let hook = move || {
            if step == self.0 {
                resume_unwind(Box::new(()));
            }
            step += 1;
        };
        catch_unwind(AssertUnwindSafe(|| with_hook(hook, operation))).is_err()
    }

    /// Runs `operation` on a thread that stops before that step until it is told to go on.
    pub(crate) fn stop(self, operation: impl FnOnce() + Send + 'static) -> Stopped {
        let (report, news) = channel();
        let (go, on) = channel::<()>();
        let thread = thread::spawn(move || {
            let mut step = 0;
            let stopped = report.clone();
            let hook = move || {
                if step == self.0 {
                    stopped.send(true).unwrap();
                    let _ = on.recv();
                }
                step += 1;
            };
            with_hook(hook, operation);
            let _ = report.send(false);
        });
        let hit = wait(&news);
        Stopped { hit, go, thread }
    }
}

fn wait(news: &Receiver<bool>) -> bool {
    news.recv().unwrap_or(false)
}

/// A thread that has stopped, or was over before.
pub(crate) struct Stopped {
    /// Whether there is such a step.
    pub(crate) hit: bool,
    go: Sender<()>,
    thread: JoinHandle<()>,
}

impl Stopped {
    /// Lets it go on to its end.
    pub(crate) fn go_on(self) {
        drop(self.go);
        self.thread.join().unwrap();
    }
}

/// Runs `test` for one step after the other, until it says that there are no more. There are some.
pub(crate) fn at_every_step(mut test: impl FnMut(Step) -> bool) {
    for step in Step::all() {
        if !test(step) {
            assert!(step.0 > 0, "there is a step");
            return;
        }
    }
    panic!("an operation without an end");
}
