//! Real clients over real sockets, against servers on loopback. What is tested is what the examples show.
#![allow(clippy::panic, clippy::unwrap_used, unreachable_pub)]

mod blocking;
mod grpc;
mod headers;
mod kube;
mod octocrab;

// The clients of the examples, whose `main` nobody calls here.
#[allow(dead_code)]
#[path = "../../examples/grpc.rs"]
mod grpc_client;
#[allow(dead_code)]
#[path = "../../examples/kube.rs"]
mod kube_client;
#[allow(dead_code)]
#[path = "../../examples/minreq.rs"]
mod minreq_client;
#[allow(dead_code)]
#[path = "../../examples/octocrab.rs"]
mod octocrab_client;
#[allow(dead_code)]
#[path = "../../examples/ureq.rs"]
mod ureq_client;

use std::time::Duration;

use apiqueue::ApiQueue;

fn every(ms: u64) -> ApiQueue {
    let builder = ApiQueue::builder().every(Duration::from_millis(ms));
    builder.strict().start().unwrap()
}

/// Nobody goes for so many seconds, and not for twice as many.
fn is_held(queue: &ApiQueue, seconds: u64) {
    let waits = |seconds| queue.enqueue_within(Duration::from_secs(seconds)).is_err();
    assert!(waits(seconds * 9 / 10), "not held for {seconds} s");
    assert!(!waits(seconds * 2), "held for longer than {seconds} s");
}

fn is_free(queue: &ApiQueue) {
    assert!(queue.enqueue_within(Duration::from_secs(3)).is_ok());
}
