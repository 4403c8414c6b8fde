//! A fleet in the middle of whose run something breaks.
//!
//! With 100/s, four hosts of eight threads and the defaults: leases of 7, a horizon of 500 ms, a timeout of 250 ms, slots up to
//! 100 ms late, a grace of 760 ms. They know how many they are from 4 s after their first call on.

use std::time::Duration;

use rustix::process::Signal;

use crate::fleet::{Fleet, Log, Plan};
use crate::proxy::{Proxy, Weather};
use crate::server::Server;

/// One fault, and what it may cost.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    run: fn() -> Log,
    pub(crate) bounds: Bounds,
}

#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// Slots issued twice.
    pub(crate) twice: usize,
    /// Slots at which nobody was released.
    pub(crate) lost: i64,
    pub(crate) stall: Duration,
    /// Releases too early for the rate, in any window.
    pub(crate) early: u64,
}

const SECOND: Duration = Duration::from_secs(1);
const FAULT: Duration = Duration::from_secs(8);
const SPAN: Duration = Duration::from_secs(14);
/// Two leases each, which is what a host holds at most.
const HELD: i64 = 14;
const FLEET: i64 = 4 * HELD;
/// In releases: slots up to 100 ms late, and the wakes of threads.
const EARLY: u64 = 14;

const fn bounds(twice: i64, lost: i64, stall_ms: u64, early: u64) -> Bounds {
    Bounds {
        twice: twice as usize,
        lost,
        stall: Duration::from_millis(stall_ms),
        early,
    }
}

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "SIGKILL of a host",
        run: host_killed,
        bounds: bounds(0, HELD, 10 * HELD as u64, EARLY),
    },
    Fault {
        name: "SIGSTOP of a host for 2 s",
        run: host_stopped,
        bounds: bounds(0, HELD, 10 * HELD as u64, EARLY),
    },
    Fault {
        name: "SIGKILL and restart of Redis, without persistence",
        run: redis_killed,
        bounds: bounds(0, 100, 800, EARLY),
    },
    Fault {
        name: "SIGSTOP of Redis for 3 s",
        run: redis_stopped,
        bounds: bounds(0, 150, 1_200, EARLY),
    },
    Fault {
        name: "SCRIPT FLUSH",
        run: script_flush,
        bounds: bounds(0, 1, 100, EARLY),
    },
    Fault {
        name: "FLUSHALL",
        run: flushall,
        bounds: bounds(0, 40, 400, EARLY),
    },
    Fault {
        name: "promotion of a replica that lacks 300 ms",
        run: replica_promoted,
        bounds: bounds(FLEET, FLEET, 500, FLEET as u64),
    },
    #[cfg(feature = "cluster")]
    Fault {
        name: "cluster of 3 + 3, CLUSTER FAILOVER",
        run: cluster_failover,
        bounds: bounds(0, FLEET, 1_500, EARLY),
    },
    Fault {
        name: "connections cut",
        run: connections_cut,
        bounds: bounds(0, FLEET, 500, EARLY),
    },
    Fault {
        name: "100 ms round trip, 5 % loss",
        run: bad_weather,
        bounds: bounds(0, 200, 700, 40),
    },
];

fn fleet(url: &str) -> Fleet {
    Plan::four(100, SPAN).start(url)
}

fn with_server(fault: impl FnOnce(&mut Server, &mut Fleet)) -> Log {
    let mut server = Server::start();
    let mut fleet = fleet(&server.url());
    fleet.until(FAULT);
    fault(&mut server, &mut fleet);
    fleet.finish()
}

fn host_killed() -> Log {
    with_server(|_, fleet| fleet.signal(0, Signal::KILL))
}

fn host_stopped() -> Log {
    with_server(|_, fleet| {
        fleet.signal(0, Signal::STOP);
        fleet.until(FAULT + 2 * SECOND);
        fleet.signal(0, Signal::CONT);
    })
}

fn redis_killed() -> Log {
    with_server(|server, _| {
        server.kill();
        server.restart();
    })
}

fn redis_stopped() -> Log {
    with_server(|server, fleet| {
        server.signal(Signal::STOP);
        fleet.until(FAULT + 3 * SECOND);
        server.signal(Signal::CONT);
    })
}

fn script_flush() -> Log {
    with_server(|server, _| drop(server.tell("SCRIPT FLUSH")))
}

fn flushall() -> Log {
    with_server(|server, _| drop(server.tell("FLUSHALL")))
}

fn replica_promoted() -> Log {
    let primary = Server::start();
    let replica = Server::start();
    replica.tell(&format!("REPLICAOF 127.0.0.1 {}", primary.port));
    let proxy = Proxy::to(primary.port, Weather::default());
    let fleet = fleet(&proxy.url());
    fleet.until(FAULT);
    assert_eq!(
        replica.tell("DBSIZE"),
        redis::Value::Int(2),
        "the replica has the keys"
    );
    replica.tell("REPLICAOF NO ONE");
    // The primary goes on, and what it grants now the replica never hears of.
    fleet.until(FAULT + Duration::from_millis(300));
    proxy.lead_to(replica.port);
    fleet.finish()
}

#[cfg(feature = "cluster")]
fn cluster_failover() -> Log {
    let cluster = crate::cluster::Cluster::start();
    let fleet = fleet(&cluster.url());
    fleet.until(FAULT);
    cluster.fail_over(cluster.owner("test"));
    fleet.finish()
}

fn connections_cut() -> Log {
    let server = Server::start();
    let proxy = Proxy::to(server.port, Weather::default());
    let fleet = fleet(&proxy.url());
    fleet.until(FAULT);
    proxy.cut();
    fleet.finish()
}

fn bad_weather() -> Log {
    let server = Server::start();
    let weather = Weather {
        latency: Duration::from_millis(50),
        loss: 5,
    };
    let proxy = Proxy::to(server.port, weather);
    fleet(&proxy.url()).finish()
}

/// The bounds that hold however busy the machine is: nothing is granted twice or runs ahead, and the fleet goes on.
fn assert_safe(fault: &Fault) {
    let log = (fault.run)();
    println!("{}: {log}", fault.name);
    assert!(log.slots_twice() <= fault.bounds.twice, "{log}");
    // A quarter of a second for threads that wait for a processor.
    assert!(log.excess() <= fault.bounds.early + 25, "{log}");
    let last = log.releases.last().copied().unwrap_or(0);
    assert!(last > log.began + 11_000_000, "no release any more: {log}");
}

fn of(name: &str) -> &'static Fault {
    FAULTS.iter().find(|fault| fault.name == name).unwrap()
}

macro_rules! safe {
    ($($(#[$only:meta])? $name:ident: $fault:literal;)+) => {
        $($(#[$only])? pub(crate) fn $name() {
            assert_safe(of($fault));
        })+
    };
}

safe! {
    a_killed_host_takes_its_leases_with_it_and_nothing_else: "SIGKILL of a host";
    a_host_that_was_stopped_uses_no_slot_that_has_passed: "SIGSTOP of a host for 2 s";
    a_redis_that_lost_everything_is_waited_out: "SIGKILL and restart of Redis, without persistence";
    a_redis_that_hangs_is_gone_round: "SIGSTOP of Redis for 3 s";
    flushed_scripts_are_sent_again: "SCRIPT FLUSH";
    flushed_keys_are_waited_out: "FLUSHALL";
    a_promoted_replica_overlaps_by_the_leases_held_at_most: "promotion of a replica that lacks 300 ms";
    #[cfg(feature = "cluster")]
    a_cluster_fails_over: "cluster of 3 + 3, CLUSTER FAILOVER";
    cut_connections_are_made_again: "connections cut";
    latency_and_loss_make_nobody_early: "100 ms round trip, 5 % loss";
}

/// The whole table, one by one, with all bounds: those of time too.
pub(crate) fn every_fault_keeps_its_bounds() {
    println!(
        "| fault | twice (bound) | lost (bound) | longest stall (bound) | ahead (bound) | without Redis | Jain |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut broken = Vec::new();
    for fault in FAULTS {
        let log = (fault.run)();
        let Bounds {
            twice,
            lost,
            stall,
            early,
        } = fault.bounds;
        println!(
            "| {} | {} ({twice}) | {} ({lost}) | {} ms ({}) | {} ({early}) | {} | {:.3} |",
            fault.name,
            log.slots_twice(),
            log.slots_lost(),
            log.stall().as_millis(),
            stall.as_millis(),
            log.excess(),
            log.alone,
            log.jain(),
        );
        if log.slots_twice() > twice
            || log.slots_lost() > lost
            || log.stall() > stall
            || log.excess() > early
        {
            broken.push((fault.name, log.to_string()));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
