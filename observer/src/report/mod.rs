//! The report: what became of the connections in one or several recordings, with what speaks for it.
//!
//! | file | what it does |
//! |---|---|
//! | `account` | what is kept of one connection while its recording is read |
//! | `account/continuation` | the account of a connection that goes on in the next observation |
//! | `accounts` | keeps them, within a limit, of a recording or of what a view watches |
//! | `left_out` | those for which there was no room |
//! | `curve`, `curves` | what their charts are drawn from, within another limit |
//! | `judgement` | runs the judgement of a recording |
//! | `build` | reads the files, those that belong together as one |
//! | `join` | makes one recording of several: clocks, order, doubles |
//! | `timeline` | a connection's story as a picture and as a list of moments |
//! | `ticks` | round distances on an axis of time |
//! | `text`, `markdown`, `html`, `json` | the four forms |
//! | `file` | the file that the view writes one to |

mod account;
mod accounts;
mod build;
mod curve;
mod curves;
mod file;
mod holder;
mod html;
mod join;
mod json;
mod judgement;
mod left_out;
mod markdown;
mod text;
mod ticks;
mod timeline;
mod words;

use std::net::{IpAddr, SocketAddr};

use observer_core::{Event, LossPoint, Severity, Timestamp};

use self::account::Account;
use self::accounts::Degradation;
use self::join::Shift;
use crate::source::recording::{self, Gaps, Origin};

pub use accounts::Accounts;
pub use build::build;
pub use file::write;
pub use html::html;
pub use json::json;
pub use markdown::markdown;
pub use text::text;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How the files are read.
    pub reading: recording::Options,
    /// What the user says about the servers' timeouts.
    pub given: recording::Given,
    /// Only connections of this client.
    pub client: Option<Client>,
    /// Connections without trouble too.
    pub all: bool,
}

/// A client by its address, with or without a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// One host.
    Host(IpAddr),
    /// One socket.
    Socket(SocketAddr),
}

impl Client {
    /// Whether an event belongs to it, or to the source.
    fn concerns(self, event: &Event) -> bool {
        recording::flow(event).is_none_or(|flow| match self {
            Self::Host(ip) => flow.client.ip() == ip,
            Self::Socket(socket) => flow.client == socket,
        })
    }
}

/// What became of the connections.
#[derive(Debug, Default)]
pub struct Report {
    /// What was read.
    files: Vec<File>,
    /// Accounts, in the order of time; those of files with nothing in common one after the other.
    accounts: Vec<Account>,
    /// Connections seen.
    connections: u64,
    /// Connections for whose accounts there was no room.
    left_out: u64,
    /// Those of them about which something was found.
    left_out_in_trouble: u64,
    /// Observations lost, by place.
    lost: Vec<(LossPoint, u64)>,
    /// Missing parts of the sources.
    degraded: Vec<Degradation>,
    /// The most severe finding about the host.
    severity: Option<Severity>,
    /// Where it comes from, if from no files: one connection of a host or a recording that is being watched.
    watched: Option<Watched>,
}

/// What is watched, and until when the report tells of it.
#[derive(Clone, Debug)]
struct Watched {
    /// `db1:3306`, or the name of a recording.
    place: String,
    at: Timestamp,
}

impl Report {
    /// A report of nothing, watched at `place`, for the tests of those who write it.
    #[cfg(test)]
    pub(crate) fn watched_at(place: &str, at: Timestamp) -> Self {
        Self { watched: Some(Watched { place: place.to_owned(), at }), ..Self::default() }
    }

    /// The most severe finding, for the exit status.
    pub fn severity(&self) -> Option<Severity> {
        self.severity
    }

    fn lost_altogether(&self) -> u64 {
        self.lost.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

/// One file of a report.
#[derive(Debug)]
struct File {
    name: String,
    origin: Origin,
    events: u64,
    /// Its first and last moment, by its own clock.
    time: Option<(Timestamp, Timestamp)>,
    gaps: Gaps,
    /// A server on another port, where nothing was found at those that were looked at.
    server_elsewhere: Option<SocketAddr>,
    /// The first file of those it is joined with, and how its times were shifted to that file's clock.
    joined: Option<(usize, Shift)>,
}
