//! [`Registry`]: queues by key, made when first asked for and forgotten when long idle.
//!
//! A map without locks for its readers holds an entry for each key. Forgetting one must not split a key into two
//! queues, nor give back what was already used, so an entry has a state of its own:
//!
//! ```text
//!           evict, at rest and held by nobody else       still so
//!   LIVE ──────────────────────────────────► LEAVING ──────────────► GONE (and out of the map)
//!     ▲             asked for                   │
//!     └─────────────────────────────────────────┘
//! ```
//! Who asks takes hold of the queue first and then looks at the state; who evicts sets the state first and then looks who
//! holds the queue. With a fence between both, one of them sees the other.

#[cfg(feature = "toml")]
mod file;
mod limits;

use std::collections::VecDeque;
use std::hash::Hash;
use std::sync::atomic::{AtomicU8, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};

use papaya::HashMap;

#[cfg(feature = "toml")]
pub use file::FileError;
pub use limits::{Limit, Limits};

use crate::error::StartError;
use crate::queue::ApiQueue;
use crate::queue::Stop;

const LIVE: u8 = 0;
const LEAVING: u8 = 1;
const GONE: u8 = 2;

/// How many idle candidates a new key looks at when there are too many: so that keys leave faster than they come.
const LOOKS: usize = 4;

/// Queues by key: per service and region, per account, per host, whatever is limited on its own.
///
/// A queue is made when its key is first asked for, with the limit that the registry's rule gives to the key, and is
/// forgotten when there are more keys than [`keep`](Self::keep) allows and it is at rest: nobody waits or holds it, its
/// whole burst is free again, no hold is on and its rate is the rule's. One made for the same key later is then no
/// different, so nothing that was used is given back. Where none is at rest there may be more keys than that: none is ever
/// lost in use.
///
/// The look-up of a key that is there takes no lock. A clone is the same registry. A key costs about 450 bytes and 24 for
/// each place of its line (100,000 keys of 256 places: 580 MB; of 16 places: 84 MB), and no CPU time while idle, as
/// `benches/src/bin/runtime.rs` measures.
///
/// ```
/// use apiqueue::{Limit, Limits, Rate, Registry};
///
/// let registry = Registry::from(
///     Limits::new(Limit::rate(Rate::per_second(500)?))
///         .set("ec2/*", Limit::rate(Rate::per_second(900)?.burst(50)?))
///         .set("sts/*", Limit::None),
/// );
/// let key = |service: &str, region: &str| format!("{service}/{region}");
/// for _ in 0..3 {
///     if let Some(queue) = registry.queue(&key("ec2", "eu-west-1"))? {
///         queue.enqueue()?.wait()?;
///     }
/// }
/// assert!(registry.queue(&key("sts", "eu-west-1"))?.is_none()); // not limited
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Registry<K = String> {
    shared: Arc<Shared<K>>,
}

struct Shared<K> {
    rule: Box<dyn Fn(&K) -> Limit + Send + Sync>,
    entries: HashMap<K, Arc<Entry>>,
    /// The keys that have entries, in the order in which they are looked at for eviction. Writers only.
    order: Mutex<VecDeque<K>>,
    keep: usize,
}

#[derive(Debug)]
struct Entry {
    /// None for a key without a limit.
    queue: Option<ApiQueue>,
    state: AtomicU8,
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> Registry<K> {
    /// A registry whose keys have the limits that `rule` says. It is asked once for each queue that is made.
    ///
    /// ```
    /// use apiqueue::{Limit, Rate, Registry};
    ///
    /// let per_account = Rate::per_second(20)?;
    /// let registry: Registry<u32> = Registry::new(move |_account| Limit::rate(per_account));
    /// assert!(registry.queue(&42)?.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(rule: impl Fn(&K) -> Limit + Send + Sync + 'static) -> Self {
        Self::with(Box::new(rule), usize::MAX)
    }

    fn with(rule: Box<dyn Fn(&K) -> Limit + Send + Sync>, keep: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                rule,
                entries: HashMap::new(),
                order: Mutex::new(VecDeque::new()),
                keep,
            }),
        }
    }

    /// The queue of `key`, made if there is none. None for a key that is not limited.
    ///
    /// # Errors
    /// [`StartError`] when the rule's limit can't be, or the system refuses the driver's thread.
    pub fn queue(&self, key: &K) -> Result<Option<ApiQueue>, StartError> {
        loop {
            let found = {
                let entries = self.shared.entries.pin();
                entries.get(key).map(Arc::clone)
            };
            match found {
                Some(entry) => {
                    if let Some(queue) = entry.hold() {
                        return Ok(queue);
                    }
                    // Gone: who has evicted it may not have taken it out yet.
                    self.shared.forget(key, &entry);
                }
                None => {
                    if let Some(queue) = self.add(key)? {
                        return Ok(queue);
                    }
                }
            }
        }
    }

    /// How many keys have queues, or are known to need none.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.entries.len()
    }

    /// Whether no key is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Stops all queues that there are now, and says how many.
    pub fn stop(&self, how: Stop) -> usize {
        let queues = self.queues();
        for (_, queue) in &queues {
            queue.stop(how);
        }
        queues.len()
    }

    /// All keys that have queues at present, with them.
    #[must_use]
    pub fn queues(&self) -> Vec<(K, ApiQueue)> {
        let entries = self.shared.entries.pin();
        entries
            .iter()
            .filter_map(|(key, entry)| Some((key.clone(), entry.hold()??)))
            .collect()
    }

    /// None when another thread was faster.
    fn add(&self, key: &K) -> Result<Option<Option<ApiQueue>>, StartError> {
        let queue = match (self.shared.rule)(key) {
            Limit::None => None,
            Limit::Queue(builder) => Some(builder.start()?),
        };
        let entry = Arc::new(Entry {
            // Held here too, so that the new one is not the first to be evicted.
            queue: queue.clone(),
            state: AtomicU8::new(LIVE),
        });
        let mut order = self
            .shared
            .order
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let entries = self.shared.entries.pin();
        if entries.try_insert(key.clone(), entry).is_err() {
            return Ok(None);
        }
        order.push_back(key.clone());
        self.shared.evict(&mut order);
        Ok(Some(queue))
    }
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> Shared<K> {
    fn evict(&self, order: &mut VecDeque<K>) {
        for _ in 0..LOOKS.min(order.len()) {
            if order.len() <= self.keep {
                return;
            }
            let Some(key) = order.pop_front() else {
                return;
            };
            let entry = self.entries.pin().get(&key).map(Arc::clone);
            match entry {
                Some(entry) if entry.leave() => self.forget(&key, &entry),
                Some(_) => order.push_back(key),
                None => {}
            }
        }
    }

    /// Takes `entry` out, if it is still the one of `key`.
    fn forget(&self, key: &K, entry: &Arc<Entry>) {
        let _ = self
            .entries
            .pin()
            .remove_if(key, |_, there| Arc::ptr_eq(there, entry));
    }
}

impl Entry {
    /// Takes hold of the queue. None when it is gone.
    fn hold(&self) -> Option<Option<ApiQueue>> {
        let held = self.queue.clone();
        // Ordering: SeqCst, against the fence in `leave`: either this look sees `LEAVING`, or that one sees `held`.
        fence(Ordering::SeqCst);
        match self
            .state
            .compare_exchange(LEAVING, LIVE, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) | Err(LIVE) => Some(held),
            Err(_) => None,
        }
    }

    /// Whether the entry could be given up, and is gone now.
    fn leave(&self) -> bool {
        // Ordering: AcqRel; only one evicts at a time.
        let leaving = self
            .state
            .compare_exchange(LIVE, LEAVING, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        fence(Ordering::SeqCst);
        let end = if leaving && self.is_at_rest() {
            GONE
        } else {
            LIVE
        };
        leaving
            && self
                .state
                .compare_exchange(LEAVING, end, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
            && end == GONE
    }

    fn is_at_rest(&self) -> bool {
        let queue = self.queue.as_ref();
        queue.is_none_or(|queue| queue.is_last_handle() && queue.is_rested())
    }
}

impl Registry<String> {
    /// Reads the limits from TOML: a `[default]` table and one table for each key or pattern, as [`Limits`] has them.
    ///
    /// | key | value |
    /// |---|---|
    /// | `per_second` | releases each second, 1 to 1,000,000,000; |
    /// | `every` | or the interval: `"100ms"`, `"1m 30s"`; |
    /// | `unlimited` | or `true`: no queue at all |
    /// | `burst` | how many permits may gather (default 1) |
    /// | `strict` | `true`: lateness is never made up |
    /// | `capacity` | how many may be in line (default 256) |
    ///
    /// ```
    /// use apiqueue::Registry;
    ///
    /// let registry = Registry::from_toml(r#"
    ///     [default]
    ///     per_second = 20
    ///
    ///     ["ec2/*"]
    ///     every = "100ms"
    ///     burst = 50
    ///
    ///     ["sts/*"]
    ///     unlimited = true
    /// "#)?;
    /// assert!(registry.queue(&"sts/us-east-1".to_owned())?.is_none());
    ///
    /// let why = Registry::from_toml("[default]\nper_second = 0").unwrap_err();
    /// assert_eq!(why.to_string(), "line 2: default.per_second: 0 releases a second is not in 1..=1000000000");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`FileError`] with the line, the key and what it may be.
    #[cfg(feature = "toml")]
    pub fn from_toml(text: &str) -> Result<Self, FileError> {
        file::parse(text).map(Self::from)
    }
}

impl<K> Registry<K> {
    /// Forgets queues at rest when there are more than `keys` (default: keeps all).
    #[must_use]
    pub fn keep(self, keys: usize) -> Self
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
    {
        match Arc::try_unwrap(self.shared) {
            Ok(shared) => Self {
                shared: Arc::new(Shared {
                    keep: keys,
                    ..shared
                }),
            },
            Err(shared) => Self { shared },
        }
    }
}

impl From<Limits> for Registry<String> {
    fn from(limits: Limits) -> Self {
        Self::new(move |key: &String| limits.of(key))
    }
}

impl<K> Clone for Registry<K> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<K> std::fmt::Debug for Shared<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry")
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}
