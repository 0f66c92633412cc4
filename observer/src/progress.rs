//! Progress of long work, on standard error, where somebody is looking.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Work that is over before this says nothing.
const QUIET: Duration = Duration::from_secs(1);
/// The line changes no more often than this.
const PERIOD: Duration = Duration::from_millis(200);
/// The clock is looked at once in so many steps.
const STEPS: u32 = 4096;

/// A line that says how far the work is, and goes away with it.
#[derive(Debug)]
pub struct Progress {
    /// When the line may change next; `None` where nobody is looking.
    due: Option<Instant>,
    steps: u32,
    shown: bool,
}

impl Progress {
    /// Begins. Where standard error is no terminal it never says anything.
    pub fn begin() -> Self {
        let due = io::stderr().is_terminal().then(|| Instant::now() + QUIET);
        Self { due, steps: 0, shown: false }
    }

    /// One step is done; `text` says how far the work is, safe for a terminal, and is called rarely.
    pub fn step(&mut self, text: impl FnOnce() -> String) {
        self.steps = self.steps.wrapping_add(1);
        if self.steps % STEPS != 1 {
            return;
        }
        let now = Instant::now();
        if self.due.is_some_and(|due| due <= now) {
            self.due = Some(now + PERIOD);
            self.shown = true;
            // Nobody has to listen. ECMA-48: CR and EL, erase the line.
            let _ = write!(io::stderr(), "\r\x1b[Kobserver: {}", text());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
