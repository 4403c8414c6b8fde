//! `StdDelay`: a queue that is driven by nothing but a delay, on the host.
#![cfg(feature = "embedded-hal")]
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use apiqueue::StdDelay;
use apiqueue::core::{DelayDriver, ManualClock, Queue, Rate};
use futures_lite::future::{block_on, zip};

#[test]
fn a_delay_takes_at_least_its_time() {
    use embedded_hal::delay::DelayNs;
    let mut delay = StdDelay::new();
    let start = Instant::now();
    delay.delay_ns(1_000_000);
    delay.delay_us(1_000);
    delay.delay_ms(1);
    assert!(start.elapsed() >= Duration::from_millis(3));
}

#[test]
fn an_async_delay_takes_at_least_its_time_and_blocks_nobody() {
    use embedded_hal_async::delay::DelayNs;
    let (mut one, mut other) = (StdDelay::new(), StdDelay::new());
    let start = Instant::now();
    let both = block_on(zip(
        async {
            one.delay_ms(10).await;
            one.delay_us(10_000).await;
            start.elapsed()
        },
        async {
            other.delay_ms(5).await;
            start.elapsed()
        },
    ));
    assert!(both.0 >= Duration::from_millis(20), "{both:?}");
    assert!(both.1 >= Duration::from_millis(5), "{both:?}");
    assert!(both.1 < both.0, "they waited at the same time: {both:?}");
}

#[test]
fn a_dropped_async_delay_does_not_prolong_the_next_one_s_hold() {
    use embedded_hal_async::delay::DelayNs;
    let mut delay = StdDelay::new();
    block_on(async {
        let long = Box::pin(delay.delay_ms(3_600_000));
        let mut long = long;
        assert!(futures_lite::future::poll_once(&mut long).await.is_none());
        drop(long);
        delay.delay_ms(1).await;
    });
}

#[test]
fn a_queue_is_driven_by_a_delay_and_awaited_on_the_same_thread() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Queue<_, 4> = Queue::new(&clock, Rate::<u32>::every(2_000).unwrap());
    let line = [
        queue.enqueue().unwrap(),
        queue.enqueue().unwrap(),
        queue.enqueue().unwrap(),
    ];
    let mut driver = DelayDriver::new(StdDelay::new(), 1_000);
    let start = Instant::now();
    let (released, ()) = block_on(zip(driver.run_async(&queue), async {
        for waiter in line {
            waiter.await.unwrap();
        }
    }));
    assert_eq!(released, 3);
    assert!(start.elapsed() >= Duration::from_millis(4));
}
