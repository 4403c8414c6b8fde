//! One place of the ring: a waiter's state in one atomic word, and room for its [`Waker`].
//!
//! The word is `lap | state | BUSY`. The lap is the ticket with its index bits cleared, so that a word also says *whose*
//! state it holds: a slot whose word carries the lap of ticket `t` and `WAITING` **is** the waiting waiter `t` as soon as
//! the queue's tail has passed `t`. Nobody writes the slot to enqueue, and a waiter learns of its release by finding the
//! next lap there.
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

use core::mem::MaybeUninit;
use core::task::Waker;

use crate::atomic::{AtomicUsize, Ordering, UnsafeCell, const_unless_loom};
use crate::weight::EXTRA;

const BUSY: usize = 0b001;
const STATE: usize = 0b110;
const WAITING: usize = 0b000;
const ARMED: usize = 0b010;
const CANCELLED: usize = 0b100;
const CLOSED: usize = 0b110;

/// How many low bits of a word are not lap.
pub(crate) const SLOT_BITS: u32 = 3;
const LAP: usize = !((1 << SLOT_BITS) - 1);

/// One place of a queue's ring: 24 bytes on 64-bit targets, 12 on 32-bit ones.
///
/// Users meet it only as storage to hand to [`QueueOver::over`](crate::QueueOver::over).
#[derive(Debug)]
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
    /// This call released it, and took its waker, if it had one.
    Done(Option<Waker>),
    /// Its lap was over already.
    Already,
    /// Its waiter had left.
    Cancelled,
    /// Its queue was closed first.
    Closed,
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
        // Ordering: Acquire pairs with the releasing CAS, so that a released waiter sees all that came before its
        // release.
        status(self.word.load(Ordering::Acquire), lap)
    }

    /// The lap that the slot is in.
    pub(crate) fn lap(&self) -> usize {
        // Ordering: Acquire: what a ring announced (see `driver`) is seen by who reads the lap that it moved to.
        self.word.load(Ordering::Acquire) & LAP
    }

    /// Whether the slot is there for the ticket of `lap`; `previous` is the lap before.
    #[inline]
    pub(crate) fn vacancy(&self, lap: usize, previous: usize) -> Vacancy {
        // Ordering: Acquire, to see the head that was moved before a cancelled slot may be freed.
        let word = self.word.load(Ordering::Acquire);
        if word & LAP == lap {
            Vacancy::Free
        } else if word & LAP != previous {
            Vacancy::Passed
        } else if word & STATE == CANCELLED {
            Vacancy::Left
        } else {
            Vacancy::Taken
        }
    }

    /// The weight in the word: see `weight`.
    pub(crate) fn extra(&self) -> usize {
        // Ordering: Acquire; it was written before the tail said that it need not be any more.
        self.word.load(Ordering::Acquire) & EXTRA
    }

    /// `(lap, …) → (lap with extra, …)`: writes the weight of the waiter that has just come.
    pub(crate) fn weigh(&self, lap: usize, extra: usize) {
        // Ordering: Acquire, as in `release`.
        let mut word = self.word.load(Ordering::Acquire);
        while word & LAP == lap {
            // Ordering: Release, as this may be for another thread, which comes after all that led here.
            match self.word.compare_exchange(
                word,
                word | extra,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return,
                Err(seen) => word = seen,
            }
        }
    }

    /// `(lap, WAITING|ARMED) → (next, WAITING)`: the one transition that is a release.
    #[inline]
    pub(crate) fn release(&self, lap: usize, next: usize) -> Release {
        // Ordering: Acquire, as for the CAS below, whose first guess it is.
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            if word & LAP != lap {
                return Release::Already;
            }
            let to = match word & STATE {
                CANCELLED => return Release::Cancelled,
                CLOSED => return Release::Closed,
                ARMED => next | BUSY,
                _ => next | (word & BUSY),
            };
            // Ordering: Release publishes what the driver did before to the waiter; Acquire takes over the stored
            // waker from the thread that armed the slot.
            match self
                .word
                .compare_exchange(word, to, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) if word & STATE == ARMED => return Release::Done(Some(self.empty())),
                Ok(_) => return Release::Done(None),
                Err(seen) => word = seen,
            }
        }
    }

    /// `(lap, WAITING|ARMED) → (lap, CANCELLED)`, against `release` and `close`: one of them wins.
    ///
    /// Says what the waiter was when it left; `Waiting` means that this call took it out of line.
    #[inline]
    pub(crate) fn cancel(&self, lap: usize) -> Status {
        self.retire(lap, CANCELLED).0
    }

    /// `(lap, WAITING|ARMED) → (lap, CLOSED)`. Hands back the waker to call.
    pub(crate) fn close(&self, lap: usize) -> Option<Waker> {
        self.retire(lap, CLOSED).1
    }

    #[inline]
    fn retire(&self, lap: usize, state: usize) -> (Status, Option<Waker>) {
        // Ordering: Acquire, as in `release`.
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let before = status(word, lap);
            if before != Status::Waiting {
                return (before, None);
            }
            let armed = word & STATE == ARMED;
            let busy = if armed { BUSY } else { word & BUSY };
            // Ordering: Acquire takes over the stored waker; Release so that whoever frees or skips the slot comes
            // after all that this waiter did with it.
            match self.word.compare_exchange(
                word,
                lap | state | busy,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return (before, armed.then(|| self.empty())),
                Err(seen) => word = seen,
            }
        }
    }

    /// `(lap, CANCELLED) → (next, WAITING)`. Only after the head has passed the ticket.
    pub(crate) fn free(&self, lap: usize, next: usize) {
        // Ordering: Acquire, as in `release`.
        let mut word = self.word.load(Ordering::Acquire);
        while word & LAP == lap && word & STATE == CANCELLED {
            // Ordering: Release hands the slot to the next lap's waiter after everything of this lap.
            match self.word.compare_exchange(
                word,
                next | (word & BUSY),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return,
                Err(seen) => word = seen,
            }
        }
    }

    /// Leaves `waker` to be called at the release of `lap`, in place of one left before.
    ///
    /// `WAITING|ARMED → BUSY`, store, `BUSY → ARMED`. A release in between finds `BUSY`, moves the lap on and leaves the
    /// storage alone; the second step then fails and this call reports the release itself.
    pub(crate) fn register(&self, lap: usize, waker: &Waker) -> Register {
        // Cloned first: user code must not run, or panic, while the storage is held.
        let waker = waker.clone();
        // Ordering: Acquire, as in `release`.
        let mut word = self.word.load(Ordering::Acquire);
        let held = loop {
            match status(word, lap) {
                Status::Waiting => {}
                over => return Register::Over(over),
            }
            if word & BUSY != 0 {
                return Register::Busy;
            }
            // Ordering: Acquire takes the storage over from whoever emptied or filled it. Release is not needed for
            // the storage; it keeps this word a link in the release sequence of the previous lap's last writer.
            match self.word.compare_exchange(
                word,
                lap | WAITING | BUSY,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => break word,
                Err(seen) => word = seen,
            }
        };
        let old = if held & STATE == ARMED {
            Some(self.take())
        } else {
            None
        };
        self.waker.with_mut(|storage| {
            // SAFETY: this call set BUSY, so the storage is its own; it is empty, by the table or by the `take` above.
            unsafe { (*storage).write(waker) };
        });
        // Ordering: Release hands the stored waker to whoever moves the word on; Acquire on failure pairs with the
        // release that got in between.
        let outcome = match self.word.compare_exchange(
            lap | WAITING | BUSY,
            lap | ARMED,
            Ordering::AcqRel,
            Ordering::Acquire,
        ) {
            Ok(_) => Register::Armed,
            Err(seen) => {
                drop(self.empty());
                Register::Over(status(seen, lap))
            }
        };
        drop(old);
        outcome
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

/// Whether a slot can take the next ticket.
pub(crate) enum Vacancy {
    /// It can.
    Free,
    /// The waiter of the lap before is still in line.
    Taken,
    /// The waiter of the lap before has left, and the slot was not freed yet.
    Left,
    /// Later laps have been here: the ticket is out of date.
    Passed,
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
