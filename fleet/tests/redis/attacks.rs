//! What a server, or what lies before it, may do to the link.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use apiqueue_fleet::{Backend, BackendError, RedisBackend, RedisOptions, Reply as Lease};
use futures_lite::future::block_on;

use crate::backend::ask;
use crate::fake::{Fake, Reply};
use crate::server::Server;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn reserve(backend: &RedisBackend, limit: &str) -> Result<Lease, BackendError> {
    block_on(backend.call(limit, ask()))
}

/// Whose times no busy machine exceeds.
pub(crate) fn patient() -> RedisOptions {
    RedisOptions::new()
        .connect_timeout(PATIENCE)
        .response_timeout(PATIENCE)
}

pub(crate) fn connect(url: &str) -> RedisBackend {
    RedisBackend::connect_with(url, patient()).unwrap()
}

/// Until it is granted, as a host would go on asking.
pub(crate) fn reserve_patiently(backend: &RedisBackend, limit: &str) -> Lease {
    let until = Instant::now() + PATIENCE;
    loop {
        match reserve(backend, limit) {
            Ok(lease) => return lease,
            Err(why) => assert!(Instant::now() < until, "{why}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn assert_away(why: &BackendError) {
    assert!(matches!(why, BackendError::Away(_)), "{why}");
}

pub(crate) fn assert_refused(why: &BackendError) {
    assert!(matches!(why, BackendError::Refused(_)), "{why}");
}

/// How many connections there may be in this time, with pauses that double from `first` to `longest` and may be half as long.
fn allowed(took: Duration, first: Duration, longest: Duration) -> usize {
    let (mut pause, mut sum, mut count) = (first / 2, Duration::ZERO, 1);
    while sum <= took {
        count += 1;
        sum += pause;
        pause = (pause * 2).min(longest / 2);
    }
    count
}

/// As many calls as a hasty host makes, all of which fail, and how long they took.
fn hammer(backend: &RedisBackend, calls: u32) -> Duration {
    let began = Instant::now();
    for _ in 0..calls {
        assert!(reserve(backend, "x").is_err());
    }
    began.elapsed()
}

const REFUSED: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
const AWAY: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

fn assert_few(fake: &Fake, took: Duration, (first, longest): (Duration, Duration)) {
    let (made, most) = (fake.connections(), allowed(took, first, longest));
    assert!(
        made <= most,
        "{made} connections in {took:?}, of {most} at most"
    );
}

pub(crate) fn a_wrong_password_is_not_tried_at_each_call() {
    let fake = Fake::start(|_, words| match words[0].as_str() {
        "AUTH" => Reply::line("-WRONGPASS invalid username-password pair or user is disabled."),
        _ => Reply::line("-NOAUTH Authentication required."),
    });
    let url = format!("redis://user:secret@127.0.0.1:{}", fake.port);
    let backend = connect(&url);
    let why = reserve(&backend, "x").unwrap_err();
    assert_refused(&why);
    let took = hammer(&backend, 200);
    assert_few(&fake, took, REFUSED);
}

pub(crate) fn a_server_that_wants_a_password_is_not_asked_without_one_at_each_call() {
    let fake = Fake::start(|_, _| Reply::line("-NOAUTH Authentication required."));
    let backend = connect(&fake.url());
    let why = reserve(&backend, "x").unwrap_err();
    assert_refused(&why);
    let commands = backend.commands();
    let took = hammer(&backend, 200);
    assert_few(&fake, took, REFUSED);
    let most = allowed(took, REFUSED.0, REFUSED.1) as u64;
    assert!(backend.commands() - commands <= most, "it was asked");
}

pub(crate) fn a_server_that_ends_connections_is_not_stormed() {
    let fake = Fake::start(|_, _| Reply::Last(Vec::new()));
    let backend = connect(&fake.url());
    assert_away(&reserve(&backend, "x").unwrap_err());
    let took = hammer(&backend, 200);
    assert_few(&fake, took, AWAY);
}

pub(crate) fn a_server_that_only_reads_is_not_stormed() {
    let fake =
        Fake::start(|_, _| Reply::line("-READONLY You can't write against a read only replica."));
    let backend = connect(&fake.url());
    assert_away(&reserve(&backend, "x").unwrap_err());
    let took = hammer(&backend, 200);
    // The first call had made another one, as the first might have been to a server that was demoted.
    let made = fake.connections() - 1;
    let most = allowed(took, AWAY.0, AWAY.1);
    assert!(made <= most, "{made} connections in {took:?}, of {most}");
}

pub(crate) fn a_demotion_is_got_over_within_the_call() {
    const READ_ONLY: &str = "-READONLY You can't write against a read only replica.";
    // The first connection leads to who was demoted, all others to the new primary.
    let fake = Fake::start(|connection, _| match connection {
        1 => Reply::line(READ_ONLY),
        _ => Reply::lease(),
    });
    let backend = connect(&fake.url());
    assert_eq!(reserve(&backend, "x").unwrap().granted(), 4);
    assert_eq!(fake.connections(), 2);

    // The same for a server that was away before, and has answered since.
    let asked = AtomicUsize::new(0);
    let fake = Fake::start(move |connection, words| match connection {
        1 => Reply::Last(Vec::new()),
        2 if words[0] == "EVALSHA" && asked.fetch_add(1, Ordering::SeqCst) > 0 => {
            Reply::line(READ_ONLY)
        }
        _ => Reply::lease(),
    });
    let backend = connect(&fake.url());
    assert_away(&reserve(&backend, "x").unwrap_err());
    reserve_patiently(&backend, "x");
    assert_eq!(reserve(&backend, "x").unwrap().granted(), 4);
    assert_eq!(fake.connections(), 3);
}

pub(crate) fn a_connection_from_which_nothing_comes_any_more_is_left_and_nothing_sent_twice() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let fake = Fake::start(move |connection, words| {
        if words[0] != "EVALSHA" {
            return Reply::line("+PONG");
        }
        match (connection, count.fetch_add(1, Ordering::SeqCst)) {
            // What a box on the way makes of it that has forgotten the connection.
            (1, 1..) => Reply::Nothing,
            _ => Reply::lease(),
        }
    });
    let options = RedisOptions::new().response_timeout(Duration::from_millis(200));
    let backend = RedisBackend::connect_with(&fake.url(), options).unwrap();
    reserve_patiently(&backend, "x");
    let (connections, before) = (fake.connections(), asked.load(Ordering::SeqCst));
    assert_eq!(connections, 1);
    assert_away(&reserve(&backend, "x").unwrap_err());
    assert_eq!(asked.load(Ordering::SeqCst), before + 1);
    reserve_patiently(&backend, "x");
    assert!(fake.connections() > 1);
}

pub(crate) fn a_server_that_hangs_is_sent_no_commands_over_new_connections() {
    // They would be carried out when it goes on, for nobody: slots lost.
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let fake = Fake::start(move |connection, words| {
        let first = match words[0].as_str() {
            "EVALSHA" => count.fetch_add(1, Ordering::SeqCst) == 0,
            _ => connection == 1,
        };
        if first {
            Reply::lease()
        } else {
            Reply::Nothing
        }
    });
    let options = RedisOptions::new()
        .connect_timeout(Duration::from_millis(200))
        .response_timeout(Duration::from_millis(200));
    let backend = RedisBackend::connect_with(&fake.url(), options).unwrap();
    reserve_patiently(&backend, "x");
    assert_away(&reserve(&backend, "x").unwrap_err());
    let before = asked.load(Ordering::SeqCst);
    let until = Instant::now() + PATIENCE;
    while fake.connections() < 3 {
        assert_away(&reserve(&backend, "x").unwrap_err());
        assert!(Instant::now() < until, "no more connections");
    }
    assert_eq!(asked.load(Ordering::SeqCst), before);
}

pub(crate) fn a_command_that_may_have_been_carried_out_is_not_sent_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let fake = Fake::start(move |connection, words| {
        if words[0] != "EVALSHA" {
            return Reply::line("+PONG");
        }
        match (connection, count.fetch_add(1, Ordering::SeqCst)) {
            (1, 1..) => Reply::Last(Vec::new()),
            _ => Reply::lease(),
        }
    });
    let backend = connect(&fake.url());
    reserve(&backend, "x").unwrap();
    assert_away(&reserve(&backend, "x").unwrap_err());
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    reserve(&backend, "x").unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

pub(crate) fn a_connection_that_ended_while_nobody_called_costs_no_call() {
    let server = Server::start();
    let backend = connect(&server.url());
    // What a server's `timeout` does to idle clients. On a busy machine it may be a while until that is noticed.
    let noticed = (1..=6).any(|round| {
        reserve_patiently(&backend, "x");
        server.tell("CLIENT KILL TYPE normal SKIPME yes");
        std::thread::sleep(Duration::from_millis(50 << round));
        reserve(&backend, "x").is_ok()
    });
    assert!(noticed, "{}", backend.status());
}

#[cfg(target_os = "linux")]
pub(crate) fn an_idle_connection_is_kept_alive() {
    let server = Server::start();
    let backend = connect(&server.url());
    reserve(&backend, "x").unwrap();
    // The timers of a socket: `02` is that of keepalive, once everything is acknowledged.
    let peer = format!("0100007F:{:04X}", server.port);
    let is_kept = || {
        let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
        sockets.lines().any(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields[2] == peer && fields[5].starts_with("02:")
        })
    };
    let until = Instant::now() + PATIENCE;
    while !is_kept() {
        assert!(Instant::now() < until, "no timer");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a server says that will do again by itself: the backend is away, and the connection stays.
pub(crate) fn a_server_that_cannot_for_now_is_away() {
    for text in [
        "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
        "-LOADING Redis is loading the dataset in memory",
        "-OOM command not allowed when used memory > 'maxmemory'.",
        "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
        "-NOREPLICAS Not enough good replicas to write.",
        "-UNKILLABLE Sorry the script already executed write commands against the dataset.",
        "-TRYAGAIN Multiple keys request during rehashing of slot",
        "-ERR Error running script (call to f_0): @user_script:17: @user_script: 17: -OOM command not allowed when used memory > 'maxmemory'.",
    ] {
        let fake = Fake::start(move |_, _| Reply::line(text));
        let backend = connect(&fake.url());
        for _ in 0..3 {
            assert_away(&reserve(&backend, "x").unwrap_err());
        }
        assert_eq!(fake.connections(), 1, "after {text}");
    }
}

pub(crate) fn a_busy_server_or_one_without_its_replicas_is_away() {
    let server = Server::start();
    let backend = connect(&server.url());
    assert_eq!(reserve(&backend, "x").unwrap().granted(), 4);
    server.tell("CONFIG SET min-replicas-to-write 1");
    assert_away(&reserve(&backend, "x").unwrap_err());
    server.tell("CONFIG SET min-replicas-to-write 0");
    reserve(&backend, "x").unwrap();

    server.tell("CONFIG SET busy-reply-threshold 1");
    let url = server.url();
    let endless = std::thread::spawn(move || {
        let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
        let mut command = redis::cmd("EVAL");
        command.arg("while true do end").arg(0);
        command.query::<()>(&mut connection)
    });
    let until = Instant::now() + PATIENCE;
    // With a database to select, which a busy server refuses too.
    let newcomer = RedisBackend::connect(&format!("{}/1", server.url())).unwrap();
    loop {
        let why = match reserve(&backend, "x") {
            // It has not begun.
            Ok(_) => continue,
            Err(why) => why,
        };
        assert_away(&why);
        assert!(Instant::now() < until, "it never says that it is busy");
        if why.to_string().contains("busy") {
            break;
        }
    }
    assert_away(&reserve(&newcomer, "x").unwrap_err());
    server.tell("SCRIPT KILL");
    assert!(endless.join().unwrap().is_err());
    reserve_patiently(&backend, "x");
    reserve_patiently(&newcomer, "x");
}

pub(crate) fn a_full_house_is_not_a_wrong_password() {
    let full = b"-ERR max number of clients reached\r\n".to_vec();
    let fake = Fake::start(move |_, _| Reply::Last(full.clone()));
    for user in ["", "user:secret@"] {
        let url = format!("redis://{user}127.0.0.1:{}", fake.port);
        let backend = connect(&url);
        assert_away(&reserve(&backend, "x").unwrap_err());
    }
}

pub(crate) fn an_answer_of_the_wrong_shape_ends_the_connection() {
    // Its answers are those to somebody else's commands.
    let fake = Fake::start(|connection, _| match connection {
        1 => Reply::line("+OK"),
        _ => Reply::lease(),
    });
    let backend = connect(&fake.url());
    assert_refused(&reserve(&backend, "x").unwrap_err());
    reserve_patiently(&backend, "x");
    assert!(fake.connections() >= 2);
}

pub(crate) fn a_lease_of_the_wrong_shape_is_refused() {
    for wrong in [
        // Too few numbers, one below 0, half a run of slots, more hosts than there are, and a text.
        "*8\r\n:1\r\n:1\r\n:1\r\n:10000\r\n:0\r\n:0\r\n:1\r\n:1",
        "*9\r\n:1\r\n:1\r\n:-1\r\n:10000\r\n:0\r\n:0\r\n:1\r\n:1\r\n:0",
        "*11\r\n:1\r\n:1\r\n:1\r\n:10000\r\n:0\r\n:0\r\n:1\r\n:1\r\n:0\r\n:1\r\n:1",
        "*9\r\n:1\r\n:1\r\n:1\r\n:10000\r\n:0\r\n:0\r\n:5000000000\r\n:1\r\n:0",
        "*9\r\n:1\r\n:1\r\n:1\r\n:10000\r\n$2\r\nhi\r\n:0\r\n:1\r\n:1\r\n:0",
        "$-1",
        ":4",
        "HTTP/1.1 400 Bad Request",
    ] {
        let fake = Fake::start(move |_, _| Reply::line(wrong));
        let backend = connect(&fake.url());
        assert_refused(&reserve(&backend, "x").unwrap_err());
    }
}

pub(crate) fn an_answer_that_claims_to_be_endless_is_given_up() {
    for claim in [
        "*2000000000",
        "$500000000",
        "*-7",
        "*1\r\n*1\r\n*2000000000",
    ] {
        let fake = Fake::start(move |_, _| Reply::line(claim));
        let backend = RedisBackend::connect(&fake.url()).unwrap();
        assert!(reserve(&backend, "x").is_err(), "{claim}");
    }
}
