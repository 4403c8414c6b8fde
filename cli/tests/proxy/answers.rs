//! Answers: hostile ones, ones without a body, trailers, 1xx, upgrades, HTTP/1.0.

use std::io::{Read, Write};

use crate::support::*;

/// The answer that a client gets of the origin's bytes, and all that comes after until the end.
fn through(bytes: impl Into<Vec<u8>>) -> (String, String) {
    let bytes = bytes.into();
    let origin = Origin::answering(move |seen| match seen.head.contains("/next") {
        true => b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext".to_vec(),
        false => bytes.clone(),
    });
    let proxy = Proxy::start(UNLIMITED);
    let mut stream = proxy.connect();
    let o = origin.address;
    let request = format!("GET http://{o}/ HTTP/1.1\r\nHost: {o}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut all = Vec::new();
    // One that is broken off is reset or closed.
    let _ = stream.read_to_end(&mut all);
    let next = proxy.get(origin.address, "/next");
    (String::from_utf8_lossy(&all).into_owned(), next)
}

#[test]
fn an_answer_that_is_none_is_a_502_and_spoils_nobody_elses() {
    let huge = format!("HTTP/1.1 200 OK\r\nX-A: {}\r\n\r\n", "a".repeat(1 << 20));
    for bytes in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-A: b\rX-B: c\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 99999 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
        huge.as_str(),
        "",
    ] {
        let (answer, next) = through(bytes);
        assert_eq!(
            status(&answer),
            502,
            "{} {answer:?}",
            &bytes[..bytes.len().min(99)]
        );
        assert!(
            field(&answer, "proxy-status")
                .unwrap()
                .starts_with("apiqueue; error=")
        );
        assert!(next.ends_with("next"), "{next:?}");
    }
}

#[test]
fn what_comes_behind_an_answer_is_not_the_next_one() {
    let second = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    for first in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    ] {
        let (answer, next) = through(format!("{first}{second}"));
        assert_eq!(status(&answer).to_string(), first[9..12]);
        assert!(!answer.contains("evil"), "{answer:?}");
        assert!(next.ends_with("next"), "{first}: {next:?}");
    }
}

#[test]
fn an_answer_that_breaks_off_is_not_made_whole() {
    let proxy = Proxy::start(UNLIMITED);
    let broken_off = |bytes: &'static str| {
        let origin = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = origin.local_addr().unwrap();
        let closing = std::thread::spawn(move || {
            let (mut stream, _) = origin.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(bytes.as_bytes());
        });
        let mut stream = proxy.connect();
        stream.write_all(get(address, "/").as_bytes()).unwrap();
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        closing.join().unwrap();
        String::from_utf8_lossy(&all).into_owned()
    };
    let all = broken_off("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi");
    assert_eq!(field(&all, "content-length"), Some("9"));
    assert!(all.ends_with("\r\n\r\nhi"), "{all:?}");
    let all = broken_off("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
    assert!(
        all.contains("2\r\nhi\r\n") && !all.contains("\r\n0\r\n"),
        "{all:?}"
    );
}

#[test]
fn heads_alone_have_the_length_that_a_get_would_have() {
    let origin = Origin::answering(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n".to_vec());
    let proxy = Proxy::start(UNLIMITED);
    let o = origin.address;
    let mut stream = proxy.connect();
    for _ in 0..2 {
        let request = format!("HEAD http://{o}/ HTTP/1.1\r\nHost: {o}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert_eq!(field(&head, "content-length"), Some("1234"));
    }
    assert_eq!(origin.seen().len(), 2);
}

#[test]
fn trailers_go_both_ways() {
    let origin = Origin::answering(|_| {
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 7\r\n\r\n".to_vec()
    });
    let proxy = Proxy::start(UNLIMITED);
    let o = origin.address;
    let mut stream = proxy.connect();
    let request = format!(
        "POST http://{o}/ HTTP/1.1\r\nHost: {o}\r\nConnection: close, TE\r\nTE: trailers\r\nTrailer: x-end\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-end: 5\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("0\r\nx-sum: 7\r\n\r\n"), "{answer:?}");
    let seen = origin.only();
    assert_eq!(String::from_utf8_lossy(&seen.body), "abcx-end: 5\r\n");
    assert_eq!(field(&seen.head, "te"), Some("trailers"));
    assert_eq!(field(&seen.head, "connection"), Some("te"));
}

#[test]
fn http_1_0_gets_its_answer_without_chunks_and_then_the_end() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    let origin = Origin::answering(move |_| chunked.into());
    let proxy = Proxy::start(UNLIMITED);
    let mut stream = proxy.connect();
    let request = format!("GET http://{}/ HTTP/1.0\r\n\r\n", origin.address);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\nhi"), "{answer:?}");
    assert_eq!(field(&answer, "transfer-encoding"), None);
    let head = origin.only().head;
    assert!(head.starts_with("GET / HTTP/1.1\r\n"));
    assert_eq!(
        field(&head, "host"),
        Some(origin.address.to_string().as_str())
    );
    assert!(field(&head, "via").unwrap().starts_with("1.0 apiqueue-"));
}

#[test]
fn an_upgrade_that_was_asked_for_becomes_a_tunnel() {
    let origin = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let o = origin.local_addr().unwrap();
    let echo = std::thread::spawn(move || {
        let (mut stream, _) = origin.accept().unwrap();
        let mut head = String::new();
        let mut byte = [0];
        while !head.ends_with("\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(char::from(byte[0]));
        }
        // Its first bytes come with the answer.
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst";
        stream.write_all(answer).unwrap();
        let mut heard = [0; 4];
        stream.read_exact(&mut heard).unwrap();
        stream.write_all(&heard).unwrap();
        head
    });
    let proxy = Proxy::start(UNLIMITED);
    let mut stream = proxy.connect();
    let request = format!(
        "GET http://{o}/ HTTP/1.1\r\nHost: {o}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let answer = read_answer(&mut stream);
    assert_eq!(status(&answer), 101);
    assert_eq!(field(&answer, "upgrade"), Some("websocket"));
    stream.write_all(b"ping").unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "firstping");
    let head = echo.join().unwrap();
    assert_eq!(field(&head, "connection"), Some("upgrade"));
}

/// An origin that wants to be asked first: what it read before it answered, and after it said 100.
fn asked_first(first: &'static str) -> (std::net::SocketAddr, std::thread::JoinHandle<usize>) {
    let origin = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = origin.local_addr().unwrap();
    let read = std::thread::spawn(move || {
        let (mut stream, _) = origin.accept().unwrap();
        let mut head = Vec::new();
        let mut bytes = [0; 4096];
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            let count = stream.read(&mut bytes).unwrap();
            head.extend(&bytes[..count]);
        }
        assert!(String::from_utf8_lossy(&head).contains("100-continue"));
        stream.write_all(first.as_bytes()).unwrap();
        let end = head.windows(4).position(|end| end == b"\r\n\r\n").unwrap();
        let mut body = head.len() - end - 4;
        if first.starts_with("HTTP/1.1 100") {
            while body < 3 {
                body += stream.read(&mut bytes).unwrap();
            }
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                .unwrap();
        } else {
            body += stream.read(&mut bytes).unwrap_or(0);
        }
        body
    });
    (address, read)
}

#[test]
fn a_client_that_asks_whether_its_body_is_wanted_is_told_by_the_origin() {
    let proxy = Proxy::start(UNLIMITED);
    let ask = |o| {
        format!(
            "PUT http://{o}/ HTTP/1.1\r\nHost: {o}\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
    };
    let (o, read) = asked_first("HTTP/1.1 100 Continue\r\n\r\n");
    let mut stream = proxy.connect();
    stream.write_all(ask(o).as_bytes()).unwrap();
    assert_eq!(status(&read_answer(&mut stream)), 100);
    stream.write_all(b"abc").unwrap();
    assert_eq!(status(&read_answer(&mut stream)), 200);
    assert_eq!(read.join().unwrap(), 3);
    // Where it is not wanted, nobody says 100, and the answer comes whole.
    let (o, read) = asked_first("HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge");
    let mut stream = proxy.connect();
    stream.write_all(ask(o).as_bytes()).unwrap();
    let answer = read_answer(&mut stream);
    assert_eq!(status(&answer), 413);
    assert!(answer.ends_with("large"));
    assert_eq!(read.join().unwrap(), 0);
}
