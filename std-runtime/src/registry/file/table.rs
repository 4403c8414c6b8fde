//! [`Table`]: what a file says, and where it says it.

use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::FileError;

/// Names positions in a text as people do.
#[derive(Clone, Copy)]
pub(super) struct Text<'a>(pub(super) &'a str);

impl Text<'_> {
    fn line(self, at: usize) -> usize {
        let before = self.0.bytes().take(at);
        1 + before.filter(|&byte| byte == b'\n').count()
    }

    pub(super) fn error(self, at: usize, key: impl Into<String>, what: impl ToString) -> FileError {
        FileError {
            line: self.line(at),
            key: key.into(),
            what: what.to_string(),
        }
    }
}

/// A table whose keys are all known.
pub(super) struct Table<'a> {
    text: Text<'a>,
    /// What it is called in errors.
    name: String,
    at: usize,
    values: Vec<Entry<'a>>,
}

type Entry<'a> = (&'a str, &'a Spanned<DeValue<'a>>);

/// A value, and what to say of it where it can't be.
pub(super) struct Value<'a, T> {
    pub(super) is: T,
    at: usize,
    key: &'static str,
    table: &'a Table<'a>,
}

impl<T> Value<'_, T> {
    pub(super) fn error(&self, what: impl ToString) -> FileError {
        self.table.error_at(self.at, self.key, what)
    }
}

impl<'a> Table<'a> {
    /// Of these entries, each with one of these `keys`. It begins `at` this byte.
    pub(super) fn new(
        text: Text<'a>,
        name: String,
        at: usize,
        entries: impl Iterator<
            Item = (
                &'a Spanned<std::borrow::Cow<'a, str>>,
                &'a Spanned<DeValue<'a>>,
            ),
        >,
        keys: &[&[&str]],
    ) -> Result<Self, FileError> {
        let keys = keys.concat();
        let mut values = Vec::new();
        for (key, value) in entries {
            let of = key.get_ref().as_ref();
            if !keys.contains(&of) {
                let what = format!("no such key: there are {}", keys.join(", "));
                return Err(text.error(key.span().start, format!("{name}.{of}"), what));
            }
            values.push((of, value));
        }
        Ok(Self {
            text,
            name,
            at,
            values,
        })
    }

    /// What is wrong with it as a whole.
    pub(super) fn error(&self, what: impl ToString) -> FileError {
        self.text.error(self.at, self.name.clone(), what)
    }

    fn error_at(&self, at: usize, key: &str, what: impl ToString) -> FileError {
        self.text.error(at, format!("{}.{key}", self.name), what)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.values.iter().any(|(of, _)| *of == key)
    }

    pub(super) fn has_any(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.has(key))
    }

    pub(super) fn count(&self) -> usize {
        self.values.len()
    }

    /// What is wrong with the value of `key`.
    pub(super) fn error_of(&self, key: &str, what: impl ToString) -> FileError {
        let value = self.values.iter().find(|(of, _)| *of == key);
        let at = value.map_or(self.at, |(_, value)| value.span().start);
        self.error_at(at, key, what)
    }

    pub(super) fn number(&'a self, key: &'static str) -> Result<Option<Value<'a, i64>>, FileError> {
        self.read(key, "a whole number of 64 bits", |value| {
            let number = value.as_integer()?;
            i64::from_str_radix(number.as_str(), number.radix()).ok()
        })
    }

    pub(super) fn flag(&'a self, key: &'static str) -> Result<Option<Value<'a, bool>>, FileError> {
        self.read(key, "true or false", DeValue::as_bool)
    }

    pub(super) fn string(
        &'a self,
        key: &'static str,
    ) -> Result<Option<Value<'a, &'a str>>, FileError> {
        self.read(key, "a text in quotes", DeValue::as_str)
    }

    pub(super) fn time(
        &'a self,
        key: &'static str,
    ) -> Result<Option<Value<'a, Duration>>, FileError> {
        let Some(text) = self.read(key, "a time in quotes, such as \"100ms\"", DeValue::as_str)?
        else {
            return Ok(None);
        };
        match humantime::parse_duration(text.is) {
            Ok(is) => Ok(Some(Value {
                is,
                at: text.at,
                key,
                table: self,
            })),
            Err(why) => {
                let what = format!("{:?} is no time such as \"100ms\": {why}", text.is);
                Err(text.error(what))
            }
        }
    }

    /// A list of tables with these `keys`.
    pub(super) fn tables(
        &'a self,
        key: &'static str,
        keys: &[&[&str]],
    ) -> Result<Vec<Table<'a>>, FileError> {
        let kind = "a list of tables, such as [{ per_second = 10 }]";
        let Some(list) = self.read(key, kind, DeValue::as_array)? else {
            return Ok(Vec::new());
        };
        let tables = list.is.iter().enumerate().map(|(number, of)| {
            let DeValue::Table(table) = of.get_ref() else {
                return Err(self.error_at(of.span().start, key, mismatch(of.get_ref(), kind)));
            };
            let name = format!("{}.{key}[{number}]", self.name);
            Self::new(self.text, name, of.span().start, table.iter(), keys)
        });
        tables.collect()
    }

    fn read<T>(
        &'a self,
        key: &'static str,
        kind: &str,
        read: impl FnOnce(&'a DeValue<'a>) -> Option<T>,
    ) -> Result<Option<Value<'a, T>>, FileError> {
        let Some((_, value)) = self.values.iter().find(|(of, _)| *of == key) else {
            return Ok(None);
        };
        let at = value.span().start;
        match read(value.get_ref()) {
            Some(is) => Ok(Some(Value {
                is,
                at,
                key,
                table: self,
            })),
            None => Err(self.error_at(at, key, mismatch(value.get_ref(), kind))),
        }
    }
}

/// The entries of a table.
pub(super) fn table<'a>(
    text: Text<'a>,
    name: &str,
    value: &'a Spanned<DeValue<'a>>,
) -> Result<&'a DeTable<'a>, FileError> {
    match value.get_ref() {
        DeValue::Table(table) => Ok(table),
        other => {
            let what = mismatch(other, "a table");
            Err(text.error(value.span().start, name, what))
        }
    }
}

fn mismatch(value: &DeValue<'_>, kind: &str) -> String {
    format!("it is of type {}, not {kind}", value.type_str())
}
