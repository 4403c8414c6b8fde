//! The command as a process, and an origin that notes every byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What hangs for so long hangs.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// No limit.
pub(crate) const UNLIMITED: &str = "[default]\nunlimited = true\n";

/// `apiqueue proxy` on a port of its own.
pub(crate) struct Proxy {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) told: Arc<Mutex<Vec<String>>>,
    _limits: tempfile::TempDir,
}

impl Proxy {
    pub(crate) fn start(limits: &str) -> Self {
        Self::with(limits, &[])
    }

    pub(crate) fn with(limits: &str, more: &[&str]) -> Self {
        Self::in_env(limits, more, &[])
    }

    pub(crate) fn in_env(limits: &str, more: &[&str], env: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("limits.toml");
        std::fs::write(&file, limits).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_apiqueue"))
            .args(["proxy", "--listen", "127.0.0.1:0", "--limits"])
            .arg(&file)
            .args(more)
            .envs(env.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        let address = first.strip_prefix("apiqueue: listening on ");
        let address = address
            .unwrap_or_else(|| panic!("{first}"))
            .parse()
            .unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let telling = Arc::clone(&told);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                telling.lock().unwrap().push(line);
            }
        });
        Self {
            child,
            address,
            told,
            _limits: directory,
        }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    /// Sends these bytes on a connection of its own, and reads one answer, or what there is until it is closed.
    pub(crate) fn answer(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // It may be closed before it has read everything.
        let _ = stream.write_all(bytes);
        read_answer(&mut stream)
    }

    /// A GET, by the whole URL.
    pub(crate) fn get(&self, origin: SocketAddr, path: &str) -> String {
        self.answer(get(origin, path).as_bytes())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn terminate(&mut self) -> std::process::ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn get(origin: SocketAddr, path: &str) -> String {
    format!("GET http://{origin}{path} HTTP/1.1\r\nHost: {origin}\r\n\r\n")
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.set_write_timeout(Some(LONG)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// One answer with its body; or what comes until the end.
pub(crate) fn read_answer(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let mut byte = [0; 1];
    loop {
        match stream.read(&mut byte) {
            Ok(1) => read.push(byte[0]),
            Ok(_) => break,
            Err(why) if why.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(why) => panic!("{why} after {:?}", String::from_utf8_lossy(&read)),
        }
        if read.ends_with(b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read).to_ascii_lowercase();
            let length = field(&head, "content-length").and_then(|it| it.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            if stream.read_exact(&mut body).is_ok() {
                read.extend(body);
            }
            break;
        }
    }
    String::from_utf8_lossy(&read).into_owned()
}

/// The status of an answer; 0 where there was none.
pub(crate) fn status(answer: &str) -> u16 {
    let code = answer.split(' ').nth(1);
    code.and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// A field's first value.
pub(crate) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .take_while(|line| !line.is_empty())
        .find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
}

/// A request as it came to the origin.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// A server that reads as strictly as can be, notes all that it reads, and answers with the bytes that it is told.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
}

impl Origin {
    pub(crate) fn start() -> Self {
        Self::answering(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".to_vec())
    }

    /// An empty answer closes the connection.
    pub(crate) fn answering(answer: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&seen);
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (notes, answer) = (Arc::clone(&notes), Arc::clone(&answer));
                thread::spawn(move || serve(stream, &notes, &*answer));
            }
        });
        Self { address, seen }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The one request that has come.
    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0].clone()
    }
}

fn serve(stream: TcpStream, notes: &Mutex<Vec<Seen>>, answer: &dyn Fn(&Seen) -> Vec<u8>) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(seen) = read_request(&mut reader) {
        let bytes = answer(&seen);
        notes.lock().unwrap().push(seen);
        if bytes.is_empty() || writer.write_all(&bytes).is_err() {
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let at = Instant::now();
    let mut body = Vec::new();
    if field(&head, "transfer-encoding").is_some() {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            let mut chunk = vec![0; size];
            reader.read_exact(&mut chunk).ok()?;
            body.extend(chunk);
            // The end of the chunk, or the trailers.
            let mut line = String::new();
            while size == 0 && line != "\r\n" {
                body.extend(line.as_bytes());
                line.clear();
                reader.read_line(&mut line).ok()?;
            }
            if size == 0 {
                break;
            }
            reader.read_line(&mut line).ok()?;
        }
    } else if let Some(length) = field(&head, "content-length") {
        body.resize(length.parse().unwrap(), 0);
        reader.read_exact(&mut body).ok()?;
    }
    Some(Seen { at, head, body })
}

/// Waits until something is so; what is not so after a minute will never be.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONG, "not in a minute: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
