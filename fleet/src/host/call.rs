//! When a host calls the backend, for what, and what it makes of the answers.

use std::time::Duration;

use super::{Alone, Flight, Host, MAX_PAUSE, News, PAUSE, SEEN, Span};
use crate::backend::{Ask, BackendError, Epoch, Lease};
use crate::calendar::MAX_MICROS;

/// What to ask of the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// [`Backend::reserve`](crate::Backend::reserve).
    Reserve(Ask),
    /// [`Backend::give_back`](crate::Backend::give_back).
    GiveBack(Lease, u32),
    /// [`Backend::hold`](crate::Backend::hold).
    Hold(Duration),
    /// [`Backend::retune`](crate::Backend::retune).
    Retune(Duration),
}

/// What the backend said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To [`Call::Reserve`].
    Lease(Lease),
    /// To [`Call::GiveBack`].
    Given(bool),
    /// To [`Call::Hold`] and [`Call::Retune`].
    Epoch(Epoch),
}

impl Host {
    /// Releases nobody before `until`, a local time, and has the backend tell the others. Slots held are let go.
    pub fn hold(&mut self, until: u64) {
        self.let_go();
        self.hold = Some(self.hold.map_or(until, |held| held.max(until)));
    }

    /// Ends a hold, for all.
    pub fn resume(&mut self) {
        self.let_go();
        self.hold = Some(0);
    }

    /// Sets the interval in microseconds, for all. Slots held are let go.
    pub fn retune(&mut self, interval: u64) {
        self.let_go();
        self.interval = interval.max(1);
        self.retune = Some(self.interval);
    }

    /// Asks for nothing more once the line is empty, and gives back what is held.
    pub fn leave(&mut self) {
        self.leaving = true;
    }

    /// The terms have changed here. The slots held are offered back, and lost if others were granted after them: to use none
    /// is safe whatever the new terms are.
    fn let_go(&mut self) {
        if let Some(flight) = &mut self.flight {
            flight.outdated = true;
        }
        if let Some(span) = self.held.take_latest() {
            self.offer(span);
        }
        if let Some((_, may_be_used)) = &mut self.offer {
            *may_be_used = false;
        }
        self.counts.lost += self.held.clear();
        if let Some(alone) = &mut self.alone {
            alone.keep_none();
        }
        self.crowded = false;
        self.refused_until = 0;
        if self.failures == 0 {
            self.retry_at = 0;
        }
    }

    /// Offers slots back that are not to be used any more.
    fn offer(&mut self, span: Span) {
        if let Some((before, _)) = self.offer.replace((span, false)) {
            self.counts.lost += u64::from(before.left);
        }
    }

    /// Whether the backend is to be told something, whoever is in line.
    pub(super) fn has_orders(&self) -> bool {
        self.offer.is_some() || self.hold.is_some() || self.retune.is_some()
    }

    /// Whether more are in line than slots are held, or soon will be, as those released have come back so far; or it is to be found
    /// out whether the backend is back.
    pub(super) fn needs_more(&self, line: usize) -> bool {
        let will_be = line > 0 && self.busy && self.size.has_grown();
        will_be || line as u64 > self.held.count() || self.alone.is_some() && !self.leaving
    }

    /// When to make the next call, if nothing speaks against it.
    pub(super) fn ask_at(&self, now: u64) -> u64 {
        if self.has_orders() {
            return now;
        }
        match (self.held.end(), self.held.begins()) {
            // At most one lease that has not begun, and no sooner than it takes to be answered before the end.
            (Some(end), Some(begins)) => begins
                .max(end.saturating_sub(self.round_trip.lead()))
                .max(now),
            _ => now,
        }
    }

    /// The call to make now.
    pub(super) fn call(&mut self, now: u64, line: usize) -> Option<(u64, Call)> {
        if self.flight.is_some() || now < self.retry_at {
            return None;
        }
        let mut offered = None;
        let call = if let Some((span, keep)) = self.offer.take() {
            let lease = span.lease?;
            offered = Some((span, keep));
            Call::GiveBack(lease, span.left)
        } else if let Some(until) = self.hold {
            match until.checked_sub(now) {
                Some(left) if left > 0 => Call::Hold(Duration::from_micros(left)),
                _ if until == 0 => Call::Hold(Duration::ZERO),
                // Over before anybody could be told.
                _ => {
                    self.hold = None;
                    return self.call(now, line);
                }
            }
        } else if let Some(interval) = self.retune {
            Call::Retune(Duration::from_micros(interval))
        } else if self.needs_more(line) && self.ask_at(now) <= now {
            if self.busy {
                let fair = self.lease_size();
                self.size.grow(fair);
            }
            self.busy = true;
            Call::Reserve(self.ask(line))
        } else {
            return None;
        };
        let id = self.next_id;
        self.next_id += 1;
        self.flight = Some(Flight {
            id,
            call,
            since: now,
            outdated: false,
            span: offered.map(|(span, _)| span),
        });
        if let (Some(flight), Some((_, false))) = (&mut self.flight, offered) {
            flight.outdated = true;
        }
        self.counts.calls += 1;
        Some((id, call))
    }

    fn ask(&self, line: usize) -> Ask {
        let held = usize::try_from(self.held.count()).unwrap_or(usize::MAX);
        let want = match line {
            0 => 0,
            _ => self.size.want(self.lease_size(), line.saturating_sub(held)),
        };
        let terms = &self.terms;
        // A slot granted before the backend forgot is at most a horizon away, its use at most a timeout later, and the next
        // is an interval after it.
        let grace = terms.horizon + terms.timeout + self.interval.min(terms.horizon);
        Ask {
            host: terms.host,
            want,
            interval: Duration::from_micros(self.interval),
            horizon: Duration::from_micros(terms.horizon),
            grace: Duration::from_micros(grace),
            seen: Duration::from_micros(SEEN.max(terms.horizon.saturating_mul(4))),
        }
    }

    /// The answer of call `id` arrived at `now`. Not heard if the call was given up.
    pub fn answered(&mut self, now: u64, id: u64, answer: Result<Reply, BackendError>) {
        if self.flight.is_none_or(|flight| flight.id != id) {
            return;
        }
        let Some(flight) = self.flight.take() else {
            return;
        };
        let reply = match answer {
            Ok(reply) => reply,
            Err(why) => return self.failed(now, flight, why),
        };
        if !self.is_usable(flight.call, reply) {
            let why = BackendError::Refused(format!("it granted {reply:?}"));
            return self.failed(now, flight, why);
        }
        self.round_trip.took(now.saturating_sub(flight.since));
        self.reached(now);
        match reply {
            Reply::Lease(lease) => self.leased(now, flight, lease),
            Reply::Given(given) => self.given(flight, given),
            Reply::Epoch(epoch) => self.told(flight, epoch),
        }
    }

    /// Whether it is an answer to the call, and no slot is in it that was not asked for.
    fn is_usable(&self, call: Call, reply: Reply) -> bool {
        match (call, reply) {
            (Call::Reserve(ask), Reply::Lease(lease)) => {
                let ahead = lease.start.checked_sub(lease.now);
                let span = u64::from(lease.count.saturating_sub(1)).saturating_mul(lease.interval);
                let reach = ahead.map(|ahead| ahead.saturating_add(span));
                let farthest = match lease.count {
                    // A hold's end.
                    0 => 2 * MAX_MICROS,
                    _ => self.terms.horizon,
                };
                lease.count <= ask.want
                    && (1..=MAX_MICROS).contains(&lease.interval)
                    && reach.is_some_and(|reach| reach <= farthest)
            }
            (Call::GiveBack(..), Reply::Given(_)) => true,
            (Call::Hold(_) | Call::Retune(_), Reply::Epoch(_)) => true,
            _ => false,
        }
    }

    fn leased(&mut self, now: u64, flight: Flight, lease: Lease) {
        // Those who seem to be gone all at once may only have been forgotten.
        self.hosts = lease.hosts.max(self.hosts - self.hosts.div_ceil(4));
        self.counts.granted += u64::from(lease.count);
        let span = Span::arrived(now, lease);
        if flight.outdated {
            if lease.count > 0 {
                self.offer(span);
            }
            return;
        }
        if self.epoch.is_some_and(|epoch| epoch != lease.epoch) {
            // Other terms, or a backend that has forgotten: the slots of before are let go, which is safe in both cases.
            self.counts.lost += self.held.clear();
        }
        self.epoch = Some(lease.epoch);
        self.interval = lease.interval.max(1);
        let horizon = self.terms.horizon;
        // Terms may change meanwhile.
        let recheck = now + horizon.max(1000 * u64::from(self.hosts));
        if matches!(flight.call, Call::Reserve(ask) if ask.want == 0) {
            self.retry_at = now;
        } else if lease.count == 0 {
            self.crowded = true;
            self.refused_until = span.first;
            let opens = span.first.saturating_sub(horizon).max(now).min(recheck);
            self.retry_at = opens + self.spread();
        } else {
            self.refused_until = 0;
            self.held.push(span);
            self.crowded &= span.first >= now + horizon / 2;
            if self.crowded {
                self.retry_at = span.first + self.spread();
            }
        }
    }

    /// Where more hosts want slots than there are within the horizon, each asks at a random moment of a time that grows with their
    /// number: so that all have the same chance, whatever their round trips are and whoever had the last slot, and the
    /// backend is not run over. Short enough for slots to be taken before they are due: about two asks a slot, and eight
    /// in each horizon where that holds less than a slot.
    fn spread(&mut self) -> u64 {
        let each = self.interval.min(self.terms.horizon / 8);
        self.jitter(each.saturating_mul(u64::from(self.hosts)))
    }

    fn given(&mut self, flight: Flight, given: bool) {
        let Some(span) = flight.span else {
            return;
        };
        if given {
            self.counts.given_back += u64::from(span.left);
            self.too_many();
        } else if flight.outdated {
            self.counts.lost += u64::from(span.left);
        } else {
            self.held.push(Span {
                lease: None,
                ..span
            });
        }
    }

    fn told(&mut self, flight: Flight, epoch: Epoch) {
        self.epoch = Some(epoch);
        // Unless changed again meanwhile.
        if !flight.outdated {
            match flight.call {
                Call::Hold(_) => self.refused_until = self.hold.take().unwrap_or(0),
                _ => self.retune = None,
            }
        }
    }

    /// Gives up a call that takes too long.
    pub(super) fn time_out(&mut self, now: u64) {
        let timeout = self.terms.timeout;
        if let Some(flight) = self.flight
            && now >= flight.since + timeout
        {
            self.flight = None;
            let why = format!("no answer within {:?}", Duration::from_micros(timeout));
            self.failed(now, flight, BackendError::Away(why));
        }
    }

    fn failed(&mut self, now: u64, flight: Flight, why: BackendError) {
        // Whether they were taken is not known.
        self.counts.lost += flight.span.map_or(0, |span| u64::from(span.left));
        self.counts.failures += 1;
        // When it is back, those who do not know yet go on by themselves for this long at most.
        let longest = (100 * u64::from(self.hosts)).clamp(MAX_PAUSE / 10, MAX_PAUSE);
        let pause = (PAUSE << self.failures.min(16)).min(longest);
        self.failures += 1;
        self.retry_at = now + pause / 2 + self.jitter(pause / 2);
        if self.failures == 2 && self.alone.is_none() {
            let phase = self.random();
            self.alone = Some(Alone::new(
                self.terms.away,
                now,
                self.last,
                self.refused_until,
                self.interval,
                self.hosts,
                phase,
            ));
            self.counts.times_away += 1;
            self.spent_told = false;
            self.news.push(News::Away(why));
        }
    }

    fn reached(&mut self, now: u64) {
        self.failures = 0;
        if let Some(alone) = self.alone.take() {
            let away = now.saturating_sub(alone.since);
            self.counts.away += away;
            self.news.push(News::Back {
                after: Duration::from_micros(away),
            });
        }
    }
}
