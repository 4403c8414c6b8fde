//! A thread that stops for ever before an atomic step.

use std::sync::mpsc;
use std::thread;

use apiqueue_core_stepped::stepped::with_hook;

/// Runs `operation` on a thread that stops for ever before its atomic step number `stop`. True if it got there, false if
/// it was over before.
pub(crate) fn stopped_at(stop: usize, operation: impl FnOnce() + Send + 'static) -> bool {
    let (report, news) = mpsc::channel();
    thread::spawn(move || {
        let mut step = 0;
        let stopped = report.clone();
        let hook = move || {
            if step == stop {
                stopped.send(true).unwrap();
                loop {
                    thread::park();
                }
            }
            step += 1;
        };
        with_hook(hook, operation);
        report.send(false).unwrap();
    });
    news.recv().unwrap()
}
