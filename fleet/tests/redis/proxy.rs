//! [`Proxy`]: what lies between a host and its server: latency, loss, a cut.
//!
//! What TCP makes of a lost packet is a retransmission after a timeout, with everything after it waiting: that is what a chunk
//! gets here that is lost.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

/// Ends with the value.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    weather: Weather,
    upstream: AtomicU16,
    over: AtomicBool,
    live: Mutex<Vec<TcpStream>>,
}

/// What happens on the way.
#[derive(Clone, Copy, Default)]
pub(crate) struct Weather {
    /// Each way.
    pub(crate) latency: Duration,
    /// The part of chunks that is lost, in percent.
    pub(crate) loss: u32,
}

/// What a retransmission takes: the least that Linux waits for.
const RETRANSMISSION: Duration = Duration::from_millis(200);

impl Proxy {
    pub(crate) fn to(port: u16, weather: Weather) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let shared = Arc::new(Shared {
            weather,
            upstream: AtomicU16::new(port),
            over: AtomicBool::new(false),
            live: Mutex::default(),
        });
        Self {
            port: listener.local_addr().unwrap().port(),
            shared: Arc::clone(&shared),
            accepting: Some(thread::spawn(move || shared.accept(&listener))),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends all connections. New ones can be made.
    pub(crate) fn cut(&self) {
        for stream in self.shared.live.lock().unwrap().drain(..) {
            // It may have ended.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Ends all connections, and leads new ones to another server.
    pub(crate) fn lead_to(&self, port: u16) {
        self.shared.upstream.store(port, Ordering::SeqCst);
        self.cut();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        self.cut();
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        self.cut();
    }
}

impl Shared {
    fn accept(&self, listener: &TcpListener) {
        while !self.over.load(Ordering::SeqCst) {
            match listener.accept() {
                Ok((client, _)) => self.join(client),
                Err(_) => sleep(Duration::from_millis(5)),
            }
        }
    }

    fn join(&self, client: TcpStream) {
        let port = self.upstream.load(Ordering::SeqCst);
        let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
            return;
        };
        client.set_nonblocking(false).unwrap();
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
            self.live.lock().unwrap().push(stream.try_clone().unwrap());
        }
        pump(
            client.try_clone().unwrap(),
            server.try_clone().unwrap(),
            self.weather,
        );
        pump(server, client, self.weather);
    }
}

/// Two threads, which end when one of the connections does.
fn pump(mut from: TcpStream, mut to: TcpStream, weather: Weather) {
    let (send, receive) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 65536];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let lost = fastrand::u32(0..100) < weather.loss;
            let wait = weather.latency + if lost { RETRANSMISSION } else { Duration::ZERO };
            let chunk = (Instant::now() + wait, buffer[..length].to_vec());
            if send.send(chunk).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || {
        for (at, chunk) in receive {
            sleep(at.saturating_duration_since(Instant::now()));
            if to.write_all(&chunk).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
