//! Longer sequences, as a fuzzer thinks of them, before the same judge.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::OnceLock;

use crate::case::{Case, Outcome};
use crate::config::{self, Config};
use crate::explore::fits;
use crate::op::Op;
use crate::replay;
use crate::width::{Kind, Visit, Width};
use crate::world::World;

/// The longest sequence.
const LONGEST: usize = 12;

/// Runs cases on a queue of its own, one after the other.
type Judge = Box<dyn Fn(&Case<'_>) -> Outcome>;

struct Make<'c>(&'c Config);

impl Visit for Make<'_> {
    type Answer = Judge;

    fn visit<W: Width, const N: usize, K: Kind>(self) -> Judge {
        let world = World::<W, N, K>::new(&self.0.paces, self.0.begin);
        Box::new(move |case| replay::run(world, case))
    }
}

/// The configurations that the fuzzer chooses from.
fn configs() -> &'static [Config] {
    static CONFIGS: OnceLock<Vec<Config>> = OnceLock::new();
    CONFIGS.get_or_init(|| {
        let all = config::all().into_iter();
        all.filter(|c| c.capacity == 4 || (c.capacity == 1 && !c.wide && !c.weighted))
            .collect()
    })
}

std::thread_local! {
    static JUDGES: RefCell<HashMap<usize, Judge>> = RefCell::default();
}

/// Judges the case that the bytes describe: which configuration, start and operation, before which step it stands still,
/// whether for ever, and what it meets.
///
/// # Errors
/// What must not be, in words.
pub fn fuzz(bytes: &[u8]) -> Result<(), String> {
    let mut bytes = bytes.iter().map(|&byte| usize::from(byte));
    let mut below = |most: usize| bytes.next().unwrap_or(0) % most;
    let number = below(configs().len());
    let config = &configs()[number];
    let start = &config.starts[below(config.starts.len())];
    let stopped = config.ops[below(config.ops.len())];
    let (stop, late) = (below(32), below(2) == 1);
    let length = below(LONGEST + 1);
    let meets: Vec<Op> = (0..length)
        .map(|_| config.ops[below(config.ops.len())])
        .collect();
    // Between two visits of a driver a 32-bit clock may go so far once.
    let leaps = meets
        .iter()
        .filter(|op| matches!(op, Op::Tick(ticks) if *ticks >= 1 << 25));
    if stopped.is_clock() || leaps.count() > 1 || !fits(start, stopped, &meets) {
        return Ok(());
    }
    let case = Case {
        start: &start.ops,
        stopped,
        stop: Some(stop),
        meets: &meets,
        nested: None,
        late,
    };
    let outcome = JUDGES.with_borrow_mut(|judges| {
        let judge = judges
            .entry(number)
            .or_insert_with(|| config.visit(Make(config)));
        judge(&case)
    });
    match outcome {
        Outcome::Judged(Some(finding)) => Err(format!(
            "{}, {}: {stopped:?} before its step {stop} meets {meets:?}; for ever: {late}\n{}: {}",
            config.name, start.name, finding.kind, finding.what
        )),
        _ => Ok(()),
    }
}
