//! A request that is given up costs nobody a turn, at whatever stage: before it has a place, in line, released but not told, under way.
#![allow(clippy::unwrap_used)]

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use apiqueue::core::ManualClock;
use apiqueue::{ApiQueue, Turn};
use apiqueue_tower::{BoxError, QueueLayer, ReadyLayer};
use tower::{Layer, Service, service_fn};

const SECOND: u64 = 1_000_000_000;

type Call = Pin<Box<dyn Future<Output = Result<u32, BoxError>>>>;

/// A queue of one a second with two places, on a clock that stands, and what calls by it.
struct Rig {
    queue: ApiQueue,
    clock: Arc<ManualClock<u64>>,
    made: Arc<AtomicUsize>,
    call: Box<dyn FnMut() -> Call>,
}

impl Rig {
    /// The first permit is used.
    fn new() -> Self {
        let clock = Arc::new(ManualClock::<u64>::new(0));
        let builder = ApiQueue::builder().per_second(1).capacity(2);
        let builder = builder.clock(Arc::clone(&clock)).manual();
        let queue = builder.start().unwrap();
        queue.try_acquire().unwrap();
        let made = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&made);
        let layer = QueueLayer::heeding(queue.clone(), |turn: Turn, _: &u32| turn.ok());
        let mut client = layer.layer(service_fn(move |()| {
            counted.fetch_add(1, Ordering::SeqCst);
            pending::<Result<u32, BoxError>>()
        }));
        Self {
            queue,
            clock,
            made,
            call: Box::new(move || Box::pin(client.call(()))),
        }
    }

    /// A call that was polled once.
    fn called(&mut self) -> Call {
        let mut call = (self.call)();
        assert!(poll(&mut call).is_pending());
        call
    }

    fn after(&self, time: u64) -> usize {
        self.clock.advance(time);
        self.queue.advance().released
    }

    fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }
}

fn poll(call: &mut Call) -> Poll<Result<u32, BoxError>> {
    call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn before_it_has_a_place() {
    let mut rig = Rig::new();
    let (mut first, mut second) = (rig.called(), rig.called());
    let (given_up, mut last) = (rig.called(), rig.called());
    assert_eq!(rig.queue.stats().without_place, 2);
    drop(given_up);
    assert_eq!(rig.queue.stats().without_place, 1);
    for (n, call) in [&mut first, &mut second, &mut last].into_iter().enumerate() {
        assert_eq!(rig.after(SECOND), 1);
        assert!(poll(call).is_pending());
        assert_eq!(rig.made(), n + 1, "each in its second");
    }
}

#[test]
fn in_line() {
    let mut rig = Rig::new();
    let (given_up, mut next) = (rig.called(), rig.called());
    drop(given_up);
    assert_eq!(rig.after(SECOND), 1);
    assert!(poll(&mut next).is_pending());
    assert_eq!((rig.made(), rig.queue.stats().cancelled), (1, 1));
}

#[test]
fn released_and_not_told() {
    let mut rig = Rig::new();
    let (given_up, mut next) = (rig.called(), rig.called());
    assert_eq!(rig.after(SECOND), 1);
    drop(given_up);
    // Its permit goes to the next one, a tick later.
    assert_eq!(rig.after(1), 1);
    assert!(poll(&mut next).is_pending());
    assert_eq!((rig.made(), rig.queue.stats().cancelled), (1, 1));
}

#[test]
fn under_way() {
    let mut rig = Rig::new();
    let (mut given_up, mut next) = (rig.called(), rig.called());
    assert_eq!(rig.after(SECOND), 1);
    assert!(poll(&mut given_up).is_pending());
    assert_eq!(rig.made(), 1);
    drop(given_up);
    // The server has it: the next one goes when it would have gone.
    assert_eq!(rig.after(SECOND - 1), 0);
    assert_eq!(rig.after(1), 1);
    assert!(poll(&mut next).is_pending());
    assert_eq!(rig.made(), 2);
}

/// The same of services that wait in `poll_ready`.
#[test]
fn before_it_was_ready_and_before_it_was_called() {
    let rig = Rig::new();
    let layer = ReadyLayer::heeding(rig.queue.clone(), |turn: Turn, _: &u32| turn.ok());
    let client = layer.layer(service_fn(|()| pending::<Result<u32, BoxError>>()));
    let mut cx = Context::from_waker(Waker::noop());
    let [mut in_line, mut ready, mut without_place, mut last] = [(); 4].map(|()| client.clone());
    for client in [&mut in_line, &mut ready, &mut without_place, &mut last] {
        assert!(client.poll_ready(&mut cx).is_pending());
    }
    drop((in_line, without_place));
    assert_eq!(rig.after(SECOND), 1);
    assert!(ready.poll_ready(&mut cx).is_ready());
    drop(ready);
    // Given back, and a tick later the last one's.
    assert!(last.poll_ready(&mut cx).is_pending());
    assert_eq!(rig.after(1), 1);
    assert!(last.poll_ready(&mut cx).is_ready());
}
