//! Every bit of every atomic word of a queue, on one page. `u` is `usize`, `w` the width of a tick.
//!
//! ```text
//! word        of      high ◄─────────────────────────────────────────────────────────────► low
//!
//! head    u   Head   │ ticket │ version, or the extra weight under way │ NOT_RETURNABLE │ TURN │ phase:2 │
//! tail    u   Tail   │ ticket │ extra weight not yet in its slot            │ CLOSED │ DRAINING │ IDLE │
//! slot    u   Slot   │ lap    │ extra weight                                     │ state:2    │ BUSY │
//!
//! last    w   Pace   │ stamp of the slot used last                     │ BANK │ state:2 │ TURN │
//! hold    w   Pace   │ stamp at which a hold ends                             │   0  │ UNTOLD  │ HELD │
//! interval w  Setting│ interval, in ticks                                       │   0    │ tag        │
//! burst   w   Setting│ (burst − 1) × interval, in ticks                         │ STRICT │ tag        │
//! ```
//!
//! A ticket is a place in line; a lap is a ticket whose index into the ring is cleared. A stamp is a reading of the clock
//! without its topmost bits; a claim with a stamp of 0 says that nothing was ever used. The driver's wake-up place is a slot
//! too, whose lap counts the wake-ups.
//!
//! | | 64-bit | 32-bit | what repeats after so many, while one thread is suspended between a load and its swap |
//! |---|---|---|---|
//! | ticket | 2⁴⁴ | 2²² | that many waiters pass |
//! | version | 2¹⁶ | 2⁶ | that many permits are taken, rates and holds changed, or waiters passed over, while none is released |
//! | extra weight | 2¹⁶ | 2⁶ | never counts: it is a value |
//! | stamp | 2⁶⁰ | 2²⁸ | ticks |
//! | tag | 2⁷ | 2⁵ | changes of the rate that end with the same value in the same of the two banks |

/// Tickets stand above this many bits, in the words of head and tail. Laps do in the words of slots.
pub(crate) const TICKET_SHIFT: u32 = if usize::BITS >= 64 { 20 } else { 10 };
pub(crate) const TICKET: usize = !((1 << TICKET_SHIFT) - 1);
/// One ticket.
pub(crate) const ONE: usize = 1 << TICKET_SHIFT;
/// The largest capacity: a quarter of all tickets.
pub(crate) const MAX_CAPACITY: usize = 1 << (usize::BITS - TICKET_SHIFT - 2);

pub(crate) mod head {
    use super::TICKET;

    pub(crate) const PHASE: usize = 0b11;
    /// No release is under way.
    pub(crate) const FREE: usize = 0b00;
    /// The waiter of the ticket is being released.
    pub(crate) const RELEASING: usize = 0b01;
    /// A permit is being taken without a waiter.
    pub(crate) const TAKING: usize = 0b10;
    /// Flipped by each change of the schedule's `last` that a release or a taking makes.
    pub(crate) const TURN: usize = 1 << 2;
    /// The latest change of `last` was no release of a waiter, or the rate or hold has changed since: nothing to give back.
    pub(crate) const NOT_RETURNABLE: usize = 1 << 3;
    pub(crate) const VERSION_SHIFT: u32 = 4;
    /// Counts on with each change that leaves the ticket where it is. While `NOT_RETURNABLE` is not set it is how many waiters
    /// that had left were passed over since the latest release.
    pub(crate) const VERSION: usize = !TICKET & !(NOT_RETURNABLE | TURN | PHASE);
}

pub(crate) mod tail {
    /// The driver sleeps and has seen everybody in line.
    pub(crate) const IDLE: usize = 0b001;
    pub(crate) const DRAINING: usize = 0b010;
    pub(crate) const CLOSED: usize = 0b100;
    pub(crate) const MARKS: usize = 0b111;
}

pub(crate) mod slot {
    /// Somebody fills or empties the waker's place.
    pub(crate) const BUSY: usize = 0b001;
    pub(crate) const STATE: usize = 0b110;
    pub(crate) const WAITING: usize = 0b000;
    pub(crate) const ARMED: usize = 0b010;
    pub(crate) const CANCELLED: usize = 0b100;
    pub(crate) const CLOSED: usize = 0b110;
    /// How many low bits of a word are neither lap nor weight.
    pub(crate) const BITS: u32 = 3;
    /// Lap and weight.
    pub(crate) const LAP: usize = !((1 << BITS) - 1);
}

/// The bits of the words of tail and slot that carry a weight. They stand at the same place in both.
pub(crate) const EXTRA: usize = !TICKET & slot::LAP;
/// The most that a waiter can cost beyond one permit, as the head's word has a bit less for it than the others.
pub(crate) const MAX_EXTRA: usize = (1 << (TICKET_SHIFT - head::VERSION_SHIFT)) - 1;

/// Stamps stand above this many bits, in the words `last` and `hold`.
pub(crate) const MARKS: u32 = 4;

pub(crate) mod last {
    /// Equal to the head's `TURN` until `last` was changed for the release under way.
    pub(crate) const TURN: u8 = 0b0001;
    /// One of the four below.
    pub(crate) const STATE: u8 = 0b0110;
    /// Nothing of what the others say.
    pub(crate) const SHUT: u8 = 0b0000;
    /// Somebody is changing it. In the one word whose stamp is 0: nothing was ever used, there is no stamp.
    pub(crate) const CLAIMED: u8 = 0b0010;
    /// Nobody is in line, and a permit is taken by one swap of this word: see `lane`.
    pub(crate) const OPEN: u8 = 0b0100;
    /// When the slot was used somebody was in line for the next one: if that one is used late, then not for want of a waiter.
    pub(crate) const WAITED: u8 = 0b0110;
    /// Which of the two settings is in force.
    pub(crate) const BANK: u8 = 0b1000;
}

/// There is a hold.
pub(crate) const HELD: u8 = 0b001;
/// A faster rate was set, or a hold cut off, since the driver looked last: whoever did it may not have told the driver yet.
pub(crate) const UNTOLD: u8 = 0b010;
