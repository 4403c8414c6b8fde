//! [`Calls`]: the call to the backend that is under way.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use super::Member;
use crate::backend::{Answer, Backend, BackendError, Call, Reply};
use crate::guarded::{guarded, lock};

/// Whom to call, and about which limit.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) limit: String,
}

impl Caller {
    /// The call as a future that lives as long as it is kept.
    fn make(self: &Arc<Self>, call: Call) -> Answer<'static, Reply> {
        let caller = Arc::clone(self);
        Box::pin(async move { caller.backend.call(&caller.limit, call).await })
    }
}

/// The call under way, by its number. Only whoever has taken it out of its place polls and drops it, under no lock: it is user code.
#[derive(Default)]
pub(super) struct Calls {
    under_way: Option<(u64, Answer<'static, Reply>)>,
}

impl Calls {
    pub(super) fn begin(&mut self, caller: &Arc<Caller>, id: u64, call: Call) {
        self.drop_it();
        self.under_way = Some((id, caller.make(call)));
    }

    pub(super) fn are_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Looks whether it was answered, and leaves `waker` there, whoever's was left before.
    pub(super) fn poll(&mut self, member: &Member, waker: &Waker) {
        let Some((id, answer)) = &mut self.under_way else {
            return;
        };
        let id = *id;
        let in_flight = member.with_state(|state| state.host.in_flight()).flatten();
        if in_flight == Some(id) {
            let mut context = Context::from_waker(waker);
            let answer = match guarded(|| answer.as_mut().poll(&mut context)) {
                Some(Poll::Pending) => return,
                Some(Poll::Ready(answer)) => answer,
                None => Err(BackendError::Refused("it panicked".to_owned())),
            };
            let arrival = member.times.arrival();
            member.with_state(|state| state.host.answered(arrival, id, answer));
        }
        // Or it is not waited for any more.
        self.drop_it();
    }

    fn drop_it(&mut self) {
        let before = self.under_way.take();
        guarded(|| drop(before));
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        self.drop_it();
    }
}

/// The place of [`Calls`]: empty while a driver has them.
pub(super) type Place = Mutex<Option<Calls>>;

/// A driver has them: others who come meanwhile have to come back. So does one that is called by what the first one wakes.
pub(super) struct Taken<'a> {
    place: &'a Place,
    process: u32,
    pub(super) calls: Calls,
}

impl<'a> Taken<'a> {
    pub(super) fn from(place: &'a Place, process: u32) -> Option<Self> {
        let calls = lock(place, process)?.take()?;
        Some(Self {
            place,
            process,
            calls,
        })
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(mut place) = lock(self.place, self.process) {
            *place = Some(std::mem::take(&mut self.calls));
        }
    }
}
