//! Hosts whose backend is away.

use std::time::Duration;

use apiqueue_fleet::host::{Away, Host, News, Reply, Terms};

use crate::{MS, SECOND, away, lease, reserves, terms, with};

/// Has every call fail from `at` on, until the backend counts as away. Says when that is.
fn lose(host: &mut Host, mut at: u64, line: usize) -> u64 {
    loop {
        let step = host.step(at, line);
        if let Some((id, _)) = step.call {
            host.answered(at, id, Err(away()));
        }
        if host.away_since().is_some() {
            return at;
        }
        at = host.step(at, line).wake.unwrap();
    }
}

/// Releases from `from` to `to` of a host whose calls all fail.
fn alone(host: &mut Host, from: u64, to: u64) -> (Vec<u64>, Vec<News>) {
    let (mut at, mut releases, mut news) = (from, Vec::new(), Vec::new());
    while at < to {
        let step = host.step(at, 1_000);
        releases.extend((0..step.grant).map(|_| at));
        news.extend(step.news);
        if let Some((id, _)) = step.call {
            host.answered(at, id, Err(away()));
        } else if step.grant == 0 {
            at = step.wake.unwrap().max(at + 1);
        }
    }
    (releases, news)
}

#[test]
fn alone_it_takes_its_share_by_the_hosts_seen_last_for_a_bounded_time() {
    let mut host = with(Away::Share {
        at_most: Duration::from_secs(4),
    });
    let (id, _) = reserves(&host.step(0, 1));
    host.answered(0, id, Ok(Reply::Lease(lease(1, 0, 0))));
    assert_eq!(host.step(0, 1).grant, 1);
    let lost = lose(&mut host, 10 * MS, 1_000);
    let (releases, news) = alone(&mut host, lost, lost + 10 * SECOND);
    // Four hosts, so one each 40 ms; the first after a random part of that.
    assert!((99..=100).contains(&releases.len()), "{}", releases.len());
    assert!(releases.windows(2).all(|two| two[1] - two[0] == 40 * MS));
    assert!(*releases.last().unwrap() < lost + 4 * SECOND);
    assert_eq!(news, [News::Away(away()), News::Spent], "once each");
    assert_eq!(host.counts(lost + 10 * SECOND).away, 10 * SECOND);
}

#[test]
fn a_host_that_never_heard_of_the_others_takes_no_share() {
    let mut host = with(Away::default());
    let lost = lose(&mut host, 0, 1_000);
    assert_eq!(alone(&mut host, lost, lost + SECOND).0, []);
}

#[test]
fn alone_it_releases_nobody_or_goes_at_the_full_rate_where_that_was_chosen() {
    let mut host = with(Away::Stop);
    let lost = lose(&mut host, 0, 1_000);
    assert_eq!(alone(&mut host, lost, lost + SECOND).0, []);

    let mut host = with(Away::Full {
        at_most: Duration::from_millis(500),
    });
    let lost = lose(&mut host, 0, 1_000);
    let (releases, _) = alone(&mut host, lost, lost + SECOND);
    assert!((49..=50).contains(&releases.len()), "{}", releases.len());
}

#[test]
fn the_first_answer_ends_going_alone_and_is_told_once() {
    let mut host = with(Away::Full {
        at_most: Duration::from_secs(60),
    });
    let lost = lose(&mut host, 0, 1_000);
    let (_, news) = alone(&mut host, lost, lost + SECOND);
    assert_eq!(news.len(), 1);
    let mut at = lost + SECOND;
    let id = loop {
        let step = host.step(at, 1_000);
        if let Some((id, _)) = step.call {
            break id;
        }
        at = step.wake.unwrap().max(at + 1);
    };
    host.answered(at, id, Ok(Reply::Lease(lease(1, at, at + 100 * MS))));
    let step = host.step(at, 1_000);
    assert_eq!(
        step.news,
        Some(News::Back {
            after: Duration::from_micros(at - lost)
        })
    );
    assert_eq!(host.step(at + 99 * MS, 1_000).grant, 0);
    assert_eq!(host.step(at + 100 * MS, 1_000).grant, 1);
}

#[test]
fn a_single_failure_is_no_news() {
    let mut host = Host::new(terms());
    let (id, _) = reserves(&host.step(0, 1));
    host.answered(0, id, Err(away()));
    let again = host.step(0, 1).wake.unwrap();
    let (id, _) = reserves(&host.step(again, 1));
    host.answered(again, id, Ok(Reply::Lease(lease(1, 0, 0))));
    let step = host.step(again, 1);
    assert!(step.news.is_none());
    assert_eq!((host.counts(0).failures, host.counts(0).times_away), (1, 0));
}

#[test]
fn with_nobody_in_line_it_still_finds_out_when_the_backend_is_back() {
    let mut host = with(Away::Stop);
    let lost = lose(&mut host, 0, 1);
    assert!(host.step(lost, 0).news.is_some());
    let at = host.step(lost, 0).wake.unwrap();
    let (id, want) = reserves(&host.step(at, 0));
    assert_eq!(want, 0);
    host.answered(at, id, Ok(Reply::Lease(lease(0, at, at))));
    assert_eq!(host.away_since(), None);
    assert!(host.step(at, 0).call.is_none());
    // At once: it was not refused.
    reserves(&host.step(at, 1));
}

#[test]
fn hosts_whose_backend_goes_away_at_one_moment_do_not_go_on_at_one_moment() {
    let firsts = [1, 2, 3, 4].map(|number| {
        let mut host = Host::new(Terms {
            host: number,
            ..terms()
        });
        let (id, _) = reserves(&host.step(0, 1));
        host.answered(0, id, Ok(Reply::Lease(lease(1, 0, 0))));
        host.step(0, 1);
        let lost = lose(&mut host, SECOND, 1_000);
        alone(&mut host, lost, lost + SECOND).0[0] - lost
    });
    assert!(firsts.iter().all(|&first| first <= 40 * MS), "{firsts:?}");
    let mut apart = firsts.to_vec();
    apart.sort_unstable();
    assert!(apart[3] - apart[0] >= 10 * MS, "{firsts:?}");
}
