//! TLS: an authority of one's own, and who the client is.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use apiqueue_fleet::{BackendError, RedisBackend, RedisOptions};
use tempfile::TempDir;

use crate::attacks::reserve;
#[cfg(any(feature = "cluster", feature = "sentinel"))]
use crate::attacks::reserve_patiently;
use crate::server::{Server, free_port};

/// An authority, and what it vouches for: a server and a client. Made by openssl.
pub(crate) struct Authority {
    folder: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        openssl(
            folder.path(),
            "req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca.key -out ca.crt -subj /CN=authority",
        );
        let names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
        std::fs::write(folder.path().join("names"), names).unwrap();
        for who in ["server", "client"] {
            openssl(
                folder.path(),
                &format!(
                    "req -newkey rsa:2048 -nodes -keyout {who}.key -out {who}.csr -subj /CN={who}"
                ),
            );
            openssl(
                folder.path(),
                &format!(
                    "x509 -req -in {who}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out {who}.crt"
                ),
            );
        }
        Self { folder }
    }

    pub(crate) fn place(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.place(name)).unwrap()
    }

    /// A server's options, and its port. `clients`: whether they need a certificate, `yes` or `no`.
    pub(crate) fn options(&self, clients: &str) -> (Vec<String>, u16) {
        let port = free_port();
        let options = [
            ("--tls-port", port.to_string()),
            ("--tls-auth-clients", clients.to_owned()),
            ("--tls-cert-file", self.place("server.crt")),
            ("--tls-key-file", self.place("server.key")),
            ("--tls-ca-cert-file", self.place("ca.crt")),
        ];
        let words = options
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value]);
        (words.collect(), port)
    }

    /// The server keeps a port without TLS, for the tests.
    pub(crate) fn server(&self, clients: &str, more: &[&str]) -> (Server, u16) {
        let (options, port) = self.options(clients);
        let mut words: Vec<&str> = options.iter().map(String::as_str).collect();
        words.extend(more);
        (Server::start_with(&words), port)
    }

    fn trusted(&self) -> RedisOptions {
        RedisOptions::new().root_certificates(self.read("ca.crt"))
    }

    fn with_client(&self) -> RedisOptions {
        self.trusted()
            .client_certificate(self.read("client.crt"), self.read("client.key"))
    }
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn backend(port: u16, options: RedisOptions) -> RedisBackend {
    RedisBackend::connect_with(&format!("rediss://localhost:{port}"), options).unwrap()
}

pub(crate) fn an_authority_of_ones_own_is_trusted_and_no_other() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (_server, port) = ours.server("no", &[]);
    reserve(&backend(port, ours.trusted()), "x").unwrap();
    // Several in one text.
    let both = [ours.read("ca.crt"), theirs.read("ca.crt")].concat();
    let options = RedisOptions::new().root_certificates(both);
    reserve(&backend(port, options), "x").unwrap();
    for doubting in [theirs.trusted(), RedisOptions::new()] {
        let why = reserve(&backend(port, doubting), "x").unwrap_err();
        // Nothing that goes away by itself.
        assert!(matches!(why, BackendError::Refused(_)), "{why}");
        assert!(why.to_string().contains("certificate"), "{why}");
    }
}

pub(crate) fn a_server_that_wants_a_certificate_gets_one() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (_server, port) = ours.server("yes", &[]);
    reserve(&backend(port, ours.with_client()), "x").unwrap();
    let stranger = ours
        .trusted()
        .client_certificate(theirs.read("client.crt"), theirs.read("client.key"));
    for refused in [ours.trusted(), stranger] {
        let backend = backend(port, refused);
        // The server's alert may be overtaken by the end of the connection, so that the text is not always the same.
        reserve(&backend, "x").unwrap_err();
        assert!(!backend.status().connected);
    }
}

pub(crate) fn certificates_that_cannot_be_used_are_refused() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let options = RedisOptions::new;
    let key = String::from_utf8(ours.read("client.key")).unwrap();
    let body = key.lines().nth(1).unwrap();
    let bad = [
        (options().root_certificates(""), "root certificates"),
        (options().root_certificates("rubbish"), "root certificates"),
        (
            options()
                .root_certificates("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----"),
            "root certificates",
        ),
        (
            options().client_certificate("", ours.read("client.key")),
            "client certificate",
        ),
        (
            options().client_certificate(ours.read("client.crt"), body),
            "key",
        ),
        (
            options().client_certificate(ours.read("client.crt"), theirs.read("client.key")),
            "key",
        ),
    ];
    for (options, named) in bad {
        let why = RedisBackend::connect_with("rediss://localhost", options).unwrap_err();
        assert!(matches!(why, BackendError::Refused(_)), "{why}");
        assert!(why.to_string().contains(named), "{why}");
        assert!(!why.to_string().contains(body), "{why}");
    }
    let why = RedisBackend::connect_with("redis://localhost", ours.trusted()).unwrap_err();
    assert!(why.to_string().contains("rediss://"), "{why}");
}

pub(crate) fn a_server_that_does_not_begin_with_tls_is_given_up_in_time() {
    // Takes connections, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let options = RedisOptions::new().connect_timeout(Duration::from_millis(100));
    let why = reserve(&backend(port, options), "x").unwrap_err();
    assert!(matches!(why, BackendError::Away(_)), "{why}");
}

#[cfg(feature = "sentinel")]
pub(crate) fn sentinels_are_asked_over_tls_too() {
    let ours = Authority::new();
    let (_primary, port) = ours.server("yes", &["--tls-replication", "yes"]);
    let (options, sentinel_port) = ours.options("yes");
    let lines: String = options
        .chunks(2)
        .map(|pair| format!("{} {}\n", pair[0].trim_start_matches("--"), pair[1]))
        .collect();
    let _sentinel = Server::sentinel(&format!(
        "{lines}tls-replication yes\nsentinel monitor main 127.0.0.1 {port} 1\n"
    ));
    let url = format!("rediss-sentinel://localhost:{sentinel_port}/main");
    let backend = RedisBackend::connect_with(&url, ours.with_client()).unwrap();
    assert_eq!(reserve_patiently(&backend, "x").granted(), 4);
}

#[cfg(feature = "cluster")]
pub(crate) fn a_cluster_is_reached_over_tls_too() {
    let ours = Authority::new();
    let (options, port) = ours.options("yes");
    let mut words: Vec<&str> = options.iter().map(String::as_str).collect();
    words.extend(["--tls-cluster", "yes"]);
    let _node = Server::cluster_of_one(&words);
    let url = format!("rediss-cluster://localhost:{port}");
    let backend = RedisBackend::connect_with(&url, ours.with_client()).unwrap();
    assert_eq!(reserve_patiently(&backend, "x").granted(), 4);
    let stranger = RedisBackend::connect_with(&url, RedisOptions::new()).unwrap();
    reserve(&stranger, "x").unwrap_err();
}
