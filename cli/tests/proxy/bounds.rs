//! What a client may take: time, connections, memory; and how the proxy ends.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use crate::support::*;

#[test]
fn a_head_that_does_not_come_ends_its_connection() {
    let proxy = Proxy::with(UNLIMITED, &["--head-timeout", "200ms"]);
    for slow in ["GET http://a.example/ HTTP/1.1\r\nHos", ""] {
        let mut stream = proxy.connect();
        stream.write_all(slow.as_bytes()).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert!(matches!(status(&String::from_utf8_lossy(&rest)), 0 | 408));
    }
    // Nor is one that has been used kept for ever.
    let origin = Origin::start();
    let mut stream = proxy.connect();
    stream
        .write_all(get(origin.address, "/").as_bytes())
        .unwrap();
    assert_eq!(status(&read_answer(&mut stream)), 200);
    assert_eq!(stream.read(&mut [0; 9]).unwrap(), 0);
}

#[test]
fn a_body_that_stands_still_is_given_up() {
    let (proxy, origin) = (
        Proxy::with(UNLIMITED, &["--body-timeout", "200ms"]),
        Origin::start(),
    );
    let o = origin.address;
    for lines in [
        "Content-Length: 9",
        "Transfer-Encoding: chunked",
        "Authorization: AWS4-HMAC-SHA256 Credential=A/20260101/e/ec2/aws4_request\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9",
    ] {
        let request = format!("POST http://{o}/ HTTP/1.1\r\nHost: {o}\r\n{lines}\r\n\r\n4\r");
        let answer = proxy.answer(request.as_bytes());
        assert_eq!(status(&answer), 408, "{lines}: {answer:?}");
    }
    assert!(origin.seen().is_empty());
}

#[test]
fn too_many_clients_are_told_so_and_there_is_room_again() {
    let (proxy, origin) = (
        Proxy::with(UNLIMITED, &["--connections", "2"]),
        Origin::start(),
    );
    let held: Vec<_> = (0..2)
        .map(|_| {
            let mut stream = proxy.connect();
            stream
                .write_all(get(origin.address, "/").as_bytes())
                .unwrap();
            assert_eq!(status(&read_answer(&mut stream)), 200);
            stream
        })
        .collect();
    let answer = proxy.get(origin.address, "/");
    assert_eq!(status(&answer), 503);
    assert_eq!(field(&answer, "retry-after"), Some("1"));
    assert_eq!(field(&answer, "connection"), Some("close"));
    drop(held);
    until("a place is free", || {
        status(&proxy.get(origin.address, "/")) == 200
    });
}

#[test]
fn a_tunnel_counts_as_a_connection_too() {
    let (proxy, origin) = (
        Proxy::with(UNLIMITED, &["--connections", "1"]),
        Origin::start(),
    );
    let mut tunnel = proxy.connect();
    let o = origin.address;
    write!(tunnel, "CONNECT {o} HTTP/1.1\r\nHost: {o}\r\n\r\n").unwrap();
    assert_eq!(status(&read_answer(&mut tunnel)), 200);
    assert_eq!(status(&proxy.get(o, "/")), 503);
    drop(tunnel);
    until("a place is free", || status(&proxy.get(o, "/")) == 200);
}

const BLOCK: &[u8] = &[b'x'; 1 << 20];

/// Sends a body of `size` bytes until nobody takes any for a second. Says how many were taken.
fn send_until_full(stream: &mut std::net::TcpStream, size: usize) -> usize {
    let a_second = std::time::Duration::from_secs(1);
    stream.set_write_timeout(Some(a_second)).unwrap();
    let mut sent = 0;
    while sent < size {
        match stream.write(&BLOCK[..BLOCK.len().min(size - sent)]) {
            Ok(count) => sent += count,
            Err(_) => break,
        }
    }
    sent
}

/// An origin that takes a request's head and then reads no more until it is told.
#[test]
fn a_body_is_not_read_faster_than_the_origin_takes_it() {
    let origin = TcpListener::bind("127.0.0.1:0").unwrap();
    let o = origin.local_addr().unwrap();
    let proxy = Proxy::start(UNLIMITED);
    let mut stream = proxy.connect();
    let size: usize = 256 << 20;
    write!(
        stream,
        "PUT http://{o}/ HTTP/1.1\r\nHost: {o}\r\nContent-Length: {size}\r\n\r\n"
    )
    .unwrap();
    let (mut taken, _) = origin.accept().unwrap();
    let mut sent = send_until_full(&mut stream, size);
    // Sockets hold some megabytes; the proxy adds next to nothing.
    assert!(
        sent < size / 2,
        "{sent} bytes were taken though the origin reads none"
    );
    assert!(resident(&proxy) < 64 << 20, "{} bytes", resident(&proxy));
    let rest = thread::spawn(move || {
        stream.set_write_timeout(Some(LONG)).unwrap();
        while sent < size {
            sent += stream
                .write(&BLOCK[..BLOCK.len().min(size - sent)])
                .unwrap();
        }
        read_answer(&mut stream)
    });
    let mut bytes = vec![0; 1 << 16];
    let mut read = 0;
    while read < size {
        read += taken.read(&mut bytes).unwrap();
    }
    taken
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    assert_eq!(status(&rest.join().unwrap()), 200);
}

#[test]
fn an_answer_is_not_read_faster_than_the_client_takes_it() {
    let size: usize = 256 << 20;
    let origin = TcpListener::bind("127.0.0.1:0").unwrap();
    let o = origin.local_addr().unwrap();
    let sending = thread::spawn(move || {
        let (mut stream, _) = origin.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").unwrap();
        send_until_full(&mut stream, size)
    });
    let proxy = Proxy::start(UNLIMITED);
    let mut stream = proxy.connect();
    stream.write_all(get(o, "/").as_bytes()).unwrap();
    let sent = sending.join().unwrap();
    assert!(
        sent < size / 2,
        "{sent} bytes were taken though the client reads none"
    );
    assert!(resident(&proxy) < 64 << 20, "{} bytes", resident(&proxy));
}

#[test]
fn a_signal_lets_the_request_under_way_end_and_takes_no_more() {
    let origin = TcpListener::bind("127.0.0.1:0").unwrap();
    let o = origin.local_addr().unwrap();
    let mut proxy = Proxy::start(UNLIMITED);
    let address = proxy.address;
    let mut stream = proxy.connect();
    stream.write_all(get(o, "/").as_bytes()).unwrap();
    let (mut taken, _) = origin.accept().unwrap();
    let _ = taken.read(&mut [0; 4096]).unwrap();
    let ending = thread::spawn(move || proxy.terminate());
    until("it listens no more", || {
        std::net::TcpStream::connect(address).is_err()
    });
    taken
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        .unwrap();
    assert!(read_answer(&mut stream).ends_with("hi"));
    assert!(ending.join().unwrap().success());
}

/// The resident memory of the proxy, in bytes.
pub(crate) fn resident(proxy: &Proxy) -> usize {
    let path = format!("/proc/{}/status", proxy.pid());
    // Where there is no such file, nothing is said.
    let Ok(status) = std::fs::read_to_string(path) else {
        return 0;
    };
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}
