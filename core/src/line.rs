//! Coming and going: taking the next place in line, leaving it, and who is ahead.

use core::ops::Deref;

use crate::clock::Clock;
use crate::error::EnqueueError;
use crate::head::Turn;
use crate::layout::{ONE, TICKET_SHIFT};
use crate::queue::QueueOver;
use crate::slot::{Slot, Status};
use crate::tail::End;
use crate::weight::{MAX_WEIGHT, Weighing, extra_bits, extra_of};

impl<C: Clock, S: Deref<Target = [Slot]>, K: Weighing> QueueOver<C, S, K> {
    /// Hands out a ticket that costs `extra` beyond one permit. The driver is told by whoever holds it: see `tell_idle`.
    pub(crate) fn take_ticket(&self, extra: usize) -> Result<usize, EnqueueError> {
        let mut end = self.tail.load();
        loop {
            if end.is_shut() {
                return Err(EnqueueError::Closed);
            }
            if self.weigh(end) {
                end = self.tail.load();
                continue;
            }
            let ticket = end.ticket();
            if !self.ring.is_free(ticket) {
                // Head and tail are a whole ring apart, or its place is still to be freed: never more, as the tail can't pass
                // a place before it is free, and who makes one free has begun, on the head's word, to move the head on.
                let previous = self.ring.lap_before(ticket);
                let turn = self.free_turn();
                if turn.ticket() != previous {
                    self.ring.free(previous);
                } else if !self.pass_over(turn) && self.head.load() == turn {
                    // As of the look at the head's waiter: it had not left, nor had its place been made free, as the head
                    // still stands there.
                    return Err(EnqueueError::Full {
                        capacity: self.capacity(),
                    });
                }
                end = self.tail.load();
                continue;
            }
            match self.tail.hand_out(end, extra_bits(extra)) {
                Ok(next) => {
                    self.weigh(next);
                    return Ok(ticket | extra_bits(extra));
                }
                Err(seen) => end = seen,
            }
        }
    }

    /// Tells a driver that sleeps because nobody was in line. After somebody has come, who has his waiter in hand: a waker that
    /// panics then leaves no ghost in line.
    #[inline]
    pub(crate) fn tell_idle(&self) {
        // The mark is the driver's own, and stays until it has looked.
        if self.tail.load().is_idle() {
            self.driver_waker.wake();
        }
    }

    /// Leaves the line. Says what the waiter was.
    pub(crate) fn leave(&self, ticket: usize) -> Status {
        let before = self.ring.cancel(ticket);
        if extra_of::<K>(ticket) != 0 && before == Status::Waiting {
            self.a_heavy_one_left(ticket);
        }
        before
    }

    /// The next in line may be due sooner than one that weighed more: moves the head on, and tells the driver.
    #[cold]
    fn a_heavy_one_left(&self, ticket: usize) {
        while self.pass_over(self.free_turn()) {}
        if self.ahead_of(ticket).is_none() {
            self.wake_for_the_next();
        }
    }

    /// Tells the driver that something may be due sooner than it knows. One that sleeps because nobody is in line knows of no
    /// reading, and is told by whoever comes.
    pub(crate) fn wake_for_the_next(&self) {
        let end = self.tail.latest();
        if !end.is_idle() || end.ticket() != self.free_turn().ticket() {
            self.driver_waker.wake();
        }
    }

    /// How many are ahead of `ticket`. None once the head has passed it.
    pub(crate) fn ahead_of(&self, ticket: usize) -> Option<usize> {
        let ahead = ticket.wrapping_sub(self.head.load().ticket()) >> TICKET_SHIFT;
        // A ring full of waiters can have one more behind it: the head's slot is free for it before the head moves.
        (ahead <= self.capacity()).then_some(ahead)
    }

    /// What is used before the permit of `ticket`: those ahead, and what all up to it cost beyond one permit each. Walks the
    /// line where there are weights.
    pub(crate) fn permits_ahead(&self, ticket: usize) -> Option<usize> {
        let ahead = self.ahead_of(ticket)?;
        let mut permits = ahead.saturating_add(extra_of::<K>(ticket));
        if K::WEIGHTED {
            let mut at = ticket;
            for _ in 0..ahead {
                at = at.wrapping_sub(ONE);
                permits = permits.saturating_add(self.extra(at));
            }
        }
        Some(permits)
    }

    /// Writes the weight that the tail carries to the slot of the latest ticket, if it carries one. Then the tail is another.
    #[inline]
    pub(crate) fn weigh(&self, end: End) -> bool {
        let pending = K::WEIGHTED && end.weight() != 0;
        if pending {
            let latest = end.ticket().wrapping_sub(ONE);
            self.ring.weigh(latest, end.weight());
            self.tail.weighed(end);
        }
        pending
    }

    /// What a waiter of `weight` costs beyond one permit.
    #[inline]
    pub(crate) fn checked_extra(&self, weight: usize) -> Result<usize, EnqueueError> {
        if weight == 1 {
            return Ok(0);
        }
        let max = if K::WEIGHTED {
            self.rate().burst_size().min(MAX_WEIGHT)
        } else {
            1
        };
        match weight.checked_sub(1) {
            Some(extra) if weight <= max => Ok(extra),
            _ => Err(EnqueueError::Weight { weight, max }),
        }
    }

    /// Tells every waiter in line that the queue is closed.
    pub(crate) fn close_waiters(&self, turn: Turn, end: End) {
        self.weigh(end);
        let mut ticket = turn.ticket();
        while ticket != end.ticket() {
            if let Some(waker) = self.ring.close(ticket) {
                waker.wake();
            }
            ticket = ticket.wrapping_add(ONE);
        }
    }
}
