//! The user's terminal: taken over while the view runs, and given back whatever happens.

use std::fmt;
use std::io::{self, Stdout, stdout};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use crossterm::cursor::Show;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{Command, execute};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

/// What the view draws with.
pub type LiveBackend = CrosstermBackend<Stdout>;

/// Whether the terminal is taken. It is given back once: leaving the alternate screen a second time would move the
/// cursor over what has been written since, and that is the message of a panic.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Whether the mouse is taken with it.
static WITH_MOUSE: AtomicBool = AtomicBool::new(false);

/// Presses of the mouse's buttons and the wheel are input, or no longer: 1000 asks for them, 1006 for a form that knows
/// places beyond column 223 (XTerm Control Sequences, Mouse Tracking). crossterm's own command asks for every motion too,
/// which would wake the program for nothing.
struct Mouse(bool);

impl Command for Mouse {
    fn write_ansi(&self, f: &mut impl fmt::Write) -> fmt::Result {
        f.write_str(if self.0 { "\x1b[?1000h\x1b[?1006h" } else { "\x1b[?1006l\x1b[?1000l" })
    }
}

/// Gives the terminal back when dropped.
#[derive(Debug)]
#[must_use = "the terminal is given back when this is dropped"]
pub struct Guard(());

/// Takes over the terminal: raw mode, the alternate screen, and the mouse if it is wanted. Called once, by the thread
/// that draws.
///
/// # Errors
///
/// When standard output is no terminal that can do it; it is then as it was.
pub fn take(with_mouse: bool) -> anyhow::Result<(Guard, Terminal<LiveBackend>)> {
    WITH_MOUSE.store(with_mouse, Ordering::SeqCst);
    let guard = Guard(());
    let terminal = enter().and_then(|()| Terminal::new(CrosstermBackend::new(stdout())));
    let terminal = terminal.context("taking over the terminal (--plain does without it)")?;
    Ok((guard, terminal))
}

fn enter() -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen)?;
    if WITH_MOUSE.load(Ordering::SeqCst) {
        execute!(stdout(), Mouse(true))?;
    }
    Ok(())
}

impl Drop for Guard {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back, where it was taken; whether it was. One that is gone cannot be restored, and nobody sees it:
/// errors say nothing here.
pub(crate) fn give_back() -> bool {
    let taken = TAKEN.swap(false, Ordering::SeqCst);
    if taken {
        if WITH_MOUSE.load(Ordering::SeqCst) {
            let _ = execute!(stdout(), Mouse(false));
        }
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
    taken
}

/// Gives the terminal back to the shell that the program was started from and stops until that lets it go on (`fg`);
/// then takes it again. A view that is drawn elsewhere has nothing to give back, and goes on.
pub(super) fn suspend() {
    if give_back() {
        // The whole group, so that what the program was started with stops too. A group that nobody could let go on is
        // not stopped (POSIX, Terminal Access Control: orphaned process groups).
        let _ = kill(Pid::from_raw(0), Signal::SIGTSTP);
        // If the terminal has gone meanwhile, drawing on it fails and says so.
        let _ = enter();
    }
}
