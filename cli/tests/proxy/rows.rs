//! Requests that are no good, as bytes.

/// `{o}` stands for the origin's address.
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) bytes: String,
    /// The answer's status; 0 for none.
    pub(crate) status: u16,
    /// How many requests the origin sees.
    pub(crate) sent: usize,
}

fn row(what: &'static str, bytes: impl Into<String>, status: u16, sent: usize) -> Row {
    Row {
        what,
        bytes: bytes.into(),
        status,
        sent,
    }
}

/// A POST with these lines, and this body.
fn post(what: &'static str, lines: &str, body: &str, status: u16, sent: usize) -> Row {
    let bytes = format!("POST http://{{o}}/ HTTP/1.1\r\nHost: {{o}}\r\n{lines}\r\n\r\n{body}");
    row(what, bytes, status, sent)
}

fn head(what: &'static str, line: &str, status: u16, sent: usize) -> Row {
    let bytes = format!("GET http://{{o}}/ HTTP/1.1\r\nHost: {{o}}\r\n{line}\r\n\r\n");
    row(what, bytes, status, sent)
}

const SMUGGLED: &str = "0\r\n\r\nGET http://{o}/smuggled HTTP/1.1\r\nHost: {o}\r\n\r\n";

pub(crate) fn rows() -> Vec<Row> {
    let chunked = "Transfer-Encoding: chunked";
    vec![
        post(
            "`Content-Length` and `Transfer-Encoding`",
            &format!("Content-Length: 5\r\n{chunked}"),
            SMUGGLED,
            200,
            1,
        ),
        post(
            "`Transfer-Encoding` and `Content-Length`",
            &format!("{chunked}\r\nContent-Length: 99"),
            SMUGGLED,
            200,
            1,
        ),
        post(
            "two different `Content-Length`",
            "Content-Length: 3\r\nContent-Length: 4",
            "abcd",
            400,
            0,
        ),
        post(
            "the same `Content-Length` twice",
            "Content-Length: 3\r\nContent-Length: 3",
            "abc",
            200,
            1,
        ),
        post(
            "`Content-Length: 3, 3`",
            "Content-Length: 3, 3",
            "abc",
            400,
            0,
        ),
        post("`Content-Length: +3`", "Content-Length: +3", "abc", 400, 0),
        post("`Content-Length: -3`", "Content-Length: -3", "abc", 400, 0),
        post(
            "`Content-Length: 0x3`",
            "Content-Length: 0x3",
            "abc",
            400,
            0,
        ),
        post(
            "`Content-Length` beyond 64 bits",
            "Content-Length: 99999999999999999999",
            "abc",
            400,
            0,
        ),
        post(
            "`Transfer-Encoding: xchunked`",
            "Transfer-Encoding: xchunked",
            "0\r\n\r\n",
            400,
            0,
        ),
        post(
            "`Transfer-Encoding: identity`",
            "Transfer-Encoding: identity",
            "0\r\n\r\n",
            400,
            0,
        ),
        post(
            "`Transfer-Encoding: chunked, identity`",
            "Transfer-Encoding: chunked, identity",
            "0\r\n\r\n",
            400,
            0,
        ),
        post(
            "`Transfer-Encoding: gzip, chunked`",
            "Transfer-Encoding: gzip, chunked",
            "0\r\n\r\n",
            501,
            0,
        ),
        post(
            "`Transfer-Encoding: chunked, chunked`",
            "Transfer-Encoding: chunked, chunked",
            "0\r\n\r\n",
            501,
            0,
        ),
        post(
            "`chunked` in one line, `identity` in the next",
            &format!("{chunked}\r\nTransfer-Encoding: identity"),
            "0\r\n\r\n",
            400,
            0,
        ),
        post(
            "a vertical tab before `chunked`",
            "Transfer-Encoding: \x0bchunked",
            "0\r\n\r\n",
            400,
            0,
        ),
        post(
            "a chunk's size that is no number",
            chunked,
            "x\r\nabc\r\n0\r\n\r\n",
            400,
            0,
        ),
        post(
            "a chunk's size `0x3`",
            chunked,
            "0x3\r\nabc\r\n0\r\n\r\n",
            400,
            0,
        ),
        post(
            "a chunk's size beyond 64 bits",
            chunked,
            "fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
            400,
            0,
        ),
        post(
            "a chunk longer than its size",
            chunked,
            "3\r\nabcd\r\n0\r\n\r\n",
            400,
            0,
        ),
        post(
            "a bare LF in a chunk's extension",
            chunked,
            "3;a\nb\r\nabc\r\n0\r\n\r\n",
            400,
            0,
        ),
        row(
            "a request inside a GET's body",
            "GET http://{o}/ HTTP/1.1\r\nHost: {o}\r\nContent-Length: 20\r\n\r\nGET /x HTTP/1.1\r\n\r\n.",
            200,
            1,
        ),
        row(
            "HTTP/1.0 in chunks",
            "POST http://{o}/ HTTP/1.0\r\nHost: {o}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            0,
        ),
        head("a folded line", "X-A: b\r\n c", 400, 0),
        head("a space before the colon", "Content-Length : 5", 400, 0),
        head("no name before the colon", ": x", 400, 0),
        head("no colon", "X-A", 400, 0),
        head("a bare CR in a value", "X-A: b\rX-B: c", 400, 0),
        head("NUL in a value", "X-A: b\0c", 400, 0),
        head("a name that is no token", "X(A): b", 400, 0),
        row(
            "lines that end in LF alone",
            "GET http://{o}/ HTTP/1.1\nHost: {o}\n\n",
            200,
            1,
        ),
        row("HTTP/0.9", "GET /\r\n\r\n", 400, 0),
        row("HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, 0),
        row(
            "HTTP/1.2",
            "GET http://{o}/ HTTP/1.2\r\nHost: {o}\r\n\r\n",
            400,
            0,
        ),
        row(
            "`http/1.1`",
            "GET http://{o}/ http/1.1\r\nHost: {o}\r\n\r\n",
            400,
            0,
        ),
        row(
            "a TLS ClientHello",
            "\x16\x03\x01\x02\0\x01\0\x01\u{7c}\x03\x03\r\n\r\n",
            400,
            0,
        ),
        row(
            "a method that is no token",
            "GE(T http://{o}/ HTTP/1.1\r\nHost: {o}\r\n\r\n",
            400,
            0,
        ),
        row(
            "a space in the target",
            "GET http://{o}/a b HTTP/1.1\r\nHost: {o}\r\n\r\n",
            400,
            0,
        ),
        row(
            "a control character in the target",
            "GET http://{o}/\x01 HTTP/1.1\r\nHost: {o}\r\n\r\n",
            400,
            0,
        ),
        row(
            "a user in the target",
            "GET http://a:b@{o}/ HTTP/1.1\r\nHost: {o}\r\n\r\n",
            400,
            0,
        ),
        row(
            "`ftp://`",
            "GET ftp://{o}/ HTTP/1.1\r\nHost: {o}\r\n\r\n",
            400,
            0,
        ),
        row(
            "port 0",
            "GET http://127.0.0.1:0/ HTTP/1.1\r\nHost: {o}\r\n\r\n",
            400,
            0,
        ),
        row(
            "port 65536",
            "GET http://127.0.0.1:65536/ HTTP/1.1\r\nHost: {o}\r\n\r\n",
            400,
            0,
        ),
        row("`GET *`", "GET * HTTP/1.1\r\nHost: {o}\r\n\r\n", 400, 0),
        row(
            "`OPTIONS *`",
            "OPTIONS * HTTP/1.1\r\nHost: {o}\r\n\r\n",
            204,
            0,
        ),
        row(
            "`TRACE` with `Max-Forwards: 0`",
            "TRACE http://{o}/ HTTP/1.1\r\nHost: {o}\r\nMax-Forwards: 0\r\n\r\n",
            405,
            0,
        ),
        row(
            "`GET host:port`",
            "GET {o} HTTP/1.1\r\nHost: {o}\r\n\r\n",
            400,
            0,
        ),
        row(
            "`CONNECT` of a URL",
            "CONNECT http://{o}/ HTTP/1.1\r\nHost: {o}\r\n\r\n",
            400,
            0,
        ),
        row(
            "`CONNECT` without a port",
            "CONNECT 127.0.0.1 HTTP/1.1\r\nHost: {o}\r\n\r\n",
            400,
            0,
        ),
        row("no `Host`", "GET http://{o}/ HTTP/1.1\r\n\r\n", 400, 0),
        row(
            "no `Host`, and a path alone, in HTTP/1.0",
            "GET / HTTP/1.0\r\n\r\n",
            400,
            0,
        ),
        row(
            "two `Host`",
            "GET http://{o}/ HTTP/1.1\r\nHost: {o}\r\nHost: {o}\r\n\r\n",
            400,
            0,
        ),
        row(
            "a `Host` that is none",
            "GET http://{o}/ HTTP/1.1\r\nHost: a b\r\n\r\n",
            400,
            0,
        ),
        row(
            "another `Host` than the target's",
            "GET http://{o}/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
            200,
            1,
        ),
        row(
            "the proxy itself as the target",
            "GET http://{p}/ HTTP/1.1\r\nHost: {p}\r\n\r\n",
            421,
            0,
        ),
        row(
            "the proxy itself as the `Host`",
            "GET / HTTP/1.1\r\nHost: {p}\r\n\r\n",
            421,
            0,
        ),
        row(
            "`CONNECT` to the proxy itself",
            "CONNECT {p} HTTP/1.1\r\nHost: {p}\r\n\r\n",
            421,
            0,
        ),
        head(
            "`Connection: host, content-length`",
            "Connection: host, content-length",
            200,
            1,
        ),
        head(
            "`Upgrade: h2c`",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
            200,
            1,
        ),
        head("an expectation that nobody knows", "Expect: magic", 417, 0),
        head(
            "a head of 40 KiB",
            &format!("X-A: {}", "a".repeat(40 << 10)),
            431,
            0,
        ),
        head("101 fields", &"X-A: b\r\n".repeat(100), 431, 0),
        row(
            "a target of 70 KB",
            format!(
                "GET http://{{o}}/{} HTTP/1.1\r\nHost: {{o}}\r\n\r\n",
                "a".repeat(70_000)
            ),
            431,
            0,
        ),
    ]
}
