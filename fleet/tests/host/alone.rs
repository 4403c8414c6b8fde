//! Hosts whose backend is away.

use std::time::Duration;

use apiqueue_fleet::host::{Away, Config, Host, News};

use crate::{
    MS, SECOND, alone, apart, away, brisk, config, does, lease, lose, one_of_four, reserves,
};

fn full() -> Config {
    Config {
        away: Away::Full {
            at_most: Duration::from_secs(60),
        },
        ..config()
    }
}

#[test]
fn alone_it_takes_its_share_by_the_hosts_told_last_for_a_bounded_time() {
    let share = Away::Share {
        at_most: Duration::from_secs(4),
    };
    let (mut host, at) = one_of_four(Config {
        away: share,
        ..brisk()
    });
    let lost = lose(&mut host, at + 100 * MS, 1_000);
    let (releases, news) = alone(&mut host, lost, lost + 10 * SECOND, 1_000);
    // Four hosts, so one each 40 ms; the first after a random part of that.
    assert!((99..=100).contains(&releases.len()), "{}", releases.len());
    assert!(releases.windows(2).all(|two| two[1] - two[0] == 40 * MS));
    assert!(*releases.last().unwrap() < lost + 4 * SECOND);
    assert_eq!(news, [News::Away(away()), News::Spent], "once each");
    assert_eq!(host.counts(lost + 10 * SECOND).away, 10 * SECOND);
    assert_eq!(host.estimate(lost + 10 * SECOND, 0), None);
}

#[test]
fn a_host_that_was_never_told_of_the_others_takes_no_share() {
    let mut host = Host::new(brisk());
    let lost = lose(&mut host, 0, 1_000);
    let (releases, news) = alone(&mut host, lost, lost + SECOND, 1_000);
    assert_eq!(releases, []);
    assert_eq!(news, [News::Away(away()), News::Spent]);
    assert_eq!(host.estimate(lost, 0), None);
}

#[test]
fn the_number_of_hosts_that_was_told_by_a_person_does_without_the_backend_s() {
    let expecting = |hosts| Config {
        expected_hosts: hosts,
        ..brisk()
    };
    let mut host = Host::new(expecting(8));
    let lost = lose(&mut host, 0, 1_000);
    let (releases, _) = alone(&mut host, lost, lost + 8 * SECOND, 1_000);
    assert_eq!(apart(&releases), 80 * MS);
    assert!((99..=100).contains(&releases.len()));

    // The larger of both counts.
    for (expected, each) in [(1, 40 * MS), (3, 40 * MS), (50, 500 * MS)] {
        let (mut host, at) = one_of_four(expecting(expected));
        let lost = lose(&mut host, at + 100 * MS, 1_000);
        let (releases, _) = alone(&mut host, lost, lost + 10 * SECOND, 1_000);
        assert_eq!(apart(&releases), each, "{expected}");
    }
}

#[test]
fn alone_it_releases_nobody_or_goes_at_the_full_rate_where_that_was_chosen() {
    let stop = Config {
        away: Away::Stop,
        expected_hosts: 1,
        ..config()
    };
    let mut host = Host::new(stop);
    let lost = lose(&mut host, 0, 1_000);
    assert_eq!(alone(&mut host, lost, lost + SECOND, 1_000).0, []);

    let mut host = Host::new(Config {
        away: Away::Full {
            at_most: Duration::from_millis(500),
        },
        ..config()
    });
    let lost = lose(&mut host, 0, 1_000);
    let (releases, _) = alone(&mut host, lost, lost + SECOND, 1_000);
    assert!((49..=50).contains(&releases.len()), "{}", releases.len());
}

/// A lease of seven slots is what a host of four has in 280 ms.
#[test]
fn alone_it_begins_when_its_latest_lease_is_paid_for() {
    let (mut host, at) = one_of_four(brisk());
    let begun = at + 500 * MS;
    let (id, _) = reserves(&host.step(begun, 20));
    host.answered(begun, id, Ok(lease(7, begun, begun)));
    let lost = begun + 30 * MS;
    let (releases, _) = alone(&mut host, begun, lost + 2 * SECOND, 1_000);
    let leased = releases.iter().filter(|at| **at < begun + 70 * MS).count();
    assert_eq!(leased, 7);
    assert_eq!(releases[7], begun + 280 * MS);
    assert_eq!(apart(&releases[7..]), 40 * MS);
}

/// However few of its slots a host used, it is not ahead of the others.
#[test]
fn alone_it_does_not_begin_sooner_than_a_part_after_its_latest_slot() {
    let (mut host, at) = one_of_four(brisk());
    let lost = lose(&mut host, at, 1_000);
    assert!(lost < at + 40 * MS, "{lost}");
    let (releases, _) = alone(&mut host, lost, lost + SECOND, 1_000);
    assert!(releases[0] >= at + 40 * MS);
}

#[test]
fn slots_held_are_used_before_it_goes_alone() {
    let mut host = Host::new(full());
    let (id, _) = reserves(&host.step(SECOND, 30));
    host.answered(SECOND, id, Ok(lease(20, SECOND, SECOND + 100 * MS)));
    let (releases, _) = alone(&mut host, SECOND, SECOND + 600 * MS, 1_000);
    assert_eq!(releases[0], SECOND + 100 * MS);
    assert_eq!(apart(&releases), 10 * MS);
    let counts = host.counts(SECOND);
    assert_eq!((counts.used, counts.lost), (20, 0));
    assert!(counts.alone >= 29, "{counts:?}");
}

#[test]
fn the_first_answer_ends_going_alone_and_is_told_once() {
    let mut host = Host::new(full());
    let lost = lose(&mut host, 0, 1_000);
    let (_, news) = alone(&mut host, lost, lost + SECOND, 1_000);
    assert_eq!(news.len(), 1);
    let mut at = lost + SECOND;
    let id = loop {
        let step = host.step(at, 1_000);
        if let Some((id, _)) = step.call {
            break id;
        }
        at = step.wake.unwrap().max(at + 1);
    };
    host.answered(at, id, Ok(lease(1, at, at + 100 * MS)));
    let step = host.step(at, 1_000);
    let after = Duration::from_micros(at - lost);
    assert_eq!(step.news, Some(News::Back { after }));
    assert_eq!(host.step(at + 99 * MS, 1_000).grant, 0);
    assert_eq!(host.step(at + 100 * MS, 1_000).grant, 1);
    assert_eq!(host.step(at + 300 * MS, 1_000).grant, 0);
}

#[test]
fn a_single_failure_is_no_news() {
    let mut host = Host::new(config());
    let (id, _) = reserves(&host.step(0, 1));
    host.answered(0, id, Err(away()));
    let again = host.step(0, 1).wake.unwrap();
    let (id, _) = reserves(&host.step(again, 1));
    host.answered(again, id, Ok(lease(1, 0, 0)));
    let step = host.step(again, 1);
    assert!(step.news.is_none());
    assert_eq!((host.counts(0).failures, host.counts(0).times_away), (1, 0));
}

#[test]
fn with_nobody_in_line_it_still_finds_out_when_the_backend_is_back() {
    let mut host = Host::new(Config {
        away: Away::Stop,
        ..config()
    });
    let lost = lose(&mut host, 0, 1);
    assert!(host.step(lost, 0).news.is_some());
    let at = host.step(lost, 0).wake.unwrap();
    let (id, want) = reserves(&host.step(at, 0));
    assert_eq!(want, 0);
    host.answered(at, id, Ok(lease(0, at, at)));
    assert_eq!(host.away_since(), None);
    assert!(host.step(at, 0).call.is_none());
    // At once: it was not refused.
    reserves(&host.step(at, 1));
}

#[test]
fn hosts_whose_backend_goes_away_at_one_moment_do_not_go_on_at_one_moment() {
    let firsts = [1, 2, 3, 4].map(|number| {
        let (mut host, at) = one_of_four(Config {
            host: number,
            ..brisk()
        });
        let lost = lose(&mut host, at + SECOND, 1_000);
        alone(&mut host, lost, lost + SECOND, 1_000).0[0] - lost
    });
    assert!(firsts.iter().all(|&first| first <= 40 * MS), "{firsts:?}");
    let mut apart = firsts.to_vec();
    apart.sort_unstable();
    assert!(apart[3] - apart[0] >= 10 * MS, "{firsts:?}");
}

#[test]
fn alone_releases_missed_by_more_than_the_lateness_are_gone() {
    let mut host = Host::new(Config {
        late: 50 * MS,
        ..full()
    });
    let lost = lose(&mut host, 0, 1_000);
    let (releases, _) = alone(&mut host, lost, lost + SECOND, 1_000);
    // The driver stood still for a second.
    let at = releases.last().unwrap() + SECOND;
    let caught_up = (0..3).map(|_| host.step(at, 1_000).grant).sum::<usize>();
    assert!((1..=6).contains(&caught_up), "{caught_up}");
}

/// "Somebody who came after it may use it for up to an interval, or 10 ms. What is older is gone, and makes no burst."
#[test]
fn alone_releases_that_nobody_waited_for_make_no_burst() {
    let mut host = Host::new(Config {
        late: 100 * MS,
        ..full()
    });
    let lost = lose(&mut host, 0, 1);
    let (_, _) = alone(&mut host, lost, lost + SECOND, 1);
    let mut at = lost + SECOND;
    while at < lost + 2 * SECOND {
        let step = host.step(at, 0);
        if let Some((id, _)) = step.call {
            host.answered(at, id, Err(away()));
        }
        at += 5 * MS;
    }
    let burst = host.step(at, 50).grant;
    assert!(burst <= 2, "{burst} at once");
}

/// "Nobody is released before `until`. Slots of that time are gone."
#[test]
fn alone_releases_of_a_hold_are_gone() {
    let mut host = Host::new(Config {
        late: 100 * MS,
        ..full()
    });
    let lost = lose(&mut host, 0, 1_000);
    alone(&mut host, lost, lost + SECOND, 1_000);
    let until = lost + 2 * SECOND;
    host.hold(until);
    let (releases, _) = alone(&mut host, lost + SECOND, until + 50 * MS, 1_000);
    assert!(releases.iter().all(|at| *at >= until), "{releases:?}");
    assert!(releases.len() <= 6, "{} in 50 ms", releases.len());
}

#[test]
fn a_new_rate_acts_at_once_on_a_host_that_goes_alone_and_is_told_later() {
    let mut host = Host::new(full());
    let lost = lose(&mut host, 0, 1_000);
    alone(&mut host, lost, lost + SECOND, 1_000);
    host.retune(50 * MS);
    let from = lost + SECOND;
    let (releases, _) = alone(&mut host, from, from + SECOND, 1_000);
    assert!((19..=21).contains(&releases.len()), "{}", releases.len());
    assert!(apart(&releases[1..]) >= 50 * MS);
    let mut at = from + SECOND;
    let (id, action) = loop {
        let step = host.step(at, 1_000);
        if step.call.is_some() {
            break does(&step);
        }
        at = step.wake.unwrap().max(at + 1);
    };
    assert_eq!(action, apiqueue_fleet::Action::Retune(50 * MS));
    host.answered(at, id, Err(away()));
}

#[test]
fn permits_for_which_nobody_was_there_are_due_as_before_without_the_backend() {
    let mut host = Host::new(full());
    let lost = lose(&mut host, 0, 1_000);
    let (releases, _) = alone(&mut host, lost, lost + SECOND, 1_000);
    let at = releases.last().unwrap() + 10 * MS;
    let before = host.counts(at).alone;
    assert_eq!(host.step(at, 1_000).grant, 1);
    host.unused(1);
    assert_eq!(host.counts(at).alone, before);
    assert_eq!(host.step(at + MS, 1_000).grant, 1);
    // Released and back: once more, and no more than that.
    host.came_back(at + 2 * MS, 5);
    assert_eq!(host.step(at + 2 * MS, 1_000).grant, 1);
    host.came_back(at + 3 * MS, 5);
    assert_eq!(host.step(at + 3 * MS, 1_000).grant, 0);
    assert_eq!(host.counts(at).alone, before + 1);
}

#[test]
fn a_resume_ends_a_hold_of_a_host_that_goes_alone() {
    // The hold was there before it went alone, or came after.
    for before in [true, false] {
        let mut host = Host::new(full());
        if before {
            host.hold(3_600 * SECOND);
        }
        let lost = lose(&mut host, SECOND, 1_000);
        if !before {
            host.hold(3_600 * SECOND);
        }
        let (releases, _) = alone(&mut host, lost, lost + SECOND, 1_000);
        assert_eq!(releases, [], "in the hold");
        host.resume();
        let from = lost + SECOND;
        assert!(host.estimate(from, 0).is_some());
        let (releases, _) = alone(&mut host, from, from + SECOND, 1_000);
        assert!(releases.len() >= 90, "{before}: {}", releases.len());
    }
}

/// The next one goes the new interval after the latest, and not the old one.
#[test]
fn a_faster_rate_does_not_wait_for_the_old_interval_of_a_host_that_goes_alone() {
    let mut host = Host::new(Config {
        interval: 10 * SECOND,
        ..full()
    });
    let lost = lose(&mut host, SECOND, 1_000);
    let (releases, _) = alone(&mut host, lost, lost + 25 * SECOND, 1_000);
    let last = *releases.last().unwrap();
    let at = lost + 25 * SECOND;
    assert!(at < last + 10 * SECOND);
    host.retune(10 * MS);
    let (releases, _) = alone(&mut host, at, at + SECOND, 1_000);
    assert!(releases.len() >= 95, "{}", releases.len());
    assert!(releases.len() <= 102, "{}", releases.len());
}
