//! What rights a user of the server needs, and what is said where they are missing.

use std::time::{Duration, Instant};

use apiqueue_fleet::{Backend, BackendError};
use futures_lite::future::block_on;

use crate::attacks::{connect, reserve, reserve_patiently};
use crate::backend::round;
use crate::server::Server;

/// The commands of the README's rights: all that the scripts call, and what runs them. To be changed with them.
const COMMANDS: &str = "+evalsha +eval +time +hmget +hset +del +pexpire +zadd +zcard +zscore +zremrangebyscore \
                        +zrangebyscore";

fn rules() -> String {
    format!("resetkeys ~apiqueue:* resetchannels -@all {COMMANDS}")
}

/// With a user who has these rights and `more`.
fn allow(server: &Server, more: &str) {
    let rules = rules();
    server.tell(&format!("ACL SETUSER fleet reset on >p%ss {rules}{more}"));
}

fn url(server: &Server, path: &str) -> String {
    format!("redis://fleet:p%25ss@127.0.0.1:{}{path}", server.port)
}

fn assert_refused(why: &BackendError) {
    assert!(matches!(why, BackendError::Refused(_)), "{why}");
}

pub(crate) fn a_user_with_the_rights_of_the_readme_can_do_everything_and_no_more() {
    let server = Server::start();
    allow(&server, "");
    let everything = |url: &str| {
        let backend = connect(url);
        round(&backend)?;
        block_on(backend.look("x"))
    };
    let seen = everything(&url(&server, "")).unwrap().unwrap();
    assert_eq!((seen.terms.interval, seen.hosts.len()), (10_000, 1));
    assert_eq!(
        (seen.hosts[0].host, seen.hosts[0].label.as_str()),
        (1, "one")
    );
    assert_eq!(
        server.tell("ACL LOG"),
        redis::Value::Array(Vec::new()),
        "nothing was tried that is not allowed"
    );

    let wrong = format!("redis://fleet:wrong@127.0.0.1:{}", server.port);
    let why = everything(&wrong).unwrap_err();
    assert_refused(&why);
    assert!(!why.to_string().contains("wrong"), "a password in {why}");
    // Each of them is needed.
    for right in COMMANDS.split(' ') {
        let right = right.trim_start_matches('+');
        server.tell("FLUSHALL");
        server.tell("SCRIPT FLUSH");
        server.tell(&format!("ACL SETUSER fleet -{right}"));
        let why = everything(&url(&server, "")).unwrap_err();
        assert!(
            matches!(why, BackendError::Refused(_)),
            "without {right}: {why}"
        );
        server.tell(&format!("ACL SETUSER fleet +{right}"));
    }
}

pub(crate) fn the_readme_has_the_rights_that_are_tested() {
    let readme = include_str!("../../README.md");
    assert!(readme.contains(&rules()), "{}", rules());
}

pub(crate) fn a_database_takes_the_right_to_select_it_and_the_error_says_so() {
    let server = Server::start();
    allow(&server, "");
    let backend = connect(&url(&server, "/1"));
    let why = reserve(&backend, "x").unwrap_err();
    assert_refused(&why);
    assert!(why.to_string().contains("+select"), "{why}");
    allow(&server, " +select");
    reserve_patiently(&backend, "x");
    assert_eq!(server.tell("DBSIZE"), redis::Value::Int(0));
    server.tell("SWAPDB 0 1");
    assert_eq!(server.tell("DBSIZE"), redis::Value::Int(2));
    // A database that the server does not have.
    let why = reserve(&connect(&url(&server, "/99")), "x").unwrap_err();
    assert_refused(&why);
    assert!(why.to_string().contains("DB index"), "{why}");
}

pub(crate) fn a_right_that_is_missing_is_named() {
    let server = Server::start();
    for (less, named) in [
        (" -evalsha", "+evalsha"),
        (" resetkeys ~other:*", "~PREFIX:*"),
    ] {
        allow(&server, less);
        let why = reserve(&connect(&url(&server, "")), "x").unwrap_err();
        assert_refused(&why);
        assert!(why.to_string().contains(named), "{why}");
    }
}

pub(crate) fn a_password_that_is_put_right_is_taken_within_the_pause() {
    let server = Server::start();
    server.tell("ACL SETUSER fleet on >other ~* +@all");
    let backend = connect(&url(&server, ""));
    let until = Instant::now() + Duration::from_millis(500);
    while Instant::now() < until {
        assert_refused(&reserve(&backend, "x").unwrap_err());
    }
    allow(&server, "");
    reserve_patiently(&backend, "x");
}

#[cfg(feature = "sentinel")]
pub(crate) fn behind_sentinels_no_more_rights_are_needed() {
    let primary = Server::start();
    allow(&primary, "");
    let sentinel = Server::sentinel(&format!(
        "sentinel monitor main 127.0.0.1 {} 1\n",
        primary.port
    ));
    let url = format!(
        "redis-sentinel://fleet:p%25ss@127.0.0.1:{}/main",
        sentinel.port
    );
    round(&connect(&url)).unwrap();
    assert_eq!(primary.tell("ACL LOG"), redis::Value::Array(Vec::new()));
}

#[cfg(feature = "cluster")]
pub(crate) fn in_a_cluster_it_takes_the_right_to_ask_where_keys_are() {
    let node = Server::cluster_of_one(&[]);
    allow(&node, "");
    let url = url(&node, "").replace("redis://", "redis-cluster://");
    let why = reserve(&connect(&url), "x").unwrap_err();
    assert_refused(&why);
    assert!(why.to_string().contains("+cluster|slots"), "{why}");
    allow(&node, " +cluster|slots");
    let backend = connect(&url);
    reserve_patiently(&backend, "x");
    round(&backend).unwrap();
}

#[cfg(feature = "cluster")]
pub(crate) fn in_a_cluster_new_credentials_are_taken_too() {
    use std::sync::{Arc, Mutex};

    use apiqueue_fleet::{RedisCredentials, RedisOptions};

    let node = Server::cluster_of_one(&[]);
    let password = |password: &str| {
        let rights = format!("{} +cluster|slots", rules());
        node.tell(&format!("ACL SETUSER fleet reset on >{password} {rights}"));
    };
    password("old");
    let current = Arc::new(Mutex::new("old"));
    let given = Arc::clone(&current);
    let options = RedisOptions::new()
        .credentials_from(move || Ok(RedisCredentials::new("fleet", *given.lock().unwrap())));
    let url = node.url().replace("redis://", "redis-cluster://");
    let backend = apiqueue_fleet::RedisBackend::connect_with(&url, options).unwrap();
    reserve_patiently(&backend, "x");
    password("new");
    *current.lock().unwrap() = "new";
    node.tell("CLIENT KILL USER fleet");
    reserve_patiently(&backend, "x");
    assert!(backend.status().connects >= 2);
}
