//! Where a request goes: the four forms of a request's target (RFC 9112, 3.2), and its `Host`.

use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::uri::{Authority, Scheme};
use http::{Method, Version};

use super::refusal::Refusal;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The host, in small letters; an IPv6 address in brackets.
    pub(crate) host: String,
    /// Not 0.
    pub(crate) port: u16,
    /// What the client asked for: `https://`.
    pub(crate) is_https: bool,
}

/// The target of a request that is no CONNECT. Its `Host` says the same afterwards. None for `OPTIONS *`, which means the proxy.
pub(super) fn of(parts: &mut Parts) -> Result<Option<Target>, Refusal> {
    let host = host(&parts.headers, parts.version)?;
    if parts.uri.path() == "*" && parts.uri.authority().is_none() {
        return match parts.method {
            Method::OPTIONS => Ok(None),
            _ => Err(Refusal::bad("the target * is for OPTIONS only")),
        };
    }
    let Some(authority) = parts.uri.authority() else {
        // The origin form. One that comes here has been sent astray, or lacks what a proxy needs.
        let host = host.ok_or_else(|| {
            Refusal::bad(
                "neither the target nor a Host says where to: a proxy wants http://host/path",
            )
        })?;
        return target(&host, false).map(Some);
    };
    let is_https = match parts.uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP => false,
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        Some(scheme) => {
            return Err(Refusal::bad(format!(
                "the scheme {:?} is neither http nor https",
                cut(scheme.as_str())
            )));
        }
        None => {
            return Err(Refusal::bad(
                "the target of a host alone is for CONNECT only",
            ));
        }
    };
    let target = target(authority, is_https)?;
    // The target counts, whatever the Host says. Where that says the same it stays as it is, byte by byte: it may be signed.
    if !host.is_some_and(|host| self::target(&host, is_https).is_ok_and(|it| it == target)) {
        let value = HeaderValue::from_str(authority.as_str());
        let value = value.map_err(|_| Refusal::bad("the target's host is no field value"))?;
        parts.headers.insert(header::HOST, value);
    }
    Ok(Some(target))
}

/// The target of a CONNECT: a host and its port, and nothing else.
pub(super) fn of_connect(parts: &Parts) -> Result<Target, Refusal> {
    host(&parts.headers, parts.version)?;
    let uri = &parts.uri;
    let authority = uri.authority().filter(|_| uri.scheme().is_none());
    let authority = authority
        .ok_or_else(|| Refusal::bad("the target of CONNECT is host:port, nothing else"))?;
    if authority.port().is_none() {
        return Err(Refusal::bad("the target of CONNECT has no port"));
    }
    target(authority, true)
}

/// The one `Host` that a request may have, and that HTTP/1.1 must have.
fn host(headers: &HeaderMap, version: Version) -> Result<Option<Authority>, Refusal> {
    let mut hosts = headers.get_all(header::HOST).into_iter();
    let Some(host) = hosts.next() else {
        return match version {
            Version::HTTP_11 => Err(Refusal::bad("HTTP/1.1 without a Host")),
            _ => Ok(None),
        };
    };
    if hosts.next().is_some() {
        return Err(Refusal::bad("more than one Host"));
    }
    let parsed = Authority::try_from(host.as_bytes()).ok();
    let parsed = parsed.filter(|host| !host.as_str().contains('@'));
    parsed.map(Some).ok_or_else(|| {
        let host = String::from_utf8_lossy(host.as_bytes());
        Refusal::bad(format!(
            "the Host {:?} is not host or host:port",
            cut(&host)
        ))
    })
}

fn target(authority: &Authority, is_https: bool) -> Result<Target, Refusal> {
    let text = authority.as_str();
    if text.contains('@') {
        return Err(Refusal::bad(
            "the target has a user in it, which HTTP has no use for",
        ));
    }
    let host = authority.host();
    if host.is_empty() {
        return Err(Refusal::bad("the target's host is empty"));
    }
    let after = &text[text.len().min(host.len())..];
    let port = match after.strip_prefix(':') {
        None | Some("") => Some(if is_https { 443 } else { 80 }),
        // Not by `parse` alone, which takes a plus too.
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok(),
        Some(_) => None,
    };
    let port = port
        .filter(|&port| port != 0)
        .ok_or_else(|| Refusal::bad(format!("the port of {:?} is not in 1..=65535", cut(text))))?;
    Ok(Target {
        host: host.to_ascii_lowercase(),
        port,
        is_https,
    })
}

/// So much of what a client wrote as an answer repeats.
fn cut(text: &str) -> &str {
    let end = text.char_indices().nth(64).map_or(text.len(), |(at, _)| at);
    &text[..end]
}
