//! What becomes of the slots that a host holds.

use apiqueue_fleet::host::{Config, Host};
use apiqueue_fleet::{Action, Reply, Slots};

use crate::{AHEAD, BORN, MS, SECOND, away, config, does, holding, lease, offers, reserves};

#[test]
fn with_nobody_in_line_it_does_nothing_at_all() {
    let mut host = Host::new(config());
    let step = host.step(SECOND, 0);
    assert_eq!((step.grant, step.call, step.wake), (0, None, None));
    assert!(step.news.is_none());
}

#[test]
fn slots_count_from_when_the_answer_arrived_so_that_none_is_early() {
    let mut host = Host::new(config());
    let (id, want) = reserves(&host.step(SECOND, 3));
    assert_eq!(want, 3);
    // Given 40 ms ago, for 5 ms later.
    let arrived = SECOND + 80 * MS;
    host.answered(arrived, id, Ok(lease(3, 0, 5 * MS)));
    let step = host.step(arrived, 3);
    assert_eq!((step.grant, step.wake), (0, Some(arrived + 5 * MS)));
    assert_eq!(host.step(arrived + 5 * MS - 1, 3).grant, 0);
    let first = host.step(arrived + 5 * MS, 3);
    assert_eq!((first.grant, first.wake), (1, Some(arrived + 15 * MS)));
    assert_eq!(host.step(arrived + 15 * MS, 2).grant, 1);
    assert_eq!(host.step(arrived + 25 * MS, 1).grant, 1);
}

#[test]
fn slots_of_several_runs_are_used_in_the_order_of_their_times() {
    let mut host = Host::new(config());
    let (id, want) = reserves(&host.step(SECOND, 6));
    assert_eq!(want, 6);
    let run = |first, count, step| Slots {
        first: AHEAD + SECOND + first * MS,
        count,
        step: step * MS,
    };
    let mut reply = lease(6, SECOND, SECOND);
    reply.slots = vec![run(10, 2, 50), run(70, 1, 10), run(90, 3, 20)];
    host.answered(SECOND, id, Ok(reply));
    let mut at = Vec::new();
    for ms in 0..200 {
        let grant = host.step(SECOND + ms * MS, 6 - at.len()).grant;
        at.extend((0..grant).map(|_| ms));
        if at.len() == 6 {
            break;
        }
    }
    assert_eq!(at, [10, 60, 70, 90, 110, 130]);
}

#[test]
fn a_slot_missed_by_more_than_the_lateness_is_gone() {
    let mut host = holding(config(), 6, SECOND, 6);
    // Held up for 35 ms: the slots at 0, 10 and 20 ms are too old, 30 is not.
    assert_eq!(host.step(SECOND + 35 * MS, 6).grant, 1);
    assert_eq!((host.counts(0).lost, host.counts(0).used), (3, 1));
}

fn lenient() -> Config {
    Config {
        late: 100 * MS,
        ..config()
    }
}

#[test]
fn those_who_waited_get_what_a_driver_that_was_held_up_owes_them() {
    let mut host = holding(lenient(), 20, SECOND, 30);
    assert_eq!(host.step(SECOND, 30).grant, 1);
    // 10 to 80 ms.
    assert_eq!(host.step(SECOND + 85 * MS, 30).grant, 8);
    assert_eq!(host.counts(0).lost, 0);
}

#[test]
fn those_who_came_after_a_slot_get_it_within_an_interval() {
    let mut host = holding(lenient(), 20, SECOND, 30);
    assert_eq!(host.step(SECOND, 1).grant, 1);
    assert_eq!(host.step(SECOND + 5 * MS, 0).grant, 0);
    // 10 ms are too late, 20 are not.
    let step = host.step(SECOND + 25 * MS, 30);
    assert_eq!((step.grant, host.counts(0).lost), (1, 1));
}

#[test]
fn where_slots_are_rarer_an_interval_is_longer() {
    let slow = Config {
        interval: 50 * MS,
        ..lenient()
    };
    let mut host = Host::new(slow);
    let (id, _) = reserves(&host.step(SECOND, 4));
    let mut reply = lease(4, SECOND, SECOND);
    (reply.terms.interval, reply.slots[0].step) = (50 * MS, 50 * MS);
    host.answered(SECOND, id, Ok(reply));
    assert_eq!(host.step(SECOND, 1).grant, 1);
    assert_eq!(host.step(SECOND + MS, 0).grant, 0);
    // 50 ms are 45 ago, 100 to come.
    let step = host.step(SECOND + 95 * MS, 4);
    assert_eq!((step.grant, host.counts(0).lost), (1, 0));
}

#[test]
fn somebody_who_is_not_in_line_gets_no_slot_of_before_he_came() {
    let mut host = holding(lenient(), 20, SECOND, 30);
    assert_eq!(host.step(SECOND, 1).grant, 1);
    host.step(SECOND + 5 * MS, 0);
    let mut taken = 0;
    while host.take_one(SECOND + 95 * MS) {
        taken += 1;
    }
    assert!(taken <= 2, "{taken}");
}

#[test]
fn unused_slots_are_given_back_when_the_line_has_run_empty() {
    let mut host = holding(config(), 8, SECOND, 8);
    assert_eq!(host.step(SECOND, 8).grant, 1);
    // The others have left.
    let step = host.step(SECOND + MS, 0);
    assert_eq!(step.wake, Some(SECOND + 21 * MS), "callers may come back");
    let step = host.step(SECOND + 21 * MS, 0);
    let (id, action) = does(&step);
    let left = Slots {
        first: AHEAD + SECOND + 20 * MS,
        count: 6,
        step: 10 * MS,
    };
    let Action::GiveBack { born, epoch, slots } = action else {
        panic!("{action:?}");
    };
    assert_eq!((born, epoch, slots), (BORN, 1, vec![left]));
    let taken = Reply {
        taken_back: 6,
        ..lease(0, SECOND, SECOND)
    };
    host.answered(SECOND + 22 * MS, id, Ok(taken));
    let counts = host.counts(0);
    assert_eq!((counts.given_back, counts.lost, counts.used), (6, 1, 1));
    assert_eq!(
        host.step(SECOND + 30 * MS, 1).grant,
        0,
        "they are others' now"
    );
}

#[test]
fn slots_are_kept_while_callers_come_who_need_not_stand_in_line() {
    let mut host = holding(config(), 8, SECOND, 8);
    assert_eq!(host.step(SECOND, 8).grant, 1);
    let mut at = SECOND + MS;
    for slot in 1..8 {
        while at < SECOND + slot * 10 * MS {
            let step = host.step(at, 0);
            assert!(step.call.is_none(), "{step:?}");
            at = step.wake.unwrap().min(SECOND + slot * 10 * MS);
        }
        assert!(host.take_one(at));
    }
    assert_eq!((host.counts(0).used, host.counts(0).lost), (8, 0));
}

#[test]
fn slots_that_were_not_taken_back_are_lost_and_not_offered_again() {
    for (taken_back, lost) in [(0, 6), (4, 2), (99, 0)] {
        let mut host = holding(config(), 8, SECOND, 8);
        host.step(SECOND + 10 * MS, 8);
        host.step(SECOND + 10 * MS, 0);
        let step = host.step(SECOND + 30 * MS, 0);
        let (id, offered) = offers(&step);
        let before = host.counts(0).lost;
        let reply = Reply {
            taken_back,
            ..lease(0, SECOND, SECOND)
        };
        host.answered(SECOND + 31 * MS, id, Ok(reply));
        let counts = host.counts(0);
        assert_eq!(offered, 6);
        assert_eq!(counts.given_back, u64::from(taken_back.min(6)));
        assert_eq!(counts.lost - before, lost);
        assert!(host.step(SECOND + 60 * MS, 0).call.is_none());
        assert_eq!(host.step(SECOND + 70 * MS, 1).grant, 0, "whoever has them");
    }
}

#[test]
fn a_give_back_that_is_not_answered_is_never_sent_again() {
    let mut host = holding(config(), 8, SECOND, 8);
    host.step(SECOND, 0);
    assert_eq!(offers(&host.step(SECOND + 20 * MS, 0)).1, 7);
    for at in (520..5_000).step_by(20) {
        assert!(host.step(SECOND + at * MS, 0).call.is_none());
    }
    assert_eq!(host.counts(0).lost, 8);
}

#[test]
fn a_permit_that_came_back_goes_to_the_next_one() {
    let mut host = holding(config(), 2, SECOND, 2);
    assert_eq!(host.step(SECOND, 2).grant, 1);
    host.came_back(SECOND, 1);
    assert_eq!(host.step(SECOND + MS, 2).grant, 1);
    assert_eq!(host.step(SECOND + 2 * MS, 1).grant, 0);
    assert_eq!(host.counts(0).used, 1);
}

#[test]
fn however_many_permits_come_back_the_latest_slot_is_used_once_more() {
    let mut host = holding(config(), 6, SECOND, 6);
    assert_eq!(host.step(SECOND + 10 * MS, 6).grant, 2);
    host.came_back(SECOND + 11 * MS, 9);
    host.came_back(SECOND + 11 * MS, 9);
    assert_eq!(host.step(SECOND + 12 * MS, 4).grant, 1);
    host.came_back(SECOND + 13 * MS, 1);
    assert_eq!(host.step(SECOND + 14 * MS, 4).grant, 0);
    // Nor one that is too old.
    assert_eq!(host.step(SECOND + 20 * MS, 4).grant, 1);
    host.came_back(SECOND + 31 * MS, 1);
    assert_eq!(host.counts(0).used, 3);
}

#[test]
fn slots_for_which_nobody_was_there_are_used_each_in_its_own_time() {
    let mut host = holding(config(), 6, SECOND, 6);
    // Those at 10 and 20 ms.
    assert_eq!(host.step(SECOND + 20 * MS, 6).grant, 2);
    host.unused(2);
    assert_eq!(host.next_slot(), Some(SECOND + 10 * MS));
    assert_eq!(host.step(SECOND + 25 * MS, 6).grant, 1, "10 ms is too old");
    assert_eq!(host.counts(0).used, 1);
}

#[test]
fn leaving_gives_back_at_once_and_waits_for_no_backend_that_is_away() {
    let mut host = holding(config(), 8, SECOND, 8);
    host.step(SECOND, 0);
    host.leave();
    let step = host.step(SECOND, 0);
    let (id, count) = offers(&step);
    assert_eq!(count, 8);
    assert!(!host.has_left());
    host.answered(SECOND, id, Err(away()));
    host.step(SECOND, 0);
    assert!(host.has_left() && host.is_idle());
}

#[test]
fn a_host_that_leaves_releases_those_in_line_first() {
    let mut host = holding(config(), 8, SECOND, 8);
    host.leave();
    for slot in 0..8 {
        let step = host.step(SECOND + slot * 10 * MS, 8 - slot as usize);
        assert_eq!(step.grant, 1);
        assert_eq!(host.has_left(), slot == 7);
    }
}

#[test]
fn with_another_rate_nothing_is_used_once_more() {
    let mut host = holding(config(), 6, SECOND, 6);
    assert_eq!(host.step(SECOND, 6).grant, 1);
    host.retune(20 * MS);
    host.came_back(SECOND, 1);
    host.unused(1);
    assert_eq!((host.step(SECOND, 6).grant, host.held()), (0, 0));
    assert_eq!(host.counts(0).used, 1);
}

#[test]
fn a_host_that_leaves_tells_its_orders_first() {
    let orders: [fn(&mut Host); 3] = [
        |host| host.hold(3600 * SECOND),
        Host::resume,
        |host| host.retune(20 * MS),
    ];
    for order in orders {
        let mut host = holding(config(), 1, SECOND, 1);
        host.step(SECOND, 1);
        order(&mut host);
        host.leave();
        assert!(!host.has_left());
        let (id, _) = does(&host.step(SECOND, 0));
        // Nobody waits for a backend that is away.
        host.answered(SECOND, id, Err(away()));
        host.step(SECOND, 0);
        assert!(host.has_left());
    }
}
