//! The mock clock.

use crate::atomic::{AtomicU32, Ordering, const_unless_loom};
use crate::clock::Clock;

/// A clock that stands still until it is moved: for tests that are deterministic and take no real time, and for
/// drivers that know what has passed without asking, such as a timer interrupt that counts its own ticks.
///
/// `ManualClock<u32>` and `ManualClock<u64>` are the two widths. Both can be a `static` and are shared by reference;
/// `&ManualClock` is a [`Clock`] too.
///
/// ```
/// use apiqueue_core::{Clock, ManualClock};
///
/// static CLOCK: ManualClock<u32> = ManualClock::<u32>::new(0xffff_fff0);
/// CLOCK.advance(0x20);
/// assert_eq!(CLOCK.now(), 0x10); // wrapped
/// ```
#[derive(Debug)]
pub struct ManualClock<W: crate::Word = DefaultWord> {
    reading: W::Atom,
}

#[cfg(target_has_atomic = "64")]
type DefaultWord = u64;
#[cfg(not(target_has_atomic = "64"))]
type DefaultWord = u32;

macro_rules! manual {
    ($word:ident, $atom:ident) => {
        impl ManualClock<$word> {
            const_unless_loom! {
            /// A clock that reads `start`.
            pub const fn new(start: $word) -> Self {
                Self { reading: $atom::new(start) }
            }
            }

            /// Sets the reading, backward too.
            pub fn set(&self, reading: $word) {
                // Ordering: SeqCst, so that a test which sets the clock and then looks at other atomics needs no
                // argument of its own; the mock is no hot path.
                self.reading.store(reading, Ordering::SeqCst);
            }

            /// Moves the reading forward to `reading`, if it is not there or past it already; more than half the range away means
            /// in the past.
            pub fn advance_to(&self, reading: $word) {
                // Ordering: SeqCst, as in `set`.
                let mut seen = self.reading.load(Ordering::SeqCst);
                while reading.wrapping_sub(seen).wrapping_sub(1) < $word::MAX / 2 {
                    match self.reading.compare_exchange(
                        seen,
                        reading,
                        Ordering::SeqCst,
                        Ordering::SeqCst,
                    ) {
                        Ok(_) => return,
                        Err(now) => seen = now,
                    }
                }
            }

            /// Moves the reading forward by `ticks`, wrapping, and returns the new reading.
            pub fn advance(&self, ticks: $word) -> $word {
                // Ordering: SeqCst, as in `set`.
                self.reading
                    .fetch_add(ticks, Ordering::SeqCst)
                    .wrapping_add(ticks)
            }
        }

        impl Clock for ManualClock<$word> {
            type Tick = $word;

            #[inline]
            fn now(&self) -> $word {
                // Ordering: under loom a read-modify-write, which alone is sure to read the latest value there: the
                // models reason about one true time.
                #[cfg(loom)]
                return self.reading.fetch_add(0, Ordering::AcqRel);
                // Ordering: SeqCst, as in `set`; a plain load on x86 and a load-acquire on Arm.
                #[cfg(not(loom))]
                self.reading.load(Ordering::SeqCst)
            }
        }
    };
}

manual!(u32, AtomicU32);

#[cfg(any(target_has_atomic = "64", feature = "wide-ticks-fallback"))]
use crate::atomic::AtomicU64;
#[cfg(any(target_has_atomic = "64", feature = "wide-ticks-fallback"))]
manual!(u64, AtomicU64);
