//! loom's atomics, each with a second word that every load touches: the make of `atomic` under `--cfg loom`.
//!
//! loom remembers one access of an object, the latest, and looks for another order of two accesses only from there. A thread
//! that loads a word and then swaps it, as everything here does, so hides from loom that its swap could have come between
//! another thread's load and what that led to: whole models ended after one interleaving (tokio-rs/loom#166, #392). A
//! read-modify-write is never hidden in that way. The second word's is Relaxed and orders nothing, so that the load itself may
//! still return whatever the memory model lets it return.

use loom::sync::atomic::AtomicUsize as Touched;
use portable_atomic::Ordering;

macro_rules! atomic {
    ($name:ident, $value:ty $(, $op:ident)*) => {
        #[derive(Debug)]
        #[allow(unreachable_pub, reason = "named by a sealed trait")]
        pub struct $name {
            word: loom::sync::atomic::$name,
            touched: Touched,
        }

        #[allow(dead_code, reason = "each atomic has all the operations that one of them needs")]
        impl $name {
            pub(crate) fn new(value: $value) -> Self {
                Self {
                    word: loom::sync::atomic::$name::new(value),
                    touched: Touched::new(0),
                }
            }

            pub(crate) fn load(&self, order: Ordering) -> $value {
                self.touched.fetch_add(0, Ordering::Relaxed);
                self.word.load(order)
            }

            pub(crate) fn store(&self, value: $value, order: Ordering) {
                self.word.store(value, order);
            }

            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.word.compare_exchange(current, new, success, failure)
            }

            $(
            pub(crate) fn $op(&self, value: $value, order: Ordering) -> $value {
                self.word.$op(value, order)
            }
            )*
        }
    };
}

atomic!(AtomicU8, u8);
atomic!(AtomicU32, u32, fetch_add);
atomic!(AtomicU64, u64, fetch_add);
atomic!(AtomicUsize, usize, fetch_add, fetch_and, fetch_or);
