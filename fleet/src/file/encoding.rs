//! A [`Calendar`] as bytes, and back.
//!
//! Little-endian numbers of 64 bits, unless it says otherwise:
//!
//! ```text
//! a byte: whether there is a state
//! if so:  born, last, quiet, tat, interval, epoch, tuned, hold, low, owed; how many free runs, and of each its first slot and its count (32 bits)
//! seen:   how many, and of each its number, until when it counts, its priority (a byte), how many bytes its label has, and the label
//! ```
//!
//! Whoever changes this raises [`VERSION`].

use std::sync::Arc;

use super::clock::MAX_TIME;
use super::reader::Reader;
use crate::backend::Slots;
use crate::calendar::{Calendar, Free, HIGHEST, MAX_MICROS, Seen, State};

/// Of what is in a file. A file of another one is not read, and not written either.
pub(super) const VERSION: u32 = 3;

pub(super) fn encode(calendar: &Calendar, bytes: &mut Vec<u8>) {
    bytes.push(u8::from(calendar.state.is_some()));
    if let Some(state) = &calendar.state {
        encode_state(state, bytes);
    }
    put(bytes, [calendar.seen.len() as u64]);
    for (host, priority, label, until) in calendar.seen.iter() {
        put(bytes, [host, until]);
        bytes.push(priority);
        put_text(bytes, label);
    }
}

fn encode_state(state: &State, bytes: &mut Vec<u8>) {
    put(bytes, [state.born, state.last, state.quiet, state.tat]);
    put(
        bytes,
        [state.interval, state.epoch, state.tuned, state.hold],
    );
    put(bytes, [state.low, state.owed]);
    let runs = state.free.runs();
    put(bytes, [runs.len() as u64]);
    for run in runs {
        put(bytes, [run.first]);
        bytes.extend(run.count.to_le_bytes());
    }
}

fn put<const N: usize>(bytes: &mut Vec<u8>, numbers: [u64; N]) {
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

/// Its length, and itself.
pub(super) fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put(bytes, [text.len() as u64]);
    bytes.extend(text.as_bytes());
}

/// None if it is no calendar, or one that no calls lead to.
pub(super) fn decode(from: &mut Reader<'_>) -> Option<Calendar> {
    let state = match from.byte()? {
        0 => None,
        1 => Some(decode_state(from)?),
        _ => return None,
    };
    let latest = latest(state.as_ref().map_or(MAX_TIME, |state| state.last));
    let mut seen = Seen::default();
    for _ in 0..from.number()? {
        let (host, until) = (from.number()?, from.number()?);
        let priority = from.byte()?;
        let label: Arc<str> = from.text()?.into();
        if until > latest || priority > HIGHEST {
            return None;
        }
        seen.ask(host, priority, &label, until);
    }
    Some(Calendar { state, seen })
}

fn decode_state(from: &mut Reader<'_>) -> Option<State> {
    let mut state = State {
        born: from.number()?,
        last: from.number()?,
        quiet: from.number()?,
        // May be anything, as far as it goes: a caller says how far ahead slots are granted.
        tat: from.number()?,
        interval: from.number()?,
        // What callers say.
        epoch: from.number()?,
        tuned: from.number()?,
        hold: from.number()?,
        // As far as `tat`, and a span.
        low: from.number()?,
        owed: from.number()?,
        free: Free::default(),
    };
    let latest = latest(state.last);
    let times = [state.born, state.quiet, state.hold];
    if state.last > MAX_TIME
        || times.into_iter().any(|time| time > latest)
        || !(1..=MAX_MICROS).contains(&state.interval)
    {
        return None;
    }
    let mut runs = Vec::new();
    for _ in 0..from.number()? {
        runs.push(Slots {
            first: from.number()?,
            count: from.short()?,
            step: state.interval,
        });
    }
    state.free = Free::of(runs, state.interval)?;
    // Their ends are numbers: `Free` has looked.
    let end = |run: &Slots| run.first + u64::from(run.count) * run.step;
    let ends = state.free.runs().last().map_or(0, end);
    (ends <= state.tat).then_some(state)
}

/// The longest span after the last reading of the clock.
fn latest(last: u64) -> u64 {
    last.saturating_add(MAX_MICROS)
}
