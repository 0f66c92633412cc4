//! The one cause.

use crate::config::Config;
use crate::connection::{Connection, Phase};
use crate::flow::End;
use crate::time::Timestamp;
use crate::verdict::{Confidence, Verdict, VerdictKind};

impl Connection {
    /// What became of it, or where it stands, by all that is known at `now`.
    pub fn verdict(&self, _now: Timestamp, _config: &Config) -> Verdict {
        let client = self.flow().client;
        let (kind, confidence) = match (self.phase(), self.ending()) {
            (Phase::Lost, _) => (VerdictKind::NetWriteTimeout, Confidence::Likely),
            (_, Some(ending)) if ending.by == Some(End::Client) => {
                (VerdictKind::ClientClosed, Confidence::Likely)
            }
            (_, Some(_)) if self.is_abort_seen() => (VerdictKind::NetWriteTimeout, Confidence::Likely),
            (Phase::Closed | Phase::ServerClosed, _) => (VerdictKind::Unknown, Confidence::Possible),
            _ => (VerdictKind::Open, Confidence::Certain),
        };
        Verdict {
            kind,
            confidence,
            at: self.ending().map(|ending| ending.at),
            incomplete: None,
            sentence: format!("The connection of {client}: {kind}."),
            evidence: Vec::new(),
            ruled_out: Vec::new(),
            missing: Vec::new(),
            advice: Vec::new(),
        }
    }
}
