//! [`Claim`]: among how many hosts the rate is divided while the backend can't say who may go.
//!
//! A host may count on one part of as many as there are hosts, and the parts of all hosts must not be more than the whole, although
//! each of them was told a number at another time. So a number counts only
//!
//! * if it was told by a state of the backend that this host has asked for twice the *contact time*, never more than that time apart: by
//!   then each host that asks has been counted, and whoever comes later can't have a number of his own yet;
//! * for as long as the host is answered within the contact time, and for that time after the last answer: a host that was not there for
//!   longer can't know who has come meanwhile.
//!
//! The number outlives states that the backend loses: what other states tell before they count can only raise it. A backend's clock that has
//! stepped makes a state that has to be asked anew, as it has forgotten who was there.
//!
//! Why the parts of those who have a number at a time when the backend is gone are no more than the whole: take the one of them who came
//! last to have a number of the latest state that gave one to any of them. All others were in contact during the two contact times before,
//! so that state has counted them all when it told it, and each of them was told by that state, within one contact time of then,
//! how many there were.

/// See the head of this page. Microseconds of the host's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Claim {
    /// The hosts, this one included.
    hosts: Option<u32>,
    /// The state that answered last, and its clock less this host's, wrapping.
    state: Option<(u64, u64)>,
    /// Since when that state was asked.
    since: u64,
    /// When the last call was made that was answered.
    heard: u64,
}

impl Claim {
    /// An answer to a call made at `asked`: by the state `born`, whose clock was `ahead` of this host's, and which had seen `hosts`.
    pub(crate) fn hears(&mut self, asked: u64, contact: u64, born: u64, ahead: u64, hosts: u32) {
        if asked > self.heard.saturating_add(contact) {
            self.hosts = None;
            self.state = None;
        }
        let same = self.state.is_some_and(|(before, was_ahead)| {
            let step = ahead.wrapping_sub(was_ahead).cast_signed().unsigned_abs();
            before == born && step <= contact / 2
        });
        if !same {
            self.since = asked;
        }
        self.state = Some((born, ahead));
        self.heard = asked;
        self.hosts = if asked - self.since.min(asked) >= 2 * contact {
            Some(hosts)
        } else {
            self.hosts.map(|before| before.max(hosts))
        };
    }

    /// Among how many hosts, where that is known at `now`.
    pub(crate) fn hosts(&self, now: u64, contact: u64) -> Option<u32> {
        self.hosts
            .filter(|_| now <= self.heard.saturating_add(contact))
    }
}
