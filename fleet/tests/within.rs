//! A limit within another one: each release takes a permit of both, and neither is used up by what the other keeps back.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use apiqueue::core::ManualClock;
use apiqueue::{ApiQueue, Rate, StartError, Waiter};
use apiqueue_fleet::{FleetError, FleetLimit, InProcess};

const MS: u64 = 1_000_000;
/// How late a slot may be used, in ms: what a limit of a fleet makes up.
const LATE: usize = 100;

struct World {
    clock: Arc<ManualClock<u64>>,
    backend: InProcess,
}

/// A queue with its line, and the times of its releases in ms.
struct Lined {
    queue: ApiQueue,
    line: Vec<Waiter>,
    released: Vec<usize>,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::<u64>::new(1_000 * MS));
        let backend = InProcess::with_clock(Arc::clone(&clock));
        Self { clock, backend }
    }

    fn limit(&self, name: &str) -> FleetLimit {
        self.backend.limit(name).begin_at_once()
    }

    fn start(&self, limit: &FleetLimit, per_second: u32, line: usize) -> Lined {
        let builder = ApiQueue::builder().per_second(per_second).capacity(4096);
        let builder = builder.burst(4).shared(limit.clone());
        let builder = builder.clock(Arc::clone(&self.clock));
        let queue = builder.manual().start().unwrap();
        Lined {
            line: (0..line).map(|_| queue.enqueue().unwrap()).collect(),
            queue,
            released: Vec::new(),
        }
    }

    fn run(&self, lines: &mut [&mut Lined], ms: usize) {
        for at in 0..ms {
            for lined in &mut *lines {
                // Each step is done when nothing is due any more.
                let released = lined.queue.advance().released;
                lined.released.extend(std::iter::repeat_n(at, released));
            }
            self.clock.advance(MS);
        }
    }
}

/// In every window at most the burst, what may be made up, and one for each queue beside those of its time.
fn assert_never_too_fast(of: &[&Lined], interval: usize, burst: usize) {
    let mut all: Vec<usize> = of.iter().flat_map(|lined| lined.released.clone()).collect();
    all.sort_unstable();
    for first in 0..all.len() {
        for last in first..all.len() {
            let most = burst + (all[last] - all[first] + LATE) / interval + of.len();
            let count = last - first + 1;
            assert!(
                count <= most,
                "{count} of {most} from {} to {}",
                all[first],
                all[last]
            );
        }
    }
}

fn per_second(n: u32) -> Rate {
    Rate::per_second(n).unwrap()
}

#[test]
fn limits_that_would_exceed_their_account_share_its_rate_and_use_all_of_it() {
    let world = World::new();
    let account = world.limit("account");
    let list = world.limit("list").within(&account, per_second(100));
    let delete = world.limit("delete").within(&account, per_second(100));
    let mut one = world.start(&list, 100, 4_000);
    let mut two = world.start(&list, 100, 4_000);
    let mut other = world.start(&delete, 50, 4_000);
    world.run(&mut [&mut one, &mut two, &mut other], 12_000);
    let counts = [&one, &two, &other].map(|lined| lined.released.len());
    let all: usize = counts.iter().sum();
    // Each host learns first how far apart it can use slots.
    assert!((1_120..=1_215).contains(&all), "{counts:?}");
    assert!(counts.iter().all(|&count| count > 250), "{counts:?}");
    assert_never_too_fast(&[&one, &two, &other], 10, 1);
    assert_never_too_fast(&[&one, &two], 10, 4);
    assert_never_too_fast(&[&other], 20, 4);
    assert_eq!(account.stats().hosts, 3);
}

#[test]
fn a_narrow_limit_uses_up_no_more_of_its_account_than_it_lets_through() {
    let world = World::new();
    let account = world.limit("account");
    let narrow = world.limit("narrow").within(&account, per_second(100));
    let wide = world.limit("wide").within(&account, per_second(100));
    let mut narrow = world.start(&narrow, 5, 1_000);
    let mut wide = world.start(&wide, 1_000, 4_000);
    world.run(&mut [&mut narrow, &mut wide], 12_000);
    let counts = [narrow.released.len(), wide.released.len()];
    assert!((58..=66).contains(&counts[0]), "{counts:?}");
    assert!((1_070..=1_150).contains(&counts[1]), "{counts:?}");
    assert_never_too_fast(&[&narrow, &wide], 10, 1);
}

#[test]
fn a_hold_of_one_limit_leaves_the_others_the_whole_account() {
    let world = World::new();
    let account = world.limit("account");
    let [one, other] = ["one", "other"].map(|name| {
        let limit = world.limit(name).within(&account, per_second(100));
        world.start(&limit, 100, 4_000)
    });
    let (mut one, mut other) = (one, other);
    world.run(&mut [&mut one, &mut other], 2_000);
    one.queue.hold_for(Duration::from_secs(4)).unwrap();
    one.released.clear();
    other.released.clear();
    world.run(&mut [&mut one, &mut other], 4_000);
    assert_eq!(one.released.len(), 0);
    let count = other.released.len();
    assert!((370..=402).contains(&count), "{count}");
    world.run(&mut [&mut one, &mut other], 1_000);
    assert!(one.released.len() >= 30, "it goes on after its hold");
}

#[test]
fn waiters_who_leave_between_two_limits_cost_neither_a_permit() {
    let world = World::new();
    let account = world.limit("account");
    let limit = world.limit("limit").within(&account, per_second(50));
    let mut lined = world.start(&limit, 100, 4_000);
    world.run(&mut [&mut lined], 1_000);
    lined.released.clear();
    for at in 0..4_000 {
        // Whoever is first leaves, often with its own limit's permit already taken.
        if at % 7 == 0 {
            let first = lined.line.iter().position(Waiter::is_waiting).unwrap();
            drop(lined.line.remove(first));
        }
        let released = lined.queue.advance().released;
        lined.released.extend(std::iter::repeat_n(at, released));
        world.clock.advance(MS);
    }
    let count = lined.released.len();
    assert!((190..=210).contains(&count), "{count} of 200");
    assert_never_too_fast(&[&lined], 20, 1);
    // An empty line keeps none for later.
    lined.line.clear();
    world.run(&mut [&mut lined], 3_000);
    lined.line = (0..100).map(|_| lined.queue.enqueue().unwrap()).collect();
    lined.released.clear();
    world.run(&mut [&mut lined], 500);
    assert_never_too_fast(&[&lined], 20, 1);
}

#[test]
fn weights_count_on_all_of_them() {
    let world = World::new();
    let account = world.limit("account");
    let limit = world.limit("limit").within(&account, per_second(50));
    let mut lined = world.start(&limit, 1_000, 0);
    let costs = [1, 4, 2, 3];
    lined.line = (0..800)
        .map(|n| lined.queue.enqueue_weighted(costs[n % 4]).unwrap())
        .collect();
    world.run(&mut [&mut lined], 12_000);
    let cost: usize = (0..lined.released.len()).map(|n| costs[n % 4]).sum();
    assert!((570..=605).contains(&cost), "{cost} of 600");
    lined.queue.charge(25).unwrap();
    lined.released.clear();
    world.run(&mut [&mut lined], 2_000);
    let after: usize = lined.released.len() * 10 / 4;
    assert!((60..=82).contains(&after), "{after} of 100 less 25");
}

#[test]
fn three_deep_the_narrowest_counts() {
    for narrowest in 0..3 {
        let world = World::new();
        let rate = |level| per_second(if level == narrowest { 40 } else { 200 });
        let organisation = world.limit("organisation");
        let account = world.limit("account").within(&organisation, rate(2));
        let limit = world.limit("limit").within(&account, rate(1));
        let own = if narrowest == 0 { 40 } else { 200 };
        let mut lined = world.start(&limit, own, 4_000);
        world.run(&mut [&mut lined], 10_000);
        let count = lined.released.len();
        assert!((390..=407).contains(&count), "{count} with {narrowest}");
    }
}

#[test]
fn a_free_permit_is_taken_of_all_or_of_none() {
    let world = World::new();
    let account = world.limit("account");
    let limit = world.limit("limit").within(&account, per_second(10));
    let mut lined = world.start(&limit, 100, 1);
    world.run(&mut [&mut lined], 50);
    assert_eq!(lined.released.len(), 1);
    // Its own limit would have one each 10 ms, the account each 100.
    let mut taken = 0;
    for _ in 0..2_000 {
        lined.line = vec![lined.queue.enqueue().unwrap()];
        let _ = lined.queue.advance();
        lined.line.clear();
        if let Ok(turn) = lined.queue.try_acquire() {
            taken += 1;
            drop(turn);
        }
        world.clock.advance(MS);
    }
    let released = lined.queue.stats().released;
    assert!(
        (taken..=23).contains(&released),
        "{released}, {taken} of them at once"
    );
}

#[test]
fn a_soft_stop_lets_all_through_and_a_stop_gives_all_back() {
    let world = World::new();
    let account = world.limit("account");
    let limit = world.limit("limit").within(&account, per_second(100));
    let mut lined = world.start(&limit, 100, 50);
    let mut other = world.start(&limit, 100, 4_000);
    world.run(&mut [&mut lined, &mut other], 100);
    lined.line.clear();
    let _ = lined.queue.stop(apiqueue::Stop::Now);
    world.run(&mut [&mut lined, &mut other], 2_000);
    other.released.clear();
    world.run(&mut [&mut other], 2_000);
    let count = other.released.len();
    assert!((195..=202).contains(&count), "the rest has all: {count}");
    assert_eq!((limit.stats().queues, account.stats().queues), (2, 2));
}

#[test]
fn a_name_that_stands_twice_is_refused() {
    let backend = InProcess::new();
    let inner = backend
        .limit("same")
        .within(&backend.limit("same"), per_second(1));
    let outer = backend.limit("own").within(&inner, per_second(1));
    for limit in [inner, outer] {
        let Err(StartError::Source(why)) = ApiQueue::builder().per_second(1).shared(limit).start()
        else {
            unreachable!("it would wait for itself");
        };
        let name = "same".to_owned();
        assert_eq!(why.downcast_ref(), Some(&FleetError::Twice { name }));
    }
    let nameless = backend
        .limit("own")
        .within(&backend.limit(""), per_second(1));
    let refused = ApiQueue::builder().per_second(1).shared(nameless).start();
    assert!(matches!(refused, Err(StartError::Source(_))));
}
