//! What a caller holds while in line: poll it, await it, drop it to leave.

use core::future::Future;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::pin::Pin;
use core::ptr;
use core::task::{Context, Poll, Waker};

use crate::atomic::{AtomicU8, Ordering};
use crate::clock::{Clock, Tick, Word, WordOf, private::Bits};
use crate::error::{Closed, EnqueueError};
use crate::head::Turn;
use crate::lane::{Permit, Taken};
use crate::queue::QueueOver;
use crate::slot::{Register, Slot, Status};
use crate::stamp::stamp;
use crate::weight::{Weighing, extra_of};
use private::Sealed;

/// A place in line.
///
/// `Q` is how the waiter holds on to its queue: `&Queue`, or whatever derefs to one, such as an `Arc`.
///
/// Three ways to wait: look at [`is_waiting`](Self::is_waiting) now and then, `.await` it on any executor, or leave a waker
/// with [`poll_release`](Self::poll_release).
///
/// # Cancel safety
/// Dropping a waiter leaves the line at once and costs nobody a turn. If it was released meanwhile and never told so,
/// the permit goes to the next one a tick later, as long as nobody else has used one and no rate or hold was set since:
/// after that, giving it back could let two go too close together. (With weights, nor if the next one left in the moment of
/// its own release; nor if exactly 2<sup>16</sup> have come and left since, 2<sup>6</sup> on 32-bit targets. Of one that
/// [entered](QueueOver::enter) without a wait, nor if permits were charged or put back since, or another thread completed the
/// taking of its permit; and it is given back though another has used one, where what was put back since comes to exactly what
/// was used, less two ticks.)
///
/// A waiter that is leaked costs its own turn, nothing else.
///
/// On 32-bit targets look at a released waiter before 2<sup>22</sup> later ones have been released: the ring's laps
/// repeat then.
#[derive(Debug)]
#[must_use = "dropping a waiter leaves the line"]
pub struct Waiter<Q: Deref<Target: Line>> {
    queue: Q,
    /// Its ticket; without one, the head's word when it took its permit.
    place: usize,
    /// Without a ticket, the schedule's word that it wrote.
    word: <Q::Target as Sealed>::Word,
    /// As below.
    state: AtomicU8,
}

/// It has a ticket, and nobody was told of a release yet.
const IN_LINE: u8 = 0b000;
/// A mark: its holder knows of its release.
const TOLD: u8 = 0b001;
/// A mark: it has a permit and no ticket.
const PASSED: u8 = 0b010;
/// It has nothing to do with its place any more, which may be another's by now.
const LEFT: u8 = 0b100;
/// A mark, beside those two: its permit is from elsewhere.
const ELSEWHERE: u8 = 0b1000;

/// What a waiter was when it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// It was in line.
    InLine,
    /// It had been released, and its holder was not told: now it is, and may make its call or
    /// [give the permit back](Waiter::give_back).
    Released,
    /// There was nothing to leave: its holder was told of its release before, it had left, or the queue is closed.
    Over,
}

impl<Q: Deref<Target: Line>> Waiter<Q> {
    /// [`QueueOver::enqueue`] for a waiter that holds its queue by `queue`.
    ///
    /// # Errors
    /// As there.
    pub fn enqueue(queue: Q) -> Result<Self, EnqueueError> {
        Ok(Self::telling(queue.join(0)?, queue))
    }

    /// [`enqueue_weighted`](QueueOver::enqueue_weighted) for a waiter that holds its queue by `queue`.
    ///
    /// # Errors
    /// As there; in a queue that is not weighted only a weight of 1 is none.
    pub fn enqueue_weighted(queue: Q, weight: usize) -> Result<Self, EnqueueError> {
        let extra = queue.checked_extra(weight)?;
        Ok(Self::telling(queue.join(extra)?, queue))
    }

    /// [`QueueOver::enter`] for a waiter that holds its queue by `queue`.
    ///
    /// # Errors
    /// As there.
    pub fn enter(queue: Q) -> Result<Self, EnqueueError> {
        Ok(Self::enter_timed(queue)?.0)
    }

    /// [`enter`](Self::enter), and for one that need not wait the reading for which its permit counts: who counts what has gone
    /// needs no reading of its own.
    ///
    /// # Errors
    /// As there.
    #[expect(clippy::type_complexity, reason = "the tick is named by the queue")]
    pub fn enter_timed(
        queue: Q,
    ) -> Result<(Self, Option<<Q::Target as Line>::Tick>), EnqueueError> {
        if let Taken::Permit(permit) = queue.take_now() {
            let at = queue.reading(permit.at);
            return Ok((Self::passed(permit, queue), Some(at)));
        }
        Ok((Self::settled(queue.join(0)?, queue), None))
    }

    /// [`enter_weighted`](QueueOver::enter_weighted) for a waiter that holds its queue by `queue`.
    ///
    /// # Errors
    /// As for [`enqueue_weighted`](Self::enqueue_weighted).
    pub fn enter_weighted(queue: Q, weight: usize) -> Result<Self, EnqueueError> {
        match queue.checked_extra(weight)? {
            0 => Self::enter(queue),
            extra => Ok(Self::settled(queue.join(extra)?, queue)),
        }
    }

    /// One that has a permit from elsewhere, as from a limit that several queues share, and so no place in `queue`. Dropping it gives
    /// nothing back there.
    pub fn with_permit(queue: Q) -> Self {
        Self {
            queue,
            place: 0,
            word: <Q::Target as Sealed>::Word::ZERO,
            state: AtomicU8::new(PASSED | TOLD | ELSEWHERE),
        }
    }

    // Made before anything else is done, so that a waker that panics (the driver's, or another waiter's) leaves no ghost in line.

    #[inline]
    fn telling(ticket: usize, queue: Q) -> Self {
        let waiter = Self::new(queue, ticket);
        waiter.queue.tell_idle();
        waiter
    }

    fn settled(ticket: usize, queue: Q) -> Self {
        let waiter = Self::new(queue, ticket);
        waiter.queue.settle(ticket);
        waiter
    }

    fn new(queue: Q, ticket: usize) -> Self {
        Self {
            queue,
            place: ticket,
            word: <Q::Target as Sealed>::Word::ZERO,
            state: AtomicU8::new(IN_LINE),
        }
    }

    fn passed(permit: Permit<<Q::Target as Sealed>::Word>, queue: Q) -> Self {
        Self {
            queue,
            place: permit.turn.into_word(),
            word: permit.word,
            state: AtomicU8::new(PASSED),
        }
    }

    /// Whether it still waits. False once released, and once the queue is closed: [`status`](Self::status) tells which.
    pub fn is_waiting(&self) -> bool {
        self.status() == Status::Waiting
    }

    /// Waiting, released, or closed; a waiter that has [left](Self::leave) the line says closed too.
    pub fn status(&self) -> Status {
        let status = self.peek();
        if status == Status::Released {
            let state = self.state.load(Ordering::Relaxed);
            self.state.store(state | TOLD, Ordering::Relaxed);
        }
        status
    }

    /// [`status`](Self::status) for bookkeeping: its holder does not count as told of a release.
    pub fn peek(&self) -> Status {
        // Ordering: Relaxed, as all of `state`: `LEFT` is only stored through `&mut`, and whether somebody was told only read
        // through it.
        match self.state.load(Ordering::Relaxed) {
            LEFT => Status::Closed,
            state if state & PASSED != 0 => Status::Released,
            _ => self.queue.status(self.place),
        }
    }

    /// Leaves the line now, and says what it was: one atomic transition decides between this and a release. What
    /// dropping it does, for whoever wants to know.
    pub fn leave(&mut self) -> Left {
        let before = self.state.load(Ordering::Relaxed);
        // Before it leaves, so that one whose waker panics when it is dropped has left, and only once.
        self.state.store(LEFT, Ordering::Relaxed);
        let (state, left) = match before {
            IN_LINE => match self.queue.leave(self.place) {
                Status::Waiting => (LEFT, Left::InLine),
                Status::Released => (TOLD, Left::Released),
                Status::Closed => (LEFT, Left::Over),
            },
            PASSED => (PASSED | TOLD, Left::Released),
            other => (other, Left::Over),
        };
        self.state.store(state, Ordering::Relaxed);
        left
    }

    /// Gives the permit of a released waiter back, whose call will not be made after all: the next one goes a tick
    /// later. False when it can't be, as the line has moved on or the rate or hold has changed, or there is none.
    pub fn give_back(&mut self) -> bool {
        if self.status() != Status::Released {
            return false;
        }
        // Ordering: Relaxed, as in `peek`.
        let state = self.state.load(Ordering::Relaxed);
        self.state.store(LEFT, Ordering::Relaxed);
        state & ELSEWHERE == 0 && self.put_back(state & PASSED != 0)
    }

    fn put_back(&self, has_passed: bool) -> bool {
        if has_passed {
            self.queue
                .give_back_taken(Turn::from_word(self.place), self.word)
        } else {
            self.queue.give_back(self.place)
        }
    }

    /// Says how the wait ended, or leaves `waker` to be called when it does. The waker of an earlier call is forgotten.
    ///
    /// The waker is called once, for this waiter's own release, or when the queue is closed. (Where the same slot's
    /// waker of a whole lap before is just being taken out, it is called at once, to try again.)
    pub fn poll_release(&self, waker: &Waker) -> Poll<Result<(), Closed>> {
        // Ordering: as in `peek`.
        let state = self.state.load(Ordering::Relaxed);
        if state & PASSED != 0 {
            self.state.store(state | TOLD, Ordering::Relaxed);
            return Poll::Ready(Ok(()));
        }
        if state == LEFT {
            return Poll::Ready(Err(Closed));
        }
        match self.queue.register(self.place, waker) {
            Register::Armed => Poll::Pending,
            Register::Busy => {
                waker.wake_by_ref();
                Poll::Pending
            }
            Register::Over(Status::Released) => {
                self.state.store(TOLD, Ordering::Relaxed);
                Poll::Ready(Ok(()))
            }
            Register::Over(_) => Poll::Ready(Err(Closed)),
        }
    }

    /// How many are ahead, 0 for the next one; those who have left count until the head passes them. None when it does
    /// not wait any more. Its holder does not count as told of a release by it.
    pub fn position(&self) -> Option<usize> {
        (self.peek() == Status::Waiting)
            .then(|| self.queue.position(self.place))
            .flatten()
    }

    /// How many permits are to be used before it goes, its own but the last one included. None when it does not wait any more. Its
    /// holder does not count as told of a release by it.
    pub fn permits_ahead(&self) -> Option<usize> {
        if self.peek() != Status::Waiting {
            return None;
        }
        self.queue.permits_ahead(self.place)
    }

    /// When it will be released at the present rate and hold, if nobody ahead leaves. None when it does not wait any
    /// more, or the reading is further away than readings can tell. Its holder does not count as told of a release by it.
    pub fn estimate(&self) -> Option<<Q::Target as Line>::Tick> {
        self.queue.estimate(self.permits_ahead()?)
    }

    /// How many permits it costs.
    pub fn weight(&self) -> usize {
        if self.state.load(Ordering::Relaxed) & PASSED != 0 {
            return 1;
        }
        self.queue.weight(self.place)
    }

    /// How it holds its queue.
    pub fn queue(&self) -> &Q {
        &self.queue
    }

    /// Lets go of its place, if it was released, and keeps the permit for a call that will be made: for whoever was told of the release
    /// and needs its queue only. One that is in line leaves.
    #[inline]
    pub fn into_queue(mut self) -> Q {
        if self.state.load(Ordering::Relaxed) & (TOLD | PASSED) == 0 {
            self.leave();
        }
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is never used again, nor dropped, so that its queue is moved out and not doubled. Nothing else in it needs
        // a drop: the place was left above.
        unsafe { ptr::read(&raw const this.queue) }
    }
}

impl<Q: Deref<Target: Line>> Future for Waiter<Q> {
    type Output = Result<(), Closed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_release(cx.waker())
    }
}

impl<Q: Deref<Target: Line>> Drop for Waiter<Q> {
    fn drop(&mut self) {
        // Ordering: Relaxed, as in `peek`.
        let has_passed = match self.state.load(Ordering::Relaxed) {
            IN_LINE if self.queue.leave(self.place) == Status::Released => false,
            PASSED => true,
            _ => return,
        };
        self.put_back(has_passed);
    }
}

/// What a waiter needs of its queue. Sealed: implemented by every [`QueueOver`].
pub trait Line: private::Sealed {
    /// A reading of the queue's clock.
    type Tick;

    /// When a waiter with `ahead` permits to be used before its own will be released at the present rate and hold, if nobody
    /// leaves.
    fn estimate(&self, ahead: usize) -> Option<Self::Tick>;

    /// The reading that `word` counts.
    fn reading(&self, word: <Self as Sealed>::Word) -> Self::Tick;
}

mod private {
    use super::{EnqueueError, Register, Status, Taken, Turn, Waker, Word};

    pub trait Sealed {
        type Word: Word;

        #[expect(private_interfaces, reason = "the trait can't be named outside")]
        fn take_now(&self) -> Taken<Self::Word>;
        fn checked_extra(&self, weight: usize) -> Result<usize, EnqueueError>;
        fn join(&self, extra: usize) -> Result<usize, EnqueueError>;
        fn tell_idle(&self);
        fn settle(&self, ticket: usize);
        fn status(&self, ticket: usize) -> Status;
        #[expect(private_interfaces, reason = "the trait can't be named outside")]
        fn register(&self, ticket: usize, waker: &Waker) -> Register;
        fn leave(&self, ticket: usize) -> Status;
        fn give_back(&self, ticket: usize) -> bool;
        #[expect(private_interfaces, reason = "the trait can't be named outside")]
        fn give_back_taken(&self, turn: Turn, word: Self::Word) -> bool;
        fn position(&self, ticket: usize) -> Option<usize>;
        fn permits_ahead(&self, ticket: usize) -> Option<usize>;
        fn weight(&self, ticket: usize) -> usize;
    }
}

impl<C: Clock, S: Deref<Target = [Slot]>, K: Weighing> Line for QueueOver<C, S, K> {
    type Tick = C::Tick;

    fn estimate(&self, ahead: usize) -> Option<C::Tick> {
        let now = self.clock.now().to_word();
        let wait = self.pace.view().schedule.estimate(stamp(now), ahead)?;
        Some(C::Tick::from_word(now.plus(wait)))
    }

    fn reading(&self, word: WordOf<C>) -> C::Tick {
        C::Tick::from_word(word)
    }
}

impl<C: Clock, S: Deref<Target = [Slot]>, K: Weighing> Sealed for QueueOver<C, S, K> {
    type Word = WordOf<C>;

    #[expect(private_interfaces, reason = "the trait can't be named outside")]
    fn take_now(&self) -> Taken<WordOf<C>> {
        Self::take_now(self)
    }

    fn checked_extra(&self, weight: usize) -> Result<usize, EnqueueError> {
        Self::checked_extra(self, weight)
    }

    fn join(&self, extra: usize) -> Result<usize, EnqueueError> {
        self.take_ticket(extra)
    }

    fn tell_idle(&self) {
        Self::tell_idle(self);
    }

    /// After a ticket was taken: releases its waiter if nobody is ahead and a permit is free, and tells the driver of
    /// it if not.
    fn settle(&self, ticket: usize) {
        while self.ahead_of(ticket).is_some_and(|ahead| ahead != 0)
            && self.pass_over(self.free_turn())
        {}
        // With somebody ahead the work would be the driver's, who knows when.
        if self.ahead_of(ticket) == Some(0) {
            let _ = self.advance();
        }
        if self.ring.status(ticket) != Status::Released {
            Self::tell_idle(self);
        }
    }

    fn status(&self, ticket: usize) -> Status {
        self.ring.status(ticket)
    }

    #[expect(private_interfaces, reason = "the trait can't be named outside")]
    fn register(&self, ticket: usize, waker: &Waker) -> Register {
        self.ring.register(ticket, waker)
    }

    fn leave(&self, ticket: usize) -> Status {
        Self::leave(self, ticket)
    }

    fn give_back(&self, ticket: usize) -> bool {
        Self::give_back(self, ticket)
    }

    #[expect(private_interfaces, reason = "the trait can't be named outside")]
    fn give_back_taken(&self, turn: Turn, word: WordOf<C>) -> bool {
        Self::give_back_taken(self, turn, word)
    }

    fn position(&self, ticket: usize) -> Option<usize> {
        self.ahead_of(ticket)
    }

    fn permits_ahead(&self, ticket: usize) -> Option<usize> {
        Self::permits_ahead(self, ticket)
    }

    fn weight(&self, ticket: usize) -> usize {
        extra_of::<K>(ticket).saturating_add(1)
    }
}

impl<C: Clock, S: Deref<Target = [Slot]>, K: Weighing> QueueOver<C, S, K> {
    /// Takes the next place in line.
    ///
    /// Wakes the driver if it sleeps because nothing was queued. Releases nobody: that is [`advance`](Self::advance).
    ///
    /// # Errors
    /// [`EnqueueError::Full`] when `capacity` waiters are in line, [`EnqueueError::Closed`] after
    /// [`close`](Self::close) or [`drain`](Self::drain).
    ///
    /// # Panics
    /// Only if the driver's waker does; the place is left then.
    pub fn enqueue(&self) -> Result<Waiter<&Self>, EnqueueError> {
        Waiter::enqueue(self)
    }

    /// A permit where nobody is in line and one is free, else the next place in line.
    ///
    /// A sleeping driver is woken only for a waiter that has to wait. One that need not never was in line, and takes no place of
    /// the ring.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    ///
    /// # Panics
    /// Only if the driver's waker does, or that of another waiter that this call releases; the place is left then.
    pub fn enter(&self) -> Result<Waiter<&Self>, EnqueueError> {
        Waiter::enter(self)
    }
}
