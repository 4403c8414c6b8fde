//! [`Pace`]: when to connect again, after attempts that came to nothing.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strike {
    /// Nothing, or not for now.
    Away,
    /// Somebody has to change something: credentials, rights, the server.
    Refused,
}

impl Strike {
    /// The first pause, and the longest.
    const fn pauses(self) -> (Duration, Duration) {
        match self {
            Self::Away => (Duration::from_millis(10), Duration::from_secs(1)),
            Self::Refused => (Duration::from_millis(250), Duration::from_secs(10)),
        }
    }
}

/// Pauses that double with each strike in a row, each cut by up to a half at random: hosts whose connections broke at the
/// same moment do not come back at the same moment.
#[derive(Default)]
pub(super) struct Pace {
    /// The last strike, how many of its kind in a row there were, and until when to pause after it.
    last: Option<(Strike, u32, Instant)>,
}

impl Pace {
    /// The pause is from when the attempt `began`: one that took long needs none after it, and a call that fails at once would only
    /// have its host wait longer.
    pub(super) fn strike(&mut self, kind: Strike, began: Instant) {
        let entropy = RandomState::new().hash_one(0_u8);
        self.strike_by(kind, began, entropy);
    }

    fn strike_by(&mut self, kind: Strike, began: Instant, entropy: u64) {
        let count = match self.last {
            Some((last, count, _)) if last == kind => count.saturating_add(1),
            _ => 1,
        };
        let (first, longest) = kind.pauses();
        let whole = first
            .saturating_mul(1_u32.checked_shl(count - 1).unwrap_or(u32::MAX))
            .min(longest);
        // 0 to 999 of 2,000.
        let cut = whole / 2_000 * u32::try_from(entropy % 1_000).unwrap_or(0);
        self.last = Some((kind, count, began + (whole - cut)));
    }

    /// What the pause that is not over at `now` is for, and how much of it is left.
    pub(super) fn pause(&self, now: Instant) -> Option<(Strike, Duration)> {
        let (kind, _, until) = self.last?;
        let left = until.checked_duration_since(now)?;
        (!left.is_zero()).then_some((kind, left))
    }

    pub(super) fn has_struck(&self) -> bool {
        self.last.is_some()
    }

    /// Something was answered.
    pub(super) fn clear(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(kind: Strike, entropy: u64) -> Vec<Duration> {
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..40 {
            pace.strike_by(kind, now, entropy);
            let pause = pace.pause(now).map(|(_, left)| left).unwrap_or_default();
            now += pause;
            assert_eq!(pace.pause(now), None, "it ends");
            pauses.push(pause);
        }
        pauses
    }

    #[test]
    fn pauses_double_to_the_longest() {
        let ms = |pauses: &[Duration]| pauses.iter().map(Duration::as_millis).collect::<Vec<_>>();
        let away = pauses(Strike::Away, 0);
        assert_eq!(
            ms(&away[..9]),
            [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000]
        );
        let refused = pauses(Strike::Refused, 0);
        assert_eq!(
            ms(&refused[..8]),
            [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]
        );
        assert_eq!(away[39], Duration::from_secs(1), "no overflow");
    }

    #[test]
    fn an_attempt_that_took_long_has_paused_already() {
        let (mut pace, began) = (Pace::default(), Instant::now());
        pace.strike_by(Strike::Away, began, 0);
        assert_eq!(pace.pause(began + Duration::from_millis(10)), None);
        assert!(pace.has_struck());
    }

    #[test]
    fn a_pause_is_cut_by_up_to_a_half() {
        let shortest = pauses(Strike::Away, 999);
        for (short, whole) in shortest.iter().zip(pauses(Strike::Away, 0)) {
            assert!(
                *short > whole / 2 && *short < whole,
                "{short:?} of {whole:?}"
            );
        }
    }

    #[test]
    fn fifty_hosts_that_fail_together_come_back_apart() {
        let now = Instant::now();
        let mut left: Vec<Duration> = (0..50)
            .map(|_| {
                let mut pace = Pace::default();
                for _ in 0..8 {
                    pace.strike(Strike::Away, now);
                }
                pace.pause(now).map(|(_, left)| left).unwrap_or_default()
            })
            .collect();
        left.sort();
        left.dedup();
        // Of 1,000 places each: that half of them meet has no chance worth a name.
        assert!(left.len() > 25, "{left:?}");
        assert!(left[0] > Duration::from_millis(500));
    }

    #[test]
    fn another_kind_of_strike_begins_with_its_first_pause() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        for _ in 0..5 {
            pace.strike_by(Strike::Refused, now, 0);
        }
        pace.strike_by(Strike::Away, now, 0);
        assert_eq!(
            pace.pause(now),
            Some((Strike::Away, Duration::from_millis(10)))
        );
        pace.clear();
        assert_eq!(pace.pause(now), None);
    }
}
