//! What becomes of a head. Each row is a request as it comes and as it leaves, or its refusal.
#![allow(clippy::unwrap_used, clippy::panic)]

use http::Request;

use super::*;

fn terms() -> Terms {
    Terms {
        name: "apiqueue-1a2b".to_owned(),
        listens: "127.0.0.1:8080".parse().unwrap(),
        tls: vec!["*.amazonaws.com".to_owned(), "api.github.com".to_owned()],
    }
}

fn parts(method: &str, target: &str, lines: &[(&str, &str)]) -> request::Parts {
    let request = Request::builder().method(method).uri(target);
    let request = lines.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    request.body(()).unwrap().into_parts().0
}

/// Where it is sent, and what way that is.
fn sent(method: &str, target: &str, lines: &[(&str, &str)]) -> (request::Parts, Way) {
    let mut parts = parts(method, target, lines);
    let way = terms().request(&mut parts);
    (parts, way.unwrap())
}

fn refused(method: &str, target: &str, lines: &[(&str, &str)]) -> Refusal {
    terms()
        .request(&mut parts(method, target, lines))
        .unwrap_err()
}

#[test]
fn a_target_is_a_whole_url_or_a_path_with_a_host() {
    for (target, host, uri) in [
        (
            "http://a.example/x?y=1",
            "a.example",
            "http://a.example:80/x?y=1",
        ),
        ("http://a.example", "a.example", "http://a.example:80/"),
        (
            "http://a.example:81/",
            "a.example:81",
            "http://a.example:81/",
        ),
        ("https://a.example/", "a.example", "https://a.example:443/"),
        ("/x%2f?y", "a.example:90", "http://a.example:90/x%2f?y"),
        ("http://[::2]:7/", "[::2]:7", "http://[::2]:7/"),
        ("http://A.Example/", "A.Example", "http://a.example:80/"),
    ] {
        let (parts, _) = sent("GET", target, &[("host", host)]);
        assert_eq!(parts.uri.to_string(), uri);
        assert_eq!(parts.headers["host"], host);
    }
}

#[test]
fn the_host_is_what_the_target_says_and_stays_as_it_is_where_it_says_the_same() {
    for (target, host, sent_host) in [
        ("http://a.example/", "b.example", "a.example"),
        ("http://a.example/", "", "a.example"),
        ("http://a.example:81/", "a.example", "a.example:81"),
        ("http://a.example/", "A.example:80", "A.example:80"),
        ("http://a.example:80/", "a.example", "a.example"),
    ] {
        if host.is_empty() {
            // HTTP/1.0 may come without.
            let mut parts = parts("GET", target, &[]);
            parts.version = Version::HTTP_10;
            terms().request(&mut parts).unwrap();
            assert_eq!(parts.headers["host"], sent_host);
            continue;
        }
        let (parts, _) = sent("GET", target, &[("host", host)]);
        assert_eq!(parts.headers["host"], sent_host, "{target} {host}");
    }
}

#[test]
fn tls_is_spoken_where_that_was_told_and_the_host_stays_what_was_signed() {
    for (target, uri) in [
        (
            "http://ec2.eu-west-1.amazonaws.com/",
            "https://ec2.eu-west-1.amazonaws.com:443/",
        ),
        (
            "http://ec2.eu-west-1.amazonaws.com:80/",
            "https://ec2.eu-west-1.amazonaws.com:443/",
        ),
        (
            "http://x.amazonaws.com:8443/",
            "https://x.amazonaws.com:8443/",
        ),
        ("http://api.github.com/", "https://api.github.com:443/"),
        ("http://amazonaws.com/", "http://amazonaws.com:80/"),
        (
            "http://evil-api.github.com/",
            "http://evil-api.github.com:80/",
        ),
        (
            "http://ec2.amazonaws.com.evil.example/",
            "http://ec2.amazonaws.com.evil.example:80/",
        ),
    ] {
        let host = target.trim_start_matches("http://").trim_end_matches('/');
        let (parts, _) = sent("GET", target, &[("host", host)]);
        assert_eq!(parts.uri.to_string(), uri);
        assert_eq!(parts.headers["host"], host);
    }
}

#[test]
fn targets_that_can_not_be_are_refused() {
    let long = format!("http://a.example:{}/", "9".repeat(300));
    for (method, target, host, status) in [
        ("GET", "ftp://a.example/", "a.example", 400),
        ("GET", "http://user:secret@a.example/", "a.example", 400),
        ("GET", "http://a.example:0/", "a.example", 400),
        ("GET", "http://a.example:65536/", "a.example", 400),
        ("GET", long.as_str(), "a.example", 400),
        ("GET", "/", "", 400),
        ("GET", "/", "user@a.example", 400),
        ("GET", "/", "a.example:x", 400),
        ("GET", "/", "a.example:+80", 400),
        ("GET", "/", "a.example/x", 400),
        ("GET", "/", "a b", 400),
        ("GET", "/", "127.0.0.1:8080", 421),
        ("GET", "/", "localhost:8080", 421),
        ("GET", "http://[::1]:8080/", "[::1]:8080", 421),
        ("GET", "http://0.0.0.0:8080/", "0.0.0.0:8080", 421),
        ("CONNECT", "127.0.0.1:8080", "127.0.0.1:8080", 421),
        ("GET", "*", "a.example", 400),
        ("GET", "a.example:80", "a.example", 400),
        ("CONNECT", "http://a.example/", "a.example", 400),
        ("CONNECT", "/", "a.example", 400),
        ("CONNECT", "a.example", "a.example", 400),
        ("CONNECT", "a.example:0", "a.example", 400),
        ("CONNECT", "a@a.example:443", "a.example", 400),
    ] {
        let why = refused(method, target, &[("host", host)]);
        assert_eq!(why.status, status, "{method} {target} {host}: {why:?}");
        assert!(!why.why.is_empty() && why.why.len() < 300, "{why:?}");
    }
}

#[test]
fn there_is_one_host_and_in_http_1_1_not_less() {
    let two = [("host", "a.example"), ("host", "a.example")];
    assert_eq!(refused("GET", "http://a.example/", &two).status, 400);
    assert_eq!(refused("GET", "http://a.example/", &[]).status, 400);
    assert_eq!(refused("CONNECT", "a.example:443", &two).status, 400);
    let mut old = parts("GET", "/", &[]);
    old.version = Version::HTTP_10;
    assert_eq!(terms().request(&mut old).unwrap_err().status, 400);
}

#[test]
fn connect_goes_to_a_host_and_port() {
    let (_, way) = sent("CONNECT", "A.example:443", &[("host", "a.example:443")]);
    let Way::Tunnel(target) = way else {
        panic!("{way:?}");
    };
    assert_eq!((target.host.as_str(), target.port), ("a.example", 443));
}

#[test]
fn what_is_the_hops_stays_and_what_is_the_messages_goes_on() {
    let (parts, _) = sent(
        "POST",
        "http://a.example/",
        &[
            ("host", "a.example"),
            ("connection", "keep-alive, x-secret"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "Basic eA=="),
            ("x-secret", "1"),
            ("authorization", "AWS4-HMAC-SHA256 Credential=A/1/2/3/4"),
            ("content-length", "3"),
            ("via", "1.0 other"),
            ("trailer", "x-end"),
        ],
    );
    let mut names: Vec<_> = parts.headers.keys().map(ToString::to_string).collect();
    names.sort();
    assert_eq!(names, ["authorization", "content-length", "host", "via"]);
    let via: Vec<_> = parts.headers.get_all("via").iter().collect();
    assert_eq!(via, ["1.0 other", "1.1 apiqueue-1a2b"]);
}

#[test]
fn chunks_trailers_and_upgrades_are_said_anew() {
    let (parts, way) = sent(
        "GET",
        "http://a.example/",
        &[
            ("host", "a.example"),
            ("connection", "Upgrade, TE"),
            ("upgrade", "websocket, h2c"),
            ("te", "trailers, deflate;q=0.5"),
            ("transfer-encoding", "CHUNKED"),
            ("trailer", "x-end"),
        ],
    );
    assert!(matches!(
        way,
        Way::Forward {
            may_upgrade: true,
            ..
        }
    ));
    assert_eq!(parts.headers["upgrade"], "websocket");
    assert_eq!(parts.headers["te"], "trailers");
    assert_eq!(parts.headers["trailer"], "x-end");
    assert_eq!(parts.headers["transfer-encoding"], "chunked");
    let named: Vec<_> = parts.headers.get_all("connection").iter().collect();
    assert_eq!(named, ["te", "upgrade"]);
    let coded = [
        ("host", "a.example"),
        ("transfer-encoding", "gzip, chunked"),
    ];
    assert_eq!(refused("POST", "http://a.example/", &coded).status, 501);
}

#[test]
fn http_1_0_is_said_in_via_and_has_neither_upgrades_nor_expectations() {
    let lines = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("expect", "something"),
    ];
    let mut parts = parts("GET", "http://a.example/", &lines);
    parts.version = Version::HTTP_10;
    terms().request(&mut parts).unwrap();
    assert_eq!(parts.version, Version::HTTP_11);
    assert_eq!(parts.headers["via"], "1.0 apiqueue-1a2b");
    assert_eq!(parts.headers.len(), 2);
}

#[test]
fn a_request_that_was_here_is_not_sent_again() {
    for via in ["1.1 apiqueue-1a2b", "1.1 a, 1.0 apiqueue-1a2b (x), 1.1 b"] {
        let lines = [("host", "a.example"), ("via", "1.1 z"), ("via", via)];
        assert_eq!(refused("GET", "http://a.example/", &lines).status, 508);
    }
    let other = [("host", "a.example"), ("via", "1.1 apiqueue-ffff")];
    sent("GET", "http://a.example/", &other);
}

#[test]
fn max_forwards_counts_down_for_options_and_trace_alone() {
    let with = |value| [("host", "a.example"), ("max-forwards", value)];
    let left = |method, value| {
        let (parts, _) = sent(method, "http://a.example/", &with(value));
        parts.headers["max-forwards"].clone()
    };
    assert_eq!(left("OPTIONS", "7"), "6");
    assert_eq!(left("TRACE", "1"), "0");
    assert_eq!(left("GET", "0"), "0");
    assert_eq!(left("TRACE", "99999999999999999999"), "4294967294");
    let status = |method, value| refused(method, "http://a.example/", &with(value)).status;
    assert_eq!(status("OPTIONS", "0"), 204);
    assert_eq!(status("TRACE", "0"), 405);
    assert_eq!(status("OPTIONS", "-1"), 400);
    assert_eq!(status("OPTIONS", "+1"), 400);
    assert_eq!(
        refused("OPTIONS", "*", &[("host", "a.example")]).status,
        204
    );
}

#[test]
fn expectations_but_one_are_refused() {
    let with = |value| [("host", "a.example"), ("expect", value)];
    let (parts, _) = sent("PUT", "http://a.example/", &with("100-Continue"));
    assert_eq!(parts.headers["expect"], "100-Continue");
    assert_eq!(
        refused("PUT", "http://a.example/", &with("magic")).status,
        417
    );
}

fn answer(status: u16, lines: &[(&str, &str)]) -> response::Parts {
    let answer = http::Response::builder().status(status);
    let answer = lines
        .iter()
        .fold(answer, |answer, (name, value)| answer.header(*name, *value));
    answer.body(()).unwrap().into_parts().0
}

#[test]
fn an_answer_leaves_what_was_said_to_the_proxy() {
    let lines = [
        ("connection", "close, x-hop"),
        ("x-hop", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-authenticate", "Basic"),
        ("content-length", "9"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("retry-after", "3"),
    ];
    let mut parts = answer(503, &lines);
    parts.version = Version::HTTP_10;
    terms().response(&mut parts, false).unwrap();
    let mut names: Vec<_> = parts.headers.keys().map(ToString::to_string).collect();
    names.sort();
    assert_eq!(
        names,
        ["content-length", "retry-after", "set-cookie", "via"]
    );
    assert_eq!(parts.headers["via"], "1.0 apiqueue-1a2b");
    assert_eq!(parts.headers.get_all("set-cookie").iter().count(), 2);
}

#[test]
fn nobody_switches_protocols_unasked() {
    let lines = [("connection", "upgrade"), ("upgrade", "websocket")];
    assert!(terms().response(&mut answer(101, &lines), true).is_ok());
    let why = terms().response(&mut answer(101, &lines), false);
    assert_eq!(why.unwrap_err().status, 502);
    let why = terms().response(&mut answer(101, &[]), true);
    assert_eq!(why.unwrap_err().status, 502);
}
