//! `cargo run --release -p apiqueue-explorer [-- --only NAME] [--quick] [--depth N] [--nested N] [--show N]`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
use apiqueue_explorer::{config, explore, report};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

fn main() {
    let mut only = String::new();
    let mut start = String::new();
    let mut quick = false;
    let mut depth = None;
    let mut nested = None;
    let mut without = Vec::new();
    let mut show = 5;
    let mut threads = 2;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|n| n.parse().ok()).expect("a number");
        match arg.as_str() {
            "--depth" => depth = Some(number()),
            "--nested" => nested = Some(number()),
            "--show" => show = number(),
            "--threads" => threads = number(),
            "--without" => without.push(args.next().expect("an operation")),
            "--only" => only = args.next().expect("a name"),
            "--start" => start = args.next().expect("a name"),
            "--quick" => quick = true,
            _ => panic!("unknown: {arg}"),
        }
    }
    let began = Instant::now();
    let mut total = report::Report::default();
    for mut config in config::all().into_iter().filter(|c| c.name.contains(&only)) {
        for ops in [&mut config.ops, &mut config.main, &mut config.few] {
            ops.retain(|op| without.iter().all(|name| !format!("{op:?}").contains(name)));
        }
        let config = &config;
        let mut bounds = if quick {
            explore::quick(config)
        } else {
            explore::whole(config)
        };
        if let Some(depth) = depth {
            (bounds.all, bounds.main) = (bounds.all.min(depth), depth);
        }
        if let Some(nested) = nested {
            (bounds.nested_main, bounds.nested_few) = (bounds.nested_main.min(nested), nested);
        }
        let jobs: Vec<(usize, usize)> = (0..config.starts.len())
            .filter(|&s| config.starts[s].name.contains(&start))
            .flat_map(|s| (0..config.ops.len()).map(move |op| (s, op)))
            .collect();
        let next = AtomicUsize::new(0);
        let sum = Mutex::new(report::Report::default());
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(&(start, op)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let report = explore::explore(config, start, op, bounds);
                        sum.lock().unwrap().merge(report);
                    }
                });
            }
        });
        let sum = sum.into_inner().unwrap();
        println!(
            "{:28} {:>12} cases, {:>9} findings, {:.1} s",
            config.name,
            sum.cases,
            sum.found,
            began.elapsed().as_secs_f64()
        );
        total.merge(sum);
    }
    println!("{}", total.text(show));
    println!(
        "{} cases in all, {} with a finding, {:.1} s",
        total.cases,
        total.found,
        began.elapsed().as_secs_f64()
    );
    if total.found > 0 {
        std::process::exit(1);
    }
}
