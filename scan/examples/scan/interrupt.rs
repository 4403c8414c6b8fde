//! The end of a run, however it comes about: everybody who sleeps does it in a way that wakes up for it.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a shell says of a program that Ctrl-C has ended.
pub(crate) const EXIT_CODE: u8 = 130;

/// Raised once: the run is done, has failed, or is not wanted any more.
#[derive(Default)]
pub(crate) struct End {
    raised: Mutex<bool>,
    changed: Condvar,
}

impl End {
    pub(crate) fn raise(&self) {
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    pub(crate) fn is_raised(&self) -> bool {
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps, but not past the end. Tells whether it has come.
    pub(crate) fn sleep(&self, duration: Duration) -> bool {
        let raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        let (raised, _) = self
            .changed
            .wait_timeout_while(raised, duration, |raised| !*raised)
            .unwrap_or_else(PoisonError::into_inner);
        *raised
    }
}

/// Ctrl-C: the first ends the run softly, the second ends the process.
#[derive(Clone, Default)]
pub(crate) struct Interrupt(Arc<Pressed>);

#[derive(Default)]
struct Pressed {
    once: AtomicBool,
    current: Mutex<Option<Arc<End>>>,
}

impl Interrupt {
    pub(crate) fn listen() -> Result<Self, ctrlc::Error> {
        let interrupt = Self::default();
        let pressed = interrupt.0.clone();
        ctrlc::set_handler(move || {
            if pressed.once.swap(true, Ordering::SeqCst) {
                process::exit(EXIT_CODE.into());
            }
            if let Some(end) = &*pressed.current() {
                end.raise();
            }
        })?;
        Ok(interrupt)
    }

    /// The end of the run that begins now, in place of the one before.
    pub(crate) fn next_end(&self) -> Arc<End> {
        let end = Arc::new(End::default());
        *self.0.current() = Some(end.clone());
        // Pressed before there was anybody to tell.
        if self.is_pressed() {
            end.raise();
        }
        end
    }

    pub(crate) fn is_pressed(&self) -> bool {
        self.0.once.load(Ordering::SeqCst)
    }
}

impl Pressed {
    fn current(&self) -> MutexGuard<'_, Option<Arc<End>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
