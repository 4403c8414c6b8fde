//! What some of several servers may do to the link: sentinels, and nodes of a cluster.

use std::net::TcpListener;
#[cfg(feature = "sentinel")]
use std::time::Duration;

#[cfg(feature = "cluster")]
use apiqueue_fleet::RedisBackend;

#[cfg(feature = "cluster")]
use crate::attacks::{assert_refused, reserve};
use crate::attacks::{connect, reserve_patiently};
use crate::fake::{Fake, Reply};
use crate::server::Server;

/// Takes connections, and never answers.
fn silent() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[cfg(feature = "sentinel")]
pub(crate) fn a_sentinel_that_says_nothing_does_not_hide_the_others() {
    let primary = Server::start();
    let sentinel = Server::sentinel(&format!(
        "sentinel monitor main 127.0.0.1 {} 1\n",
        primary.port
    ));
    let (_listener, port) = silent();
    let url = format!(
        "redis-sentinel://127.0.0.1:{port},127.0.0.1:{}/main/0",
        sentinel.port
    );
    assert_eq!(reserve_patiently(&connect(&url), "x").granted(), 4);
}

#[cfg(feature = "sentinel")]
pub(crate) fn a_sentinel_that_is_behind_does_not_hide_the_new_primary() {
    let demoted = Server::start();
    demoted.tell(&format!(
        "REPLICAOF 127.0.0.1 {}",
        crate::server::free_port()
    ));
    let primary = Server::start();
    let says = |port: u16, after: u64| {
        let text = port.to_string();
        let reply = format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{text}", text.len());
        Fake::start(move |_, words| {
            std::thread::sleep(Duration::from_millis(after));
            match words[0].as_str() {
                "SENTINEL" => Reply::line(&reply),
                _ => Reply::line("-ERR unknown command"),
            }
        })
    };
    // The one that is behind is the faster.
    let (behind, right) = (says(demoted.port, 0), says(primary.port, 200));
    let url = format!(
        "redis-sentinel://127.0.0.1:{},127.0.0.1:{}/main/0",
        behind.port, right.port
    );
    assert_eq!(reserve_patiently(&connect(&url), "x").granted(), 4);
}

#[cfg(feature = "cluster")]
pub(crate) fn a_node_that_says_nothing_does_not_hide_the_cluster() {
    let node = Server::cluster_of_one(&[]);
    let (_listener, port) = silent();
    let url = format!("redis-cluster://127.0.0.1:{port},127.0.0.1:{}", node.port);
    assert_eq!(
        reserve_patiently(&RedisBackend::connect(&url).unwrap(), "x").granted(),
        4
    );
}

#[cfg(feature = "cluster")]
pub(crate) fn a_url_for_another_kind_of_server_is_refused() {
    let node = Fake::start(|_, _| Reply::line("-MOVED 3999 127.0.0.1:6381"));
    let why = reserve(&connect(&node.url()), "x").unwrap_err();
    assert_refused(&why);
    assert!(why.to_string().contains("redis-cluster://"), "{why}");
    let single = Server::start();
    let url = format!("redis-cluster://127.0.0.1:{}", single.port);
    let why = reserve(&connect(&url), "x").unwrap_err();
    assert_refused(&why);
    assert!(why.to_string().contains("redis://"), "{why}");
}
