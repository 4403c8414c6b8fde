//! The two widths of ticks, for tests that run on both.

use apiqueue_core::{Clock, ManualClock, Rate, Word};

use crate::model::Pace;

/// A word that the tests can count with.
pub trait Width: Word {
    type Clock: Clock<Tick = Self> + Sync + core::fmt::Debug;

    /// The reading at an unwrapped time.
    fn at(time: i128) -> Self;
    fn span() -> i128;
    fn clock(start: Self) -> Self::Clock;
    fn set(clock: &Self::Clock, reading: Self);
    fn rate(pace: Pace) -> Rate<Self>;

    /// The pace as ticks of this width can hold it: strict where there is no room for a tenth of the interval.
    fn fit(pace: Pace) -> Pace {
        let room = Self::span() - pace.gathered() - pace.interval;
        let tenth = Pace {
            catch_up: None,
            ..pace
        };
        let strict = pace.strict || tenth.slack() > room;
        Pace {
            strict,
            room,
            ..pace
        }
    }
}

macro_rules! width {
    ($word:ident) => {
        impl Width for $word {
            type Clock = ManualClock<$word>;

            fn at(time: i128) -> Self {
                time as $word
            }

            fn span() -> i128 {
                i128::from(<$word as Word>::MAX_SPAN)
            }

            fn clock(start: Self) -> Self::Clock {
                ManualClock::<$word>::new(start)
            }

            fn set(clock: &Self::Clock, reading: Self) {
                clock.set(reading);
            }

            #[allow(clippy::expect_used)]
            fn rate(pace: Pace) -> Rate<Self> {
                let rate = Rate::<$word>::every(pace.interval as $word)
                    .and_then(|rate| rate.burst(pace.burst as $word))
                    .expect("the tests ask for rates in range");
                if pace.strict { rate.strict() } else { rate }
            }
        }
    };
}

width!(u32);
width!(u64);
