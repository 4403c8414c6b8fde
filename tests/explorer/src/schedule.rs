//! The same law for a `Schedule` alone: every sequence of its operations, against a [`Bucket`].

use apiqueue_core_stepped as core;
use core::{Due, Schedule};

use crate::bucket::{Bucket, NO_HOLD, Pace};
use crate::width::Width;

/// One operation of a schedule's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Takes a permit if one is due.
    Take,
    /// Takes three at once if they are due.
    TakeThree,
    /// `charge`.
    Charge(u8),
    /// `refund`.
    Refund(u8),
    /// `set_rate` to this one.
    SetRate(u8),
    /// `hold_until` so many ticks from now.
    Hold(u32),
    /// `resume`.
    Resume,
    /// The clock goes forward.
    Wait(u32),
    /// The clock goes forward by half its range and more, while the schedule is kept tidy in time.
    Idle,
}

/// How often a schedule that idles is kept tidy, in ticks.
const VISIT: i64 = 1 << 26;
/// How long `Idle` is, in visits: three quarters of what 32 bits count, and a bit.
const VISITS: i64 = 24;

/// All sequences of up to `depth` steps from the first of `paces`, by a clock that starts at `begin`.
///
/// Returns how many there were, and the sequences after which the schedule breaks the law, the shortest first.
pub fn explore<W: Width>(
    paces: &[Pace],
    begin: i64,
    depth: usize,
) -> (u64, Vec<(Vec<Step>, String)>) {
    let steps = steps(paces);
    let mut cases = 0;
    let mut found = Vec::new();
    for length in 1..=depth {
        let mut turns = vec![0; length];
        'sequences: loop {
            let sequence: Vec<Step> = turns.iter().map(|&turn: &usize| steps[turn]).collect();
            cases += 1;
            if let Err(what) = run::<W>(paces, begin, &sequence) {
                found.push((sequence, what));
            }
            let mut place = length;
            loop {
                let Some(before) = place.checked_sub(1) else {
                    break 'sequences;
                };
                place = before;
                turns[place] += 1;
                if turns[place] < steps.len() {
                    break;
                }
                turns[place] = 0;
            }
        }
    }
    (cases, found)
}

fn steps(paces: &[Pace]) -> Vec<Step> {
    let interval = paces[0].interval as u32;
    let mut steps = vec![
        Step::Take,
        Step::Wait(interval),
        Step::Wait(interval / 2 + 1),
        Step::Idle,
        Step::Charge(2),
        Step::Refund(1),
        Step::Hold(0),
        Step::Hold(interval * 3),
        Step::Resume,
    ];
    if paces[0].burst >= 3 {
        steps.push(Step::TakeThree);
    }
    steps.extend((0..paces.len()).map(|rate| Step::SetRate(rate as u8)));
    steps
}

/// One sequence; then permits are taken as they come, until the law has shown whether it holds.
fn run<W: Width>(paces: &[Pace], begin: i64, sequence: &[Step]) -> Result<(), String> {
    let mut pair = Pair::<W> {
        schedule: Schedule::new(W::rate(paces[0])),
        bucket: Bucket::new(begin, 0, paces[0]),
        now: begin,
        paces,
    };
    for &step in sequence {
        pair.step(step)?;
    }
    // The burst, and a few more, each as soon as the schedule lets it go.
    let most = pair.bucket.pace.burst + 3;
    let mut taken = 0;
    while taken < most {
        match pair.due(1)? {
            None => {
                pair.take(1);
                taken += 1;
            }
            Some(at) => pair.wait((at - pair.now).min(VISIT)),
        }
    }
    Ok(())
}

struct Pair<'p, W: Width> {
    schedule: Schedule<W>,
    bucket: Bucket,
    now: i64,
    paces: &'p [Pace],
}

impl<W: Width> Pair<'_, W> {
    fn reading(&self) -> W {
        W::at(self.now)
    }

    fn wait(&mut self, ticks: i64) {
        self.now += ticks;
        self.bucket.settle(self.now, false);
    }

    /// What the schedule says, if it keeps the law: none for now, or the reading.
    fn due(&self, weight: usize) -> Result<Option<i64>, String> {
        let bucket = &self.bucket;
        let needed = bucket.pace.needed(weight as i64);
        let latest = bucket.due(weight as i64, 0);
        match self.schedule.next_weighted(self.reading(), weight) {
            Due::Now if bucket.hold != NO_HOLD || bucket.most < needed => {
                Err(format!("{weight} too early at {}: {bucket:?}", self.now))
            }
            Due::Now => Ok(None),
            Due::At(at) => {
                let at = at.time(self.now);
                if at > latest {
                    return Err(format!(
                        "{weight} due at {latest}, not before {at}: {bucket:?}"
                    ));
                }
                Ok(Some(at))
            }
        }
    }

    fn take(&mut self, weight: usize) {
        self.schedule.take_weighted(self.reading(), weight);
        self.bucket.use_up(weight as i64, false);
    }

    fn step(&mut self, step: Step) -> Result<(), String> {
        let now = self.reading();
        match step {
            Step::Take => {
                if self.due(1)?.is_none() {
                    self.take(1);
                }
            }
            Step::TakeThree => {
                if self.due(3)?.is_none() {
                    self.take(3);
                }
            }
            Step::Charge(permits) => {
                if self.schedule.charge(now, permits.into()).is_ok() {
                    self.bucket.use_up(permits.into(), false);
                }
            }
            Step::Refund(permits) => {
                self.schedule.refund(now, permits.into());
                self.bucket.refund(permits.into());
            }
            Step::SetRate(rate) => {
                let pace = self.paces[usize::from(rate)];
                self.schedule.set_rate(now, W::rate(pace));
                self.bucket.set_rate(rate, pace, 0);
            }
            Step::Hold(ticks) => {
                let until = self.now + i64::from(ticks);
                self.schedule.hold_until(now, W::at(until));
                self.bucket.hold_until(until, self.now);
            }
            Step::Resume => {
                self.schedule.resume(now);
                self.bucket.resume(self.now, self.now);
            }
            Step::Wait(ticks) => self.wait(ticks.into()),
            Step::Idle => {
                for _ in 0..VISITS {
                    self.wait(VISIT);
                    let now = self.reading();
                    self.schedule.tidy(now);
                }
                self.wait(5);
            }
        }
        Ok(())
    }
}
