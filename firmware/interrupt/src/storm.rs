//! Random operations under a storm of interrupts.
//!
//! The interrupt moves the clock by a tick, drives the queue, and sets the timer anew at its end: so many counts later it
//! comes again. Sweeping that number moves the interrupts over all operations; the program always gets on a little.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use apiqueue_core::{Clock, Left, Next, Waiter};
use board::{println, timer};

use crate::{CLOCK, INTERVAL, Line, Place, QUEUE, is_in_order};

/// Counts between the end of an interrupt and the next. Fewer are less than the way out of an interrupt takes.
const SWEEP: core::ops::Range<u32> = 150..400;
/// Operations at each point of the sweep.
const OPERATIONS: u32 = 60;
/// At most so many in line, of the queue's 16: who has left keeps a place until the head passes it.
const IN_LINE: usize = 8;

static COUNTS: AtomicU32 = AtomicU32::new(0);
/// Releases that the interrupt made.
static RELEASED: AtomicU32 = AtomicU32::new(0);
static INTERRUPTS: AtomicU32 = AtomicU32::new(0);
static LATEST: AtomicU32 = AtomicU32::new(0);
/// The program is giving a permit back, or drives too: two releases may then seem closer than they were.
static UNSURE: AtomicBool = AtomicBool::new(true);
static GAVE_BACK: AtomicBool = AtomicBool::new(true);

fn on_tick() {
    let now = CLOCK.advance(1);
    let advance = QUEUE.advance();
    let released = advance.released as u32;
    if let Next::At(at) = advance.next {
        let wait = at.wrapping_sub(now);
        assert!(
            (1..=INTERVAL).contains(&wait),
            "the next waits {wait} ticks"
        );
    }
    if released > 0 {
        if !UNSURE.load(Ordering::Relaxed) && !GAVE_BACK.load(Ordering::Relaxed) {
            let gap = now.wrapping_sub(LATEST.load(Ordering::Relaxed));
            assert!(
                released == 1 && gap >= INTERVAL,
                "{released} released after {gap} ticks"
            );
        }
        if !UNSURE.load(Ordering::Relaxed) {
            GAVE_BACK.store(false, Ordering::Relaxed);
        }
        LATEST.store(now, Ordering::Relaxed);
        RELEASED.store(
            RELEASED.load(Ordering::Relaxed) + released,
            Ordering::Relaxed,
        );
    }
    INTERRUPTS.store(INTERRUPTS.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    timer::once(COUNTS.load(Ordering::Relaxed), on_tick);
}

pub(crate) fn run() {
    let mut storm = Storm::default();
    // In real time an interrupt costs QEMU far more than the counts of an instruction.
    let scale = if board::is_exact() { 1 } else { 20 };
    for counts in SWEEP {
        let driving = counts % 2 == 1;
        let counts = counts * scale;
        COUNTS.store(counts, Ordering::Relaxed);
        // At every other point the program drives the queue as well as the interrupt.
        storm.point(driving);
    }
    let interrupts = INTERRUPTS.load(Ordering::Relaxed);
    println!(
        "storm: {} operations, {interrupts} interrupts, {} released, {} left",
        storm.operations, storm.seen, storm.left
    );
    assert!(interrupts > 1_000 && storm.seen > 1_000 && storm.left > 500);
}

#[derive(Default)]
struct Storm {
    random: Random,
    line: [Option<Place>; IN_LINE],
    len: usize,
    operations: u32,
    enqueued: u32,
    /// Waiters whose release was seen.
    seen: u32,
    left: u32,
    /// Releases by the program: of its own driving, and permits taken.
    own: u32,
    given_back: u32,
}

impl Storm {
    fn point(&mut self, driving: bool) {
        let begin = CLOCK.now();
        let permits = self.own + RELEASED.load(Ordering::Relaxed) - self.given_back;
        UNSURE.store(true, Ordering::Relaxed);
        GAVE_BACK.store(true, Ordering::Relaxed);
        UNSURE.store(driving, Ordering::Relaxed);
        timer::once(COUNTS.load(Ordering::Relaxed), on_tick);
        for _ in 0..OPERATIONS {
            self.operate(driving);
            self.operations += 1;
            assert!(is_in_order(self.waiters()), "out of order");
        }
        self.run_out();
        timer::stop();
        assert_eq!(self.enqueued, self.seen + self.left, "nobody is lost");
        let ticks = CLOCK.now().wrapping_sub(begin);
        let permits = self.own + RELEASED.load(Ordering::Relaxed) - self.given_back - permits;
        assert!(
            permits <= 1 + ticks / INTERVAL,
            "{permits} in {ticks} ticks"
        );
        CLOCK.advance(INTERVAL);
    }

    fn operate(&mut self, driving: bool) {
        match self.random.below(8) {
            0..3 if self.len < IN_LINE => {
                // Full when many have left behind one who waits.
                if let Ok(place) = QUEUE.enqueue() {
                    self.line[self.len] = Some(place);
                    self.len += 1;
                    self.enqueued += 1;
                }
            }
            0..5 => self.see(),
            5 if self.len > 0 => {
                let at = self.random.below(self.len as u32) as usize;
                self.cancel(at, driving);
            }
            6 if driving => self.own += QUEUE.advance().released as u32,
            7 if driving => self.own += u32::from(QUEUE.try_acquire().is_ok()),
            _ => self.see(),
        }
    }

    /// Looks at the first in line.
    fn see(&mut self) {
        if self.line[0]
            .as_ref()
            .is_some_and(|first| !first.is_waiting())
        {
            self.remove(0);
            self.seen += 1;
        }
    }

    fn cancel(&mut self, at: usize, driving: bool) {
        let Some(mut place) = self.remove(at) else {
            return;
        };
        UNSURE.store(true, Ordering::Relaxed);
        if place.leave() == Left::Released && place.give_back() {
            self.given_back += 1;
            GAVE_BACK.store(true, Ordering::Relaxed);
        }
        UNSURE.store(driving, Ordering::Relaxed);
        self.left += 1;
    }

    fn remove(&mut self, at: usize) -> Option<Waiter<&'static Line>> {
        self.line[at..self.len].rotate_left(1);
        self.len -= 1;
        self.line[self.len].take()
    }

    /// Waits for all in line.
    fn run_out(&mut self) {
        while self.len > 0 {
            self.see();
        }
        // The head passes those who have left.
        while !QUEUE.is_empty() {
            core::hint::spin_loop();
        }
    }

    fn waiters(&self) -> impl DoubleEndedIterator<Item = &Place> {
        self.line.iter().flatten()
    }
}

/// Xorshift.
struct Random(u32);

impl Default for Random {
    fn default() -> Self {
        Self(0x9e37_79b9)
    }
}

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 % end
    }
}
