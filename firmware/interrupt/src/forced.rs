//! An interrupt in every place of every operation.
//!
//! Each round puts three waiters in line, sets the timer to fire after so many counts, and runs one operation. Counts
//! go up from one until the operation is over before the interrupt comes. Under QEMU's `-icount` with an instruction no
//! shorter than a count, that is every place in which an interrupt can come.

use core::sync::atomic::{AtomicU32, Ordering};
use core::task::{Poll, RawWaker, RawWakerVTable, Waker};

use apiqueue_core::{Clock, Left};
use board::{println, timer};

use crate::{CLOCK, INTERVAL, Place, QUEUE, RATE, enqueue, is_in_order, log};

/// What is interrupted.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Operation {
    Enqueue,
    Poll,
    CancelHead,
    CancelMiddle,
    GiveBack,
    Advance,
    AdvanceWith,
    TryAcquire,
    SetRate,
    Hold,
}

/// What the interrupt does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Interrupt {
    /// A tick passes.
    Tick,
    /// A whole interval passes: somebody is due.
    Interval,
    /// It takes a place itself and leaves again.
    EnqueueAndCancel,
    /// It wants a permit of its own.
    TryAcquire,
    /// It changes the rate, to the same.
    SetRate,
}

const OPERATIONS: [Operation; 10] = [
    Operation::Enqueue,
    Operation::Poll,
    Operation::CancelHead,
    Operation::CancelMiddle,
    Operation::GiveBack,
    Operation::Advance,
    Operation::AdvanceWith,
    Operation::TryAcquire,
    Operation::SetRate,
    Operation::Hold,
];
const INTERRUPTS: [(Interrupt, fn()); 5] = [
    (Interrupt::Tick, on_tick),
    (Interrupt::Interval, on_interval),
    (Interrupt::EnqueueAndCancel, on_enqueue_and_cancel),
    (Interrupt::TryAcquire, on_try_acquire),
    (Interrupt::SetRate, on_set_rate),
];
/// Longer than any operation.
const MOST_COUNTS: u32 = 20_000;
/// So many operations in a row that were over in time end a sweep.
const ENOUGH: u32 = 4;

static FIRED: AtomicU32 = AtomicU32::new(0);
static WOKEN: AtomicU32 = AtomicU32::new(0);

pub(crate) fn run() {
    let (mut rounds, mut hits, mut releases) = (0_u32, 0, 0);
    for operation in OPERATIONS {
        let (mut most, mut of_operation) = (0, 0);
        for (interrupt, handler) in INTERRUPTS {
            let (mut counts, mut over) = (1, 0);
            let mut inside = 0;
            while over < ENOUGH {
                assert!(counts < MOST_COUNTS, "{operation:?} does not end");
                let round = Round::begin(operation).run(operation, counts, handler);
                rounds += 1;
                releases += round.releases;
                if round.hit {
                    inside += 1;
                    over = 0;
                } else {
                    over += 1;
                }
                counts += 1;
            }
            assert!(
                inside > 0,
                "{interrupt:?} never came in the middle of {operation:?}"
            );
            of_operation += inside;
            most = most.max(inside);
        }
        println!("  {operation:?}: interrupted {of_operation} times, at up to {most} moments");
        hits += of_operation;
    }
    println!("forced: {rounds} rounds, {hits} interrupts inside an operation, {releases} releases");
}

struct Round {
    /// In line, in this order. The first has left a waker.
    line: [Option<Place>; 4],
    armed: bool,
    hit: bool,
    releases: usize,
}

impl Round {
    /// Three waiters in line and a permit free. (For `TryAcquire` nobody, for `GiveBack` the first released.)
    fn begin(operation: Operation) -> Self {
        CLOCK.advance(INTERVAL);
        WOKEN.store(0, Ordering::Relaxed);
        FIRED.store(0, Ordering::Relaxed);
        let mut round = Self {
            line: [const { None }; 4],
            armed: false,
            hit: false,
            releases: 0,
        };
        if operation == Operation::TryAcquire {
            return round;
        }
        for place in &mut round.line[..3] {
            *place = Some(enqueue());
        }
        round.armed = round.poll_first();
        if operation == Operation::GiveBack {
            let _ = log::released(|| QUEUE.advance().released);
        }
        round
    }

    fn run(mut self, operation: Operation, counts: u32, handler: fn()) -> Self {
        timer::once(counts, handler);
        self.operate(operation);
        self.hit = FIRED.load(Ordering::Relaxed) != 0;
        while FIRED.load(Ordering::Relaxed) == 0 {
            core::hint::spin_loop();
        }
        self.wind_up();
        self
    }

    fn operate(&mut self, operation: Operation) {
        match operation {
            Operation::Enqueue => self.line[3] = Some(enqueue()),
            Operation::Poll => self.armed = self.poll_first(),
            Operation::CancelHead | Operation::GiveBack => {
                self.armed = false;
                if let Some(mut head) = self.line[0].take()
                    && head.leave() == Left::Released
                    && head.give_back()
                {
                    log::given_back();
                }
            }
            Operation::CancelMiddle => drop(self.line[1].take()),
            Operation::Advance => {
                let _ = log::released(|| QUEUE.advance().released);
            }
            Operation::AdvanceWith => {
                let _ = log::released(|| QUEUE.advance_with(Waker::noop()).released);
            }
            Operation::TryAcquire => {
                let _ = log::released(|| usize::from(QUEUE.try_acquire().is_ok()));
            }
            Operation::SetRate => QUEUE.set_rate(RATE),
            Operation::Hold => {
                let until = CLOCK.now().wrapping_add(2);
                assert_eq!(QUEUE.hold_until(until), Ok(()));
                QUEUE.resume();
            }
        }
    }

    fn poll_first(&mut self) -> bool {
        self.line[0]
            .as_ref()
            .is_some_and(|first| first.poll_release(&waker()) == Poll::Pending)
    }

    /// Drives on until nobody waits: in order, paced, on time, and everybody who has not left is released and woken.
    fn wind_up(&mut self) {
        let waiting = || {
            self.line
                .iter()
                .flatten()
                .filter(|place| place.is_waiting())
        };
        let most = 4 * INTERVAL + 2;
        let mut ticks = 0;
        while waiting().next().is_some() {
            assert!(is_in_order(self.line.iter().flatten()), "out of order");
            assert!(ticks < most, "too late: {} wait", waiting().count());
            CLOCK.advance(1);
            ticks += 1;
            let _ = log::released(|| QUEUE.advance().released);
        }
        let _ = QUEUE.advance(); // over who has left at the end of the line
        assert!(QUEUE.is_empty());
        let woken = WOKEN.load(Ordering::Relaxed);
        assert!(
            woken <= 1 && (woken == 1 || !self.armed),
            "woken {woken} times"
        );
        self.releases = log::check();
    }
}

fn fired() {
    FIRED.count();
}

fn on_tick() {
    fired();
    CLOCK.advance(1);
    let _ = log::released(|| QUEUE.advance().released);
}

fn on_interval() {
    fired();
    CLOCK.advance(INTERVAL);
    let _ = log::released(|| QUEUE.advance().released);
}

fn on_enqueue_and_cancel() {
    fired();
    drop(enqueue());
}

fn on_try_acquire() {
    fired();
    CLOCK.advance(INTERVAL);
    let _ = log::released(|| usize::from(QUEUE.try_acquire().is_ok()));
}

fn on_set_rate() {
    fired();
    QUEUE.set_rate(RATE);
    let _ = log::released(|| QUEUE.advance().released);
}

/// Counting on targets without compare-and-swap: only one writer at a time, so a load and a store do.
trait Count {
    fn count(&self);
}

impl Count for AtomicU32 {
    fn count(&self) {
        self.store(self.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// A waker that counts.
fn waker() -> Waker {
    const TABLE: RawWakerVTable = RawWakerVTable::new(
        |_| RawWaker::new(core::ptr::null(), &TABLE),
        |_| WOKEN.count(),
        |_| WOKEN.count(),
        |_| {},
    );
    // SAFETY: the functions of the table touch no data but a static.
    unsafe { Waker::from_raw(RawWaker::new(core::ptr::null(), &TABLE)) }
}
