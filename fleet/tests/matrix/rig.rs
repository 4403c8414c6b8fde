//! A queue of each kind on the mock clock, driven by hand, and waiting for it.

use std::sync::Arc;
use std::time::Duration;

use apiqueue::core::{Cubic, ManualClock};
use apiqueue::{Account, ApiQueue, Builder, Rate, Turn, Waiter};
use apiqueue_fleet::InProcess;

pub(crate) const MS: u64 = 1_000_000;
/// What every queue here is paced at, in milliseconds.
pub(crate) const INTERVAL: u64 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Rate,
    Several,
    Account,
    AtOnce,
    Adaptive,
    Granted,
    Fleet,
}

pub(crate) const ALL: [Source; 7] = [
    Source::Rate,
    Source::Several,
    Source::Account,
    Source::AtOnce,
    Source::Adaptive,
    Source::Granted,
    Source::Fleet,
];

/// A queue whose first permit is taken.
pub(crate) struct Rig {
    pub(crate) source: Source,
    pub(crate) queue: ApiQueue,
    pub(crate) clock: Arc<ManualClock<u64>>,
    pub(crate) account: Option<Account>,
    /// When the latest grant was, for one by hand.
    pub(crate) granted_at: std::cell::Cell<u64>,
}

pub(crate) fn every(ms: u64) -> Rate {
    Rate::every(Duration::from_millis(ms)).unwrap()
}

impl Rig {
    pub(crate) fn new(source: Source) -> Self {
        Self::with(source, |builder| builder)
    }

    pub(crate) fn with(source: Source, more: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = Arc::new(ManualClock::<u64>::new(1_000 * MS));
        let builder = ApiQueue::builder();
        let mut account = None;
        let by_hand = |builder: Builder| builder.clock(Arc::clone(&clock)).manual();
        let builder = match source {
            Source::Rate => by_hand(builder).rate(every(INTERVAL)),
            Source::Several => by_hand(builder)
                .limit(every(INTERVAL))
                .limit(every(1).burst(100).unwrap()),
            Source::Account => {
                let limit = every(INTERVAL).burst(1).unwrap();
                let started = Account::builder().limit(limit);
                let started = started.clock(Arc::clone(&clock)).manual().start().unwrap();
                let builder = builder.within(&started);
                account = Some(started);
                builder
            }
            Source::AtOnce => by_hand(builder).rate(every(INTERVAL)).at_once(2),
            Source::Adaptive => by_hand(builder).adaptive(Cubic::default()),
            Source::Granted => by_hand(builder).granted(),
            Source::Fleet => {
                let backend = InProcess::with_clock(Arc::clone(&clock));
                by_hand(builder)
                    .rate(every(INTERVAL))
                    .shared(backend.limit("matrix"))
            }
        };
        let queue = more(builder).start().unwrap();
        if source == Source::Adaptive {
            queue.set_rate(every(INTERVAL));
        }
        let rig = Self {
            source,
            queue,
            clock,
            account,
            granted_at: std::cell::Cell::new(0),
        };
        let mut first = rig.queue.enqueue().unwrap();
        rig.advance();
        assert!(first.try_wait().unwrap().is_some(), "{source:?}");
        rig
    }

    pub(crate) fn advance(&self) {
        use apiqueue::core::Clock;
        if let Some(account) = &self.account {
            let _ = account.advance();
        }
        let now = self.clock.now();
        if self.source == Source::Granted
            && now >= self.granted_at.get() + INTERVAL * MS
            && self.queue.grant(1) == 1
        {
            self.granted_at.set(now);
        }
        let _ = self.queue.advance();
    }

    pub(crate) fn pass(&self, ms: u64) {
        for _ in 0..ms {
            self.clock.advance(MS);
            self.advance();
        }
    }

    /// After how many milliseconds `ready` says so.
    pub(crate) fn after(&self, mut ready: impl FnMut() -> bool) -> u64 {
        self.advance();
        for ms in 0..1_000 {
            if ready() {
                return ms;
            }
            self.pass(1);
        }
        panic!("{:?}: it never comes", self.source);
    }

    /// Waits for one that is to come after `ms`, and not before.
    pub(crate) fn comes(&self, waiter: &mut Waiter, ms: u64) -> Turn<'static> {
        let mut turn = None;
        let after = self.after(|| {
            turn = waiter.try_wait().unwrap();
            turn.is_some()
        });
        // A fleet's slots are whole microseconds of the backend's, reckoned from when the answer came.
        assert!(
            (ms..=ms + 1).contains(&after),
            "{:?}: {after} ms instead of {ms}",
            self.source
        );
        turn.unwrap()
    }
}
