//! The wait for a turn: no longer than a client waits for its answer, and no longer than the client is there.

use std::time::{Duration, Instant};

use apiqueue::{ApiQueue, EnqueueError, RefusedError, Turn};
use tokio::time::timeout_at;

use super::body::from_now;

/// Why there is no turn.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoTurn {
    /// It would come too late, or has not come in time. To come back after that is of use.
    TooLate { come_back: Duration },
    /// The queue was stopped.
    Closed,
}

/// Waits in line, for `longest` at most. A turn that will come later by what is known now is not waited for. Dropping it leaves the line.
pub(super) async fn turn(queue: &ApiQueue, longest: Duration) -> Result<Turn<'static>, NoTurn> {
    let end = from_now(longest);
    let waiter = match queue.enqueue_within(longest) {
        Ok(waiter) => waiter,
        Err(RefusedError::TooLate { wait, .. }) => {
            let come_back = wait.saturating_sub(longest);
            return Err(NoTurn::TooLate { come_back });
        }
        Err(RefusedError::Enqueue(EnqueueError::Full { .. })) => {
            match timeout_at(end, queue.enqueue_async()).await {
                Ok(Ok(waiter)) => waiter,
                Ok(Err(_)) => return Err(NoTurn::Closed),
                Err(_) => {
                    let come_back = queue.rate().interval();
                    return Err(NoTurn::TooLate { come_back });
                }
            }
        }
        Err(_) => return Err(NoTurn::Closed),
    };
    let mut waiter = waiter;
    match timeout_at(end, &mut waiter).await {
        Ok(Ok(turn)) => Ok(turn),
        Ok(Err(_)) => Err(NoTurn::Closed),
        Err(_) => {
            let at = waiter.estimate();
            let come_back = at.map(|at| at.saturating_duration_since(Instant::now()));
            Err(NoTurn::TooLate {
                come_back: come_back.unwrap_or(Duration::ZERO),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        let builder = &mut tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    }

    #[test]
    fn what_comes_too_late_is_told_at_once_with_the_time_to_come_back() {
        let queue = ApiQueue::builder().every(Duration::from_secs(60));
        let queue = queue.start().unwrap();
        drop(queue.wait_turn().unwrap());
        let waited = runtime().block_on(turn(&queue, Duration::from_secs(20)));
        let Err(NoTurn::TooLate { come_back }) = waited else {
            panic!("{waited:?}");
        };
        assert!(come_back > Duration::from_secs(30) && come_back <= Duration::from_secs(40));
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn who_has_waited_for_too_long_leaves_the_line_and_so_does_who_is_dropped() {
        let queue = ApiQueue::builder().at_once(1).start().unwrap();
        let first = queue.wait_turn().unwrap();
        let waited = runtime().block_on(turn(&queue, Duration::from_millis(20)));
        assert!(matches!(waited, Err(NoTurn::TooLate { .. })));
        runtime().block_on(async {
            let waiting = turn(&queue, Duration::from_secs(60));
            let dropped = tokio::time::timeout(Duration::from_millis(20), waiting).await;
            assert!(dropped.is_err());
        });
        drop(first);
        // Nobody else is there: the turn is this one's.
        drop(queue.wait_turn_timeout(Duration::from_secs(30)).unwrap());
        assert_eq!(queue.stats().cancelled, 2);
    }

    #[test]
    fn a_full_line_is_waited_for_too() {
        let queue = ApiQueue::builder().at_once(1).capacity(1).start().unwrap();
        let first = queue.wait_turn().unwrap();
        let _in_line = queue.enqueue().unwrap();
        let waited = runtime().block_on(turn(&queue, Duration::from_millis(20)));
        assert!(matches!(waited, Err(NoTurn::TooLate { .. })));
        drop(first);
    }

    #[test]
    fn a_stopped_queue_is_no_wait() {
        let queue = ApiQueue::builder().at_once(1).start().unwrap();
        queue.stop(apiqueue::Stop::Now);
        let waited = runtime().block_on(turn(&queue, Duration::from_secs(60)));
        assert!(matches!(waited, Err(NoTurn::Closed)));
    }
}
