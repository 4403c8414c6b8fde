//! For how long lateness is made up: a tenth of the interval or, with the feature `catch-up`, a time that the queue was told.
//! Without the feature nothing of it is in the code.

use crate::clock::Word;
#[cfg(feature = "catch-up")]
use crate::clock::{private::Bits, widen};

#[derive(Clone, Copy, Debug)]
pub(crate) struct CatchUp<W> {
    /// `NONE` for a tenth.
    #[cfg(feature = "catch-up")]
    ticks: W,
    /// Whether somebody was in line for the next slot when the latest was used. Never where a tenth is made up.
    #[cfg(feature = "catch-up")]
    has_waited: bool,
    #[cfg(not(feature = "catch-up"))]
    word: core::marker::PhantomData<W>,
}

#[cfg(feature = "catch-up")]
impl<W: Word> CatchUp<W> {
    /// A tenth of the interval.
    pub(crate) const TENTH: Self = Self {
        ticks: <W as Bits>::NONE,
        has_waited: false,
    };

    /// Never more than `MAX_SPAN`, which is less than `NONE`.
    pub(crate) const fn of(ticks: W) -> Self {
        let is_too_long = widen(ticks) > widen(W::MAX_SPAN);
        Self {
            ticks: if is_too_long { W::MAX_SPAN } else { ticks },
            has_waited: false,
        }
    }

    /// The time told; none for a tenth.
    #[inline]
    pub(crate) fn ticks(self) -> Option<W> {
        (self.ticks != W::NONE).then_some(self.ticks)
    }

    #[inline]
    pub(crate) fn has_waited(self) -> bool {
        self.has_waited
    }

    /// The same for one who has waited for the next slot, or not; never where a tenth is made up.
    #[inline]
    pub(crate) fn waited(self, has_waited: bool) -> Self {
        Self { has_waited, ..self }
    }
}

#[cfg(not(feature = "catch-up"))]
impl<W: Word> CatchUp<W> {
    pub(crate) const TENTH: Self = Self {
        word: core::marker::PhantomData,
    };

    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(crate) fn ticks(self) -> Option<W> {
        None
    }

    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(crate) fn has_waited(self) -> bool {
        false
    }

    pub(crate) fn waited(self, _: bool) -> Self {
        self
    }
}
