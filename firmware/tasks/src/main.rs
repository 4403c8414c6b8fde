//! Three async tasks share one queue to a radio that may send one frame an interval, on embassy's executor and clock.
//!
//! A fourth drives the queue: it sleeps until the next release is due, or until the queue has something earlier to do.
#![no_std]
#![no_main]

mod radio;
mod time;

use core::cell::Cell;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;

use apiqueue_core::{Next, Queue, Rate};
use board::println;
use critical_section::{Mutex, with};
use embassy_executor::{Executor, Spawner};
use embassy_time::{Duration, Instant, Timer, with_timeout};

use radio::{INTERVAL, Radio};
use time::EmbassyClock;

const RATE: Rate<u32> = match Rate::<u32>::every(INTERVAL) {
    Ok(rate) => rate.strict(),
    Err(_) => panic!("at compile time only"),
};
/// Frames of each sender.
const FRAMES: u32 = 40;

static QUEUE: Queue<EmbassyClock, 8> = Queue::new(EmbassyClock, RATE);
static RADIO: Radio = Radio::new();
static SENT: Mutex<Cell<[u32; 3]>> = Mutex::new(Cell::new([0; 3]));
static TIMED_OUT: Mutex<Cell<u32>> = Mutex::new(Cell::new(0));

board::main!(run);

fn run() {
    // Never left: `report` ends the program, so that what is on this stack is there for ever.
    let mut executor = Executor::new();
    // SAFETY: `run` below does not return.
    let executor: &'static mut Executor = unsafe { core::mem::transmute(&mut executor) };
    time::start();
    executor.run(start)
}

fn start(spawner: Spawner) {
    let begin = Instant::now().as_ticks();
    for sender in [sensor(0), sensor(1), sensor(2)] {
        spawner.spawn(sender.unwrap());
    }
    spawner.spawn(impatient().unwrap());
    spawner.spawn(driver().unwrap());
    spawner.spawn(report(begin).unwrap());
}

/// Sends its frames, each in its turn, with a pause of its own between them.
#[embassy_executor::task(pool_size = 3)]
async fn sensor(number: usize) {
    for _ in 0..FRAMES {
        match QUEUE.enqueue() {
            Ok(turn) => assert_eq!(turn.await, Ok(())),
            Err(error) => panic!("{error}"),
        }
        RADIO.send().await;
        with(|section| {
            let sent = SENT.borrow(section);
            let mut counts = sent.get();
            counts[number] += 1;
            sent.set(counts);
        });
        Timer::after_ticks(3 * number as u64).await;
    }
}

/// Takes a place now and then and gives up after 5 ms: a future that is dropped leaves the line and costs nobody a turn.
#[embassy_executor::task]
async fn impatient() {
    loop {
        if let Ok(turn) = QUEUE.enqueue() {
            match with_timeout(Duration::from_ticks(5), turn).await {
                Ok(_) => RADIO.send().await,
                Err(_) => with(|section| {
                    let count = TIMED_OUT.borrow(section);
                    count.set(count.get() + 1);
                }),
            }
        }
        Timer::after_ticks(7).await;
    }
}

/// Whoever has a timer and a waker can drive a queue like this.
#[embassy_executor::task]
async fn driver() {
    poll_fn(|cx| {
        loop {
            match QUEUE.advance_with(cx.waker()).next {
                Next::At(at) => {
                    let timer = pin!(Timer::at(time::instant(at)));
                    // Dropped at once, as the alarm that it has set stays.
                    if timer.poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
                Next::OnEnqueue => return Poll::Pending,
                Next::Closed => return Poll::Ready(()),
            }
        }
    })
    .await;
}

/// Waits for the last frame, checks what came of it all, and ends the program.
#[embassy_executor::task]
async fn report(begin: u64) {
    let sent = loop {
        Timer::after_ticks(10).await;
        let sent = with(|section| SENT.borrow(section).get());
        if sent == [FRAMES; 3] {
            break sent;
        }
        let most = sent.iter().max().unwrap_or(&0);
        let least = sent.iter().min().unwrap_or(&0);
        assert!(
            most - least <= 3 || *most == FRAMES,
            "one is starved: {sent:?}"
        );
    };
    let took = Instant::now().as_ticks() - begin;
    let frames = RADIO.frames();
    let timed_out = with(|section| TIMED_OUT.borrow(section).get());
    println!("tasks: {frames} frames in {took} ms, {sent:?} of the three, {timed_out} gave up");
    // Those who came now and then used up turns too; none was lost.
    let due = u64::from(frames - 1) * u64::from(INTERVAL);
    assert!(
        took >= due && took <= due + due / 10 + 20,
        "{took} ms for {frames} frames"
    );
    assert!(timed_out > 10);
    board::pass();
}
