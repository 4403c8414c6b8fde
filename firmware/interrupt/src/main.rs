//! A `static` queue that a timer interrupt drives while the program enqueues, polls, cancels and drives it too.
//!
//! Two parts: [`forced`] puts an interrupt into every place of every operation, one after the other; [`storm`] makes
//! random operations under interrupts that come as fast as the program can bear. The clock counts ticks and only an
//! interrupt or the wind-up between two rounds moves it, so what is asserted is exact.
#![no_std]
#![no_main]

mod forced;
mod log;
mod storm;

use apiqueue_core::{ManualClock, Queue, Rate, Waiter};

/// Ticks between releases; so few that no lateness is made up.
const INTERVAL: u32 = 3;
const RATE: Rate<u32> = match Rate::<u32>::every(INTERVAL) {
    Ok(rate) => rate,
    Err(_) => panic!("at compile time only"),
};

type Line = Queue<&'static ManualClock<u32>, 16>;
type Place = Waiter<&'static Line>;

static CLOCK: ManualClock<u32> = ManualClock::<u32>::new(u32::MAX - 5_000);
static QUEUE: Line = Queue::new(&CLOCK, RATE);

board::main!(run);

fn run() {
    assert!(RATE.slack() == 0);
    if board::is_exact() {
        forced::run();
    } else {
        board::println!(
            "forced: left out, as nothing counts instructions (arg=exact says that QEMU does)"
        );
    }
    storm::run();
}

/// Takes a place; there is always one free here.
fn enqueue() -> Place {
    match QUEUE.enqueue() {
        Ok(place) => place,
        Err(error) => panic!("{error}"),
    }
}

/// Whether nobody in `line` was released before somebody ahead. Looks from the back, so that a release between two looks
/// can't seem to be out of turn.
fn is_in_order<'w>(line: impl DoubleEndedIterator<Item = &'w Place>) -> bool {
    let mut released_behind = false;
    for place in line.rev() {
        if !place.is_waiting() {
            released_behind = true;
        } else if released_behind {
            return false;
        }
    }
    true
}
