//! Bytes become a request's head as hyper reads one; it is refused, or what leaves is a head that says one thing only.
#![no_main]
#![allow(dead_code, reason = "the target uses the half of these files that is about requests")]

#[path = "../../src/proxy/head/mod.rs"]
mod head;
#[path = "../../src/proxy/key/mod.rs"]
mod key;

use head::{Terms, Way};
use http::header;
use libfuzzer_sys::fuzz_target;

const HOP: [&str; 6] = [
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "proxy-authenticate",
    "http2-settings",
    "x-hop",
];

fuzz_target!(|bytes: &[u8]| {
    let mut lines = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut lines);
    if !matches!(parsed.parse(bytes), Ok(httparse::Status::Complete(_))) {
        return;
    }
    let mut request = http::Request::builder()
        .method(parsed.method.unwrap_or_default())
        .uri(parsed.path.unwrap_or_default())
        .version(match parsed.version {
            Some(0) => http::Version::HTTP_10,
            _ => http::Version::HTTP_11,
        });
    for line in parsed.headers.iter() {
        request = request.header(line.name, line.value);
    }
    let Ok(request) = request.body(()) else {
        return;
    };
    let (mut parts, ()) = request.into_parts();
    let named_hop = parts
        .headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|token| token.trim_matches([' ', '\t']).eq_ignore_ascii_case("x-hop"));
    let terms = Terms {
        name: "apiqueue-0".to_owned(),
        listens: ([127, 0, 0, 1], 8080).into(),
        tls: vec!["*.amazonaws.com".to_owned()],
    };
    let tables = key::Tables::new(["a/b".to_owned(), "a".to_owned()]);
    match terms.request(&mut parts) {
        Err(refusal) => {
            assert!(!refusal.status.is_success() || refusal.status == 204);
            assert!(refusal.why.len() < 600);
        }
        Ok(Way::Tunnel(target)) => {
            assert!(target.port > 0 && !target.host.is_empty());
            assert!(!tables.key_of_connection(&target).is_empty());
        }
        Ok(Way::Forward { target, may_upgrade }) => {
            let headers = &parts.headers;
            assert_eq!(headers.get_all(header::HOST).iter().count(), 1);
            let host: http::uri::Authority = headers["host"].as_bytes().try_into().expect("a host");
            assert!(host.host().eq_ignore_ascii_case(&target.host));
            assert_eq!(parts.uri.host(), Some(target.host.as_str()));
            assert!(parts.uri.port_u16().is_some_and(|port| port > 0));
            assert!(!target.host.ends_with(".amazonaws.com") || parts.uri.scheme_str() == Some("https"));
            assert!(HOP[..4].iter().all(|name| !headers.contains_key(*name)));
            assert!(!named_hop || !headers.contains_key("x-hop"));
            let is_chunked = headers.get(header::TRANSFER_ENCODING).is_some_and(|it| it == "chunked");
            assert_eq!(is_chunked, headers.contains_key(header::TRANSFER_ENCODING));
            assert!(!is_chunked || !headers.contains_key(header::CONTENT_LENGTH));
            assert_eq!(may_upgrade, headers.contains_key(header::UPGRADE));
            let via = headers.get_all(header::VIA).iter().next_back().expect("a Via");
            assert!(via.to_str().is_ok_and(|via| via.ends_with(" apiqueue-0")));
            let (key::Key::Of(key) | key::Key::Aws(key)) = tables.key(&parts, &target) else {
                return;
            };
            assert!(!key.is_empty() && key.len() < 70_000);
            // Nor does it pass a second time.
            assert!(terms.request(&mut parts).is_err());
        }
    }
});
