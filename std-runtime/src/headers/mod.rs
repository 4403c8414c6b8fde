//! What the headers of an HTTP answer say about time and about what is left, as plain values (feature `http`).
//!
//! Of a field that is given more than once the first line counts, except for those that are lists. What can't be read is as if it
//! were not there.

mod fields;
mod ietf;
mod retry_after;
mod time;

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{AGE, DATE};

/// The headers of an answer, the time it is there where they were written, and its body where that was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Headers<'h> {
    fields: &'h HeaderMap,
    body: &'h [u8],
    /// By the server's clock, where the answer tells it.
    now: SystemTime,
    /// How old a cache says that the answer is, in seconds.
    age: u64,
}

/// An age that is longer counts as this (RFC 9111, section 1.2.2).
const OLDEST: u64 = 1 << 31;

/// How GitHub says in an error's body that one of its secondary limits was met.
const SECONDARY: [&str; 2] = ["secondary rate", "abuse detection"];
/// So many bytes of a body are looked at.
const LONGEST_BODY: usize = 1 << 14;

/// What a server allows until when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) remaining: Option<u64>,
    /// From now, and never zero: what is reset already says nothing.
    pub(crate) reset: Option<Duration>,
    /// So many calls in each such time.
    pub(crate) policy: Option<(u64, Duration)>,
    /// What is counted are calls.
    pub(crate) of_calls: bool,
    /// So many more come until the reset, one after the other; none where all come with it, or nobody tells.
    pub(crate) gathers: u64,
}

/// Where nothing is left of what gathers all the time, so large a part of it is waited for.
const PART: u32 = 10;

impl Allowance {
    /// How long to stay away where nothing remains.
    pub(crate) fn wait(&self) -> Option<Duration> {
        match self.gathers {
            0 => self.reset,
            _ => self.reset.map(|reset| reset / PART),
        }
    }
}

impl<'h> Headers<'h> {
    /// `clock` is what this host's own clock says. It counts only where the answer has no `Date`: by that, dates in the answer are
    /// right however wrong the clocks are. An answer from a cache is older than its `Date` by its `Age`
    /// (RFC 9110, section 6.6.1; RFC 9111, section 5.1).
    pub(crate) fn new(fields: &'h HeaderMap, clock: SystemTime) -> Self {
        let text = |name| fields.get(name)?.to_str().ok();
        let age = text(AGE).and_then(time::whole);
        let age = age.map_or(0, |age| age.min(OLDEST));
        let date = text(DATE).and_then(|date| httpdate::parse_http_date(date.trim()).ok());
        let now = date.map_or(clock, |date| {
            date.checked_add(Duration::from_secs(age)).unwrap_or(date)
        });
        Self {
            fields,
            body: &[],
            now,
            age,
        }
    }

    /// With the answer's body, which counts where the fields leave something open.
    pub(crate) fn with_body(self, body: &'h [u8]) -> Self {
        Self { body, ..self }
    }

    /// How long the server asks to stay away.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        retry_after::retry_after(self)
    }

    /// What is left, by whoever counts. Nothing on an answer from a cache, which tells what was left once
    /// (draft-ietf-httpapi-ratelimit-headers, section "Caching").
    pub(crate) fn allowances(&self) -> Vec<Allowance> {
        if self.age > 0 {
            return Vec::new();
        }
        let mut allowances = ietf::allowances(self);
        allowances.extend(fields::allowances(self));
        allowances
    }

    /// Whether GitHub names a limit besides the one that it counts down in its headers.
    pub(crate) fn names_secondary_limit(&self) -> bool {
        self.fields.contains_key("gh-limited-by") || (self.is_githubs() && self.body_names_limit())
    }

    /// Whether GitHub gave the answer: github.com, or a server of one's own.
    pub(crate) fn is_githubs(&self) -> bool {
        self.fields.contains_key("x-github-request-id")
    }

    /// By the words that octokit's plugin-throttling looks for, and those that GitHub used before.
    fn body_names_limit(&self) -> bool {
        let begin = self.body.get(..LONGEST_BODY).unwrap_or(self.body);
        SECONDARY.iter().any(|words| {
            let mut places = begin.windows(words.len());
            places.any(|place| place.eq_ignore_ascii_case(words.as_bytes()))
        })
    }

    /// A field without the spaces around it.
    fn text(&self, name: &str) -> Option<&'h str> {
        Some(self.fields.get(name)?.to_str().ok()?.trim())
    }

    /// How long until then. None when that is over.
    fn until(&self, time: SystemTime) -> Option<Duration> {
        let span = time.duration_since(self.now).ok()?;
        (!span.is_zero()).then_some(span)
    }
}

#[cfg(test)]
mod tests;
