//! A recorder of metrics is user code: what it breaks is its own.
#![cfg(feature = "metrics")]
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use apiqueue::ApiQueue;
use apiqueue_fleet::InProcess;
use metrics::{
    Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

/// Panics at each count of calls, and adds up the slots granted.
#[derive(Default)]
struct Breaking {
    granted: Arc<AtomicU64>,
}

struct Panics;

impl CounterFn for Panics {
    fn increment(&self, _: u64) {
        std::panic::resume_unwind(Box::new("a recorder that breaks"));
    }

    fn absolute(&self, _: u64) {
        self.increment(0);
    }
}

impl Recorder for Breaking {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        match key.name() {
            "apiqueue_fleet_backend_calls_total" => Counter::from_arc(Arc::new(Panics)),
            "apiqueue_fleet_slots_granted_total" => Counter::from_arc(Arc::clone(&self.granted)),
            _ => Counter::noop(),
        }
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn a_counter_that_panics_costs_the_others_nothing() {
    let recorder = Breaking::default();
    let limit = InProcess::new().limit("limit").begin_at_once();
    let builder = ApiQueue::builder().per_second(1_000).shared(limit.clone());
    let queue = metrics::with_local_recorder(&recorder, || builder.manual().start().unwrap());
    let waiters: Vec<_> = (0..20).map(|_| queue.enqueue().unwrap()).collect();
    while waiters.iter().any(apiqueue::Waiter::is_waiting) {
        let _ = queue.advance();
        std::thread::yield_now();
    }
    let granted = limit.stats().slots_granted;
    assert!(granted >= 20);
    assert_eq!(recorder.granted.load(Ordering::Relaxed), granted);
}
