//! [`Granted`]: turns on their way from before the signature to the HTTP client, and that there is no limit.
//!
//! A turn belongs to the identity that its attempt is signed with, which the SDK drops with the attempt or the operation. So a turn
//! whose attempt dies on the way ends with it, and its permit is given back. Here are only weak references, by which the HTTP client
//! finds the turn of a request that has come so far.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use apiqueue::Turn;
use aws_runtime::invocation_id::InvocationId;

/// By the id that the SDK gives to an operation. Attempts of one operation come one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Granted {
    on_the_way: Arc<Mutex<Vec<OnTheWay>>>,
}

#[derive(Debug)]
struct OnTheWay {
    id: InvocationId,
    slot: Weak<Slot>,
}

impl Granted {
    /// Lets the HTTP client find what is in `slot`.
    pub(crate) fn put(&self, id: InvocationId, slot: &Arc<Slot>) {
        let mut on_the_way = lock(&self.on_the_way);
        on_the_way.retain(|it| it.slot.strong_count() > 0);
        on_the_way.push(OnTheWay {
            id,
            slot: Arc::downgrade(slot),
        });
    }

    /// What the attempt of that id has been granted, once.
    pub(crate) fn take(&self, id: &InvocationId) -> Option<Pass> {
        loop {
            let slot = {
                let mut on_the_way = lock(&self.on_the_way);
                let at = on_the_way.iter().position(|it| it.id == *id)?;
                on_the_way.swap_remove(at).slot
            };
            // No turn is taken or dropped under the list's lock, since that may wake others.
            if let Some(pass) = slot.upgrade().and_then(|slot| slot.take()) {
                return Some(pass);
            }
        }
    }
}

/// With what an attempt may be sent.
pub(crate) enum Pass {
    Turn(Turn<'static>),
    /// It is not limited.
    Free,
}

impl Pass {
    /// It will not be sent after all.
    pub(crate) fn give_back(self) {
        if let Self::Turn(turn) = self {
            turn.give_back();
        }
    }
}

/// Where a pass is on its way.
#[derive(Default)]
pub(crate) struct Slot {
    pass: Mutex<Option<Pass>>,
}

impl Slot {
    pub(crate) fn put(&self, pass: Pass) {
        *lock(&self.pass) = Some(pass);
    }

    fn take(&self) -> Option<Pass> {
        lock(&self.pass).take()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(pass) = self.take() {
            pass.give_back();
        }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

/// What is behind these locks is whole at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use apiqueue::ApiQueue;

    use super::*;

    /// One permit, and the next in an hour.
    fn queue() -> ApiQueue {
        let builder = ApiQueue::builder().every(Duration::from_secs(3600));
        builder.at_once(1).start().unwrap()
    }

    fn id(text: &str) -> InvocationId {
        InvocationId::new(text.to_owned())
    }

    fn full(queue: &ApiQueue) -> Arc<Slot> {
        let slot = Arc::new(Slot::default());
        slot.put(Pass::Turn(queue.enqueue().unwrap().wait().unwrap()));
        slot
    }

    #[test]
    fn a_turn_is_found_once_and_by_its_own_id() {
        let (granted, queue) = (Granted::default(), queue());
        let slot = full(&queue);
        granted.put(id("one"), &slot);
        assert!(granted.take(&id("other")).is_none());
        assert!(granted.take(&id("one")).is_some());
        assert!(granted.take(&id("one")).is_none());
        drop(slot);
        assert_eq!(queue.stats().given_back, 0, "it was used");
    }

    #[test]
    fn a_turn_whose_attempt_dies_is_given_back_and_its_call_is_over() {
        let (granted, queue) = (Granted::default(), queue());
        let slot = full(&queue);
        granted.put(id("one"), &slot);
        assert_eq!(queue.under_way(), 1);
        drop(slot);
        assert_eq!((queue.under_way(), queue.stats().given_back), (0, 1));
        assert!(granted.take(&id("one")).is_none());
        assert!(queue.try_acquire().is_ok(), "not in an hour");
    }

    #[test]
    fn the_list_keeps_nothing_of_dead_attempts() {
        let (granted, queue) = (Granted::default(), queue());
        for n in 0..1_000 {
            granted.put(id(&n.to_string()), &full(&queue));
        }
        let last = full(&queue);
        granted.put(id("last"), &last);
        assert_eq!(lock(&granted.on_the_way).len(), 1);
    }

    #[test]
    fn of_two_with_one_id_each_is_found() {
        let builder = ApiQueue::builder().per_second(1_000).burst(2);
        let (granted, queue) = (Granted::default(), builder.start().unwrap());
        let slots = [full(&queue), full(&queue)];
        for slot in &slots {
            granted.put(id("same"), slot);
        }
        assert!(granted.take(&id("same")).is_some());
        assert!(granted.take(&id("same")).is_some());
        assert!(granted.take(&id("same")).is_none());
    }
}
