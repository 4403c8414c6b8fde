//! The smallest image that uses a queue. `../sizes.sh` builds it with and without the queue and compares the two.
//!
//! Each operation is a function of its own behind `black_box`, so that none is computed at compile time and each is
//! in the image once.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::panic::PanicInfo;

use apiqueue_core::{ManualClock, Queue, Slot, Waiter};
#[cfg(target_arch = "arm")]
use cortex_m as _; // brings the critical section
#[cfg(target_arch = "arm")]
use cortex_m_rt::entry;
#[cfg(target_arch = "riscv32")]
use riscv as _; // brings the critical section
#[cfg(target_arch = "riscv32")]
use riscv_rt::entry;

static CLOCK: ManualClock<u32> = ManualClock::<u32>::new(0);

/// Its symbol is as large as a slot; it stands in both images and costs no flash.
static SLOT_SIZE: [u8; size_of::<Slot>()] = [0; size_of::<Slot>()];
/// As large as what a waiter holds.
static WAITER_SIZE: [u8; WAITER] = [0; WAITER];
const WAITER: usize = size_of::<Waiter<&Queue<&ManualClock<u32>, 16>>>();

#[entry]
fn main() -> ! {
    black_box((&SLOT_SIZE, &WAITER_SIZE));
    CLOCK.advance(black_box(1));
    loop {
        #[cfg(feature = "queue")]
        queued::one_round();
        #[cfg(feature = "panicking")]
        black_box([0_u8; 4][black_box(4_usize)]);
        CLOCK.advance(black_box(1));
    }
}

#[cfg(feature = "queue")]
mod queued {
    use core::future::Future;
    use core::hint::black_box;
    use core::pin::Pin;
    use core::task::{Context, Poll, Waker};

    use apiqueue_core::{ManualClock, Queue, Rate, Waiter};

    use super::CLOCK;

    type Line = Queue<&'static ManualClock<u32>, 16>;

    /// Its symbol is as large as a queue of 16 waiters with its pacing.
    static QUEUE: Line = Queue::new(&CLOCK, RATE);

    const RATE: Rate<u32> = match Rate::<u32>::every(100) {
        Ok(rate) => rate,
        Err(_) => panic!("at compile time only"),
    };

    pub(crate) fn one_round() {
        if let Some(mut waiter) = black_box(enqueue()) {
            black_box(advance());
            black_box(poll(&mut waiter));
            #[cfg(feature = "cancel")]
            cancel(waiter);
            // Forgotten, it never leaves the line, and the code for leaving is not in the image.
            #[cfg(not(feature = "cancel"))]
            core::mem::forget(waiter);
        }
        #[cfg(feature = "control")]
        control();
        #[cfg(feature = "embedded-hal")]
        delay();
        #[cfg(feature = "fugit")]
        fugit();
        #[cfg(feature = "heapless")]
        history();
    }

    #[inline(never)]
    fn enqueue() -> Option<Waiter<&'static Line>> {
        QUEUE.enqueue().ok()
    }

    #[inline(never)]
    fn advance() -> usize {
        QUEUE.advance().released
    }

    #[inline(never)]
    fn poll(waiter: &mut Waiter<&'static Line>) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        matches!(Pin::new(waiter).poll(&mut context), Poll::Ready(Ok(())))
    }

    #[cfg(feature = "cancel")]
    #[inline(never)]
    fn cancel(waiter: Waiter<&'static Line>) {
        drop(waiter);
    }

    #[cfg(feature = "control")]
    #[inline(never)]
    fn control() {
        let _ = black_box(QUEUE.try_acquire());
        QUEUE.set_rate(black_box(RATE));
        let _ = black_box(QUEUE.hold_until(black_box(5)));
        QUEUE.resume();
        QUEUE.drain();
        QUEUE.close();
    }

    #[cfg(feature = "embedded-hal")]
    #[inline(never)]
    fn delay() {
        struct Board;
        impl embedded_hal::delay::DelayNs for Board {
            fn delay_ns(&mut self, ns: u32) {
                black_box(ns);
            }
        }
        let mut driver = apiqueue_core::DelayDriver::new(Board, 1_000);
        black_box(driver.run(&QUEUE));
    }

    /// A second queue, on a clock of `fugit`'s instants, in the place of the first one's operations.
    #[cfg(feature = "fugit")]
    #[inline(never)]
    fn fugit() {
        type Instant = fugit::WrappingTimerInstantU32<1_000>;
        struct Clock;
        impl apiqueue_core::Clock for Clock {
            type Tick = Instant;
            fn now(&self) -> Instant {
                Instant::from_ticks(apiqueue_core::Clock::now(&CLOCK))
            }
        }
        static TYPED: Queue<Clock, 16> = Queue::new(Clock, RATE);
        if let Ok(waiter) = TYPED.enqueue() {
            black_box(TYPED.advance().released);
            black_box(waiter.is_waiting());
            core::mem::forget(waiter);
        }
    }

    #[cfg(feature = "heapless")]
    #[inline(never)]
    fn history() {
        let mut history: apiqueue_core::History<u32, 8> = apiqueue_core::History::new();
        history.record(black_box(1), black_box(2));
        let _ = black_box(history.steps());
    }
}

#[panic_handler]
fn on_panic(_: &PanicInfo<'_>) -> ! {
    a_panic_is_linked()
}

/// The name that `sizes.sh` looks for, should every function of `core::panicking` have been inlined.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn a_panic_is_linked() -> ! {
    loop {
        core::hint::spin_loop();
    }
}
