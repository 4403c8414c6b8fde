//! Never too fast, checked as it is promised: over every window of a run.

use crate::model::Pace;

/// The releases of a run, each with the pace in force.
#[derive(Clone, Debug, Default)]
pub struct Releases {
    all: Vec<(i128, Pace)>,
}

impl Releases {
    pub fn push(&mut self, at: i128, pace: Pace) {
        self.all.push((at, pace));
    }

    /// The latest one did not happen after all.
    pub fn pop(&mut self) {
        self.all.pop();
    }

    /// The first window, as two readings, that holds more releases than it may.
    ///
    /// With one pace throughout, k + 1 releases in a window of length w are too many when
    /// k + 1 > burst + ⌊(w + slack) / interval⌋, that is when w < k × interval − (burst − 1) × interval − slack. Where the
    /// pace changes inside, each release but the first counts the interval in force when it was made.
    ///
    /// Readings that fall back count as the furthest before them; the lead is then the largest of the run.
    pub fn too_many(&self) -> Option<(i128, i128)> {
        let mut true_time = i128::MIN;
        let mut fell_back = false;
        let mut all = self.all.clone();
        for (at, _) in &mut all {
            fell_back |= *at < true_time;
            true_time = true_time.max(*at);
            *at = true_time;
        }
        let largest = all.iter().map(|(_, pace)| pace.lead()).max().unwrap_or(0);
        for (first, &(from, pace)) in all.iter().enumerate() {
            let lead = if fell_back { largest } else { pace.lead() };
            let mut needed = -lead;
            for &(to, pace) in all.iter().skip(first + 1) {
                needed += pace.interval;
                if to - from < needed {
                    return Some((from, to));
                }
            }
        }
        None
    }
}
