//! What a host makes of the backend's answers.

use std::time::Duration;

use super::{Alone, Away, Flight, Host, MAX_PAUSE, News, PAUSE, REFUSED_PAUSE};
use crate::backend::{Action, BackendError, Reply, Slots};
use crate::calendar::{MAX_MICROS, span};

impl Host {
    /// The answer of call `id` arrived at `now`. Not heard if the call was given up, or should have been by now.
    pub fn answered(&mut self, now: u64, id: u64, answer: Result<Reply, BackendError>) {
        self.time_out(now);
        if self.flight.as_ref().is_none_or(|flight| flight.id != id) {
            return;
        }
        let Some(flight) = self.flight.take() else {
            return;
        };
        let reply = match answer {
            Ok(reply) => reply,
            Err(why) => return self.failed(now, &flight, why),
        };
        if !is_usable(&flight.action, &reply) {
            let why = BackendError::Refused(format!("it answered {reply:?}"));
            return self.failed(now, &flight, why);
        }
        self.round_trip.took(now.saturating_sub(flight.since));
        self.reached(now);
        self.hear_state(now, &flight, &reply);
        self.hear_terms(now, &flight, &reply);
        match flight.action {
            Action::Reserve { want, .. } => self.leased(now, want, flight.outdated, &reply),
            Action::GiveBack { .. } => self.given(flight.offered, u64::from(reply.taken_back)),
            Action::Hold(_) | Action::Resume | Action::Retune(_) => {}
        }
        self.begin_learning(now);
    }

    /// How old the backend's state is, and how many hosts it knows.
    fn hear_state(&mut self, now: u64, flight: &Flight, reply: &Reply) {
        if let Action::Reserve { .. } = flight.action {
            let ahead = reply.now.wrapping_sub(now);
            let contact = self.config.contact(self.interval);
            self.claim
                .hears(flight.since, contact, reply.born, ahead, reply.hosts);
            // Those who seem to be gone all at once may only have been forgotten.
            self.hosts = reply.hosts.max(self.hosts - self.hosts.div_ceil(4));
            let rivals = reply.hosts.saturating_sub(reply.below);
            self.above = reply.above;
            self.has_below = reply.below > 0;
            self.rivals = rivals.max(self.rivals - self.rivals.div_ceil(4));
            self.equals.are(self.rivals);
        }
        let learning = reply.learning_until.saturating_sub(reply.now);
        self.learning_until = now + learning;
        if self.born.is_some_and(|born| born != reply.born) {
            self.counts.forgotten += 1;
            self.counts.lost += self.held.drop_others(reply.born, self.learning_until);
            self.news.push(News::Forgot {
                learning: Duration::from_micros(learning),
            });
        }
        self.born = Some(reply.born);
    }

    fn hear_terms(&mut self, now: u64, flight: &Flight, reply: &Reply) {
        let terms = reply.terms;
        match flight.action {
            // Unless there was another order since.
            Action::Hold(_) => {
                self.hold_order = self.hold_order.filter(|order| order.number > flight.orders);
            }
            Action::Resume => {
                self.resume_order = self.resume_order.filter(|number| *number > flight.orders);
            }
            Action::Retune(interval) if self.retune == Some(interval) => self.retune = None,
            _ => {}
        }
        let is_first = self.epoch.is_none();
        if self.epoch != Some(terms.epoch) || self.told_until <= now {
            self.told_until = match terms.hold {
                0 => 0,
                hold => now + hold,
            };
        }
        let told = if self.resume_order.is_some() {
            0
        } else {
            self.told_until
        };
        self.held_until = told.max(self.hold_order.map_or(0, |order| order.until));
        self.epoch = Some(terms.epoch);
        if self.retune.is_some() || terms.interval == self.interval {
            return;
        }
        if is_first {
            if self.config.interval_wins {
                return self.retune(self.interval);
            }
            self.news.push(News::OtherRate {
                built: Duration::from_micros(self.interval),
                in_force: Duration::from_micros(terms.interval),
            });
        }
        // The slots of before are let go, which is safe whatever the terms were.
        self.counts.lost += self.held.clear();
        self.go_by(terms.interval);
    }

    fn leased(&mut self, now: u64, want: u32, outdated: bool, reply: &Reply) {
        let granted = reply.granted();
        self.counts.granted += granted;
        // How far ahead the next slot can be had.
        let reach = self.config.horizon.saturating_sub(reply.later);
        let local = |at: u64| now + at.saturating_sub(reply.now);
        if granted > 0 {
            // Terms that were changed meanwhile, or are to be.
            if outdated || reply.terms.interval != self.interval {
                let mut late = super::Held::default();
                late.push(now, reply);
                let (offer, _) = late.take_all(reply.born);
                return self.offer(offer);
            }
            self.compete_at = 0;
            self.held.push(now, reply);
            let first = self.held.begins();
            self.had.lease = (first, granted);
            let near = crate::calendar::reach(self.config.horizon, self.above);
            let kept_back = near.is_some_and(|near| first > now + near);
            self.kept_back = kept_back.then_some(reply.kept_back);
            let ahead = first.saturating_sub(now);
            self.equals.found(ahead, span(self.config.horizon));
            self.crowded &= first >= now + self.config.horizon / 2;
            if self.crowded {
                let opens = if self.kept_back.is_some() {
                    self.ask_at(now)
                } else {
                    first
                };
                self.ask_after(now, opens, self.config.horizon);
            }
        } else if want == 0 {
            if local(reply.next) <= now + reach / 4 {
                // Nobody has drawn it.
                self.compete_at = 0;
            }
            self.look_again(now);
        } else {
            let next = local(reply.next);
            let horizon = self.config.horizon;
            self.crowded = reply.terms.hold == 0 && reply.learning_until <= reply.now;
            // Terms may change meanwhile.
            let recheck = now + horizon.max(1000 * u64::from(self.hosts));
            let opens = next.saturating_sub(reach).max(now);
            let is_rare = self.crowded && self.is_rare();
            let opens = if is_rare { opens } else { opens.min(recheck) };
            self.ask_after(now, opens, reach);
        }
    }

    fn given(&mut self, offered: u64, taken_back: u64) {
        let given = taken_back.min(offered);
        self.counts.given_back += given;
        self.counts.lost += offered - given;
        self.too_many();
    }

    /// Gives up a call that takes too long.
    pub(super) fn time_out(&mut self, now: u64) {
        let timeout = self.config.timeout;
        if self
            .flight
            .as_ref()
            .is_some_and(|flight| now >= flight.since + timeout)
            && let Some(flight) = self.flight.take()
        {
            let why = format!("no answer within {:?}", Duration::from_micros(timeout));
            self.failed(now, &flight, BackendError::Away(why));
        }
    }

    fn failed(&mut self, now: u64, flight: &Flight, why: BackendError) {
        // Whether they were taken is not known.
        self.counts.lost += flight.offered;
        self.counts.failures += 1;
        self.failures += 1;
        // When it is back, those who do not know yet go on by themselves for this long at most. What is refused, such as a password, will
        // be refused again.
        let longest = match why {
            BackendError::Refused(_) => REFUSED_PAUSE,
            BackendError::Away(_) => (100 * u64::from(self.hosts)).clamp(MAX_PAUSE / 10, MAX_PAUSE),
        };
        let pause = (PAUSE << (self.failures - 1).min(16)).min(longest);
        self.retry_at = now + pause / 2 + self.jitter(pause / 2);
        self.last_error = Some((why.clone(), now));
        if self.failures >= 2 && !self.is_away() {
            self.go_away(now, why);
        }
    }

    fn go_away(&mut self, now: u64, why: BackendError) {
        let at_most = match self.config.away {
            Away::Share { at_most } | Away::Full { at_most } => at_most,
            Away::Stop => Duration::ZERO,
        };
        let at_most = u64::try_from(at_most.as_micros()).unwrap_or(u64::MAX);
        let factor = match self.config.away {
            Away::Full { .. } => Some(1),
            Away::Share { .. } | Away::Stop => self.parts(now),
        };
        let until = match factor {
            Some(_) => now.saturating_add(at_most),
            // Nobody knows how many others there are.
            None => now,
        };
        self.go_alone(now, until, factor.unwrap_or(1));
        if let Some(alone) = &mut self.alone {
            alone.away_since = Some(now);
        }
        self.counts.times_away += 1;
        self.spent_told = false;
        self.news.push(News::Away(why));
    }

    /// Among how many hosts the rate is divided where the backend can't say who may go.
    fn parts(&self, now: u64) -> Option<u32> {
        let contact = self.config.contact(self.interval);
        let counted = self.claim.hosts(now, contact);
        match (counted, self.config.expected_hosts) {
            (None, 0) => None,
            (counted, expected) => Some(expected.max(counted.unwrap_or(0)).max(1)),
        }
    }

    fn go_alone(&mut self, now: u64, until: u64, factor: u32) {
        match &mut self.alone {
            Some(alone) => alone.go_on(until, factor),
            None => {
                let phase = self.random();
                let (interval, had) = (self.interval, self.had);
                self.alone = Some(Alone::new(now, until, interval, factor, had, phase));
            }
        }
    }

    /// A state that is new grants nothing for a while: until then this host goes on with its part.
    fn begin_learning(&mut self, now: u64) {
        if self.learning_until <= now {
            return;
        }
        if let Some(parts) = self.parts(now) {
            self.go_alone(now, self.learning_until, parts);
        }
    }

    fn reached(&mut self, now: u64) {
        self.failures = 0;
        let Some(since) = self.alone.and_then(|alone| alone.away_since) else {
            return;
        };
        if let Some(alone) = &mut self.alone {
            // What it has released counts, if a state that is new comes next.
            alone.end(now);
        }
        let away = now.saturating_sub(since);
        self.counts.away += away;
        self.news.push(News::Back {
            after: Duration::from_micros(away),
        });
    }
}

/// Whether it is an answer to the call, and no slot is in it that was not asked for.
fn is_usable(action: &Action, reply: &Reply) -> bool {
    let terms = reply.terms;
    let sound = (1..=MAX_MICROS).contains(&terms.interval)
        && terms.hold <= MAX_MICROS
        && reply.learning_until.saturating_sub(reply.now) <= 2 * MAX_MICROS
        && reply.next.saturating_sub(reply.now) <= 4 * MAX_MICROS;
    let (want, from, until) = match action {
        Action::Reserve {
            want,
            horizon,
            burst,
            gathered,
            ..
        } => {
            let past = u64::from(burst.saturating_sub(1)).saturating_mul(terms.interval);
            let from = match gathered {
                0 => reply.now,
                _ => reply.now.saturating_sub(past),
            };
            let want = u64::from(*want) + u64::from(*gathered);
            (want, from, reply.now.saturating_add(*horizon))
        }
        _ => (0, 0, 0),
    };
    let in_reach = |slots: &Slots| {
        let last = u64::from(slots.count.saturating_sub(1)).checked_mul(slots.step);
        let last = last.and_then(|span| span.checked_add(slots.first));
        slots.count > 0
            && (1..=MAX_MICROS).contains(&slots.step)
            && slots.first >= from
            && last.is_some_and(|last| last <= until)
    };
    sound && reply.granted() <= want && reply.slots.iter().all(in_reach)
}
