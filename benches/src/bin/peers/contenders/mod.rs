//! Each contender as its own documents say, in its best configuration; where it can do the work in several ways, each way.

mod ours;
mod tasks;
mod threads;

use std::time::{Duration, Instant};

use apiqueue_benches::report::Role;

pub(crate) use ours::{ByHand, Ours, OursAgain, OursTask};
pub(crate) use tasks::{Governor, Leaky, LeakyBatches, Ticks, Tower, TowerBatches};
pub(crate) use threads::{GovernorBlocked, GovernorSleeps, OwnLine, RatelimitSleeps, SlotCas};

/// What a contender is set to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) interval: Duration,
    pub(crate) burst: u32,
    /// How many may be waiting at once.
    pub(crate) waiting: usize,
}

impl Pace {
    /// Evenly spaced, with room for a thousand waiters.
    pub(crate) const fn every(interval: Duration) -> Self {
        Self {
            interval,
            burst: 1,
            waiting: 1024,
        }
    }

    /// A permit is always free.
    pub(crate) const fn unlimited() -> Self {
        Self {
            interval: Duration::from_nanos(1),
            burst: u32::MAX,
            waiting: 1024,
        }
    }

    pub(crate) const fn waiting(mut self, waiting: usize) -> Self {
        self.waiting = waiting;
        self
    }
}

/// Whether a contender has something.
pub(crate) type Has = bool;

/// A way to acquire on a task. Made inside of a runtime.
pub(crate) trait Tasks: Clone + Send + Sync + 'static {
    const NAME: &'static str;
    const ROLE: Role = Role::Peer;
    fn new(pace: Pace) -> Self;
    fn acquire(&self) -> impl Future<Output = ()> + Send;

    /// Changes the interval, for those who wait too as far as the contender can.
    fn set_interval(&self, _: Duration) -> Has {
        false
    }

    /// Releases nobody for that long.
    fn hold(&self, _: Duration) -> Has {
        false
    }
}

/// A way to acquire on a thread.
pub(crate) trait Threads: Clone + Send + Sync + 'static {
    const NAME: &'static str;
    const ROLE: Role = Role::Peer;
    fn new(pace: Pace) -> Self;
    fn acquire(&self);

    /// Gives up at the deadline; says whether it was let through.
    fn acquire_until(&self, deadline: Instant) -> bool;

    fn set_interval(&self, _: Duration) -> Has {
        false
    }

    fn hold(&self, _: Duration) -> Has {
        false
    }
}

/// A contender's name, its role, and the run that measures it.
pub(crate) type Entry<Run> = (&'static str, Role, Run);

/// The runs of one generic function for all contenders of tasks.
macro_rules! every_task {
    ($run:ident as $type:ty) => {
        every_task!($run as $type, Ours, OursTask, ByHand, Governor, Leaky, Tower, Ticks)
    };
    ($run:ident as $type:ty, $($contender:ident),+) => {
        [$((
            <$crate::contenders::$contender as $crate::contenders::Tasks>::NAME,
            <$crate::contenders::$contender as $crate::contenders::Tasks>::ROLE,
            $run::<$crate::contenders::$contender> as $type,
        )),+]
    };
}

/// The runs of one generic function for all contenders of threads.
macro_rules! every_thread {
    ($run:ident as $type:ty) => {
        every_thread!($run as $type, Ours, GovernorSleeps, GovernorBlocked, RatelimitSleeps, OwnLine)
    };
    ($run:ident as $type:ty, $($contender:ident),+) => {
        [$((
            <$crate::contenders::$contender as $crate::contenders::Threads>::NAME,
            <$crate::contenders::$contender as $crate::contenders::Threads>::ROLE,
            $run::<$crate::contenders::$contender> as $type,
        )),+]
    };
}

pub(crate) use {every_task, every_thread};

/// A runtime of two workers.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}
