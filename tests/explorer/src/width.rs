//! The two widths of ticks, the two kinds of queue, and a clock that can read wrong for a while.

use std::cell::Cell;

use apiqueue_core_stepped as core;
use core::{
    Clock, Inline, ManualClock, Queue, QueueOver, Rate, Single, Weighing, Weighted, WeightedQueue,
    Word,
};

use crate::bucket::Pace;

/// A word that the exploration can count with.
pub trait Width: Word {
    /// The word of an unwrapped time.
    fn at(time: i64) -> Self;
    /// The word as a number.
    fn number(self) -> i64;
    /// The time nearest to `near` that reads `self`.
    fn time(self, near: i64) -> i64;
    /// The rate of this pace.
    fn rate(pace: Pace) -> Rate<Self>;
    /// A clock that reads 0.
    fn clock() -> ManualClock<Self>;
    /// The clock's reading, which is an atomic access.
    fn read(clock: &ManualClock<Self>) -> Self;
    /// Sets the clock.
    fn set(clock: &ManualClock<Self>, reading: Self);
}

macro_rules! width {
    ($word:ident, $signed:ident) => {
        impl Width for $word {
            fn at(time: i64) -> Self {
                time as $word
            }

            fn number(self) -> i64 {
                self as i64
            }

            fn time(self, near: i64) -> i64 {
                near + i64::from(self.wrapping_sub(near as $word) as $signed)
            }

            fn rate(pace: Pace) -> Rate<Self> {
                let rate = Rate::<$word>::every(pace.interval as $word)
                    .and_then(|rate| rate.burst(pace.burst as $word))
                    .expect("the configurations ask for rates in range");
                if pace.strict { rate.strict() } else { rate }
            }

            fn clock() -> ManualClock<Self> {
                ManualClock::<$word>::new(0)
            }

            fn read(clock: &ManualClock<Self>) -> Self {
                clock.now()
            }

            fn set(clock: &ManualClock<Self>, reading: Self) {
                clock.set(reading);
            }
        }
    };
}

width!(u32, i32);
width!(u64, i64);

/// A clock that is set by hand, and wrong at all readings or at one.
#[derive(Debug)]
pub struct Hands<W: Width> {
    clock: ManualClock<W>,
    /// How far off it reads.
    off: Cell<i64>,
    /// Counts down to the one reading that is wrong; 0: all are.
    reading: Cell<u8>,
}

impl<W: Width> Hands<W> {
    /// A clock that reads 0.
    pub fn new() -> Self {
        Self {
            clock: W::clock(),
            off: Cell::new(0),
            reading: Cell::new(0),
        }
    }

    /// Sets the time.
    pub fn set(&self, time: i64) {
        W::set(&self.clock, W::at(time));
    }

    /// Makes it wrong, or right again by `(0, 0)`. Says how it was.
    pub fn wrong(&self, by: i64, reading: u8) -> (i64, u8) {
        (self.off.replace(by), self.reading.replace(reading))
    }
}

impl<W: Width> Default for Hands<W> {
    fn default() -> Self {
        Self::new()
    }
}

impl<W: Width> Clock for Hands<W> {
    type Tick = W;

    fn now(&self) -> W {
        let reading = W::read(&self.clock);
        let off = self.off.get();
        if off == 0 {
            return reading;
        }
        match self.reading.get() {
            0 => {}
            1 => {
                self.off.set(0);
                self.reading.set(0);
            }
            more => {
                self.reading.set(more - 1);
                return reading;
            }
        }
        W::at(reading.number() + off)
    }
}

/// The queue that is explored.
pub type Line<W, const N: usize, K> = QueueOver<&'static Hands<W>, Inline<N>, K>;

/// The kinds of queue.
pub trait Kind: Weighing + Sized {
    /// A new queue.
    fn queue<W: Width, const N: usize>(clock: &'static Hands<W>, rate: Rate<W>)
    -> Line<W, N, Self>;
}

impl Kind for Single {
    fn queue<W: Width, const N: usize>(
        clock: &'static Hands<W>,
        rate: Rate<W>,
    ) -> Line<W, N, Self> {
        Queue::new(clock, rate)
    }
}

impl Kind for Weighted {
    fn queue<W: Width, const N: usize>(
        clock: &'static Hands<W>,
        rate: Rate<W>,
    ) -> Line<W, N, Self> {
        WeightedQueue::new(clock, rate)
    }
}

/// What is done with a queue of some width, capacity and kind.
pub trait Visit {
    /// What comes of it.
    type Answer;

    /// Does it.
    fn visit<W: Width, const N: usize, K: Kind>(self) -> Self::Answer;
}
