//! Changing a queue's pace while it runs: rates, holds, costs that are known only after the call, and the end.

use core::ops::Deref;

use crate::clock::{Clock, Tick, Word, WordOf, private::Bits};
use crate::error::{ChargeError, HoldError};
use crate::head::Turn;
use crate::layout::TICKET;
use crate::pace::{Claim, View};
use crate::queue::QueueOver;
use crate::rate::Rate;
use crate::slot::Slot;
use crate::stamp::stamp;
use crate::weight::{Weighing, extra_of};

impl<C: Clock, S: Deref<Target = [Slot]>, K: Weighing> QueueOver<C, S, K> {
    /// Sets the rate, for those already queued too. Wakes the driver where somebody can be due sooner by it.
    ///
    /// The permits in hand stay, up to the new burst, and so do the fraction gained towards the next one and what is owed:
    /// half an interval before its release a waiter is half an interval of the new rate away from it. Rounded to whole
    /// ticks, never in favour of who waits.
    ///
    /// Of several calls at once one wins, whole. A call takes effect at the reading that it takes, in one step. No release is
    /// made by the old rate after this returns.
    pub fn set_rate(&self, rate: Rate<WordOf<C>>) {
        let is_sooner = loop {
            if let Some(is_sooner) = self.try_set_rate(rate) {
                break is_sooner;
            }
        };
        self.bump();
        self.tell_driver(is_sooner);
    }

    /// One attempt, as told on the page of `pace`. Whether somebody can be due sooner by this rate than by the one that it
    /// replaced; none when something came between.
    fn try_set_rate(&self, rate: Rate<WordOf<C>>) -> Option<bool> {
        let claim = self.claim(true)?;
        // Whoever decides by a view from before the claim fails from here on, so that none is half of this rate.
        self.bump();
        if !self.pace.write(&claim, rate) {
            return None;
        }
        // Nothing is used between the claim and the commit, so that the reading is when it takes effect.
        let now = self.reading(&claim)?;
        self.pace.commit(&claim, rate, now)
    }

    /// Claims the schedule's word, kept tidy as of a reading from before. None when something came between.
    fn claim(&self, mine: bool) -> Option<Claim<WordOf<C>>> {
        let view = self.pace.view();
        let now = self.clock.now().to_word();
        if self.pace.tidy(&view, now) {
            return None;
        }
        self.pace.claim(&view, now, mine)
    }

    /// The clock's reading: whatever is used after it ends the claim. None, and no claim any more, where a hold is over by it,
    /// which has to be taken off first.
    fn reading(&self, claim: &Claim<WordOf<C>>) -> Option<WordOf<C>> {
        let now = self.clock.now().to_word();
        let mut schedule = claim.view.schedule;
        // As it is now: a hold may have come and gone since the claim.
        schedule.hold = self.pace.view().schedule.hold;
        if schedule.lift(stamp(now)) {
            self.pace.settle(claim, claim.view.schedule.last);
            return None;
        }
        Some(now)
    }

    /// Releases nobody before `until`, those already queued included. Only extends: an earlier reading than the present
    /// hold's changes nothing, nor does the present one or one in the past. From its end on releases are evenly spaced: a
    /// hold spends the burst.
    ///
    /// # Errors
    /// [`HoldError`] when `until` is further than [`Word::MAX_SPAN`] ticks away.
    pub fn hold_until(&self, until: C::Tick) -> Result<(), HoldError<WordOf<C>>> {
        let until = until.to_word();
        let now = self.clock.now().to_word();
        let ticks = until.minus(now);
        if ticks >= WordOf::<C>::HALF || ticks == WordOf::<C>::ZERO {
            return Ok(());
        }
        if ticks > WordOf::<C>::MAX_SPAN {
            return Err(HoldError {
                ticks,
                max: WordOf::<C>::MAX_SPAN,
            });
        }
        self.pace.hold_until(until, now);
        // Always: who has set the hold that is there may have stopped before its own bump.
        self.bump();
        Ok(())
    }

    /// Ends a hold now, and wakes the driver if there was one.
    ///
    /// The hold ends as of the reading that the call takes. It has spent what was put back before the call returned, as it
    /// spends the burst: also a [`refund`](Self::refund) that came between that reading and the end.
    pub fn resume(&self) {
        let was_held = self.pace.resume(|| self.clock.now().to_word());
        if was_held {
            self.bump();
        }
        self.tell_driver(was_held);
    }

    /// Wakes the driver for a change that makes somebody due sooner; also for that of others, who may have stopped before
    /// doing so.
    fn tell_driver(&self, is_sooner: bool) {
        if is_sooner || self.pace.is_untold() {
            self.driver_waker.wake();
        }
    }

    /// Uses up `permits` more, for a call that turned out to cost more than was waited for: those that have gathered, and
    /// then those to come. The pending release moves back as far as that takes.
    ///
    /// ```
    /// use apiqueue_core::{ManualClock, Next, Queue, Rate};
    ///
    /// let clock = ManualClock::<u32>::new(0);
    /// let queue: Queue<_, 4> = Queue::new(&clock, Rate::every(10)?);
    /// let line = [queue.enqueue()?, queue.enqueue()?];
    /// assert_eq!(queue.advance().next, Next::At(10));
    /// queue.charge(5)?; // the first call's answer said: 6 in all
    /// assert_eq!(queue.advance().next, Next::At(60));
    /// # drop(line);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ChargeError`] when it would put the next release off by more than [`Word::MAX_SPAN`] ticks. Nothing is charged then.
    pub fn charge(&self, permits: usize) -> Result<(), ChargeError> {
        if permits == 0 {
            return Ok(());
        }
        loop {
            let Some(claim) = self.claim(false) else {
                continue;
            };
            let Some(now) = self.reading(&claim) else {
                continue;
            };
            let (schedule, now) = (&claim.view.schedule, stamp(now));
            let charged = schedule.charged(now, permits);
            let is_settled = self
                .pace
                .settle(&claim, *charged.as_ref().unwrap_or(&schedule.last));
            match charged {
                _ if !is_settled => {}
                Ok(_) => {
                    // What was in hand is used: no decision made before that takes effect from here on.
                    self.bump();
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Puts `permits` back, for a call that turned out to cost less than was waited for. What is above the burst is lost, as
    /// it is when permits gather. The pending release moves forward, a tick short of it, and a sleeping driver is told.
    ///
    /// In any window at most `burst + ⌊(w + slack) / interval⌋` permits are used, where a refund counts against those used
    /// in the window in which it is made.
    pub fn refund(&self, permits: usize) {
        loop {
            let Some(claim) = self.claim(false) else {
                continue;
            };
            let Some(now) = self.reading(&claim) else {
                continue;
            };
            let (schedule, now) = (&claim.view.schedule, stamp(now));
            let refunded = schedule.refunded(now, permits).unwrap_or(schedule.last);
            if self.pace.settle(&claim, refunded) {
                // Also where the burst is full: who filled it may have stopped before telling the driver.
                return self.wake_for_the_next();
            }
        }
    }

    /// Gives back the permit of the released `ticket`, less a tick, if nothing was used or changed since. Says whether.
    pub(crate) fn give_back(&self, ticket: usize) -> bool {
        let ours = Some(ticket & TICKET);
        self.put_back(extra_of::<K>(ticket), |_| {
            self.free_turn().latest_release() == ours
        })
    }

    /// [`give_back`](Self::give_back) of a permit taken without a place in line.
    pub(crate) fn give_back_taken(&self, turn: Turn, word: WordOf<C>) -> bool {
        self.put_back(0, |view| {
            turn.is_free() && self.free_turn().has_only_passed_over(turn) && view.is_as_in(word)
        })
    }

    /// Puts back what was used last, if `is_latest` says so.
    #[cold]
    fn put_back(&self, extra: usize, is_latest: impl Fn(&View<WordOf<C>>) -> bool) -> bool {
        loop {
            if !is_latest(&self.pace.view()) {
                return false;
            }
            let Some(claim) = self.claim(false) else {
                continue;
            };
            // Once more, as from the claim on whatever uses a permit, or changes the rate, ends it.
            if !is_latest(&claim.view) {
                self.pace.settle(&claim, claim.view.schedule.last);
                return false;
            }
            // The reading only keeps the stamp from being too old to be told from one ahead: one from before does.
            let schedule = &claim.view.schedule;
            let returned = schedule.returned_at(stamp(claim.before), extra);
            if self.pace.settle(&claim, returned) {
                self.wake_for_the_next();
                return true;
            }
        }
    }

    /// Refuses everybody from now on: [`enqueue`](Self::enqueue) says `Closed`, every waiter in line is woken and says
    /// `Closed`, nobody passes any more. Final.
    ///
    /// # Panics
    /// Only if a waker does; the next [`advance`](Self::advance) or `close` goes on with the rest.
    pub fn close(&self) {
        self.tail.close();
        self.bump();
        let turn = self.free_turn();
        self.close_waiters(turn, self.tail.load());
        self.driver_waker.wake();
    }

    /// Refuses new waiters and goes on releasing those in line, at the rate. Wakes the driver, so that it can tell the
    /// end ([`Next::Closed`](crate::Next::Closed)) of an empty queue.
    pub fn drain(&self) {
        self.tail.drain();
        self.driver_waker.wake();
    }

    /// Wakes the driver that sleeps on this queue, if one does: for a clock that was set.
    pub fn wake_driver(&self) {
        self.driver_waker.wake();
    }
}
