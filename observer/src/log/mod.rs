//! The event log: JSON lines, described in docs/LOG-FORMAT.md.
//!
//! It records observations; findings stand beside them, marked as derived, and are computed again when the log
//! is read.

mod file;
mod header;
mod parse;
mod reader;
mod writer;

use std::io;

use observer_core::{Event, Finding, Severity};
use serde::Serialize;

pub use file::{LogFile, Sink, advise};
pub use header::{Header, SCHEMA};
pub use reader::Reader;
pub use writer::{FLUSH_AFTER, Status, Writer};

/// One line of a log.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// The first line: what the log is and how it came to be.
    Header(Box<Header>),
    /// An observation.
    Event(Event),
    /// A conclusion, for people and tools that only read the log.
    Finding(Finding),
    /// A line that is there and says nothing to this program.
    Gap(Gap),
}

/// A line that could not be understood without the log being wrong: its end is missing, or a newer observer wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Its number, counted from 1.
    pub line: u64,
    /// Why. It may quote the line; not cleaned for a terminal.
    pub because: String,
}

/// One line as it is written.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum LineRef<'a> {
    Header(&'a Header),
    Event(&'a Event),
    Finding(FindingRef<'a>),
}

/// A header as a line of a log, with its end.
///
/// # Errors
///
/// None that happen: it is written to memory.
pub fn header_line(header: &Header) -> io::Result<Vec<u8>> {
    line(&LineRef::Header(header))
}

/// An event as a line of a log, with its end.
///
/// # Errors
///
/// None that happen: it is written to memory.
pub fn event_line(event: &Event) -> io::Result<Vec<u8>> {
    line(&LineRef::Event(event))
}

fn line(line: &LineRef<'_>) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    Ok(text)
}

/// A finding with what a reader of the log would have to work out.
#[derive(Debug, Serialize)]
pub struct FindingRef<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
    severity: Severity,
}

impl<'a> From<&'a Finding> for FindingRef<'a> {
    fn from(finding: &'a Finding) -> Self {
        Self { finding, severity: finding.kind.severity() }
    }
}
