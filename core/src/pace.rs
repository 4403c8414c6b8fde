//! The [`Schedule`] in atomic words: `last`, `hold`, and two banks for the [`Rate`]. Their bits are on the page of `layout`.
//!
//! `last` is changed in four ways, each by one compare-and-swap from the word that was looked at:
//! * by who passes an empty line, while it is `OPEN`: see `lane`.
//! * under a turn that the queue has taken (see `head`): by whoever took it and by all who help it along. `TURN` tells them
//!   whether that was done already: it equals the turn's own bit until then.
//! * for a hold that is over, or a long pause: without a turn; a release under way then starts over.
//! * for a charge, a refund, a permit given back or a change of rate: by a claim, below.
//!
//! Only `TAKING`, under its turn, opens the word, and passing keeps it so; all else shuts it.
//!
//! Each use of a permit moves the stamp forward, and putting one back is a tick short, so that a word does not come back while
//! a thread is suspended between its load and its swap under a turn.
//!
//! # A claim
//!
//! By changes of rate a stamp can come back, by a clock that stands even at once. Whoever makes one, or puts permits back or
//! charges them, therefore claims the word first: `CLAIMED` is set. A claim ends as soon as anything else changes `last`. What
//! uses a permit, or is late, moves the stamp on; all else adds a tick to what it makes of another's claim, so that a claimed
//! word never comes back. (But by a coincidence of ticks, where more is put back than was used.) A thread that stops with a claim
//! has changed nothing.
//!
//! Who puts back or charges goes by anybody's claim, and ends it: of those who do, one always gets through. Who changes the rate
//! needs a claim of his own, as only one may write the idle bank: he adds a tick to that of another, who starts over.
//!
//! Who records a long pause, or a late driver, does not claim. If it stands still between its look and its swap, and two changes
//! of rate lead to the very stamp that it saw, its swap moves the stamp on by the rate of then: what was in hand is lost, so
//! that the next release can come up to an interval late. Never early, and nothing is owed.
//!
//! # A change of rate
//!
//! The stamp and the setting that it is meant by change as one, since `BANK`, in the same word as the stamp, says which of the
//! two banks is in force. The other one is free to be written:
//!
//! ```text
//!   claim    last: CLAIMED set
//!            (the head is bumped: no decision by an older look takes effect from here on)
//!   write    idle bank: interval, burst   each from the word seen before another look at the claim
//!   commit   last: claimed → converted, BANK flipped
//! ```
//!
//! Every write to a bank counts up the tag in its word, so that a late write of somebody whose claim is gone finds another word
//! than it saw. So a bank that is in force holds what the one who committed wrote, whole.

use crate::atomic::const_unless_loom;
use crate::catch_up::CatchUp;
use crate::clock::{Word, atom, private::Atom};
use crate::layout::UNTOLD;
use crate::layout::last::{BANK, CLAIMED, OPEN, SHUT, STATE, TURN, WAITED};
use crate::rate::{Rate, strict};
use crate::schedule::Schedule;
use crate::stamp::{held, stamp, unmarked};

#[derive(Debug)]
pub(crate) struct Pace<W: Word> {
    last: W::Atom,
    hold: W::Atom,
    banks: [Setting<W>; 2],
    /// See [`Schedule`].
    pub(crate) catch_up: CatchUp<W>,
}

/// One bank.
#[derive(Debug)]
struct Setting<W: Word> {
    interval: W::Atom,
    burst: W::Atom,
}

/// The schedule as it was at some moment, with the word of `last` that it was read from.
pub(crate) struct View<W: Word> {
    word: W,
    pub(crate) schedule: Schedule<W>,
}

impl<W: Word> View<W> {
    /// The turn for which `last` was changed most recently.
    #[inline]
    pub(crate) fn turn(&self) -> u8 {
        self.word.low() & TURN
    }

    /// Whether the state is this one. Without `WAITED`, which has the bits of both others, one bit tells.
    fn is_in(&self, state: u8) -> bool {
        if cfg!(feature = "catch-up") {
            self.word.low() & STATE == state
        } else {
            self.word.low() & state != 0
        }
    }

    fn is_claimed(&self) -> bool {
        self.is_in(CLAIMED) && unmarked(self.word) != W::ZERO
    }

    /// Whether a permit may be taken without a turn, where nobody is in line.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.is_in(OPEN)
    }

    /// Whether `last` has not been moved since `word` was written, nor the rate changed. A claim moves nothing.
    pub(crate) fn is_as_in(&self, word: W) -> bool {
        self.schedule.last == unmarked(word) && (self.word.low() ^ word.low()) & (TURN | BANK) == 0
    }
}

/// The right to change `last` by the rate in force, as long as `last` is the word of this view. The schedule is as it was before
/// the claim.
pub(crate) struct Claim<W: Word> {
    pub(crate) view: View<W>,
    /// A reading from before the claim, or, where it is another's, from before it ends.
    pub(crate) before: W,
    /// A tick, where somebody else had claimed the word: see `commit`.
    late: W,
}

impl<W: Word> Pace<W> {
    const_unless_loom! {
    pub(crate) const fn new(rate: Rate<W>) -> Self {
        Self {
            last: atom(W::FRESH),
            hold: atom(W::ZERO),
            banks: [Setting::new(rate), Setting::new(rate)],
            catch_up: CatchUp::TENTH,
        }
    }
    }

    /// Whether lateness is made up for a time that was told.
    #[inline]
    pub(crate) fn catches_up(&self) -> bool {
        self.catch_up.ticks().is_some()
    }

    /// The present schedule. The words are read one by one; that they belonged together is known when a compare-and-swap of
    /// the head, or of `last`, from the word loaded before succeeds.
    #[cfg_attr(target_os = "none", inline(never))]
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn view(&self) -> View<W> {
        // Ordering: Acquire: the bank in force, and the turn under which the word was written, are read from after it.
        let word = self.last.load();
        // Ordering: Acquire, so that a lifted hold is seen together with the mark that it left in `last`, by whoever
        // then fails to change `last`.
        let hold = self.hold.load();
        let [first, second] = &self.banks;
        let bank = if word.low() & BANK == 0 {
            first
        } else {
            second
        };
        let stamp = unmarked(word);
        let state = word.low() & STATE;
        let last = if stamp.with_low(state) == W::FRESH {
            W::FRESH
        } else {
            stamp
        };
        // Ordering: Acquire on both, though the load of `last` has ordered what its writer stored: one kind of load all over.
        let rate = Rate {
            interval: bank.interval.load(),
            burst: bank.burst.load(),
        };
        let schedule = Schedule {
            rate,
            last,
            hold,
            // Who has claimed a word may have taken that mark off it: it is not lost by that.
            catch_up: if cfg!(feature = "catch-up") {
                let has_waited = last != W::FRESH && state & CLAIMED != 0;
                self.catch_up.waited(has_waited)
            } else {
                self.catch_up
            },
        };
        View { word, schedule }
    }

    /// Changes `last` for a turn, whose mark it flips, to this state. The new word; none when it has changed meanwhile.
    #[cfg_attr(target_os = "none", inline(always))]
    pub(crate) fn turn_over(&self, view: &View<W>, last: W, state: u8) -> Option<W> {
        let to = last.with_low((view.word.low() ^ TURN) & (TURN | BANK) | state);
        self.swap(view.word, to).then_some(to)
    }

    /// Changes `last`, which is open, without a turn. The new word; none when it has changed meanwhile.
    #[inline]
    pub(crate) fn pass(&self, view: &View<W>, last: W) -> Option<W> {
        let to = last.with_low(view.word.low() & (TURN | BANK) | OPEN);
        self.swap(view.word, to).then_some(to)
    }

    /// Nobody is in line: who comes now has not waited. Whether that is so already; else look again.
    #[inline]
    pub(crate) fn is_at_rest(&self) -> bool {
        let is_waited = self.catches_up() && self.last.load().low() & STATE == WAITED;
        if is_waited {
            let mut view = self.view();
            view.schedule.catch_up = self.catch_up;
            self.adjust(&view, view.schedule.last);
        }
        !is_waited
    }

    /// Shuts `last` for good, as far as those are concerned who have opened it by now.
    #[cold]
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn shut(&self) {
        loop {
            let view = self.view();
            if !view.is_open() || self.adjust(&view, view.schedule.last) {
                return;
            }
        }
    }

    /// Moves `last` without a turn. False when it has changed meanwhile.
    pub(crate) fn adjust(&self, view: &View<W>, last: W) -> bool {
        self.replace(view, last, 0)
    }

    /// Whether the view is still what there is.
    pub(crate) fn is_current(&self, view: &View<W>) -> bool {
        // Ordering: Acquire, after all loads of the view.
        self.last.load() == view.word
    }

    /// Ends a hold that is over, and moves an old stamp on before it wraps. Says whether there was anything to do; then look
    /// again.
    pub(crate) fn tidy(&self, view: &View<W>, now: W) -> bool {
        let now = stamp(now);
        let mut schedule = view.schedule;
        if schedule.lift(now) {
            // Swapped also where the stamp is late enough, so that an older one takes no hold off, and nobody who has claimed
            // the word before it goes on by what was in hand then: a tick later, so that the claim's word never comes back.
            let late = if view.is_claimed() { W::TICK } else { W::ZERO };
            if self.adjust(view, schedule.last.plus(late)) {
                // Ordering: Release, so that who sees the hold gone sees `last` moved. A hold set meanwhile differs in
                // its stamp and stays.
                let _ = self.swap_hold(view.schedule.hold, W::ZERO);
            }
            return true;
        }
        if schedule.is_stale(now)
            && let Some(last) = schedule.caught_up(now)
        {
            self.adjust(view, last);
            return true;
        }
        false
    }

    /// The stamp becomes another one, and the marks but for `flipped` stay: short of a claim, which is over, and open, which is
    /// shut.
    fn replace(&self, view: &View<W>, last: W, flipped: u8) -> bool {
        let state = if view.schedule.catch_up.has_waited() {
            WAITED
        } else {
            SHUT
        };
        let to = last.with_low((view.word.low() ^ flipped) & (TURN | BANK) | state);
        self.swap(view.word, to)
    }

    fn swap(&self, from: W, to: W) -> bool {
        // Ordering: Release, so that who loads the new word has the turn under which it was written in its past, and the bank
        // that it names; Acquire so that the chain of writers is one of happens-before.
        self.last.compare_exchange(from, to).is_ok()
    }

    /// The rate in force: both its words of one moment.
    pub(crate) fn rate(&self) -> Rate<W> {
        loop {
            let view = self.view();
            let rate = view.schedule.rate;
            // The bank is written only while it is idle, the interval first, and
            // each write counts up a tag: so if both words are the same still, what was loaded in between was in force.
            if self.is_current(&view) && self.view().schedule.rate.interval == rate.interval {
                return rate.untagged();
            }
        }
    }

    /// Claims `last`, or goes by the claim of another, but where the claim has to be `mine`: then it is of the idle bank too.
    /// None when `last` has changed meanwhile.
    pub(crate) fn claim(&self, view: &View<W>, now: W, mine: bool) -> Option<Claim<W>> {
        let before = match view.schedule.last() {
            Some(last) => last,
            // Nothing was ever used: as of now, that is a stamp with the whole burst in hand.
            None => view.schedule.caught_up(stamp(now))?,
        };
        let late = if view.is_claimed() { W::TICK } else { W::ZERO };
        let mut word = view.word;
        if mine || late == W::ZERO {
            let mut claimed = before.plus(late);
            if claimed == W::ZERO {
                claimed = W::TICK;
            }
            word = claimed.with_low(view.word.low() & (TURN | BANK) | CLAIMED);
            if !self.swap(view.word, word) {
                return None;
            }
        }
        // Looked at once more, as a word of `last` can come back by changes there and back, and only a claim can't: if this is
        // the claim's word still when it is swapped, then the bank is the one in force.
        let mut claim = Claim {
            view: self.view(),
            before: now,
            late,
        };
        claim.view.schedule.last = before;
        claim.view.schedule.catch_up = view.schedule.catch_up;
        if claim.view.word == word {
            Some(claim)
        } else {
            None
        }
    }

    /// Ends a claim by moving `last`; a tick later where somebody had claimed before. False when the claim is gone.
    pub(crate) fn settle(&self, claim: &Claim<W>, last: W) -> bool {
        self.replace(&claim.view, last.plus(claim.late), 0)
    }

    /// Writes `rate` to the idle bank. False when the claim is gone.
    pub(crate) fn write(&self, claim: &Claim<W>, rate: Rate<W>) -> bool {
        let [first, second] = &self.banks;
        let is_first_in_force = claim.view.word.low() & BANK == 0;
        let idle = if is_first_in_force { second } else { first };
        self.put(claim, &idle.interval, rate.interval) && self.put(claim, &idle.burst, rate.burst)
    }

    fn put(&self, claim: &Claim<W>, to: &W::Atom, value: W) -> bool {
        loop {
            // Ordering: Acquire, before the look at the claim: if this word is of somebody who claimed later, its writer's
            // claim is seen there.
            let seen = to.load();
            if self.last.load() != claim.view.word {
                return false;
            }
            let tag = seen.low().wrapping_add(1) & (strict::<W>() as u8).wrapping_sub(1);
            // Ordering: Release is for those who find an older word of this bank in force no more and look again; the commit
            // is what publishes it.
            if to.compare_exchange(seen, value.with_low(tag)).is_ok() {
                return true;
            }
        }
    }

    /// Brings the bank that was written into force, as of `now`, a reading taken after the view of the claim. Says whether
    /// somebody can be due sooner by it, of whatever weight; none when the claim is gone.
    ///
    /// Where somebody had claimed before, that one's word must not come back while it is suspended, not even by changes there
    /// and back: the stamp is a tick later than it might be, and conversions never make it earlier again.
    pub(crate) fn commit(&self, claim: &Claim<W>, rate: Rate<W>, now: W) -> Option<bool> {
        let before = &claim.view.schedule;
        let last = before.converted(stamp(now), rate).plus(claim.late);
        let after = Schedule {
            rate,
            last,
            ..*before
        };
        let is_sooner = after.is_sooner_than(before);
        if is_sooner {
            // Before it comes into force, so that nobody who finds it in force can miss that the driver may not know of it.
            self.mark_untold();
        }
        self.replace(&claim.view, last, BANK).then_some(is_sooner)
    }

    /// Whether the driver may not know of a faster rate, or of the end of a hold.
    pub(crate) fn is_untold(&self) -> bool {
        self.hold.load().low() & UNTOLD != 0
    }

    fn mark_untold(&self) {
        loop {
            let hold = self.hold.load();
            if hold.low() & UNTOLD != 0
                || self
                    .hold
                    .compare_exchange(hold, hold.with_low(UNTOLD))
                    .is_ok()
            {
                return;
            }
        }
    }

    /// The driver, whose waker is in its place, is about to look.
    pub(crate) fn driver_looks(&self) {
        loop {
            let hold = self.hold.load();
            if hold.low() & UNTOLD == 0
                || self
                    .hold
                    .compare_exchange(hold, hold.minus(W::ZERO.with_low(UNTOLD)))
                    .is_ok()
            {
                return;
            }
        }
    }

    /// Another hold, the mark beside it kept. False when it has changed meanwhile.
    fn swap_hold(&self, from: W, to: W) -> bool {
        // Ordering: AcqRel: changes of the hold form one chain; the head's bump afterwards publishes it.
        let to = to.with_low(from.low() & UNTOLD);
        self.hold.compare_exchange(from, to).is_ok()
    }

    /// Extends the hold to `until`, if it is not as long. One that is over by `now` is taken off before: it has spent the burst.
    pub(crate) fn hold_until(&self, until: W, now: W) {
        let until = stamp(until);
        loop {
            let view = self.view();
            let hold = view.schedule.hold;
            if self.tidy(&view, now) {
                continue;
            }
            if !view.schedule.extends_hold(until) || self.swap_hold(hold, held(until)) {
                return;
            }
        }
    }

    /// Cuts the hold off now, if there is one. Says whether there was. The driver does not know of it yet.
    pub(crate) fn resume(&self, now: impl Fn() -> W) -> bool {
        loop {
            let View { schedule, .. } = self.view();
            // Read after the hold was seen: a hold set later must not end before it began.
            let now = stamp(now());
            if !schedule.cuts_hold(now) {
                return false;
            }
            if self.swap_hold(schedule.hold, held(now).with_low(UNTOLD)) {
                return true;
            }
        }
    }
}

impl<W: Word> Setting<W> {
    const_unless_loom! {
    const fn new(rate: Rate<W>) -> Self {
        Self {
            interval: atom(rate.interval),
            burst: atom(rate.burst),
        }
    }
    }
}
