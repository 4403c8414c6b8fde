//! Two hosts of a fleet in one process, for the tests of every integration: what goes through either counts on one rate.

use std::time::{Duration, Instant};

use apiqueue::ApiQueue;
use apiqueue_fleet::{FleetLimit, InProcess};

/// Two queues of one limit.
#[derive(Debug)]
pub struct Fleet {
    /// What they share.
    pub limit: FleetLimit,
    /// One for each host.
    pub hosts: [ApiQueue; 2],
    began: Instant,
}

/// The fleet's rate.
const INTERVAL: Duration = Duration::from_millis(20);

impl Fleet {
    /// One call each 20 ms, and two under way at once on each host.
    ///
    /// # Panics
    /// Where the queues can't be started.
    #[must_use]
    pub fn start() -> Self {
        let limit = InProcess::new().limit("fleet");
        let hosts = [(); 2].map(|()| {
            let builder = ApiQueue::builder().every(INTERVAL).at_once(2);
            builder.shared(limit.clone()).start().unwrap()
        });
        Self {
            limit,
            hosts,
            began: Instant::now(),
        }
    }

    /// Both hosts made calls, `count` together, and no faster than the fleet's rate: 10 ms of lateness may have been made up.
    ///
    /// # Panics
    /// Where that is not so.
    pub fn check(&self, count: u32) {
        let least = INTERVAL * (count - 1) - Duration::from_millis(10);
        assert!(self.began.elapsed() >= least);
        let released = self.hosts.each_ref().map(|host| host.stats().released);
        assert!(
            released.iter().all(|&released| released > 0),
            "{released:?}"
        );
        assert_eq!(released.iter().sum::<u64>(), u64::from(count));
        assert_eq!(self.limit.stats().slots_used, u64::from(count));
        assert!(self.hosts.iter().all(|host| host.under_way() == 0));
    }
}
