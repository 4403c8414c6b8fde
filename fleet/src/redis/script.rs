//! The script, its calls as commands, and its answers. What it does is written in [`calendar`](crate::calendar).

use std::time::Duration;

use redis::{Cmd, Value};

use super::keys::Keys;
use crate::backend::{Action, Reply, Slots, Terms};
use crate::calendar::{HIGHEST, MAX_MICROS};

/// A script that the server knows by its digest once it has seen it.
pub(super) struct Script {
    text: &'static str,
    digest: String,
}

impl Script {
    pub(super) fn new() -> Self {
        let text = include_str!("calendar.lua");
        Self {
            text,
            digest: redis::Script::new(text).get_hash().to_owned(),
        }
    }

    /// By its digest: fails with `NOSCRIPT` where the server does not know it.
    pub(super) fn short(&self, call: &Call) -> Cmd {
        command("EVALSHA", &self.digest, call)
    }

    /// By its text, which teaches it to the server.
    pub(super) fn long(&self, call: &Call) -> Cmd {
        command("EVAL", self.text, call)
    }
}

fn command(name: &str, script: &str, call: &Call) -> Cmd {
    let keys = [&call.keys.state, &call.keys.seen];
    let mut command = redis::cmd(name);
    command.arg(script).arg(keys.len()).arg(&keys);
    command.arg(&call.arguments);
    command
}

/// The keys and arguments of one call.
pub(super) struct Call {
    keys: Keys,
    arguments: Vec<String>,
}

impl Call {
    pub(super) fn new(keys: Keys, keep: Duration, call: &crate::backend::Call) -> Self {
        let span = |micros: u64| micros.min(MAX_MICROS);
        let known = call.known;
        let interval = |micros: u64| span(micros).max(1);
        let (name, more) = match &call.action {
            Action::Reserve {
                want,
                spacing,
                after,
                horizon,
                burst,
                gathered,
            } => {
                let [spacing, after, horizon] = [*spacing, *after, *horizon].map(span);
                let [want, burst, gathered] = [*want, *burst, *gathered].map(u64::from);
                let numbers = [want, spacing, after, horizon, burst, gathered];
                ("reserve", numbers.to_vec())
            }
            Action::GiveBack { born, epoch, slots } => {
                let numbers = slots.iter().flat_map(|slots| {
                    let count = u64::from(slots.count);
                    [slots.first, count, span(slots.step)]
                });
                (
                    "give_back",
                    [*born, *epoch].into_iter().chain(numbers).collect(),
                )
            }
            Action::Hold(micros) => ("hold", vec![span(*micros)]),
            Action::Resume => ("resume", Vec::new()),
            Action::Retune(micros) => ("retune", vec![interval(*micros)]),
        };
        let numbers = [
            interval(known.interval),
            known.epoch,
            span(known.hold),
            span(call.grace),
            span(call.window),
            u64::try_from(keep.as_millis()).unwrap_or(0),
        ];
        let priority = call.priority.min(HIGHEST);
        let mut arguments = vec![
            name.to_owned(),
            format!("{priority} {} {}", call.host, call.label),
        ];
        arguments.extend(numbers.iter().chain(&more).map(u64::to_string));
        Self { keys, arguments }
    }
}

/// The script's answer.
pub(super) fn reply(value: &Value) -> Option<Reply> {
    let numbers: Vec<u64> = match value {
        Value::Array(fields) => fields.iter().map(number).collect::<Option<_>>()?,
        _ => return None,
    };
    let (terms, slots) = numbers.split_at_checked(13)?;
    let &[
        now,
        born,
        learning_until,
        interval,
        hold,
        epoch,
        hosts,
        below,
        above,
        kept_back,
        next,
        later,
        taken_back,
    ] = terms
    else {
        return None;
    };
    let slots = slots.chunks(3).map(|run| match *run {
        [first, count, step] => Some(Slots {
            first,
            count: u32::try_from(count).ok()?,
            step,
        }),
        _ => None,
    });
    Some(Reply {
        now,
        born,
        learning_until,
        terms: Terms {
            interval,
            hold,
            epoch,
        },
        hosts: u32::try_from(hosts).ok()?,
        below: u32::try_from(below).ok()?,
        above: u32::try_from(above).ok()?,
        kept_back: u32::try_from(kept_back).ok()?,
        slots: slots.collect::<Option<_>>()?,
        next,
        later,
        taken_back: u32::try_from(taken_back).ok()?,
    })
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}
