//! Holds and rates, made here and heard of.

use std::time::Duration;

use apiqueue_fleet::host::{Config, Host, News};
use apiqueue_fleet::{Action, Calendar, Reply, Terms};

use crate::{AHEAD, MS, SECOND, config, does, holding, lease, offers, reserves};

/// An answer to a hold, a resume or a retune.
fn heard(now: u64, interval: u64, hold: u64, epoch: u64) -> Reply {
    Reply {
        terms: Terms {
            interval,
            hold,
            epoch,
        },
        ..lease(0, now, now)
    }
}

#[test]
fn a_hold_here_acts_at_once_is_told_and_lets_only_the_slots_inside_it_go() {
    let mut host = holding(config(), 8, SECOND, 20);
    assert_eq!(host.step(SECOND, 20).grant, 1);
    host.hold(SECOND + 35 * MS);
    let at = SECOND + 10 * MS;
    let step = host.step(at, 19);
    assert_eq!(step.grant, 0);
    let (id, action) = does(&step);
    assert_eq!(action, Action::Hold(25 * MS));
    host.answered(at, id, Ok(heard(at, 10 * MS, 25 * MS, 9)));
    assert_eq!(
        (host.epoch(), host.held_until()),
        (Some(9), SECOND + 35 * MS)
    );
    assert_eq!(host.step(SECOND + 34 * MS, 19).grant, 0);
    // 40 to 70 ms are left.
    for slot in 4..8 {
        assert_eq!(host.step(SECOND + slot * 10 * MS - 1, 19).grant, 0);
        assert_eq!(host.step(SECOND + slot * 10 * MS, 19).grant, 1);
    }
    let counts = host.counts(at);
    assert_eq!((counts.used, counts.lost, counts.given_back), (5, 3, 0));
}

#[test]
fn a_hold_that_is_resumed_leaves_the_slots_that_are_still_to_come() {
    let mut host = holding(config(), 8, SECOND, 20);
    host.hold(SECOND + 60 * SECOND);
    assert_eq!(host.step(SECOND + 35 * MS, 20).grant, 0);
    host.resume();
    let at = SECOND + 36 * MS;
    assert_eq!(host.step(at, 20).grant, 0, "those of the hold are gone");
    assert_eq!(host.step(SECOND + 40 * MS, 20).grant, 1);
    assert_eq!((host.counts(at).lost, host.held()), (4, 3));
}

#[test]
fn a_hold_only_extends() {
    let mut host = holding(config(), 8, SECOND, 20);
    host.hold(SECOND + 60 * MS);
    host.hold(SECOND + 30 * MS);
    assert_eq!(host.held_until(), SECOND + 60 * MS);
    assert_eq!(host.step(SECOND + 50 * MS, 20).grant, 0);
}

#[test]
fn a_hold_that_others_made_is_heard_of_with_the_next_answer_and_so_is_its_end() {
    let mut host = Host::new(config());
    let (id, _) = reserves(&host.step(SECOND, 5));
    let mut reply = heard(SECOND, 10 * MS, 3 * SECOND, 5);
    reply.next = AHEAD + 4 * SECOND;
    host.answered(SECOND, id, Ok(reply));
    assert_eq!(host.held_until(), 4 * SECOND);
    let step = host.step(SECOND, 5);
    let at = step.wake.unwrap();
    assert!(at >= 2 * SECOND, "no sooner than a horizon before: {at}");
    let (id, _) = reserves(&host.step(at, 5));
    let mut reply = lease(5, at, at);
    reply.terms.epoch = 6;
    host.answered(at, id, Ok(reply));
    assert_eq!(host.held_until(), 0);
    assert_eq!(host.step(at, 5).grant, 1);
}

/// What is left of a hold is told in whole microseconds and arrives late: it does not move about.
#[test]
fn the_same_hold_told_again_does_not_move() {
    let mut host = Host::new(config());
    let (id, _) = reserves(&host.step(SECOND, 5));
    host.answered(SECOND, id, Ok(heard(SECOND, 10 * MS, 3 * SECOND, 5)));
    let until = host.held_until();
    let at = host.step(SECOND, 5).wake.unwrap();
    let (id, _) = reserves(&host.step(at, 5));
    host.answered(at + 50 * MS, id, Ok(heard(at, 10 * MS, until - at, 5)));
    assert_eq!(host.held_until(), until);
}

#[test]
fn a_hold_made_while_a_reserve_is_under_way_keeps_its_slots_in_their_time() {
    let mut host = Host::new(config());
    let (id, _) = reserves(&host.step(SECOND, 20));
    host.hold(SECOND + 35 * MS);
    host.answered(SECOND, id, Ok(lease(8, SECOND, SECOND)));
    assert_eq!(
        host.held_until(),
        SECOND + 35 * MS,
        "the answer knows of none"
    );
    let step = host.step(SECOND, 20);
    assert_eq!((step.grant, does(&step).1), (0, Action::Hold(35 * MS)));
    host.answered(
        SECOND,
        does(&step).0,
        Ok(heard(SECOND, 10 * MS, 35 * MS, 9)),
    );
    assert_eq!(host.step(SECOND + 30 * MS, 20).grant, 0);
    assert_eq!(host.step(SECOND + 40 * MS, 20).grant, 1);
    assert_eq!(host.counts(0).lost, 4);
}

#[test]
fn a_hold_that_is_over_before_anybody_could_be_told_is_not_told() {
    let mut host = Host::new(config());
    let (id, _) = reserves(&host.step(SECOND, 5));
    host.hold(SECOND + 5 * MS);
    let at = SECOND + 6 * MS;
    host.answered(at, id, Ok(lease(5, at, at)));
    let step = host.step(at, 5);
    assert_eq!(step.grant, 1);
    assert!(step.call.is_none(), "{step:?}");
}

#[test]
fn a_resume_followed_by_a_hold_tells_both_in_that_order() {
    let mut host = Host::new(config());
    host.hold(10 * SECOND);
    host.resume();
    host.hold(5 * SECOND);
    let step = host.step(SECOND, 5);
    let (id, action) = does(&step);
    assert_eq!(action, Action::Resume);
    host.answered(SECOND, id, Ok(heard(SECOND, 10 * MS, 0, 2)));
    assert_eq!(host.held_until(), 5 * SECOND);
    let (id, action) = does(&host.step(SECOND, 5));
    assert_eq!(action, Action::Hold(4 * SECOND));
    host.answered(SECOND, id, Ok(heard(SECOND, 10 * MS, 4 * SECOND, 3)));
    assert_eq!(host.held_until(), 5 * SECOND);
    reserves(&host.step(4 * SECOND, 5));
}

/// `hold_until` one moment, resumed, and again: all while the first is on its way.
#[test]
fn a_hold_until_the_same_moment_as_one_that_was_resumed_is_told() {
    let mut calendar = Calendar::default();
    let mut host = Host::new(config());
    host.hold(60 * SECOND);
    let (id, call) = host.step(SECOND, 5).call.unwrap();
    host.resume();
    host.hold(60 * SECOND);
    let reply = calendar.apply(AHEAD + SECOND, &call);
    host.answered(SECOND + MS, id, Ok(reply));
    let mut at = SECOND + MS;
    for _ in 0..6 {
        assert!(host.held_until() >= 60 * SECOND, "{}", host.held_until());
        if let Some((id, call)) = host.step(at, 5).call {
            host.answered(at, id, Ok(calendar.apply(AHEAD + at, &call)));
        }
        at += MS;
    }
    let hold = calendar.look(AHEAD + at).unwrap().terms.hold;
    assert!(hold >= 50 * SECOND, "{hold}");
}

/// The second ends a hold that another host made meanwhile.
#[test]
fn a_resume_made_while_another_is_under_way_is_told() {
    let mut host = Host::new(config());
    host.resume();
    let (id, action) = does(&host.step(SECOND, 5));
    assert_eq!(action, Action::Resume);
    host.resume();
    host.answered(SECOND + MS, id, Ok(heard(SECOND, 10 * MS, 0, 2)));
    assert_eq!(does(&host.step(SECOND + MS, 5)).1, Action::Resume);
}

/// All hosts have heard of a hold when the backend loses its state; then one of them resumes.
#[test]
fn a_resume_ends_a_hold_that_the_backend_has_forgotten() {
    let mut calendar = Calendar::default();
    let mut hosts = [1, 2].map(|host| Host::new(Config { host, ..config() }));
    let run = |hosts: &mut [Host; 2], calendar: &mut Calendar, from: u64, to: u64| {
        let mut released = [0, 0];
        for at in (from..to).step_by(1_000) {
            for (id, host) in hosts.iter_mut().enumerate() {
                let step = host.step(at, 20);
                released[id] += step.grant;
                if let Some((number, call)) = step.call {
                    host.answered(at, number, Ok(calendar.apply(AHEAD + at, &call)));
                }
            }
        }
        released
    };
    run(&mut hosts, &mut calendar, SECOND, 5 * SECOND);
    hosts[0].hold(3600 * SECOND);
    run(&mut hosts, &mut calendar, 5 * SECOND, 8 * SECOND);
    assert!(hosts.iter().all(|host| host.held_until() > 3000 * SECOND));
    calendar = Calendar::default();
    hosts[0].resume();
    let released = run(&mut hosts, &mut calendar, 8 * SECOND, 20 * SECOND);
    assert!(released[0] > 0 && released[1] > 0, "{released:?}");
}

#[test]
fn a_lease_that_was_on_its_way_when_the_rate_changed_here_is_not_used() {
    let mut host = Host::new(config());
    let (id, _) = reserves(&host.step(0, 4));
    host.retune(20 * MS);
    host.answered(MS, id, Ok(lease(4, 0, 0)));
    let step = host.step(MS, 4);
    assert_eq!((step.grant, offers(&step).1), (0, 4));
    host.answered(2 * MS, offers(&step).0, Ok(lease(0, 2 * MS, 0)));
    assert_eq!(host.counts(0).lost, 4);
    let step = host.step(2 * MS, 4);
    assert_eq!(does(&step).1, Action::Retune(20 * MS));
    assert_eq!(host.interval(), 20 * MS);
    assert!(step.news.is_none(), "nobody else's rate");
}

#[test]
fn another_rate_offers_the_slots_of_before_back_and_is_told_after_that() {
    let mut host = holding(config(), 8, SECOND, 20);
    host.retune(20 * MS);
    assert_eq!(host.held(), 0);
    let step = host.step(SECOND, 20);
    assert_eq!((step.grant, offers(&step).1), (0, 8));
    let taken = Reply {
        taken_back: 8,
        ..lease(0, SECOND, SECOND)
    };
    host.answered(SECOND, offers(&step).0, Ok(taken));
    assert_eq!(host.counts(SECOND).given_back, 8);
    let (id, action) = does(&host.step(SECOND, 20));
    assert_eq!(action, Action::Retune(20 * MS));
    host.answered(SECOND, id, Ok(heard(SECOND, 20 * MS, 0, 7)));
    reserves(&host.step(SECOND, 20));
    assert_eq!((host.interval(), host.epoch()), (20 * MS, Some(7)));
}

#[test]
fn the_same_rate_again_lets_nothing_go_and_is_told() {
    let mut host = holding(config(), 8, SECOND, 20);
    host.retune(10 * MS);
    let step = host.step(SECOND, 20);
    assert_eq!(step.grant, 1);
    let (id, action) = does(&step);
    assert_eq!(action, Action::Retune(10 * MS));
    host.answered(SECOND, id, Ok(heard(SECOND, 10 * MS, 0, 1)));
    assert_eq!((host.held(), host.counts(0).lost), (7, 0));
    assert_eq!(host.step(SECOND + 10 * MS, 19).grant, 1);
}

#[test]
fn a_rate_that_changes_again_before_it_is_told_is_told_as_it_is_last() {
    let mut host = Host::new(config());
    host.retune(20 * MS);
    let (id, action) = does(&host.step(SECOND, 5));
    assert_eq!(action, Action::Retune(20 * MS));
    host.retune(30 * MS);
    host.answered(SECOND, id, Ok(heard(SECOND, 20 * MS, 0, 2)));
    assert_eq!(host.interval(), 30 * MS);
    assert_eq!(does(&host.step(SECOND, 5)).1, Action::Retune(30 * MS));
}

#[test]
fn another_rate_that_is_heard_of_lets_the_slots_of_before_go() {
    let mut host = holding(config(), 8, SECOND, 20);
    host.hold(SECOND + MS);
    let (id, _) = does(&host.step(SECOND, 20));
    let at = SECOND + MS;
    host.answered(at, id, Ok(heard(at, 50 * MS, 0, 2)));
    assert_eq!((host.counts(0).lost, host.held()), (8, 0));
    assert_eq!((host.interval(), host.epoch()), (50 * MS, Some(2)));
    assert!(host.step(at, 20).news.is_none(), "it changed: no news");
}

#[test]
fn other_terms_of_the_same_rate_leave_the_slots_of_before() {
    let mut host = holding(config(), 8, SECOND, 20);
    host.hold(SECOND + MS);
    let (id, _) = does(&host.step(SECOND, 20));
    let at = SECOND + MS;
    host.answered(at, id, Ok(heard(at, 10 * MS, 0, 77)));
    assert_eq!((host.counts(0).lost, host.epoch()), (0, Some(77)));
    assert_eq!(host.held(), 8);
}

#[test]
fn a_rate_other_than_the_one_that_it_was_built_with_is_news_once() {
    let mut host = Host::new(config());
    for at in [SECOND, 2 * SECOND] {
        let (id, _) = reserves(&host.step(at, 1));
        let mut reply = lease(1, at, at);
        reply.terms.interval = 50 * MS;
        reply.slots[0].step = 50 * MS;
        host.answered(at, id, Ok(reply));
        let step = host.step(at, 1);
        assert_eq!(step.grant, 1, "at the rate in force");
        let other = News::OtherRate {
            built: Duration::from_millis(10),
            in_force: Duration::from_millis(50),
        };
        assert_eq!(step.news, (at == SECOND).then_some(other));
    }
    assert_eq!((host.interval(), host.built_interval()), (50 * MS, 10 * MS));
}

#[test]
fn a_rate_that_wins_takes_the_place_of_the_one_in_force() {
    let mut host = Host::new(Config {
        interval_wins: true,
        ..config()
    });
    let (id, _) = reserves(&host.step(SECOND, 5));
    let mut reply = lease(5, SECOND, SECOND);
    reply.terms.interval = 50 * MS;
    reply.slots[0].step = 50 * MS;
    host.answered(SECOND, id, Ok(reply));
    let step = host.step(SECOND, 5);
    assert!(step.news.is_none());
    assert_eq!((step.grant, offers(&step).1), (0, 5), "not by that rate");
    host.answered(SECOND, offers(&step).0, Ok(heard(SECOND, 50 * MS, 0, 1)));
    let (id, action) = does(&host.step(SECOND, 5));
    assert_eq!(action, Action::Retune(10 * MS));
    host.answered(SECOND, id, Ok(heard(SECOND, 10 * MS, 0, 8)));
    // From now on whoever sets one, sets it.
    let (id, _) = reserves(&host.step(SECOND, 5));
    host.answered(SECOND, id, Ok(heard(SECOND, 70 * MS, 0, 9)));
    assert_eq!(host.interval(), 70 * MS);
}

/// "The host that makes the change offers its slots back first."
#[test]
fn another_rate_offers_what_was_held_and_what_was_on_its_way() {
    let mut host = Host::new(config());
    let (id, _) = reserves(&host.step(SECOND, 20));
    let at = SECOND + 50 * MS;
    host.answered(at, id, Ok(lease(7, at, at + 100 * MS)));
    // The next one is asked for when this one begins.
    let at = at + 100 * MS;
    let (id, _) = reserves(&host.step(at, 20));
    let held = u32::try_from(host.held()).unwrap();
    assert_eq!(held, 6);
    host.retune(20 * MS);
    host.answered(at, id, Ok(lease(4, at, at + 300 * MS)));
    let mut offered = 0;
    for _ in 0..2 {
        let step = host.step(at, 20);
        if let (id, Action::GiveBack { slots, .. }) = does(&step) {
            offered += slots.iter().map(|slots| slots.count).sum::<u32>();
            host.answered(at, id, Ok(heard(at, 10 * MS, 0, 1)));
        }
    }
    assert_eq!(offered, held + 4);
}
