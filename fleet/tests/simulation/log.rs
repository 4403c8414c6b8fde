//! What is measured of a run.

/// When somebody was released, in true microseconds, and on which host.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Log {
    releases: Vec<(u64, usize)>,
}

impl Log {
    pub(crate) fn release(&mut self, at: u64, host: usize) {
        self.releases.push((at, host));
    }

    pub(crate) fn count(&self) -> usize {
        self.releases.len()
    }

    pub(crate) fn between(&self, from: u64, to: u64) -> usize {
        self.times().filter(|at| (from..to).contains(at)).count()
    }

    fn times(&self) -> impl Iterator<Item = u64> + '_ {
        self.releases.iter().map(|&(at, _)| at)
    }

    /// By how many releases the rate was exceeded, in the window from `from` to `to` or any within, where it was the most:
    /// n releases from the first to the last of a window of length w are n - 1 - w / interval too many.
    pub(crate) fn excess(&self, interval: u64, from: u64, to: u64) -> f64 {
        let (mut lowest, mut most) = (f64::INFINITY, 0.0_f64);
        let within = self.times().filter(|at| (from..to).contains(at));
        for (i, at) in within.enumerate() {
            let ahead = i as f64 - at as f64 / interval as f64;
            lowest = lowest.min(ahead);
            most = most.max(ahead - lowest);
        }
        most
    }

    /// The most in any window of that length.
    pub(crate) fn most_within(&self, length: u64, from: u64, to: u64) -> usize {
        let within: Vec<_> = self.times().filter(|at| (from..to).contains(at)).collect();
        let until = |first: usize| within.partition_point(|at| *at < within[first] + length);
        (0..within.len())
            .map(|first| until(first) - first)
            .max()
            .unwrap_or(0)
    }

    /// Releases of each host.
    pub(crate) fn by_host(&self, hosts: usize, from: u64, to: u64) -> Vec<u64> {
        let mut counts = vec![0; hosts];
        for &(at, host) in &self.releases {
            if (from..to).contains(&at) {
                counts[host] += 1;
            }
        }
        counts
    }

    /// The longest time without a release.
    pub(crate) fn longest_stall(&self, from: u64, to: u64) -> u64 {
        let within: Vec<_> = self.times().filter(|at| (from..to).contains(at)).collect();
        within
            .windows(2)
            .map(|two| two[1] - two[0])
            .max()
            .unwrap_or(to - from)
    }
}

/// Jain's index of fairness: 1 when all have the same, 1/n when one has all.
pub(crate) fn jain(counts: &[u64]) -> f64 {
    let sum: f64 = counts.iter().map(|&n| n as f64).sum();
    let squares: f64 = counts.iter().map(|&n| (n as f64).powi(2)).sum();
    sum.powi(2) / (counts.len() as f64 * squares)
}
