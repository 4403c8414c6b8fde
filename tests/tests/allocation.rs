//! No call of a queue allocates.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::task::Waker;

use apiqueue_core::{ManualClock, Queue, Rate, Slot, Waiter};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: passes everything on to the system's allocator and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps `alloc`'s contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract, and the memory came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations() -> usize {
    ALLOCATIONS.with(Cell::get)
}

#[test]
fn no_public_call_allocates() {
    let before = allocations();
    drop(Box::new(1));
    assert_eq!(allocations(), before + 1, "the allocator counts");

    let clock = ManualClock::<u32>::new(0);
    let before = allocations();
    let queue: Queue<_, 4> = Queue::new(&clock, Rate::<u32>::every(100).unwrap());
    let waker = Waker::noop();
    for round in 0..20 {
        let first = queue.enqueue().unwrap();
        let second = queue.enqueue().unwrap();
        let third = queue.enqueue().unwrap();
        let fourth = queue.enter().unwrap();
        assert!(queue.enqueue().is_err());
        assert!(first.poll_release(waker).is_pending());
        assert!(second.poll_release(waker).is_pending());
        assert!(third.poll_release(waker).is_pending());
        assert!(third.poll_release(waker).is_pending());
        let _ = (first.is_waiting(), first.position(), first.estimate());
        let _ = (first.status(), first.queue().len());
        assert!(queue.try_acquire().is_err());
        assert_eq!(queue.advance_with(waker).released, 1);
        drop(second);
        queue.set_rate(Rate::<u32>::every(50 + round).unwrap().burst(2).unwrap());
        queue.hold_until(clock.advance(0) + 100).unwrap();
        queue.resume();
        core::mem::forget(third);
        clock.advance(10_000);
        assert!(queue.advance().released >= 1);
        drop((first, fourth));
        clock.advance(10_000);
        let _ = queue.advance();
        clock.advance(10_000);
        assert!(queue.try_acquire().is_ok());
        queue.wake_driver();
        let _ = (queue.len(), queue.is_empty(), queue.capacity());
        let _ = (queue.rate(), queue.clock(), queue.is_closed());
        queue.set_rate(Rate::<u32>::every(100).unwrap());
        clock.advance(10_000);
    }
    let waiters = [queue.enqueue(), queue.enqueue()];
    for waiter in waiters.iter().flatten() {
        assert!(waiter.poll_release(waker).is_pending());
    }
    queue.drain();
    queue.close();
    assert!(waiters.iter().flatten().all(|w| !w.is_waiting()));
    let _ = queue.advance();
    drop(waiters);
    assert_eq!(allocations(), before);
}

#[test]
fn no_call_on_a_queue_over_borrowed_slots_allocates() {
    let clock = ManualClock::<u64>::new(0);
    let mut slots = [const { Slot::new() }; 2];
    let before = allocations();
    let rate = Rate::<u64>::every(10).unwrap();
    let queue = apiqueue_core::QueueOver::over(&clock, rate, &mut slots[..]).unwrap();
    let waiter = Waiter::enqueue(&queue).unwrap();
    assert_eq!(queue.advance().released, 1);
    drop(waiter);
    assert_eq!(allocations(), before);
}
