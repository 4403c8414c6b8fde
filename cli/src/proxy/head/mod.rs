//! Heads of requests and answers as a proxy has to change them: no input, no output, no clock, and all that comes of a head is a head or a
//! [`Refusal`].

mod hop;
mod refusal;
mod target;
#[cfg(test)]
mod tests;

use http::header::{self, HeaderMap, HeaderValue};
use http::uri::{PathAndQuery, Scheme};
use http::{Method, StatusCode, Uri, Version, request, response};

pub(crate) use self::refusal::Refusal;
pub(crate) use self::target::Target;

/// What the proxy knows of itself.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// Its name in `Via`, which no other process has.
    pub(crate) name: String,
    /// Where it listens.
    pub(crate) listens: std::net::SocketAddr,
    /// Hosts that are spoken to by TLS though the client says `http://`: a name, or `*` and the end of one.
    pub(crate) tls: Vec<String>,
}

/// What to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Send it there.
    Forward {
        /// Where to, as the client said it.
        target: Target,
        /// Whether it may become another protocol.
        may_upgrade: bool,
    },
    /// Open a connection there, and hand on bytes.
    Tunnel(Target),
}

impl Terms {
    /// Makes what came to the proxy what leaves it.
    pub(crate) fn request(&self, parts: &mut request::Parts) -> Result<Way, Refusal> {
        if self.has_seen(&parts.headers) {
            let why = "this request has come through this proxy before".to_owned();
            return Err(Refusal::of(
                StatusCode::LOOP_DETECTED,
                Some("proxy_loop_detected"),
                why,
            ));
        }
        if parts.method == Method::CONNECT {
            let target = target::of_connect(parts)?;
            self.refuse_own(&target)?;
            return Ok(Way::Tunnel(target));
        }
        let Some(target) = target::of(parts)? else {
            return Err(Refusal::own(&parts.method));
        };
        self.refuse_own(&target)?;
        one_forward_less(parts)?;
        let received = parts.version;
        let hop = hop::take(&mut parts.headers);
        if hop.is_coded {
            return Err(Refusal::of(
                StatusCode::NOT_IMPLEMENTED,
                Some("http_request_error"),
                "a transfer coding other than chunked, alone and once".to_owned(),
            ));
        }
        expectation(parts, received)?;
        if hop.is_chunked {
            parts.headers.remove(header::CONTENT_LENGTH);
            let chunked = HeaderValue::from_static("chunked");
            parts.headers.insert(header::TRANSFER_ENCODING, chunked);
        }
        if hop.takes_trailers {
            let trailers = HeaderValue::from_static("trailers");
            parts.headers.insert(header::TE, trailers);
            let named = HeaderValue::from_static("te");
            parts.headers.append(header::CONNECTION, named);
        }
        let upgrade = hop.upgrade.filter(|_| received == Version::HTTP_11);
        let may_upgrade = upgrade.is_some();
        if let Some(protocols) = upgrade {
            parts.headers.insert(header::UPGRADE, protocols);
            let named = HeaderValue::from_static("upgrade");
            parts.headers.append(header::CONNECTION, named);
        }
        self.sign(&mut parts.headers, received);
        parts.version = Version::HTTP_11;
        parts.uri = self.uri(&parts.uri, &target)?;
        Ok(Way::Forward {
            target,
            may_upgrade,
        })
    }

    /// The same for an answer.
    pub(crate) fn response(
        &self,
        parts: &mut response::Parts,
        may_upgrade: bool,
    ) -> Result<(), Refusal> {
        let switches = parts.status == StatusCode::SWITCHING_PROTOCOLS;
        let hop = hop::take(&mut parts.headers);
        if switches {
            let protocols = hop.upgrade.filter(|_| may_upgrade).ok_or_else(|| {
                Refusal::of(
                    StatusCode::BAD_GATEWAY,
                    Some("http_protocol_error"),
                    "the origin switches to a protocol that nobody asked for".to_owned(),
                )
            })?;
            parts.headers.insert(header::UPGRADE, protocols);
            let named = HeaderValue::from_static("upgrade");
            parts.headers.insert(header::CONNECTION, named);
        }
        if hop.is_coded {
            return Err(Refusal::of(
                StatusCode::BAD_GATEWAY,
                Some("http_response_transfer_coding"),
                "the origin's transfer coding is not chunked, alone and once".to_owned(),
            ));
        }
        self.sign(&mut parts.headers, parts.version);
        parts.version = Version::HTTP_11;
        Ok(())
    }

    fn sign(&self, headers: &mut HeaderMap, received: Version) {
        let version = if received == Version::HTTP_10 {
            "1.0"
        } else {
            "1.1"
        };
        // The name is of letters, digits and a dash.
        if let Ok(via) = HeaderValue::from_str(&format!("{version} {}", self.name)) {
            headers.append(header::VIA, via);
        }
    }

    fn has_seen(&self, headers: &HeaderMap) -> bool {
        let lines = headers.get_all(header::VIA).into_iter();
        let mut hops = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split([',', ' ', '\t']));
        hops.any(|word| word == self.name)
    }

    /// Who takes the proxy for the origin would have it call itself.
    fn refuse_own(&self, target: &Target) -> Result<(), Refusal> {
        let host = target.host.trim_start_matches('[').trim_end_matches(']');
        let is_own = target.port == self.listens.port()
            && (host == "localhost"
                || host.parse::<std::net::IpAddr>().is_ok_and(|ip| {
                    ip == self.listens.ip() || ip.is_loopback() || ip.is_unspecified()
                }));
        if is_own {
            return Err(Refusal::of(
                StatusCode::MISDIRECTED_REQUEST,
                Some("proxy_loop_detected"),
                format!(
                    "{} is this proxy itself: set it as HTTP_PROXY, not as the endpoint",
                    self.listens
                ),
            ));
        }
        Ok(())
    }

    /// Where it is sent to: by TLS too where that was told.
    fn uri(&self, asked: &Uri, target: &Target) -> Result<Uri, Refusal> {
        let is_tls = target.is_https || self.speaks_tls(&target.host);
        // The port that is meant by no port is TLS's own.
        let port = match (target.is_https, is_tls, target.port) {
            (false, true, 80) => 443,
            (_, _, port) => port,
        };
        let scheme = if is_tls { Scheme::HTTPS } else { Scheme::HTTP };
        let path = asked.path_and_query().cloned();
        let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
        Uri::builder()
            .scheme(scheme)
            .authority(format!("{}:{port}", target.host))
            .path_and_query(path)
            .build()
            .map_err(|why| Refusal::bad(format!("the target can't be: {why}")))
    }

    fn speaks_tls(&self, host: &str) -> bool {
        self.tls.iter().any(|pattern| {
            pattern.strip_prefix('*').map_or_else(
                || pattern == host,
                |end| host.len() > end.len() && host.ends_with(end),
            )
        })
    }
}

/// `Max-Forwards`, which counts for two methods (RFC 9110, 7.6.2).
fn one_forward_less(parts: &mut request::Parts) -> Result<(), Refusal> {
    if !matches!(parts.method, Method::OPTIONS | Method::TRACE) {
        return Ok(());
    }
    let Some(value) = parts.headers.get(header::MAX_FORWARDS) else {
        return Ok(());
    };
    let text = value.to_str().unwrap_or_default();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // What is too long a number is a large one.
    let left = is_number.then(|| text.parse::<u32>().unwrap_or(u32::MAX));
    match left {
        None => Err(Refusal::bad("Max-Forwards is not a number")),
        Some(0) => Err(Refusal::own(&parts.method)),
        Some(left) => {
            let less = HeaderValue::from(left - 1);
            parts.headers.insert(header::MAX_FORWARDS, less);
            Ok(())
        }
    }
}

/// Only one expectation is known, and HTTP/1.0 has none (RFC 9110, 10.1.1).
fn expectation(parts: &mut request::Parts, received: Version) -> Result<(), Refusal> {
    if received == Version::HTTP_10 {
        parts.headers.remove(header::EXPECT);
    }
    let mut expected = parts.headers.get_all(header::EXPECT).into_iter();
    if expected.any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(Refusal::of(
            StatusCode::EXPECTATION_FAILED,
            Some("http_request_error"),
            "no expectation but 100-continue is known".to_owned(),
        ));
    }
    Ok(())
}
