//! What the program's task needs of whatever shows its work.

use std::io;
use std::ops::ControlFlow;

use observer_core::{ConnectionId, Event, Finding, Timestamp, Tracker};

use crate::log;

/// Shows what is observed and found: [`Plain`](crate::plain::Plain) lines or the terminal
/// [`View`](crate::view::View).
pub trait Output {
    /// What the user can do to it.
    type Input;

    /// An event happened; `tracker` knows it already, and has said which connection it is `about`.
    fn event(&mut self, _event: &Event, _about: Option<ConnectionId>, _tracker: &Tracker) {}

    /// Something was found.
    ///
    /// # Errors
    ///
    /// When it cannot be shown: that ends the program.
    fn finding(&mut self, finding: &Finding, tracker: &Tracker) -> anyhow::Result<()>;

    /// How the writing of the log goes, after every chance for it to change.
    fn log_status(&mut self, _status: &log::Status) {}

    /// The user did something; `Break` ends the program.
    fn input(&mut self, input: Self::Input, tracker: &Tracker, now: Timestamp) -> ControlFlow<()>;

    /// When [`draw`](Self::draw) wants to be called; `None` while there is nothing new to see.
    fn next_draw(&self) -> Option<Timestamp> {
        None
    }

    /// Shows the state at `now`.
    ///
    /// # Errors
    ///
    /// When it cannot be shown: that ends the program.
    fn draw(&mut self, _tracker: &Tracker, _now: Timestamp) -> anyhow::Result<()> {
        Ok(())
    }

    /// Whether there is still a use for it when no more events can come.
    fn when_source_ends(&self) -> WhenSourceEnds {
        WhenSourceEnds::End
    }
}

/// What follows from the end of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenSourceEnds {
    /// The program ends.
    End,
    /// The last state is kept for the user to look at.
    Stay,
}

/// Whether an output failed because whoever read it has seen enough, which is no error.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
