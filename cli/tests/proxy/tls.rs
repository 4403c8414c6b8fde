//! `http://` to the proxy and TLS from there on.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use tokio_rustls::rustls;

use crate::support::*;

/// An origin of this certificate that takes one connection; what it read, if TLS was spoken.
fn origin(key: &rcgen::CertifiedKey<rcgen::KeyPair>) -> (u16, thread::JoinHandle<Option<String>>) {
    let private = rustls::pki_types::PrivatePkcs8KeyDer::from(key.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private.into())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let read = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let session = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut tls = rustls::StreamOwned::new(session, stream);
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            if tls.read(&mut byte).ok()? == 0 {
                return None;
            }
            head.push(byte[0]);
        }
        tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            .ok()?;
        Some(String::from_utf8_lossy(&head).into_owned())
    });
    (port, read)
}

#[test]
fn a_host_that_was_told_is_spoken_to_by_tls_and_is_who_it_says() {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let roots = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(roots.path(), key.cert.pem()).unwrap();
    let trusting = [("SSL_CERT_FILE", roots.path().to_str().unwrap())];
    let more = ["--tls", "localhost", "--tls", "127.0.0.1"];
    let proxy = Proxy::in_env(UNLIMITED, &more, &trusting);
    let (port, read) = origin(&key);
    let host = format!("localhost:{port}");
    let request = format!("GET http://{host}/x HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let answer = proxy.answer(request.as_bytes());
    assert!(answer.ends_with("hi"), "{answer}");
    let head = read.join().unwrap().unwrap();
    assert!(head.starts_with("GET /x HTTP/1.1\r\n"));
    assert_eq!(field(&head, "host"), Some(host.as_str()));
    // Another name than the certificate's, and a certificate that nobody trusts.
    let (port, read) = origin(&key);
    let answer = proxy.get(([127, 0, 0, 1], port).into(), "/");
    assert_eq!(status(&answer), 502, "{answer}");
    assert_eq!(
        field(&answer, "proxy-status"),
        Some("apiqueue; error=tls_protocol_error")
    );
    assert_eq!(read.join().unwrap(), None);
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (port, read) = origin(&other);
    let host = format!("localhost:{port}");
    let request = format!("GET http://{host}/x HTTP/1.1\r\nHost: {host}\r\n\r\n");
    assert_eq!(status(&proxy.answer(request.as_bytes())), 502);
    assert_eq!(read.join().unwrap(), None);
}
