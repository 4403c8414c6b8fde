//! Stamps: readings shifted left, as the words of `pace` hold them with marks below (see `layout`).

use crate::clock::Word;
use crate::layout::{HELD, MARKS};

/// The stamp of a reading.
pub(crate) fn stamp<W: Word>(reading: W) -> W {
    reading.shl(MARKS)
}

/// A stamp without the marks of its word.
pub(crate) fn unmarked<W: Word>(word: W) -> W {
    word.shr(MARKS).shl(MARKS)
}

/// The word of a hold until `stamp`.
pub(crate) fn held<W: Word>(stamp: W) -> W {
    stamp.with_low(HELD)
}

/// The ticks in a difference of stamps.
pub(crate) fn unstamp<W: Word>(difference: W) -> W {
    difference.shr(MARKS)
}

/// Whether stamp `a` lies after `b`, by less than half the range.
pub(crate) fn is_after<W: Word>(a: W, b: W) -> bool {
    a != b && a.minus(b) < W::HALF
}
