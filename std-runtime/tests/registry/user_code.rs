//! The rule, keys and wakers are user code: they run under no lock, and may ask the registry.

use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, OnceLock};
use std::thread;
use std::time::Duration;

use apiqueue::core::{Clock, ManualClock};
use apiqueue::{ApiQueue, Limit, Registry};

/// A limit that is at rest from the start.
fn limit() -> Limit {
    let builder = ApiQueue::builder().every(Duration::from_nanos(1));
    Limit::Queue(builder.capacity(1).manual())
}

type Later<K> = Arc<OnceLock<Registry<K>>>;

#[test]
fn a_rule_may_ask_its_registry_for_other_keys_while_keys_are_forgotten() {
    for keep in [usize::MAX, 10, 1, 0] {
        let later: Later<u32> = Arc::default();
        let of_rule = Arc::clone(&later);
        let registry = Registry::new(move |key: &u32| {
            let registry = of_rule.get().unwrap();
            if *key > 0 {
                // Down to 0, which is evicted and made anew again and again.
                assert!(registry.queue(&(key / 10)).unwrap().is_some());
                let _ = (registry.len(), registry.queues().len());
            }
            limit()
        })
        .keep(keep);
        later.set(registry.clone()).unwrap();
        thread::scope(|scope| {
            for n in 0..3 {
                let registry = &registry;
                scope.spawn(move || {
                    (0..300).for_each(|key| drop(registry.queue(&(key + 100 * n)).unwrap()));
                });
            }
        });
        assert!(registry.queue(&7).unwrap().is_some());
    }
}

/// Its clone and drop ask the registry.
struct Asks {
    id: u32,
    registry: Later<Asks>,
    asked: Arc<AtomicUsize>,
}

impl Asks {
    fn ask(&self) {
        // Not of the key that this asks for in turn.
        if self.id > 0
            && let Some(registry) = self.registry.get()
        {
            self.asked.fetch_add(1, Ordering::Relaxed);
            drop(registry.queue(&self.of(0)).unwrap());
        }
    }

    fn of(&self, id: u32) -> Self {
        Self {
            id,
            registry: Arc::clone(&self.registry),
            asked: Arc::clone(&self.asked),
        }
    }
}

impl Clone for Asks {
    fn clone(&self) -> Self {
        self.ask();
        self.of(self.id)
    }
}

impl Drop for Asks {
    fn drop(&mut self) {
        self.ask();
    }
}

impl PartialEq for Asks {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Asks {}

impl Hash for Asks {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

#[test]
fn a_key_may_ask_the_registry_when_it_is_cloned_and_dropped() {
    let first = Asks {
        id: 0,
        registry: Later::default(),
        asked: Arc::default(),
    };
    let registry = Registry::new(|_: &Asks| limit()).keep(2);
    let _ = first.registry.set(registry.clone());
    for id in 1..500 {
        drop(registry.queue(&first.of(id)).unwrap());
    }
    assert!(first.asked.load(Ordering::Relaxed) > 500);
    assert!(registry.len() < 10, "{}", registry.len());
}

/// Asks the registry of the queue that reads it, each time.
struct Curious {
    clock: ManualClock<u64>,
    registry: Later<u32>,
    is_asking: AtomicBool,
}

impl Clock for Curious {
    type Tick = u64;

    fn now(&self) -> u64 {
        if !self.is_asking.swap(true, Ordering::SeqCst) {
            if let Some(registry) = self.registry.get() {
                let _ = (registry.queue(&0), registry.queue(&1_000));
            }
            self.is_asking.store(false, Ordering::SeqCst);
        }
        self.clock.now()
    }
}

#[test]
fn a_clock_that_is_read_to_see_whether_a_queue_rests_may_ask_the_registry() {
    let later: Later<u32> = Arc::default();
    let clock = Arc::new(Curious {
        clock: ManualClock::<u64>::new(0),
        registry: Arc::clone(&later),
        is_asking: AtomicBool::new(false),
    });
    let registry = Registry::new(move |key: &u32| match key {
        0 => limit(),
        _ => {
            let builder = ApiQueue::builder().every(Duration::from_nanos(1));
            Limit::Queue(builder.capacity(1).clock(Arc::clone(&clock)).manual())
        }
    })
    .keep(3);
    later.set(registry.clone()).unwrap();
    (1..200).for_each(|key| drop(registry.queue(&key).unwrap()));
    assert!(registry.len() < 12, "{}", registry.len());
}

#[test]
fn a_rule_that_panics_leaves_the_registry_as_it_was() {
    let registry = Registry::new(|key: &u32| {
        assert!(*key != 13, "as the user has it");
        limit()
    })
    .keep(1);
    drop(registry.queue(&1).unwrap());
    let asked = catch_unwind(AssertUnwindSafe(|| registry.queue(&13).is_ok()));
    assert!(asked.is_err());
    assert_eq!(registry.len(), 1);
    assert!(registry.queue(&2).unwrap().is_some());
}

/// Each of those who ask at once may ask the rule; what they get is one queue.
#[test]
fn the_rule_is_asked_by_each_who_finds_no_queue_and_one_queue_is_kept() {
    let gate = Arc::new(Barrier::new(4));
    let asked = Arc::new(AtomicUsize::new(0));
    let of_rule = (Arc::clone(&gate), Arc::clone(&asked));
    let registry = Registry::new(move |_: &u32| {
        of_rule.1.fetch_add(1, Ordering::SeqCst);
        of_rule.0.wait();
        Limit::Queue(
            ApiQueue::builder()
                .every(Duration::from_secs(3_600))
                .manual(),
        )
    });
    let passed = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let queue = registry.queue(&1).unwrap().unwrap();
                passed.fetch_add(usize::from(queue.try_acquire().is_ok()), Ordering::SeqCst);
            });
        }
    });
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    assert_eq!(passed.into_inner(), 1);
    drop(registry.queue(&1).unwrap());
    assert_eq!(asked.load(Ordering::SeqCst), 4, "not for one that is there");
}
