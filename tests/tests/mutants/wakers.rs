//! Wakers: none leaks, none is called for nothing, none keeps a driver from sleeping.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{RawWaker, RawWakerVTable, Wake, Waker as TaskWaker};

use apiqueue_core::{ManualClock, Next, Queue, Rate, Status, WeightedQueue};
use apiqueue_tests::wakes::Wakes;

type Line = Queue<ManualClock<u32>, 2>;

fn rate(interval: u32, burst: u32) -> Rate<u32> {
    let rate = Rate::every(interval).unwrap().burst(burst).unwrap();
    rate.strict()
}

fn line() -> Line {
    Queue::new(ManualClock::<u32>::new(1_000), rate(10, 1))
}

#[derive(Default)]
struct Silent;

impl Wake for Silent {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn the_waker_of_a_leaked_waiter_goes_with_its_queue() {
    let silent = Arc::new(Silent);
    let queue = line();
    let place = queue.enqueue().unwrap();
    assert!(place.poll_release(&silent.clone().into()).is_pending());
    mem::forget(place);
    drop(queue);
    assert_eq!(Arc::strong_count(&silent), 1);
}

#[test]
fn the_waker_of_an_earlier_poll_is_dropped_at_the_next() {
    let silent = Arc::new(Silent);
    let queue = line();
    let place = queue.enqueue().unwrap();
    assert!(place.poll_release(&silent.clone().into()).is_pending());
    assert!(place.poll_release(TaskWaker::noop()).is_pending());
    assert_eq!(Arc::strong_count(&silent), 1);
}

/// The queue that `RINGS` rings, and how often it was cloned.
struct Bell {
    queue: Line,
    clones: AtomicUsize,
}

static RINGS: RawWakerVTable = RawWakerVTable::new(ring_and_clone, |_| {}, |_| {}, |_| {});

fn ring_and_clone(data: *const ()) -> RawWaker {
    // SAFETY: `data` points to the `Bell` of the one test that makes such a waker, which outlives it.
    let bell = unsafe { &*data.cast::<Bell>() };
    bell.clones.fetch_add(1, Ordering::SeqCst);
    bell.queue.wake_driver();
    RawWaker::new(data, &RINGS)
}

#[test]
fn a_driver_whose_waker_rings_when_it_is_cloned_goes_to_sleep() {
    let bell = Bell {
        queue: line(),
        clones: AtomicUsize::new(0),
    };
    // SAFETY: the functions of `RINGS` only look at the bell, which lives until the end of this test.
    let waker = unsafe { TaskWaker::from_raw(RawWaker::new((&raw const bell).cast(), &RINGS)) };
    assert_eq!(bell.queue.advance_with(&waker).next, Next::OnEnqueue);
    assert_eq!(bell.clones.load(Ordering::SeqCst), 1);
}

#[test]
fn a_refund_to_an_empty_line_wakes_nobody() {
    let queue = line();
    queue.try_acquire().unwrap();
    let driver = Wakes::default();
    assert_eq!(queue.advance_with(&driver.waker(0)).next, Next::OnEnqueue);
    queue.refund(1);
    assert_eq!(driver.take(), []);
}

#[test]
fn a_heavy_waiter_that_leaves_tells_the_driver_who_is_due_sooner() {
    let queue: WeightedQueue<_, 4> = WeightedQueue::new(ManualClock::<u32>::new(0), rate(10, 4));
    for _ in 0..4 {
        queue.try_acquire().unwrap();
    }
    let (heavy, light) = (queue.enqueue_weighted(4).unwrap(), queue.enqueue().unwrap());
    let driver = Wakes::default();
    assert_eq!(queue.advance_with(&driver.waker(0)).next, Next::At(40));
    drop(heavy);
    assert_eq!(driver.take(), [0]);
    assert_eq!(queue.advance().next, Next::At(10));
    drop(light);
}

#[test]
fn a_light_waiter_that_leaves_wakes_nobody() {
    let queue: WeightedQueue<_, 4> = WeightedQueue::new(ManualClock::<u32>::new(0), rate(10, 1));
    queue.try_acquire().unwrap();
    let line = [queue.enqueue().unwrap(), queue.enqueue().unwrap()];
    let driver = Wakes::default();
    assert_eq!(queue.advance_with(&driver.waker(0)).next, Next::At(10));
    drop(line);
    assert_eq!(driver.take(), []);
}

#[test]
fn a_heavy_waiter_that_leaves_from_the_middle_wakes_nobody() {
    let queue: WeightedQueue<_, 4> = WeightedQueue::new(ManualClock::<u32>::new(0), rate(10, 4));
    for _ in 0..4 {
        queue.try_acquire().unwrap();
    }
    let first = queue.enqueue().unwrap();
    let heavy = queue.enqueue_weighted(4).unwrap();
    let driver = Wakes::default();
    assert_eq!(queue.advance_with(&driver.waker(0)).next, Next::At(10));
    drop(heavy);
    assert_eq!(driver.take(), []);
    drop(first);
}

#[test]
fn a_heavy_waiter_that_leaves_released_and_keeps_its_permits_wakes_nobody() {
    let queue: WeightedQueue<_, 4> = WeightedQueue::new(ManualClock::<u32>::new(0), rate(10, 4));
    let mut heavy = queue.enqueue_weighted(4).unwrap();
    let next = queue.enqueue().unwrap();
    let driver = Wakes::default();
    assert_eq!(queue.advance_with(&driver.waker(0)).released, 1);
    let _ = heavy.leave();
    assert_eq!(driver.take(), []);
    assert_eq!(next.status(), Status::Waiting);
}

#[test]
fn a_faster_rate_wakes_the_driver_of_a_heavy_waiter_who_has_part_of_its_permits() {
    let queue: WeightedQueue<_, 4> = WeightedQueue::new(ManualClock::<u32>::new(0), rate(10, 4));
    for _ in 0..4 {
        queue.try_acquire().unwrap();
    }
    let heavy = queue.enqueue_weighted(4).unwrap();
    queue.clock().set(25);
    let driver = Wakes::default();
    assert_eq!(queue.advance_with(&driver.waker(0)).next, Next::At(40));
    queue.set_rate(rate(8, 5));
    assert_eq!(driver.take(), [0]);
    drop(heavy);
}

#[test]
fn an_enqueue_behind_others_wakes_nobody() {
    let queue = line();
    queue.try_acquire().unwrap();
    let first = queue.enqueue().unwrap();
    let driver = Wakes::default();
    assert_eq!(queue.advance_with(&driver.waker(0)).next, Next::At(1_010));
    let second = queue.enqueue().unwrap();
    assert_eq!(driver.take(), []);
    drop((first, second));
}

#[test]
fn a_driver_asleep_on_an_empty_line_is_woken_by_a_heavy_waiter_and_finds_it() {
    let queue: WeightedQueue<_, 4> = WeightedQueue::new(ManualClock::<u32>::new(0), rate(10, 4));
    let driver = Wakes::default();
    assert_eq!(queue.advance_with(&driver.waker(0)).next, Next::OnEnqueue);
    let heavy = queue.enqueue_weighted(3).unwrap();
    assert_eq!(driver.take(), [0]);
    assert_eq!(queue.advance().released, 1);
    assert_eq!(heavy.status(), Status::Released);
}

#[test]
fn an_entry_behind_others_wakes_nobody() {
    let queue = line();
    queue.try_acquire().unwrap();
    let first = queue.enqueue().unwrap();
    let driver = Wakes::default();
    assert_eq!(queue.advance_with(&driver.waker(0)).next, Next::At(1_010));
    let second = queue.enter().unwrap();
    assert_eq!(driver.take(), []);
    drop((first, second));
}

#[test]
fn an_entry_passes_over_those_who_have_left() {
    let queue = line();
    drop(queue.enqueue().unwrap());
    assert_eq!(queue.enter().unwrap().status(), Status::Released);
}

#[test]
fn who_left_released_and_is_dropped_has_kept_its_permit() {
    let queue = line();
    let mut place = queue.enqueue().unwrap();
    assert_eq!(queue.advance().released, 1);
    let _ = place.leave();
    drop(place);
    queue.clock().advance(1);
    assert!(queue.try_acquire().is_err());
}
