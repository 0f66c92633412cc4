//! Who hears what happens, besides the log and the one who is shown it.

use observer_core::{ConnectionId, Event, Finding, Tracker};

use crate::log;

/// Hears everything before the [`Output`](crate::output::Output) does, and must not keep it waiting.
pub trait Listener {
    /// An event happened; `tracker` knows it already, and has said which connection it is `about`.
    fn event(&mut self, _event: &Event, _about: Option<ConnectionId>, _tracker: &Tracker) {}

    /// Something was found.
    fn finding(&mut self, _finding: &Finding, _tracker: &Tracker) {}

    /// How the writing of the log goes, after every chance for it to change.
    fn log_status(&mut self, _status: &log::Status) {}
}

/// All that hear.
pub type Listeners = Vec<Box<dyn Listener>>;
