//! The queue as plainly as it can be said: one thread, a `VecDeque`, and time that never wraps.

use std::collections::VecDeque;

/// What a rate says, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    pub interval: i128,
    pub burst: i128,
    pub strict: bool,
    /// For how many ticks lateness is made up; none for a tenth of the interval.
    pub catch_up: Option<i128>,
    /// No longer than this.
    pub room: i128,
}

impl Pace {
    /// How much of a pause a waiter may use: the permits that gather beyond the first.
    pub fn gathered(self) -> i128 {
        (self.burst - 1) * self.interval
    }

    /// How much of a release's own lateness is made up, at most.
    pub fn slack(self) -> i128 {
        self.slack_of(true)
    }

    /// The same of one who `has_waited` for its slot, or not.
    pub fn slack_of(self, has_waited: bool) -> i128 {
        match self.catch_up {
            _ if self.strict => 0,
            None => self.interval / 16 + self.interval / 32,
            Some(ticks) if has_waited => ticks.min(self.room),
            Some(ticks) => ticks.min(self.room).min(self.interval - 1),
        }
    }

    /// How long after a release that was `late` by so much the next is put off, where the first of the same moment was late by
    /// `at_first`.
    pub fn gently(self, late: i128, at_first: i128) -> i128 {
        let Some(ticks) = self.catch_up.filter(|_| !self.strict) else {
            return 0;
        };
        let longest = ticks.min(self.room);
        let left = longest - at_first.min(longest);
        if late > 0 && self.interval >= longest / 16 && late <= left.min(longest / 4) {
            self.interval - (self.interval / 16 + self.interval / 32)
        } else {
            0
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Waiting,
    Released,
    Left,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Open,
    Draining,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Full,
    Closed,
    Queued,
    NotYet(i128),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    At(i128),
    OnEnqueue,
    Closed,
}

#[derive(Clone, Debug)]
pub struct Model {
    capacity: usize,
    /// A slot used longer ago is forgotten by whoever finds nobody in line: that many permits as gather are there.
    horizon: i128,
    /// The tickets in line, head first; those that have left too, until the head passes them.
    line: VecDeque<usize>,
    /// What became of every ticket ever handed out.
    states: Vec<State>,
    pace: Pace,
    /// The slot that the latest release used.
    last: Option<i128>,
    /// Whether somebody was in line for the next one then.
    has_waited: bool,
    /// A release that is late may be put off until then.
    put_off: Option<i128>,
    hold: Option<i128>,
    /// The released ticket whose permit can still be given back.
    returnable: Option<usize>,
    /// Those tickets that never were in line.
    passed: Vec<usize>,
    door: Door,
}

impl Model {
    pub fn new(capacity: usize, pace: Pace, horizon: i128) -> Self {
        Self {
            capacity,
            horizon,
            line: VecDeque::new(),
            states: Vec::new(),
            pace,
            last: None,
            has_waited: false,
            put_off: None,
            hold: None,
            returnable: None,
            passed: Vec::new(),
            door: Door::Open,
        }
    }

    pub fn pace(&self) -> Pace {
        self.pace
    }

    pub fn door(&self) -> Door {
        self.door
    }

    pub fn len(&self) -> usize {
        self.line.len()
    }

    pub fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    pub fn state(&self, ticket: usize) -> State {
        self.states[ticket]
    }

    pub fn position(&self, ticket: usize) -> Option<usize> {
        let place = self.line.iter().position(|&other| other == ticket);
        place.filter(|_| self.states[ticket] == State::Waiting)
    }

    /// When the next waiter can go, if there is one that waits.
    pub fn deadline(&self) -> Option<i128> {
        let waits = self.line.iter().any(|&t| self.states[t] == State::Waiting);
        waits.then(|| self.due().max(self.put_off).unwrap_or(i128::MIN))
    }

    pub fn enqueue(&mut self) -> Result<usize, Refused> {
        if self.door != Door::Open {
            return Err(Refused::Closed);
        }
        if self.line.len() == self.capacity && !self.pass_over() {
            return Err(Refused::Full);
        }
        let ticket = self.states.len();
        self.states.push(State::Waiting);
        self.line.push_back(ticket);
        Ok(ticket)
    }

    /// A permit where nobody is in line and one is free, else a place.
    pub fn enter(&mut self, now: i128) -> Result<usize, Refused> {
        if self.door == Door::Open {
            self.pass_over_leavers();
            if self.line.is_empty() {
                self.has_waited = false;
                self.lift(now);
                if self.due().is_none_or(|due| due <= now) {
                    self.spend(now);
                    return Ok(self.passed());
                }
            }
        }
        self.enqueue()
    }

    /// One gets a permit without having been in line, whatever the schedule says.
    pub fn passed(&mut self) -> usize {
        let ticket = self.states.len();
        self.states.push(State::Released);
        self.passed.push(ticket);
        self.returnable = Some(ticket);
        ticket
    }

    /// Its holder drops it, and had been `told` of its release or not. True if it gave a permit back.
    pub fn leave(&mut self, ticket: usize, told: bool, now: i128) -> bool {
        match self.states[ticket] {
            State::Waiting => self.states[ticket] = State::Left,
            State::Released if !told && self.returnable == Some(ticket) => {
                if self.passed.contains(&ticket) {
                    self.forget_old(now);
                }
                if self.returnable.take().is_none() {
                    return false;
                }
                // Less one tick, as `Schedule::give_back` says, and no more than can be in hand.
                let (interval, oldest) = (self.pace.interval, now - self.lead());
                self.last = self.last.map(|last| (last + 1).max(oldest) - interval);
                return true;
            }
            _ => {}
        }
        false
    }

    /// The next waiter in line, if it is due. So many were `released` at this very moment.
    pub fn release(&mut self, now: i128, released: usize) -> Result<usize, Next> {
        if self.door == Door::Closed {
            return Err(Next::Closed);
        }
        self.pass_over_leavers();
        self.lift(now);
        match self.line.front() {
            None => {
                self.has_waited = false;
                self.forget_old(now);
                Err(if self.door == Door::Draining {
                    Next::Closed
                } else {
                    Next::OnEnqueue
                })
            }
            Some(&ticket) => {
                let before = self
                    .last
                    .map_or(0, |last| now - last - self.pace.gathered());
                let again = released > 0;
                let at_first = before + self.pace.interval * (released as i128 - 1).max(0);
                let pause = self.pace.gently(before, at_first);
                if let Some(due) = self.due().filter(|&due| due > now) {
                    if again && due - now < pause {
                        self.put_off = Some(now + pause);
                        return Err(Next::At(now + pause));
                    }
                    return Err(Next::At(due));
                }
                let late = self.last.map_or(0, |last| now - last - self.pace.interval);
                if again && pause > 0 && self.last.is_some() && late >= self.pace.gathered() {
                    self.put_off = Some(now + pause);
                    return Err(Next::At(now + pause));
                }
                self.spend(now);
                self.release_head();
                self.has_waited = self.pace.catch_up.is_some() && !self.line.is_empty();
                Ok(ticket)
            }
        }
    }

    /// A slot used so long ago is moved on.
    fn forget_old(&mut self, now: i128) {
        if self.last.is_some_and(|last| now - last > self.horizon) {
            self.last = Some(now - self.made_up(now) - self.pace.interval);
            // The schedule's word is what those have to show who never had a place.
            self.returnable
                .take_if(|ticket| self.passed.contains(ticket));
        }
    }

    /// The head is released, whatever the schedule says: for clocks that this model's time can't follow.
    pub fn release_head(&mut self) -> Option<usize> {
        self.pass_over_leavers();
        let ticket = self.line.pop_front()?;
        self.states[ticket] = State::Released;
        self.returnable = Some(ticket);
        Some(ticket)
    }

    /// A permit is taken, whatever the schedule says. False if somebody waits for it.
    pub fn take_unpaced(&mut self) -> bool {
        self.pass_over_leavers();
        self.returnable = None;
        self.line.is_empty() && self.door == Door::Open
    }

    pub fn try_acquire(&mut self, now: i128) -> Result<(), Refused> {
        if self.door != Door::Open {
            return Err(Refused::Closed);
        }
        self.pass_over_leavers();
        if !self.line.is_empty() {
            return Err(Refused::Queued);
        }
        self.has_waited = false;
        self.lift(now);
        if let Some(due) = self.due().filter(|&due| due > now) {
            return Err(Refused::NotYet(due));
        }
        self.spend(now);
        self.returnable = None;
        Ok(())
    }

    /// Permits stay permits: what is in hand, or owed, is the same number of them at the new pace, up to its burst.
    pub fn set_pace(&mut self, pace: Pace, now: i128) {
        self.lift(now);
        let old = self.pace;
        let in_hand = self.made_up(now) + old.interval;
        // Rounded towards fewer.
        let scaled = (in_hand * pace.interval).div_euclid(old.interval);
        self.pace = pace;
        self.last = Some(now - scaled.min(self.lead() + pace.interval));
        self.returnable = None;
    }

    pub fn hold_until(&mut self, until: i128, now: i128) {
        if until > now {
            self.returnable = None;
            if self.hold.is_none_or(|hold| until > hold) {
                self.hold = Some(until);
            }
        }
    }

    /// True if there was a hold to end.
    pub fn resume(&mut self, now: i128) -> bool {
        let held = self.hold.is_some_and(|hold| hold > now);
        if held {
            self.hold = Some(now);
            self.returnable = None;
        }
        held
    }

    pub fn drain(&mut self) {
        if self.door == Door::Open {
            self.door = Door::Draining;
        }
    }

    /// Those that were told.
    pub fn close(&mut self) -> Vec<usize> {
        self.door = Door::Closed;
        self.returnable = None;
        let waiting = |&ticket: &usize| self.states[ticket] == State::Waiting;
        let told: Vec<usize> = self.line.iter().copied().filter(waiting).collect();
        for &ticket in &told {
            self.states[ticket] = State::Closed;
        }
        told
    }

    /// The head goes past one that has left.
    fn pass_over(&mut self) -> bool {
        let head = self.line.front();
        let left = head.is_some_and(|&ticket| self.states[ticket] == State::Left);
        if left {
            self.line.pop_front();
        }
        left
    }

    pub fn pass_over_leavers(&mut self) {
        while self.pass_over() {}
    }

    /// How far before a release the slot that it used can lie.
    fn lead(&self) -> i128 {
        self.pace.gathered() + self.pace.slack_of(self.has_waited)
    }

    fn due(&self) -> Option<i128> {
        let slot = self.last.map(|last| last + self.pace.interval);
        slot.max(self.hold)
    }

    /// A hold that is over counts as a slot used: from its end on, releases are evenly spaced.
    fn lift(&mut self, now: i128) {
        if let Some(hold) = self.hold.take_if(|hold| *hold <= now) {
            self.last = self.last.max(Some(hold - self.pace.interval));
        }
    }

    /// A release at `now` uses the slot that is due, or as much before `now` as the pace lets it make up.
    fn spend(&mut self, now: i128) {
        self.last = Some(now - self.made_up(now));
    }

    /// How far before `now` the slot is that a release at `now` uses.
    fn made_up(&self, now: i128) -> i128 {
        let pace = self.pace;
        let late = match self.last {
            Some(last) => now - (last + pace.interval),
            None => i128::MAX,
        };
        let slack = pace.slack_of(self.has_waited);
        if late <= self.lead() {
            late
        } else if late < pace.gathered() + pace.interval
            || (self.has_waited && slack >= pace.interval)
        {
            self.lead()
        } else {
            pace.gathered()
        }
    }
}
