//! Atomics that call a hook before each access: the third make of `atomic`, for tests only (`tests/stepped`).

use std::cell::RefCell;

use portable_atomic::Ordering;

type Hook = Box<dyn FnMut()>;

std::thread_local! {
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// Runs `f` with `hook` called before every atomic access that this thread makes in it. The hook itself runs without
/// a hook, and may do anything: count, stop for ever, call the queue as an interrupt handler would.
pub fn with_hook<R>(hook: impl FnMut() + 'static, f: impl FnOnce() -> R) -> R {
    struct Unset;
    impl Drop for Unset {
        fn drop(&mut self) {
            HOOK.with(|hook| hook.borrow_mut().take());
        }
    }
    HOOK.with(|place| *place.borrow_mut() = Some(Box::new(hook)));
    let _unset = Unset;
    f()
}

fn step() {
    let hook = HOOK.with(|hook| hook.borrow_mut().take());
    if let Some(mut hook) = hook {
        hook();
        HOOK.with(|place| *place.borrow_mut() = Some(hook));
    }
}

macro_rules! atomic {
    ($name:ident, $value:ty $(, $op:ident)*) => {
        #[doc(hidden)]
        #[derive(Debug)]
        #[repr(transparent)]
        pub struct $name(portable_atomic::$name);

        #[allow(dead_code, reason = "each atomic has all the operations that one of them needs")]
        impl $name {
            pub(crate) const fn new(value: $value) -> Self {
                Self(portable_atomic::$name::new(value))
            }

            pub(crate) fn load(&self, order: Ordering) -> $value {
                step();
                self.0.load(order)
            }

            pub(crate) fn store(&self, value: $value, order: Ordering) {
                step();
                self.0.store(value, order);
            }

            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                step();
                self.0.compare_exchange(current, new, success, failure)
            }

            $(
            pub(crate) fn $op(&self, value: $value, order: Ordering) -> $value {
                step();
                self.0.$op(value, order)
            }
            )*
        }
    };
}

atomic!(AtomicU8, u8);
atomic!(AtomicU32, u32, fetch_add);
atomic!(AtomicU64, u64, fetch_add);
atomic!(AtomicUsize, usize, fetch_add, fetch_and, fetch_or);
