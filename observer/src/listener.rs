//! Who hears what happens, besides the log and the one who is shown it.

use observer_core::{ConnectionId, Event, Finding, Tracker};

/// Hears everything before the [`Output`](crate::output::Output) does, and must not keep it waiting.
pub trait Listener {
    /// An event happened; `tracker` knows it already, and has said which connection it is `about`.
    fn event(&mut self, _event: &Event, _about: Option<ConnectionId>, _tracker: &Tracker) {}

    /// Something was found.
    fn finding(&mut self, _finding: &Finding, _tracker: &Tracker) {}
}

/// All that hear.
pub type Listeners = Vec<Box<dyn Listener>>;
