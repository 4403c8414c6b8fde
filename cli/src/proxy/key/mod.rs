//! Which limit a request counts on: the names of queues, from heads alone.
//!
//! | a request | its key |
//! |---|---|
//! | whose host, or host and beginning of the path, the file has a table for | that table's name, the longest that fits |
//! | to AWS | `service/region/operation`, and the method where no operation is named |
//! | any other | its host, with the port if that is not the usual one |

pub(crate) mod aws;
mod path;
#[cfg(test)]
mod tests;

use http::request::Parts;

use self::aws::Scope;
use super::head::Target;

/// The tables of a limits file that are hosts, or hosts and beginnings of paths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables(Vec<String>);

/// The key of a request, as far as its head tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// Known.
    Of(String),
    /// Of AWS, and known.
    Aws(String),
    /// Of AWS: the operation is in the body.
    InForm(Scope),
}

impl Tables {
    /// Of all tables' names, those without a star.
    pub(crate) fn new(names: impl IntoIterator<Item = String>) -> Self {
        let mut names: Vec<String> = names
            .into_iter()
            .filter(|name| !name.contains('*') && name != "default")
            .collect();
        // The longest that fits comes first.
        names.sort_by_key(|name| usize::MAX - name.len());
        Self(names)
    }

    /// The key of a request that goes to `target`.
    pub(crate) fn key(&self, parts: &Parts, target: &Target) -> Key {
        let host = host(target);
        if let Some(table) = self.fitting(&host, parts.uri.path()) {
            return Key::Of(table.clone());
        }
        let Some(scope) = aws::scope(parts, &target.host) else {
            return Key::Of(host);
        };
        match aws::operation(parts) {
            Some(operation) => Key::Aws(scope.key(operation)),
            None if aws::has_form(parts) => Key::InForm(scope),
            None => Key::Aws(scope.key(parts.method.as_str())),
        }
    }

    /// The key of a connection, of which nothing else is known.
    pub(crate) fn key_of_connection(&self, target: &Target) -> String {
        let host = host(target);
        self.fitting(&host, "/").cloned().unwrap_or(host)
    }

    fn fitting(&self, host: &str, path: &str) -> Option<&String> {
        // Most files have none for this host, and most paths need not be looked at.
        if !self.0.iter().any(|table| table.starts_with(host)) {
            return None;
        }
        let path = path::plain(path);
        self.0.iter().find(|table| {
            let rest = table.strip_prefix(host);
            rest.is_some_and(|prefix| path::begins_with(&path, prefix))
        })
    }
}

/// The host, and the port unless it is that of the scheme.
fn host(target: &Target) -> String {
    match (target.is_https, target.port) {
        (false, 80) | (true, 443) => target.host.clone(),
        (_, port) => format!("{}:{port}", target.host),
    }
}
