//! What is no good request, byte by byte: what the client gets, and what the origin sees. The table in `PROXY.md` is checked against this.

use crate::rows::{Row, rows};
use crate::support::*;

fn got(row: &Row) -> String {
    let answer = match row.status {
        0 => "closed".to_owned(),
        status => status.to_string(),
    };
    let sent = if row.sent > 0 {
        "goes on"
    } else {
        "stays here"
    };
    format!("| {} | {answer} | {sent}", row.what)
}

#[test]
fn each_hostile_request_gets_what_the_table_says() {
    let proxy = Proxy::start(UNLIMITED);
    let mut wrong = Vec::new();
    let table = include_str!("../../PROXY.md");
    for row in rows() {
        let origin = Origin::start();
        let bytes = row.bytes.replace("{o}", &origin.address.to_string());
        let bytes = bytes.replace("{p}", &proxy.address.to_string());
        let answer = proxy.answer(bytes.as_bytes());
        // Whatever was smuggled would be there now, or with the next one.
        assert_eq!(
            status(&proxy.get(origin.address, "/next")),
            200,
            "{}",
            row.what
        );
        let seen = origin.seen();
        if status(&answer) != row.status || seen.len() != row.sent + 1 {
            wrong.push(format!("{}: {answer:?} {seen:?}", row.what));
        }
        if seen.iter().any(|seen| seen.head.contains("smuggled")) {
            wrong.push(format!("{}: smuggled {seen:?}", row.what));
        }
        if !table.contains(&got(&row)) {
            wrong.push(format!("not in PROXY.md: {}", got(&row)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_message_of_two_lengths_ends_its_connection_and_leaves_with_one() {
    let (proxy, origin) = (Proxy::start(UNLIMITED), Origin::start());
    let o = origin.address;
    let mut stream = proxy.connect();
    let both = format!(
        "POST http://{o}/ HTTP/1.1\r\nHost: {o}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET http://{o}/smuggled HTTP/1.1\r\nHost: {o}\r\n\r\n"
    );
    std::io::Write::write_all(&mut stream, both.as_bytes()).unwrap();
    assert_eq!(status(&read_answer(&mut stream)), 200);
    assert_eq!(read_answer(&mut stream), "");
    let seen = origin.only();
    assert_eq!(field(&seen.head, "content-length"), None);
    assert_eq!(field(&seen.head, "transfer-encoding"), Some("chunked"));
}

#[test]
fn what_goes_on_is_written_anew() {
    let (proxy, origin) = (Proxy::start(UNLIMITED), Origin::start());
    let o = origin.address;
    proxy.answer(format!("GET http://{o}/a?b HTTP/1.1\nHost: evil.example\nConnection: x-hop, host\nX-Hop: 1\nX-A:  b \t\n\n").as_bytes());
    let head = origin.only().head;
    assert!(head.starts_with("GET /a?b HTTP/1.1\r\n"), "{head:?}");
    assert_eq!(head.matches('\n').count(), head.matches("\r\n").count());
    assert_eq!(field(&head, "host"), Some(o.to_string().as_str()));
    assert_eq!(field(&head, "x-a"), Some("b"));
    assert_eq!(field(&head, "x-hop"), None);
    assert_eq!(field(&head, "connection"), None);
    assert!(field(&head, "via").unwrap().starts_with("1.1 apiqueue-"));
}

#[test]
fn two_requests_in_one_packet_are_answered_in_order() {
    let origin = Origin::answering(|seen| {
        let path = seen.head.split(' ').nth(1).unwrap();
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}",
            path.len()
        )
        .into_bytes()
    });
    let proxy = Proxy::start(UNLIMITED);
    let mut stream = proxy.connect();
    let both = get(origin.address, "/one") + &get(origin.address, "/two");
    std::io::Write::write_all(&mut stream, both.as_bytes()).unwrap();
    assert!(read_answer(&mut stream).ends_with("/one"));
    assert!(read_answer(&mut stream).ends_with("/two"));
}
