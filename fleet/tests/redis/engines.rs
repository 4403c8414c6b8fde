//! A cluster, sentinels and TLS.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use apiqueue_fleet::{RedisBackend, Reply};
use redis::Value;

use crate::attacks::{PATIENCE, reserve, reserve_patiently};
use crate::cluster::Cluster;
use crate::server::{Server, free_port};
use crate::tls::Authority;

pub(crate) fn limits_are_spread_over_a_cluster_and_survive_a_failover() {
    let cluster = Cluster::start();
    let backend = RedisBackend::connect(&cluster.url()).unwrap();
    // So many that each node has some.
    let limits: Vec<String> = (0..20).map(|number| format!("limit {number}")).collect();
    let before: Vec<Reply> = limits
        .iter()
        .map(|limit| reserve_patiently(&backend, limit))
        .collect();
    for primary in &cluster.nodes[..3] {
        assert_ne!(primary.tell("DBSIZE"), Value::Int(0), "a node has no limit");
    }
    for replica in 0..3 {
        cluster.fail_over(replica);
    }
    for (limit, before) in limits.iter().zip(before) {
        let after = reserve_patiently(&backend, limit);
        assert!(
            after.slots[0].first >= before.slots[0].first + 4 * before.terms.interval,
            "{after:?} after {before:?}"
        );
        assert_eq!(after.born, before.born);
    }
}

pub(crate) fn a_cluster_is_found_from_one_node_that_lives() {
    let cluster = Cluster::start();
    let dead = free_port();
    let url = format!(
        "redis-cluster://127.0.0.1:{dead},127.0.0.1:{}",
        cluster.nodes[2].port
    );
    let backend = RedisBackend::connect(&url).unwrap();
    assert_eq!(reserve_patiently(&backend, "x").granted(), 4);
}

pub(crate) fn sentinels_lead_to_the_new_primary() {
    let primary = Server::start();
    let replica = Server::start();
    replica.tell(&format!("REPLICAOF 127.0.0.1 {}", primary.port));
    let sentinel = Server::sentinel(&format!(
        "sentinel monitor main 127.0.0.1 {} 1\nsentinel down-after-milliseconds main 1000\n",
        primary.port
    ));
    let url = format!(
        "redis-sentinel://127.0.0.1:{},127.0.0.1:{}/main/0",
        free_port(),
        sentinel.port
    );
    let backend = RedisBackend::connect(&url).unwrap();
    let before = reserve_patiently(&backend, "x");
    let until = Instant::now() + PATIENCE;
    // A sentinel that is told to promotes a replica without its data too.
    while !matches!(replica.try_tell("DBSIZE"), Ok(Value::Int(2))) {
        assert!(Instant::now() < until, "the replica does not get the keys");
        sleep(Duration::from_millis(20));
    }
    // It has to know of the replica first.
    while sentinel.try_tell("SENTINEL FAILOVER main").is_err() {
        assert!(Instant::now() < until, "no failover");
        sleep(Duration::from_millis(100));
    }
    // A server whose role changes ends its connections.
    let is = |server: &Server, role: &str| match server.try_tell("ROLE") {
        Ok(Value::Array(told)) => told[0] == Value::BulkString(role.into()),
        Ok(other) => panic!("{other:?}"),
        Err(_) => false,
    };
    while !is(&replica, "master") || !is(&primary, "slave") {
        assert!(Instant::now() < until, "the roles do not change");
        sleep(Duration::from_millis(20));
    }
    let after = reserve_patiently(&backend, "x");
    assert!(after.slots[0].first >= before.slots[0].first + 4 * before.terms.interval);
    // It was the new one who answered: the old one hears of it only now, from its primary.
    assert_eq!(after.born, before.born);
}

/// Whom to trust is told by the environment, so the client is this program again, as `redis --tls URL`.
pub(crate) fn tls_is_spoken_with_those_whom_the_system_trusts_and_nobody_else() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (_server, port) = ours.server("no", &[]);
    let client = |trusted: &Authority| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--tls", &format!("rediss://localhost:{port}")])
            .env("SSL_CERT_FILE", trusted.place("ca.crt"))
            .env_remove("SSL_CERT_DIR")
            .output()
            .unwrap()
    };
    let trusting = client(&ours);
    assert!(
        trusting.status.success(),
        "{}",
        String::from_utf8_lossy(&trusting.stderr)
    );
    // Somebody else's authority.
    let doubting = client(&theirs);
    let why = String::from_utf8_lossy(&doubting.stderr).into_owned();
    assert!(
        !doubting.status.success() && why.contains("certificate"),
        "{why}"
    );
}

/// What `main` does as a client over TLS.
pub(crate) fn tls_client(url: &str) {
    let backend = RedisBackend::connect(url).unwrap();
    let lease = reserve(&backend, "x").unwrap();
    assert_eq!(lease.granted(), 4);
}
