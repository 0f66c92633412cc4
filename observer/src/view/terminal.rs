//! The user's terminal: taken over while the view runs, and given back whatever happens.

use std::io::{self, Stdout, stdout};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use crossterm::cursor::Show;
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

/// The terminal while the view has it.
pub type LiveTerminal = Terminal<CrosstermBackend<Stdout>>;

/// Whether the terminal is taken. It is given back once: leaving the alternate screen a second time would move the
/// cursor over what has been written since, and that is the message of a panic.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Gives the terminal back when dropped.
#[derive(Debug)]
#[must_use = "the terminal is given back when this is dropped"]
pub struct Guard(());

/// Takes over the terminal: raw mode, the alternate screen. Called once, by the thread that draws.
///
/// # Errors
///
/// When standard output is no terminal that can do it; it is then as it was.
pub fn take() -> anyhow::Result<(Guard, LiveTerminal)> {
    TAKEN.store(true, Ordering::SeqCst);
    let guard = Guard(());
    let enter = || -> io::Result<LiveTerminal> {
        enable_raw_mode()?;
        execute!(stdout(), EnterAlternateScreen)?;
        Terminal::new(CrosstermBackend::new(stdout()))
    };
    let terminal = enter().context("taking over the terminal (--plain does without it)")?;
    Ok((guard, terminal))
}

impl Drop for Guard {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back, where it was taken. One that is gone cannot be restored, and nobody sees it: errors say
/// nothing here.
pub(crate) fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}
