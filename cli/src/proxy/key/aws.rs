//! What a request to AWS tells of itself: service, region and operation, as the integration for the AWS SDK classes them.

use http::header::{self, HeaderMap};
use http::request::Parts;

/// The longest name that a service, a region or an operation may have, in bytes.
const LONGEST: usize = 128;

/// For what a request is signed, or what its host says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) service: String,
    pub(crate) region: String,
}

/// Of a request that is signed, or that goes to a host of AWS. None of any other.
pub(crate) fn scope(parts: &Parts, host: &str) -> Option<Scope> {
    let authorization = text(&parts.headers, header::AUTHORIZATION.as_str());
    authorization
        .and_then(|signed| signed.split_once("Credential="))
        .and_then(|(_, credential)| of_credential(credential.split(',').next()?, &parts.headers))
        .or_else(|| of_presigned(parts))
        .or_else(|| of_host(host))
}

/// `ID/DATE/REGION/SERVICE/aws4_request`; without the region where the signature counts in several.
fn of_credential(credential: &str, headers: &HeaderMap) -> Option<Scope> {
    let mut parts = credential.trim().rsplit('/');
    if parts.next()? != "aws4_request" {
        return None;
    }
    let (service, before) = (parts.next()?, parts.next()?);
    let is_date = before.len() == 8 && before.bytes().all(|byte| byte.is_ascii_digit());
    let region = match is_date {
        true => text(headers, "x-amz-region-set").unwrap_or_default(),
        false => before,
    };
    Scope::of(service, region)
}

/// Of a URL that has its signature in the query.
fn of_presigned(parts: &Parts) -> Option<Scope> {
    let query = parts.uri.query().filter(|query| query.contains("X-Amz-"))?;
    let credential = value(query, "X-Amz-Credential")?;
    of_credential(
        &credential.replace("%2F", "/").replace("%2f", "/"),
        &parts.headers,
    )
}

/// `service.region.amazonaws.com`, with whatever stands before; of `service.amazonaws.com` the region is `us-east-1`.
fn of_host(host: &str) -> Option<Scope> {
    let ends = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"];
    let labels = ends.iter().find_map(|end| host.strip_suffix(end))?;
    let mut labels = labels.rsplit('.').filter(|&label| label != "dualstack");
    let last = labels.next()?;
    let (service, region) = match labels.next() {
        Some(service) if is_region(last) => (service, last),
        _ => (last, "us-east-1"),
    };
    Scope::of(service.trim_end_matches("-fips"), region)
}

/// `eu-west-1`, `us-gov-east-1`.
fn is_region(label: &str) -> bool {
    let ends_with_number = |it: &str| it.len() == 1 && it.as_bytes()[0].is_ascii_digit();
    label.split('-').count() >= 3 && label.rsplit('-').next().is_some_and(ends_with_number)
}

impl Scope {
    fn of(service: &str, region: &str) -> Option<Self> {
        let is_fit = |name: &str| {
            name.len() <= LONGEST
                && name.bytes().all(|byte| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b',' | b'*' | b'_')
                })
        };
        (!service.is_empty() && is_fit(service) && is_fit(region)).then(|| Self {
            service: service.to_owned(),
            region: region.to_owned(),
        })
    }

    /// The key of an operation.
    pub(crate) fn key(&self, operation: &str) -> String {
        format!("{}/{}/{operation}", self.service, self.region)
    }
}

/// The operation that the head names: by a header, by its query, or by its path.
pub(crate) fn operation(parts: &Parts) -> Option<&str> {
    let target = text(&parts.headers, "x-amz-target");
    target
        .map(|target| target.rsplit('.').next().unwrap_or(target))
        .or_else(|| value(parts.uri.query()?, "Action"))
        .or_else(|| of_path(parts))
        .filter(|name| is_name(name))
}

/// The operation of a form, as far as that has come: `Ok` once it is known, or known to be none.
pub(crate) fn of_form(read: &[u8], is_whole: bool) -> Result<Option<String>, NotYet> {
    let text = String::from_utf8_lossy(read);
    let mut pairs = text.split('&').peekable();
    while let Some(pair) = pairs.next() {
        if let Some(name) = pair.strip_prefix("Action=") {
            if pairs.peek().is_none() && !is_whole {
                return Err(NotYet);
            }
            let name = name.trim_end();
            return Ok(is_name(name).then(|| name.to_owned()));
        }
    }
    is_whole.then_some(None).ok_or(NotYet)
}

/// More has to be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotYet;

/// Whether the operation is in the body.
pub(crate) fn has_form(parts: &Parts) -> bool {
    let kind = text(&parts.headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or(kind).trim();
    parts.method == http::Method::POST
        && kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Of the protocol that says it in its path: `/service/NAME/operation/NAME`.
fn of_path(parts: &Parts) -> Option<&str> {
    text(&parts.headers, "smithy-protocol")?;
    let (_, operation) = parts.uri.path().rsplit_once("/operation/")?;
    Some(operation)
}

fn is_name(name: &str) -> bool {
    (1..=LONGEST).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find_map(|(key, value)| (key == name).then_some(value))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
