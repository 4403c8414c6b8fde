//! [`RedisOptions`], and [`RedisStatus`](apiqueue_fleet::RedisStatus).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, SystemTime};

use apiqueue_fleet::{BackendError, RedisBackend, RedisCredentials, RedisOptions};
use redis::Value;

use crate::attacks::{connect, patient, reserve, reserve_patiently};
use crate::fake::{Fake, Reply};
use crate::server::{Server, free_port};

/// A user of this name and password, with all rights, and no other password.
fn set_user(server: &Server, user: &str, password: &str) {
    server.tell(&format!("ACL SETUSER {user} reset on >{password} ~* +@all"));
}

/// Who gives what is in it, and counts how often.
#[derive(Clone)]
struct Vault {
    current: Arc<Mutex<RedisCredentials>>,
    asked: Arc<AtomicUsize>,
}

impl Vault {
    fn new(user: &str, password: &str) -> Self {
        Self {
            current: Arc::new(Mutex::new(RedisCredentials::new(user, password))),
            asked: Arc::default(),
        }
    }

    fn change(&self, user: &str, password: &str) {
        *self.current.lock().unwrap() = RedisCredentials::new(user, password);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn backend(&self, server: &Server) -> RedisBackend {
        let vault = self.clone();
        let options = patient().credentials_from(move || {
            vault.asked.fetch_add(1, Ordering::SeqCst);
            Ok(vault.current.lock().unwrap().clone())
        });
        // The URL's own are not used.
        let url = format!("redis://nobody:nothing@127.0.0.1:{}", server.port);
        RedisBackend::connect_with(&url, options).unwrap()
    }
}

pub(crate) fn a_provider_is_asked_at_each_new_connection() {
    let server = Server::start();
    set_user(&server, "fleet", "old");
    let vault = Vault::new("fleet", "old");
    let backend = vault.backend(&server);
    assert_eq!(vault.asked(), 0, "nothing is connected yet");
    reserve(&backend, "x").unwrap();
    // The live connection stays as it is.
    set_user(&server, "fleet", "new");
    vault.change("fleet", "new");
    for _ in 0..5 {
        reserve(&backend, "x").unwrap();
    }
    assert_eq!(vault.asked(), 1);
    server.tell("CLIENT KILL USER fleet");
    reserve_patiently(&backend, "x");
    assert_eq!(vault.asked(), 2);
    assert_eq!(backend.status().connects, 2);
}

pub(crate) fn other_credentials_are_tried_at_once() {
    let server = Server::start();
    set_user(&server, "fleet", "right");
    let vault = Vault::new("fleet", "wrong");
    let backend = vault.backend(&server);
    // The pause after so many is up to ten seconds.
    let mut failures = 0;
    while backend.status().failed_connects < 4 {
        let why = reserve(&backend, "x").unwrap_err();
        assert!(matches!(why, BackendError::Refused(_)), "{why}");
        failures += 1;
    }
    assert!(failures > 4, "it is not tried at each call");
    vault.change("fleet", "right");
    reserve(&backend, "x").unwrap();
    // Somebody else, by a name of his own, where the right is taken from the one before.
    server.tell("ACL SETUSER fleet -evalsha");
    reserve(&backend, "x").unwrap_err();
    set_user(&server, "other", "p");
    vault.change("other", "p");
    reserve(&backend, "x").unwrap();
}

pub(crate) fn a_provider_that_fails_means_that_the_backend_is_away() {
    let server = Server::start();
    set_user(&server, "fleet", "p");
    let turn = AtomicUsize::new(0);
    let options =
        RedisOptions::new().credentials_from(move || match turn.fetch_add(1, Ordering::SeqCst) {
            0 => Err("the vault is closed".into()),
            1 => panic!("on purpose"),
            _ => Ok(RedisCredentials::new("fleet", "p")),
        });
    let backend = RedisBackend::connect_with(&server.url(), options).unwrap();
    let why = reserve(&backend, "x").unwrap_err();
    assert!(matches!(why, BackendError::Away(_)), "{why}");
    assert!(why.to_string().contains("the vault is closed"), "{why}");
    reserve_patiently(&backend, "x");
}

pub(crate) fn a_provider_that_is_late_is_waited_for_not_asked_again() {
    let server = Server::start();
    set_user(&server, "fleet", "p");
    let (open, opened) = mpsc::channel::<()>();
    let opened = Mutex::new(opened);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let options = RedisOptions::new()
        .connect_timeout(Duration::from_millis(100))
        .credentials_from(move || {
            count.fetch_add(1, Ordering::SeqCst);
            // Until it is opened, and at once after that.
            let _ = opened.lock().unwrap().recv();
            Ok(RedisCredentials::new("fleet", "p"))
        });
    let backend = RedisBackend::connect_with(&server.url(), options).unwrap();
    for _ in 0..3 {
        let why = reserve(&backend, "x").unwrap_err();
        assert!(matches!(why, BackendError::Away(_)), "{why}");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    drop(open);
    reserve_patiently(&backend, "x");
}

pub(crate) fn backends_of_other_prefixes_and_versions_do_not_meet() {
    let server = Server::start();
    // What a version before wrote.
    server.tell("HSET apiqueue:{x}:state tat 99999999999999999 interval 1 epoch 3 hold 0");
    let mine = connect(&server.url());
    let options = RedisOptions::new().key_prefix("team:prod");
    let theirs = RedisBackend::connect_with(&server.url(), options).unwrap();
    let (first, other) = (reserve(&mine, "x").unwrap(), reserve(&theirs, "x").unwrap());
    assert_eq!((first.hosts, other.hosts), (1, 1));
    assert!(other.slots[0].first < first.slots[0].first + 4 * first.terms.interval + 1_000_000);
    let mut keys: Vec<String> = redis::cmd("KEYS")
        .arg("*")
        .query(&mut server.connection())
        .unwrap();
    keys.sort();
    let expected = [
        "apiqueue:3:{x}:seen",
        "apiqueue:3:{x}:state",
        "apiqueue:{x}:state",
        "team:prod:3:{x}:seen",
        "team:prod:3:{x}:state",
    ];
    assert_eq!(keys, expected);
    assert_eq!(
        server.tell("HGET apiqueue:{x}:state epoch"),
        Value::BulkString(b"3".to_vec())
    );
}

pub(crate) fn options_that_cannot_be_used_are_refused_by_value_and_range() {
    let long = Duration::from_secs(3601);
    for (options, said) in [
        (
            RedisOptions::new().connect_timeout(Duration::ZERO),
            ["0ns", "1ms..=3600s"],
        ),
        (
            RedisOptions::new().response_timeout(long),
            ["3601s", "1ms..=3600s"],
        ),
        (
            RedisOptions::new().key_prefix("a{b"),
            ["\"a{b\"", "1..=100"],
        ),
    ] {
        let why = RedisBackend::connect_with("redis://127.0.0.1/", options).unwrap_err();
        for part in said {
            assert!(why.to_string().contains(part), "{why}");
        }
    }
    let why = RedisBackend::connect("redis://scanner@127.0.0.1/").unwrap_err();
    assert!(why.to_string().contains("without a password"), "{why}");
}

pub(crate) fn nothing_shows_a_secret() {
    let server = Server::start();
    let credentials = RedisCredentials::new("fleet", "s3cr\"t");
    let options = RedisOptions::new().credentials(credentials.clone());
    #[cfg(feature = "tls")]
    let shown = {
        let with_key = options.clone().client_certificate("-", "s3cr\"t key");
        format!("{with_key:?}")
    };
    #[cfg(not(feature = "tls"))]
    let shown = String::new();
    let url = format!("redis://:s3cr%22t@127.0.0.1:{}", server.port);
    let backend = RedisBackend::connect_with(&url, options.clone()).unwrap();
    reserve(&backend, "x").unwrap_err();
    let status = backend.status();
    let all = format!("{shown}{credentials:?}{options:?}{backend:?}{status:?}{status}");
    assert!(!all.contains("s3cr"), "{all}");
    assert!(all.contains("fleet"), "{all}");
    // Nor where a server repeats what it was sent, whole or in part.
    for begins in ["-ERR what is ", "+"] {
        let sent = Mutex::new(String::new());
        let fake = Fake::start(move |_, words| {
            let mut sent = sent.lock().unwrap();
            if words[0] == "AUTH" {
                *sent = words.join(" ");
                if begins == "+" {
                    return Reply::line("+OK");
                }
            }
            Reply::line(&format!("{begins}{sent} {}", "x".repeat(400)))
        });
        for length in [2, 70, 500] {
            let password = "s3\"r".repeat(length);
            let options = RedisOptions::new().credentials(RedisCredentials::password(password));
            let backend = RedisBackend::connect_with(&fake.url(), options).unwrap();
            let why = reserve(&backend, "x").unwrap_err();
            assert!(!why.to_string().contains("s3"), "{why}");
            assert!(!backend.status().to_string().contains("s3"));
        }
    }
}

pub(crate) fn the_status_tells_how_the_connection_is_doing() {
    let mut server = Server::start();
    let backend = connect(&server.url());
    let status = backend.status();
    assert_eq!(
        (status.connected, status.connects, status.commands),
        (false, 0, 0)
    );
    assert_eq!((status.last_error, status.last_error_at), (None, None));
    reserve(&backend, "x").unwrap();
    let status = backend.status();
    assert!(status.connected);
    // By the digest, and then the text.
    assert_eq!((status.connects, status.commands), (1, 2));
    assert_eq!(status.commands, backend.commands());
    assert_eq!(status.last_error, None);

    let before = SystemTime::now();
    server.kill();
    let why = reserve(&backend, "x").unwrap_err();
    let status = backend.status();
    assert!(!status.connected);
    assert_eq!(status.last_error, Some(why.clone()));
    assert!(status.last_error_at.unwrap() >= before);
    assert!(status.to_string().contains(&why.to_string()), "{status}");
    reserve(&backend, "x").unwrap_err();
    assert!(backend.status().failed_connects >= 1);
    server.restart();
    reserve_patiently(&backend, "x");
    let status = backend.status();
    assert!(status.connected);
    assert_eq!(status.connects, 2);
    assert!(status.last_error.is_some(), "it stays to be read");
    assert!(status.to_string().starts_with("connected"), "{status}");

    let nobody = RedisBackend::connect(&format!("redis://127.0.0.1:{}", free_port())).unwrap();
    reserve(&nobody, "x").unwrap_err();
    assert_eq!(nobody.status().failed_connects, 1);
}

pub(crate) fn fifty_hosts_find_back_to_a_server_that_was_restarted() {
    let mut server = Server::start();
    let hosts: Vec<RedisBackend> = (0..50).map(|_| connect(&server.url())).collect();
    for host in &hosts {
        reserve_patiently(host, "x");
    }
    server.kill();
    std::thread::scope(|scope| {
        for host in &hosts {
            // Some calls fail, and then one does not.
            scope.spawn(|| reserve_patiently(host, "x"));
        }
        server.restart();
    });
    assert!(hosts.iter().all(|host| host.status().connects >= 2));
}
