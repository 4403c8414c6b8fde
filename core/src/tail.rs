//! The line's end: handing out tickets.
//!
//! The tail's word is `ticket | IDLE | DRAINING | CLOSED`. Because the marks are in the same word, one compare-and-swap
//! decides whether a ticket was handed out before the door closed, and whether the sleeping driver saw it:
//! a driver that finds the queue empty sets `IDLE` only if the tail is still where it looked, and who hands out the
//! next ticket clears the mark and owes it the wake-up.

use core::ops::Deref;

use crate::atomic::Ordering;
use crate::clock::Clock;
use crate::error::EnqueueError;
use crate::ring::{ONE, QueueOver, TICKET, TICKET_SHIFT};
use crate::slot::{SLOT_BITS, Slot, Vacancy};
use crate::weight::Weighing;

pub(crate) const IDLE: usize = 0b001;
pub(crate) const DRAINING: usize = 0b010;
pub(crate) const CLOSED: usize = 0b100;

impl<C: Clock, S: Deref<Target = [Slot]>, K: Weighing> QueueOver<C, S, K> {
    /// Hands out a ticket that costs `extra` beyond one permit. `quiet` leaves a sleeping driver asleep.
    pub(crate) fn take_ticket(&self, quiet: bool, extra: usize) -> Result<usize, EnqueueError> {
        let mut tail = self.tail();
        loop {
            if tail & (CLOSED | DRAINING) != 0 {
                return Err(EnqueueError::Closed);
            }
            if self.weigh(tail) {
                tail = self.tail();
                continue;
            }
            let ticket = tail & TICKET;
            let previous = ticket.wrapping_sub(self.ring());
            let slot = self.slot(ticket);
            let occupant = self.key(previous);
            match slot.vacancy(self.lap(ticket), occupant) {
                Vacancy::Free => {}
                Vacancy::Passed => {
                    tail = self.tail();
                    continue;
                }
                Vacancy::Left if !self.is_ahead(previous) => {
                    slot.free(occupant, self.lap(ticket));
                    continue;
                }
                Vacancy::Left | Vacancy::Taken => {
                    if self.pass_over(self.free_turn()) {
                        continue;
                    }
                    let now = self.tail();
                    if now == tail {
                        return Err(EnqueueError::Full {
                            capacity: self.capacity(),
                        });
                    }
                    tail = now;
                    continue;
                }
            }
            let idle = if quiet { tail & IDLE } else { 0 };
            let next = ticket.wrapping_add(ONE) | (extra << SLOT_BITS) | idle;
            // Ordering: Release, so that a driver which sees the ticket sees what its waiter did before; Acquire to see
            // the waker of the driver that set IDLE.
            match self
                .tail
                .compare_exchange(tail, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => {
                    self.weigh(next);
                    if !quiet && tail & IDLE != 0 {
                        self.bell.ring();
                    }
                    return Ok(ticket | (extra << SLOT_BITS));
                }
                Err(seen) => tail = seen,
            }
        }
    }

    /// Tells the driver of a ticket that was taken quietly.
    pub(crate) fn announce(&self) {
        // Ordering: AcqRel, as for the CAS in `take_ticket`, whose second half this is.
        if self.tail.fetch_and(!IDLE, Ordering::AcqRel) & IDLE != 0 {
            self.bell.ring();
        }
    }

    /// Tells the driver that a permit came back, if anybody waits for it.
    pub(crate) fn permit_came_back(&self) {
        // Ordering: a read-modify-write, since only that is sure to see the latest ticket: whoever hands out the next one
        // then has the returned permit in its past, and so has the driver that it wakes.
        let tail = self.tail.fetch_or(0, Ordering::AcqRel);
        if tail & TICKET != self.free_turn() & TICKET {
            self.bell.ring();
        }
    }

    /// How many are ahead of `ticket`.
    pub(crate) fn ahead_of(&self, ticket: usize) -> usize {
        // Ordering: Acquire; a count for people, out of date when it is returned.
        let head = self.head.load(Ordering::Acquire);
        ticket.wrapping_sub(head & TICKET) >> TICKET_SHIFT
    }

    /// Whether the head has yet to pass `ticket`.
    fn is_ahead(&self, ticket: usize) -> bool {
        self.ahead_of(ticket) < self.capacity()
    }

    /// Moves the head over a waiter that has left. False when the head is still waiting.
    pub(crate) fn pass_over(&self, turn: usize) -> bool {
        let ticket = turn & TICKET;
        let left = matches!(
            self.slot(ticket)
                .vacancy(self.next_lap(ticket), self.key(ticket)),
            Vacancy::Left
        );
        if left {
            self.skip(turn);
        }
        left
    }

    /// Tells every waiter in line that the queue is closed.
    pub(crate) fn close_waiters(&self, turn: usize, tail: usize) {
        self.weigh(tail);
        let mut ticket = turn & TICKET;
        while ticket != tail & TICKET {
            if let Some(waker) = self.slot(ticket).close(self.key(ticket)) {
                waker.wake();
            }
            ticket = ticket.wrapping_add(ONE);
        }
    }

    pub(crate) fn tail(&self) -> usize {
        // Ordering: Acquire pairs with the CAS that hands out a ticket. Callers that compare it with the head load the
        // head first: the tail is then at least as far.
        self.tail.load(Ordering::Acquire)
    }
}
