//! An API on loopback that throttles a whole account, as EC2 does, and a client of it: plain HTTP/1.1, one connection for each.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The longest answer waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// The path that is throttled; every other one is another service's.
pub(super) const EC2: &str = "/?Action=DescribeSnapshots";

/// What became of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    Throttled,
}

/// So many calls at once, and so many a second.
pub(super) struct Bucket {
    pub(super) size: f64,
    pub(super) per_second: f64,
}

struct Level {
    level: f64,
    at: Instant,
}

/// Serves on a free port of loopback, until this process ends.
pub(super) fn serve(bucket: Bucket) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let level = Level {
        level: bucket.size,
        at: Instant::now(),
    };
    let account = Arc::new((bucket, Mutex::new(level)));
    thread::Builder::new().spawn(move || {
        for stream in listener.incoming().flatten() {
            let account = account.clone();
            // A connection that can't be served is its client's to notice.
            let _ = thread::Builder::new().spawn(move || answer_all(stream, &account));
        }
    })?;
    Ok(address)
}

fn answer_all(stream: TcpStream, account: &(Bucket, Mutex<Level>)) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let Some(head) = read_head(&mut reader)? else {
            return Ok(());
        };
        let is_throttled = head.starts_with(&format!("GET {EC2} ")) && !take(account);
        let (status, body) = match is_throttled {
            true => ("503 Service Unavailable", "RequestLimitExceeded"),
            false => ("200 OK", "<Response/>"),
        };
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
    }
}

/// Takes a call from the bucket, if it has one.
fn take((bucket, level): &(Bucket, Mutex<Level>)) -> bool {
    let mut level = level.lock().unwrap_or_else(PoisonError::into_inner);
    let passed = level.at.elapsed();
    level.at += passed;
    level.level = (level.level + passed.as_secs_f64() * bucket.per_second).min(bucket.size);
    let is_granted = level.level >= 1.0;
    if is_granted {
        level.level -= 1.0;
    }
    is_granted
}

/// The first line and the fields; none where the connection ends.
fn read_head(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(head))
}

/// A client of the API.
pub(super) struct Client {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    pub(super) fn new(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let reader = BufReader::new(stream.try_clone()?);
        Ok(Self { stream, reader })
    }

    pub(super) fn call(&mut self, path: &str) -> io::Result<Answer> {
        self.stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: ec2\r\n\r\n").as_bytes())?;
        let head = read_head(&mut self.reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        io::copy(&mut (&mut self.reader).take(length), &mut io::sink())?;
        Ok(match head.starts_with("HTTP/1.1 200 ") {
            true => Answer::Done,
            false => Answer::Throttled,
        })
    }
}
