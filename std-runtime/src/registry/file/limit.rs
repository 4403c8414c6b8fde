//! What the tables of keys, of accounts and of further limits say.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::FileError;
use super::table::{Table, Value};
use crate::account::{Account, check_priority};
use crate::error::StartError;
use crate::queue::{ApiQueue, Builder, MAX_CAPACITY};
use crate::rate::{CATCH_UP, Rate, checked_catch_up};
use crate::registry::limits::{CAPACITY, Limit};

/// Of a rate.
pub(super) const RATE: [&str; 7] = [
    "per_second",
    "every",
    "at_most",
    "period",
    "burst",
    "strict",
    "leave_percent",
];
/// Of whatever has limits.
pub(super) const PLACE: [&str; 5] = ["limits", "at_once", "within", "share", "priority"];
/// Of a key.
pub(super) const KEY: [&[&str]; 3] = [&RATE, &PLACE, &["unlimited", "catch_up", "capacity"]];

/// At least one of these is in each table.
pub(super) const LIMITING: [&str; 6] = [
    "per_second",
    "every",
    "at_most",
    "limits",
    "at_once",
    "within",
];

const ONE_RATE: &str = "say one of per_second, every, and at_most with a period";

/// The limit of a key.
pub(super) fn limit(
    table: &Table<'_>,
    accounts: &BTreeMap<String, Account>,
) -> Result<Limit, FileError> {
    if let Some(unlimited) = table.flag("unlimited")?
        && unlimited.is
    {
        return if table.count() == 1 {
            Ok(Limit::None)
        } else {
            Err(table.error("unlimited = true goes with nothing else"))
        };
    }
    if !table.has_any(&LIMITING) {
        let what = "say what limits it: per_second, every, at_most, limits, at_once or within; or unlimited = true";
        return Err(table.error(what));
    }
    let longest = catch_up(table)?;
    let mut builder = ApiQueue::builder().capacity(CAPACITY).catch_up(longest);
    for rate in rates(table, longest)? {
        builder = match rate {
            Of::Table(rate) => builder.rate(rate),
            Of::List(rate) => builder.limit(rate),
        };
    }
    if let Some(calls) = at_once(table)? {
        builder = builder.at_once(calls);
    }
    if let Some((account, share)) = within(table, accounts)? {
        builder = builder.within(account);
        if let Some(share) = share {
            builder = builder.share(share);
        }
    }
    if let Some(priority) = priority(table)? {
        builder = builder.priority(priority);
    }
    if let Some(places) = table.number("capacity")? {
        builder = with_capacity(builder, &places)?;
    }
    Ok(Limit::Queue(builder))
}

/// Where a rate is said.
pub(super) enum Of {
    /// In the table itself.
    Table(Rate),
    /// In its list of limits.
    List(Rate),
}

/// For how long lateness is made up.
pub(super) fn catch_up(table: &Table<'_>) -> Result<Duration, FileError> {
    let Some(longest) = table.time("catch_up")? else {
        return Ok(CATCH_UP);
    };
    checked_catch_up(longest.is).map_err(|why| longest.error(why))?;
    Ok(longest.is)
}

/// All rates of a table, where lateness is made up for so long.
pub(super) fn rates(table: &Table<'_>, catch_up: Duration) -> Result<Vec<Of>, FileError> {
    let mut rates: Vec<_> = rate(table, catch_up)?.into_iter().map(Of::Table).collect();
    for further in table.tables("limits", &[&RATE])? {
        match rate(&further, catch_up)? {
            Some(rate) => rates.push(Of::List(rate)),
            None => return Err(further.error(ONE_RATE)),
        }
    }
    Ok(rates)
}

fn rate(table: &Table<'_>, catch_up: Duration) -> Result<Option<Rate>, FileError> {
    let period = table.time("period")?;
    let rate = match (
        table.number("per_second")?,
        table.time("every")?,
        table.number("at_most")?,
        &period,
    ) {
        (None, None, None, None) => None,
        (Some(n), None, None, None) => Some(per_second(&n)?),
        (None, Some(interval), None, None) => {
            let rate = Rate::every(interval.is);
            Some(rate.map_err(|why| interval.error(why))?)
        }
        (None, None, Some(n), Some(period)) => {
            let range = || n.error(format!("at most {} is not in 1..={}", n.is, u32::MAX));
            let count = u32::try_from(n.is).map_err(|_| range())?;
            if count == 0 {
                return Err(range());
            }
            let rate = Rate::at_most(count, period.is);
            Some(rate.map_err(|why| period.error(why))?)
        }
        (None, None, Some(n), None) => {
            return Err(n.error("say the period too, such as period = \"1h\""));
        }
        (None, None, None, Some(period)) => {
            return Err(period.error("it means nothing without at_most"));
        }
        _ => return Err(table.error(ONE_RATE)),
    };
    let Some(mut rate) = rate else {
        let lone = ["burst", "strict", "leave_percent"]
            .into_iter()
            .find(|key| table.has(key));
        return match lone {
            Some(key) => Err(table.error_of(
                key,
                "it means nothing without per_second, every or at_most in the same table",
            )),
            None => Ok(None),
        };
    };
    if let Some(n) = table.number("burst")? {
        rate = with_burst(rate, &n)?;
    }
    if let Some(strict) = table.flag("strict")?
        && strict.is
    {
        rate = rate.strict();
    }
    if let Some(n) = table.number("leave_percent")? {
        let range = || n.error(format!("{} percent is not in 0..=99", n.is));
        let percent = u32::try_from(n.is).map_err(|_| range())?;
        rate = rate.leave_percent(percent).map_err(|why| n.error(why))?;
    }
    let kept = rate.within_its_window(catch_up);
    kept.map_err(|why| table.error_of("at_most", why))?;
    Ok(Some(rate))
}

fn per_second(n: &Value<'_, i64>) -> Result<Rate, FileError> {
    match u32::try_from(n.is).ok().map(Rate::per_second) {
        Some(Ok(rate)) => Ok(rate),
        _ => Err(n.error(format!(
            "{} releases a second is not in 1..=1000000000",
            n.is
        ))),
    }
}

fn with_burst(rate: Rate, n: &Value<'_, i64>) -> Result<Rate, FileError> {
    match u32::try_from(n.is) {
        Ok(burst) => rate.burst(burst).map_err(|why| n.error(why)),
        Err(_) => Err(n.error(format!("a burst of {} is not in 1..={}", n.is, u32::MAX))),
    }
}

fn with_capacity(builder: Builder, n: &Value<'_, i64>) -> Result<Builder, FileError> {
    match usize::try_from(n.is) {
        Ok(places) if (1..=MAX_CAPACITY).contains(&places) => Ok(builder.capacity(places)),
        _ => Err(n.error(format!(
            "a capacity of {} is not in 1..={MAX_CAPACITY}",
            n.is
        ))),
    }
}

pub(super) fn at_once(table: &Table<'_>) -> Result<Option<usize>, FileError> {
    let Some(n) = table.number("at_once")? else {
        return Ok(None);
    };
    match u32::try_from(n.is)
        .ok()
        .and_then(|calls| usize::try_from(calls).ok())
    {
        Some(calls) if calls > 0 => Ok(Some(calls)),
        _ => Err(n.error(format!("{} calls at once is not in 1..={}", n.is, u32::MAX))),
    }
}

/// How much of the outer account's limits it gets, where that is said.
pub(super) fn share(table: &Table<'_>) -> Result<Option<u32>, FileError> {
    let Some(n) = table.number("share")? else {
        return Ok(None);
    };
    if !table.has("within") {
        return Err(n.error("it means nothing without within"));
    }
    match u32::try_from(n.is) {
        Ok(share) if share > 0 => Ok(Some(share)),
        _ => Err(n.error(format!("a share of {} is not in 1..={}", n.is, u32::MAX))),
    }
}

/// Whether it goes before others in the outer account, where that is said.
pub(super) fn priority(table: &Table<'_>) -> Result<Option<u8>, FileError> {
    let Some(n) = table.number("priority")? else {
        return Ok(None);
    };
    let range = || n.error(format!("a priority of {} is not in 0..=7", n.is));
    let priority = u8::try_from(n.is).map_err(|_| range())?;
    match check_priority(Some(priority), table.has("within")) {
        Ok(()) => Ok(Some(priority)),
        Err(StartError::Needs { .. }) => Err(n.error("it means nothing without within")),
        Err(why) => Err(n.error(why)),
    }
}

fn within<'a>(
    table: &Table<'_>,
    accounts: &'a BTreeMap<String, Account>,
) -> Result<Option<(&'a Account, Option<u32>)>, FileError> {
    let share = share(table)?;
    let Some(name) = table.string("within")? else {
        return Ok(None);
    };
    match accounts.get(name.is) {
        Some(account) => Ok(Some((account, share))),
        None => {
            let known = accounts.keys().map(String::as_str);
            Err(no_such(&name, known))
        }
    }
}

/// There is no such account among those that are `known`.
pub(super) fn no_such<'a>(
    name: &Value<'_, &str>,
    known: impl Iterator<Item = &'a str>,
) -> FileError {
    let known: Vec<String> = known.map(|name| format!("{name:?}")).collect();
    let there_are = if known.is_empty() {
        "none".to_owned()
    } else {
        known.join(", ")
    };
    name.error(format!(
        "there is no account {:?}: there are {there_are}",
        name.is
    ))
}
