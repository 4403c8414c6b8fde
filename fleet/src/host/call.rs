//! When a host calls the backend, and for what.

use std::sync::Arc;

use super::size::SPAN;
use super::{Flight, HoldOrder, Host, Offer};
use crate::backend::{Action, Call, Terms};

/// Fewer hosts than this ask for each slot where slots are farther apart than the horizon, on average.
const ASKS_A_SLOT: u64 = 2;
/// How often all hosts together ask for the terms while they wait for their chance to get a slot. Microseconds.
const LOOK: u64 = 15_000;
/// The same where slots are farther apart than the horizon.
const LOOK_RARE: u64 = 500_000;
/// How often each asks for them at the least, where there are not too many.
const LONGEST_LOOK: u64 = 60_000_000;

impl Host {
    /// Releases nobody before `until`, a local time, and has the backend tell the others. Only extends. Slots of that time are gone.
    pub fn hold(&mut self, until: u64) {
        if until > self.held_until {
            self.held_until = until;
            self.orders += 1;
            let number = self.orders;
            self.hold_order = Some(HoldOrder { until, number });
            self.hurry();
        }
    }

    /// Ends a hold, for all.
    pub fn resume(&mut self) {
        self.held_until = 0;
        self.hold_order = None;
        self.orders += 1;
        self.resume_order = Some(self.orders);
        self.hurry();
    }

    /// Sets the interval in microseconds, for all. Slots held are let go, if it is another one: to use none is safe whatever the new one is.
    pub fn retune(&mut self, interval: u64) {
        let interval = interval.max(1);
        if interval != self.interval {
            self.go_by(interval);
            if let Some(flight) = &mut self.flight {
                flight.outdated = true;
            }
            self.offer_all();
            self.crowded = false;
        }
        self.retune = Some(interval);
        self.hurry();
    }

    /// By another interval from now on.
    pub(super) fn go_by(&mut self, interval: u64) {
        if let Some(alone) = &mut self.alone {
            alone.retune(self.interval, interval);
        }
        self.interval = interval;
        self.compete_at = 0;
    }

    /// How many slots may gather, for this host.
    pub fn set_burst(&mut self, burst: u32) {
        self.config.burst = burst.max(1);
    }

    fn hurry(&mut self) {
        if self.failures == 0 {
            self.retry_at = 0;
        }
    }

    /// Asks for nothing more once the line is empty, and gives back what is held.
    pub fn leave(&mut self) {
        self.leaving = true;
    }

    /// Offers all slots back that are held, to the state that granted them.
    pub(super) fn offer_all(&mut self) {
        if let Some(born) = self.born {
            let (offer, lost) = self.held.take_all(born);
            self.counts.lost += lost;
            self.offer(offer);
        }
    }

    /// Offers slots back that are not to be used any more.
    pub(super) fn offer(&mut self, offer: Offer) {
        let before = self.offer.take();
        let (offer, lost) = offer.with(before);
        self.counts.lost += lost;
        self.offer = Some(offer).filter(|offer| offer.count > 0);
    }

    /// Whether the backend is to be told something, whoever is in line.
    pub(super) fn has_orders(&self) -> bool {
        self.offer.is_some()
            || self.resume_order.is_some()
            || self.hold_order.is_some()
            || self.retune.is_some()
    }

    /// Whether more are in line than slots are held, or soon will be, as those released have come back so far; or it is to be found
    /// out whether the backend is back.
    pub(super) fn needs_more(&self, now: u64, line: usize) -> bool {
        if self.room == 0 {
            return false;
        }
        let come = line > 0 || self.are_expected(now);
        let will_be = come && (self.is_spaced() || self.busy && self.size.has_grown());
        will_be || line as u64 > self.held.count() || self.is_away() && !self.leaving
    }

    /// When to make the next call, if nothing speaks against it.
    pub(super) fn ask_at(&self, now: u64) -> u64 {
        if self.has_orders() {
            return now;
        }
        let Some(end) = self.held.end() else {
            return now;
        };
        // At most one lease that has not begun, and no sooner than it takes to be answered before the end. Slots that are spaced out take as
        // long as those of all hosts together: the next ones are among what the others are granted meanwhile.
        let ahead = match self.is_spaced() {
            true => self.round_trip.lead().max(SPAN),
            false => self.round_trip.lead(),
        };
        (self.held.begins()).max(end.saturating_sub(ahead)).max(now)
    }

    /// Whether its callers can't use slots that follow one another, and others may.
    fn is_spaced(&self) -> bool {
        self.hosts > 1 && self.reuse.spacing() >= 2 * self.interval
    }

    /// The call to make now.
    pub(super) fn call(&mut self, now: u64, line: usize) -> Option<(u64, Call)> {
        if self.hold_order.is_some_and(|order| order.until <= now) {
            // Over before anybody could be told.
            self.hold_order = None;
        }
        if self.flight.is_some() || now < self.retry_at {
            return None;
        }
        let mut offered = 0;
        let action = if let Some(offer) = self.offer.take() {
            offered = offer.count;
            Action::GiveBack {
                born: offer.born,
                epoch: offer.epoch,
                slots: offer.slots,
            }
        } else if self.resume_order.is_some() {
            Action::Resume
        } else if let Some(order) = self.hold_order {
            Action::Hold(order.until - now)
        } else if let Some(interval) = self.retune {
            Action::Retune(interval)
        } else if self.needs_more(now, line) && self.ask_at(now) <= now {
            if self.busy {
                let fair = self.lease_size();
                self.size.grow(fair);
            }
            self.busy = true;
            self.reserve(now, line)
        } else {
            return None;
        };
        let id = self.next_id;
        self.next_id += 1;
        let call = self.call_for(now, action);
        self.flight = Some(Flight {
            id,
            since: now,
            outdated: false,
            offered,
            orders: self.orders,
            action: call.action.clone(),
        });
        self.counts.calls += 1;
        Some((id, call))
    }

    fn call_for(&self, now: u64, action: Action) -> Call {
        let config = &self.config;
        // A slot granted before the backend forgot is at most a horizon away, its use at most a timeout later, and the next
        // is an interval after it.
        let grace = match config.at_once {
            true => 0,
            false => config.horizon + config.timeout + self.interval.min(config.horizon),
        };
        Call {
            host: config.host,
            label: Arc::clone(&config.label),
            known: Terms {
                interval: self.interval,
                hold: self.told_until.saturating_sub(now),
                epoch: self.epoch.unwrap_or(0),
            },
            grace,
            window: 4 * config.contact(self.interval),
            action,
        }
    }

    fn reserve(&self, now: u64, line: usize) -> Action {
        let held = usize::try_from(self.held.count()).unwrap_or(usize::MAX);
        let fair = self.lease_size();
        let spacing = self.reuse.spacing();
        let uncovered = line.saturating_sub(held);
        let (want, gathered) = if now < self.compete_at || line == 0 && !self.are_expected(now) {
            (0, 0)
        } else {
            let most = self.config.burst.min(self.config.max_lease);
            let gathered = u32::try_from(uncovered).map_or(most, |line| line.min(most));
            let has_burst = self.config.burst > 1 && !self.is_spaced();
            // As many as they can use, where that is known.
            let want = match self.is_spaced() {
                true => u32::try_from(SPAN.div_ceil(spacing)).map_or(fair, |most| fair.min(most)),
                false => self.size.want(fair, uncovered),
            };
            (want, if has_burst { gathered } else { 0 })
        };
        let from = match self.held.last() {
            Some(last) if self.is_spaced() => last + spacing - self.interval,
            _ => 0,
        };
        let after = from.max(self.held_until).saturating_sub(now);
        Action::Reserve {
            want,
            spacing: if self.is_spaced() { spacing } else { 0 },
            after,
            horizon: self.config.horizon,
            burst: self.config.burst,
            gathered,
        }
    }

    /// When to ask again, where hosts compete for the next slot that can be had from `opens` on.
    ///
    /// Where slots come faster than hosts can ask, each asks at a random moment of a time that grows with their number: so that all
    /// have the same chance, whatever their round trips are and whoever had the last slot, and the backend is not run over. Short
    /// enough for slots to be taken before they are due: about two asks a slot, and eight in each horizon where that holds few slots.
    ///
    /// Where slots are farther apart than the horizon, each draws one of the next slots and asks for that one. Until then it asks for the
    /// terms now and then.
    pub(super) fn ask_after(&mut self, now: u64, opens: u64) {
        let (interval, horizon) = (self.interval, self.config.horizon);
        let hosts = u64::from(self.hosts);
        self.compete_at = if self.is_rare() && self.crowded {
            let drawn = self.jitter(hosts / ASKS_A_SLOT).saturating_mul(interval);
            opens
                .saturating_add(drawn)
                .saturating_add(self.jitter(horizon - horizon / 4))
        } else {
            let each = interval.min(horizon / 8);
            opens.saturating_add(self.jitter(each.saturating_mul(hosts)))
        };
        self.look_again(now);
    }

    /// Whether slots are farther apart than the horizon.
    pub(super) fn is_rare(&self) -> bool {
        self.interval > self.config.horizon
    }

    /// When to ask again for the terms, or to compete: within the time in which a host has to be heard of to know how many there are, unless
    /// there are so many that the backend would have more to do with them than with slots.
    pub(super) fn look_again(&mut self, now: u64) {
        let hosts = u64::from(self.hosts);
        let contact = (self.config.contact(self.interval) * 2 / 3).min(LONGEST_LOOK);
        let look = if self.is_rare() {
            contact.min(self.config.horizon.max(LOOK_RARE.saturating_mul(hosts)))
        } else {
            contact.max(LOOK.saturating_mul(hosts))
        };
        self.retry_at = self.compete_at.clamp(now, now + look);
    }
}
