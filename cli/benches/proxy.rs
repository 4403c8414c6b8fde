//! `cargo bench --bench proxy`: requests a second through `apiqueue proxy` where nothing is limited, beside a plain forwarder of the same
//! hyper, in turns; and the proxy's memory over 100,000 requests. Origin, forwarder and proxy are processes of their own; all of it
//! shares the machine's cores, the clients too.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const CLIENTS: usize = 32;
const ROUNDS: usize = 7;
const REQUESTS: usize = 16_000;
const LIMITS: &str = "[default]\nunlimited = true\n";

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("origin") => serve_forever(false),
        Some("forwarder") => serve_forever(true),
        _ => compare(),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    let builder = &mut tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().unwrap()
}

/// An origin, or a forwarder that does nothing but hand on.
fn serve_forever(forwards: bool) {
    runtime().block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        eprintln!("listening on {address}");
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        let client: Client<_, Incoming> = Client::builder(TokioExecutor::new()).build(tcp);
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let client = client.clone();
            tokio::spawn(async move {
                let io = TokioIo::new(stream);
                if forwards {
                    let forward =
                        service_fn(move |request: Request<Incoming>| client.request(request));
                    let _ = http1::Builder::new().serve_connection(io, forward).await;
                } else {
                    let answer = service_fn(|_| async {
                        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hi"))))
                    });
                    let _ = http1::Builder::new().serve_connection(io, answer).await;
                }
            });
        }
    });
}

struct Process(Child, SocketAddr);

impl Process {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        lines.read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().parse().unwrap();
        std::thread::spawn(move || lines.lines().for_each(drop));
        Self(child, address)
    }

    fn of_this(role: &str) -> Self {
        Self::start(Command::new(std::env::current_exe().unwrap()).arg(role))
    }

    fn resident_kib(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Requests a second, over connections that stay open.
fn load(
    runtime: &tokio::runtime::Runtime,
    through: SocketAddr,
    origin: SocketAddr,
    count: usize,
) -> f64 {
    runtime.block_on(async {
        let url: Uri = format!("http://{origin}/").parse().unwrap();
        let request = format!(
            "GET {url} HTTP/1.1\r\nHost: {origin}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
        );
        let mut streams = Vec::new();
        for _ in 0..CLIENTS {
            let stream = TcpStream::connect(through).await.unwrap();
            stream.set_nodelay(true).unwrap();
            streams.push(stream);
        }
        let began = Instant::now();
        let clients = streams.into_iter().map(|mut stream| {
            let request = request.clone();
            tokio::spawn(async move {
                let mut read = Vec::with_capacity(4096);
                for _ in 0..count / CLIENTS {
                    stream.write_all(request.as_bytes()).await.unwrap();
                    read.clear();
                    while !read.ends_with(b"\r\n\r\nhi") {
                        assert!(stream.read_buf(&mut read).await.unwrap() > 0, "closed");
                    }
                    assert!(read.starts_with(b"HTTP/1.1 200"));
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
        (count / CLIENTS * CLIENTS) as f64 / began.elapsed().as_secs_f64()
    })
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

fn compare() {
    let runtime = runtime();
    let limits = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(limits.path(), LIMITS).unwrap();
    let origin = Process::of_this("origin");
    let plain = Process::of_this("forwarder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_apiqueue"));
    command.args(["proxy", "--listen", "127.0.0.1:0", "--limits"]);
    let proxy = Process::start(command.arg(limits.path()));
    let (mut direct, mut forwarded, mut proxied, mut ratios) = (vec![], vec![], vec![], vec![]);
    for round in 0..=ROUNDS {
        let of_origin = load(&runtime, origin.1, origin.1, REQUESTS);
        let of_plain = load(&runtime, plain.1, origin.1, REQUESTS);
        let of_proxy = load(&runtime, proxy.1, origin.1, REQUESTS);
        // The first warms up.
        if round > 0 {
            direct.push(of_origin);
            forwarded.push(of_plain);
            proxied.push(of_proxy);
            ratios.push(of_proxy / of_plain);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("| requests a second, {CLIENTS} connections, median of {ROUNDS} | |");
    println!("|---|---|");
    println!("| no proxy | {:.0} |", median(direct));
    println!("| plain hyper forwarder | {:.0} |", median(forwarded));
    println!("| apiqueue proxy | {:.0} |", median(proxied));
    println!("| ratio, median | {:.3} |", median(ratios));
    let before = proxy.resident_kib();
    load(&runtime, proxy.1, origin.1, 100_000);
    let after = proxy.resident_kib();
    println!("resident: {before} KiB before, {after} KiB after 100,000 requests more");
}
