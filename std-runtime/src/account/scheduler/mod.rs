//! Carries out what the tree of limits says: looks at the lines, releases who is next, and has itself woken in time.

mod control;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::task::Waker;

use apiqueue_core::{Granted, Next};

use super::tree::{Choice, Id, Terms, Tree};
use crate::clock::{Timebase, left};
use crate::forked::unless_inherited;
use crate::guarded::guarded;
use crate::line::{Line, NEVER, sooner};

/// One tree of limits, and the lines of its leaves.
#[derive(Debug)]
pub(crate) struct Scheduler {
    pub(crate) clock: Timebase,
    pub(crate) manual: bool,
    state: Mutex<State>,
    /// Held by the one who releases, from the reading by which that is due to the reading at which it is counted.
    turn: Mutex<()>,
    /// Held by the one who has a driver make its record of this.
    drives: Mutex<()>,
    /// Where this was made.
    process: u32,
}

#[derive(Debug)]
struct State {
    tree: Tree,
    lines: BTreeMap<Id, Weak<Line>>,
    /// Wakes the driver for this, where it has a record of it.
    waker: Option<Waker>,
    /// When the driver comes by itself.
    armed: Option<u64>,
}

impl State {
    /// Those that are there still. Each may be the last hold on its queue: to be dropped under no lock, and behind a guard.
    fn lines(&self) -> Vec<(Id, Arc<Line>)> {
        let lines = self.lines.iter();
        lines
            .filter_map(|(&leaf, line)| Some((leaf, line.upgrade()?)))
            .collect()
    }
}

/// A line that was looked at, and what was released.
struct Seen {
    line: Arc<Line>,
    granted: Option<Granted>,
    /// Nobody there can be released, or the line is held up by calls or a pause.
    has_nobody: bool,
}

/// After how many releases others of the driver's queues are served.
const AT_ONCE: usize = 256;

/// How long one who finds somebody else releasing, by a clock of the user's, stays away. In nanoseconds.
const LATER: u64 = 1_000_000;

impl Scheduler {
    pub(crate) fn new(clock: Timebase, manual: bool, terms: &Terms<'_>) -> Self {
        let tree = Tree::new(terms, clock.reading());
        Self {
            clock,
            manual,
            state: Mutex::new(State {
                tree,
                lines: BTreeMap::new(),
                waker: None,
                armed: None,
            }),
            turn: Mutex::new(()),
            drives: Mutex::new(()),
            process: std::process::id(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No user code runs under this lock, and what it guards is whole between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to release. None where somebody else has it who runs code of the user's, which may be what called this.
    fn take_turn(&self) -> Option<MutexGuard<'_, ()>> {
        if !self.clock.runs_user_code() {
            return unless_inherited(&self.turn, self.process);
        }
        match self.turn.try_lock() {
            Ok(turn) => Some(turn),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    pub(in crate::account) fn add_inner(&self, parent: Id, terms: &Terms<'_>) -> Id {
        self.lock().tree.add_inner(parent, terms)
    }

    pub(in crate::account) fn add_leaf(&self, parent: Id, terms: &Terms<'_>) -> Id {
        self.lock().tree.add_leaf(parent, terms)
    }

    pub(in crate::account) fn attach(&self, leaf: Id, line: &Arc<Line>) {
        self.lock().lines.insert(leaf, Arc::downgrade(line));
    }

    /// A node that nothing is inside of any more goes.
    pub(in crate::account) fn remove(&self, id: Id) {
        let now = self.clock.reading();
        let Some(mut state) = unless_inherited(&self.state, self.process) else {
            return;
        };
        state.lines.remove(&id);
        state.tree.remove(id, now);
        drop(state);
        self.ring();
    }

    /// Has a driver make its record of this, by `attach`, if there is none.
    pub(crate) fn drive(&self, attach: impl FnOnce() -> io::Result<Waker>) -> io::Result<()> {
        // One at a time: of two records the first would never be told of the end.
        let _one = self.drives.lock().unwrap_or_else(PoisonError::into_inner);
        if self.lock().waker.is_none() {
            let waker = attach()?;
            self.lock().waker = Some(waker);
        }
        Ok(())
    }

    /// The driver is no more.
    pub(crate) fn is_left(&self) {
        self.leave_if(|_| true);
    }

    /// Forgets the driver's record of this, if it `is_over`. Says whether it was.
    fn leave_if(&self, is_over: impl FnOnce(&State) -> bool) -> bool {
        let mut state = self.lock();
        if !is_over(&state) {
            return false;
        }
        state.armed = None;
        let waker = state.waker.take();
        drop(state);
        drop(waker);
        true
    }

    /// Whether this is the copy in a forked child, where no driver lives and locks may be held for ever.
    pub(crate) fn is_forked(&self) -> bool {
        self.process != std::process::id()
    }

    /// What the driver does: [`advance`](Self::advance). None when no queue is left; it then forgets its record of this.
    pub(crate) fn serve(&self) -> Option<(usize, Next<u64>)> {
        if self.leave_if(|state| state.tree.leaves() == 0) {
            return None;
        }
        let (released, next) = self.advance();
        self.lock().armed = match next {
            Next::At(at) => Some(at),
            Next::OnEnqueue | Next::Closed => None,
        };
        Some((released, next))
    }

    /// [`advance`](Self::advance) for a user who drives by hand, of whom no line tells that somebody has come.
    ///
    /// [`Next::At`] is a reading of [`MonotonicClock`](crate::MonotonicClock).
    pub(in crate::account) fn advance_by_hand(&self) -> (usize, Next<u64>) {
        if self.is_forked() {
            return (0, Next::Closed);
        }
        let close_at = self.look_at_all();
        let (released, next) = self.advance();
        (
            released,
            sooner(self.clock.next_in_system_time(next), close_at),
        )
    }

    /// Looks at each line, as somebody may have come, or the time of a drain be over. When that is next.
    fn look_at_all(&self) -> u64 {
        let mut close_at = NEVER;
        self.each_line(|leaf, line| {
            close_at = close_at.min(line.close_if_late());
            self.look(leaf, || (line.first_weight(), line.take_returned()));
        });
        close_at
    }

    /// Notes who is first in the line of a leaf, and what came back there.
    pub(in crate::account) fn look(&self, leaf: Id, line: impl FnOnce() -> (Option<usize>, usize)) {
        let now = self.clock.reading();
        let mut state = self.lock();
        // Read under the lock: what was seen last is what counts.
        let (first, returned) = line();
        state.tree.look(leaf, first, returned, now);
    }

    /// Releases who is due, and says how many those were and when to come back.
    pub(in crate::account) fn advance(&self) -> (usize, Next<u64>) {
        let Some(turn) = self.take_turn() else {
            return (0, Next::At(self.clock.reading().wrapping_add(LATER)));
        };
        let mut seen = Vec::new();
        let next = loop {
            let now = self.clock.reading();
            if seen.len() >= AT_ONCE {
                // Other queues of the driver are to have theirs.
                break Next::At(now);
            }
            if let Some(next) = self.release_one(now, &mut seen) {
                break next;
            }
        };
        drop(turn);
        // With no lock and no right held: it calls wakers, and one may be the last hold on its queue.
        let count = seen.iter().filter(|seen| seen.granted.is_some()).count();
        for Seen {
            line,
            granted,
            has_nobody,
        } in seen
        {
            if let Some(granted) = granted {
                line.was_released(granted);
            }
            if has_nobody {
                // The driver is to leave its waker there, for the next to come or for the end of a drain. Whoever has come since is
                // seen by that look.
                line.wake_driver();
            }
            guarded(|| drop(line));
        }
        if self.clock.is_broken() {
            // Nobody can tell any more who may go.
            self.each_line(|_, line| line.close());
        }
        (count, next)
    }

    /// Does something with each line, under no lock.
    fn each_line(&self, mut with: impl FnMut(Id, &Arc<Line>)) {
        let lines = self.lock().lines();
        for (leaf, line) in lines {
            with(leaf, &line);
            // It may be the last hold on its queue.
            guarded(|| drop(line));
        }
    }

    /// Releases the one whose turn it is, if that is now. None for one more look.
    fn release_one(&self, now: u64, into: &mut Vec<Seen>) -> Option<Next<u64>> {
        let mut state = self.lock();
        let (leaf, weight) = match state.tree.choose(now) {
            Choice::At(at) => return Some(Next::At(at)),
            Choice::Nothing => return Some(Next::OnEnqueue),
            Choice::Release(leaf, weight) => (leaf, weight),
        };
        let Some(line) = state.lines.get(&leaf).and_then(Weak::upgrade) else {
            // Gone in this very moment.
            state.tree.look(leaf, None, 0, now);
            return None;
        };
        let returned = line.take_returned();
        let granted = if returned == 0 {
            line.release_within(weight)
        } else {
            None
        };
        let first = line.first_weight();
        let released = granted.as_ref().map(Granted::weight);
        // Dropped under no lock.
        into.push(Seen {
            line,
            granted,
            has_nobody: first.is_none(),
        });
        let Some(weight) = released else {
            // The one who was first has left, or permits came back.
            state.tree.look(leaf, first, returned, now);
            return None;
        };
        state.tree.call_begun(leaf);
        // Read here, after the release, so that a thread suspended before it makes the schedules later. Not earlier than that by which
        // it was due, should the clock fall back. A clock of the user's is read under no lock.
        let after = if self.clock.runs_user_code() {
            drop(state);
            let after = self.clock.reading();
            state = self.lock();
            after
        } else {
            self.clock.reading()
        };
        let after = later(now, after);
        state.tree.released(leaf, weight, first, after);
        None
    }

    /// Takes a permit of `leaf`, in whose line nobody is, if no other queue's first comes before, and says at which reading. Else when
    /// there may be one.
    ///
    /// So many permits came back there since it was looked at.
    pub(in crate::account) fn try_take(
        &self,
        leaf: Id,
        returned: usize,
    ) -> Result<u64, Option<u64>> {
        if self.manual && !self.is_forked() {
            self.look_at_all();
        }
        if returned > 0 {
            let now = self.clock.reading();
            if let Some(mut state) = unless_inherited(&self.state, self.process) {
                state.tree.came_back(leaf, returned, now);
            }
        }
        let turn = self.take_turn().ok_or(None)?;
        let now = self.clock.reading();
        let taken = {
            // In a forked child the locks may be held for ever.
            let mut state = unless_inherited(&self.state, self.process).ok_or(None)?;
            state.tree.is_free(leaf, now).map(|()| {
                state.tree.passed(leaf, now);
                now
            })
        };
        drop(turn);
        taken
    }

    /// Has the driver look again.
    pub(in crate::account) fn ring(&self) {
        let waker = self.lock().waker.clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Has the driver look again if it would come later than `next`. Says whether it has a record of this, and so comes then.
    pub(in crate::account) fn arm(&self, next: Next<u64>) -> bool {
        let state = self.lock();
        let Some(waker) = state.waker.clone() else {
            return false;
        };
        let armed = state.armed;
        drop(state);
        if let Next::At(at) = next
            && armed.is_none_or(|armed| armed != at)
        {
            waker.wake();
        }
        true
    }
}

/// The later of a reading and the one after it, which is a clock's that may fall back. Readings wrap.
fn later(now: u64, after: u64) -> u64 {
    now.wrapping_add(left(after, now))
}

/// The driver finds it gone, and forgets it.
impl Drop for Scheduler {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }
}
