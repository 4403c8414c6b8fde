//! The accounts of a file, outer ones first.

use std::collections::BTreeMap;

use super::error::FileError;
use super::limit::{LIMITING, Of, PLACE, RATE, at_once, catch_up, no_such, priority, rates, share};
use super::table::Table;
use crate::account::Account;

/// Of an account.
pub(super) const ACCOUNT: [&[&str]; 3] = [&RATE, &PLACE, &["aging", "catch_up"]];

/// By name.
pub(super) type Accounts = BTreeMap<String, Account>;

/// Starts them all.
pub(super) fn start(tables: &BTreeMap<String, Table<'_>>) -> Result<Accounts, FileError> {
    let mut accounts = Accounts::new();
    for name in tables.keys() {
        // From the innermost outwards, as far as they are not there yet.
        for name in way_out(tables, name, &accounts)?.into_iter().rev() {
            if let Some(table) = tables.get(name) {
                let account = account(name, table, &accounts)?;
                accounts.insert(name.to_owned(), account);
            }
        }
    }
    Ok(accounts)
}

fn way_out<'a>(
    tables: &'a BTreeMap<String, Table<'a>>,
    name: &'a str,
    there: &Accounts,
) -> Result<Vec<&'a str>, FileError> {
    let mut way = Vec::new();
    let mut next = name;
    while !there.contains_key(next) {
        way.push(next);
        let Some(outer) = tables.get(next).map(|table| table.string("within")) else {
            break;
        };
        let Some(outer) = outer? else {
            break;
        };
        if !tables.contains_key(outer.is) {
            return Err(no_such(&outer, tables.keys().map(String::as_str)));
        }
        if let Some(first) = way.iter().position(|name| *name == outer.is) {
            let circle = way.get(first..).unwrap_or_default().join(" → ");
            let what = format!("no account is within itself: {circle} → {}", outer.is);
            return Err(outer.error(what));
        }
        next = outer.is;
    }
    Ok(way)
}

fn account(name: &str, table: &Table<'_>, there: &Accounts) -> Result<Account, FileError> {
    if !table.has_any(&LIMITING) {
        let what = "say what limits it: per_second, every, at_most, limits or at_once; or within";
        return Err(table.error(what));
    }
    let longest = catch_up(table)?;
    let mut builder = Account::builder().name(name).catch_up(longest);
    for Of::Table(rate) | Of::List(rate) in rates(table, longest)? {
        builder = builder.limit(rate);
    }
    if let Some(calls) = at_once(table)? {
        builder = builder.at_once(calls);
    }
    if let Some(share) = share(table)? {
        builder = builder.share(share);
    }
    if let Some(priority) = priority(table)? {
        builder = builder.priority(priority);
    }
    if let Some(longest) = table.time("aging")? {
        builder = builder.aging(longest.is);
    }
    if let Some(outer) = table.string("within")?
        && let Some(outer) = there.get(outer.is)
    {
        builder = builder.within(outer);
    }
    builder.start().map_err(|why| table.error(why))
}
