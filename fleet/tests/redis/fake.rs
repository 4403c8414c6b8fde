//! [`Fake`]: a server that answers as a test says, and counts who comes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What to do about a command.
pub(crate) enum Reply {
    /// These bytes.
    Bytes(Vec<u8>),
    /// These, and the end of the connection.
    Last(Vec<u8>),
    Nothing,
}

impl Reply {
    pub(crate) fn line(text: &str) -> Self {
        Self::Bytes(format!("{text}\r\n").into_bytes())
    }

    /// A lease of four slots.
    pub(crate) fn lease() -> Self {
        // now, born, quiet, interval, hold, epoch, hosts, below, above, kept back, next, later, taken back; first, count and step.
        let numbers = [
            1_000_000, 7, 7, 10_000, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1_000_000, 4, 10_000,
        ];
        let lines: Vec<_> = numbers
            .iter()
            .map(|number| format!("\r\n:{number}"))
            .collect();
        Self::line(&format!("*{}{}", numbers.len(), lines.concat()))
    }
}

/// Ends with the value.
pub(crate) struct Fake {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    connections: AtomicUsize,
    over: AtomicBool,
    live: Mutex<Vec<TcpStream>>,
}

impl Fake {
    /// `answer` is told the connection's number, from 1, and the command's words.
    pub(crate) fn start(
        answer: impl Fn(usize, &[String]) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            connections: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            live: Mutex::default(),
        });
        let (answer, accepting) = (Arc::new(answer), Arc::clone(&shared));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.over.load(Ordering::SeqCst) {
                    break;
                }
                let stream = stream.unwrap();
                let number = accepting.connections.fetch_add(1, Ordering::SeqCst) + 1;
                let clone = stream.try_clone().unwrap();
                accepting.live.lock().unwrap().push(clone);
                let answer = Arc::clone(&answer);
                thread::spawn(move || serve(stream, |words| answer(number, words)));
            }
        });
        Self { port, shared }
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // Wakes who accepts.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        for stream in self.shared.live.lock().unwrap().drain(..) {
            // It may have ended.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Until the client goes.
fn serve(stream: TcpStream, answer: impl Fn(&[String]) -> Reply) {
    let mut to = stream.try_clone().unwrap();
    let mut from = BufReader::new(stream);
    while let Some(words) = command(&mut from) {
        let (bytes, last) = match answer(&words) {
            Reply::Bytes(bytes) => (bytes, false),
            Reply::Last(bytes) => (bytes, true),
            Reply::Nothing => continue,
        };
        if to.write_all(&bytes).is_err() || last {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// The words of a command, the first in capitals.
fn command(from: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let count = number(from)?;
    let mut words = Vec::new();
    for _ in 0..count {
        let mut word = vec![0; number(from)? + 2];
        from.read_exact(&mut word).ok()?;
        word.truncate(word.len() - 2);
        words.push(String::from_utf8(word).ok()?);
    }
    words.first_mut()?.make_ascii_uppercase();
    Some(words)
}

/// After a `*` or `$`.
fn number(from: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut line = String::new();
    from.read_line(&mut line).ok()?;
    line.get(1..)?.trim_end().parse().ok()
}
