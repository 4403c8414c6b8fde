//! States that are lost: what a host holds, and how it goes on until the new one grants anything.

use std::time::Duration;

use apiqueue_fleet::host::{Away, Config, Host, News};
use apiqueue_fleet::{Action, Reply};

use crate::{
    AHEAD, MS, SECOND, alone, apart, away, brisk, does, lease, lose, one_of_four, reserves,
};

/// An answer of a state made at `born`, which grants nothing before `until`.
fn new_state(born: u64, at: u64, until: u64) -> Reply {
    Reply {
        born: AHEAD + born,
        learning_until: AHEAD + until,
        hosts: 1,
        ..lease(0, at, until)
    }
}

/// Releases from `from` to `to`, where `reply` is what the backend says. And the news.
fn go(
    host: &mut Host,
    from: u64,
    to: u64,
    line: usize,
    reply: impl Fn(u64) -> Reply,
) -> (Vec<u64>, Vec<News>) {
    let (mut at, mut releases, mut news) = (from, Vec::new(), Vec::new());
    while at < to {
        let step = host.step(at, line);
        releases.extend((0..step.grant).map(|_| at));
        news.extend(step.news.clone());
        if let Some((id, _)) = step.call {
            host.answered(at, id, Ok(reply(at)));
        } else if step.grant == 0 && step.news.is_none() {
            at = step.wake.unwrap().max(at + 1);
        }
    }
    (releases, news)
}

#[test]
fn while_a_new_state_learns_a_host_that_has_a_number_goes_on_with_its_part() {
    let (mut host, at) = one_of_four(brisk());
    let (born, until) = (at + 500 * MS, at + 1_300 * MS);
    let (releases, news) = go(&mut host, born, until + SECOND, 1_000, |at| {
        new_state(born, at, until)
    });
    assert!((19..=20).contains(&releases.len()), "{}", releases.len());
    assert_eq!(apart(&releases), 40 * MS);
    assert!(*releases.last().unwrap() < until);
    let learning = Duration::from_millis(800);
    assert_eq!(news, [News::Forgot { learning }], "once");
    let counts = host.counts(until);
    assert_eq!((counts.forgotten, counts.times_away), (1, 0));
    assert_eq!(counts.alone, releases.len() as u64);
    assert_eq!(host.away_since(), None);
}

#[test]
fn while_a_new_state_learns_a_host_without_a_number_releases_nobody() {
    let mut host = Host::new(brisk());
    let (id, _) = reserves(&host.step(SECOND, 1));
    host.answered(SECOND, id, Ok(lease(1, SECOND, SECOND)));
    host.step(SECOND, 1);
    let until = 3 * SECOND;
    let reply = |at| new_state(2 * SECOND, at, until);
    let (releases, news) = go(&mut host, 2 * SECOND, until, 1_000, reply);
    assert_eq!(releases, []);
    assert_eq!(news.len(), 1);
}

#[test]
fn a_fleet_whose_number_was_told_by_a_person_goes_on_in_any_case() {
    let mut host = Host::new(Config {
        expected_hosts: 5,
        ..brisk()
    });
    let until = SECOND + 760 * MS;
    let reply = |at| new_state(SECOND, at, until);
    let (releases, news) = go(&mut host, SECOND, until + SECOND, 1_000, reply);
    assert!((15..=16).contains(&releases.len()), "{}", releases.len());
    assert_eq!(apart(&releases), 50 * MS);
    assert_eq!(news, [], "it knew of no other state");
}

#[test]
fn slots_of_a_lost_state_are_used_until_the_new_one_grants_some() {
    let (mut host, at) = one_of_four(brisk());
    let from = at + 500 * MS;
    let (id, _) = reserves(&host.step(from, 1_000));
    host.answered(from, id, Ok(lease(7, from, from + 50 * MS)));
    let (at, until) = (from + 70 * MS, from + 90 * MS);
    assert_eq!(host.step(at, 1_000).grant, 2, "60 and 70 ms: 50 is too old");
    // Whatever it asks next, it hears of the new state.
    host.retune(10 * MS);
    let (id, _) = does(&host.step(at, 1_000));
    host.answered(at, id, Ok(new_state(from + 20 * MS, at, until)));
    assert_eq!((host.held(), host.counts(at).lost), (1, 1 + 3));
    let mut used = 0;
    for at in (at..until + 100 * MS).step_by(1_000) {
        let grant = host.step(at, 1_000).grant;
        assert!(grant == 0 || at < until, "{} us after", at - until);
        used += grant;
    }
    assert_eq!(used, 1);
}

#[test]
fn going_alone_goes_over_into_learning_without_a_second_budget() {
    let (mut host, at) = one_of_four(brisk());
    let lost = lose(&mut host, at + 500 * MS, 1_000);
    let (mut releases, mut news) = alone(&mut host, lost, lost + SECOND, 1_000);
    let (back, until) = (lost + SECOND, lost + 2 * SECOND);
    let reply = |at| new_state(back, at, until);
    let more = go(&mut host, back, until + SECOND, 1_000, reply);
    releases.extend(more.0);
    news.extend(more.1);
    assert_eq!(apart(&releases), 40 * MS);
    assert!((48..=50).contains(&releases.len()), "{}", releases.len());
    assert!(*releases.last().unwrap() < until);
    assert_eq!(news[0], News::Away(away()));
    assert!(
        matches!(news[1..], [News::Back { .. }, News::Forgot { .. }]),
        "{news:?}"
    );
}

#[test]
fn learning_goes_over_into_being_alone_without_a_second_budget() {
    let (mut host, at) = one_of_four(brisk());
    let (born, until) = (at + 500 * MS, at + 1_300 * MS);
    let reply = |at| new_state(born, at, until);
    let (mut releases, _) = go(&mut host, born, born + 400 * MS, 1_000, reply);
    let (more, news) = alone(&mut host, born + 400 * MS, born + 2 * SECOND, 1_000);
    releases.extend(more);
    assert_eq!(apart(&releases), 40 * MS);
    // A second after the first failure at most it knows.
    assert!(releases.len() >= 30, "{}", releases.len());
    assert!(news.contains(&News::Away(away())), "{news:?}");
}

#[test]
fn a_state_that_is_lost_while_it_learns_gives_no_second_budget() {
    let (mut host, at) = one_of_four(brisk());
    let from = at + 500 * MS;
    // Another state each 200 ms.
    let reply = |at: u64| new_state(at - at % (200 * MS), at, at + 800 * MS);
    let (releases, news) = go(&mut host, from, from + 2 * SECOND, 1_000, reply);
    assert_eq!(apart(&releases), 40 * MS);
    assert!((48..=51).contains(&releases.len()), "{}", releases.len());
    assert!(!news.is_empty());
}

#[test]
fn the_first_answer_of_a_state_that_has_learned_ends_going_alone() {
    let (mut host, at) = one_of_four(brisk());
    let lost = lose(&mut host, at + 500 * MS, 1_000);
    let (before, _) = alone(&mut host, lost, lost + SECOND, 1_000);
    let from = lost + SECOND;
    // One lease at each ask, 300 ms later.
    let (releases, _) = go(&mut host, from, from + 250 * MS, 1_000, |at| {
        lease(1, at, at + 300 * MS)
    });
    assert!(!before.is_empty());
    assert!(
        releases.iter().all(|at| *at <= from + 100 * MS),
        "{releases:?}"
    );
}

#[test]
fn a_host_that_stops_without_the_backend_goes_on_while_the_backend_learns() {
    let (mut host, at) = one_of_four(Config {
        away: Away::Stop,
        ..brisk()
    });
    let (born, until) = (at + 500 * MS, at + 1_300 * MS);
    let reply = |at| new_state(born, at, until);
    let (releases, _) = go(&mut host, born, until, 1_000, reply);
    assert!(releases.len() >= 19);
}

/// Slots of two states: those of the old one are nothing to the new one.
#[test]
fn slots_of_a_lost_state_are_not_given_back_to_the_new_one() {
    let mut host = Host::new(brisk());
    let (id, _) = reserves(&host.step(SECOND, 8));
    let mut at = SECOND + 50 * MS;
    host.answered(at, id, Ok(lease(8, at, SECOND + 200 * MS)));
    // A lease of the new state comes while some are left.
    let id = loop {
        let step = host.step(at, 1_000);
        if step.call.is_some() {
            break reserves(&step).0;
        }
        at = step.wake.unwrap();
    };
    let old = host.held();
    assert!(old > 0);
    let mut next = lease(2, at, at + 300 * MS);
    (next.born, next.learning_until) = (AHEAD + SECOND + MS, AHEAD + at + 300 * MS);
    host.answered(at, id, Ok(next.clone()));
    assert_eq!(host.held(), old + 2);
    // Nobody waits any more.
    host.leave();
    let mut step = host.step(at, 0);
    while step.call.is_none() {
        step = host.step(at, 0);
    }
    let (_, Action::GiveBack { born, slots, .. }) = does(&step) else {
        panic!("{step:?}");
    };
    for slots in slots {
        let is_new = slots.first >= next.learning_until;
        assert_eq!(born == next.born, is_new, "{slots:?}");
    }
}
