//! The beginning of a client's last command, kept to be read when its connection stands still, as the kernel programs do.

use observer_core::{Statement, Timestamp};

use crate::mysql::{Kept, Statements, keepable, prepares, statement, statement_id};

/// What a client has asked for last.
#[derive(Debug, Default)]
pub(super) struct Asked {
    last: Option<Command>,
    /// The last `COM_STMT_PREPARE`.
    prepared: Option<Command>,
    /// Whether the answer to that is to come.
    awaits_id: bool,
    /// When the command passed that was told last.
    told: Option<Timestamp>,
}

#[derive(Debug)]
struct Command {
    at: Timestamp,
    bytes: Box<[u8]>,
    statement_id: u32,
}

impl Command {
    fn kept(&self) -> Kept<'_> {
        Kept { at: self.at, bytes: &self.bytes, statement_id: self.statement_id }
    }
}

impl Asked {
    /// The client has sent this.
    pub(super) fn keep(&mut self, at: Timestamp, payload: &[u8], is_compressed: bool) {
        let Some(kept) = keepable(payload, is_compressed) else { return };
        let command = Some(Command { at, bytes: kept.into(), statement_id: 0 });
        if prepares(kept) {
            (self.prepared, self.awaits_id) = (command, true);
        } else {
            self.last = command;
        }
    }

    /// The server has answered all that the client has sent.
    pub(super) fn answered(&mut self, payload: &[u8]) {
        if std::mem::take(&mut self.awaits_id)
            && let (Some(prepared), Some(id)) = (&mut self.prepared, statement_id(payload))
        {
            prepared.statement_id = id;
        }
    }

    /// What the client waits for, if it was not told yet.
    pub(super) fn news(&mut self, statements: Statements) -> Option<Statement> {
        let both = [&self.last, &self.prepared];
        let last = both.into_iter().flatten().max_by_key(|command| command.at)?;
        if self.told.replace(last.at) == Some(last.at) {
            return None;
        }
        statement(last.kept(), self.prepared.as_ref().map(Command::kept), statements)
    }
}
