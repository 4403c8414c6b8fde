//! One run: writes the tree, builds the tests in it, and lets them at each mutant.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::Options;
use crate::killers::{End, Killer, Unlearnt, build};
use crate::mutate::Mutant;
use crate::report::{self, Fate, Report};
use crate::tree;

/// At most so many at once.
const WORKERS: usize = 2;
/// A model of loom that takes longer is left out.
const LONGEST_MODEL: Duration = Duration::from_secs(20);
/// How many preemptions loom tries.
const PREEMPTIONS: &str = "2";

/// Whether every survivor is explained.
pub fn run(repository: &Path, options: &Options) -> io::Result<bool> {
    let base = std::path::absolute(repository.join("target/mutants"))?;
    let handwritten = fs::read_to_string(repository.join("tests/mutants/handwritten.txt"))?;
    let known = fs::read_to_string(repository.join("tests/mutants/equivalent.txt"))?;
    let known = report::explained(&known);
    let tree = base.join("tree");
    let mutants: Vec<Mutant> = tree::write(repository, &tree, &handwritten)?
        .into_iter()
        .filter(|mutant| {
            options
                .only
                .as_ref()
                .is_none_or(|only| *only == mutant.file)
        })
        .filter(|mutant| options.mutant.is_none_or(|number| number == mutant.number))
        .filter(|mutant| !(options.no_loom && mutant.is_ordering))
        .collect();
    if options.list {
        for Mutant {
            number,
            file,
            line,
            what,
            ..
        } in &mutants
        {
            println!("{number}\t{file}.rs:{line}\t{what}");
        }
        return Ok(true);
    }
    let tests = plain(&tree, &base, options.no_explorer)?;
    let models = if options.no_loom {
        Vec::new()
    } else {
        loom(&tree, &base, options.longest_model)?
    };
    let (report, killed) =
        Report::open(&base.join("report.txt"), options.resume, tree::mark(&tree)?)?;
    let unlearnt = Unlearnt::new(&tree);
    let (report, fates, next) = (
        Mutex::new(report),
        Mutex::new(Vec::new()),
        AtomicUsize::new(0),
    );
    let work = || -> io::Result<()> {
        while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
            let is_known = options.unexplained && report::is_explained(&known, mutant);
            let fate = match report::killed_before(&killed, mutant) {
                Some(by) => Some(by.clone()),
                None if is_known => None,
                None => fate(mutant, &tests, &models, &unlearnt)?,
            };
            if let Ok(mut report) = report.lock() {
                report.write(mutant, &fate)?;
            }
            if let Ok(mut fates) = fates.lock() {
                fates.push((mutant.clone(), fate));
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .map_err(|_| io::Error::other("a worker panicked"))?
        })
    })?;
    let mut fates = fates
        .into_inner()
        .map_err(|_| io::Error::other("a worker panicked"))?;
    fates.sort_by_key(|(mutant, _)| mutant.number);
    let is_whole = options.only.is_none() && options.mutant.is_none() && !options.no_loom;
    Ok(report::sum_up(&fates, &known, is_whole))
}

fn fate(
    mutant: &Mutant,
    tests: &[Killer],
    models: &[Killer],
    unlearnt: &Unlearnt,
) -> io::Result<Fate> {
    // Only loom sees orderings.
    let tests = if mutant.is_ordering { &[] } else { tests };
    for killer in tests.iter().chain(models) {
        unlearnt.restore()?;
        let name = &killer.name;
        match killer.run(mutant.number)? {
            End::Passed => {}
            End::Failed(test) => return Ok(Some(format!("{name}: {test}"))),
            // A machine that was busy elsewhere makes a run too long once.
            End::TooLong => match killer.run_again(mutant.number)? {
                End::Passed => {}
                End::Failed(test) => return Ok(Some(format!("{name}: {test}"))),
                End::TooLong => return Ok(Some(format!("{name} (too long, twice)"))),
                End::Crashed => return Ok(Some(format!("{name} (crash)"))),
            },
            End::Crashed => return Ok(Some(format!("{name} (crash)"))),
        }
    }
    Ok(None)
}

/// The tests of the core, of the stepped core, of the package of tests, and the explorer's: the quickest first.
fn plain(tree: &Path, base: &Path, no_explorer: bool) -> io::Result<Vec<Killer>> {
    let target = base.join("build");
    let mut killers = Vec::new();
    for (package, directory, of_all) in [
        ("apiqueue-core", "core", vec!["--lib"]),
        ("apiqueue-core-stepped", "tests/stepped", vec!["--tests"]),
        ("apiqueue-tests", "tests", named(tree, "tests", &TESTS)),
        (
            "apiqueue-explorer",
            "tests/explorer",
            named(tree, "tests/explorer", &EXPLORED),
        ),
    ] {
        if of_all.is_empty() || (no_explorer && package == "apiqueue-explorer") {
            continue;
        }
        let arguments = [&["-p", package][..], &of_all].concat();
        for (name, binary) in build(tree, &target, "", &arguments)? {
            killers.push(Killer::new(&name, &binary, &tree.join(directory)));
        }
    }
    for killer in &mut killers {
        let end = killer.measure(Duration::from_secs(300))?;
        println!("{}: {:.2?} without a mutant", killer.name, killer.took);
        if end != End::Passed {
            return Err(io::Error::other(format!(
                "{} without a mutant: {end:?}",
                killer.name
            )));
        }
    }
    killers.sort_by_key(|killer| killer.took);
    Ok(killers)
}

/// The tests of the package of tests that have to do with the mutated files.
const TESTS: [&str; 8] = [
    "model",
    "changes",
    "scenarios",
    "weights",
    "leaving",
    "threads",
    "refusals",
    "mutants",
];
const EXPLORED: [&str; 5] = ["quick", "regressions", "found", "alternating", "fuzz"];

/// The arguments that choose those that are there.
fn named<'a>(tree: &Path, directory: &str, names: &[&'a str]) -> Vec<&'a str> {
    names
        .iter()
        .filter(|name| {
            let test = tree.join(directory).join("tests").join(name);
            test.with_extension("rs").exists() || test.join("main.rs").exists()
        })
        .flat_map(|name| ["--test", name])
        .collect()
}

/// Each model of loom that does not take too long, the quickest first.
fn loom(tree: &Path, base: &Path, longest: Option<u64>) -> io::Result<Vec<Killer>> {
    let longest = longest.map_or(LONGEST_MODEL, Duration::from_secs);
    let arguments = ["-p", "apiqueue-tests", "--test", "loom"];
    let mut killers = Vec::new();
    for (name, binary) in build(tree, &base.join("build-loom"), "--cfg loom", &arguments)? {
        let all = Killer::new(&name, &binary, &tree.join("tests"))
            .with("LOOM_MAX_PREEMPTIONS", PREEMPTIONS);
        for test in all.tests()? {
            let mut killer = all.only(std::slice::from_ref(&test));
            match killer.measure(longest)? {
                End::Passed => killers.push(killer),
                End::TooLong => println!("{test} takes too long: left out"),
                end => {
                    return Err(io::Error::other(format!(
                        "{test} without a mutant: {end:?}"
                    )));
                }
            }
        }
    }
    killers.sort_by_key(|killer| killer.took);
    let sum: Duration = killers.iter().map(|killer| killer.took).sum();
    println!(
        "{} models of loom: {sum:.1?} without a mutant",
        killers.len()
    );
    Ok(killers)
}
