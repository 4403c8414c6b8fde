//! What the oracle remembers of each waiter, and of each operation under way.

use crate::op::Op;

/// What became of a waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// In line.
    Waiting,
    /// Released.
    Released,
    /// Left the line.
    Left,
    /// The queue was closed first.
    Closed,
}

/// What a waiter's waker has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Armed {
    /// Nothing: there is none.
    No,
    /// To be called once, at the release or the close.
    Yes,
    /// It is just being left, or was while others acted.
    Perhaps,
    /// Its waiter left before: not to be called.
    Never,
}

/// One waiter.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// When its enqueue began, and ended, in counts of events.
    pub begin: u32,
    /// The end.
    pub end: u32,
    /// What it costs.
    pub weight: i64,
    /// What became of it.
    pub fate: Fate,
    /// Its holder knows of its release.
    pub told: bool,
    /// Its waker.
    pub armed: Armed,
    /// The waker's calls when it was left.
    pub calls: u32,
    /// The count of disturbances at its release, if nothing else was under way then.
    pub since: Option<u32>,
    /// Which actor is dropping it.
    pub leaving: Option<usize>,
}

/// What an operation under way may do to the permits, at one moment between its begin and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// The rate of this number, while so many others are being set.
    Rate(u8, i64),
    /// A hold until then.
    Hold(i64),
    /// The end of a hold, as of a reading taken then.
    Resume(i64),
    /// So many used without being asked.
    Charge(i64),
    /// So many put back.
    Refund(i64),
    /// So many used if they are there: a permit taken, or a waiter that the oracle does not see yet.
    Spend(i64),
    /// A release that is not paced.
    Pass,
    /// A permit that comes back.
    Back(i64),
    /// A reading so far ahead, as often as the clock is read.
    Leap(i64),
}

/// An operation under way.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// The operation.
    pub op: Op,
    /// What it may do.
    pub effect: Effect,
    /// Its begin, in counts of events.
    pub begin: u32,
    /// The waiter that it is about.
    pub place: Option<usize>,
    /// It stands still, or did.
    pub stopped: bool,
    /// When it came to a stand, in counts of events.
    pub stop: u32,
    /// How often it did.
    pub stops: u8,
    /// The smallest burst that may have been set since its begin.
    pub burst: i64,
    /// A driver has come since it began.
    pub superseded: bool,
    /// How many places were taken at most, at its begin and after each operation that it met.
    pub crowd: usize,
    /// How many changes of rate have ended since it began.
    pub rates: u8,
    /// The calls of the driver's waker at its begin.
    pub calls: u32,
}

/// What an observer saw that must not be.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The promise that broke, and how.
    pub kind: &'static str,
    /// What was expected and seen.
    pub what: String,
}
