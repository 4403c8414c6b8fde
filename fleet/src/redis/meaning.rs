//! What a server's error means: [`Meaning`], and a text for the operator.

use redis::{ErrorKind, RedisError};

use super::credentials::RedisCredentials;
use crate::backend::BackendError;

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The script's text has to be sent.
    NoScript,
    /// Nothing was done: another node has the keys.
    Moved,
    /// Nothing was done: the server is a replica.
    ReadOnly,
    /// It can't for now. The connection is good.
    NotNow,
    /// The connection is of no use any more.
    Broken,
    /// It refused what was asked. The connection is good.
    Refused,
    /// It refuses who asks: there is no use in asking anything else.
    Unwelcome,
}

impl Meaning {
    pub(super) fn of(error: &RedisError) -> Self {
        let detail = error.detail().unwrap_or_default();
        let (ErrorKind::Server(_) | ErrorKind::Extension) = error.kind() else {
            return Self::without_code(error, detail);
        };
        match code(error, detail) {
            "NOSCRIPT" => Self::NoScript,
            "MOVED" => Self::Moved,
            "READONLY" => Self::ReadOnly,
            "LOADING" | "BUSY" | "UNKILLABLE" | "OOM" | "MISCONF" | "NOREPLICAS" | "ASK"
            | "TRYAGAIN" => Self::NotNow,
            "CLUSTERDOWN" | "MASTERDOWN" => Self::Broken,
            "NOAUTH" | "WRONGPASS" | "DENIED" => Self::Unwelcome,
            // Keys may be those of one limit only, and a command inside of a script that of one script.
            "NOPERM" if detail.contains("'evalsha'") => Self::Unwelcome,
            "ERR" if detail.starts_with("max number of clients") => Self::Broken,
            _ => Self::Refused,
        }
    }

    pub(super) fn ends_connection(self) -> bool {
        matches!(self, Self::Broken | Self::Unwelcome)
    }

    /// What the redis crate says by itself.
    fn without_code(error: &RedisError, detail: &str) -> Self {
        // The cluster's connections tell of an error by its text.
        let said = |text: &str| detail.contains(text);
        if said(NO_CLUSTER)
            || said("AuthenticationFailed")
            || said("NoPerm")
            || said("NOAUTH")
            || said("NOPERM")
        {
            return Self::Unwelcome;
        }
        match error.kind() {
            // A server that has another certificate than it should, or that does not take ours.
            ErrorKind::Io if is_about_certificates(&error.to_string()) => Self::Unwelcome,
            ErrorKind::Io | ErrorKind::ClusterConnectionNotFound => Self::Broken,
            _ => Self::Unwelcome,
        }
    }
}

const NO_CLUSTER: &str = "cluster support disabled";

fn is_about_certificates(text: &str) -> bool {
    text.contains("invalid peer certificate") || text.contains("received fatal alert")
}

/// The error's code. Servers before version 7 have that of a command inside of a script in the text of the script's error:
/// `Error running script (call to …): @user_script:17: @user_script: 17: -OOM command not allowed …`.
fn code<'a>(error: &'a RedisError, detail: &'a str) -> &'a str {
    let inner = detail
        .starts_with("Error running script")
        .then(|| detail.split_once(": -"))
        .flatten()
        .and_then(|(_, rest)| rest.split_whitespace().next());
    inner.or_else(|| error.code()).unwrap_or_default()
}

/// What a call answers for an error, with what can be done about it where that is known. Without the password of `who`, as a server
/// may repeat what it was sent.
pub(super) fn told(error: &RedisError, who: Option<&RedisCredentials>) -> BackendError {
    let detail = error.detail().unwrap_or_default();
    let mut text = error.to_string();
    // Redis shows the beginning of each.
    if let Some(arguments) = text.find(", with args beginning with") {
        text.truncate(arguments);
    }
    let mut text = shortened(&concealed(text, who));
    if let Some(advice) = advice(error, detail) {
        text = format!("{advice} ({text})");
    }
    match Meaning::of(error) {
        Meaning::Refused | Meaning::Unwelcome | Meaning::NoScript => BackendError::Refused(text),
        Meaning::Moved | Meaning::ReadOnly | Meaning::NotNow | Meaning::Broken => {
            BackendError::Away(text)
        }
    }
}

fn advice(error: &RedisError, detail: &str) -> Option<&'static str> {
    let code = code(error, detail);
    let unknown = |command: &str| {
        let detail = detail.to_ascii_lowercase();
        detail.starts_with("unknown command") && detail.contains(&format!("'{command}'"))
            || detail.starts_with(&format!("unknown command `{command}`"))
    };
    if unknown("evalsha") || unknown("eval") {
        Some("the server runs no scripts, which Redis since 5.0 and Valkey do")
    } else if unknown("auth") {
        Some("the server knows no authentication: leave user and password out")
    } else if detail.contains("not allowed after non deterministic commands") {
        Some(
            "the server is too old: it takes Redis 5.0 or later with lua-replicate-commands left on, or Valkey",
        )
    } else if detail.contains("wrong number of arguments for 'auth'") {
        Some("the server knows no users, which Redis since 6.0 does: give the password only")
    } else if code == "NOPERM" && detail.contains("'select'") {
        Some(
            "the user may not select a database: add +select to its ACL, or leave the database out of the URL",
        )
    } else if code == "NOPERM" && detail.contains("'evalsha'") {
        Some("the user may not run scripts: add +evalsha and +eval to its ACL")
    } else if detail.contains(NO_CLUSTER) {
        Some("the server is not of a cluster: its URL begins with redis://")
    } else if detail.contains("cluster|slots") {
        Some("the user may not ask where keys are: add +cluster|slots to its ACL")
    } else if code == "NOPERM" && detail.contains("keys") {
        Some("the user may not use the keys: add ~PREFIX:* to its ACL")
    } else {
        None
    }
}

const LONGEST: usize = 300;

/// The beginning of a text that may be long.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn concealed(text: String, who: Option<&RedisCredentials>) -> String {
    match who {
        Some(who) => who.conceal(text),
        None => text,
    }
}

/// As `Debug` shows it, but not more of it than [`shortened`] keeps, and without the password of `who`.
pub(super) fn shown(value: &impl std::fmt::Debug, who: Option<&RedisCredentials>) -> String {
    use std::fmt::Write;

    /// Much more than a password is long.
    const ENOUGH: usize = 65_536;

    /// Takes the beginning, and then nothing more.
    struct Beginning(String);
    impl Write for Beginning {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0.extend(text.chars().take(ENOUGH));
            if self.0.len() < ENOUGH {
                Ok(())
            } else {
                Err(std::fmt::Error)
            }
        }
    }
    let mut beginning = Beginning(String::new());
    // It fails where there is more than is shown.
    let _ = write!(beginning, "{value:?}");
    shortened(&concealed(beginning.0, who))
}
