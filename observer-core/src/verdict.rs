//! What became of a connection, and why.

mod judge;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The one cause of how a connection ended, or of where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    /// The server gave up writing: net_write_timeout.
    NetWriteTimeout,
    /// The server gave up waiting for a command: wait_timeout or interactive_timeout.
    IdleTimeout,
    /// The connection was killed, or the server shut down.
    Killed,
    /// The server died.
    ServerCrashed,
    /// The application closed, with COM_QUIT or without.
    ClientClosed,
    /// The application, its process or its host is gone without a word.
    ClientVanished,
    /// The network between them lost the connection.
    Network,
    /// It stood still and went on in time.
    Recovered,
    /// It has not ended, and nothing happened to it.
    Open,
    /// It cannot be told; [`Verdict::missing`] names what would be needed.
    Unknown,
}

impl fmt::Display for VerdictKind {
    /// The cause in a word or two, for a list: `net_write_timeout`, `idle timeout`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NetWriteTimeout => "net_write_timeout",
            Self::IdleTimeout => "idle timeout",
            Self::Killed => "killed or shut down",
            Self::ServerCrashed => "server crashed",
            Self::ClientClosed => "client closed",
            Self::ClientVanished => "client vanished",
            Self::Network => "network",
            Self::Recovered => "recovered",
            Self::Open => "open",
            Self::Unknown => "unknown",
        })
    }
}

/// How sure a [`Verdict`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// It fits what was seen, and so would other causes.
    Possible,
    /// Other causes would need a coincidence.
    Likely,
    /// What was seen has no other cause.
    Certain,
}

/// What became of a connection, with what speaks for it. All texts are one line each without control characters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The cause.
    pub kind: VerdictKind,
    /// How sure it is.
    pub confidence: Confidence,
    /// When it became so; `None` where that is not known or it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Whether the server closed in the middle of a result, so that the client's is incomplete; `None` where that
    /// is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<bool>,
    /// It in one sentence with its numbers.
    pub sentence: String,
    /// What speaks for it, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// What it was not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ruled_out: Vec<RuledOut>,
    /// What would have to be known to say more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// What can be done, with the numbers of this case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub advice: Vec<String>,
}

/// A cause that it was not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuledOut {
    /// The cause.
    pub kind: VerdictKind,
    /// Why not.
    pub because: String,
}
