//! What a call costs the server.

use std::thread::scope;
use std::time::{Duration, Instant};

use redis::{Client, Connection};

use crate::server::Server;

const CLIENTS: u64 = 4;
const PIPELINE: usize = 64;
const SPAN: Duration = Duration::from_secs(4);

/// `limits` of them, each with `hosts` hosts that want their slots so far apart.
fn measure(limits: u64, hosts: u64, spacing: u64) {
    let server = Server::start();
    let digest: String = redis::cmd("SCRIPT")
        .arg("LOAD")
        .arg(include_str!("../../src/redis/calendar.lua"))
        .query(&mut server.connection())
        .unwrap();
    let busy_before = processor_time(&mut server.connection());
    let began = Instant::now();
    let calls: usize = scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(|| client(&server.url(), &digest, limits, hosts, spacing)))
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .sum()
    });
    let span = began.elapsed().as_secs_f64();
    let busy = processor_time(&mut server.connection()) - busy_before;
    let calls = calls as f64;
    println!(
        "| {limits} limits, {hosts} hosts each, slots {spacing} µs apart | {:.0} calls/s here | {:.0} calls a second of its processor time | {:.1} µs each |",
        calls / span,
        calls / busy,
        1e6 * busy / calls
    );
    assert!(calls / busy > 2_000.0, "{calls} calls took {busy} s");
}

fn client(url: &str, digest: &str, limits: u64, hosts: u64, spacing: u64) -> usize {
    let mut connection = Client::open(url).unwrap().get_connection().unwrap();
    let began = Instant::now();
    let mut calls = 0;
    while began.elapsed() < SPAN {
        let mut batch = redis::pipe();
        for _ in 0..PIPELINE {
            let limit = fastrand::u64(0..limits);
            batch
                .cmd("EVALSHA")
                .arg(digest)
                .arg(2)
                .arg(format!("apiqueue:3:{{{limit}}}:state"))
                .arg(format!("apiqueue:3:{{{limit}}}:seen"))
                .arg("reserve")
                .arg(format!("0 {} host", fastrand::u64(0..hosts)))
                // The interval, the epoch, the hold, no grace, and the window; ten slots of 100 µs each time.
                .arg(&[
                    100,
                    0,
                    0,
                    0,
                    10_000_000,
                    604_800_000,
                    10,
                    spacing,
                    0,
                    2_000_000,
                    1,
                    0,
                ])
                .ignore();
        }
        batch.query::<()>(&mut connection).unwrap();
        calls += PIPELINE;
    }
    calls
}

/// The processor time that the server has used, in seconds.
fn processor_time(connection: &mut Connection) -> f64 {
    let info: String = redis::cmd("INFO").arg("cpu").query(connection).unwrap();
    let field = |name: &str| -> f64 {
        let line = info.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().parse().unwrap()
    };
    field("used_cpu_sys:") + field("used_cpu_user:")
}

pub(crate) fn what_one_core_of_redis_bears() {
    measure(1, 4, 0);
    measure(1, 1_000, 0);
    measure(1_000, 10, 0);
    measure(1, 4, 1_000);
}
