//! One place of the ring: a waiter's state in one atomic word, and room for its [`Waker`].
//!
//! The word is `lap | state | BUSY`. The lap is the ticket with its index bits cleared, so that a word also says *whose*
//! state it holds: a slot whose word carries the lap of ticket `t` and `WAITING` **is** the waiting waiter `t` as soon as
//! the queue's tail has passed `t`. Nobody writes the slot to enqueue, and a waiter learns of its release by finding the
//! next lap there. In a queue of weights the weight is part of the lap: see `weight`.
//!
//! ```text
//!                 register                      release (next lap)
//!   (lap, WAITING) ──────► (lap, WAITING+BUSY) ─────────────► (next, WAITING+BUSY)
//!     │   ▲  │                    │ stored                       ▲        │ emptied
//!     │   │  │ release            ▼            release           │        ▼
//!     │   │  └───────────► … (lap, ARMED) ───────────────────────┘  (next, WAITING)
//!     │   └ ── register again ─┘  │
//!     │ cancel                    │ cancel (+BUSY until emptied)
//!     ▼                           ▼
//!   (lap, CANCELLED) ◄────────────┘     ── free, after the head has passed ──► (next, WAITING)
//!
//!   close: WAITING or ARMED → (lap, CLOSED), for good
//! ```
//!
//! | word | waker storage | may move the word | owns the storage |
//! |---|---|---|---|
//! | `WAITING` | empty | anyone | nobody |
//! | `WAITING`, `CANCELLED` or `CLOSED` + `BUSY` | being filled or emptied | anyone, keeping `BUSY` | who set `BUSY`, and only it clears it |
//! | `ARMED` | full | anyone | whoever moves the word |
//! | `CANCELLED` | empty | anyone, once the head has passed | nobody |
//! | `CLOSED` | empty | nobody | nobody |
//!
//! `BUSY` outlives the lap. A thread that stops while it holds the storage leaves `BUSY` behind; the slot's later
//! waiters are released and cancelled all the same, they only can't leave a waker there and poll instead. That is the
//! one cost of a thread suspended for ever, and why nothing here waits for another thread.

use core::mem::{self, MaybeUninit};
use core::task::Waker;

use crate::atomic::{AtomicUsize, Ordering, UnsafeCell, const_unless_loom};
use crate::layout::slot::{ARMED, BUSY, CANCELLED, CLOSED, LAP, STATE, WAITING};

/// One place of a queue's ring: 24 bytes on 64-bit targets, 12 on 32-bit ones.
///
/// Users meet it only as storage to hand to [`QueueOver::over`](crate::QueueOver::over).
#[derive(Debug)]
#[repr(C)] // the word first, so that its address is the slot's
pub struct Slot {
    word: AtomicUsize,
    waker: UnsafeCell<MaybeUninit<Waker>>,
}

// SAFETY: the storage is only touched by the one thread that owns it by the table above, ownership passes through
// acquire and release accesses of `word`, and a `Waker` may itself be moved, dropped and called from any thread.
unsafe impl Sync for Slot {}
// SAFETY: as above; nothing in a slot is bound to a thread.
unsafe impl Send for Slot {}

/// What a waiter's slot says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Still in line.
    Waiting,
    /// Released: the call may be made.
    Released,
    /// The queue was closed before its turn came.
    Closed,
}

/// What came of a driver's attempt to release a slot.
pub(crate) enum Release {
    /// This call released it.
    Done,
    /// Its lap was over already.
    Already,
    /// Its waiter had left. (Never one that was told of a close, which ends what is under way before it tells anybody.)
    Over,
}

/// What came of leaving a waker.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Register {
    /// It is there and will be called once.
    Armed,
    /// There is nothing left to wait for.
    Over(Status),
    /// Someone of an earlier lap still holds the storage: poll again.
    Busy,
}

impl Slot {
    const_unless_loom! {
    /// A free slot.
    pub const fn new() -> Self {
        Self {
            word: AtomicUsize::new(WAITING),
            waker: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }
    }

    #[inline]
    pub(crate) fn status(&self, lap: usize) -> Status {
        status(self.word(), lap)
    }

    /// Lap, weight and state.
    #[inline]
    pub(crate) fn word(&self) -> usize {
        // Ordering: Acquire pairs with the releasing CAS, so that a released waiter sees all that came before its release;
        // who reads the lap that a wake-up of the driver moved to sees what it announced; and who finds a slot to be freed
        // sees the head that was moved before it may be.
        self.word.load(Ordering::Acquire)
    }

    /// Whether the slot is there for the ticket of `lap`.
    #[inline]
    pub(crate) fn is_free(&self, lap: usize) -> bool {
        self.word() & LAP == lap
    }

    /// Whether the waiter of `lap` was neither released nor has left. It may have been told that the queue is closed.
    pub(crate) fn is_taken(&self, lap: usize) -> bool {
        let word = self.word();
        word & LAP == lap && word & STATE != CANCELLED
    }

    /// Whether the waiter of `lap` has left, and the slot was not freed yet.
    #[inline]
    pub(crate) fn has_left(&self, lap: usize) -> bool {
        self.word() & !BUSY == lap | CANCELLED
    }

    /// `(lap, …) → (lap with extra, …)`: writes the weight of the waiter that has just come.
    pub(crate) fn weigh(&self, lap: usize, extra: usize) {
        let mut word = self.word();
        while word & LAP == lap {
            match self.swap(word, word | extra) {
                Ok(_) => return,
                Err(seen) => word = seen,
            }
        }
    }

    /// `(lap, WAITING|ARMED) → (next, WAITING)`: the one transition that is a release. Takes the waker, if one was left.
    #[cfg_attr(target_os = "none", inline(never))]
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn release(&self, lap: usize, next: usize, waker: &mut Option<Waker>) -> Release {
        let mut word = self.word();
        loop {
            if word & LAP != lap {
                return Release::Already;
            }
            if word & CANCELLED != 0 {
                return Release::Over;
            }
            let to = if word & STATE == ARMED {
                next | BUSY
            } else {
                next | (word & BUSY)
            };
            match self.swap(word, to) {
                Ok(_) => {
                    if word & STATE == ARMED {
                        // In place of none, which needs no dropping.
                        mem::forget(waker.replace(self.empty()));
                    }
                    return Release::Done;
                }
                Err(seen) => word = seen,
            }
        }
    }

    /// `(lap, WAITING|ARMED) → (lap, CANCELLED)`, against `release` and `close`: one of them wins.
    ///
    /// Says what the waiter was when it left; `Waiting` means that this call took it out of line.
    #[inline]
    pub(crate) fn cancel(&self, lap: usize) -> Status {
        let (before, waker) = self.retire(lap, CANCELLED);
        drop(waker);
        before
    }

    /// `(lap, WAITING|ARMED) → (lap, CLOSED)`. The waker to call.
    pub(crate) fn close(&self, lap: usize) -> Option<Waker> {
        self.retire(lap, CLOSED).1
    }

    #[inline]
    fn retire(&self, lap: usize, state: usize) -> (Status, Option<Waker>) {
        let mut word = self.word();
        loop {
            let before = status(word, lap);
            if before != Status::Waiting {
                return (before, None);
            }
            let armed = word & STATE == ARMED;
            let busy = if armed { BUSY } else { word & BUSY };
            match self.swap(word, lap | state | busy) {
                Ok(_) => return (before, armed.then(|| self.empty())),
                Err(seen) => word = seen,
            }
        }
    }

    /// `(lap, CANCELLED) → (next, WAITING)`. Only after the head has passed the ticket.
    ///
    /// One attempt: it fails when somebody else has freed it, or has just let the storage go. Whoever takes the next ticket of
    /// this slot tries again.
    pub(crate) fn free(&self, lap: usize, next: usize) {
        let word = self.word();
        if word & !BUSY == lap | CANCELLED {
            let _ = self.swap(word, next | (word & BUSY));
        }
    }

    /// Leaves a clone of `waker` to be called at the release of `lap`, in place of one left before. `clone` is where the
    /// clone comes from, if there is one, and where it stays if it was not left.
    ///
    /// `WAITING|ARMED → BUSY`, store, `BUSY → ARMED`. A release in between finds `BUSY`, moves the lap on and leaves the
    /// storage alone; the second step then fails and the next look finds the release.
    #[inline]
    pub(crate) fn register(
        &self,
        lap: usize,
        waker: &Waker,
        clone: &mut Option<Waker>,
    ) -> Register {
        loop {
            let word = self.word();
            let now = status(word, lap);
            if now != Status::Waiting {
                return Register::Over(now);
            }
            if word & BUSY != 0 {
                return Register::Busy;
            }
            // Cloned first, and once: user code must not run, or panic, while the storage is held, nor be what this loop
            // waits for.
            let new = clone.take().unwrap_or_else(|| waker.clone());
            if self.swap(word, lap | WAITING | BUSY).is_err() {
                mem::forget(clone.replace(new)); // in place of none
                continue;
            }
            let old = if word & STATE == ARMED {
                Some(self.take())
            } else {
                None
            };
            self.waker.with_mut(|storage| {
                // SAFETY: this call set BUSY, so the storage is its own; it is empty, by the table or by the `take` above.
                unsafe { (*storage).write(new) };
            });
            let is_armed = self.swap(lap | WAITING | BUSY, lap | ARMED).is_ok();
            if !is_armed {
                mem::forget(clone.replace(self.empty())); // in place of none
            }
            // User code, so after everything.
            drop(old);
            if is_armed {
                return Register::Armed;
            }
        }
    }

    #[cfg_attr(target_os = "none", inline(always))]
    fn swap(&self, from: usize, to: usize) -> Result<usize, usize> {
        // Ordering: Acquire takes over the stored waker from whoever armed the slot, and the storage from whoever emptied it;
        // Release publishes to the waiter what was done before its release, hands the stored waker to whoever moves the word
        // on, and has whoever frees or skips the slot come after all that its waiter did with it. Acquire on failure, as for
        // a load.
        self.word
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
    }

    /// Takes the waker out and gives the storage up.
    fn empty(&self) -> Waker {
        let waker = self.take();
        // Ordering: Release, so that the next owner's accesses come after ours. The lap may have moved on meanwhile,
        // hence no store.
        self.word.fetch_and(!BUSY, Ordering::Release);
        waker
    }

    fn take(&self) -> Waker {
        self.waker.with_mut(|storage| {
            // SAFETY: called with BUSY held by this thread, gained by a CAS from ARMED (or after filling the storage
            // itself): the storage is initialised and nobody else touches it. It counts as empty from here on.
            unsafe { (*storage).assume_init_read() }
        })
    }
}

#[inline]
fn status(word: usize, lap: usize) -> Status {
    if word & LAP != lap {
        return Status::Released;
    }
    match word & STATE {
        WAITING | ARMED => Status::Waiting,
        _ => Status::Closed,
    }
}

impl Default for Slot {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // Ordering: Relaxed; `&mut` says that nobody else is left, and how it came here synchronized.
        if self.word.load(Ordering::Relaxed) & (STATE | BUSY) == ARMED {
            drop(self.take());
        }
    }
}
