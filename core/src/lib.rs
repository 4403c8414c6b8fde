#![cfg_attr(not(any(loom, feature = "stepped")), no_std)]
//! A FIFO queue of waiters, released one by one at a configured rate by an abstract clock: lock-free, without an
//! allocator, without std.
//!
//! Programs that call APIs from many threads are throttled together with everybody else on the same account. Backing off
//! after the throttle is too late, as the calls that met it have used up what others needed. So every call first takes a
//! place in a queue, and the queue lets one go each interval: calls leave as a steady stream, and threads stay parallel in
//! everything else.
//!
//! ```
//! use apiqueue_core::{ManualClock, Next, Queue, Rate};
//!
//! let clock = ManualClock::<u32>::new(0); // milliseconds, say
//! let queue: Queue<_, 16> = Queue::new(&clock, Rate::every(100)?);
//!
//! let first = queue.enqueue()?;
//! let second = queue.enqueue()?;
//! assert!(first.is_waiting() && second.is_waiting());
//!
//! let advance = queue.advance(); // a driver does this: a thread, a timer interrupt, a scheduler
//! assert_eq!((advance.released, advance.next), (1, Next::At(100)));
//! assert!(!first.is_waiting()); // may make its call
//! assert!(second.is_waiting());
//!
//! clock.advance(100);
//! assert_eq!(queue.advance().released, 1);
//! assert!(!second.is_waiting());
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! This crate drives nothing: it reads the [`Clock`] it is given, and whoever calls [`advance`](QueueOver::advance) is the
//! driver. The crate `apiqueue` brings a driver thread, blocking waits and the system's clock.
//!
//! # Which call do I use?
//!
//! | you are | you call |
//! |---|---|
//! | a caller that can look now and then | [`enqueue`](QueueOver::enqueue), [`Waiter::is_waiting`] |
//! | a task | `queue.enqueue()?.await`, on any executor |
//! | a caller that would rather do something else than wait | [`try_acquire`](QueueOver::try_acquire) |
//! | a caller that takes a free permit at once, and a place if there is none | [`enter`](QueueOver::enter) |
//! | a timer interrupt or a scheduler's loop | [`advance`](QueueOver::advance), at [`Advance::next`] or at every tick |
//! | a driver that sleeps | [`advance_with`](QueueOver::advance_with) its waker |
//! | told to come back later by a server | [`hold_until`](QueueOver::hold_until) |
//! | making calls that cost several permits | [`WeightedQueue`]; known only after the call: [`charge`](QueueOver::charge), [`refund`](QueueOver::refund) |
//! | pacing several queues by one schedule of yours | [`grant`](QueueOver::grant) |
//! | ignorant of the server's limit | a [`Controller`], [`Aimd`] or [`Cubic`], after each call |
//! | in need of the pacing alone | [`Schedule`] |
//!
//! # Promises
//!
//! Each is judged, in every interleaving of `tests/explorer`'s bounds, by an oracle that shares no code with this crate; and by
//! what the last column names. Paths are of the repository.
//!
//! | | also shown by |
//! |---|---|
//! | **FIFO**: released in the order in which `enqueue` took effect | `tests/tests/model.rs`, `tests/tests/loom` |
//! | **Never too fast**: in any window of length w at most `burst + ⌊(w + slack) / interval⌋` permits are used, whatever threads, cancels and clock readings do. The slack is under a tenth of the interval, or what `catch_up` was told | `tests/tests/loom`, `tests/tests/model.rs`, `tests/tests/catch_up.rs` |
//! | **A change of rate keeps permits as permits**: what is in hand is never more after it than before, nor than the new burst; the part gained towards the next one stays a part, what is owed stays owed. A rate is seen whole or not at all | `tests/tests/changes.rs`, `tests/tests/loom/rates.rs` |
//! | **Never too slow**: called on time, no slot of the grid is wasted | `tests/tests/scenarios.rs` |
//! | **Who leaves costs nobody a turn**, whatever it weighs and however long the ring; one transition decides between release and leaving; a release nobody saw is given back | `tests/tests/loom/leaving.rs`, `tests/tests/model.rs` |
//! | **Lock-free**: a thread stopped for ever at any step stops nobody else | `tests/stepped/tests/suspension.rs`, `interrupts.rs` |
//! | **No lost wake-up, no double release, no stale wake** | `tests/tests/loom` |
//! | **`mem::forget` safe**: a leaked waiter costs its own turn | `tests/tests/scenarios.rs` |
//! | **No allocation, no panic path, no recursion** | `tests/tests/allocation.rs`, `firmware/sizes.sh` |
//! | **A bad clock only delays** | `tests/tests/model.rs`, `tests/tests/changes.rs` |
//! | **Close never hangs**: every waiter is woken and says so | `tests/tests/loom/door.rs`, `tests/tests/scenarios.rs` |
//! | **Rate changes and holds act on those in line** | `tests/tests/scenarios.rs` |
//! | **Bounded**: a full ring says so at once | `tests/tests/scenarios.rs` |
//!
//! Their limits:
//! * A place in the middle of the line whose waiter has left is free for others only when the head passes it; until then it
//!   counts towards the capacity.
//! * A thread suspended for ever *after* it has taken a waker and before it calls it leaves that waiter released, or that
//!   driver, but not told; one suspended between a change and its wake-up leaves the driver with the reading it knew.
//! * Two threads that set the rate at the same moment can make each other start over, each time at the cost of a tick. A suspended
//!   one makes nobody wait.
//! * Where rates are set, permits charged, put back or given back at the same moment, each that meets another may cost those in
//!   line a tick, a rate two; a hold that ends while one of these calls is suspended costs one.
//! * A driver suspended over two changes of rate that lead to the very stamp it saw can make the next release late by an interval
//!   ([`pace.rs`]).
//! * A change of rate takes the clock's reading for the present: see [`Clock`].
//! * Versions, tickets and tags are counted in a few bits of a word and repeat: the page [`layout.rs`] says after how many.
//! * One sleeping driver per queue can be told ([`advance_with`](QueueOver::advance_with)); any number may call `advance`.
//!
//! # How it works
//!
//! A waiter is a ticket. Ticket `t` lives in slot `t mod N`, whose one atomic word is `lap | state | BUSY`:
//!
//! ```text
//!                 enqueue = the tail passes t
//!                          │
//!                          ▼    leave a waker        release
//!   … (lap, WAITING) ═ waiter t ────────► (lap, ARMED) ─────► (next lap, WAITING) ═ free for t + N
//!              │ leave     │ └──────────────────────────────────────▲
//!              ▼           ▼ close                release           │
//!   (lap, CANCELLED)   (lap, CLOSED)                                │
//!              └── the head has passed ─────────────────────────────┘
//! ```
//!
//! * Enqueuing is one compare-and-swap on the tail and writes no slot, so there is no half-published waiter.
//! * A release is the one transition to the next lap. The waiter learns of it by finding its lap over.
//! * While nobody is in line a permit is one compare-and-swap of the schedule's word: [`lane.rs`].
//! * A driver first claims the head's word, which fixes *what* happens; then anybody can do the rest: release the slot, move
//!   the schedule on by a reading taken after the release, move the head. Whoever meets a claim of a stopped thread
//!   completes it. That is why it is lock-free, and why a stale reading never admits anyone early.
//!
//! Each word belongs to one component, which alone touches it: the places to [`slot.rs`], the front of the line to
//! [`head.rs`], its end to [`tail.rs`], the schedule and the rate to [`pace.rs`], weights in all of them by [`weight.rs`]. The
//! bits of all words stand on the page [`layout.rs`], the arithmetic of pacing in [`schedule.rs`] and [`grid.rs`], and how a release goes through
//! them in [`release.rs`]. Each memory ordering is argued where it is.
//!
//! [`grid.rs`]: ../src/apiqueue_core/grid.rs.html
//! [`layout.rs`]: ../src/apiqueue_core/layout.rs.html
//! [`slot.rs`]: ../src/apiqueue_core/slot.rs.html
//! [`head.rs`]: ../src/apiqueue_core/head.rs.html
//! [`lane.rs`]: ../src/apiqueue_core/lane.rs.html
//! [`release.rs`]: ../src/apiqueue_core/release.rs.html
//! [`tail.rs`]: ../src/apiqueue_core/tail.rs.html
//! [`pace.rs`]: ../src/apiqueue_core/pace.rs.html
//! [`schedule.rs`]: ../src/apiqueue_core/schedule.rs.html
//! [`weight.rs`]: ../src/apiqueue_core/weight.rs.html
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | brings |
//! |---|---|
//! | `catch-up` | `QueueOver::catch_up`: lateness made up for a time that is told, in place of a tenth of the interval |
//! | `critical-section` | targets without compare-and-swap, such as thumbv6m: the final binary provides the critical section |
//! | `embedded-hal` | `DelayDriver`: driving with nothing but a `DelayNs`, blocking or async |
//! | `fugit` | `fugit::Instant` as a [`Tick`] |
//! | `heapless` | `History`, the steps between the last releases; `Named`, a few queues by name |
//! | `wide-ticks-fallback` | 64-bit ticks on targets without 64-bit atomics, emulated by a lock; on a target with 32-bit compare-and-swap an interrupt that preempts the lock's holder hangs |

#[cfg(feature = "stepped")]
pub mod stepped;

mod adaptive;
mod advance;
mod atomic;
#[cfg(all(
    not(any(loom, feature = "stepped")),
    target_pointer_width = "32",
    any(target_has_atomic = "32", feature = "critical-section")
))]
mod called;
mod catch_up;
mod clock;
mod control;
mod driver_waker;
mod error;
mod grant;
mod grid;
#[cfg(all(feature = "embedded-hal", not(loom)))]
mod hal;
mod head;
#[cfg(feature = "heapless")]
mod history;
mod lane;
mod layout;
mod line;
mod manual;
#[cfg(loom)]
mod modelled;
#[cfg(feature = "heapless")]
mod named;
mod pace;
mod queue;
mod rate;
mod release;
mod ring;
mod scale;
mod schedule;
mod slot;
mod stamp;
mod storage;
mod tail;
mod waiter;
mod weight;
mod weighted;

pub use adaptive::{Aimd, Bounds, Change, Constants, Controller, Cubic, Outcome, SettingError};
pub use advance::{Advance, Next};
pub use clock::{Clock, Tick, Word, WordOf};
pub use error::{CapacityError, ChargeError, Closed, EnqueueError, HoldError, TryAcquireError};
pub use grant::Granted;
#[cfg(all(feature = "embedded-hal", not(loom)))]
pub use hal::DelayDriver;
#[cfg(feature = "heapless")]
pub use history::{History, Steps};
pub use manual::ManualClock;
#[cfg(feature = "heapless")]
pub use named::{Named, NamedFull};
pub use queue::{Queue, QueueOver};
pub use rate::{Rate, RateError};
pub use schedule::{Due, Schedule};
pub use slot::{Slot, Status};
pub use storage::{Inline, slots};
pub use waiter::{Left, Line, Waiter};
pub use weight::{MAX_WEIGHT, Single, Weighing, Weighted};
pub use weighted::WeightedQueue;
