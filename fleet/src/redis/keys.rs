//! [`KeySpace`]: under which names the keys of all limits are.

use redis::{Arg, Cmd};

use crate::backend::BackendError;

/// The version of what is stored. A crate that stores something else has another one, and so other keys.
const VERSION: u32 = 2;

/// What the scripts' calls have before a limit's name.
const PLAIN: &[u8] = b"apiqueue:";

pub(super) const DEFAULT_PREFIX: &str = "apiqueue";
const LONGEST: usize = 100;

/// `PREFIX:VERSION:` before `{NAME}:…`.
pub(super) struct KeySpace(Vec<u8>);

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
        Ok(Self(format!("{prefix}:{VERSION}:").into_bytes()))
    }

    /// The command of a script's call, `EVALSHA script count key… argument…`, with its keys here.
    pub(super) fn place(&self, command: &Cmd) -> Cmd {
        let mut placed = Cmd::new();
        let mut keys = 0;
        for (number, argument) in command.args_iter().enumerate() {
            let Arg::Simple(bytes) = argument else {
                continue;
            };
            match number {
                2 => {
                    let count = std::str::from_utf8(bytes).ok();
                    keys = count.and_then(|text| text.parse().ok()).unwrap_or(0);
                }
                3.. if number < 3 + keys => {
                    let rest = bytes.strip_prefix(PLAIN).unwrap_or(bytes);
                    placed.arg([self.0.as_slice(), rest].concat());
                    continue;
                }
                _ => {}
            }
            placed.arg(bytes);
        }
        placed
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
