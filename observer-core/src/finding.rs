//! What follows from the observations.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::WriteClock;
use crate::connection::ServerProgram;
use crate::event::LossPoint;
use crate::flow::{ConnectionId, End, Flow};
use crate::statement::{Account, Statement};
use crate::time::{Timestamp, seconds};
use crate::verdict::Verdict;

/// A conclusion: derived from events, marked as such in the log, computed again on replay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The moment it became true, on the observation clock: for a deadline the deadline itself, not the moment
    /// somebody looked.
    pub at: Timestamp,
    /// The connection it speaks of; `None` for findings about the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
    /// The connection's addresses.
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub flow: Option<Flow>,
    /// The connection's server, where it is not [`ServerProgram::Mysqld`].
    #[serde(default, skip_serializing_if = "ServerProgram::is_mysqld")]
    pub server_program: ServerProgram,
    /// Who reads, or should: of findings about a client that does not, where more than its addresses is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader: Option<Box<Reader>>,
    /// Who logged in, where that is known; of findings that a connection is at risk or lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Box<Account>>,
    /// What its client waits for, where that is known; of the same findings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<Box<Statement>>,
    /// What was found.
    #[serde(flatten)]
    pub kind: FindingKind,
}

impl Finding {
    /// One about no connection.
    pub fn of_observation(at: Timestamp, kind: FindingKind) -> Self {
        Self {
            at,
            connection: None,
            flow: None,
            server_program: ServerProgram::default(),
            reader: None,
            account: None,
            statement: None,
            kind,
        }
    }
}

/// The process at the client's end, as it was known when the finding was made. None of the texts is cleaned for a
/// terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reader {
    /// Process id.
    pub pid: u32,
    /// The name the kernel keeps.
    pub comm: String,
    /// Its container, unit or cgroup ([`Owner::place`](crate::Owner::place)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth a line, nothing is at risk.
    Notice,
    /// Something is at risk.
    Warning,
    /// Little time is left.
    Critical,
    /// A connection or an observation is lost.
    Lost,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum FindingKind {
    /// A client has stopped reading, data waits behind its zero window, and the write clock runs.
    Stalled {
        /// When the window closed.
        since: Timestamp,
        /// The clock that runs.
        clock: WriteClock,
        /// Bytes that wait at the server, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        queued: Option<u64>,
        /// Bytes that the application has not read, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unread: Option<u64>,
    },
    /// The first share of the timeout is used up.
    Warning {
        /// The clock that runs.
        clock: WriteClock,
        /// The share that is used, 0 to 1.
        used: f64,
    },
    /// The second share of the timeout is used up.
    Critical {
        /// The clock that runs.
        clock: WriteClock,
        /// The share that is used, 0 to 1.
        used: f64,
    },
    /// The server has given up: its socket or its RST shows it, or its deadline has passed.
    Lost {
        /// The clock that ran out.
        clock: WriteClock,
        /// Whether the server's socket or its RST showed it. Otherwise the deadline alone speaks for it: that is
        /// probable and no more, as a server whose rest of the result fits into its send buffer has no deadline.
        #[serde(default)]
        seen: bool,
    },
    /// The client reads again in time, and the server is known to write again; or a server that was called lost, or
    /// whose deadline had passed, goes on: then all of the timeout was used.
    Recovered {
        /// How long it stood still: from the first closing of the window to its last opening.
        #[serde(with = "seconds")]
        stalled_for: Duration,
        /// The most that any of the server's waits used of the timeout in that time, 0 to 1; at most that where the
        /// clock's start is a range.
        used: f64,
        /// The clock of that wait; `None` where none ran.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clock: Option<WriteClock>,
    },
    /// The server has closed (FIN) or reset (RST) the connection while it was in trouble or the client still
    /// had bytes to read.
    ServerClosed {
        /// Whether it was a reset.
        reset: bool,
        /// Bytes the application has yet to read before it fails, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unread: Option<u64>,
        /// When the application will notice at its present rate, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fails_at: Option<Timestamp>,
    },
    /// The client has closed or reset a connection that was in trouble.
    ClientClosed {
        /// Whether it was a reset.
        reset: bool,
    },
    /// A connection that was in trouble is gone.
    Closed {
        /// Who ended it, where that was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<End>,
        /// How long it had been in trouble altogether, from the closing of the window.
        #[serde(default, with = "seconds::option", skip_serializing_if = "Option::is_none")]
        troubled_for: Option<Duration>,
    },
    /// What became of a connection that had been in trouble or ended in an unusual way, told when it is gone.
    Verdict(#[serde(with = "nested")] Box<Verdict>),
    /// Observations were lost: what is said of connections may miss something from here on.
    EventsLost {
        /// How many.
        count: u64,
        /// How many altogether.
        total: u64,
        /// Where.
        lost_by: LossPoint,
    },
    /// A part of the source is missing.
    Degraded {
        /// The part.
        part: String,
        /// Why.
        because: String,
        /// What cannot be known without it.
        without: String,
    },
}

impl FindingKind {
    /// Whether it says that a client does not read, so that who should is worth a word.
    pub(crate) const fn is_about_reading(&self) -> bool {
        matches!(
            self,
            Self::Stalled { .. } | Self::Warning { .. } | Self::Critical { .. } | Self::Lost { .. }
        )
    }

    /// How much this matters.
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Stalled { .. }
            | Self::Recovered { .. }
            | Self::ClientClosed { .. }
            | Self::Closed { .. }
            | Self::Verdict(_) => Severity::Notice,
            Self::Warning { .. } | Self::Degraded { .. } => Severity::Warning,
            Self::Critical { .. } => Severity::Critical,
            Self::Lost { .. } | Self::ServerClosed { .. } | Self::EventsLost { .. } => Severity::Lost,
        }
    }
}

/// A verdict has a moment of its own, which is not that of the finding: in serialised forms it is a table within it.
mod nested {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::verdict::Verdict;

    #[derive(Serialize)]
    struct Told<'a> {
        verdict: &'a Verdict,
    }

    #[derive(Deserialize)]
    struct Read {
        verdict: Box<Verdict>,
    }

    pub(super) fn serialize<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
        Told { verdict }.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<Verdict>, D::Error> {
        Read::deserialize(deserializer).map(|read| read.verdict)
    }
}
