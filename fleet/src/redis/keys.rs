//! [`KeySpace`]: under which names the keys of limits are.

use crate::backend::BackendError;

/// The version of what is stored. A crate that stores something else has another one, and so other keys.
const VERSION: u32 = 3;

pub(super) const DEFAULT_PREFIX: &str = "apiqueue";
const LONGEST: usize = 100;

/// `PREFIX:VERSION:` before `{NAME}:…`.
pub(super) struct KeySpace(String);

/// The keys of one limit, in one hash slot of a cluster.
pub(super) struct Keys {
    pub(super) state: String,
    pub(super) seen: String,
}

impl KeySpace {
    /// # Errors
    /// A prefix that is empty or too long, or that means something in the pattern of an ACL or to a cluster.
    pub(super) fn new(prefix: &str) -> Result<Self, BackendError> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"{}*?[]\\\"'".contains(&byte);
        if prefix.is_empty() || prefix.len() > LONGEST || !prefix.bytes().all(plain) {
            return Err(BackendError::Refused(format!(
                "the key prefix {prefix:?} is not of 1..={LONGEST} printable ASCII characters without braces, brackets, quotes, `*`, \
                 `?` and backslashes"
            )));
        }
        Ok(Self(format!("{prefix}:{VERSION}:")))
    }

    /// Those of one limit.
    ///
    /// # Errors
    /// A name that Redis Cluster would not take for the keys' hash tag.
    pub(super) fn of(&self, limit: &str) -> Result<Keys, BackendError> {
        if limit.is_empty() || limit.starts_with('}') {
            return Err(BackendError::Refused(format!(
                "a limit's name must not be empty nor begin with a closing brace, and this is {limit:?}"
            )));
        }
        Ok(Keys {
            state: format!("{}{{{limit}}}:state", self.0),
            seen: format!("{}{{{limit}}}:seen", self.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_that_mean_something_else_are_refused() {
        let long = "x".repeat(LONGEST + 1);
        for bad in ["", "a b", "a{b", "}", "a*", "?", "[", "é", "\n", &long] {
            let why = KeySpace::new(bad)
                .map(|_| ())
                .map_err(|why| why.to_string());
            let why = why.err().unwrap_or_default();
            assert!(why.contains(&format!("{bad:?}")), "{bad:?}: {why}");
        }
        for good in ["apiqueue", "team:prod/eu-1", &long[1..]] {
            assert!(KeySpace::new(good).is_ok(), "{good}");
        }
    }
}
