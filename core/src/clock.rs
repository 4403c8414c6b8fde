//! Time, as little of it as the queue needs: a reading that wraps ([`Tick`]), a source of readings ([`Clock`]), and
//! the two integer widths that readings come in ([`Word`]).

use core::fmt::{Debug, Display};

use crate::atomic::{AtomicU32, Ordering};
use crate::layout::{MARKS, last};

/// A source of readings.
///
/// Readings ought to go forward. One that comes late, out of order or goes backward can delay a release; it never
/// brings one forward. What the queue remembers is the furthest reading at which it has released: a clock that leaps ahead
/// there and then falls back delays releases until the leap is caught up with. A change of rate takes the reading that it
/// finds for the present: if that has fallen back, the time until the clock is back again counts as time at the new rate.
///
/// A reading that is off by more than half of what can be told apart (2<sup>27</sup> ticks of 32 bits) looks like one that is off
/// by less, in the other direction.
///
/// A driver over a 32-bit clock calls `advance` at least once every 2<sup>26</sup> ticks (18 hours of milliseconds,
/// 67 seconds of microseconds), also while nothing is queued: that is how a queue tells a long pause from a reading
/// that wrapped. With 64-bit ticks the bound is 2<sup>56</sup> (2.2 years of nanoseconds).
pub trait Clock {
    /// What a reading is.
    type Tick: Tick;

    /// The present reading. Must not block.
    fn now(&self) -> Self::Tick;
}

impl<C: Clock + ?Sized> Clock for &C {
    type Tick = C::Tick;

    #[inline]
    fn now(&self) -> Self::Tick {
        (**self).now()
    }
}

/// One reading of a [`Clock`]: an unsigned count that wraps.
pub trait Tick: Copy {
    /// The integer behind the reading. Its width is the width of the atomics that the queue uses.
    type Word: Word;

    /// The reading that `word` counts.
    fn from_word(word: Self::Word) -> Self;

    /// The count behind this reading.
    fn to_word(self) -> Self::Word;
}

impl<W: Word> Tick for W {
    type Word = W;

    #[inline]
    fn from_word(word: W) -> W {
        word
    }

    #[inline]
    fn to_word(self) -> W {
        self
    }
}

#[cfg(feature = "fugit")]
impl<const NOM: u64, const DENOM: u64, K: fugit::kind::Kind> Tick
    for fugit::Instant<u32, NOM, DENOM, K>
{
    type Word = u32;

    fn from_word(word: u32) -> Self {
        Self::from_ticks(word)
    }

    fn to_word(self) -> u32 {
        self.as_ticks()
    }
}

#[cfg(all(
    feature = "fugit",
    any(target_has_atomic = "64", feature = "wide-ticks-fallback")
))]
impl<const NOM: u64, const DENOM: u64, K: fugit::kind::Kind> Tick
    for fugit::Instant<u64, NOM, DENOM, K>
{
    type Word = u64;

    fn from_word(word: u64) -> Self {
        Self::from_ticks(word)
    }

    fn to_word(self) -> u64 {
        self.as_ticks()
    }
}

/// The integers that count ticks: `u32` everywhere, `u64` where the target has 64-bit atomics of its own.
///
/// Elsewhere 64-bit atomics would be emulated by a lock, and an interrupt that preempts the lock's holder hangs; the
/// `wide-ticks-fallback` feature accepts that. The trait is sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't count ticks on this target",
    note = "`u32` always can; `u64` needs a target with 64-bit atomics of its own, or the feature `wide-ticks-fallback` and its risk"
)]
pub trait Word: Copy + Ord + Debug + Display + Send + Sync + private::Bits + 'static {
    /// The longest interval, burst or hold, in ticks: 2<sup>26</sup> − 1 for `u32`, 2<sup>56</sup> − 1 for `u64`.
    const MAX_SPAN: Self;
}

pub(crate) mod private {

    /// An atomic of the width of the word `W`.
    pub trait Atom<W>: core::fmt::Debug + Send + Sync {
        /// `Acquire`.
        fn load(&self) -> W;
        /// `AcqRel`, `Acquire` on failure.
        fn compare_exchange(&self, current: W, new: W) -> Result<W, W>;
    }

    /// The arithmetic that pacing uses.
    pub trait Bits: Sized {
        /// The atomic of this width; laid out like the integer itself, except under loom.
        type Atom: Atom<Self>;

        const BITS: u32;
        /// Interval and burst stand above this many bits of their words; below are a tag, and a mark above the tag.
        const TAG_BITS: u32;
        const ZERO: Self;
        /// No value.
        #[cfg(feature = "catch-up")]
        const NONE: Self;
        const ONE: Self;
        /// One tick, as a difference of stamps: see `layout`.
        const TICK: Self;
        /// `last` before anything was released: see `layout`.
        const FRESH: Self;
        /// Half the range: differences below it are forward.
        const HALF: Self;

        #[cfg(loom)]
        fn atom(self) -> Self::Atom;
        fn plus(self, other: Self) -> Self;
        fn minus(self, other: Self) -> Self;
        fn times(self, n: usize) -> Option<Self>;
        /// ⌊self / n⌋.
        #[cfg(any(feature = "catch-up", feature = "heapless"))]
        fn split(self, n: usize) -> Option<Self>;
        /// ⌊self / other⌋, saturating.
        fn over(self, other: Self) -> usize;
        fn shl(self, by: u32) -> Self;
        fn shr(self, by: u32) -> Self;
        /// The lowest eight bits.
        fn low(self) -> u8;
        fn with_low(self, bits: u8) -> Self;
    }
}

/// `word` as 64 bits: what constants are computed with, where trait methods can't be called.
pub(crate) const fn widen<W: Word>(word: W) -> u64 {
    if W::BITS == 32 {
        // SAFETY: `Word` is sealed, and the one word of 32 bits is `u32`.
        let word: u32 = unsafe { core::mem::transmute_copy(&word) };
        word as u64
    } else {
        // SAFETY: `Word` is sealed, and the other word is `u64`.
        unsafe { core::mem::transmute_copy(&word) }
    }
}

/// The word that `wide` is, which fits.
pub(crate) const fn narrow<W: Word>(wide: u64) -> W {
    if W::BITS == 32 {
        // SAFETY: `Word` is sealed, and the one word of 32 bits is `u32`.
        unsafe { core::mem::transmute_copy(&(wide as u32)) }
    } else {
        // SAFETY: `Word` is sealed, and the other word is `u64`.
        unsafe { core::mem::transmute_copy(&wide) }
    }
}

/// The atomic that holds `word`.
#[cfg(not(loom))]
pub(crate) const fn atom<W: Word>(word: W) -> W::Atom {
    // SAFETY: `Word` is sealed, and its atomics are portable-atomic's of the same width, or structures around one of
    // them alone: documented to have the same size and bit validity as the integer. Their alignment may be larger, which
    // a copy does not care about.
    unsafe { core::mem::transmute_copy::<W, W::Atom>(&word) }
}

#[cfg(loom)]
pub(crate) fn atom<W: Word>(word: W) -> W::Atom {
    word.atom()
}

macro_rules! word {
    ($word:ident, $atom:ident, $tag_bits:literal) => {
        impl Word for $word {
            const MAX_SPAN: Self = (1 << ($word::BITS - $tag_bits)) - 1;
        }

        impl private::Atom<$word> for $atom {
            #[inline]
            fn load(&self) -> $word {
                $atom::load(self, Ordering::Acquire)
            }

            #[inline(always)]
            fn compare_exchange(&self, current: $word, new: $word) -> Result<$word, $word> {
                $atom::compare_exchange(self, current, new, Ordering::AcqRel, Ordering::Acquire)
            }
        }

        impl private::Bits for $word {
            type Atom = $atom;

            const BITS: u32 = $word::BITS;
            const TAG_BITS: u32 = $tag_bits;
            const ZERO: Self = 0;
            #[cfg(feature = "catch-up")]
            const NONE: Self = Self::MAX;
            const ONE: Self = 1;
            const TICK: Self = 1 << MARKS;
            const FRESH: Self = last::CLAIMED as Self;
            const HALF: Self = 1 << ($word::BITS - 1);

            #[cfg(loom)]
            fn atom(self) -> $atom {
                $atom::new(self)
            }

            #[inline]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }

            #[inline]
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }

            #[inline]
            fn times(self, n: usize) -> Option<Self> {
                self.checked_mul($word::try_from(n).ok()?)
            }

            #[cfg(any(feature = "catch-up", feature = "heapless"))]
            #[inline]
            fn split(self, n: usize) -> Option<Self> {
                self.checked_div($word::try_from(n).ok()?)
            }

            #[inline]
            fn over(self, other: Self) -> usize {
                self.checked_div(other)
                    .and_then(|n| usize::try_from(n).ok())
                    .unwrap_or(usize::MAX)
            }

            #[inline]
            fn shl(self, by: u32) -> Self {
                self.wrapping_shl(by)
            }

            #[inline]
            fn shr(self, by: u32) -> Self {
                self.wrapping_shr(by)
            }

            #[inline]
            fn low(self) -> u8 {
                (self & 0xff) as u8
            }

            #[inline]
            fn with_low(self, bits: u8) -> Self {
                self | $word::from(bits)
            }
        }
    };
}

word!(u32, AtomicU32, 6);

#[cfg(any(target_has_atomic = "64", feature = "wide-ticks-fallback"))]
use crate::atomic::AtomicU64;
#[cfg(any(target_has_atomic = "64", feature = "wide-ticks-fallback"))]
word!(u64, AtomicU64, 8);

/// Shorthand for the integer behind the readings of the clock `C`.
pub type WordOf<C> = <<C as Clock>::Tick as Tick>::Word;
