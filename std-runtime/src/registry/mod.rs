//! [`Registry`]: queues by key, made when first asked for and forgotten when long idle.
//!
//! A map without locks for its readers holds an [`Entry`] for each key, whose states keep a key from being split into two queues
//! while it is forgotten. One lock guards the order in which keys are looked at for that; under it entries are put in and taken out,
//! and nothing else happens: rules, keys and queues are user code, and are called, compared and dropped outside.

mod entry;
#[cfg(feature = "toml")]
mod file;
mod limits;
mod report;
mod stop;

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::fmt;
use std::hash::Hash;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex};

use papaya::{Compute, HashMap, Operation};

#[cfg(feature = "toml")]
pub use file::FileError;
pub use limits::{Limit, Limits};
pub use report::RegistryReport;

use self::entry::Entry;
use crate::error::StartError;
use crate::forked::unless_inherited;
use crate::queue::ApiQueue;
use crate::queue::{Builder, Stop};

/// How many idle candidates a new key looks at when there are too many: so that keys leave faster than they come.
const LOOKS: usize = 4;

/// Queues by key: per service and region, per account, per host, whatever is limited on its own.
///
/// A queue is made when its key is first asked for, with the limit that the registry's rule gives to the key. The look-up of a key
/// that is there takes no lock. A clone is the same registry. A key costs about 450 bytes and 24 for each place of its line (100,000
/// keys of 256 places: 580 MB; of 16 places: 84 MB), and no CPU time while idle, as `benches/src/bin/runtime.rs` measures.
///
/// ```
/// use apiqueue::{Limit, Limits, Rate, Registry};
///
/// let registry = Registry::from(
///     Limits::new(Limit::rate(Rate::per_second(500)?))
///         .set("ec2/*", Limit::rate(Rate::per_second(900)?.burst(50)?))
///         .set("sts/*", Limit::None),
/// );
/// for _ in 0..3 {
///     if let Some(queue) = registry.queue("ec2/eu-west-1")? {
///         queue.enqueue()?.wait()?;
///     }
/// }
/// assert!(registry.queue("sts/eu-west-1")?.is_none()); // not limited
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # When a queue is forgotten
/// When there are more keys than [`keep`](Self::keep) allows and it is at rest. One made for the same key later then gives out
/// nothing that was used:
///
/// | at rest means | |
/// |---|---|
/// | nobody | has a handle of it, waits in its line, or has a call under way |
/// | its permits | its whole burst is free again, and no hold is on |
/// | its rate | is the one it began with; |
/// | | or one that was found, by an answer's headers (`Route::follow`) or an [adaptive](crate::Builder::adaptive) queue's controller, and nobody was released for 60 s, nor for the time in which the burst that it began with gathers. The next one begins with the rule's rate, and finds its own again |
///
/// A rate that was set by hand is kept, as nobody would set it again: such a queue stays until the rate is set back, or the queue is
/// stopped. Where no queue is at rest there may be more keys than that: none is lost in use.
///
/// # Queues that were stopped
/// A queue that was [stopped](ApiQueue::stop) alone is replaced when its key is asked for next, as soon as it is over: its line has
/// drained, and the calls under way have ended. Until then its key leads to it. The new one gives out nothing that was used: it
/// begins without the burst, not before the old one could have released the next, unless that had its whole burst. After
/// [`Registry::stop`] nothing is replaced.
#[derive(Debug)]
pub struct Registry<K = String> {
    shared: Arc<Shared<K>>,
}

type Rule<K> = dyn Fn(&K) -> Limit + Send + Sync;
type Name<K> = dyn Fn(&K) -> String + Send + Sync;

struct Shared<K> {
    rule: Box<Rule<K>>,
    name: Mutex<Option<Arc<Name<K>>>>,
    entries: HashMap<K, Arc<Entry<K>>>,
    /// In the order in which they are looked at for eviction, but for those that are being looked at. Writers only.
    order: Mutex<VecDeque<Arc<Entry<K>>>>,
    keep: AtomicUsize,
    is_stopped: AtomicBool,
    /// Where this was made.
    process: u32,
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> Registry<K> {
    /// A registry whose keys have the limits that `rule` says.
    ///
    /// The rule is asked for each queue that is made. Where several threads ask for a new key at once, it may be asked by each of them:
    /// one of the queues is kept, and all get that; the others are dropped unused. So it should say the same for the same
    /// key. It is called under no lock, and may ask the registry for other keys. When it panics, so does who asked for the key,
    /// and nothing is kept.
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
        Self {
            shared: Arc::new(Shared {
                rule: Box::new(rule),
                name: Mutex::new(None),
                entries: HashMap::new(),
                order: Mutex::new(VecDeque::new()),
                keep: AtomicUsize::new(usize::MAX),
                is_stopped: AtomicBool::new(false),
                process: std::process::id(),
            }),
        }
    }

    /// The queue of `key`, made if there is none. None for a key that is not limited.
    ///
    /// The key may be a borrowed form of the registry's: `&str` where keys are `String`s. `Hash` and `Eq` of a key must not ask the
    /// registry; its `Clone` and `Drop` may.
    ///
    /// # Errors
    /// [`StartError`] when the rule's limit can't be, or the system refuses the driver's thread.
    pub fn queue<Q>(&self, key: &Q) -> Result<Option<ApiQueue>, StartError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        loop {
            let found = {
                let entries = self.shared.entries.pin();
                entries.get(key).map(Arc::clone)
            };
            let Some(entry) = found else {
                if let Some(queue) = self.shared.make(key.to_owned(), None)? {
                    return Ok(queue);
                }
                continue;
            };
            match entry.hold() {
                Some(Some(before)) if self.shared.may_replace(&before) => {
                    let over = Some((&entry, &before));
                    if let Some(queue) = self.shared.make(key.to_owned(), over)? {
                        return Ok(queue);
                    }
                }
                Some(queue) => return Ok(queue),
                // Who has evicted it may not have taken it out yet.
                None => self.shared.forget(&entry),
            }
        }
    }

    /// Names each queue by its key, where the rule's builder doesn't: what it is called in [`Stats`](crate::Stats), in events and in
    /// metrics, which else can't tell one from the other. For queues that are made from now on, through all handles; of several
    /// calls the last one counts. [`Limits`] name their queues by themselves.
    ///
    /// For metrics each name is a label value of its own: no good idea for a hundred thousand keys.
    ///
    /// ```
    /// use apiqueue::{Limit, Rate, Registry};
    ///
    /// let per_account = Rate::per_second(20)?;
    /// let registry = Registry::new(move |_: &u32| Limit::rate(per_account)).named(|id| format!("account {id}"));
    /// assert_eq!(registry.queue(&42)?.unwrap().name(), "account 42");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn named(self, name: impl Fn(&K) -> String + Send + Sync + 'static) -> Self {
        let mut name: Option<Arc<Name<K>>> = Some(Arc::new(name));
        if let Some(mut there) = unless_inherited(&self.shared.name, self.shared.process) {
            mem::swap(&mut *there, &mut name);
        }
        // Only now that before is dropped, under no lock.
        drop(name);
        self
    }

    /// Forgets queues [at rest](Self#when-a-queue-is-forgotten) when there are more than `keys` (default: keeps all). For all handles
    /// of the registry, from the next new key on: each looks at a few of those that there are.
    #[must_use]
    pub fn keep(self, keys: usize) -> Self {
        // Ordering: Relaxed; only a number.
        self.shared.keep.store(keys, Ordering::Relaxed);
        self
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

    /// All keys that have queues at present, with them. In no order.
    #[must_use]
    pub fn queues(&self) -> Vec<(K, ApiQueue)> {
        let entries = self.shared.entries.pin();
        entries
            .iter()
            .filter_map(|(key, entry)| Some((key.clone(), entry.hold()??)))
            .collect()
    }
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> Shared<K> {
    /// Makes the queue of a key that has none, or one in place of another that is over. None when another thread was faster.
    fn make(
        &self,
        key: K,
        over: Option<(&Arc<Entry<K>>, &ApiQueue)>,
    ) -> Result<Option<Option<ApiQueue>>, StartError> {
        let queue = match (self.rule)(&key) {
            Limit::None => None,
            Limit::Queue(builder) => Some(self.with_name(&key, builder).start()?),
        };
        if let (Some(queue), Some((_, before))) = (&queue, over) {
            queue.line().go_on_from(before.line());
        }
        // Held here too, so that the new one is not the first to be evicted.
        let entry = Arc::new(Entry::new(key.clone(), queue.clone()));
        let new = Arc::clone(&entry);
        let is_in = match over {
            None => self.entries.pin().try_insert(key, new).is_ok(),
            Some((before, _)) => self.replace(key, before, &new),
        };
        if !is_in {
            return Ok(None);
        }
        // Ordering: SeqCst, against the fence in `set_stopped`: either this sees that it was stopped, or that sees the entry.
        fence(Ordering::SeqCst);
        if let (Some(queue), true) = (&queue, self.is_stopped()) {
            queue.stop(Stop::Now);
        }
        self.keep_in_order(entry);
        Ok(Some(queue))
    }

    /// Puts `new` in the place of `before`, if that is still there.
    fn replace(&self, key: K, before: &Arc<Entry<K>>, new: &Arc<Entry<K>>) -> bool {
        let entries = self.entries.pin();
        let done = entries.compute(key, |there| match there {
            Some((_, there)) if Arc::ptr_eq(there, before) => Operation::Insert(Arc::clone(new)),
            _ => Operation::Abort(()),
        });
        let is_in = matches!(done, Compute::Updated { .. });
        if is_in {
            before.was_replaced();
            // Whoever replaces it holds it still, so that nothing of the user's is dropped here.
            if let Some(mut order) = unless_inherited(&self.order, self.process) {
                order.retain(|entry| !Arc::ptr_eq(entry, before));
            }
        }
        is_in
    }

    /// Whether it was stopped by itself, and is over.
    fn may_replace(&self, queue: &ApiQueue) -> bool {
        queue.is_closed() && queue.line().is_over() && !self.is_stopped()
    }

    fn with_name(&self, key: &K, builder: Builder) -> Builder {
        let name = unless_inherited(&self.name, self.process).and_then(|name| name.clone());
        match name {
            Some(name) if !builder.is_named() => builder.name(name(key)),
            _ => builder,
        }
    }

    /// Puts a new one into the order, and forgets others that are at rest, if there are too many.
    fn keep_in_order(&self, new: Arc<Entry<K>>) {
        // In a forked child the lock may be held for ever: what is made there is kept.
        let put = |entry| {
            if let Some(mut order) = unless_inherited(&self.order, self.process) {
                order.push_back(entry);
            }
        };
        put(new);
        for _ in 0..LOOKS {
            let Some(next) = self.next_in_order() else {
                return;
            };
            if next.leave() {
                self.forget(&next);
            } else {
                put(next);
            }
        }
    }

    /// Takes out the next to be looked at, if there are too many.
    fn next_in_order(&self) -> Option<Arc<Entry<K>>> {
        let mut order = unless_inherited(&self.order, self.process)?;
        if order.len() <= self.keep.load(Ordering::Relaxed) {
            return None;
        }
        order.pop_front()
    }

    /// Takes `entry` out, if it is still the one of its key.
    fn forget(&self, entry: &Arc<Entry<K>>) {
        let _ = self
            .entries
            .pin()
            .remove_if(&entry.key, |_, there| Arc::ptr_eq(there, entry));
    }

    fn is_stopped(&self) -> bool {
        // Ordering: Relaxed; where it matters there is a fence.
        self.is_stopped.load(Ordering::Relaxed)
    }

    fn set_stopped(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        // Ordering: SeqCst, see `make`.
        fence(Ordering::SeqCst);
    }
}

impl Registry<String> {
    /// Reads the limits from TOML: a `[default]` table and one table for each key or pattern, as [`Limits`] has them; and `[account.…]`
    /// tables for limits that keys share, in any nesting, as [`Account`](crate::Account) has them.
    ///
    /// | key | value | in |
    /// |---|---|---|
    /// | `per_second` | releases each second, 1 to 1,000,000,000; | keys, accounts, `limits` |
    /// | `every` | or the interval: `"100ms"`, `"1m 30s"`; | keys, accounts, `limits` |
    /// | `at_most` and `period` | or so many in any window of that length, 1 to 4,294,967,295 in `"1h"` | keys, accounts, `limits` |
    /// | `burst` | of that rate: how many permits may gather (default 1) | keys, accounts, `limits` |
    /// | `strict` | of that rate: `true`: lateness is never made up | keys, accounts, `limits` |
    /// | `leave_percent` | of that rate: so much is left to others, 0 to 99 | keys, accounts, `limits` |
    /// | `limits` | a list of further limits beside it, each a table with a rate | keys, accounts |
    /// | `at_once` | how many calls may be under way, 1 to 4,294,967,295 | keys, accounts |
    /// | `within` | the account whose limits it counts on, too | keys, accounts |
    /// | `share` | how much of that account it gets beside others, 1 to 4,294,967,295 (default 1) | keys, accounts |
    /// | `priority` | goes before a lower one in the account, 0 to 7 (default 0) | keys, accounts |
    /// | `aging` | how long a lower priority may be passed over (default `"1s"`) | accounts |
    /// | `unlimited` | `true`: no queue at all | keys, alone |
    /// | `capacity` | how many may be in line, 1 to 16,777,216 (default 256) | keys |
    /// | `catch_up` | for how long lateness is made up: `"20ms"` (default 10 ms) | keys, accounts |
    ///
    /// Each key has a queue of its own, so where a pattern is `within` an account each key of it counts on that, with the share that
    /// the pattern's table says. Accounts stand in any order. `[default]` may say `within` like any other.
    ///
    /// ```
    /// use apiqueue::Registry;
    ///
    /// let registry = Registry::from_toml(r#"
    ///     [default]
    ///     per_second = 20
    ///
    ///     [account.eu]                  # what the keys within it share
    ///     per_second = 100
    ///     at_once = 50
    ///
    ///     [account."eu/describe"]
    ///     within = "eu"
    ///     per_second = 60
    ///     share = 3
    ///
    ///     ["ec2/*"]
    ///     every = "100ms"
    ///     burst = 50
    ///     within = "eu/describe"
    ///     share = 2
    ///     at_once = 8
    ///     limits = [{ at_most = 5000, period = "1h", burst = 100 }]
    ///
    ///     ["sts/*"]
    ///     unlimited = true
    /// "#)?;
    /// assert!(registry.queue("ec2/us-east-1")?.is_some());
    /// assert!(registry.queue("sts/us-east-1")?.is_none());
    ///
    /// let why = Registry::from_toml("[default]\nper_second = 0").unwrap_err();
    /// assert_eq!(why.to_string(), "line 2: default.per_second: 0 releases a second is not in 1..=1000000000");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`FileError`] with the line, the key and what it may be: also where an account is within itself or is not there, and
    /// where something means nothing without something else.
    #[cfg(feature = "toml")]
    pub fn from_toml(text: &str) -> Result<Self, FileError> {
        file::parse(text, None).map(Self::from)
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

impl<K> fmt::Debug for Shared<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("keep", &self.keep)
            .field("stopped", &self.is_stopped)
            .finish_non_exhaustive()
    }
}
