//! What the server itself tells of a session, where somebody asks it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::seconds;

/// A session as its server has it: a row of the process list, and what the performance schema adds to it.
///
/// Texts are as the server gives them, and not cleaned for a terminal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerSession {
    /// The thread (connection) id of the process list.
    pub thread_id: u64,
    /// The server's version as it names itself.
    pub version: String,
    /// The account's user.
    pub user: String,
    /// The command that is carried out: `Query`, `Sleep`, `Binlog Dump`.
    pub command: String,
    /// For how long the session has been in its state.
    #[serde(with = "seconds")]
    pub time: Duration,
    /// What the command does just now: `Sending to client`, `Writing to net`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The digest of the statement that runs: its text without literals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// The session's own net_write_timeout (`performance_schema.variables_by_thread`).
    #[serde(default, with = "seconds::option", skip_serializing_if = "Option::is_none")]
    pub net_write_timeout: Option<Duration>,
    /// The net_write_timeout that the server's sessions begin with, where the session's own is not told.
    #[serde(default, with = "seconds::option", skip_serializing_if = "Option::is_none")]
    pub global_net_write_timeout: Option<Duration>,
    /// The session's own wait_timeout.
    #[serde(default, with = "seconds::option", skip_serializing_if = "Option::is_none")]
    pub wait_timeout: Option<Duration>,
}

impl ServerSession {
    /// Whether the session waits for a command: then its server has written all of the last result (`COM_SLEEP`).
    pub fn is_idle(&self) -> bool {
        self.command == "Sleep"
    }
}
