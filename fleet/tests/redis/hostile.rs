//! What breaks a fleet in a hostile place, on a real server: states that are lost again and again, hosts that come and go, unequal demand. A
//! server's clock can't be set here: steps of it, and the rest, are in the simulation.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use crate::fleet::{Log, Plan};
use crate::server::Server;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// What holds on any machine, and what is written down.
fn show(what: &str, log: &Log, hosts: usize) {
    println!(
        "| {what} | {} | {:.3} | {:.3} | {} ms | {:.3} | {:.3} | {} |",
        log.slots_twice(),
        log.most_in_a_second(),
        log.mean(),
        log.stall().as_millis(),
        log.jain(),
        log.calls_per_release(),
        log.alone,
    );
    assert_eq!(log.slots_twice(), 0, "{what}: {log}");
    // One release of each host more, slots up to 100 ms late, and a quarter of a second for threads that wait for a processor.
    let rate = log.per_second();
    let most = rate + hosts as f64 + 0.35 * rate + 2.0;
    assert!(log.most_in_a_second() * rate <= most, "{what}: {log}");
}

fn four(span: Duration) -> Plan {
    Plan::four(100, span)
}

/// FLUSHALL again and again from 8 s to 16 s.
fn flushed(every: Duration) -> Log {
    let server = Server::start();
    let fleet = four(18 * SECOND).start(&server.url());
    let mut at = 8 * SECOND;
    while at < 16 * SECOND {
        fleet.until(at);
        server.tell("FLUSHALL");
        at += every;
    }
    fleet.finish()
}

/// A server that is full, and evicts by this policy while others write: from 8 s on.
fn evicted(policy: &str) -> Log {
    let server = Server::start_with(&["--maxmemory", "3mb", "--maxmemory-policy", policy]);
    let fleet = four(18 * SECOND).start(&server.url());
    let is_over = AtomicBool::new(false);
    fleet.until(8 * SECOND);
    scope(|scope| {
        scope.spawn(|| {
            let mut connection = server.connection();
            let value = "x".repeat(1_000);
            let mut number = 0_u64;
            while !is_over.load(Ordering::Relaxed) {
                let mut batch = redis::pipe();
                for _ in 0..50 {
                    number += 1;
                    let set = batch.cmd("SET").arg(format!("filler {number}"));
                    set.arg(&value).arg("EX").arg(600).ignore();
                }
                // Refused when nothing can be evicted.
                let _ = batch.query::<()>(&mut connection);
                sleep(50 * MS);
            }
        });
        fleet.until(17 * SECOND);
        is_over.store(true, Ordering::Relaxed);
    });
    fleet.finish()
}

fn unequal() -> Log {
    let server = Server::start();
    let plan = Plan {
        hosts: 9,
        threads: 1,
        calls: vec![Duration::ZERO, 20 * MS, 35 * MS],
        ..Plan::four(225, 14 * SECOND)
    };
    plan.start(&server.url()).finish()
}

fn fifty() -> Log {
    let server = Server::start();
    let plan = Plan {
        hosts: 50,
        threads: 2,
        ..four(14 * SECOND)
    };
    plan.start(&server.url()).finish()
}

fn up_before_the_server() -> Log {
    let mut server = Server::start();
    server.kill();
    let fleet = four(14 * SECOND).start(&server.url());
    fleet.until(4 * SECOND);
    server.restart();
    fleet.finish()
}

/// Five hosts work in turn, 2.6 s apart; then the server is gone, and all have work.
fn in_turn() -> Log {
    let mut server = Server::start();
    let apart = 2_600 * MS;
    let gone = 5 * apart;
    let plan = Plan {
        hosts: 5,
        // The first is not idle before its turn, but after it.
        idle: (0..5)
            .map(|host| match host {
                0 => [apart, gone],
                _ => [Duration::ZERO, host * apart],
            })
            .collect(),
        ..four(gone + 12 * SECOND)
    };
    let fleet = plan.start(&server.url());
    fleet.until(gone);
    server.kill();
    fleet.finish()
}

/// The table, each against what holds on any machine. 3 minutes.
pub(crate) fn hostile_places_keep_the_rate_and_starve_nobody() {
    println!(
        "| | twice | most in a second | mean | stall | Jain | calls a release | without Redis |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for every in [500 * MS, 2 * SECOND] {
        let log = flushed(every);
        show(&format!("FLUSHALL each {every:?}"), &log, 4);
        assert!(log.within(9 * SECOND, 16 * SECOND) >= 350, "{log}");
    }
    for policy in ["volatile-lru", "allkeys-lru", "allkeys-random"] {
        let log = evicted(policy);
        show(policy, &log, 4);
        assert!(log.within(9 * SECOND, 16 * SECOND) >= 350, "{log}");
    }
    show("50 hosts", &fifty(), 50);
    let log = up_before_the_server();
    show("up before Redis", &log, 4);
    assert!(log.within(6 * SECOND, 14 * SECOND) >= 400, "{log}");
    show("5 hosts in turn, then no Redis", &in_turn(), 5);
}

/// Hosts of one caller each, whose calls take longer than a slot.
pub(crate) fn lone_callers_get_their_share() {
    let log = unequal();
    println!("{:?}", log.shares);
    show("9 lone callers, calls of 0, 20 and 35 ms, 225/s", &log, 9);
}

/// A rate that was set, and that the server has forgotten, is told by those who know it.
pub(crate) fn a_rate_that_the_server_forgot_comes_back() {
    use apiqueue::{ApiQueue, Rate};
    use apiqueue_fleet::RedisBackend;

    let server = Server::start();
    let host = || {
        let redis = RedisBackend::connect(&server.url()).unwrap();
        // Not to be away on a machine that is busy.
        let limit = redis.limit("test").timeout(5 * SECOND);
        let builder = ApiQueue::builder().per_second(1_000).shared(limit);
        builder.start().unwrap()
    };
    let [idle, busy] = [host(), host()];
    idle.wait_turn().unwrap();
    busy.wait_turn().unwrap();
    let slow = Rate::per_second(500).unwrap();
    busy.set_rate(slow);
    busy.wait_turn().unwrap();
    server.tell("FLUSHALL");
    // It knows only the rate that it was built with, and comes first.
    idle.wait_turn().unwrap();
    busy.wait_turn().unwrap();
    while idle.rate() != slow {
        idle.wait_turn().unwrap();
    }
    assert_eq!(busy.rate(), slow);
}
