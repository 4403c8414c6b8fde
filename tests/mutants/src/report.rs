//! What is written down: a line for each mutant, totals for each file, and the survivors that nobody has explained.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::mutate::Mutant;

/// What became of a mutant: the test that killed it, or none.
pub type Fate = Option<String>;

/// The file with a line for each mutant.
pub struct Report {
    file: File,
}

fn key(mutant: &Mutant) -> String {
    format!("{}: {}", mutant.file, mutant.what)
}

impl Report {
    /// Begins a new one, or goes on with the one that is there, if that is of the tree with this `mark`: then also what was
    /// killed before.
    pub fn open(
        path: &Path,
        resume: bool,
        mark: u64,
    ) -> io::Result<(Self, HashMap<String, String>)> {
        let mut killed = HashMap::new();
        let earlier = fs::read_to_string(path).unwrap_or_default();
        let mark = format!("tree {mark:016x}");
        let is_of_this = earlier.lines().next() == Some(&mark);
        if resume && !is_of_this {
            println!("the earlier report is of another tree: begun anew");
        }
        if resume && is_of_this {
            for line in earlier.lines() {
                let parts: Vec<_> = line.split('\t').collect();
                if let [_, place, what, fate] = parts.as_slice()
                    && let Some(by) = fate.strip_prefix("killed by ")
                    && let Some((file, _)) = place.split_once(".rs:")
                {
                    killed.insert(format!("{file}: {what}"), by.to_owned());
                }
            }
        }
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .open(path)?;
        writeln!(file, "{mark}")?;
        Ok((Self { file }, killed))
    }

    pub fn write(&mut self, mutant: &Mutant, fate: &Fate) -> io::Result<()> {
        let Mutant {
            number,
            file,
            line,
            what,
            ..
        } = mutant;
        let fate = match fate {
            Some(by) => format!("killed by {by}"),
            None => "SURVIVED".to_owned(),
        };
        writeln!(self.file, "{number}\t{file}.rs:{line}\t{what}\t{fate}")
    }
}

/// What was killed before, by the name of the mutant.
pub fn killed_before<'a>(
    killed: &'a HashMap<String, String>,
    mutant: &Mutant,
) -> Option<&'a String> {
    killed.get(&key(mutant))
}

pub fn is_explained(explained: &HashMap<String, String>, mutant: &Mutant) -> bool {
    explained.contains_key(&key(mutant))
}

/// The explained survivors: lines of `file ¦ what ¦ why`.
pub fn explained(text: &str) -> HashMap<String, String> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut parts = line.splitn(3, " ¦ ");
            let (file, what, why) = (parts.next()?, parts.next()?, parts.next()?);
            Some((format!("{file}: {what}"), why.to_owned()))
        })
        .collect()
}

/// Prints the totals. Whether all survivors are explained, and nothing else is where all were tried.
pub fn sum_up(
    fates: &[(Mutant, Fate)],
    explained: &HashMap<String, String>,
    is_whole: bool,
) -> bool {
    let mut files: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    let mut killers: BTreeMap<&str, usize> = BTreeMap::new();
    let mut holes = Vec::new();
    for (mutant, fate) in fates {
        let totals = files.entry(&mutant.file).or_default();
        let place = match fate {
            Some(by) => {
                let killer = by.split([' ', ':']).next().unwrap_or(by);
                *killers.entry(killer).or_default() += 1;
                0
            }
            None if explained.contains_key(&key(mutant)) => 1,
            None => {
                holes.push(mutant);
                2
            }
        };
        if let Some(count) = totals.get_mut(place) {
            *count += 1;
        }
    }
    println!(
        "{:<10} {:>7} {:>10} {:>9}",
        "file", "killed", "explained", "SURVIVED"
    );
    let mut all = [0; 3];
    for (file, totals) in &files {
        let [killed, known, open] = totals;
        println!("{file:<10} {killed:>7} {known:>10} {open:>9}");
        for (sum, part) in all.iter_mut().zip(totals) {
            *sum += part;
        }
    }
    let [killed, known, open] = all;
    println!("{:<10} {killed:>7} {known:>10} {open:>9}", "all");
    let count: usize = all.iter().sum();
    println!(
        "{:.1} % of {count} killed",
        100.0 * killed as f64 / count.max(1) as f64
    );
    for (killer, count) in killers {
        println!("  {count} by {killer}");
    }
    for Mutant {
        number,
        file,
        line,
        what,
        ..
    } in &holes
    {
        println!("SURVIVED {number} {file}.rs:{line} {what}");
    }
    let mut stale = 0;
    if is_whole {
        let survived: HashSet<String> = fates
            .iter()
            .filter(|(_, fate)| fate.is_none())
            .map(|(mutant, _)| key(mutant))
            .collect();
        for what in explained.keys().filter(|what| !survived.contains(*what)) {
            println!("EXPLAINED, but killed or gone: {what}");
            stale += 1;
        }
    }
    holes.is_empty() && stale == 0
}
