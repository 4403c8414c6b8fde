//! When a queue was held: its latest holds, so that a wait can be told how much of it was one.

use std::sync::Mutex;

use crate::forked::unless_inherited;

/// So many holds are remembered, those that meet counted as one.
pub(crate) const REMEMBERED: usize = 16;

/// Readings, the end not included.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    from: u64,
    to: u64,
}

#[derive(Debug, Default)]
struct Latest {
    /// The place after the latest.
    next: usize,
    spans: [Span; REMEMBERED],
}

#[derive(Debug)]
pub(crate) struct Holds {
    /// None before the first, which many queues never see.
    latest: Mutex<Option<Box<Latest>>>,
    /// Where this was made.
    process: u32,
}

impl Holds {
    /// Of a queue that is paused from its start on, or not.
    pub(crate) fn new(is_paused: bool) -> Self {
        let holds = Self {
            latest: Mutex::new(None),
            process: std::process::id(),
        };
        if is_paused {
            holds.begin(0, u64::MAX);
        }
        holds
    }

    /// One from now on. It goes on from one that is on, and does not shorten that.
    pub(crate) fn begin(&self, now: u64, until: u64) {
        let Some(mut latest) = unless_inherited(&self.latest, self.process) else {
            return;
        };
        latest.get_or_insert_default().begin(now, until);
    }

    /// The one that is on is over.
    pub(crate) fn end(&self, now: u64) {
        let Some(mut latest) = unless_inherited(&self.latest, self.process) else {
            return;
        };
        if let Some(last) = latest.as_mut().and_then(|latest| latest.last()) {
            last.to = last.to.min(now).max(last.from);
        }
    }

    /// How long the queue was held between two readings, in nanoseconds.
    pub(crate) fn within(&self, from: u64, to: u64) -> u64 {
        let latest = unless_inherited(&self.latest, self.process);
        let Some(Some(latest)) = latest.as_deref() else {
            return 0;
        };
        let part = |span: &Span| span.to.min(to).saturating_sub(span.from.max(from));
        latest.spans.iter().map(part).sum()
    }
}

impl Latest {
    fn last(&mut self) -> Option<&mut Span> {
        let last = self.next.checked_sub(1)?;
        self.spans.get_mut(last % REMEMBERED)
    }

    fn begin(&mut self, now: u64, until: u64) {
        match self.last() {
            Some(last) if last.to >= now && last.from <= now => last.to = last.to.max(until),
            _ => {
                if let Some(span) = self.spans.get_mut(self.next % REMEMBERED) {
                    *span = Span {
                        from: now,
                        to: until,
                    };
                }
                self.next += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_how_much_of_it_was_a_hold() {
        let holds = Holds::new(false);
        assert_eq!(holds.within(0, u64::MAX), 0);
        holds.begin(100, 150);
        holds.begin(120, 130); // shortens nothing
        holds.begin(150, 200); // goes on
        holds.begin(300, 400);
        holds.end(350);
        holds.end(360); // over already
        for (from, to, held) in [
            (0, 50, 0),
            (0, 110, 10),
            (110, 120, 10),
            (190, 310, 20),
            (0, 1_000, 150),
            (350, 400, 0),
        ] {
            assert_eq!(holds.within(from, to), held, "{from} to {to}");
        }
    }

    #[test]
    fn what_is_paused_is_held_until_it_is_resumed() {
        let holds = Holds::new(true);
        assert_eq!(holds.within(70, 90), 20);
        holds.end(80);
        assert_eq!(holds.within(70, 90), 10);
    }

    #[test]
    fn the_latest_holds_are_remembered() {
        let holds = Holds::new(false);
        let count = REMEMBERED as u64 + 3;
        for n in 0..count {
            holds.begin(10 * n, 10 * n + 1);
        }
        assert_eq!(holds.within(0, 10 * count), REMEMBERED as u64);
        assert_eq!(holds.within(0, 30), 0, "forgotten");
    }

    #[test]
    fn a_clock_that_falls_back_makes_no_hold_longer_than_it_was() {
        let holds = Holds::new(false);
        holds.begin(1_000, 1_100);
        holds.begin(500, 520);
        holds.end(510);
        assert_eq!(holds.within(0, 600), 10);
        holds.end(0);
        assert_eq!(holds.within(0, 600), 0);
    }
}
