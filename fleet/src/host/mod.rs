//! [`Host`]: what one host of a fleet does, as a plain state machine without threads, clocks or futures. Whoever drives
//! the queue runs it, and so does the simulation, ten thousand at a time.
//!
//! ```text
//!   in: step(now, how many are in line)         out: Step: how many to release now,
//!       answered(now, a call, its answer)                  a call to make,
//!       unused(permits for which nobody was there),        when to come back at the latest,
//!       came_back(now, permits of those released),         news
//!       hold, resume, retune, leave
//! ```
//! At most one call is under way, and at most one lease that has not begun is held. A call that was not answered within the
//! timeout has failed: its answer is not heard any more, and slots that came with it are lost.
//!
//! All times are microseconds of the host's monotonic clock.

mod answer;
mod away;
mod call;
mod claim;
mod held;
mod look;
mod reuse;
mod round_trip;
mod size;
mod wake;
mod words;

use crate::backend::{Action, BackendError};
pub use away::Away;
use away::{Alone, Had};
use claim::Claim;
use held::{Held, Offer};
use reuse::Reuse;
use round_trip::RoundTrip;
use size::Size;
pub use words::{Config, Counts, News, Step};

#[derive(Clone, Debug)]
struct Flight {
    id: u64,
    action: Action,
    since: u64,
    /// The interval was changed here since: slots that come are not to be used.
    outdated: bool,
    /// How many slots are offered back.
    offered: u64,
    /// How many orders there were when it was made.
    orders: u64,
}

/// A hold that the backend is to be told of.
#[derive(Clone, Copy, Debug)]
struct HoldOrder {
    until: u64,
    number: u64,
}

/// See the head of this page.
#[derive(Debug)]
pub struct Host {
    config: Config,
    interval: u64,
    hosts: u32,
    /// The number of the terms, once known.
    epoch: Option<u64>,
    /// When the backend's state was made, once known.
    born: Option<u64>,
    held: Held,
    size: Size,
    reuse: Reuse,
    claim: Claim,
    round_trip: RoundTrip,
    had: Had,
    /// Since the latest ask all slots were used, and the line was not empty for longer than callers take to come back.
    busy: bool,
    flight: Option<Flight>,
    next_id: u64,
    /// To be given back before anything else.
    offer: Option<Offer>,
    /// Nobody is released before.
    held_until: u64,
    /// Nor before, as the backend told it last.
    told_until: u64,
    /// How many orders to hold and to resume there were.
    orders: u64,
    /// A hold that the backend does not know of yet.
    hold_order: Option<HoldOrder>,
    /// The number of an order to resume that the backend does not know of yet. It goes before a hold.
    resume_order: Option<u64>,
    /// An interval that the backend does not know of yet.
    retune: Option<u64>,
    /// The backend's state grants nothing before.
    learning_until: u64,
    /// No call before.
    retry_at: u64,
    /// No slot is asked for before.
    compete_at: u64,
    /// Hosts compete for the slots within the horizon.
    crowded: bool,
    failures: u32,
    last_error: Option<(BackendError, u64)>,
    alone: Option<Alone>,
    spent_told: bool,
    news: Vec<News>,
    empty_since: Option<u64>,
    /// How many slots may be used now.
    room: usize,
    leaving: bool,
    random: u64,
    counts: Counts,
}

/// The first and the longest pause after a failed call.
const PAUSE: u64 = 10_000;
const MAX_PAUSE: u64 = 1_000_000;
/// The longest after one that was refused.
const REFUSED_PAUSE: u64 = 10_000_000;

impl Host {
    /// A host that knows nothing yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            interval: config.interval.max(1),
            hosts: 0,
            epoch: None,
            born: None,
            held: Held::default(),
            size: Size::new(config.max_lease, config.horizon),
            reuse: Reuse::default(),
            claim: Claim::default(),
            round_trip: RoundTrip::default(),
            had: Had::default(),
            busy: false,
            flight: None,
            next_id: 0,
            offer: None,
            held_until: 0,
            told_until: 0,
            orders: 0,
            hold_order: None,
            resume_order: None,
            retune: None,
            learning_until: 0,
            retry_at: 0,
            compete_at: 0,
            crowded: false,
            failures: 0,
            last_error: None,
            alone: None,
            spent_told: false,
            news: Vec::new(),
            empty_since: None,
            room: usize::MAX,
            leaving: false,
            random: config.host,
            counts: Counts::default(),
            config,
        }
    }

    /// What to do at `now`, with `line` callers in line.
    pub fn step(&mut self, now: u64, line: usize) -> Step {
        self.step_within(now, line, usize::MAX)
    }

    /// The same where at most `room` slots can be used now. With room for none, none are asked for.
    pub fn step_within(&mut self, now: u64, line: usize, room: usize) -> Step {
        self.room = room;
        self.time_out(now);
        let late = self.lateness(line);
        self.expire(now, late);
        self.come_back(now, line);
        let grant = self.grant(now, line.min(room), late);
        let line = line - grant;
        self.run_empty(now, line);
        self.tell_spent(now, line);
        let is_learned = |alone: &Alone| alone.away_since.is_none() && alone.is_over(now);
        if self.alone.as_ref().is_some_and(is_learned) {
            self.alone = None;
        }
        Step {
            grant,
            call: self.call(now, line),
            wake: self.wake(now, line),
            news: if self.news.is_empty() {
                None
            } else {
                Some(self.news.remove(0))
            },
        }
    }

    /// How late a slot may be. Credit for lateness belongs to those who waited.
    fn lateness(&self, line: usize) -> u64 {
        if line == 0 || self.empty_since.is_some() {
            self.config.late_for_new(self.interval)
        } else {
            self.config.late
        }
    }

    /// Slots that passed unused: those of a hold, and those that are too late.
    fn expire(&mut self, now: u64, late: u64) {
        let lost = self.held.drop_before(self.held_until.min(now));
        self.counts.lost += lost;
        let lost = self.held.drop_before(now.saturating_sub(late));
        if lost > 0 {
            self.counts.lost += lost;
            self.too_many();
        }
    }

    /// More slots were asked for than used.
    fn too_many(&mut self) {
        if self.busy {
            self.size.shrink();
            self.busy = false;
        }
    }

    /// Somebody is in line again.
    fn come_back(&mut self, now: u64, line: usize) {
        if line > 0
            && let Some(since) = self.empty_since.take()
        {
            if now > since + self.patience() {
                self.too_many();
            }
            // Somebody who took a slot without the driver may have read the clock after it.
            self.reuse.took(now.saturating_sub(since));
        }
    }

    fn grant(&mut self, now: u64, line: usize, late: u64) -> usize {
        if line == 0 || self.is_held(now) {
            return 0;
        }
        let (slots, last) = self.held.take_due(now, line);
        if let Some(last) = last {
            self.had.last = last;
            self.counts.used += slots as u64;
        }
        let mut alone = 0;
        if self.goes_alone()
            && let Some(schedule) = &mut self.alone
        {
            schedule.not_before(self.held_until);
            alone = schedule.take_due(now, self.interval, late, line - slots);
        }
        if alone > 0 {
            self.held.keep_none();
            self.had.last = now;
            self.counts.alone += alone as u64;
        }
        let released = slots + alone;
        if released > 0 {
            let is_last = released == line;
            self.reuse.at_once(released - usize::from(is_last));
        }
        released
    }

    /// Whether it has a schedule of its own, and no slot before that ends.
    fn goes_alone(&self) -> bool {
        let next = self.held.next();
        let before = |alone: &Alone| next.is_none_or(|next| next >= alone.until());
        self.alone.as_ref().is_some_and(before)
    }

    /// Offers back what nobody waits for any more.
    fn run_empty(&mut self, now: u64, line: usize) {
        if line > 0 {
            return;
        }
        let since = *self.empty_since.get_or_insert(now);
        if now >= since + self.linger() && self.held.count() > 0 {
            self.offer_all();
        }
        if self.leaving && self.failures > 0 {
            let offered = self.offer.take().map_or(0, |offer| offer.count);
            self.counts.lost += offered;
        }
        if self.leaving && self.offer.is_none() {
            self.counts.lost += self.held.clear();
        }
    }

    /// Whether nobody is in line, but those who were released may come back.
    fn are_expected(&self, now: u64) -> bool {
        let since = self.empty_since;
        !self.leaving && since.is_some_and(|since| now <= since + self.patience())
    }

    /// How long callers take at most to come back after their call.
    fn patience(&self) -> u64 {
        self.config
            .late_for_new(self.interval)
            .max(2 * self.reuse.spacing())
    }

    /// How long an empty line is waited for.
    fn linger(&self) -> u64 {
        if self.leaving { 0 } else { 2 * self.patience() }
    }

    fn tell_spent(&mut self, now: u64, line: usize) {
        let is_spent = |alone: &Alone| alone.away_since.is_some() && alone.is_over(now);
        let over = self.alone.as_ref().is_some_and(is_spent);
        if over && line > 0 && !self.spent_told {
            self.spent_told = true;
            self.news.push(News::Spent);
        }
    }

    /// Takes one slot that is due, for somebody who is not in line.
    pub fn take_one(&mut self, now: u64) -> bool {
        self.time_out(now);
        let late = self.lateness(0);
        self.expire(now, late);
        let taken = !self.is_held(now) && self.held.count() > 0 && self.grant(now, 1, late) == 1;
        if taken {
            // For those who wait whether callers come back, one has.
            self.come_back(now, 1);
            self.empty_since = Some(now);
        }
        taken
    }

    /// Permits of the latest grant for which nobody was there any more: their slots are due as before.
    pub fn unused(&mut self, count: usize) {
        let back = self.held.put_back(count);
        self.counts.used -= back as u64;
        if let Some(alone) = &mut self.alone {
            self.counts.alone -= alone.put_back(self.interval, count - back) as u64;
        }
    }

    /// Permits that came back at `now` of callers who were released, nobody knows when: then the latest slot used may be used once
    /// more, and no other, in its own time and by the terms that it was granted by.
    pub fn came_back(&mut self, now: u64, count: usize) {
        if count == 0 {
            return;
        }
        let earliest = now.saturating_sub(self.config.late);
        if self.held.put_back_used(earliest) {
            self.counts.used -= 1;
        } else if let Some(alone) = &mut self.alone {
            self.counts.alone -= alone.put_back_used(self.interval) as u64;
        }
    }

    fn is_held(&self, now: u64) -> bool {
        now < self.held_until
    }

    fn is_away(&self) -> bool {
        self.alone.is_some_and(|alone| alone.away_since.is_some())
    }

    fn random(&mut self) -> u32 {
        // SplitMix64.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z >> 32) as u32
    }

    /// Uniform in 0..=`span`.
    fn jitter(&mut self, span: u64) -> u64 {
        let random = u128::from(self.random());
        u64::try_from((u128::from(span) * random) >> 32).unwrap_or(span)
    }
}
