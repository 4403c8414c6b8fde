//! [`WaitedFor`], and how many were ahead.

/// What a [`Turn`](crate::Turn) has waited for. Of several things, the latter in this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitedFor {
    /// Nothing: a permit was free.
    Nothing,
    /// The next permit, by the rate or another limit.
    Rate,
    /// Others who were ahead in line, and the permits for them.
    Others,
    /// The end of a [hold](crate::ApiQueue::hold_for) of this queue.
    Hold,
}

/// How many were ahead of one who took a place, and whether the queue was held meanwhile; or that there was a permit at once. In one
/// word, as each turn has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ahead(u32);

/// The queue was held.
const HELD: u32 = 1 << 31;

impl Ahead {
    /// There was a permit.
    pub(crate) const PASSED: Self = Self(HELD - 1);

    /// At this position in line.
    pub(crate) fn at(position: Option<usize>) -> Self {
        let most = HELD - 2;
        let ahead = u32::try_from(position.unwrap_or(0)).unwrap_or(most);
        Self(ahead.min(most))
    }

    #[inline]
    pub(crate) fn has_passed(self) -> bool {
        self == Self::PASSED
    }

    /// Of one who was in line.
    pub(crate) fn held(self, was_held: bool) -> Self {
        Self(self.0 | if was_held { HELD } else { 0 })
    }

    pub(crate) fn was_held(self) -> bool {
        self.0 & HELD != 0
    }

    pub(crate) fn count(self) -> usize {
        if self.has_passed() {
            0
        } else {
            usize::try_from(self.0 & !HELD).unwrap_or(usize::MAX)
        }
    }

    pub(crate) fn waited_for(self) -> WaitedFor {
        match self.count() {
            _ if self.has_passed() => WaitedFor::Nothing,
            _ if self.was_held() => WaitedFor::Hold,
            0 => WaitedFor::Rate,
            _ => WaitedFor::Others,
        }
    }
}
