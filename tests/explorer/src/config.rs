//! What is explored: queues, rates, where they start, and which operations meet.

use apiqueue_core_stepped::{Single, Weighted};

use crate::bucket::Pace;
use crate::op::{Op, Who};
use crate::width::{Kind, Visit, Width};

/// A queue with its rates, its starts and its operations.
#[derive(Clone, Debug)]
pub struct Config {
    /// How it is called on the command line.
    pub name: String,
    /// 64-bit ticks.
    pub wide: bool,
    /// Waiters have weights.
    pub weighted: bool,
    /// Places in the ring.
    pub capacity: usize,
    /// The clock's reading at the start.
    pub begin: i64,
    /// The rates, the first one first.
    pub paces: Vec<Pace>,
    /// Where cases start.
    pub starts: Vec<Start>,
    /// What is done.
    pub ops: Vec<Op>,
    /// Those that change the most, for long sequences.
    pub main: Vec<Op>,
    /// The fewest, for two threads that stand still.
    pub few: Vec<Op>,
    /// Explored as deep as time allows.
    pub deep: bool,
}

impl Config {
    /// Does something with a queue of this width, kind and capacity.
    pub fn visit<V: Visit>(&self, visit: V) -> V::Answer {
        match (self.wide, self.weighted) {
            (false, false) => self.sized::<u32, Single, V>(visit),
            (false, true) => self.sized::<u32, Weighted, V>(visit),
            (true, false) => self.sized::<u64, Single, V>(visit),
            (true, true) => self.sized::<u64, Weighted, V>(visit),
        }
    }

    fn sized<W: Width, K: Kind, V: Visit>(&self, visit: V) -> V::Answer {
        match self.capacity {
            1 => visit.visit::<W, 1, K>(),
            2 => visit.visit::<W, 2, K>(),
            _ => visit.visit::<W, 4, K>(),
        }
    }
}

/// What was done before.
#[derive(Clone, Debug)]
pub struct Start {
    /// How it is called.
    pub name: &'static str,
    /// What was done.
    pub ops: Vec<Op>,
}

const fn pace(interval: i64, burst: i64) -> Pace {
    Pace {
        interval,
        burst,
        strict: false,
        catch_up: None,
    }
}

const fn strict(interval: i64, burst: i64) -> Pace {
    Pace {
        interval,
        burst,
        strict: true,
        catch_up: None,
    }
}

const fn late(interval: i64, burst: i64) -> Pace {
    Pace {
        catch_up: Some(25),
        ..pace(interval, burst)
    }
}

/// Evenly spaced; then faster, slower, with a burst, strict.
const EVEN: [Pace; 5] = [
    pace(100, 1),
    pace(20, 1),
    pace(200, 1),
    pace(100, 3),
    strict(100, 1),
];
/// With a burst; then faster, slower, with a smaller burst, with a larger one.
const BURST: [Pace; 5] = [
    pace(10, 3),
    pace(5, 3),
    pace(100, 3),
    pace(10, 1),
    pace(10, 5),
];
/// Far apart, so that a change of rate that is seen half, or permits counted as time, make a burst.
const FAR: [Pace; 4] = [strict(1000, 10), pace(10, 10), pace(10, 1), pace(1000, 1)];
/// The same the other way round.
const NEAR: [Pace; 3] = [pace(10, 10), pace(1000, 10), pace(10, 1)];
/// Lateness is made up for a time that was told; then faster, slower, with a burst.
const LATE: [Pace; 4] = [late(10, 1), late(5, 1), late(100, 1), late(10, 3)];
/// The same from a burst on.
const LATE_BURST: [Pace; 4] = [late(10, 3), late(5, 3), late(10, 1), late(100, 3)];

/// More than the longest span of 32-bit ticks, and less than half of what they can tell apart.
const FAR_AHEAD: i32 = <u32 as apiqueue_core_stepped::Word>::MAX_SPAN as i32 + 6;

/// The configurations that are explored as deep as time allows.
const DEEP: [&str; 2] = ["plain-1-32-even", "weighted-2-64-burst"];

/// All operations that apply to such a queue.
fn ops(paces: &[Pace], weighted: bool, capacity: usize) -> Vec<Op> {
    let interval = paces[0].interval as u32;
    let hold = paces[0].interval as u16;
    let mut ops = vec![
        Op::Advance,
        Op::Enqueue(1),
        Op::Drop(Who::Head),
        Op::Tick(interval),
        Op::AdvanceWith,
        Op::TryAcquire,
        Op::Drop(Who::Released),
    ];
    if weighted {
        ops.push(Op::Enqueue(3));
    }
    ops.extend((0..paces.len()).map(|rate| Op::SetRate(rate as u8)));
    ops.extend([
        Op::Enter(1),
        Op::Poll(Who::Head),
        Op::GiveBack(Who::Released),
        Op::Grant,
        Op::Hold(0),
        Op::Hold(hold / 2),
        Op::Hold(hold * 3),
        Op::Resume,
        Op::Charge(2),
        Op::Refund(1),
        Op::Close,
        Op::Drain,
        Op::Look(Who::Released),
        Op::Status(Who::Released),
        Op::Tick(interval / 2 + 1),
        Op::Tick(interval * 20),
        Op::Tick((1 << 25) + 3),
        Op::Glitch {
            by: FAR_AHEAD,
            reading: 1,
        },
        Op::Glitch {
            by: 1 << 25 | 5,
            reading: 0,
        },
        Op::Glitch {
            by: -(interval as i32),
            reading: 0,
        },
    ]);
    if capacity > 1 {
        ops.extend([Op::Drop(Who::Tail), Op::Poll(Who::Tail)]);
    }
    if capacity > 2 {
        ops.push(Op::Drop(Who::Middle));
    }
    ops
}

/// Those that change the most.
fn main_ops(paces: &[Pace], weighted: bool, capacity: usize) -> Vec<Op> {
    let interval = paces[0].interval as u32;
    let mut ops = few_ops(paces, weighted, capacity);
    ops.extend([
        Op::Enter(1),
        Op::Poll(Who::Head),
        Op::TryAcquire,
        Op::Charge(2),
        Op::Resume,
        Op::Close,
        Op::Tick(interval * 20),
        Op::Glitch {
            by: FAR_AHEAD,
            reading: 1,
        },
        Op::SetRate(2),
    ]);
    if capacity > 1 {
        ops.push(Op::Drop(Who::Tail));
    }
    ops
}

/// The fewest.
fn few_ops(paces: &[Pace], weighted: bool, _capacity: usize) -> Vec<Op> {
    let Pace { interval, .. } = paces[0];
    let mut ops = vec![
        Op::Advance,
        Op::Enqueue(1),
        Op::Drop(Who::Head),
        Op::Tick(interval as u32),
        Op::AdvanceWith,
        Op::Drop(Who::Released),
        Op::SetRate(1),
        Op::Hold((interval * 3) as u16),
        Op::Refund(1),
    ];
    if weighted {
        ops.push(Op::Enqueue(3));
    }
    ops
}

/// The situations in which an operation is stopped.
fn starts(paces: &[Pace], weighted: bool, capacity: usize) -> Vec<Start> {
    let Pace {
        interval, burst, ..
    } = paces[0];
    let interval = interval as u32;
    let used = vec![Op::TryAcquire; burst as usize];
    let with = |more: &[Op]| [&used[..], more].concat();
    let one = [Op::Enqueue(1), Op::Poll(Who::Head)];
    let turn = [Op::Enqueue(1), Op::Tick(interval), Op::Advance];
    let mut starts = vec![
        Start {
            name: "fresh",
            ops: vec![],
        },
        Start {
            name: "used",
            ops: used.clone(),
        },
        Start {
            name: "idle",
            ops: with(&[Op::AdvanceWith]),
        },
        Start {
            name: "asleep",
            ops: with(&[one[0], one[1], Op::AdvanceWith]),
        },
        Start {
            name: "due",
            ops: with(&[one[0], one[1], Op::Tick(interval)]),
        },
        Start {
            name: "released",
            ops: with(&[
                one[0],
                one[1],
                Op::Tick(interval),
                Op::Advance,
                Op::Enqueue(1),
                Op::AdvanceWith,
            ]),
        },
        Start {
            name: "held",
            ops: with(&[
                Op::Hold((interval * 3) as u16),
                one[0],
                one[1],
                Op::AdvanceWith,
            ]),
        },
        Start {
            name: "lap",
            ops: with(&[&turn.repeat(capacity + 1)[..], &one, &[Op::AdvanceWith]].concat()),
        },
        Start {
            name: "draining",
            ops: with(&[one[0], one[1], Op::AdvanceWith, Op::Drain]),
        },
    ];
    if capacity > 1 {
        let line = [one[0], one[1], Op::Enqueue(1), Op::Poll(Who::Tail)];
        starts.push(Start {
            name: "line",
            ops: with(&[&line[..], &[Op::AdvanceWith]].concat()),
        });
        starts.push(Start {
            name: "late",
            ops: with(&[&line[..], &[Op::Tick(interval * 5 / 2)]].concat()),
        });
        if weighted {
            starts.push(Start {
                name: "heavy",
                ops: with(&[
                    Op::Enqueue(3),
                    Op::Poll(Who::Head),
                    Op::Enqueue(1),
                    Op::Poll(Who::Tail),
                    Op::AdvanceWith,
                ]),
            });
            starts.push(Start {
                name: "behind",
                ops: with(&[
                    Op::Enqueue(1),
                    Op::Poll(Who::Head),
                    Op::Enqueue(3),
                    Op::Poll(Who::Tail),
                    Op::AdvanceWith,
                ]),
            });
        }
    }
    if capacity < 4 {
        starts.push(Start {
            name: "left",
            ops: with(&[&vec![Op::Enqueue(1); capacity][..], &[Op::Drop(Who::Head)]].concat()),
        });
    }
    if capacity > 2 {
        let full = [Op::Enqueue(1), Op::Poll(Who::Head)]
            .into_iter()
            .chain([Op::Enqueue(1); 3]);
        let full: Vec<Op> = full.chain([Op::AdvanceWith]).collect();
        starts.push(Start {
            name: "full",
            ops: with(&full),
        });
    }
    starts
}

/// Every configuration.
#[must_use]
pub fn all() -> Vec<Config> {
    let wraps: [(&str, i64); 3] = [
        ("", 1_000),
        ("-wrap", (1 << 32) - 26),
        ("-quarter", (1 << 30) - 26),
    ];
    let families: [(&str, &[Pace]); 6] = [
        ("even", &EVEN),
        ("burst", &BURST),
        ("far", &FAR),
        ("near", &NEAR),
        ("late", &LATE),
        ("lateburst", &LATE_BURST),
    ];
    let mut all = Vec::new();
    for capacity in [1, 2, 4] {
        for weighted in [false, true] {
            for wide in [false, true] {
                for (family, paces) in families {
                    for (wrap, begin) in wraps {
                        if wide && !wrap.is_empty() {
                            continue;
                        }
                        if weighted && paces[0].burst < 3 {
                            continue;
                        }
                        // What is wide differs in its words alone.
                        if wide && matches!(family, "even" | "far" | "late" | "lateburst") {
                            continue;
                        }
                        // Each wrap with some rings and rates, as it has to do with the pacing alone.
                        let wraps_here = match wrap {
                            "-wrap" => capacity != 2 && paces[0].interval < 1_000,
                            "-quarter" => capacity == 2 && !weighted && paces[0].catch_up.is_none(),
                            "" if paces[0].catch_up.is_some() => capacity == 2,
                            _ => true,
                        };
                        if !wraps_here {
                            continue;
                        }
                        let bits = if wide { 64 } else { 32 };
                        let kind = if weighted { "weighted" } else { "plain" };
                        all.push(Config {
                            name: format!("{kind}-{capacity}-{bits}-{family}{wrap}"),
                            wide,
                            weighted,
                            capacity,
                            begin,
                            paces: paces.to_vec(),
                            starts: starts(paces, weighted, capacity),
                            ops: ops(paces, weighted, capacity),
                            main: main_ops(paces, weighted, capacity),
                            few: few_ops(paces, weighted, capacity),
                            deep: DEEP.contains(
                                &format!("{kind}-{capacity}-{bits}-{family}{wrap}").as_str(),
                            ),
                        });
                    }
                }
            }
        }
    }
    all
}
