//! The smallest image that uses a queue. `../sizes.sh` builds it with and without the queue and compares the two.
//!
//! Each operation is a function of its own behind `black_box`, so that none is computed at compile time and each is
//! in the image once.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::panic::PanicInfo;

use apiqueue_core::{ManualClock, Slot};
use cortex_m as _; // brings the critical section
use cortex_m_rt::entry;

static CLOCK: ManualClock<u32> = ManualClock::<u32>::new(0);

/// Its symbol is as large as a slot; it stands in both images and costs no flash.
static SLOT_SIZE: [u8; size_of::<Slot>()] = [0; size_of::<Slot>()];

#[entry]
fn main() -> ! {
    black_box(&SLOT_SIZE);
    CLOCK.advance(black_box(1));
    loop {
        #[cfg(not(feature = "baseline"))]
        queued::one_round();
        #[cfg(feature = "panicking")]
        black_box([0_u8; 4][black_box(4_usize)]);
        CLOCK.advance(black_box(1));
    }
}

#[cfg(not(feature = "baseline"))]
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
            cancel(waiter);
        }
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

    #[inline(never)]
    fn cancel(waiter: Waiter<&'static Line>) {
        drop(waiter);
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
        cortex_m::asm::nop();
    }
}
