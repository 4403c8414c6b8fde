//! The run that feeds a sequence of operations to the real queue and to the model side by side.

use std::fmt;

use apiqueue_core::{EnqueueError, Next as RealNext, Queue, Status, TryAcquireError, Waiter};

use crate::model::{Door, Model, Next, Pace, Refused, State};
use crate::ops::{Op, Sequence, Start, Ticks};
use crate::wakes::Wakes;
use crate::width::Width;
use crate::window::Releases;

/// Where the queue and the model part.
#[derive(Clone, Debug)]
pub struct Divergence {
    pub step: usize,
    pub op: Option<Op>,
    pub what: String,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at step {}, {:?}: {}", self.step, self.op, self.what)
    }
}

/// Runs the sequence on the real queue over ticks of width `W` and on the model.
///
/// # Errors
/// The first difference.
pub fn run<W: Width>(sequence: &Sequence) -> Result<(), Divergence> {
    match sequence.start.capacity % 5 {
        0 => run_on::<W, 1>(sequence),
        1 => run_on::<W, 2>(sequence),
        2 => run_on::<W, 4>(sequence),
        3 => run_on::<W, 8>(sequence),
        _ => run_on::<W, 16>(sequence),
    }
}

fn run_on<W: Width, const N: usize>(sequence: &Sequence) -> Result<(), Divergence> {
    let Start {
        before_wrap,
        hostile,
        catch_up,
        rate,
        ..
    } = sequence.start;
    let catch_up = catch_up.map(Ticks::count);
    let now = -i128::from(before_wrap);
    let pace = W::fit(Pace {
        catch_up,
        ..rate.pace()
    });
    let clock = W::clock(W::at(now));
    let mut queue: Real<'_, W, N> = Queue::new(&clock, W::rate(pace));
    if let Some(ticks) = catch_up {
        queue = queue.catch_up(W::at(ticks));
    }
    let mut run: Run<'_, W, N> = Run {
        queue: &queue,
        clock: &clock,
        // The schedule of the model means nothing where the clock is hostile, and nothing in it is old.
        model: Model::new(N, pace, if hostile { i128::MAX } else { W::span() }),
        now,
        furthest: now,
        visited: now,
        hostile,
        held: Vec::new(),
        armed: Vec::new(),
        wakes: Wakes::default(),
        driver: Wakes::default(),
        sleeps: None,
        releases: Releases::new(pace),
    };
    for (step, &op) in sequence.ops.iter().enumerate() {
        run.step(op).map_err(|what| Divergence {
            step,
            op: Some(op),
            what,
        })?;
    }
    run.finish().map_err(|what| Divergence {
        step: sequence.ops.len(),
        op: None,
        what,
    })
}

type Real<'c, W, const N: usize> = Queue<&'c <W as Width>::Clock, N>;

type Outcome = Result<(), String>;

/// A waiter that was neither dropped nor leaked yet.
struct Held<'q, W: Width, const N: usize> {
    waiter: Waiter<&'q Real<'q, W, N>>,
    ticket: usize,
    told: bool,
}

struct Run<'q, W: Width, const N: usize> {
    queue: &'q Real<'q, W, N>,
    clock: &'q W::Clock,
    model: Model,
    /// The reading, unwrapped.
    now: i128,
    furthest: i128,
    /// When a driver last called.
    visited: i128,
    /// The clock goes backward, and the model's schedule means nothing.
    hostile: bool,
    held: Vec<Held<'q, W, N>>,
    /// By ticket: whether its waker is to be called.
    armed: Vec<bool>,
    wakes: Wakes,
    driver: Wakes,
    /// What the sleeping driver was told.
    sleeps: Option<Next>,
    releases: Releases,
}

fn same<T: PartialEq + fmt::Debug>(what: &str, real: T, model: T) -> Outcome {
    if real == model {
        Ok(())
    } else {
        Err(format!("{what}: {real:?}, the model says {model:?}"))
    }
}

impl<'q, W: Width, const N: usize> Run<'q, W, N> {
    fn step(&mut self, op: Op) -> Outcome {
        match op {
            Op::Advance => self.advance(false)?,
            Op::Drive => self.advance(true)?,
            Op::Enqueue { waker } => {
                let real = self.queue.enqueue();
                let model = self.model.enqueue();
                self.join(real, model, waker)?;
            }
            Op::Enter { waker } => self.enter(waker)?,
            Op::Due(late) => {
                let interval = self.model.pace().interval;
                let due = self.model.deadline().unwrap_or(self.now).max(self.now);
                let late = match late {
                    255 => -1,
                    late => interval * i128::from(late) / 64,
                };
                self.forward((due + late - self.now).max(0))?;
            }
            Op::Forward(by) => self.forward(by.count())?,
            Op::Idle(visits) if !self.hostile => {
                for _ in 0..=visits % 5 {
                    // More than a visit's length each, as a fourth of the range four times would have stamps come back.
                    self.forward(W::span() + 12_346)?;
                    self.advance(false)?;
                }
            }
            Op::Backward(by) if self.hostile => {
                let lowest = self.furthest - (1 << 25);
                self.set((self.now - by.count()).max(lowest));
            }
            Op::Idle(_) | Op::Backward(_) => self.set(self.now),
            Op::Leave(which) => self.leave(which)?,
            Op::Forget(which) => {
                if let Some(index) = self.pick(which) {
                    core::mem::forget(self.held.swap_remove(index).waiter);
                }
            }
            Op::Look(which) => {
                if let Some(index) = self.pick(which) {
                    self.look(index)?;
                }
            }
            Op::Poll(which) => {
                if let Some(index) = self.pick(which) {
                    self.poll(index)?;
                }
            }
            Op::Position(which) => {
                if let Some(index) = self.pick(which) {
                    let held = &self.held[index];
                    let model = self.model.position(held.ticket);
                    same("position", held.waiter.position(), model)?;
                }
            }
            Op::TryAcquire => self.try_acquire()?,
            Op::SetRate(rate) => {
                let pace = W::fit(Pace {
                    catch_up: self.model.pace().catch_up,
                    ..rate.pace()
                });
                self.queue.set_rate(W::rate(pace));
                self.model.set_pace(pace, self.now);
                self.releases.set_pace(self.now, pace);
                same("rate", self.queue.rate(), W::rate(pace))?;
            }
            Op::Hold(ticks) if self.can_hold() => {
                let until = self.now + ticks.count();
                self.queue
                    .hold_until(W::at(until))
                    .map_err(|error| error.to_string())?;
                self.model.hold_until(until, self.now);
            }
            Op::Resume if self.can_hold() => {
                self.queue.resume();
                if self.model.resume(self.now) {
                    self.rung("a resume")?;
                }
            }
            Op::Hold(_) | Op::Resume => {}
            Op::End(0) => {
                self.queue.close();
                let told = self.model.close();
                self.woken(told)?;
                self.rung("a close")?;
            }
            Op::End(1 | 2) => {
                self.queue.drain();
                self.model.drain();
            }
            Op::End(_) => {}
        }
        self.check()
    }

    /// What holds after every operation.
    fn check(&mut self) -> Outcome {
        same("len", self.queue.len(), self.model.len())?;
        same("is_empty", self.queue.is_empty(), self.model.is_empty())?;
        same(
            "is_closed",
            self.queue.is_closed(),
            self.model.door() != Door::Open,
        )?;
        self.woken(Vec::new())?;
        let rings = self.driver.take().len();
        if rings > 0 {
            same("wakes of the driver", rings, 1)?;
            if self.sleeps.take().is_none() {
                return Err("a driver was woken that did not sleep".into());
            }
        }
        let early = match (self.sleeps, self.model.deadline()) {
            (Some(Next::At(at)), Some(due)) => at > self.now && due < at && !self.hostile,
            (Some(Next::OnEnqueue | Next::Closed), Some(_)) => true,
            _ => false,
        } && self.model.door() != Door::Closed;
        if early {
            let due = self.model.deadline();
            return Err(format!(
                "the driver sleeps ({:?}) past {due:?}",
                self.sleeps
            ));
        }
        Ok(())
    }

    /// Everybody's end, and the windows.
    fn finish(&mut self) -> Outcome {
        for index in 0..self.held.len() {
            self.look(index)?;
        }
        match self.releases.too_many() {
            Some(window) => Err(format!("too many releases in the window {window:?}")),
            None => Ok(()),
        }
    }

    /// A closed queue keeps no watch over its holds, and needs none.
    fn can_hold(&self) -> bool {
        !self.hostile && self.model.door() != Door::Closed
    }

    fn pick(&self, which: u8) -> Option<usize> {
        usize::from(which).checked_rem(self.held.len())
    }

    fn set(&mut self, now: i128) {
        self.now = now;
        self.furthest = self.furthest.max(now);
        W::set(self.clock, W::at(now));
    }

    /// Moves the clock as a program may that keeps the clock's contract.
    fn forward(&mut self, by: i128) -> Outcome {
        let to = self.now + by;
        while to - self.visited > W::span() + 1 {
            self.set(self.visited + W::span() + 1);
            self.advance(false)?;
        }
        self.set(to);
        Ok(())
    }

    /// The waiters of `tickets` were to be woken now, those that left a waker, in this order, and nobody else.
    fn woken(&mut self, tickets: Vec<usize>) -> Outcome {
        let mut expected = tickets;
        expected.retain(|&ticket| core::mem::take(&mut self.armed[ticket]));
        same("woken", self.wakes.take(), expected)
    }

    fn rung(&mut self, by: &str) -> Outcome {
        if self.sleeps.take().is_some() && self.driver.take().is_empty() {
            return Err(format!("{by} did not wake the driver"));
        }
        Ok(())
    }

    fn advance(&mut self, sleeps: bool) -> Outcome {
        let real = if sleeps {
            self.queue.advance_with(&self.driver.waker(0))
        } else {
            self.queue.advance()
        };
        self.visited = self.now;
        let mut released = Vec::new();
        let next = if self.hostile {
            for _ in 0..real.released {
                released.push(self.model.release_head().ok_or("released nobody")?);
            }
            if self.model.door() != Door::Closed {
                self.model.pass_over_leavers();
            }
            None
        } else {
            loop {
                match self.model.release(self.now, released.len()) {
                    Ok(ticket) => released.push(ticket),
                    Err(next) => break Some(next),
                }
            }
        };
        same("released", real.released, released.len())?;
        for _ in &released {
            self.releases.push(self.now);
        }
        self.woken(released)?;
        let told = match real.next {
            RealNext::At(at) => match next {
                Some(Next::At(due)) if at == W::at(due) => Next::At(due),
                Some(next) => return Err(format!("next: {at}, the model says {next:?}")),
                None if self.model.is_empty() => return Err("nobody is in line".into()),
                None => Next::At(self.now),
            },
            RealNext::OnEnqueue => Next::OnEnqueue,
            RealNext::Closed => Next::Closed,
        };
        same("next", told, next.unwrap_or(told))?;
        if sleeps {
            self.sleeps = Some(told);
        }
        Ok(())
    }

    fn join(
        &mut self,
        real: Result<Waiter<&'q Real<'q, W, N>>, EnqueueError>,
        model: Result<usize, Refused>,
        waker: bool,
    ) -> Outcome {
        match (real, model) {
            (Ok(waiter), Ok(ticket)) => {
                if self.armed.len() <= ticket {
                    self.armed.push(false);
                }
                self.held.push(Held {
                    waiter,
                    ticket,
                    told: false,
                });
                if waker {
                    self.poll(self.held.len() - 1)?;
                }
                Ok(())
            }
            (Err(EnqueueError::Full { capacity }), Err(Refused::Full)) => {
                same("capacity", capacity, N)
            }
            (Err(EnqueueError::Closed), Err(Refused::Closed)) => Ok(()),
            (real, model) => Err(format!("enqueue: {real:?}, the model says {model:?}")),
        }
    }

    fn enter(&mut self, waker: bool) -> Outcome {
        let real = self.queue.enter();
        let has_permit = real
            .as_ref()
            .is_ok_and(|waiter| waiter.peek() == Status::Released);
        let model = if !self.hostile {
            self.model.enter(self.now)
        } else {
            if self.model.door() == Door::Open {
                self.model.pass_over_leavers();
            }
            if has_permit && self.model.is_empty() {
                Ok(self.model.passed())
            } else {
                self.model.enqueue()
            }
        };
        if has_permit {
            self.releases.push(self.now);
        }
        self.join(real, model, waker)
    }

    fn leave(&mut self, which: u8) -> Outcome {
        let Some(index) = self.pick(which) else {
            return Ok(());
        };
        let held = self.held.swap_remove(index);
        drop(held.waiter);
        if self.model.state(held.ticket) == State::Waiting {
            self.armed[held.ticket] = false;
        }
        if self.model.leave(held.ticket, held.told, self.now) {
            self.releases.give_back();
        }
        Ok(())
    }

    fn look(&mut self, index: usize) -> Outcome {
        let held = &mut self.held[index];
        let state = match held.waiter.status() {
            Status::Waiting => State::Waiting,
            Status::Released => State::Released,
            Status::Closed => State::Closed,
        };
        held.told |= state == State::Released;
        same("status", state, self.model.state(held.ticket))
    }

    fn poll(&mut self, index: usize) -> Outcome {
        let held = &mut self.held[index];
        let waker = self.wakes.waker(held.ticket);
        let polled = held.waiter.poll_release(&waker);
        let state = self.model.state(held.ticket);
        self.armed[held.ticket] = state == State::Waiting;
        held.told |= state == State::Released;
        let expected = match state {
            State::Waiting => core::task::Poll::Pending,
            State::Released => core::task::Poll::Ready(Ok(())),
            State::Closed | State::Left => core::task::Poll::Ready(Err(apiqueue_core::Closed)),
        };
        same("poll", polled, expected)
    }

    fn try_acquire(&mut self) -> Outcome {
        let real = self.queue.try_acquire();
        if self.hostile {
            if self.model.door() == Door::Open {
                self.model.pass_over_leavers();
            }
            if real.is_ok() && !self.model.take_unpaced() {
                return Err("a permit was taken past those in line".into());
            }
        } else {
            let model = self.model.try_acquire(self.now).map_err(|why| match why {
                Refused::NotYet(at) => TryAcquireError::NotYet { at: W::at(at) },
                Refused::Queued => TryAcquireError::Queued,
                Refused::Closed | Refused::Full => TryAcquireError::Closed,
            });
            same("try_acquire", real.map(|_| ()), model)?;
        }
        if real.is_ok() {
            self.releases.push(self.now);
        }
        Ok(())
    }
}
