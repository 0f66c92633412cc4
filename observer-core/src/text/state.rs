//! The state of a connection in a word or two, for a list.

use crate::connection::{Connection, Phase};

impl Connection {
    /// Its state in at most eleven letters: `open`, `zero window`, `reads again`, `lost?`, `lost`, `closing`,
    /// `half closed`, `closed`.
    ///
    /// `lost?` is a guess: the deadline has passed, and nothing has shown that the server gave up.
    /// `reads again` is a client whose window is open after it was closed, and whose server may still wait for more.
    /// `closing` is a server that has closed while its client still has data to read; with `half closed` one end
    /// has closed, and nothing is left to read.
    pub fn state_word(&self) -> &'static str {
        match self.phase {
            Phase::Stalled | Phase::Warning | Phase::Critical if self.window.closed_since.is_none() => {
                "reads again"
            }
            Phase::Stalled | Phase::Warning | Phase::Critical => "zero window",
            Phase::Lost if self.is_abort_seen() => "lost",
            Phase::Lost => "lost?",
            Phase::ServerClosed if self.unread().is_some_and(|unread| unread > 1) => "closing",
            Phase::ServerClosed => "half closed",
            Phase::Closed => "closed",
            Phase::Flowing if self.client.finished => "half closed",
            Phase::Flowing if !self.established && self.opened_at.is_some() && !self.has_data() => "opening",
            Phase::Flowing => "open",
        }
    }

    /// Whether anything shows that the handshake is over, even if its end was not seen.
    fn has_data(&self) -> bool {
        self.window.size.is_some()
            || self.greeting().is_some()
            || self.client.wire.is_some()
            || self.server.wire.is_some()
    }
}
