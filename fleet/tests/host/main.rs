//! The host's state machine, step by step, with no time but that which the test tells.
#![allow(clippy::unwrap_used, clippy::panic)]

mod alone;
mod answers;
mod asks;
mod claims;
mod learning;
mod orders;
mod random;
mod slots;
mod told;

use apiqueue_fleet::host::{Away, Config, Host, News, Step};
use apiqueue_fleet::{Action, BackendError, Call, Reply, Slots, Terms};

pub(crate) const MS: u64 = 1_000;
pub(crate) const SECOND: u64 = 1_000_000;
/// What the server's clock is ahead of the host's.
pub(crate) const AHEAD: u64 = 1_760_000_000 * SECOND;
/// When the server's state was made.
pub(crate) const BORN: u64 = AHEAD - SECOND;

pub(crate) fn config() -> Config {
    Config {
        host: 7,
        label: "seven".into(),
        interval: 10 * MS,
        burst: 1,
        interval_wins: false,
        horizon: 2 * SECOND,
        timeout: 500 * MS,
        late: 10 * MS,
        max_lease: 256,
        weight: 1,
        priority: 0,
        at_once: false,
        expected_hosts: 0,
        away: Away::default(),
    }
}

/// With a contact time of 2.5 s: twice the horizon, and four times the timeout.
pub(crate) fn brisk() -> Config {
    Config {
        horizon: 750 * MS,
        timeout: 250 * MS,
        ..config()
    }
}

/// An answer given at `now`, with slots from `start` on, or where there may be one.
pub(crate) fn lease(count: u32, now: u64, start: u64) -> Reply {
    let slots = Slots {
        first: AHEAD + start,
        count,
        step: 10 * MS,
    };
    Reply {
        now: AHEAD + now,
        born: BORN,
        learning_until: BORN,
        terms: Terms {
            interval: 10 * MS,
            hold: 0,
            epoch: 1,
        },
        hosts: 4,
        slots: if count > 0 { vec![slots] } else { Vec::new() },
        next: if count > 0 { 0 } else { AHEAD + start },
        taken_back: 0,
        ..Reply::default()
    }
}

pub(crate) fn away() -> BackendError {
    BackendError::Away("connection refused".to_owned())
}

/// The number of the call that the step makes, which has to be a reserve, and how many it wants.
pub(crate) fn reserves(step: &Step) -> (u64, u32) {
    match &step.call {
        Some((
            id,
            Call {
                action: Action::Reserve { want, .. },
                ..
            },
        )) => (*id, *want),
        other => panic!("{other:?}"),
    }
}

/// The number of the call that the step makes, and what it is about.
pub(crate) fn does(step: &Step) -> (u64, Action) {
    let (id, call) = step.call.as_ref().unwrap();
    (*id, call.action.clone())
}

/// How many slots the step offers back.
pub(crate) fn offers(step: &Step) -> (u64, u32) {
    match does(step) {
        (id, Action::GiveBack { slots, .. }) => (id, slots.iter().map(|slots| slots.count).sum()),
        other => panic!("{other:?}"),
    }
}

/// A host that got `count` slots at `at`, for so many callers.
pub(crate) fn holding(config: Config, count: u32, at: u64, line: usize) -> Host {
    let mut host = Host::new(config);
    let (id, _) = reserves(&host.step(at, line));
    host.answered(at, id, Ok(lease(count, at, at)));
    assert_eq!(host.held(), u64::from(count));
    host
}

/// One caller each half a second, and an answer at once, by `reply`.
pub(crate) fn contacts(host: &mut Host, from: u64, to: u64, reply: impl Fn(u64) -> Reply) {
    for at in (from..=to).step_by(500_000) {
        let mut step = host.step(at, 1);
        // News come one by one.
        while step.call.is_none() && step.news.is_some() {
            step = host.step(at, 1);
        }
        let (id, _) = reserves(&step);
        host.answered(at, id, Ok(reply(at)));
        let mut line = 1;
        loop {
            let step = host.step(at, line);
            line = 0;
            if let Some((id, _)) = step.call {
                // It expects its caller back.
                let mut none = reply(at);
                (none.slots, none.next) = (Vec::new(), none.now);
                host.answered(at, id, Ok(none));
            } else if step.news.is_none() {
                break;
            }
        }
    }
}

/// A host that has been told for 6 s that there are four.
pub(crate) fn one_of_four(config: Config) -> (Host, u64) {
    let mut host = Host::new(config);
    contacts(&mut host, SECOND, 7 * SECOND, |at| lease(1, at, at));
    (host, 7 * SECOND)
}

/// Has every call fail from `at` on, until the backend counts as away. Says when that is.
pub(crate) fn lose(host: &mut Host, mut at: u64, line: usize) -> u64 {
    loop {
        let step = host.step(at, line);
        if let Some((id, _)) = step.call {
            host.answered(at, id, Err(away()));
        }
        if host.away_since().is_some() {
            return at;
        }
        at = host.step(at, line).wake.unwrap().max(at + 1);
    }
}

/// Releases from `from` to `to` of a host whose calls all fail, with `line` callers always in line.
pub(crate) fn alone(host: &mut Host, from: u64, to: u64, line: usize) -> (Vec<u64>, Vec<News>) {
    let (mut at, mut releases, mut news) = (from, Vec::new(), Vec::new());
    while at < to {
        let step = host.step(at, line);
        releases.extend((0..step.grant).map(|_| at));
        news.extend(step.news.clone());
        if let Some((id, _)) = step.call {
            host.answered(at, id, Err(away()));
        } else if step.grant == 0 && step.news.is_none() {
            at = step.wake.unwrap().max(at + 1);
        }
    }
    (releases, news)
}

pub(crate) fn apart(releases: &[u64]) -> u64 {
    let gaps = releases.windows(2).map(|two| two[1] - two[0]);
    gaps.min().unwrap_or(u64::MAX)
}
