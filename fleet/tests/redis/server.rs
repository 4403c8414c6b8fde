//! [`Server`]: a redis-server of a test, on a free loopback port and in a temporary folder.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use redis::{Client, Connection};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use tempfile::TempDir;

/// Ends with the value, and with the process if that is killed.
pub(crate) struct Server {
    child: Child,
    arguments: Vec<String>,
    _folder: TempDir,
    pub(crate) port: u16,
}

/// What the tests start: a Valkey where the environment says so.
pub(crate) fn program() -> String {
    std::env::var("APIQUEUE_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned())
}

/// Whether there is one on this machine.
pub(crate) fn is_there() -> bool {
    answers(&program(), "--version")
}

pub(crate) fn answers(program: &str, argument: &str) -> bool {
    let version = Command::new(program).arg(argument).output();
    version.is_ok_and(|output| output.status.success())
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Server {
    /// Without persistence.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(more: &[&str]) -> Self {
        // Somebody else may take the port in between.
        for _ in 0..5 {
            let mut server = Self::spawn(free_port(), more);
            if server.is_up() {
                return server;
            }
        }
        panic!("{} does not start", program());
    }

    fn spawn(port: u16, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().to_str().unwrap();
        let port_text = port.to_string();
        let plain = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        // Replicas are to be ready soon.
        let soon = ["--repl-diskless-sync-delay", "0"];
        let placed = ["--port", &port_text, "--dir", place, "--logfile", "log"];
        let arguments: Vec<String> = plain
            .iter()
            .chain(&soon)
            .chain(&placed)
            .chain(more)
            .map(|part| (*part).to_owned())
            .collect();
        Self {
            child: launch(&arguments),
            arguments,
            _folder: folder,
            port,
        }
    }

    /// A sentinel, with these lines in its file.
    #[cfg(feature = "sentinel")]
    pub(crate) fn sentinel(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sentinel.conf");
        let port = free_port();
        std::fs::write(&file, format!("port {port}\nbind 127.0.0.1\n{lines}")).unwrap();
        let arguments = vec![file.to_str().unwrap().to_owned(), "--sentinel".to_owned()];
        let mut server = Self {
            child: launch(&arguments),
            arguments,
            _folder: folder,
            port,
        };
        assert!(server.is_up(), "the sentinel does not start");
        server
    }

    /// Waits until it answers. No if it has ended.
    fn is_up(&mut self) -> bool {
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            let answer = Client::open(self.url())
                .and_then(|client| client.get_connection_with_timeout(Duration::from_secs(1)))
                .and_then(|mut connection| redis::cmd("PING").query::<String>(&mut connection));
            // It may ask for a password.
            if answer.is_ok_and(|answer| answer == "PONG") {
                return true;
            }
            sleep(Duration::from_millis(10));
        }
        false
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn connection(&self) -> Connection {
        let connection = Client::open(self.url())
            .unwrap()
            .get_connection_with_timeout(Duration::from_secs(5))
            .unwrap();
        connection
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        connection
    }

    /// Sends a command, by its words.
    pub(crate) fn tell(&self, words: &str) -> redis::Value {
        self.try_tell(words).unwrap()
    }

    pub(crate) fn try_tell(&self, words: &str) -> redis::RedisResult<redis::Value> {
        let mut words = words.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        command.query(&mut self.connection())
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Started again after [`kill`](Self::kill), with nothing.
    pub(crate) fn restart(&mut self) {
        self.child = launch(&self.arguments);
        assert!(self.is_up(), "it does not start again");
    }

    pub(crate) fn signal(&self, what: Signal) {
        signal(&self.child, what);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(arguments: &[String]) -> Child {
    let mut command = Command::new(program());
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // SAFETY: one system call between fork and exec, without allocation or locks.
    unsafe {
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
    }
    command.spawn().unwrap()
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}
