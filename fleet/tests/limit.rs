//! What can be said of a limit beside its rate: weights, names, whose rate counts, how it begins, and what is told of it.
#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use apiqueue::core::ManualClock;
use apiqueue::{ApiQueue, Rate, StartError, Waiter};
use apiqueue_fleet::{FleetError, FleetLimit, InProcess, LimitState, News};

const MS: u64 = 1_000_000;
const PATIENCE: Duration = Duration::from_secs(30);

struct World {
    clock: Arc<ManualClock<u64>>,
    backend: InProcess,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::<u64>::new(1_000 * MS));
        let backend = InProcess::with_clock(Arc::clone(&clock));
        Self { clock, backend }
    }

    fn limit(&self) -> FleetLimit {
        self.backend.limit("limit")
    }

    fn start(&self, limit: &FleetLimit, per_second: u32) -> ApiQueue {
        let builder = ApiQueue::builder().per_second(per_second).capacity(4096);
        let builder = builder.shared(limit.clone()).clock(Arc::clone(&self.clock));
        builder.manual().start().unwrap()
    }

    /// How many each released within so many milliseconds.
    fn releases<const N: usize>(&self, queues: [&ApiQueue; N], ms: u64) -> [usize; N] {
        let mut released = [0; N];
        for _ in 0..2 * ms {
            for (queue, released) in queues.iter().zip(&mut released) {
                *released += queue.advance().released;
            }
            self.clock.advance(MS / 2);
        }
        released
    }

    fn look(&self) -> Option<LimitState> {
        let mut look = std::pin::pin!(self.backend_look());
        match look.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(state) => state,
            Poll::Pending => unreachable!("it answers at once"),
        }
    }

    async fn backend_look(&self) -> Option<LimitState> {
        self.limit().look().await.unwrap()
    }
}

fn line(queue: &ApiQueue, count: usize) -> Vec<Waiter> {
    (0..count).map(|_| queue.enqueue().unwrap()).collect()
}

fn news(limit: FleetLimit) -> (FleetLimit, Receiver<News>) {
    let (sender, receiver) = channel();
    let sender = Mutex::new(sender);
    let limit = limit.on_news(move |news| sender.lock().unwrap().send(news.clone()).unwrap());
    (limit, receiver)
}

fn why(limit: FleetLimit) -> String {
    match ApiQueue::builder().per_second(1).shared(limit).start() {
        Err(StartError::Source(why)) => {
            assert!(why.is::<FleetError>());
            why.to_string()
        }
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn a_queue_of_twice_the_weight_gets_twice_as_much() {
    let world = World::new();
    let light = world.start(&world.limit(), 1_000);
    let heavy = world.start(&world.limit().weight(2), 1_000);
    let _lines = [line(&light, 4_000), line(&heavy, 4_000)];
    world.releases([&light, &heavy], 1_000);
    let [one, two] = world.releases([&light, &heavy], 3_000);
    assert!((2_990..=3_010).contains(&(one + two)), "{one} and {two}");
    let share = two as f64 / one as f64;
    assert!((1.8..=2.2).contains(&share), "{one} and {two}");
}

#[test]
fn numbers_and_names_that_can_not_be_are_told_with_what_can() {
    let limit = || InProcess::new().limit("limit");
    assert_eq!(why(limit().weight(0)), "a weight of 0 is not in 1..=1000");
    assert_eq!(
        why(limit().weight(1_001)),
        "a weight of 1001 is not in 1..=1000"
    );
    assert_eq!(
        why(limit().expected_hosts(1_000_001)),
        "a number of hosts of 1000001 is not in 0..=1000000"
    );
    assert_eq!(
        why(limit().max_lease(0)),
        "a largest lease of 0 is not in 1..=65536"
    );
    for name in ["", "a b", "a\n", "\u{a0}", &"x".repeat(201)] {
        let why = why(limit().host_name(name));
        assert!(why.contains(&format!("{name:?}")), "{why}");
        assert!(why.contains("1..=200"), "{why}");
    }
}

#[test]
fn a_look_tells_who_is_there_by_name_and_changes_nothing() {
    let world = World::new();
    assert_eq!(world.look(), None, "nobody has asked");
    let queue = world.start(&world.limit().host_name("pod-7"), 100);
    let _line = line(&queue, 3);
    let _ = queue.advance();
    let seen = world.look().unwrap();
    assert_eq!(seen.terms.interval, 10_000);
    let labels: Vec<_> = seen.hosts.iter().map(|host| &*host.label).collect();
    assert_eq!(labels, ["pod-7"]);
    assert!(seen.to_string().contains("pod-7"), "{seen}");
    assert_eq!(world.look(), Some(seen));
}

#[test]
fn a_queue_that_is_built_with_another_rate_goes_by_that_in_force_and_says_so() {
    let world = World::new();
    let first = world.start(&world.limit(), 100);
    let _line = line(&first, 1);
    let _ = first.advance();
    let (limit, told) = news(world.limit());
    let other = world.start(&limit, 500);
    let _other = line(&other, 40);
    assert!((8..=12).contains(&world.releases([&other], 100)[0]));
    let ms = Duration::from_millis;
    let expected = News::OtherRate {
        built: ms(2),
        in_force: ms(10),
    };
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), expected);
    let stats = limit.stats();
    assert_eq!(stats.rate.unwrap().interval(), ms(10));
    assert_eq!(stats.built_rate.unwrap().interval(), ms(2));
    assert!(stats.to_string().contains("built with"), "{stats}");
}

#[test]
fn where_its_own_rate_is_to_win_it_is_in_force_for_all() {
    let world = World::new();
    let first = world.start(&world.limit(), 100);
    let _line = line(&first, 1_000);
    let _ = first.advance();
    let other = world.start(&world.limit().rate_wins(), 500);
    let _other = line(&other, 1_000);
    world.releases([&first, &other], 500);
    let [one, two] = world.releases([&first, &other], 1_000);
    assert!((495..=505).contains(&(one + two)), "{one} and {two}");
    assert_eq!(first.rate().interval(), Duration::from_millis(2));
}

#[test]
fn a_rate_that_can_not_be_kept_to_in_all_is_in_force_as_far_as_it_can_and_that_is_told() {
    let (limit, told) = news(World::new().limit());
    let queue = World::new().start(&limit, 100);
    let strict = Rate::per_second(50).unwrap().strict();
    queue.set_rate(strict);
    let why = FleetError::Strict;
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), News::NotInFull(why));
    queue.set_rate(Rate::per_second(1_000).unwrap().burst(65_537).unwrap());
    let News::NotInFull(why) = told.recv_timeout(PATIENCE).unwrap() else {
        unreachable!("nothing else has changed");
    };
    assert_eq!(why.to_string(), "a burst of 65537 is not in 1..=65536");
    let most = Rate::per_second(1_000).unwrap().burst(65_536).unwrap();
    assert_eq!(queue.rate(), most);
    queue.set_rate(most);
    assert!(told.try_recv().is_err(), "it is kept to");
}

#[test]
fn a_limit_that_is_not_known_begins_after_the_grace_or_at_once_where_that_is_asked() {
    for at_once in [false, true] {
        let world = World::new();
        world.backend.forget();
        let limit = world.limit();
        let limit = if at_once {
            limit.begin_at_once()
        } else {
            limit
        };
        let queue = world.start(&limit, 100);
        let _line = line(&queue, 200);
        let [released] = world.releases([&queue], 740);
        assert_eq!(released > 0, at_once, "{released}");
        let [released] = world.releases([&queue], 500);
        assert!(released >= 40, "{released}");
    }
}

#[test]
fn a_state_that_is_lost_is_told_and_counted() {
    let world = World::new();
    let (limit, told) = news(world.limit());
    let queue = world.start(&limit, 100);
    let _line = line(&queue, 1_000);
    world.releases([&queue], 5_000);
    world.backend.forget();
    let [released] = world.releases([&queue], 1_000);
    // It goes on by itself, as it knows that there is nobody else.
    assert!((90..=110).contains(&released), "{released}");
    let forgot = told.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(forgot, News::Forgot { .. }), "{forgot:?}");
    let stats = limit.stats();
    assert_eq!(stats.times_forgotten, 1);
    assert!(stats.released_alone > 0);
    assert_eq!((stats.times_away, stats.last_error), (0, None));
}

#[test]
fn who_is_told_news_may_take_for_ever() {
    let world = World::new();
    let (go_on, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let limit = world.limit().on_news(move |_| {
        let _ = wait.lock().unwrap().recv();
    });
    let queue = world.start(&limit, 100);
    let _line = line(&queue, 1_000);
    world.releases([&queue], 5_000);
    for _ in 0..3 {
        world.backend.forget();
        assert!(world.releases([&queue], 1_000)[0] >= 90);
    }
    drop(go_on);
}

#[test]
fn an_estimate_is_known_for_each_in_line() {
    let world = World::new();
    let queue = world.start(&world.limit(), 100);
    let line = line(&queue, 50);
    let _ = queue.advance();
    let times: Vec<_> = line[1..]
        .iter()
        .map(|waiter| waiter.estimate().unwrap())
        .collect();
    assert!(times.windows(2).all(|two| two[0] <= two[1]), "{times:?}");
    let span = times[48] - times[0];
    let ms = Duration::from_millis;
    // One each 10 ms, however they are held.
    assert!((ms(450)..=ms(510)).contains(&span), "{span:?}");
}

#[test]
fn slots_gather_up_to_the_burst_whichever_queue_takes_them() {
    let world = World::new();
    let start = || {
        let builder = ApiQueue::builder().per_second(100).burst(10);
        let builder = builder
            .shared(world.limit())
            .clock(Arc::clone(&world.clock));
        builder.manual().start().unwrap()
    };
    let (one, other) = (start(), start());
    assert_eq!(one.rate().burst_size(), 10);
    let _first = line(&one, 1);
    let _ = one.advance();
    world.clock.advance(5_000 * MS);
    let _lines = [line(&one, 6), line(&other, 30)];
    let released = |queue: &ApiQueue| queue.advance().released;
    let at_once: usize = (0..10).map(|_| released(&one) + released(&other)).sum();
    assert!((8..=10).contains(&at_once), "{at_once}");
    let [here, there] = world.releases([&one, &other], 100);
    assert!((9..=11).contains(&(here + there)), "{here} and {there}");
}

#[test]
fn a_call_that_costs_more_takes_as_many_slots() {
    let world = World::new();
    let builder = ApiQueue::builder().per_second(100).burst(5);
    let builder = builder
        .shared(world.limit())
        .clock(Arc::clone(&world.clock));
    let queue = builder.manual().start().unwrap();
    assert!(queue.enqueue_weighted(6).is_err(), "more than can gather");
    let _line: Vec<_> = (0..100)
        .map(|_| queue.enqueue_weighted(5).unwrap())
        .collect();
    world.releases([&queue], 500);
    let [released] = world.releases([&queue], 1_000);
    assert!((19..=21).contains(&released), "{released} of 20");
}

#[cfg(feature = "metrics")]
#[test]
fn metrics_count_what_stats_count() {
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let world = World::new();
    let limit = world.limit();
    let queues =
        metrics::with_local_recorder(&recorder, || [(); 2].map(|()| world.start(&limit, 100)));
    let _lines = queues.each_ref().map(|queue| line(queue, 400));
    world.releases([&queues[0], &queues[1]], 5_000);
    world.backend.forget();
    // Each asks again before its lease ends.
    for _ in 0..70 {
        if limit.stats().times_forgotten < 2 {
            world.releases([&queues[0], &queues[1]], 10);
        }
    }
    let all = snapshotter.snapshot().into_vec().into_iter();
    let told: std::collections::BTreeMap<String, f64> = all
        .filter_map(|(key, _, _, value)| {
            let name = key.key().name().strip_prefix("apiqueue_fleet_")?;
            let label = key.key().labels().next().unwrap();
            assert_eq!((label.key(), label.value()), ("limit", "limit"));
            let value = match value {
                DebugValue::Counter(n) => n as f64,
                DebugValue::Gauge(n) => n.into_inner(),
                DebugValue::Histogram(_) => unreachable!(),
            };
            Some((name.to_owned(), value))
        })
        .collect();
    let stats = limit.stats();
    for (name, counted) in [
        ("backend_calls_total", stats.backend_calls),
        ("slots_granted_total", stats.slots_granted),
        ("slots_used_total", stats.slots_used),
        ("slots_given_back_total", stats.slots_given_back),
        ("slots_lost_total", stats.slots_lost),
        ("released_alone_total", stats.released_alone),
        ("states_lost_total", stats.times_forgotten),
    ] {
        assert_eq!(told[name], counted as f64, "{name}");
    }
    assert!(told["states_lost_total"] >= 2.0);
    // The first to ask a state that is new is alone there.
    assert!((1.0..=2.0).contains(&told["hosts"]));
    assert_eq!(told["state_is_new"], 1.0);
    assert_eq!(
        (told["backend_is_away"], told["backend_failures_total"]),
        (0.0, 0.0)
    );
}

/// What has gathered may be older than the queue that takes it.
#[test]
fn a_queue_that_has_just_begun_takes_what_has_gathered_before_it() {
    let world = World::new();
    let start = || {
        let builder = ApiQueue::builder().per_second(200).burst(10);
        let builder = builder
            .shared(world.limit())
            .clock(Arc::clone(&world.clock));
        builder.manual().start().unwrap()
    };
    let first = start();
    let _first = line(&first, 1);
    let _ = first.advance();
    world.clock.advance(5_000 * MS);
    let second = start();
    world.clock.advance(3 * MS);
    let _line = line(&second, 40);
    let [released] = world.releases([&second], 1);
    assert!((9..=11).contains(&released), "{released} at once");
    let [released] = world.releases([&second], 100);
    assert!((19..=21).contains(&released), "{released} of 20");
    assert!(!second.is_closed());
}

/// Its slots come first, as the permits of a queue by itself do.
#[test]
fn a_call_that_costs_more_waits_until_so_many_slots_have_come() {
    let world = World::new();
    let builder = ApiQueue::builder().per_second(100).burst(5);
    let builder = builder
        .shared(world.limit())
        .clock(Arc::clone(&world.clock));
    let queue = builder.manual().start().unwrap();
    let _light = line(&queue, 1);
    world.releases([&queue], 1);
    let _heavy = queue.enqueue_weighted(5).unwrap();
    let before = world.releases([&queue], 45);
    let after = world.releases([&queue], 10);
    assert_eq!((before, after), ([0], [1]), "at the fifth slot");
}

/// Processes that come, make one call and go again.
#[test]
fn queues_that_end_after_one_heavy_call_each_keep_the_rate() {
    let world = World::new();
    let mut permits = 0;
    for _ in 0..40 {
        let builder = ApiQueue::builder().per_second(100).burst(10);
        let builder = builder
            .shared(world.limit())
            .clock(Arc::clone(&world.clock));
        let queue = builder.manual().start().unwrap();
        let _heavy = queue.enqueue_weighted(10).unwrap();
        permits += 10 * world.releases([&queue], 50)[0];
        queue.stop(apiqueue::Stop::Now);
        let _ = queue.advance();
    }
    // Two seconds, and the burst of the beginning.
    assert!(permits <= 200 + 20, "{permits}");
}
