//! What one host says, the others hear of.

use std::sync::Mutex;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use apiqueue::{ApiQueue, Rate, Stop};
use apiqueue_fleet::{FleetLimit, RedisBackend};

use crate::server::Server;

const HORIZON: Duration = Duration::from_secs(1);

struct Host {
    queue: ApiQueue,
    limit: FleetLimit,
}

fn host(server: &Server) -> Host {
    let redis = RedisBackend::connect(&server.url()).unwrap();
    let limit = redis
        .limit("test")
        .horizon(HORIZON)
        // Not to be away on a machine that is busy.
        .timeout(Duration::from_secs(5));
    let builder = ApiQueue::builder().per_second(100).shared(limit.clone());
    let queue = builder.start().unwrap();
    Host { queue, limit }
}

/// Two hosts in one process, on connections of their own: what `does` does, and when the second of them released, while both
/// always have somebody in line.
fn releases_of_the_other(does: impl FnOnce(&Host, &Host)) -> Vec<Instant> {
    let server = Server::start();
    let hosts = [host(&server), host(&server)];
    let released = Mutex::new(Vec::new());
    let turn = |host: &Host| host.queue.wait_turn().is_ok();
    scope(|scope| {
        let _end = End(&hosts);
        scope.spawn(|| while turn(&hosts[0]) {});
        scope.spawn(|| {
            while turn(&hosts[1]) {
                released.lock().unwrap().push(Instant::now());
            }
        });
        let until = Instant::now() + Duration::from_secs(60);
        while released.lock().unwrap().len() < 20 {
            assert!(Instant::now() < until, "nobody is released");
            sleep(Duration::from_millis(10));
        }
        does(&hosts[0], &hosts[1]);
    });
    released.into_inner().unwrap()
}

/// Stops the hosts, so that their threads end, if a test fails too.
struct End<'a>(&'a [Host]);

impl Drop for End<'_> {
    fn drop(&mut self) {
        for host in self.0 {
            host.queue.stop(Stop::Now);
        }
    }
}

pub(crate) fn a_hold_by_one_host_reaches_the_other() {
    let (mut held, mut over) = (None, None);
    let released = releases_of_the_other(|first, second| {
        let before = Instant::now();
        first.queue.hold_for(Duration::from_secs(4)).unwrap();
        held = Some(before);
        let reached = second.limit.stats().epoch;
        sleep(Duration::from_secs(4));
        over = Some(Instant::now());
        let until = over.unwrap() + Duration::from_secs(60);
        let count = second.limit.stats().slots_used;
        while second.limit.stats().slots_used < count + 10 {
            assert!(
                Instant::now() < until,
                "the hold does not end:\n{}\n{}",
                first.limit.stats(),
                second.limit.stats()
            );
            sleep(Duration::from_millis(10));
        }
        assert_ne!(second.limit.stats().epoch, reached);
    });
    // The leases that it held reach no further than the horizon; a second for the threads to wake.
    let reached = held.unwrap() + HORIZON + Duration::from_secs(1);
    let late: Vec<_> = released
        .iter()
        .filter(|at| **at > reached && **at < over.unwrap())
        .map(|at| *at - held.unwrap())
        .collect();
    assert_eq!(late, [], "released in spite of the hold");
    let stopped = released.iter().filter(|at| **at <= reached).max();
    println!(
        "released for {:?} more",
        stopped.unwrap().saturating_duration_since(held.unwrap())
    );
}

pub(crate) fn a_new_rate_set_by_one_host_reaches_the_other() {
    releases_of_the_other(|first, second| {
        let began = Instant::now();
        let rate = Rate::per_second(500).unwrap();
        first.queue.set_rate(rate);
        while second.queue.rate() != rate {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "{:?}",
                second.queue
            );
            sleep(Duration::from_millis(1));
        }
        println!("heard of after {:?}", began.elapsed());
    });
}
