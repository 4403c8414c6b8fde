//! The command: explores every configuration, says how much it looked at, and fails where it found something.
#![allow(missing_docs)]

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use apiqueue_explorer::config::{self, Config};
use apiqueue_explorer::explore::{self, Bounds};
use apiqueue_explorer::report::Report;
use apiqueue_explorer::turns;

const USAGE: &str = "\
cargo run --release -p apiqueue-explorer [-- OPTION…]

  --quick         short sequences only
  --only NAME     the configuration of this name, or if there is none all whose name holds NAME, as in plain-2
  --start NAME    starts whose name holds NAME
  --depth N       sequences of N operations at most, 1 to 3
  --nested N      a second thread that stands still, in sequences of N operations at most, 0 to 2
  --turns N       only cases in which two operations take turns, drawn at random: N of each configuration
  --seed N        the seed of those (1)
  --show N        so many findings of each kind (5)
  --threads N     so many threads (2)
  --list          the configurations, and nothing else";

struct Options {
    quick: bool,
    list: bool,
    only: String,
    start: String,
    depth: Option<usize>,
    nested: Option<usize>,
    turns: Option<usize>,
    seed: usize,
    show: usize,
    threads: usize,
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        quick: false,
        list: false,
        only: String::new(),
        start: String::new(),
        depth: None,
        nested: None,
        turns: None,
        seed: 1,
        show: 5,
        threads: 2,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let within = |text: String, least: usize, most: usize| match text.parse() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(format!("{text} is not in {least}..={most}")),
        };
        match word.as_str() {
            "--quick" => options.quick = true,
            "--list" => options.list = true,
            "--only" => options.only = value()?,
            "--start" => options.start = value()?,
            "--depth" => options.depth = Some(within(value()?, 1, 3)?),
            "--nested" => options.nested = Some(within(value()?, 0, 2)?),
            "--turns" => options.turns = Some(within(value()?, 1, usize::MAX)?),
            "--seed" => options.seed = within(value()?, 0, usize::MAX)?,
            "--show" => options.show = within(value()?, 0, 1_000)?,
            "--threads" => options.threads = within(value()?, 1, 64)?,
            _ => return Err(format!("no option {word}")),
        }
    }
    Ok(options)
}

impl Options {
    fn bounds(&self, config: &Config) -> Bounds {
        let mut bounds = if self.quick {
            explore::quick(config)
        } else {
            explore::whole(config)
        };
        if let Some(depth) = self.depth {
            (bounds.all, bounds.main) = (bounds.all.min(depth), depth);
        }
        if let Some(nested) = self.nested {
            (bounds.nested_main, bounds.nested_few) = (bounds.nested_main.min(nested), nested);
        }
        bounds
    }

    fn explore(&self, config: &Config) -> Report {
        let mut report = if self.turns.is_some() {
            Report::default()
        } else {
            self.sequences(config)
        };
        if self.start.is_empty() {
            let drawn = if self.quick { 4_000 } else { 50_000 };
            report.merge(self.in_turns(config, self.turns.unwrap_or(drawn)));
        }
        report
    }

    /// Each thread draws its own cases.
    fn in_turns(&self, config: &Config, cases: usize) -> Report {
        let threads = self.threads as u64;
        let mine = cases.div_ceil(self.threads) as u64;
        let sum = Mutex::new(Report::default());
        std::thread::scope(|scope| {
            for number in 0..threads {
                let seed = self.seed as u64 * threads + number;
                let sum = &sum;
                scope.spawn(move || {
                    let report = turns::explore(config, seed, mine);
                    sum.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .merge(report);
                });
            }
        });
        sum.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn sequences(&self, config: &Config) -> Report {
        let bounds = self.bounds(config);
        let starts = (0..config.starts.len())
            .filter(|&start| config.starts[start].name.contains(&self.start));
        let jobs: Vec<(usize, usize)> = starts
            .flat_map(|start| (0..config.ops.len()).map(move |op| (start, op)))
            .collect();
        let next = AtomicUsize::new(0);
        let sum = Mutex::new(Report::default());
        std::thread::scope(|scope| {
            for _ in 0..self.threads {
                scope.spawn(|| {
                    while let Some(&(start, op)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let report = explore::explore(config, start, op, bounds);
                        sum.lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .merge(report);
                    }
                });
            }
        });
        sum.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("{why}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let configs = config::all();
    let exact = configs.iter().any(|config| config.name == options.only);
    let chosen = configs.iter().filter(|config| match exact {
        true => config.name == options.only,
        false => config.name.contains(&options.only),
    });
    let began = Instant::now();
    let mut total = Report::default();
    for config in chosen {
        if options.list {
            println!("{}", config.name);
            continue;
        }
        let report = options.explore(config);
        println!(
            "{:28} {:>12} interleavings, {:>9} findings, {:.1} s",
            config.name,
            report.cases,
            report.found,
            began.elapsed().as_secs_f64()
        );
        if report.found > 0 {
            // At once: the whole set takes long.
            println!("{}", report.text(options.show));
        }
        total.merge(report);
    }
    if options.list {
        return ExitCode::SUCCESS;
    }
    println!(
        "{} interleavings in all, {} with a finding; {} with too many possible accounts to judge the permits to the end",
        total.cases, total.found, total.lost
    );
    // To have looked at nothing is no success.
    if total.found > 0 || total.cases == 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
