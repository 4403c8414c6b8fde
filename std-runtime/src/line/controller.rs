//! [`Adaptive`]: the controller of a queue whose rate is found, and who tells it what.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Mutex;

use apiqueue_core::{Controller, Outcome};

use crate::forked::unless_inherited;
use crate::guarded::guarded;
use crate::rate::Ticks;

pub(crate) type Own = Box<dyn Controller<u64> + Send>;

/// Runs the user's controller under no lock: one thread at a time takes it, and does for the others what they have to tell meanwhile.
pub(crate) struct Adaptive {
    state: Mutex<State>,
    /// Where this was made.
    process: u32,
}

#[derive(Default)]
struct State {
    /// None while a thread has it.
    controller: Option<Own>,
    /// It has panicked: the rate stays as it is.
    is_broken: bool,
    outcomes: VecDeque<(u64, u64, Outcome<u64>)>,
}

impl Adaptive {
    pub(crate) fn new(controller: Own) -> Self {
        Self {
            state: Mutex::new(State {
                controller: Some(controller),
                ..State::default()
            }),
            process: std::process::id(),
        }
    }

    /// Tells of an outcome that was seen at the reading `now`, of a call released at `released`. `apply` does what follows: a rate, a
    /// hold. False when the controller has panicked now.
    pub(crate) fn outcome(
        &self,
        now: u64,
        released: u64,
        outcome: Outcome<u64>,
        mut apply: impl FnMut(Option<Ticks>, Option<u64>),
    ) -> bool {
        // Nobody tells it anything in a forked child, which may have copied the lock held.
        let mut taken = unless_inherited(&self.state, self.process).and_then(|mut state| {
            if !state.is_broken {
                state.outcomes.push_back((now, released, outcome));
            }
            state.controller.take()
        });
        while let Some((now, released, outcome)) = self.next(&mut taken) {
            let change = guarded(|| {
                let change = taken.as_mut()?.outcome(now, released, outcome);
                Some((change.rate, change.hold_until))
            });
            let Some((rate, hold_until)) = change.flatten() else {
                if let Some(mut state) = unless_inherited(&self.state, self.process) {
                    state.is_broken = true;
                    state.outcomes.clear();
                }
                guarded(|| drop(taken));
                return false;
            };
            apply(rate, hold_until);
        }
        true
    }

    /// The next outcome to tell the controller that was taken, which is put back when there is none.
    fn next(&self, taken: &mut Option<Own>) -> Option<(u64, u64, Outcome<u64>)> {
        taken.as_ref()?;
        let mut state = unless_inherited(&self.state, self.process)?;
        let next = state.outcomes.pop_front();
        if next.is_none() {
            state.controller = taken.take();
        }
        next
    }
}

impl fmt::Debug for Adaptive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Adaptive")
    }
}
