//! Atomics whose compare-and-swap is one function that is called from everywhere: the make of `atomic` for bare metal of 32
//! bits, where flash is scarcer than the few cycles of a call. A compare-and-swap written out is 20 to 40 bytes there.
//!
//! On a target without compare-and-swap (feature `critical-section`) every change of a word is made in a critical section,
//! and loads are the target's own, without one. That is enough:
//! * A change is one load and one store of a whole aligned word with nobody else's change between them, as all changes are in
//!   critical sections; a load beside it sees the word before or after, never half of it.
//! * The load in it is Acquire and the store Release. Who loads a word with Acquire synchronizes with the change that stored
//!   it; and that change, by its own load, with the one before it. So changes of one word are one chain of happens-before,
//!   as they are with AcqRel read-modify-writes, whether or not the critical section orders anything itself.
//! * A compare-and-swap or `fetch_or` that finds nothing to change loads in the critical section, so that it too reads the
//!   latest word of the chain.

use core::sync::atomic::{AtomicU8 as Byte, AtomicU32 as Raw};

use portable_atomic::Ordering;

/// Stores `new` if `word` is `current`. What it was.
#[inline(never)]
fn swap_if(word: &Raw, current: u32, new: u32) -> u32 {
    change(
        word,
        |seen| if seen == current { new } else { seen },
        current,
    )
}

/// Changes `word` from what it is. What it was. `guess` is what it is likely to be.
#[cfg(target_has_atomic = "32")]
#[inline(always)]
fn change(word: &Raw, to: impl Fn(u32) -> u32, guess: u32) -> u32 {
    let mut seen = guess;
    loop {
        let new = to(seen);
        match word.compare_exchange(seen, new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(seen) => return seen,
            // What would not change it needs no store.
            Err(now) if to(now) == now => return now,
            Err(now) => seen = now,
        }
    }
}

#[cfg(not(target_has_atomic = "32"))]
#[inline(always)]
fn change(word: &Raw, to: impl Fn(u32) -> u32, _guess: u32) -> u32 {
    critical_section::with(|_| {
        let seen = word.load(Ordering::Acquire);
        let new = to(seen);
        if new != seen {
            word.store(new, Ordering::Release);
        }
        seen
    })
}

macro_rules! word {
    ($name:ident, $value:ty) => {
        #[allow(unreachable_pub, reason = "named by a sealed trait")]
        #[derive(Debug)]
        #[repr(transparent)]
        pub struct $name(Raw);

        #[allow(
            dead_code,
            reason = "each has all the operations that one of them needs"
        )]
        #[allow(clippy::cast_possible_truncation, reason = "both are of 32 bits here")]
        impl $name {
            pub(crate) const fn new(value: $value) -> Self {
                Self(Raw::new(value as u32))
            }

            #[inline]
            pub(crate) fn load(&self, order: Ordering) -> $value {
                self.0.load(order) as $value
            }

            /// As a change too: not beside a critical section that has read the word and is about to write it.
            pub(crate) fn store(&self, value: $value, _: Ordering) {
                change(&self.0, |_| value as u32, 0);
            }

            #[inline(always)]
            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                _: Ordering,
                _: Ordering,
            ) -> Result<$value, $value> {
                let seen = swap_if(&self.0, current as u32, new as u32) as $value;
                if seen == current { Ok(seen) } else { Err(seen) }
            }

            #[inline]
            pub(crate) fn fetch_add(&self, value: $value, _: Ordering) -> $value {
                change(&self.0, |seen| seen.wrapping_add(value as u32), 0) as $value
            }

            #[inline]
            pub(crate) fn fetch_and(&self, value: $value, _: Ordering) -> $value {
                change(&self.0, |seen| seen & value as u32, 0) as $value
            }

            #[inline]
            pub(crate) fn fetch_or(&self, value: $value, _: Ordering) -> $value {
                change(&self.0, |seen| seen | value as u32, 0) as $value
            }
        }
    };
}

word!(AtomicU32, u32);
word!(AtomicUsize, usize);

/// Only loaded and stored.
#[derive(Debug)]
pub(crate) struct AtomicU8(Byte);

impl AtomicU8 {
    pub(crate) const fn new(value: u8) -> Self {
        Self(Byte::new(value))
    }

    #[inline]
    pub(crate) fn load(&self, order: Ordering) -> u8 {
        self.0.load(order)
    }

    #[inline]
    pub(crate) fn store(&self, value: u8, order: Ordering) {
        self.0.store(value, order);
    }
}
