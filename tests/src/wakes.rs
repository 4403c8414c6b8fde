//! Wakers that write down whom they woke, in order.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// Who was woken, in order.
#[derive(Clone, Debug, Default)]
pub struct Wakes {
    log: Arc<Mutex<Vec<usize>>>,
}

struct Named {
    name: usize,
    wakes: Wakes,
}

impl Wakes {
    /// A waker that writes `name`.
    pub fn waker(&self, name: usize) -> Waker {
        let wakes = self.clone();
        Waker::from(Arc::new(Named { name, wakes }))
    }

    /// Those woken since the last call.
    pub fn take(&self) -> Vec<usize> {
        core::mem::take(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Wake for Named {
    fn wake(self: Arc<Self>) {
        let mut log = self
            .wakes
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        log.push(self.name);
    }
}
