//! Accounts with something else happening at every point where their code holds no lock and looks outside: at each reading of the
//! clock, and at each waker that is called. Whatever it is and wherever it comes, no limit is exceeded, nobody is forgotten, no call is
//! counted twice.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use apiqueue::core::{Clock, ManualClock};
use apiqueue::{Account, ApiQueue, Rate, Stop, Turn, Waiter};

const MS: u64 = 1_000_000;
const INTERVAL: u64 = 10 * MS;
const BURST: u32 = 3;

thread_local! {
    /// How many points are left before the one where something happens.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    static HAPPENS: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// A point at which another thread may come between.
fn point() {
    match LEFT.get() {
        Some(0) => {
            LEFT.set(None);
            if let Some(happens) = HAPPENS.take() {
                happens();
            }
        }
        Some(left) => LEFT.set(Some(left - 1)),
        None => {}
    }
}

struct Points(ManualClock<u64>);

impl Clock for Points {
    type Tick = u64;

    fn now(&self) -> u64 {
        let reading = self.0.now();
        point();
        reading
    }
}

struct PointWaker;

impl Wake for PointWaker {
    fn wake(self: Arc<Self>) {
        point();
    }
}

#[derive(Clone, Copy, Debug)]
enum Op {
    LeaveFirst,
    LeaveLast,
    Enqueue(usize, usize),
    EndCall,
    GiveBack,
    TryAcquire(usize),
    Hold,
    Resume,
    SetRate,
    Charge,
    Refund,
    Stop(usize),
    DropMember,
    DropNested,
    Advance,
    Stats,
}

const OPS: [Op; 18] = [
    Op::LeaveFirst,
    Op::LeaveLast,
    Op::Enqueue(0, 1),
    Op::Enqueue(1, 3),
    Op::Enqueue(2, 1),
    Op::EndCall,
    Op::GiveBack,
    Op::TryAcquire(0),
    Op::Hold,
    Op::Resume,
    Op::SetRate,
    Op::Charge,
    Op::Refund,
    Op::Stop(0),
    Op::DropMember,
    Op::DropNested,
    Op::Advance,
    Op::Stats,
];

/// What there is. Shared with what happens at a point, so that nothing of it is borrowed while the library runs.
#[derive(Clone)]
struct World(Rc<Parts>);

struct Parts {
    clock: Arc<Points>,
    account: Account,
    queues: RefCell<Vec<Option<ApiQueue>>>,
    nested: RefCell<Option<Account>>,
    /// The queue's number, its weight, and who waits.
    line: RefCell<Vec<(usize, Waiter)>>,
    turns: RefCell<Vec<Turn<'static>>>,
    /// Permits used and not given back, and those that charges and refunds made of it.
    used: Cell<i64>,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(Points(ManualClock::<u64>::new(1)));
        let rate = Rate::every(Duration::from_nanos(INTERVAL)).unwrap();
        let rate = rate.burst(BURST).unwrap().strict();
        let account = Account::builder()
            .limit(rate)
            .at_once(4)
            .clock(Arc::clone(&clock))
            .manual()
            .start()
            .unwrap();
        let nested = Account::builder()
            .within(&account)
            .share(2)
            .start()
            .unwrap();
        let within = |account: &Account| Some(ApiQueue::builder().within(account).start().unwrap());
        let queues = vec![within(&account), within(&nested), within(&nested)];
        Self(Rc::new(Parts {
            clock,
            account,
            queues: RefCell::new(queues),
            nested: RefCell::new(Some(nested)),
            line: RefCell::default(),
            turns: RefCell::default(),
            used: Cell::new(0),
        }))
    }

    fn queue(&self, number: usize) -> Option<ApiQueue> {
        self.0.queues.borrow()[number].clone()
    }

    fn perform(&self, op: Op) {
        let parts = &self.0;
        let first = |count: usize| (count > 0).then_some(0);
        let leave = |at: fn(usize) -> Option<usize>| {
            let mut line = parts.line.borrow_mut();
            let gone = at(line.len()).map(|at| line.remove(at));
            drop(line);
            drop(gone);
        };
        match op {
            Op::LeaveFirst => leave(|count| (count > 0).then_some(0)),
            Op::LeaveLast => leave(|count| count.checked_sub(1)),
            Op::Enqueue(number, weight) => {
                let waiter = self
                    .queue(number)
                    .and_then(|queue| queue.enqueue_weighted(weight).ok());
                if let Some(mut waiter) = waiter {
                    let waker = Waker::from(Arc::new(PointWaker));
                    let polled = Pin::new(&mut waiter).poll(&mut Context::from_waker(&waker));
                    match polled {
                        Poll::Pending => parts.line.borrow_mut().push((weight, waiter)),
                        // By an advance that came between.
                        Poll::Ready(turn) => self.go(weight, turn.ok()),
                    }
                }
            }
            Op::EndCall | Op::GiveBack => {
                let mut turns = parts.turns.borrow_mut();
                let turn = first(turns.len()).map(|at| turns.remove(at));
                drop(turns);
                match (turn, op) {
                    // Its permit may be used again, once.
                    (Some(turn), Op::GiveBack) => {
                        parts.used.set(parts.used.get() - i64::from(BURST));
                        turn.give_back();
                    }
                    (turn, _) => drop(turn),
                }
            }
            Op::TryAcquire(number) => {
                let Some(queue) = self.queue(number) else {
                    return;
                };
                // The turn lives as long as its queue; leaked queues do, too.
                let queue: &'static ApiQueue = Box::leak(Box::new(queue));
                if let Ok(turn) = queue.try_acquire() {
                    parts.used.set(parts.used.get() + 1);
                    parts.turns.borrow_mut().push(turn);
                }
            }
            Op::Hold => parts
                .account
                .hold_for(Duration::from_nanos(2 * INTERVAL))
                .unwrap(),
            Op::Resume => parts.account.resume(),
            Op::SetRate => {
                let rate = Rate::every(Duration::from_nanos(INTERVAL)).unwrap();
                parts
                    .account
                    .set_rate(0, rate.burst(BURST).unwrap().strict())
                    .unwrap();
            }
            Op::Charge => _ = self.queue(0).map(|queue| queue.charge(2)),
            Op::Refund => {
                parts.used.set(parts.used.get() - 1);
                if let Some(queue) = self.queue(1) {
                    queue.refund(1);
                }
            }
            Op::Stop(number) => _ = self.queue(number).map(|queue| queue.stop(Stop::Now)),
            Op::DropMember => drop(parts.queues.borrow_mut()[2].take()),
            Op::DropNested => drop(parts.nested.borrow_mut().take()),
            Op::Advance => _ = parts.account.advance(),
            Op::Stats => _ = parts.account.stats(),
        }
        self.look();
    }

    /// Takes the turns of all who were released.
    fn look(&self) {
        // Taken out, as a look may have something happen.
        let line = self.0.line.take();
        let mut rest = Vec::new();
        for (weight, mut waiter) in line {
            match waiter.try_wait() {
                Ok(None) => rest.push((weight, waiter)),
                went => self.go(weight, went.ok().flatten()),
            }
        }
        self.0.line.borrow_mut().splice(0..0, rest);
    }

    /// Counts one who went, or whose queue was closed.
    fn go(&self, weight: usize, turn: Option<Turn<'static>>) {
        if let Some(turn) = turn {
            self.0
                .used
                .set(self.0.used.get() + i64::try_from(weight).unwrap());
            self.0.turns.borrow_mut().push(turn);
        }
    }

    fn check(&self) {
        let parts = &self.0;
        let passed = (parts.clock.0.now() - 1) / INTERVAL;
        let most = i64::from(BURST) + i64::try_from(passed).unwrap();
        assert!(
            parts.used.get() <= most,
            "{} of {most} permits",
            parts.used.get()
        );
        assert!(parts.turns.borrow().len() <= 4, "too many at once");
    }
}

/// The story, with one more thing at a point of it; whether that came.
fn tell(story: &[Op], happens: Op, at: usize) -> bool {
    let world = World::new();
    let other = world.clone();
    LEFT.set(Some(at));
    HAPPENS.set(Some(Box::new(move || other.perform(happens))));
    for &op in story {
        world.perform(op);
        let _ = world.0.account.advance();
        world.look();
        world.check();
        world.0.clock.0.advance(INTERVAL / 2);
    }
    let came = LEFT.take().is_none();
    HAPPENS.set(None);
    // All who are left go in their time, as calls end.
    for _ in 0..40 {
        let _ = world.0.account.advance();
        world.look();
        world.check();
        world.perform(Op::EndCall);
        world.0.clock.0.advance(INTERVAL);
    }
    let context = format!("{happens:?} at point {at} of {story:?}");
    assert!(
        world.0.line.borrow().is_empty(),
        "somebody is forgotten: {context}"
    );
    while !world.0.turns.borrow().is_empty() {
        world.perform(Op::EndCall);
    }
    let stats = world.0.account.stats();
    assert_eq!((stats.in_line, stats.under_way), (0, 0), "{context}");
    came
}

#[test]
fn whatever_comes_between_harms_nobody() {
    use Op::{Advance, Charge, EndCall, Enqueue, Hold, LeaveFirst, Resume, SetRate, TryAcquire};

    let stories: [&[Op]; 4] = [
        &[
            Enqueue(0, 1),
            Enqueue(1, 3),
            Enqueue(2, 1),
            Enqueue(0, 1),
            EndCall,
            Advance,
        ],
        &[
            TryAcquire(0),
            Enqueue(1, 1),
            Enqueue(1, 2),
            LeaveFirst,
            EndCall,
            TryAcquire(2),
        ],
        &[Enqueue(0, 3), Hold, Enqueue(2, 1), Resume, SetRate, EndCall],
        &[
            Enqueue(1, 1),
            Enqueue(2, 1),
            Charge,
            Enqueue(0, 2),
            LeaveFirst,
            Advance,
        ],
    ];
    let mut told = 0;
    for story in stories {
        for happens in OPS {
            // Until it comes after the end.
            let points = (0..1_000)
                .take_while(|&at| tell(story, happens, at))
                .count();
            assert!(points > 10, "{points}");
            told += points;
        }
    }
    assert!(told > 2_000, "{told}");
}
