//! How far it is, on standard error when that is a terminal.

use std::io::{self, IsTerminal as _};

/// One line that is written again and again; gone when dropped.
pub(crate) struct Progress {
    what: &'static str,
    show: bool,
}

impl Progress {
    /// Starts with a name for what is going on.
    pub(crate) fn new(what: &'static str) -> Self {
        let progress = Self { what, show: io::stderr().is_terminal() };
        progress.say("preparing");
        progress
    }

    /// Shows a step.
    pub(crate) fn say(&self, step: &str) {
        if self.show {
            eprint!("\r\x1b[K{}: {step}", self.what);
        }
    }

    /// Shows that the round `round`, counted from 0, of `rounds` goes on.
    pub(crate) fn round(&self, round: u32, rounds: u32) {
        self.say(&format!("round {} of {rounds}", round + 1));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.show {
            eprint!("\r\x1b[K");
        }
    }
}
