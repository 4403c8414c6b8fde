//! Wakers that count, without an allocation or a lock.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::task::{RawWaker, RawWakerVTable, Waker};

/// How often one waker was called, and how many clones of it there are.
#[derive(Debug, Default)]
pub struct Bell {
    /// Calls.
    pub calls: Cell<u32>,
    /// Clones that live.
    pub live: Cell<i32>,
}

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_one);

fn bell(data: *const ()) -> &'static Bell {
    // SAFETY: all wakers of this table are made by `waker`, of a `&'static Bell`, and used on the thread that made them.
    unsafe { &*data.cast::<Bell>() }
}

fn clone(data: *const ()) -> RawWaker {
    let bell = bell(data);
    bell.live.set(bell.live.get() + 1);
    RawWaker::new(data, &TABLE)
}

fn wake(data: *const ()) {
    wake_by_ref(data);
    drop_one(data);
}

fn wake_by_ref(data: *const ()) {
    let bell = bell(data);
    bell.calls.set(bell.calls.get() + 1);
}

fn drop_one(data: *const ()) {
    let bell = bell(data);
    bell.live.set(bell.live.get() - 1);
}

/// A waker that counts in `bell`; itself it is not counted.
pub fn waker(bell: &'static Bell) -> ManuallyDrop<Waker> {
    let raw = RawWaker::new(std::ptr::from_ref(bell).cast(), &TABLE);
    // SAFETY: the table's functions keep the contract of a waker; it stays on this thread, as each exploration runs on one.
    ManuallyDrop::new(unsafe { Waker::from_raw(raw) })
}
