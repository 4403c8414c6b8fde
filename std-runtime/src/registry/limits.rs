//! [`Limits`]: which limit a key has, by its own name, by a pattern, or by default.

use std::collections::BTreeMap;

use crate::account::Account;
use crate::queue::{ApiQueue, Builder};
use crate::rate::Rate;

/// Places of a registry's queue, unless its builder says otherwise: 6 KB.
pub(crate) const CAPACITY: usize = 256;

/// What a key of a [`Registry`](crate::Registry) is held to.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each rule, and they are not passed around"
)]
pub enum Limit {
    /// Nothing: there is no queue for it.
    None,
    /// A queue, started from this builder when the key is first asked for.
    Queue(Builder),
}

impl Limit {
    /// A queue of this rate and 256 places.
    #[must_use]
    pub fn rate(rate: Rate) -> Self {
        Self::Queue(ApiQueue::builder().rate(rate).capacity(CAPACITY))
    }
}

/// Limits of keys that are text, such as `ec2/eu-west-1`. A clone's queues share the accounts of this one's.
///
/// A key's own limit comes first; then the most specific pattern, which is the one with the most characters beside its
/// `*`, and of two such the one that is first in the alphabet; then the default. A `*` stands for any characters, none
/// included.
#[derive(Clone, Debug)]
pub struct Limits {
    /// None where those beneath say it.
    default: Option<Limit>,
    exact: BTreeMap<String, Limit>,
    /// The most specific first.
    patterns: Vec<(String, Limit)>,
    /// Those that a file names.
    accounts: BTreeMap<String, Account>,
    /// For keys of which nothing is said here.
    #[cfg(feature = "toml")]
    beneath: Option<Box<Self>>,
}

impl Limits {
    /// The same limit for each key.
    #[must_use]
    pub fn new(default: Limit) -> Self {
        Self {
            default: Some(default),
            exact: BTreeMap::new(),
            patterns: Vec::new(),
            accounts: BTreeMap::new(),
            #[cfg(feature = "toml")]
            beneath: None,
        }
    }

    /// Nothing is said here, by default either.
    #[cfg(feature = "toml")]
    pub(super) fn over(beneath: Self) -> Self {
        Self {
            default: None,
            beneath: Some(Box::new(beneath)),
            ..Self::new(Limit::None)
        }
    }

    #[cfg(feature = "toml")]
    pub(super) fn with_default(self, default: Limit) -> Self {
        Self {
            default: Some(default),
            ..self
        }
    }

    #[cfg(feature = "toml")]
    pub(super) fn with_accounts(self, accounts: BTreeMap<String, Account>) -> Self {
        Self { accounts, ..self }
    }

    /// The account that a file calls by this name, to hold it or to set its rates; and to put queues of your own inside. None
    /// where the limits are not from a file.
    #[must_use]
    pub fn account(&self, name: &str) -> Option<Account> {
        let account = self.accounts.get(name).cloned();
        account.or_else(|| self.beneath()?.account(name))
    }

    #[cfg(feature = "toml")]
    fn beneath(&self) -> Option<&Self> {
        self.beneath.as_deref()
    }

    #[cfg(not(feature = "toml"))]
    #[expect(clippy::unused_self, reason = "there is only one layer without files")]
    fn beneath(&self) -> Option<&Self> {
        None
    }

    /// Sets the limit of a key or, with a `*` in it, of all keys of that pattern.
    #[must_use]
    pub fn set(mut self, key: impl Into<String>, limit: Limit) -> Self {
        let key = key.into();
        if key.contains('*') {
            self.patterns.retain(|(pattern, _)| *pattern != key);
            self.patterns.push((key, limit));
            self.patterns
                .sort_by_key(|(pattern, _)| (usize::MAX - weight(pattern), pattern.clone()));
        } else {
            self.exact.insert(key, limit);
        }
        self
    }

    /// The limit of `key`.
    #[must_use]
    pub fn of(&self, key: &str) -> Limit {
        let mut layers = std::iter::successors(Some(self), |layer| layer.beneath());
        let limit = layers.find_map(|layer| layer.said(key));
        match limit.unwrap_or(&Limit::None) {
            Limit::Queue(builder) => Limit::Queue(builder.clone().name(key)),
            Limit::None => Limit::None,
        }
    }

    /// What is said of `key` here.
    fn said(&self, key: &str) -> Option<&Limit> {
        let pattern = || {
            let mut patterns = self.patterns.iter();
            let found = patterns.find(|(pattern, _)| matches(pattern, key));
            found.map(|(_, limit)| limit)
        };
        let exact = self.exact.get(key);
        exact.or_else(pattern).or(self.default.as_ref())
    }
}

/// How many characters a pattern asks for.
fn weight(pattern: &str) -> usize {
    pattern.chars().filter(|&c| c != '*').count()
}

/// Whether `key` is what `pattern` says. The pieces between the stars are looked for one after the other, each as far
/// left as it goes, which finds a fit if there is one.
fn matches(pattern: &str, key: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == key;
    };
    let Some(mut key) = key.strip_prefix(head) else {
        return false;
    };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let Some(tail) = pieces.pop() else {
        return true;
    };
    for piece in pieces {
        match key.split_once(piece) {
            Some((_, after)) => key = after,
            None => return false,
        }
    }
    key.ends_with(tail)
}
