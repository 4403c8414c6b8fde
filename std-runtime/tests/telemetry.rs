//! What the features `metrics` and `tracing` emit.
#![allow(clippy::unwrap_used)]
#![cfg(any(feature = "metrics", feature = "tracing"))]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use apiqueue::core::ManualClock;
use apiqueue::{ApiQueue, Rate, Stop};

/// One test at a time: which of `tracing`'s call sites are on is remembered for the whole process, and a life without a subscriber on
/// another thread would have them remembered as off.
static ALONE: Mutex<()> = Mutex::new(());

/// One passes at once, one waits 10 ms, one leaves, one is refused, and the rest is stopped.
fn a_short_life() {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let queue = ApiQueue::builder()
        .every(Duration::from_millis(10))
        .capacity(2)
        .name("ec2")
        .clock(Arc::clone(&clock))
        .manual()
        .start()
        .unwrap();
    queue.enqueue().unwrap().wait().unwrap();
    let waits = queue.enqueue().unwrap();
    let leaves = queue.enqueue().unwrap();
    assert!(queue.enqueue().is_err());
    drop(leaves);
    clock.advance(10_000_000);
    assert_eq!(queue.advance().released, 1);
    waits.wait().unwrap();
    queue.set_rate(Rate::per_second(5).unwrap());
    queue.hold_for(Duration::from_secs(1)).unwrap();
    queue.resume();
    queue.stop(Stop::Now);
}

#[cfg(feature = "metrics")]
#[test]
fn metrics_count_what_stats_count() {
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    let _alone = ALONE.lock().unwrap();
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, a_short_life);
    let mut told: Vec<String> = snapshotter
        .snapshot()
        .into_vec()
        .into_iter()
        .map(|(key, _, _, value)| {
            assert!(
                key.key()
                    .labels()
                    .all(|label| (label.key(), label.value()) == ("queue", "ec2"))
            );
            let value = match value {
                DebugValue::Counter(n) => n.to_string(),
                DebugValue::Gauge(n) => n.to_string(),
                DebugValue::Histogram(all) => format!(
                    "{:?}",
                    all.iter().map(|n| n.into_inner()).collect::<Vec<_>>()
                ),
            };
            format!("{} {value}", key.key().name())
        })
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            "apiqueue_cancelled_total 1",
            "apiqueue_interval_seconds [0.01]",
            "apiqueue_refused_total 1",
            "apiqueue_released_total 2",
            "apiqueue_wait_seconds [0.0, 0.01]",
        ]
    );
}

#[cfg(feature = "tracing")]
#[test]
fn tracing_tells_of_changes_and_releases() {
    use std::io::Write;

    let _alone = ALONE.lock().unwrap();
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .without_time()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, a_short_life);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let events: Vec<(&str, &str)> = log
        .lines()
        .map(|line| line.trim().split_once(" apiqueue: ").unwrap())
        .collect();
    assert!(
        events.iter().all(|(_, event)| event.contains("queue=ec2")),
        "{log}"
    );
    let told: Vec<(&str, &str)> = events
        .into_iter()
        .map(|(level, event)| (level, event.split_once(" queue=").unwrap().0))
        .collect();
    assert_eq!(
        told,
        [
            ("TRACE", "released"),
            ("DEBUG", "refused"),
            ("TRACE", "cancelled"),
            ("TRACE", "released"),
            ("DEBUG", "rate set"),
            ("DEBUG", "held"),
            ("DEBUG", "resumed"),
            ("DEBUG", "stopped"),
        ],
        "{log}"
    );
}
