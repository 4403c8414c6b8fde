//! [`Equals`]: among how many a host that goes before others divides what all of them book.
//!
//! A schedule that is booked less far ahead than [`reach`](crate::calendar::reach) goes to less important hosts. Where all that are seen are busy, each of their
//! leases lasts its part of the span, and the schedule is booked three quarters of it ahead when one asks. Where some of them rest, the others
//! take their part: the number is halved where the schedule was booked less than half a span ahead, and doubled where it was more than a
//! tenth above a whole one.

/// See the head of this page.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Equals {
    seen: u32,
    busy: u32,
    is_near: bool,
}

impl Equals {
    /// So many are there. Newcomers are taken to be busy.
    pub(crate) fn are(&mut self, seen: u32) {
        let more = seen.saturating_sub(self.seen);
        self.seen = seen;
        self.busy = self.busy.saturating_add(more).clamp(1, seen.max(1));
    }

    /// A lease begins so long from now, of a schedule that is to be booked about a span ahead.
    pub(crate) fn found(&mut self, ahead: u64, span: u64) {
        self.is_near = ahead < span / 2;
        if ahead > span + span / 10 {
            self.busy = self.busy.saturating_mul(2).min(self.seen.max(1));
        }
    }

    /// The host was busy all the time since.
    pub(crate) fn go_on(&mut self) {
        if self.is_near {
            self.busy = self.busy.div_ceil(2).max(1);
        }
    }

    /// How many seem to be busy, this one included.
    pub(crate) fn busy(&self) -> u32 {
        self.busy.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::Equals;

    const SPAN: u64 = 250_000;

    #[test]
    fn those_who_rest_are_found_out_and_those_who_work_are_not() {
        let mut equals = Equals::default();
        equals.are(11);
        for busy in [6, 3, 2, 1, 1] {
            equals.found(20_000, SPAN);
            equals.go_on();
            assert_eq!(equals.busy(), busy);
        }
        for ahead in [SPAN / 2, SPAN * 3 / 4, SPAN] {
            equals.found(ahead, SPAN);
            equals.go_on();
            assert_eq!(equals.busy(), 1);
        }
        for busy in [2, 4, 8, 11, 11] {
            equals.found(SPAN * 5 / 4, SPAN);
            equals.go_on();
            assert_eq!(equals.busy(), busy);
        }
    }

    #[test]
    fn newcomers_count_and_those_who_are_gone_do_not() {
        let mut equals = Equals::default();
        assert_eq!(equals.busy(), 1);
        equals.are(4);
        equals.found(0, SPAN);
        equals.go_on();
        equals.are(5);
        assert_eq!(equals.busy(), 3);
        equals.are(2);
        assert_eq!(equals.busy(), 2);
        equals.are(0);
        assert_eq!(equals.busy(), 1);
    }
}
