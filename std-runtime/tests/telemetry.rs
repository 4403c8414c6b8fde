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
            "apiqueue_calls_under_way 0",
            "apiqueue_cancelled_total 1",
            "apiqueue_depth 0",
            "apiqueue_interval_seconds [0.01]",
            "apiqueue_rate_per_second 5",
            "apiqueue_refused_total 1",
            "apiqueue_released_total 2",
            "apiqueue_wait_seconds [0.0, 0.01]",
        ]
    );
}

/// One is dropped unseen, one gives its permit back, one is under way and one in line.
#[cfg(feature = "metrics")]
#[test]
fn metrics_and_stats_agree_on_permits_that_came_back() {
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    let _alone = ALONE.lock().unwrap();
    for at_once in [None, Some(2)] {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        metrics::with_local_recorder(&recorder, || {
            let clock = Arc::new(ManualClock::<u64>::new(0));
            let mut builder = ApiQueue::builder()
                .every(Duration::from_millis(10))
                .clock(Arc::clone(&clock))
                .manual();
            if let Some(at_once) = at_once {
                builder = builder.at_once(at_once);
            }
            let queue = builder.start().unwrap();
            let unseen = queue.enqueue().unwrap();
            let _ = queue.advance();
            drop(unseen);
            clock.advance(10_000_000);
            let back = queue.enqueue().unwrap();
            let _ = queue.advance();
            back.wait().unwrap().give_back();
            clock.advance(10_000_000);
            let under_way = queue.enqueue().unwrap();
            let _ = queue.advance();
            let _under_way = under_way.wait().unwrap();
            let _in_line = queue.enqueue().unwrap();
            let _ = queue.advance();
            let stats = queue.stats();
            assert_eq!((stats.released, stats.cancelled), (2, 1));
            assert_eq!((stats.given_back, stats.depth), (1, 1));
            let mut told: Vec<(String, f64)> = snapshotter
                .snapshot()
                .into_vec()
                .into_iter()
                .filter_map(|(key, _, _, value)| {
                    let value = match value {
                        DebugValue::Counter(n) => n as f64,
                        DebugValue::Gauge(n) => n.into_inner(),
                        DebugValue::Histogram(_) => return None,
                    };
                    Some((key.key().name().to_owned(), value))
                })
                .collect();
            told.sort_by(|a, b| a.0.cmp(&b.0));
            let told: Vec<_> = told.iter().map(|(name, n)| (name.as_str(), *n)).collect();
            assert_eq!(
                told,
                [
                    ("apiqueue_calls_under_way", at_once.map_or(0.0, |_| 1.0)),
                    ("apiqueue_cancelled_total", 1.0),
                    ("apiqueue_depth", 1.0),
                    ("apiqueue_rate_per_second", 100.0),
                    ("apiqueue_refused_total", 0.0),
                    ("apiqueue_released_total", 2.0),
                ]
            );
        });
    }
}

/// What is logged of a life, down to this level.
#[cfg(feature = "tracing")]
fn log_of(level: tracing::Level, life: impl FnOnce()) -> String {
    use std::io::Write;

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
        .with_max_level(level)
        .without_time()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, life);
    String::from_utf8(log.0.lock().unwrap().clone()).unwrap()
}

/// Thirty wait, one each 100 ms, while the first 300 are a hold.
#[cfg(feature = "tracing")]
#[test]
fn a_long_wait_is_told_once_a_second_with_what_made_it() {
    let _alone = ALONE.lock().unwrap();
    let log = log_of(tracing::Level::INFO, || {
        let clock = Arc::new(ManualClock::<u64>::new(0));
        let queue = ApiQueue::builder()
            .per_second(10)
            .name("ec2")
            .long_wait(Duration::from_millis(500))
            .clock(Arc::clone(&clock))
            .manual()
            .start()
            .unwrap();
        queue.hold_for(Duration::from_millis(300)).unwrap();
        let line: Vec<_> = (0..30).map(|_| queue.enqueue().unwrap()).collect();
        clock.advance(200_000_000);
        for waiter in line {
            clock.advance(100_000_000);
            assert_eq!(queue.advance().released, 1);
            waiter.wait().unwrap();
        }
        assert_eq!(queue.stats().long_waits, 28);
    });
    let told: Vec<&str> = log.lines().collect();
    // At 500 ms, 1.5 and 2.5 s.
    assert_eq!(
        told,
        [
            "INFO apiqueue: waited 500.0ms behind 2 others, at 10/s, of it 300.0ms held queue=ec2 waited=500ms held=300ms ahead=2 interval=100ms count=1",
            "INFO apiqueue: waited 1.5s behind 12 others, at 10/s, of it 300.0ms held queue=ec2 waited=1.5s held=300ms ahead=12 interval=100ms count=10",
            "INFO apiqueue: waited 2.5s behind 22 others, at 10/s, of it 300.0ms held queue=ec2 waited=2.5s held=300ms ahead=22 interval=100ms count=10",
        ]
        .map(|line| format!(" {line}"))
    );
}

#[cfg(feature = "tracing")]
#[test]
fn tracing_tells_of_changes_and_releases() {
    let _alone = ALONE.lock().unwrap();
    let log = log_of(tracing::Level::TRACE, a_short_life);
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

/// Recorders are user code: they may look at the queue, and they may panic.
#[cfg(feature = "metrics")]
mod recorders {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use metrics::{
        Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString,
        Unit,
    };

    use super::*;

    #[derive(Default)]
    struct Nosy {
        queue: OnceLock<ApiQueue>,
        panics: bool,
        told: AtomicUsize,
    }

    impl HistogramFn for Nosy {
        fn record(&self, _: f64) {
            self.told.fetch_add(1, Ordering::SeqCst);
            if let Some(queue) = self.queue.get() {
                let _ = queue.stats().to_string();
            }
            assert!(!self.panics, "on purpose");
        }
    }

    struct All(Arc<Nosy>);

    impl Recorder for All {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
            Counter::noop()
        }
        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }
        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::from_arc(Arc::clone(&self.0))
        }
    }

    /// Told of an interval for each of five waits, and of the waits.
    fn told(panics: bool) -> usize {
        let nosy = Arc::new(Nosy {
            panics,
            ..Nosy::default()
        });
        let start = || {
            ApiQueue::builder()
                .every(Duration::from_millis(1))
                .start()
                .unwrap()
        };
        let queue = metrics::with_local_recorder(&All(Arc::clone(&nosy)), start);
        assert!(nosy.queue.set(queue.clone()).is_ok());
        let other = start();
        for _ in 0..5 {
            queue.enqueue().unwrap().wait().unwrap();
            other.enqueue().unwrap().wait().unwrap();
        }
        assert!(!queue.is_closed() && !other.is_closed());
        assert_eq!(queue.stats().released, 5);
        nosy.told.load(Ordering::SeqCst)
    }

    #[test]
    fn one_that_looks_at_the_queue_gets_its_answer() {
        assert!(told(false) >= 5);
    }

    #[test]
    fn one_that_panics_harms_no_queue() {
        assert!(told(true) >= 5);
    }
}
