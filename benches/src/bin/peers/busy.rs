//! Other processes that leave the machine no idle core: of this very program, as long as somebody holds them.

use std::process::{Child, Command, Stdio, exit};
use std::{env, hint};

/// Tells a process what it is here for: by the id of the one that started it.
const FOR: &str = "APIQUEUE_BENCHES_BUSY_FOR";

pub(crate) struct Busy([Child; 2]);

impl Busy {
    /// Two of them.
    pub(crate) fn start() -> Self {
        Self([(), ()].map(|()| {
            Command::new(env::current_exe().unwrap())
                .env(FOR, std::process::id().to_string())
                .stdin(Stdio::null())
                .spawn()
                .unwrap()
        }))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Does not come back where this process is one of those: it is busy until its parent is gone.
pub(crate) fn or_go_on() {
    let Ok(parent) = env::var(FOR) else { return };
    while std::os::unix::process::parent_id().to_string() == parent {
        for _ in 0..10_000_000 {
            hint::spin_loop();
        }
    }
    exit(0);
}
