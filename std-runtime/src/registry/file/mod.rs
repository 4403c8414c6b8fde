//! Limits from TOML, and errors that name line, key and range.

mod accounts;
mod error;
mod limit;
mod table;

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

pub use error::FileError;

use self::accounts::ACCOUNT;
use self::limit::{KEY, limit};
use self::table::{Table, Text, table};
use super::limits::Limits;

/// The table whose tables are accounts. What else it says is the limit of a key of that name.
const ACCOUNTS: &str = "account";

impl Limits {
    /// Reads limits and accounts from TOML, as [`Registry::from_toml`](crate::Registry::from_toml) does, for those who want to get at
    /// the accounts or to set further limits.
    ///
    /// ```
    /// use apiqueue::{Limits, Registry};
    /// use std::time::Duration;
    ///
    /// let limits = Limits::from_toml(r#"
    ///     [account.eu]
    ///     per_second = 100
    ///
    ///     [default]
    ///     within = "eu"
    /// "#)?;
    /// let eu = limits.account("eu").ok_or("no such account")?;
    /// let registry = Registry::from(limits);
    /// eu.hold_for(Duration::from_secs(60))?;
    /// assert!(registry.queue("ec2")?.unwrap().try_acquire().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`FileError`] with the line, the key and what it may be.
    pub fn from_toml(text: &str) -> Result<Self, FileError> {
        parse(text)
    }
}

pub(super) fn parse(file: &str) -> Result<Limits, FileError> {
    let text = Text(file);
    let root = DeTable::parse(file).map_err(|why| {
        let at = why.span().map_or(0, |span| span.start);
        text.error(at, "", why.message())
    })?;
    let mut accounts = BTreeMap::new();
    let mut keys = Vec::new();
    for (key, value) in root.get_ref().iter() {
        let (name, at) = (key.get_ref().as_ref(), key.span().start);
        let entries = table(text, name, value)?.iter();
        let is_account =
            |value: &DeValue<'_>| name == ACCOUNTS && matches!(value, DeValue::Table(_));
        let (inner, own): (Vec<_>, Vec<_>) =
            entries.partition(|(_, value)| is_account(value.get_ref()));
        if inner.is_empty() || !own.is_empty() {
            let of_key = Table::new(text, name.to_owned(), at, own.into_iter(), &KEY)?;
            keys.push((name, of_key));
        }
        for (key, value) in inner {
            let (name, at) = (key.get_ref().as_ref(), key.span().start);
            let entries = table(text, name, value)?.iter();
            let title = format!("{ACCOUNTS}.{name}");
            let account = Table::new(text, title, at, entries, &ACCOUNT)?;
            accounts.insert(name.to_owned(), account);
        }
    }
    let accounts = accounts::start(&accounts)?;
    let mut limits = None;
    let mut keyed = Vec::new();
    for (key, table) in &keys {
        let limit = limit(table, &accounts)?;
        if *key == "default" {
            limits = Some(Limits::new(limit));
        } else {
            keyed.push((*key, limit));
        }
    }
    let limits = limits.ok_or_else(|| {
        let what = "missing: say per_second, every or unlimited = true there";
        text.error(0, "default", what)
    })?;
    let limits = limits.with_accounts(accounts);
    let each = keyed.into_iter();
    Ok(each.fold(limits, |limits, (key, limit)| limits.set(key, limit)))
}
