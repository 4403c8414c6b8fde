//! The std runtime's hand-over from whoever rings to the driver that sleeps, with a real core queue behind it: the part of
//! `apiqueue`'s driver that can lose a wake-up, driven as its thread does.

use std::sync::Arc;
use std::task::{Wake, Waker};

use apiqueue_core::{Next, Status};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread::{self, Thread};

use crate::common::{Shared, Waiter, check, check_within};
use crate::runtime::{Listed, ReadyList};

/// What the driver knows of one queue.
pub(crate) struct Entry {
    ready: ReadyList<()>,
    listed: Listed,
    driver: Thread,
}

impl Entry {
    /// Of a driver on the present thread.
    pub(crate) fn here() -> Arc<Self> {
        Arc::new(Self {
            ready: ReadyList::new(),
            listed: Listed::new(),
            driver: thread::current(),
        })
    }

    /// Whether the driver was woken for it since; then it looks now.
    pub(crate) fn take(&self) -> bool {
        let mut ready = Vec::new();
        self.ready.take(&mut ready);
        let is_woken = !ready.is_empty();
        if is_woken {
            self.listed.clear();
        }
        is_woken
    }
}

impl Wake for Entry {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready
            .push(&self.listed, || (), || self.driver.unpark());
    }
}

/// A driver on the present thread, asleep over `queue`, which is empty.
struct Driver {
    queue: Shared<2>,
    entry: Arc<Entry>,
    waker: Waker,
}

impl Driver {
    fn over(queue: &Shared<2>) -> Self {
        let entry = Entry::here();
        let waker = Waker::from(Arc::clone(&entry));
        assert_eq!(queue.advance_with(&waker).next, Next::OnEnqueue);
        Self {
            queue: queue.clone(),
            entry,
            waker,
        }
    }

    /// Drives until `enough` waiters were released or the queue is closed; sleeps only when nothing is due. If a wake-up
    /// is lost it sleeps for ever, and loom says so.
    fn drive(self, enough: usize) -> usize {
        let mut released = 0;
        loop {
            if self.entry.take() {
                loop {
                    let advance = self.queue.advance_with(&self.waker);
                    released += advance.released;
                    match advance.next {
                        // The sleep until a deadline ends by itself.
                        Next::At(at) => self.queue.pass(at.wrapping_sub(self.queue.now())),
                        Next::OnEnqueue => break,
                        Next::Closed => return released,
                    }
                }
            }
            if released >= enough {
                return released;
            }
            thread::park();
        }
    }
}

#[test]
fn an_enqueue_reaches_a_driver_that_goes_to_sleep() {
    check(|| {
        let queue = Shared::<2>::new();
        let driver = Driver::over(&queue);
        let enqueuer = thread::spawn(move || queue.join());
        assert_eq!(driver.drive(1), 1);
        assert_eq!(enqueuer.join().unwrap().status(), Status::Released);
    });
}

#[test]
fn the_second_of_two_rings_is_not_lost_in_the_first() {
    check_within(2, || {
        let queue = Shared::<2>::new();
        let driver = Driver::over(&queue);
        let done = Arc::new(AtomicUsize::new(0));
        let enqueuers = [queue.clone(), queue].map(|queue| {
            let (done, driver) = (Arc::clone(&done), thread::current());
            thread::spawn(move || {
                let waiter = queue.join();
                done.fetch_add(1, Ordering::SeqCst);
                driver.unpark();
                waiter
            })
        });
        assert_eq!(driver.drive(2), 2);
        // The second may ring late, and loom does not let a thread be unparked that waits for another's end.
        while done.load(Ordering::SeqCst) < 2 {
            thread::park();
        }
        for enqueuer in enqueuers {
            assert_eq!(enqueuer.join().unwrap().status(), Status::Released);
        }
    });
}

#[test]
fn an_entry_that_has_to_wait_reaches_a_driver_that_goes_to_sleep() {
    check(|| {
        let queue = Shared::<2>::spent();
        let driver = Driver::over(&queue);
        let enqueuer = thread::spawn(move || Waiter::enter(queue).ok());
        assert_eq!(driver.drive(1), 1);
        let waiter = enqueuer.join().unwrap();
        assert_eq!(waiter.map(|waiter| waiter.status()), Some(Status::Released));
    });
}

#[test]
fn a_close_reaches_a_driver_that_goes_to_sleep() {
    check(|| {
        let queue = Shared::<2>::new();
        let driver = Driver::over(&queue);
        let closer = thread::spawn(move || queue.close());
        assert_eq!(driver.drive(usize::MAX), 0);
        closer.join().unwrap();
    });
}
