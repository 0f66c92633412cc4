//! The user's terminal: taken over while the view runs, and given back whatever happens.

use std::io::Stdout;

use anyhow::Context as _;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

/// The terminal while the view has it.
pub type LiveTerminal = Terminal<CrosstermBackend<Stdout>>;

/// Gives the terminal back when dropped. A panic gives it back too, before it prints its message.
#[derive(Debug)]
#[must_use = "the terminal is given back when this is dropped"]
pub struct Guard(());

/// Takes over the terminal: raw mode, the alternate screen.
///
/// # Errors
///
/// When standard output is no terminal that can do it.
pub fn take() -> anyhow::Result<(Guard, LiveTerminal)> {
    // Made first: what was done of a take-over that failed half-way is undone.
    let guard = Guard(());
    let terminal = ratatui::try_init().context("taking over the terminal (--plain does without it)")?;
    Ok((guard, terminal))
}

impl Drop for Guard {
    fn drop(&mut self) {
        // A terminal that is gone cannot be restored, and nobody sees it.
        let _ = ratatui::try_restore();
    }
}
