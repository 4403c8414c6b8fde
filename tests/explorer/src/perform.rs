//! One operation on the real queue, and what the judge is told of its answer.

use std::mem::ManuallyDrop;

use apiqueue_core_stepped as core;
use core::{EnqueueError, Next, Status, TryAcquireError, Waiter};

use crate::judge::Told;
use crate::op::Op;
use crate::place::{Armed, Effect};
use crate::wake::waker;
use crate::width::{Kind, Width};
use crate::world::{Place, World};

impl<W: Width, const N: usize, K: Kind> World<W, N, K> {
    pub(crate) fn perform(&'static self, op: Op, place: Option<usize>, actor: usize) {
        let queue = self.queue();
        let oracle = || self.oracle.borrow_mut();
        let index = place.unwrap_or(0);
        match op {
            Op::Enqueue(weight) => {
                let made = if weight == 1 {
                    queue.enqueue()
                } else {
                    Waiter::enqueue_weighted(queue, weight.into())
                };
                self.joined(actor, weight, made);
            }
            Op::Enter(weight) => {
                let made = if weight == 1 {
                    queue.enter()
                } else {
                    Waiter::enter_weighted(queue, weight.into())
                };
                self.joined(actor, weight, made);
            }
            Op::Poll(_) => self.poll(actor, index),
            Op::Status(_) => {
                let status = self.waiter(index).status();
                let mut oracle = oracle();
                oracle.places[index].told |= status == Status::Released;
                oracle.end(actor, None);
            }
            Op::Look(_) => {
                let waiter = self.waiter(index);
                let _ = (waiter.position(), waiter.estimate(), waiter.peek());
                oracle().end(actor, None);
            }
            Op::Drop(_) => {
                drop(self.copy(index));
                oracle().dropped(actor, index);
            }
            Op::GiveBack(_) => {
                let mut waiter = ManuallyDrop::new(self.copy(index));
                let given = waiter.give_back();
                oracle().gave_back(actor, index, given);
            }
            Op::Advance | Op::AdvanceWith => self.drive(op, actor),
            Op::Glitch { by, reading } => {
                self.clock.wrong(by.into(), reading);
                let _ = queue.advance();
                self.clock.wrong(0, 0);
                self.observe(None);
                let mut oracle = oracle();
                oracle.end(actor, None);
                oracle.fall_back((-by).into());
            }
            Op::TryAcquire => match queue.try_acquire() {
                Ok(_) => {
                    let mut oracle = oracle();
                    if oracle
                        .closed
                        .or(oracle.drained)
                        .is_some_and(|end| oracle.pending[actor].is_some_and(|p| end < p.begin))
                    {
                        oracle.find("G10 a permit after the end", String::new);
                    }
                    oracle.end(actor, Some(true));
                    oracle.disturbances += 1;
                }
                Err(why) => {
                    let mut oracle = oracle();
                    match why {
                        TryAcquireError::NotYet { .. } => oracle.not_yet(actor),
                        TryAcquireError::Queued => oracle.queued(actor),
                        _ => oracle.refused_closed(),
                    }
                    oracle.end(actor, Some(false));
                }
            },
            Op::Grant => {
                let granted = queue.grant();
                self.observe(None);
                let mut oracle = oracle();
                let stopped = oracle.pending[actor].is_some_and(|p| p.stopped);
                oracle.end(actor, if stopped { None } else { Some(granted) });
            }
            Op::SetRate(rate) => {
                queue.set_rate(self.rates[usize::from(rate)]);
                oracle().end(actor, Some(true));
            }
            Op::Hold(_) => {
                let until = match oracle().pending[actor] {
                    Some(pending) => match pending.effect {
                        Effect::Hold(until) => until,
                        _ => return,
                    },
                    None => return,
                };
                let held = queue.hold_until(W::at(until)).is_ok();
                // Time may have gone on past it meanwhile: then it may have changed nothing, or have come and gone.
                let late = oracle().now >= until;
                oracle().end(actor, if late { None } else { Some(held) });
            }
            Op::Resume => {
                queue.resume();
                oracle().end(actor, Some(true));
            }
            Op::Charge(permits) => {
                let charged = queue.charge(permits.into()).is_ok();
                oracle().end(actor, Some(charged));
            }
            Op::Refund(permits) => {
                queue.refund(permits.into());
                oracle().end(actor, Some(true));
            }
            Op::Close => {
                queue.close();
                self.observe(None);
                oracle().end(actor, None);
            }
            Op::Drain => {
                queue.drain();
                oracle().end(actor, None);
            }
            Op::Tick(_) => {}
        }
    }

    fn joined(&'static self, actor: usize, weight: u8, made: Result<Place<W, N, K>, EnqueueError>) {
        match made {
            Ok(waiter) => {
                let index = self.oracle.borrow().count;
                self.looking.set(true);
                let status = waiter.peek();
                // SAFETY: nobody refers to this place of the array before the oracle knows of the waiter.
                unsafe { (*self.waiters[index].get()).write(waiter) };
                self.observe(None);
                self.oracle
                    .borrow_mut()
                    .joined(actor, weight.into(), status);
            }
            Err(why) => {
                let mut oracle = self.oracle.borrow_mut();
                match why {
                    EnqueueError::Full { .. } => oracle.refused_full(actor),
                    EnqueueError::Closed => oracle.refused_closed(),
                    _ => oracle.refused_heavy(actor, weight.into()),
                }
                oracle.end(actor, Some(false));
            }
        }
    }

    fn poll(&'static self, actor: usize, index: usize) {
        let bell = &self.bells[index];
        let before = bell.calls.get();
        {
            let place = &mut self.oracle.borrow_mut().places[index];
            place.armed = Armed::Perhaps;
            place.calls = before;
        }
        let ready = self.waiter(index).poll_release(&waker(bell)).is_ready();
        let mut oracle = self.oracle.borrow_mut();
        let stopped = oracle.pending[actor].is_some_and(|p| p.stopped);
        let place = &mut oracle.places[index];
        // Woken at once it has to poll again, and is not owed another call.
        let at_once = bell.calls.get() != before && !stopped;
        place.armed = if ready || at_once {
            Armed::No
        } else {
            Armed::Yes
        };
        if stopped && !ready && bell.calls.get() != before {
            place.armed = Armed::Perhaps;
        }
        place.told |= ready;
        oracle.end(actor, None);
    }

    fn drive(&'static self, op: Op, actor: usize) {
        let next = if op == Op::AdvanceWith {
            self.queue().advance_with(&waker(&self.driver)).next
        } else {
            self.queue().advance().next
        };
        let mut oracle = self.oracle.borrow_mut();
        let told = match next {
            Next::At(at) => Told::At(at.time(oracle.now)),
            Next::OnEnqueue => Told::OnEnqueue,
            Next::Closed => Told::Closed,
        };
        self.told.set(told);
        drop(oracle);
        self.observe(None);
        oracle = self.oracle.borrow_mut();
        let stopped = oracle.pending[actor].is_some_and(|p| p.stopped);
        if op == Op::AdvanceWith {
            // Of two drivers at once only the one that left its waker last can be told, and that can't be seen.
            let alone = oracle
                .pending
                .iter()
                .flatten()
                .filter(|p| p.op == Op::AdvanceWith)
                .count()
                == 1;
            oracle.sleeps(actor, told, alone);
        }
        oracle.end(actor, None);
        if !stopped {
            oracle.driven(told);
        }
    }
}
