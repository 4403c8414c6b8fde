//! Turns: in order, at the rate, held by what the origin says, given up by who leaves.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::*;

/// One request under way at once.
const ONE: &str = "[default]\nat_once = 1\n";

/// An origin that answers `/held` only when it is told.
fn holding() -> (Origin, Arc<AtomicBool>) {
    let go = Arc::new(AtomicBool::new(false));
    let of_origin = Arc::clone(&go);
    let origin = Origin::answering(move |seen| {
        while seen.head.contains("/held") && !of_origin.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()
    });
    (origin, go)
}

fn paths(origin: &Origin) -> Vec<String> {
    let seen = origin.seen();
    let path = |seen: &Seen| seen.head.split(' ').nth(1).unwrap().to_owned();
    seen.iter().map(path).collect()
}

/// A moment in which what was sent has arrived. Nothing depends on it but the order that is asked for.
fn a_moment() {
    thread::sleep(Duration::from_millis(300));
}

#[test]
fn requests_go_at_the_rate_of_their_host_or_path_and_others_at_none() {
    let origin = Origin::start();
    let o = origin.address;
    let limits = format!("{UNLIMITED}\n[\"{o}/slow\"]\nevery = \"100ms\"\n");
    let proxy = Proxy::start(&limits);
    for path in [
        "/slow/a",
        "/fast",
        "/slow/b",
        "/%73low",
        "/fast",
        "/x/../slow",
    ] {
        assert_eq!(status(&proxy.get(o, path)), 200);
    }
    let seen = origin.seen();
    let slow: Vec<_> = seen
        .iter()
        .filter(|seen| seen.head.contains("low"))
        .collect();
    assert_eq!((seen.len(), slow.len()), (6, 4));
    // Three intervals, less the lateness that may be made up.
    assert!(slow[3].at - slow[0].at >= Duration::from_millis(290));
}

#[test]
fn who_came_first_goes_first_and_who_hangs_up_is_not_sent() {
    let (origin, go) = holding();
    let proxy = Proxy::start(ONE);
    let o = origin.address;
    let send = |request: String| {
        let mut stream = proxy.connect();
        stream.write_all(request.as_bytes()).unwrap();
        a_moment();
        stream
    };
    // A form of AWS, read to its end; one that says it has more; and a body that is not read before its turn.
    let signed = "Authorization: AWS4-HMAC-SHA256 Credential=A/20260101/e/ec2/aws4_request";
    let form = "Content-Type: application/x-www-form-urlencoded";
    let limits_on_the_host = |lines: &str| {
        format!("POST http://{o}/gone HTTP/1.1\r\nHost: {o}\r\n{lines}\r\n\r\nAction=Run&a")
    };
    let held = send(get(o, "/held"));
    let gone = [
        send(get(o, "/gone")),
        send(limits_on_the_host("Content-Length: 12")),
        send(limits_on_the_host("Content-Length: 9999999")),
        send(limits_on_the_host(&format!("{form}\r\nContent-Length: 99"))),
    ];
    let mut second = send(get(o, "/second"));
    let mut third = send(get(o, "/third"));
    drop(gone);
    a_moment();
    go.store(true, Ordering::SeqCst);
    assert_eq!(status(&read_answer(&mut second)), 200);
    assert_eq!(status(&read_answer(&mut third)), 200);
    assert_eq!(paths(&origin), ["/held", "/second", "/third"]);
    drop(held);
    // Nor is one of AWS.
    let limits = format!("{UNLIMITED}\n[\"ec2/*\"]\nat_once = 1\n");
    let (origin, go) = holding();
    let proxy = Proxy::start(&limits);
    let o = origin.address;
    let aws = |path: &str, length: usize| {
        let mut stream = proxy.connect();
        let head = format!(
            "POST http://{o}{path} HTTP/1.1\r\nHost: {o}\r\n{signed}\r\n{form}\r\nContent-Length: {length}\r\n\r\nAction=Run&a"
        );
        stream.write_all(head.as_bytes()).unwrap();
        a_moment();
        stream
    };
    let held = aws("/held", 12);
    let gone = [aws("/gone", 12), aws("/gone", 999)];
    let mut last = aws("/last", 12);
    drop(gone);
    a_moment();
    go.store(true, Ordering::SeqCst);
    assert_eq!(status(&read_answer(&mut last)), 200);
    assert_eq!(paths(&origin), ["/held", "/last"]);
    let bodies: Vec<_> = origin.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies, [b"Action=Run&a"; 2]);
    drop(held);
}

#[test]
fn a_client_that_hangs_up_under_way_frees_its_place() {
    let (origin, go) = holding();
    let proxy = Proxy::start(ONE);
    let mut held = proxy.connect();
    held.write_all(get(origin.address, "/held").as_bytes())
        .unwrap();
    a_moment();
    drop(held);
    assert_eq!(status(&proxy.get(origin.address, "/next")), 200);
    go.store(true, Ordering::SeqCst);
}

#[test]
fn a_wait_that_would_be_too_long_is_a_503_that_says_when_to_come_back() {
    let origin = Origin::start();
    let limits = "[default]\nevery = \"1h\"\n";
    let proxy = Proxy::with(limits, &["--max-wait", "10s"]);
    assert_eq!(status(&proxy.get(origin.address, "/")), 200);
    let answer = proxy.get(origin.address, "/");
    assert_eq!(status(&answer), 503);
    let after: u64 = field(&answer, "retry-after").unwrap().parse().unwrap();
    assert!((3_400..=3_590).contains(&after), "{answer}");
    assert!(
        field(&answer, "proxy-status")
            .unwrap()
            .starts_with("apiqueue; error=")
    );
    assert_eq!(origin.seen().len(), 1);
    // Where nobody can tell how long it will be, it is waited for.
    let (origin, go) = holding();
    let proxy = Proxy::with(ONE, &["--max-wait", "300ms"]);
    let mut held = proxy.connect();
    held.write_all(get(origin.address, "/held").as_bytes())
        .unwrap();
    a_moment();
    let answer = proxy.get(origin.address, "/late");
    assert_eq!(status(&answer), 503);
    assert_eq!(field(&answer, "retry-after"), Some("1"));
    go.store(true, Ordering::SeqCst);
    assert_eq!(status(&read_answer(&mut held)), 200);
    assert_eq!(paths(&origin), ["/held"]);
}

#[test]
fn an_answer_that_throttles_holds_the_line_for_as_long_as_it_says() {
    for (limits, answer, aws) in [
        (
            "[default]\nper_second = 1000\n",
            "503 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
            "",
        ),
        (
            "[default]\nper_second = 1000\n",
            "429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
            "",
        ),
        (
            "[default]\nunlimited = true\n[\"sqs/*\"]\nper_second = 1000\n",
            "400 Bad Request\r\nContent-Length: 44\r\n\r\n{\"__type\":\"x#ThrottlingException\",\"a\":\"bcde\"}",
            "Authorization: AWS4-HMAC-SHA256 Credential=A/20260101/e/sqs/aws4_request\r\n",
        ),
    ] {
        let count = AtomicUsize::new(0);
        let first = format!("HTTP/1.1 {answer}");
        let origin = Origin::answering(move |_| match count.fetch_add(1, Ordering::SeqCst) {
            0 => first.clone().into_bytes(),
            _ => b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
        });
        let proxy = Proxy::start(limits);
        let o = origin.address;
        let request = format!("GET http://{o}/ HTTP/1.1\r\nHost: {o}\r\n{aws}\r\n");
        let refused = proxy.answer(request.as_bytes());
        assert_eq!(status(&refused).to_string(), answer[..3]);
        assert_eq!(status(&proxy.answer(request.as_bytes())), 200);
        let seen = origin.seen();
        assert!(
            seen[1].at - seen[0].at >= Duration::from_millis(990),
            "{answer}"
        );
    }
}

#[test]
fn a_connection_that_is_tunnelled_takes_one_turn_and_is_told_of() {
    let origin = Origin::start();
    let o = origin.address;
    let proxy = Proxy::start("[default]\nevery = \"200ms\"\n");
    for _ in 0..3 {
        let mut tunnel = proxy.connect();
        // What goes inside may come along at once.
        let within = format!("GET /in HTTP/1.1\r\nHost: {o}\r\n\r\n");
        write!(tunnel, "CONNECT {o} HTTP/1.1\r\nHost: {o}\r\n\r\n{within}").unwrap();
        let opened = read_answer(&mut tunnel);
        assert_eq!(status(&opened), 200);
        assert!(
            field(&opened, "proxy-status")
                .unwrap()
                .contains("paced by connection")
        );
        assert!(read_answer(&mut tunnel).ends_with("hi"));
        tunnel.write_all(within.as_bytes()).unwrap();
        assert!(read_answer(&mut tunnel).ends_with("hi"));
    }
    let seen = origin.seen();
    assert_eq!(seen.len(), 6);
    assert!(seen[4].at - seen[0].at >= Duration::from_millis(390));
    let told = proxy.told.lock().unwrap();
    assert_eq!(
        told.iter()
            .filter(|line| line.contains("paced by connection"))
            .count(),
        1
    );
}

#[test]
fn two_proxies_of_one_name_share_a_rate() {
    let directory = tempfile::tempdir().unwrap();
    let env = [("APIQUEUE_DIR", directory.path().to_str().unwrap())];
    let limits = "[default]\nevery = \"100ms\"\n";
    let proxies = [(); 2].map(|()| Proxy::in_env(limits, &["--share", "test"], &env));
    let origin = Origin::start();
    let o = origin.address;
    thread::scope(|scope| {
        for proxy in &proxies {
            scope.spawn(move || {
                for _ in 0..5 {
                    assert_eq!(status(&proxy.get(o, "/")), 200);
                }
            });
        }
    });
    let seen = origin.seen();
    let at: Vec<_> = seen.iter().map(|seen| seen.at).collect();
    assert_eq!(at.len(), 10);
    let span = *at.iter().max().unwrap() - *at.iter().min().unwrap();
    assert!(span >= Duration::from_millis(870), "{span:?}");
}
