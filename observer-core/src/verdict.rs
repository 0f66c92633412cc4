//! What became of a connection, and why.
//!
//! | file | what it does |
//! |---|---|
//! | `facts` | what is known of the connection, as the rules ask for it |
//! | `cause` | the causes as the rules tell them apart |
//! | `judge` | finds the one |
//! | `stalled` | the same where a client stood still |
//! | `server_gone` | whether the server went on |
//! | `connector` | what can be done in the client's library |
//! | `sentence`, `evidence`, `ruled_out`, `advice`, with small `words` | put it into words |

mod advice;
mod cause;
mod connector;
mod evidence;
mod facts;
mod judge;
mod ruled_out;
mod sentence;
mod server_gone;
mod stalled;
mod words;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::connection::Connection;
use crate::time::Timestamp;
use cause::{Cause, Sign};
use facts::Facts;
use judge::Judgement;

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

impl Connection {
    /// The cause alone, for lists: the same as in [`verdict`](Self::verdict), without the words.
    pub fn verdict_kind(&self, now: Timestamp, config: &Config) -> (VerdictKind, Confidence) {
        let Judgement { cause, confidence } = judge::judge(&Facts::new(self, now, config));
        (cause.kind(), if self.saw_loss { confidence.lowered() } else { confidence })
    }

    /// What became of it, or where it stands, by all that is known at `now`.
    ///
    /// What became of the server's other connections is known a moment after its end, when the verdict is told
    /// ([`FindingKind::Verdict`](crate::FindingKind::Verdict)), or when the source has come to its end
    /// ([`Tracker::finish`](crate::Tracker::finish)).
    pub fn verdict(&self, now: Timestamp, config: &Config) -> Verdict {
        let facts = Facts::new(self, now, config);
        let cause = judge::judge(&facts).cause;
        let (kind, confidence) = self.verdict_kind(now, config);
        let incomplete = incomplete(&facts, cause);
        Verdict {
            kind,
            confidence,
            at: at(&facts, cause),
            incomplete,
            sentence: sentence::sentence(&facts, cause, incomplete),
            evidence: evidence::evidence(&facts, cause),
            ruled_out: ruled_out::ruled_out(&facts, cause),
            missing: advice::missing(&facts, cause),
            advice: advice::advice(&facts, cause),
        }
    }
}

impl Confidence {
    /// What is left of it when something may have been missed.
    const fn lowered(self) -> Self {
        match self {
            Self::Certain => Self::Likely,
            Self::Likely | Self::Possible => Self::Possible,
        }
    }
}

/// When it became so.
fn at(facts: &Facts<'_>, cause: Cause) -> Option<Timestamp> {
    let ended = facts.ending().map(|ending| ending.at);
    match cause {
        Cause::Open | Cause::Stalled => None,
        Cause::Recovered => facts.last_stall().and_then(|stall| stall.over).or(ended),
        Cause::GaveUp(Sign::Reset) | Cause::OtherTimeout(_) => facts.gave_up().or(ended),
        Cause::GaveUp(Sign::OwnWait) => ended,
        Cause::GaveUp(_) => facts
            .gave_up()
            .or_else(|| sentence::stall_of(facts).map(|stall| stall.clock.abort().earliest))
            .or(ended),
        _ => ended,
    }
}

/// Whether the server closed in the middle of a result.
fn incomplete(facts: &Facts<'_>, cause: Cause) -> Option<bool> {
    let in_result = facts.fin().and_then(|fin| fin.in_result);
    match cause.kind() {
        // It had more to write: for that it waited.
        VerdictKind::NetWriteTimeout if cause != Cause::ShorterTimeout => in_result.or(Some(true)),
        VerdictKind::Killed | VerdictKind::ServerCrashed => {
            in_result.or_else(|| stalled::was_behind(facts).then_some(true))
        }
        VerdictKind::IdleTimeout | VerdictKind::ClientClosed | VerdictKind::Recovered => {
            in_result.or(Some(false))
        }
        _ => in_result,
    }
}
