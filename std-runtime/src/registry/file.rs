//! Limits from TOML, and errors that name line, key and range.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::limits::{CAPACITY, Limit, Limits};
use crate::queue::{ApiQueue, Builder};
use crate::rate::Rate;

/// What is wrong in a file of limits, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// The line, counted from 1.
    pub line: usize,
    /// The key, with its table.
    pub key: String,
    /// What is wrong, with the value and what it may be.
    pub what: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)
    }
}

impl Error for FileError {}

/// One table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    per_second: Option<Spanned<i64>>,
    every: Option<Spanned<String>>,
    unlimited: Option<Spanned<bool>>,
    burst: Option<Spanned<i64>>,
    strict: Option<bool>,
    catch_up: Option<Spanned<String>>,
    capacity: Option<Spanned<i64>>,
}

/// Names positions in a text as people do.
struct Text<'a>(&'a str);

impl Text<'_> {
    fn line(&self, at: usize) -> usize {
        1 + self
            .0
            .bytes()
            .take(at)
            .filter(|&byte| byte == b'\n')
            .count()
    }

    fn error(&self, at: usize, key: impl Into<String>, what: impl ToString) -> FileError {
        FileError {
            line: self.line(at),
            key: key.into(),
            what: what.to_string(),
        }
    }
}

pub(super) fn parse(text: &str) -> Result<Limits, FileError> {
    let place = Text(text);
    let tables: BTreeMap<String, Spanned<Table>> = toml::from_str(text).map_err(|why| {
        let at = why.span().map_or(0, |span| span.start);
        place.error(at, "", why.message())
    })?;
    let mut limits = None;
    let mut keyed = Vec::new();
    for (key, table) in &tables {
        let limit = limit(&place, key, table)?;
        if key == "default" {
            limits = Some(Limits::new(limit));
        } else {
            keyed.push((key, limit));
        }
    }
    let limits = limits.ok_or_else(|| {
        place.error(
            0,
            "default",
            "missing: say per_second, every or unlimited = true there",
        )
    })?;
    Ok(keyed
        .into_iter()
        .fold(limits, |limits, (key, limit)| limits.set(key, limit)))
}

fn limit(text: &Text<'_>, key: &str, table: &Spanned<Table>) -> Result<Limit, FileError> {
    let at = table.span().start;
    let table = table.get_ref();
    let rate = match (&table.per_second, &table.every, &table.unlimited) {
        (None, None, Some(unlimited)) if *unlimited.get_ref() => {
            let is_alone = table.burst.is_none()
                && table.capacity.is_none()
                && table.strict.is_none()
                && table.catch_up.is_none();
            return if is_alone {
                Ok(Limit::None)
            } else {
                Err(text.error(at, key, "unlimited = true goes with nothing else"))
            };
        }
        (Some(n), None, None) => per_second(*n.get_ref())
            .map_err(|what| text.error(n.span().start, format!("{key}.per_second"), what))?,
        (None, Some(interval), None) => every(interval.get_ref())
            .map_err(|what| text.error(interval.span().start, format!("{key}.every"), what))?,
        _ => {
            let what = "say one of per_second, every and unlimited = true";
            return Err(text.error(at, key, what));
        }
    };
    let burst = match &table.burst {
        None => rate,
        Some(n) => with_burst(rate, *n.get_ref())
            .map_err(|what| text.error(n.span().start, format!("{key}.burst"), what))?,
    };
    let rate = if table.strict == Some(true) {
        burst.strict()
    } else {
        burst
    };
    let builder = ApiQueue::builder().rate(rate);
    let builder = match &table.catch_up {
        None => builder,
        Some(longest) => with_catch_up(builder, longest.get_ref())
            .map_err(|what| text.error(longest.span().start, format!("{key}.catch_up"), what))?,
    };
    let builder = match &table.capacity {
        None => builder.capacity(CAPACITY),
        Some(n) => with_capacity(builder, *n.get_ref())
            .map_err(|what| text.error(n.span().start, format!("{key}.capacity"), what))?,
    };
    Ok(Limit::Queue(builder))
}

fn per_second(n: i64) -> Result<Rate, String> {
    let rate = u32::try_from(n).ok().map(Rate::per_second);
    match rate {
        Some(Ok(rate)) => Ok(rate),
        _ => Err(format!("{n} releases a second is not in 1..=1000000000")),
    }
}

fn every(interval: &str) -> Result<Rate, String> {
    Rate::every(time(interval)?).map_err(|why| why.to_string())
}

fn with_catch_up(builder: Builder, longest: &str) -> Result<Builder, String> {
    let builder = builder.catch_up(time(longest)?);
    builder.checked_catch_up().map_err(|why| why.to_string())?;
    Ok(builder)
}

fn time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|why| format!("{text:?} is no time such as \"100ms\": {why}"))
}

fn with_burst(rate: Rate, n: i64) -> Result<Rate, String> {
    match u32::try_from(n) {
        Ok(n) => rate.burst(n).map_err(|why| why.to_string()),
        Err(_) => Err(format!("a burst of {n} is not in 1..={}", u32::MAX)),
    }
}

fn with_capacity(builder: Builder, n: i64) -> Result<Builder, String> {
    const MAX: i64 = crate::queue::MAX_CAPACITY as i64;
    match usize::try_from(n) {
        Ok(places) if (1..=MAX).contains(&n) => Ok(builder.capacity(places)),
        _ => Err(format!("a capacity of {n} is not in 1..={MAX}")),
    }
}
