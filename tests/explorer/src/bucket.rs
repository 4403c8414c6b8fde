//! Permits as plain numbers: what a queue may have in hand at most, and what it must have at least.
//!
//! It shares nothing with the core's schedule, which keeps a stamp of time. Here permits are counted, in parts of [`PERMIT`],
//! which every interval of the exploration divides, so that nothing is rounded.

/// One permit.
pub const PERMIT: i64 = 1000;
/// No hold.
pub const NO_HOLD: i64 = i64::MIN;

/// A rate in plain numbers. The interval divides [`PERMIT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Ticks from one release to the next.
    pub interval: i64,
    /// How many permits may gather.
    pub burst: i64,
    /// Whether lateness is never made up.
    pub strict: bool,
    /// For how many ticks it is made up; none for a tenth of the interval.
    pub catch_up: Option<i64>,
}

impl Pace {
    /// What a tick gains.
    fn gain(self) -> i64 {
        PERMIT / self.interval
    }

    /// The most that may be in hand: the burst, and the lateness that is made up.
    fn most(self) -> i64 {
        let slack = match self.catch_up {
            _ if self.strict => 0,
            Some(ticks) => ticks,
            None => self.interval / 16 + self.interval / 32,
        };
        self.full() + slack * self.gain()
    }

    /// How long after one release the next may be put off, where it is late already: the model says how long exactly.
    pub fn gently(self) -> i64 {
        self.catch_up.map_or(0, |_| self.interval)
    }

    /// The burst.
    fn full(self) -> i64 {
        self.burst * PERMIT
    }

    /// What must be there before a waiter of this weight may go.
    pub fn needed(self, weight: i64) -> i64 {
        weight.min(self.burst) * PERMIT
    }
}

/// One account of what has happened so far that the promises allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Which of the operations under way have taken effect. (First, as it tells most accounts apart.)
    pub applied: u8,
    /// The furthest reading that counts.
    pub at: i64,
    /// The most that may be in hand.
    pub most: i64,
    /// The least that must be in hand.
    pub least: i64,
    /// When the hold ends.
    pub hold: i64,
    /// The rate.
    pub pace: Pace,
    /// Its number in the configuration.
    pub rate: u8,
    /// Permits used by a release that may be counted later, at a reading yet to be taken.
    pub late: i64,
    /// What a release cost that somebody has begun who stands still, and that is not seen yet: whoever comes by completes it.
    pub unseen: i64,
    /// When a permit was used last.
    pub used: i64,
    /// The same, before the clock was wrong.
    pub used_before: i64,
}

impl Bucket {
    /// A new queue's.
    pub fn new(at: i64, rate: u8, pace: Pace) -> Self {
        Self {
            at,
            most: pace.most(),
            least: pace.full(),
            hold: NO_HOLD,
            pace,
            rate,
            applied: 0,
            late: 0,
            unseen: 0,
            used: i64::MIN / 2,
            used_before: i64::MIN / 2,
        }
    }

    fn grow(&mut self, to: i64) {
        let ticks = to - self.at;
        if ticks > 0 {
            let gained = ticks * self.pace.gain();
            self.most = (self.most + gained).min(self.pace.most());
            self.least = (self.least + gained).min(self.pace.full());
            self.at = to;
        }
    }

    /// Goes on to `now`. A hold that ends on the way leaves one permit in hand, or a tick less where it `meets_claim`.
    pub fn settle(&mut self, now: i64, meets_claim: bool) {
        if self.hold != NO_HOLD && self.hold <= now {
            self.end_hold(self.hold);
            self.lose_ticks(meets_claim.into());
        }
        self.grow(now);
    }

    fn end_hold(&mut self, at: i64) {
        self.grow(at);
        self.most = self.most.min(PERMIT);
        self.least = self.least.min(PERMIT);
        self.hold = NO_HOLD;
    }

    /// A release of this weight, if one is due. `later` where its permit may be counted at a later reading.
    pub fn spend(&mut self, weight: i64, later: bool) -> bool {
        let due = self.hold == NO_HOLD && self.most >= self.pace.needed(weight);
        self.use_up(weight, later);
        due
    }

    /// A release, due or not.
    pub fn use_up(&mut self, weight: i64, later: bool) {
        self.most -= weight * PERMIT;
        self.used = self.at;
        if later {
            self.late += weight;
        } else {
            self.least -= weight * PERMIT;
        }
    }

    /// What was to be counted at a later reading is counted by now.
    pub fn count(&mut self) {
        self.least -= self.late * PERMIT;
        self.late = 0;
    }

    /// Permits stay permits, and the part of one stays a part, rounded down to ticks. Each of `others` who set a rate at the
    /// same time may cost two ticks of the rate before.
    pub fn set_rate(&mut self, rate: u8, pace: Pace, others: i64) {
        let lost = 2 * others * self.pace.gain();
        self.rate = rate;
        self.pace = pace;
        self.most = self.most.min(pace.most());
        self.least = self.least.min(pace.full()) - 2 * pace.gain() - lost;
    }

    /// So many ticks may be lost.
    pub fn lose_ticks(&mut self, ticks: i64) {
        self.least -= ticks * self.pace.gain();
    }

    /// What was in hand may be lost.
    pub fn lose_all(&mut self) {
        self.least = self.least.min(0);
    }

    /// Only extends. Where it comes so late that the reading has passed, it may change nothing, or leave what a hold that
    /// ended then would.
    pub fn hold_until(&mut self, until: i64, now: i64) {
        if until <= now {
            self.least = self.least.min(PERMIT + (now - until) * self.pace.gain());
        } else if until > self.hold {
            self.hold = until;
        }
    }

    /// Ends the hold, as of a reading that was taken at `since`: what has gathered after it is in hand, and no more.
    pub fn resume(&mut self, now: i64, since: i64) {
        if self.hold > now {
            self.grow(now);
            let left = PERMIT + (now - since) * self.pace.gain();
            self.most = self.most.min(left);
            self.least = self.least.min(left);
            self.hold = NO_HOLD;
        }
    }

    /// Permits put back, up to the burst, the last of them a tick later.
    pub fn refund(&mut self, permits: i64) {
        self.most = (self.most + permits * PERMIT).min(self.pace.most());
        let least = (self.least + permits * PERMIT).min(self.pace.full()) - self.pace.gain();
        self.least = self.least.max(least);
    }

    /// A permit that may come back, and `surely` does.
    pub fn give_back(&mut self, weight: i64, surely: bool) {
        let least = self.least;
        self.refund(weight);
        if !surely {
            self.least = least;
        }
    }

    /// When at the latest so much is there for a release. `behind` is what others may use before.
    pub fn due(&self, weight: i64, behind: i64) -> i64 {
        let needed = self.pace.needed(weight) + (behind + self.late) * PERMIT;
        let mut then = *self;
        if then.hold != NO_HOLD {
            then.end_hold(then.hold.max(then.at));
        }
        let missing = (needed - then.least).max(0);
        then.at + (missing + self.pace.gain() - 1) / self.pace.gain()
    }
}
