//! [`AccountStats`]: a tree of limits at a moment, and what binds where.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::tree::{Bound, Id, Report};
use crate::line::Line;
use crate::rate::Rate;

/// An account, or a queue of one, and what is inside it, at a moment. Shown as a tree:
///
/// ```text
/// aws                    20/s; 3 in line, 1204 released; waits for 20/s
/// ├─ eu-west-1           12/s, 4 of 8 calls; 3 in line, 900 released
/// │  ├─ describe         5/s; 2 in line, 700 released; waits for 5/s
/// │  └─ run              1 in line, 200 released
/// └─ us-east-1           12/s; 0 in line, 304 released; held for 2s
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct AccountStats {
    /// What it is called. Empty if it is not.
    pub name: String,
    /// Its own limits, as they are now.
    pub rates: Vec<Rate>,
    /// How many calls may be under way inside it, where that is limited.
    pub at_once: Option<usize>,
    /// How many are, where that is counted.
    pub under_way: usize,
    /// How many are in line inside it.
    pub in_line: usize,
    /// How many releases it has counted.
    pub released: u64,
    /// For how long it is held still.
    pub held_for: Option<Duration>,
    /// What of its own keeps the next one inside it from going. None where nobody inside could go, or nothing here keeps them.
    pub bound_by: Option<Bound>,
    /// Whether it is a queue.
    pub is_queue: bool,
    /// The accounts and queues inside it, mostly in the order in which they were started.
    pub inside: Vec<AccountStats>,
}

impl fmt::Display for AccountStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.width(0);
        self.write(f, width, "", "")
    }
}

impl AccountStats {
    pub(super) fn of(report: Report, lines: &BTreeMap<Id, Arc<Line>>) -> Self {
        let line = lines.get(&report.id);
        let inside = report.inside.into_iter();
        let inside: Vec<Self> = inside.map(|one| Self::of(one, lines)).collect();
        // Those whom a stop has closed are in line no more.
        let open = line.filter(|line| !line.end.is_reached());
        let depth = open.map_or(0, |line| line.queue.waiting());
        let has_room = line.is_none_or(|line| line.calls.room() > 0);
        let bound_by = if depth > 0 && !has_room {
            Some(Bound::Calls)
        } else {
            report.bound_by
        };
        let held = Duration::from_nanos(report.held_for);
        Self {
            name: report.name,
            rates: report.rates,
            at_once: line.map_or(report.at_once, |line| line.calls.limit()),
            under_way: line.map_or(report.under_way, |line| line.calls.under_way()),
            in_line: inside.iter().fold(depth, |all, one| all + one.in_line),
            released: report.released,
            held_for: Some(held).filter(|held| !held.is_zero()),
            bound_by,
            is_queue: report.is_queue,
            inside,
        }
    }

    fn called(&self) -> &str {
        match (self.name.as_str(), self.is_queue) {
            ("", true) => "queue",
            ("", false) => "account",
            (name, _) => name,
        }
    }

    /// Of the widest name, with what stands before it.
    fn width(&self, depth: usize) -> usize {
        let inside = self.inside.iter().map(|one| one.width(depth + 1));
        inside.fold(3 * depth + self.called().chars().count(), usize::max)
    }

    /// With `first` before its own line, and `rest` before those of what is inside.
    fn write(
        &self,
        f: &mut fmt::Formatter<'_>,
        width: usize,
        first: &str,
        rest: &str,
    ) -> fmt::Result {
        let pad = width.saturating_sub(first.chars().count());
        write!(f, "{first}{:pad$}  ", self.called())?;
        let mut limits: Vec<String> = self.rates.iter().map(Rate::to_string).collect();
        if let Some(at_once) = self.at_once {
            limits.push(format!("{} of {at_once} calls", self.under_way));
        }
        if !limits.is_empty() {
            write!(f, "{}; ", limits.join(", "))?;
        }
        write!(f, "{} in line, {} released", self.in_line, self.released)?;
        if let Some(held) = self.held_for {
            write!(f, "; held for {held:.1?}")?;
        }
        match self.bound_by {
            Some(Bound::Rate(rate)) => write!(f, "; waits for {rate}")?,
            Some(Bound::Calls) => f.write_str("; waits for a call to end")?,
            Some(Bound::Hold) | None => {}
        }
        for (number, one) in self.inside.iter().enumerate() {
            let is_last = number + 1 == self.inside.len();
            let (branch, below) = if is_last {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            f.write_str("\n")?;
            one.write(
                f,
                width,
                &format!("{rest}{branch}"),
                &format!("{rest}{below}"),
            )?;
        }
        Ok(())
    }
}
