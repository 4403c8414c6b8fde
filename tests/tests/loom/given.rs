//! A queue whose permits others give, and whose calls are counted: no wake-up is lost between those who come, calls that end, and
//! the driver's looks.

use std::sync::Arc;
use std::task::Waker;

use apiqueue_core::{Next, Status};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::calls::Calls;
use crate::common::{Shared, check, check_within};
use crate::ready_list::Entry;

/// A driver on the present thread, asleep over a queue that nothing but grants releases.
struct Driver {
    queue: Shared<2>,
    calls: Arc<Calls>,
    entry: Arc<Entry>,
    waker: Waker,
}

impl Driver {
    fn over(queue: &Shared<2>, calls: &Arc<Calls>) -> Self {
        assert!(queue.hold_until(1_000_000).is_ok());
        let entry = Entry::here();
        let waker = Waker::from(Arc::clone(&entry));
        assert_eq!(queue.advance_with(&waker).next, Next::OnEnqueue);
        Self {
            queue: queue.clone(),
            calls: Arc::clone(calls),
            entry,
            waker,
        }
    }

    /// As the std runtime's `Line::advance`, `Scheduler::look` and `release_one` do. If a wake-up is lost it sleeps for ever, and loom
    /// says so.
    fn drive(&self, enough: usize) {
        let mut released = 0;
        while released < enough {
            if !self.entry.take() {
                thread::park();
                continue;
            }
            let had_somebody = self.queue.advance_with(&self.waker).next != Next::OnEnqueue;
            let mut first = self.queue.first_weight();
            while first.is_some() && self.calls.room() > 0 && self.calls.begin() {
                match self.queue.grant_within(1) {
                    Some(_) => released += 1,
                    None => self.calls.end(),
                }
                first = self.queue.first_weight();
            }
            if had_somebody && first.is_none() {
                // The core has left no mark for the next to come.
                self.queue.wake_driver();
            }
        }
    }
}

/// As the std runtime's `Line::call_ended` does.
fn end_call(queue: &Shared<2>, calls: &Calls) {
    calls.end();
    if !queue.is_empty() {
        queue.wake_driver();
    }
}

/// Runs `call` on a thread, and wakes this one at its end.
fn beside<T: 'static>(
    done: &Arc<AtomicUsize>,
    call: impl FnOnce() -> T + 'static,
) -> thread::JoinHandle<T> {
    let (done, driver) = (Arc::clone(done), thread::current());
    thread::spawn(move || {
        let result = call();
        done.fetch_add(1, Ordering::SeqCst);
        driver.unpark();
        result
    })
}

/// Loom does not let a thread be unparked that waits for another's end.
fn wait_for(done: &AtomicUsize, count: usize) {
    while done.load(Ordering::SeqCst) < count {
        thread::park();
    }
}

#[test]
fn a_call_that_ends_as_somebody_comes_makes_room_for_him() {
    check_within(2, || {
        let (queue, calls) = (Shared::<2>::new(), Arc::new(Calls::at_once(Some(1))));
        let driver = Driver::over(&queue, &calls);
        assert!(calls.begin());
        let done = Arc::new(AtomicUsize::new(0));
        let ends = {
            let (queue, calls) = (queue.clone(), Arc::clone(&calls));
            beside(&done, move || end_call(&queue, &calls))
        };
        let comes = beside(&done, move || queue.join());
        driver.drive(1);
        wait_for(&done, 2);
        assert_eq!(comes.join().unwrap().status(), Status::Released);
        ends.join().unwrap();
        assert_eq!(calls.under_way(), 1);
    });
}

#[test]
fn whoever_comes_as_the_line_empties_is_seen() {
    check(|| {
        let (queue, calls) = (Shared::<2>::new(), Arc::new(Calls::at_once(None)));
        let driver = Driver::over(&queue, &calls);
        let done = Arc::new(AtomicUsize::new(0));
        let comes = {
            let queue = queue.clone();
            beside(&done, move || queue.join())
        };
        let first = queue.join();
        driver.drive(2);
        wait_for(&done, 1);
        assert_eq!(first.status(), Status::Released);
        assert_eq!(comes.join().unwrap().status(), Status::Released);
    });
}
