//! Operation sequences, made of bytes: what the property tests and the fuzzer share.

use arbitrary::Arbitrary;

use crate::model::Pace;
pub use crate::run::{Divergence, run};

/// A number of ticks, small ones as likely as large ones: up to 2^26.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks(pub u16);

impl Ticks {
    pub fn count(self) -> i128 {
        i128::from(self.0 & 0xfff) << (self.0 >> 12).min(14)
    }
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateOf {
    pub interval: u16,
    pub shape: u8,
}

impl RateOf {
    /// An interval of up to 2^23 ticks, a burst of up to 8.
    pub fn pace(self) -> Pace {
        Pace {
            interval: (i128::from(self.interval & 0xfff) << (self.interval >> 12).min(11)).max(1),
            burst: i128::from(if self.shape < 128 { 0 } else { self.shape & 7 }) + 1,
            strict: self.shape & 8 != 0,
            catch_up: None,
            room: i128::MAX,
        }
    }
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Advance,
    Enqueue {
        waker: bool,
    },
    /// To the next deadline, and by so many 64ths of the interval beyond; 255: one tick short of it.
    Due(u8),
    Forward(Ticks),
    /// Drops a waiter.
    Leave(u8),
    /// Asks a waiter for its status: from then on it knows.
    Look(u8),
    Poll(u8),
    Position(u8),
    /// Leaks a waiter.
    Forget(u8),
    Enter {
        waker: bool,
    },
    /// Advances as a driver that then sleeps.
    Drive,
    TryAcquire,
    SetRate(RateOf),
    Hold(Ticks),
    Resume,
    /// Moves by half the wrap and more, with the visits that the clock's contract asks for.
    Idle(u8),
    /// Only where the clock is hostile.
    Backward(Ticks),
    /// Seldom the end: 0 closes, 1 and 2 drain.
    End(u8),
}

/// Where a run starts.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    pub capacity: u8,
    /// 0: at zero; else so many ticks before the wrap.
    pub before_wrap: u8,
    pub hostile: bool,
    /// For how long lateness is made up; none for a tenth of the interval.
    pub catch_up: Option<Ticks>,
    pub rate: RateOf,
}

#[derive(Arbitrary, Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    pub start: Start,
    pub ops: Vec<Op>,
}
