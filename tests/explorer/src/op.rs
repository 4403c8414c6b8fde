//! What the actors do: the operations of the queue and of the clock.

/// Which waiter an operation means, among those that the case holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The first that waits.
    Head,
    /// The second that waits, where there are three: one in the middle.
    Middle,
    /// The last that waits, where there are two.
    Tail,
    /// The latest that was released and not dropped.
    Released,
}

/// One operation of an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `enqueue`, or `enqueue_weighted` where the weight is above 1.
    Enqueue(u8),
    /// `enter`, or `enter_weighted`.
    Enter(u8),
    /// `poll_release` with a counting waker.
    Poll(Who),
    /// `status`: from then on the waiter is told.
    Status(Who),
    /// `position`, `estimate` and `peek`: they tell nothing.
    Look(Who),
    /// Drops a waiter.
    Drop(Who),
    /// `give_back`.
    GiveBack(Who),
    /// A driver's call.
    Advance,
    /// A driver's call, which sleeps afterwards.
    AdvanceWith,
    /// `try_acquire`.
    TryAcquire,
    /// `grant`.
    Grant,
    /// `set_rate` to this rate of the configuration.
    SetRate(u8),
    /// `hold_until` so many ticks from now.
    Hold(u16),
    /// `resume`.
    Resume,
    /// `charge`.
    Charge(u8),
    /// `refund`.
    Refund(u8),
    /// `close`.
    Close,
    /// `drain`.
    Drain,
    /// The clock goes forward.
    Tick(u32),
    /// `advance` by a clock that reads so far off, at all its readings (0) or at the one of this number.
    Glitch {
        /// How far off.
        by: i32,
        /// Which reading.
        reading: u8,
    },
}

impl Op {
    /// Whether it moves only the clock, so that there is nothing to stop in.
    #[must_use]
    pub fn is_clock(self) -> bool {
        matches!(self, Self::Tick(_))
    }

    /// Whether the clock is wrong during it.
    #[must_use]
    pub fn is_wrong(self) -> bool {
        matches!(self, Self::Glitch { .. })
    }

    /// Whether a permit that was released before it may not be given back any more.
    #[must_use]
    pub fn disturbs(self) -> bool {
        !matches!(
            self,
            Self::Enqueue(_)
                | Self::Poll(_)
                | Self::Status(_)
                | Self::Look(_)
                | Self::Drop(_)
                | Self::Tick(_)
        )
    }

    /// Whether it takes a place, if there is one.
    #[must_use]
    pub fn joins(self) -> bool {
        matches!(self, Self::Enqueue(_) | Self::Enter(_))
    }

    /// Whether a place is taken as long as it stands still.
    #[must_use]
    pub fn has_place(self) -> bool {
        self.joins() || matches!(self, Self::Drop(_))
    }

    /// Whether it may claim the schedule's word. Each claim that another one is still in may cost a tick.
    #[must_use]
    pub fn claims(self) -> bool {
        matches!(
            self,
            Self::SetRate(_)
                | Self::Charge(_)
                | Self::Refund(_)
                | Self::GiveBack(_)
                | Self::Drop(_)
        )
    }

    /// Whether it makes or follows a turn of the queue, so that a release begun before it is complete after it.
    #[must_use]
    pub fn completes(self) -> bool {
        matches!(
            self,
            Self::Enter(_)
                | Self::Advance
                | Self::AdvanceWith
                | Self::TryAcquire
                | Self::Grant
                | Self::SetRate(_)
                | Self::Close
        )
    }

    /// Whether it may stand still in the middle of a release that it has begun.
    #[must_use]
    pub fn begins(self) -> bool {
        matches!(
            self,
            Self::Advance | Self::AdvanceWith | Self::Enter(_) | Self::Grant | Self::Glitch { .. }
        )
    }

    /// Whether it can make somebody due sooner than the driver knows, so that it tells the driver at its end.
    #[must_use]
    pub fn tells(self) -> bool {
        matches!(self, Self::SetRate(_) | Self::Resume | Self::Refund(_))
    }
}
