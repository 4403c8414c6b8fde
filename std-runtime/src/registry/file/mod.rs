//! Limits from TOML, and errors that name line, key and range.

mod accounts;
mod aws;
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
        parse(text, None)
    }

    /// The same limits under those of a file, which is as for [`from_toml`](Self::from_toml). What it says of a key goes first, by name
    /// or by pattern, however specific the pattern beneath is. It need not say a `[default]`; where it does, nothing beneath counts.
    /// Its keys may be `within` its own accounts, and no others.
    ///
    /// ```
    /// use apiqueue::{Limits, Registry};
    ///
    /// let limits = Limits::aws().overridden(r#"
    ///     ["ec2/*/Describe*"]     # was raised for this account
    ///     per_second = 100
    ///     burst = 500
    ///     leave_percent = 20
    /// "#)?;
    /// let registry = Registry::from(limits);
    /// let raised = registry.queue("ec2/eu-west-1/DescribeSnapshots")?.unwrap();
    /// assert_eq!(raised.rate().to_string(), "80/s (burst 400)");
    /// let published = registry.queue("ec2/eu-west-1/CreateTags")?.unwrap();
    /// assert_eq!(published.rate().to_string(), "9/s (burst 90)");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`FileError`] with the line, the key and what it may be.
    pub fn overridden(self, text: &str) -> Result<Self, FileError> {
        parse(text, Some(self))
    }
}

pub(super) fn parse(file: &str, beneath: Option<Limits>) -> Result<Limits, FileError> {
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
    let mut default = None;
    let mut keyed = Vec::new();
    for (key, table) in &keys {
        let limit = limit(table, &accounts)?;
        if *key == "default" {
            default = Some(limit);
        } else {
            keyed.push((*key, limit));
        }
    }
    let limits = match (beneath, default) {
        (Some(beneath), None) => Limits::over(beneath),
        (Some(beneath), Some(default)) => Limits::over(beneath).with_default(default),
        (None, Some(default)) => Limits::new(default),
        (None, None) => {
            let what = "missing: say per_second, every or unlimited = true there";
            return Err(text.error(0, "default", what));
        }
    };
    let limits = limits.with_accounts(accounts);
    let each = keyed.into_iter();
    Ok(each.fold(limits, |limits, (key, limit)| limits.set(key, limit)))
}
