//! A fleet that nothing happens to.

use std::time::Duration;

use crate::fleet::{Log, Plan};
use crate::server::Server;

fn run(per_second: u32, span: Duration) -> Log {
    let server = Server::start();
    let log = Plan::four(per_second, span).start(&server.url()).finish();
    println!("| 4 hosts × 8 threads, {per_second}/s, {span:?} | {log}");
    log
}

/// How far the two clocks of a machine may drift from each other while a test runs, and what their readings cost.
const DRIFT: i64 = 5_000;

/// What holds however busy the machine is.
fn assert_even(log: &Log, least: usize) {
    assert_eq!(log.slots_twice(), 0);
    assert!(log.before_slots() <= DRIFT, "{log}");
    assert!(log.releases.len() >= least, "{log}");
    assert!(log.shares.iter().all(|share| *share > 0), "{log}");
}

pub(crate) fn four_hosts_share_100_a_second() {
    assert_even(&run(100, Duration::from_secs(6)), 100);
}

pub(crate) fn four_hosts_share_2000_a_second() {
    assert_even(&run(2_000, Duration::from_secs(6)), 1_000);
}

/// As long as the figures that are written down; asserted on, so only where the machine has nothing else to do.
pub(crate) fn four_hosts_keep_99_percent_of_the_rate_and_share_it_evenly() {
    for per_second in [100, 2_000] {
        let log = run(per_second, Duration::from_secs(14));
        assert_even(&log, 10 * usize::try_from(per_second).unwrap());
        assert_eq!(log.alone, 0);
        assert!(log.calls_per_release() <= 0.2, "{log}");
        assert!(log.mean() >= 0.99, "{log}");
        assert!(log.jain() >= 0.95, "{log}");
    }
}
