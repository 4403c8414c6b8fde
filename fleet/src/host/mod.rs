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

mod away;
mod call;
mod held;
mod round_trip;
mod size;
mod words;

use away::Alone;
pub use away::Away;
pub use call::{Call, Reply};
use held::{Held, Span};
use round_trip::RoundTrip;
use size::Size;
pub use words::{Counts, News, Step, Terms};

use crate::backend::Epoch;

#[derive(Clone, Copy, Debug)]
struct Flight {
    id: u64,
    call: Call,
    since: u64,
    /// Terms were changed here since: slots that come are not to be used.
    outdated: bool,
    /// The slots that are offered back.
    span: Option<Span>,
}

/// See the head of this page.
#[derive(Debug)]
pub struct Host {
    terms: Terms,
    interval: u64,
    hosts: u32,
    epoch: Option<Epoch>,
    held: Held,
    size: Size,
    round_trip: RoundTrip,
    /// The latest slot that was used.
    last: u64,
    /// No slot before, by the latest refusal.
    refused_until: u64,
    /// Since the latest ask all slots were used, and the line was not empty for longer than callers take to come back.
    busy: bool,
    flight: Option<Flight>,
    next_id: u64,
    /// To be offered back before anything else. The flag says whether it may be used again when that is refused.
    offer: Option<(Span, bool)>,
    /// A hold that the backend does not know of yet. 0 is its end.
    hold: Option<u64>,
    /// An interval that the backend does not know of yet.
    retune: Option<u64>,
    /// No call before.
    retry_at: u64,
    /// Hosts compete for the slots within the horizon.
    crowded: bool,
    failures: u32,
    alone: Option<Alone>,
    spent_told: bool,
    news: Vec<News>,
    empty_since: Option<u64>,
    leaving: bool,
    random: u64,
    counts: Counts,
}

/// The first and the longest pause after a failed call.
const PAUSE: u64 = 10_000;
const MAX_PAUSE: u64 = 1_000_000;
/// A host that has not asked for so long counts as gone, if the horizon is no longer than a quarter of it.
const SEEN: u64 = 10_000_000;

impl Host {
    /// A host that knows nothing yet.
    #[must_use]
    pub fn new(terms: Terms) -> Self {
        Self {
            interval: terms.interval.max(1),
            hosts: 0,
            epoch: None,
            held: Held::default(),
            size: Size::new(terms.max_lease, terms.horizon),
            round_trip: RoundTrip::default(),
            last: 0,
            refused_until: 0,
            busy: false,
            flight: None,
            next_id: 0,
            offer: None,
            hold: None,
            retune: None,
            retry_at: 0,
            crowded: false,
            failures: 0,
            alone: None,
            spent_told: false,
            news: Vec::new(),
            empty_since: None,
            leaving: false,
            random: terms.host,
            counts: Counts::default(),
            terms,
        }
    }

    /// What to do at `now`, with `line` callers in line.
    pub fn step(&mut self, now: u64, line: usize) -> Step {
        self.time_out(now);
        self.expire(now);
        let grant = self.grant(now, line);
        let line = line - grant;
        self.run_empty(now, line);
        self.tell_spent(now, line);
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

    /// Slots that passed unused.
    fn expire(&mut self, now: u64) {
        let lost = self.held.drop_before(now.saturating_sub(self.terms.late));
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

    fn grant(&mut self, now: u64, line: usize) -> usize {
        if line == 0 || self.is_held(now) {
            return 0;
        }
        let (slots, last) = self.held.take_due(now, line);
        if let Some(last) = last {
            self.last = last;
            self.counts.used += u64::from(slots);
        }
        // Not above `line`.
        let slots = usize::try_from(slots).unwrap_or(line);
        if self.held.count() > 0 {
            return slots;
        }
        let alone = self.alone.as_mut().map_or(0, |alone| {
            alone.take_due(now, self.interval, self.terms.late, line - slots)
        });
        if alone > 0 {
            self.held.keep_none();
            self.last = now;
            self.counts.alone += alone as u64;
        }
        slots + alone
    }

    /// Offers back what nobody waits for any more.
    fn run_empty(&mut self, now: u64, line: usize) {
        let since = self.empty_since;
        if since.is_some_and(|since| now > since + self.terms.late) {
            self.too_many();
        }
        if line > 0 {
            self.empty_since = None;
            return;
        }
        let since = *self.empty_since.get_or_insert(now);
        if now >= since + self.linger() && self.offer.is_none() {
            self.offer = self.held.take_latest().map(|span| (span, true));
        }
        if self.leaving && self.failures > 0 {
            let offered = self
                .offer
                .take()
                .map_or(0, |(span, _)| u64::from(span.left));
            self.counts.lost += offered;
        }
        if self.leaving && self.offer.is_none() {
            self.counts.lost += self.held.clear();
        }
    }

    /// How long an empty line is waited for: callers that come back after their call.
    fn linger(&self) -> u64 {
        if self.leaving { 0 } else { 2 * self.terms.late }
    }

    fn tell_spent(&mut self, now: u64, line: usize) {
        let over = self.alone.is_some_and(|alone| alone.is_over(now));
        if over && line > 0 && !self.spent_told {
            self.spent_told = true;
            self.news.push(News::Spent);
        }
    }

    fn wake(&self, now: u64, line: usize) -> Option<u64> {
        let mut wake = Earliest(None);
        if !self.news.is_empty() {
            wake.add(now);
        }
        if let Some(flight) = self.flight {
            wake.add(flight.since + self.terms.timeout);
        } else if self.has_orders() || self.needs_more(line) {
            wake.add(self.ask_at(now).max(self.retry_at));
        }
        if line > 0 {
            let held_until = self.hold.unwrap_or(0);
            if let Some(next) = self.held.next() {
                wake.add(next.max(held_until));
            } else if let Some(alone) = self.alone
                && !alone.is_over(now)
            {
                wake.add(alone.next().max(held_until));
            }
        } else if let (Some(since), true) = (self.empty_since, self.held.count() > 0) {
            let end = since + self.linger();
            // What can't be given back needs nobody: it is gone at the next look.
            if end > now {
                wake.add(end);
            }
        }
        wake.0
    }

    /// Takes one slot that is due, for somebody who is not in line.
    pub fn take_one(&mut self, now: u64) -> bool {
        self.time_out(now);
        self.expire(now);
        let taken = !self.is_held(now) && self.held.count() > 0 && self.grant(now, 1) == 1;
        if taken {
            // For those who wait whether callers come back, one has.
            self.empty_since = Some(now);
        }
        taken
    }

    /// Permits of the latest grant for which nobody was there any more: their slots are due as before.
    pub fn unused(&mut self, count: usize) {
        let back = self.held.put_back(count);
        self.counts.used -= u64::from(back);
        let rest = count - usize::try_from(back).unwrap_or(count);
        if let Some(alone) = &mut self.alone {
            self.counts.alone -= alone.put_back(self.interval, rest) as u64;
        }
    }

    /// Permits that came back at `now` of callers who were released, nobody knows when: then the latest slot used may be used once
    /// more, and no other, in its own time and by the terms that it was granted by.
    pub fn came_back(&mut self, now: u64, count: usize) {
        if count == 0 {
            return;
        }
        let earliest = now.saturating_sub(self.terms.late);
        if self.held.put_back_used(earliest) {
            self.counts.used -= 1;
        } else if let Some(alone) = &mut self.alone {
            self.counts.alone -= alone.put_back_used(self.interval) as u64;
        }
    }

    fn is_held(&self, now: u64) -> bool {
        self.hold.is_some_and(|until| now < until)
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

    /// Whether nothing is left to do for a host that [`leave`](Self::leave)s.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.leaving && self.flight.is_none() && self.offer.is_none() && self.held.count() == 0
    }

    /// Whether it holds nothing, owes the backend nothing and waits for nothing: a new one would do as well.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let is_told = !self.has_orders() && self.news.is_empty();
        is_told && self.flight.is_none() && self.alone.is_none() && self.held.count() == 0
    }

    /// The number of the call under way.
    #[must_use]
    pub fn in_flight(&self) -> Option<u64> {
        self.flight.map(|flight| flight.id)
    }

    /// The interval, microseconds.
    #[must_use]
    pub fn interval(&self) -> u64 {
        self.interval
    }

    /// The hosts seen last, this one included; 0 before the first answer.
    #[must_use]
    pub fn hosts(&self) -> u32 {
        self.hosts
    }

    /// The number of the terms, once known.
    #[must_use]
    pub fn epoch(&self) -> Option<Epoch> {
        self.epoch
    }

    /// How many slots are held.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.held.count()
    }

    /// When the next slot held is.
    #[must_use]
    pub fn next_slot(&self) -> Option<u64> {
        self.held.next()
    }

    /// How many slots it would ask for with callers enough.
    #[must_use]
    pub fn lease_size(&self) -> u32 {
        self.size
            .fair(self.interval, self.hosts, self.round_trip.lead())
    }

    /// The smoothed round trip, microseconds.
    #[must_use]
    pub fn round_trip(&self) -> u64 {
        self.round_trip.smooth()
    }

    /// Since when the backend is away.
    #[must_use]
    pub fn away_since(&self) -> Option<u64> {
        self.alone.map(|alone| alone.since)
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self, now: u64) -> Counts {
        let mut counts = self.counts;
        if let Some(alone) = self.alone {
            counts.away += now.saturating_sub(alone.since);
        }
        counts
    }
}

/// The earliest of several times.
struct Earliest(Option<u64>);

impl Earliest {
    fn add(&mut self, at: u64) {
        self.0 = Some(self.0.map_or(at, |earliest| earliest.min(at)));
    }
}
