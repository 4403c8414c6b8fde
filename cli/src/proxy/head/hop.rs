//! Fields that are meant for the next hop only (RFC 9110, 7.6.1), and the few that are written anew for the hop after that.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Not forwarded, whether `Connection` names them or not.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Never removed because `Connection` names them: each says what the message is, how long it is, or where it has been.
const KEPT: [HeaderName; 6] = [
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    header::MAX_FORWARDS,
    header::TRAILER,
    header::VIA,
];

/// What a message said to this hop.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hop {
    /// The protocols that it may be upgraded to.
    pub(super) upgrade: Option<HeaderValue>,
    /// Its sender takes trailers.
    pub(super) takes_trailers: bool,
    /// Its body is in chunks.
    pub(super) is_chunked: bool,
    /// Codings beside the chunks, which nobody here can undo.
    pub(super) is_coded: bool,
}

/// Takes the fields of this hop out.
pub(super) fn take(headers: &mut HeaderMap) -> Hop {
    let hop = read(headers);
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = tokens(headers, &header::CONNECTION)
            .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
            .filter(|name| !KEPT.contains(name))
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    if !hop.is_chunked {
        headers.remove(header::TRAILER);
    }
    hop
}

fn read(headers: &HeaderMap) -> Hop {
    let is_named = |name: &str| {
        tokens(headers, &header::CONNECTION).any(|token| token.eq_ignore_ascii_case(name))
    };
    let codings = || tokens(headers, &header::TRANSFER_ENCODING);
    Hop {
        upgrade: headers
            .contains_key(header::UPGRADE)
            .then(|| is_named("upgrade").then(|| protocols(headers)).flatten())
            .flatten(),
        takes_trailers: tokens(headers, &header::TE)
            .any(|token| token.eq_ignore_ascii_case("trailers")),
        is_chunked: codings().any(|coding| coding.eq_ignore_ascii_case("chunked")),
        is_coded: codings().count() > 1
            || codings().any(|coding| !coding.eq_ignore_ascii_case("chunked")),
    }
}

/// Those that may go on. HTTP/2 may not: what a client says on a connection that was upgraded to it, nobody here would see.
fn protocols(headers: &HeaderMap) -> Option<HeaderValue> {
    let is_http = |protocol: &str| {
        let name = protocol.split('/').next().unwrap_or(protocol);
        ["h2c", "h2", "http", "tls"]
            .iter()
            .any(|http| name.eq_ignore_ascii_case(http))
    };
    let left: Vec<&str> = tokens(headers, &header::UPGRADE)
        .filter(|protocol| !is_http(protocol))
        .collect();
    (!left.is_empty())
        .then(|| HeaderValue::from_str(&left.join(", ")).ok())
        .flatten()
}

/// The members of a list, over all lines of a field. Lines that are no text have none.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|token| token.trim_matches([' ', '\t']))
        .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn left(lines: &[(&'static str, &str)]) -> Vec<String> {
        let mut headers = headers(lines);
        take(&mut headers);
        let mut names: Vec<_> = headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    }

    #[test]
    fn what_connection_names_stays_here_over_all_its_lines() {
        let lines = [
            ("connection", "x-one,\tX-Two ,,"),
            ("connection", "close, x-three"),
            ("x-one", "1"),
            ("x-two", "2"),
            ("x-two", "3"),
            ("x-three", "4"),
            ("x-four", "5"),
        ];
        assert_eq!(left(&lines), ["x-four"]);
    }

    #[test]
    fn what_says_how_long_and_where_to_is_not_taken_away() {
        let lines = [
            ("connection", "host, content-length, via, max-forwards, te"),
            ("host", "a"),
            ("content-length", "3"),
            ("via", "1.1 other"),
            ("max-forwards", "0"),
            ("te", "trailers"),
        ];
        assert_eq!(
            left(&lines),
            ["content-length", "host", "max-forwards", "via"]
        );
    }

    #[test]
    fn each_field_of_the_hop_stays_here_unnamed_too() {
        for name in HOP_BY_HOP {
            let mut headers = HeaderMap::new();
            headers.append(name.clone(), HeaderValue::from_static("x"));
            take(&mut headers);
            assert!(headers.is_empty(), "{name}");
        }
    }

    #[test]
    fn an_upgrade_counts_only_if_connection_names_it_and_never_to_http() {
        let upgrade = |connection, upgrade| {
            let mut headers = headers(&[("connection", connection), ("upgrade", upgrade)]);
            take(&mut headers).upgrade
        };
        assert_eq!(upgrade("Upgrade", "websocket").unwrap(), "websocket");
        assert_eq!(upgrade("close", "websocket"), None);
        assert_eq!(upgrade("upgrade, http2-settings", "h2c"), None);
        assert_eq!(upgrade("upgrade", "H2C, websocket").unwrap(), "websocket");
        assert_eq!(upgrade("upgrade", "HTTP/2.0, TLS/1.2"), None);
    }

    #[test]
    fn codings_beside_chunks_are_seen() {
        let hop = |coding| take(&mut headers(&[("transfer-encoding", coding)]));
        assert!(hop("Chunked").is_chunked && !hop("Chunked").is_coded);
        assert!(hop("gzip, chunked").is_coded);
        assert!(hop("chunked, chunked").is_coded);
        assert!(hop("identity").is_coded);
    }
}
