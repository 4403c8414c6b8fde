//! [`RedisBackend`] by itself.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use apiqueue_fleet::{
    Action, Backend, BackendError, Call, RedisBackend, RedisOptions, Reply, Slots, Terms,
};
use futures_lite::future::block_on;
use rustix::process::Signal;

use crate::attacks::reserve_patiently;
use crate::server::Server;

pub(crate) fn call(action: Action) -> Call {
    Call {
        host: 1,
        label: "one".into(),
        priority: 0,
        known: Terms {
            interval: 10_000,
            ..Terms::default()
        },
        grace: 0,
        window: 10_000_000,
        action,
    }
}

pub(crate) fn ask() -> Call {
    call(Action::Reserve {
        want: 4,
        spacing: 0,
        after: 0,
        horizon: 2_000_000,
        burst: 1,
        gathered: 0,
    })
}

fn back(lease: &Reply, first: u64, count: u32) -> Call {
    let slots = Slots {
        first,
        count,
        ..lease.slots[0]
    };
    call(Action::GiveBack {
        born: lease.born,
        epoch: lease.terms.epoch,
        slots: vec![slots],
    })
}

/// Of a round.
const CALLS: u64 = 10;

/// A whole round of calls.
pub(crate) fn round(backend: &RedisBackend) -> Result<(), BackendError> {
    block_on(async {
        let lease = backend.call("x", ask()).await?;
        assert_eq!((lease.granted(), lease.terms.interval), (4, 10_000));
        let first = lease.slots[0].first;
        let given = backend.call("x", back(&lease, first + 20_000, 2)).await?;
        assert_eq!(given.taken_back, 2);
        let given = backend.call("x", back(&lease, first + 20_000, 2)).await?;
        assert_eq!(given.taken_back, 0, "once");
        let again = backend.call("x", ask()).await?;
        assert!(again.slots[0].first >= first + 20_000);
        let retuned = backend.call("x", call(Action::Retune(20_000))).await?;
        assert!(retuned.terms.epoch > lease.terms.epoch);
        let hold = call(Action::Hold(60_000_000));
        let epoch = backend.call("x", hold).await?.terms.epoch;
        assert!(epoch > retuned.terms.epoch);
        let held = backend.call("x", ask()).await?;
        assert_eq!((held.granted(), held.terms.interval), (0, 20_000));
        assert!(held.next > held.now + 59_000_000);
        backend.call("x", call(Action::Resume)).await?;
        assert_eq!(backend.call("x", ask()).await?.granted(), 4);
        backend.call("x", call(Action::Retune(10_000))).await?;
        Ok(())
    })
}

pub(crate) fn every_call_is_one_command_once_the_server_knows_the_scripts() {
    let server = Server::start();
    let backend = RedisBackend::connect(&server.url()).unwrap();
    round(&backend).unwrap();
    let before = backend.commands();
    round(&backend).unwrap();
    assert_eq!(backend.commands() - before, CALLS);
    server.tell("SCRIPT FLUSH");
    let before = backend.commands();
    round(&backend).unwrap();
    assert_eq!(
        backend.commands() - before,
        CALLS + 1,
        "the script is sent once more"
    );
}

pub(crate) fn a_connection_that_was_cut_is_made_again_by_the_next_call() {
    let mut server = Server::start();
    let backend = RedisBackend::connect(&server.url()).unwrap();
    round(&backend).unwrap();
    server.kill();
    let why = round(&backend).unwrap_err();
    assert!(matches!(why, BackendError::Away(_)), "{why}");
    server.restart();
    // After a pause: the server was tried while it was gone.
    reserve_patiently(&backend, "y");
    round(&backend).unwrap();
}

pub(crate) fn a_server_that_became_a_replica_is_left() {
    let server = Server::start();
    let backend = RedisBackend::connect(&server.url()).unwrap();
    round(&backend).unwrap();
    // Of a primary that is not there: all it does is refuse to write.
    server.tell(&format!(
        "REPLICAOF 127.0.0.1 {}",
        crate::server::free_port()
    ));
    let why = round(&backend).unwrap_err();
    assert!(matches!(why, BackendError::Away(_)), "{why}");
    server.tell("REPLICAOF NO ONE");
    // It is tried again after a pause, of 10 ms the first time.
    reserve_patiently(&backend, "y");
    round(&backend).unwrap();
}

pub(crate) fn a_server_that_says_nothing_is_given_up_in_time() {
    // Takes connections, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let options = RedisOptions::new()
        .connect_timeout(Duration::from_millis(100))
        .response_timeout(Duration::from_millis(100));
    let backend =
        RedisBackend::connect_with(&format!("redis://127.0.0.1:{port}"), options).unwrap();
    let began = Instant::now();
    let why = round(&backend).unwrap_err();
    assert!(matches!(why, BackendError::Away(_)), "{why}");
    assert!(began.elapsed() >= Duration::from_millis(100));
}

pub(crate) fn a_server_that_hangs_is_given_up_and_comes_back() {
    let server = Server::start();
    let options = RedisOptions::new()
        .response_timeout(Duration::from_millis(100))
        .connect_timeout(Duration::from_secs(20));
    let backend = RedisBackend::connect_with(&server.url(), options).unwrap();
    // The options are for a machine that is busy: a call that is late is made again.
    let patiently = || {
        let until = Instant::now() + Duration::from_secs(60);
        while let Err(why) = block_on(backend.call("y", ask())) {
            assert!(Instant::now() < until, "{why}");
        }
    };
    patiently();
    server.signal(Signal::STOP);
    let why = block_on(backend.call("y", ask())).unwrap_err();
    server.signal(Signal::CONT);
    assert!(matches!(why, BackendError::Away(_)), "{why}");
    patiently();
}

pub(crate) fn urls_that_cannot_be_used_are_refused_without_their_password() {
    let bad = [
        "",
        "127.0.0.1:6379",
        "http://user:secret@127.0.0.1",
        "redis://user:secret@127.0.0.1:port",
        "redis-sentinel://user:secret@127.0.0.1:26379",
        "redis-cluster://user:secret@127.0.0.1:99999",
    ];
    for url in bad {
        let why = RedisBackend::connect(url).unwrap_err();
        assert!(matches!(why, BackendError::Refused(_)), "{url}: {why}");
        assert!(!why.to_string().contains("secret"), "{why}");
    }
}

pub(crate) fn names_that_a_cluster_would_not_keep_together_are_refused() {
    let backend = RedisBackend::connect("redis://127.0.0.1:1").unwrap();
    for name in ["", "}", "}x"] {
        let why = block_on(backend.call(name, ask())).unwrap_err();
        assert!(matches!(why, BackendError::Refused(_)), "{why}");
    }
}

pub(crate) fn keys_of_somebody_else_are_refused_and_left_alone() {
    let server = Server::start();
    let backend = RedisBackend::connect(&server.url()).unwrap();
    server.tell("SET apiqueue:3:{x}:state mine");
    let why = round(&backend).unwrap_err();
    assert!(matches!(why, BackendError::Refused(_)), "{why}");
    assert_eq!(
        server.tell("GET apiqueue:3:{x}:state"),
        redis::Value::BulkString(b"mine".to_vec())
    );
}

pub(crate) fn the_backend_can_be_used_and_dropped_inside_and_outside_of_a_runtime() {
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let backend = RedisBackend::connect(&server.url()).unwrap();
        assert_eq!(backend.call("x", ask()).await.unwrap().granted(), 4);
        // A runtime that is dropped in a runtime panics.
        drop(backend);
    });
    let backend = RedisBackend::connect(&server.url()).unwrap();
    let lost = backend.call("x", ask());
    drop(lost);
    assert_eq!(block_on(backend.call("x", ask())).unwrap().granted(), 4);
}
