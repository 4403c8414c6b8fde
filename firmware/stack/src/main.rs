//! How much stack each operation uses: the stack below is painted, the operation called, and the paint looked at.
//!
//! Prints a line of `name=bytes` for `sizes.sh`. What is counted is the call and all below it; an interrupt's own frame
//! comes on top.
#![no_std]
#![no_main]

use core::cell::UnsafeCell;
use core::hint::black_box;
use core::task::Waker;

use apiqueue_core::{ManualClock, Queue, Rate, Waiter};
use board::{println, stack_pointer};

const RATE: Rate<u32> = match Rate::<u32>::every(3) {
    Ok(rate) => rate,
    Err(_) => panic!("at compile time only"),
};
/// Bytes looked at, far more than anything here uses.
const DEPTH: usize = 2_048;
const PAINT: u32 = 0xa5a5_5a5a;

type Line = Queue<&'static ManualClock<u32>, 16>;

static CLOCK: ManualClock<u32> = ManualClock::<u32>::new(0);
static QUEUE: Line = Queue::new(&CLOCK, RATE);
/// What the operations work on.
static PLACE: Place = Place(UnsafeCell::new(None));

/// Without a critical section, whose stack would count.
struct Place(UnsafeCell<Option<Waiter<&'static Line>>>);

// SAFETY: one thread, and no interrupt is enabled.
unsafe impl Sync for Place {}

board::main!(run);

fn run() {
    let nothing = used_by(|| {});
    let enqueue = used_by(|| keep(QUEUE.enqueue().ok()));
    let poll = used_by(|| {
        if let Some(place) = take() {
            let _ = black_box(place.poll_release(Waker::noop()));
            keep(Some(place));
        }
    });
    let advance = used_by(|| {
        let _ = black_box(QUEUE.advance());
    });
    assert!(take().is_some_and(|place| !place.is_waiting()));
    keep(QUEUE.enqueue().ok());
    let cancel = used_by(|| drop(take()));
    CLOCK.advance(10);
    let try_acquire = used_by(|| {
        let _ = black_box(QUEUE.try_acquire());
    });
    let set_rate = used_by(|| QUEUE.set_rate(black_box(RATE)));
    let close = used_by(|| QUEUE.close());
    let of = |bytes: usize| bytes - nothing;
    println!(
        "stack enqueue={} advance={} poll={} cancel={} try_acquire={} set_rate={} close={}",
        of(enqueue),
        of(advance),
        of(poll),
        of(cancel),
        of(try_acquire),
        of(set_rate),
        of(close),
    );
}

fn keep(place: Option<Waiter<&'static Line>>) {
    // SAFETY: one thread, and the reference ends here.
    unsafe { *PLACE.0.get() = place };
}

fn take() -> Option<Waiter<&'static Line>> {
    // SAFETY: one thread, and the reference ends here.
    unsafe { (*PLACE.0.get()).take() }
}

/// The bytes of stack that `operation` reaches below this frame.
#[inline(never)]
fn used_by(operation: fn()) -> usize {
    let top = stack_pointer() & !3;
    let bottom = top - DEPTH;
    let mut at = bottom;
    while at < top {
        // SAFETY: below the stack pointer and within RAM, where nobody's data is; no interrupt is enabled.
        unsafe { (at as *mut u32).write_volatile(PAINT) };
        at += 4;
    }
    black_box(operation)();
    let mut at = bottom;
    // SAFETY: as above; whatever is there, it is memory.
    while at < top && unsafe { (at as *const u32).read_volatile() } == PAINT {
        at += 4;
    }
    assert!(at > bottom, "deeper than {DEPTH} bytes");
    top - at
}
