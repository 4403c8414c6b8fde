//! The scripts, and their calls as commands. What they do is written in [`calendar`](crate::calendar).

use redis::Cmd;

use crate::backend::{Ask, BackendError, Lease};
use crate::calendar::micros;

/// A script that the server knows by its digest once it has seen it.
pub(super) struct Script {
    text: &'static str,
    digest: String,
}

impl Script {
    fn new(text: &'static str) -> Self {
        Self {
            text,
            digest: redis::Script::new(text).get_hash().to_owned(),
        }
    }

    /// By its digest: fails with `NOSCRIPT` where the server does not know it.
    pub(super) fn short(&self, call: &Call) -> Cmd {
        self.command("EVALSHA", &self.digest, call)
    }

    /// By its text, which teaches it to the server.
    pub(super) fn long(&self, call: &Call) -> Cmd {
        self.command("EVAL", self.text, call)
    }

    fn command(&self, name: &str, script: &str, call: &Call) -> Cmd {
        let mut command = redis::cmd(name);
        command.arg(script).arg(call.keys.len()).arg(&call.keys);
        command.arg(&call.arguments);
        command
    }
}

/// The keys and arguments of one call.
pub(super) struct Call {
    keys: Vec<String>,
    arguments: Vec<u64>,
}

/// All scripts.
pub(super) struct Scripts {
    pub(super) reserve: Script,
    pub(super) give_back: Script,
    pub(super) hold: Script,
    pub(super) retune: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            reserve: Script::new(include_str!("reserve.lua")),
            give_back: Script::new(include_str!("give_back.lua")),
            hold: Script::new(include_str!("hold.lua")),
            retune: Script::new(include_str!("retune.lua")),
        }
    }
}

/// The keys of one limit, in one hash slot.
pub(super) struct Keys {
    state: String,
    seen: String,
}

impl Keys {
    /// # Errors
    /// A name that Redis Cluster would not take for the keys' hash tag.
    pub(super) fn of(limit: &str) -> Result<Self, BackendError> {
        if limit.is_empty() || limit.starts_with('}') {
            return Err(BackendError::Refused(format!(
                "a limit's name must not be empty nor begin with a closing brace, and this is {limit:?}"
            )));
        }
        Ok(Self {
            state: format!("apiqueue:{{{limit}}}:state"),
            seen: format!("apiqueue:{{{limit}}}:seen"),
        })
    }

    pub(super) fn reserve(self, ask: Ask) -> Call {
        Call {
            keys: vec![self.state, self.seen],
            arguments: vec![
                ask.host,
                u64::from(ask.want),
                micros(ask.interval).max(1),
                micros(ask.horizon),
                micros(ask.grace),
                micros(ask.seen),
            ],
        }
    }

    pub(super) fn give_back(self, lease: Lease, count: u32) -> Call {
        let (leased, back) = (u64::from(lease.count), u64::from(count));
        self.state(vec![lease.start, leased, lease.interval, lease.epoch, back])
    }

    /// With one argument, `micros`.
    pub(super) fn terms(self, micros: u64) -> Call {
        self.state(vec![micros])
    }

    fn state(self, arguments: Vec<u64>) -> Call {
        Call {
            keys: vec![self.state],
            arguments,
        }
    }
}
