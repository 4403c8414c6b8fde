//! The scanner: threads that list snapshots, and how each of its modes behaves around a call.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use apiqueue::ApiQueue;

/// What stands between a thread and its call.
pub(crate) enum Mode {
    /// Nothing; a throttled call is tried again after an exponential backoff with jitter.
    Retry,
    /// A place in the queue; a throttled call counts and is tried again through the queue.
    Queue(ApiQueue),
}

/// What a run came to.
pub(crate) struct Outcome {
    pub(crate) wall: Duration,
    pub(crate) done: usize,
    pub(crate) throttled: usize,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Makes `calls` calls from `threads` threads over one pool of connections.
pub(crate) fn run(
    mode: &Mode,
    url: &str,
    calls: usize,
    threads: usize,
) -> Result<Outcome, Failure> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(10)))
        .max_idle_connections_per_host(threads)
        .build()
        .into();
    let (next, throttled, done) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    let start = Instant::now();
    let work = || -> Result<(), Failure> {
        while next.fetch_add(1, Ordering::Relaxed) < calls {
            let mut attempt = 0;
            loop {
                if let Mode::Queue(queue) = mode {
                    queue.enqueue()?.wait()?;
                }
                let mut response = agent.get(url).call()?;
                let status = response.status().as_u16();
                response.body_mut().read_to_string()?;
                match status {
                    200 => break,
                    503 => {
                        throttled.fetch_add(1, Ordering::Relaxed);
                        if matches!(mode, Mode::Retry) {
                            std::thread::sleep(backoff(attempt));
                        }
                        attempt += 1;
                    }
                    other => return Err(format!("{url} answered with status {other}").into()),
                }
            }
            done.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Err("a thread of the scanner panicked".into()))
        })
    })?;
    Ok(Outcome {
        wall: start.elapsed(),
        done: done.into_inner(),
        throttled: throttled.into_inner(),
    })
}

/// Exponential backoff with full jitter, from 50 ms up to 2 s: what SDKs do by default.
fn backoff(attempt: u32) -> Duration {
    let most = 0.05 * f64::from(1_u32 << attempt.min(6));
    Duration::from_secs_f64(most.min(2.0) * fastrand::f64())
}
