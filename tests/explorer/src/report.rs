//! Findings, gathered: how many of each kind, and the shortest of each.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::case::{Case, Nested};
use crate::op::Op;
use crate::place::Finding;

/// The first finding of a group, in full.
#[derive(Clone, Debug)]
pub struct Example {
    order: (usize, u64),
    text: String,
    cases: u64,
}

/// What was found and how much was looked at.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Cases judged.
    pub cases: u64,
    /// Cases with a finding.
    pub found: u64,
    /// Cases whose permits had more possible accounts than are kept.
    pub lost: u64,
    kinds: BTreeMap<&'static str, BTreeMap<String, Example>>,
}

impl Report {
    /// Adds the finding of a case.
    pub fn add(&mut self, config: &str, start: &str, case: &Case<'_>, finding: &Finding) {
        let length = case.meets.len() + usize::from(case.nested.is_some());
        let text = || text(config, start, case, finding);
        self.add_text(finding.kind, group(case), length, text);
    }

    /// Adds a finding of a kind, of a group of cases alike.
    pub fn add_text(
        &mut self,
        kind: &'static str,
        group: String,
        length: usize,
        text: impl FnOnce() -> String,
    ) {
        self.found += 1;
        let order = (length, self.cases);
        let groups = self.kinds.entry(kind).or_default();
        groups
            .entry(group)
            .and_modify(|example| example.cases += 1)
            .or_insert_with(|| Example {
                order,
                text: text(),
                cases: 1,
            });
    }

    /// Adds another report.
    pub fn merge(&mut self, other: Self) {
        self.cases += other.cases;
        self.found += other.found;
        self.lost += other.lost;
        for (kind, groups) in other.kinds {
            let mine = self.kinds.entry(kind).or_default();
            for (group, example) in groups {
                match mine.get_mut(&group) {
                    None => {
                        mine.insert(group, example);
                    }
                    Some(known) => {
                        let cases = known.cases + example.cases;
                        if example.order < known.order {
                            *known = example;
                        }
                        known.cases = cases;
                    }
                }
            }
        }
    }

    /// How many findings of a kind whose name begins so.
    #[must_use]
    pub fn count(&self, kind: &str) -> u64 {
        let kinds = self.kinds.iter().filter(|(name, _)| name.starts_with(kind));
        kinds
            .flat_map(|(_, groups)| groups.values())
            .map(|e| e.cases)
            .sum()
    }

    /// The findings in words, at most `most` groups of each kind, the shortest first.
    #[must_use]
    pub fn text(&self, most: usize) -> String {
        let mut text = String::new();
        for (kind, groups) in &self.kinds {
            let cases: u64 = groups.values().map(|example| example.cases).sum();
            let _ = writeln!(text, "\n{kind}: {cases} cases, {} groups", groups.len());
            let mut examples: Vec<&Example> = groups.values().collect();
            examples.sort_by_key(|example| example.order);
            for example in examples.iter().take(most) {
                let _ = writeln!(text, "  {} [{} cases like it]", example.text, example.cases);
            }
        }
        text
    }
}

/// Cases of the same operations are one group.
fn group(case: &Case<'_>) -> String {
    let mut ops: Vec<String> = case.meets.iter().map(|op| format!("{op:?}")).collect();
    if let Some(Nested { op, .. }) = case.nested {
        ops.push(format!("{op:?}"));
    }
    ops.sort();
    format!("{:?} {ops:?}", case.stopped)
}

fn text(config: &str, start: &str, case: &Case<'_>, finding: &Finding) -> String {
    let then = if case.late { "stays" } else { "goes on" };
    let before: Vec<Op> = case.start.to_vec();
    let nested = case.nested.map_or(String::new(), |n| {
        format!(
            "; the one at {} before its step {} meets {:?} and {:?}",
            n.at, n.stop, n.op, n.then
        )
    });
    let stop = case.stop.map_or(String::from("runs through"), |stop| {
        format!("before its step {stop}")
    });
    format!(
        "{config}, {start} {before:?}: {:?} {stop} meets {:?}{nested}; then it {then}\n      {}",
        case.stopped, case.meets, finding.what
    )
}
