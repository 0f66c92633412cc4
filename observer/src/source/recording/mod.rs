//! A recording: the events of a file or of standard input, whatever kind of file it is.

mod follow;
mod input;
mod parts;

use std::fs::File;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use observer_core::{
    Config, Event, EventKind, Flow, LossPoint, ServerTimeout, SourceEvent, Timeout, Timestamp,
};

pub use self::follow::{PERIOD, Tail};
use self::input::Input;
use super::file::FileKind;
use super::pcap::{self, PcapOptions};
use crate::log::{self, Gap, Header};
use crate::mysql::Statements;
use crate::record::parts;
use crate::text::safe;

/// Gaps that are remembered one by one; further ones are only counted.
const GAPS_KEPT: usize = 20;

/// Connections of a capture that are followed at once.
const MAX_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(Config::MAX_CONNECTIONS as usize).unwrap();

/// What is to be read. It is open, or lies in a directory that is known: from here on no other file is.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file, with its path.
    File(PathBuf, Arc<File>),
    /// Standard input, given as `-`.
    StandardInput,
    /// One observation of those that were recorded in a directory.
    Recorded {
        /// The directory.
        directory: PathBuf,
        /// When it began, as in the names of its parts.
        observation: String,
    },
}

impl Source {
    /// Opens what an argument of the command line means; of a directory that was recorded in, the last observation.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn open(argument: &Path) -> anyhow::Result<Self> {
        Self::all_of(argument)?.pop().context("nothing to read")
    }

    /// The same, with every observation that was recorded in a directory, in the order of time.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn all_of(argument: &Path) -> anyhow::Result<Vec<Self>> {
        if argument.as_os_str() == "-" {
            return Ok(vec![Self::StandardInput]);
        }
        let mut observations: Vec<_> =
            parts(argument).unwrap_or_default().iter().map(|part| part.observation().to_owned()).collect();
        observations.dedup();
        if observations.is_empty() {
            let file = input::file(argument).with_context(|| format!("reading {}", name(argument)))?;
            return Ok(vec![Self::File(argument.to_owned(), Arc::new(file))]);
        }
        let recorded = |observation| Self::Recorded { directory: argument.to_owned(), observation };
        Ok(observations.into_iter().map(recorded).collect())
    }

    /// How it is called in messages, safe for a terminal.
    pub fn name(&self) -> String {
        match self {
            Self::File(path, _) => name(path),
            Self::StandardInput => "standard input".to_owned(),
            Self::Recorded { directory, observation } => {
                safe(&format!("{} (from {observation})", directory.to_string_lossy())).into_owned()
            }
        }
    }

    /// Whether it can be read a second time.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::File(_, file) => file.metadata().is_ok_and(|metadata| metadata.is_file()),
            Self::StandardInput => false,
            Self::Recorded { .. } => true,
        }
    }

    /// The directory whose files are opened as they are come to: there may be more of them than can be open at once.
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Self::Recorded { directory, .. } => Some(directory),
            Self::File(..) | Self::StandardInput => None,
        }
    }
}

fn name(path: &Path) -> String {
    safe(&path.to_string_lossy()).into_owned()
}

/// How a file is read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Ports of the servers in a capture. An event log has its own.
    pub ports: Vec<u16>,
    /// What is told of clients' statements in a capture. An event log has what was told when it was written.
    pub statements: Statements,
    /// Wait at the end of the file for what is written there, until told to stop.
    pub follow: Option<Tail>,
}

/// What a recording is of.
#[derive(Clone, Debug)]
pub enum Origin {
    /// An event log, with its first line.
    Log(Box<Header>),
    /// A capture of packets.
    Capture,
}

/// What the user says about the timeouts of the servers in a recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// That of every server.
    pub net_write_timeout: Option<Timeout>,
    /// Those of some.
    pub server_timeouts: Vec<ServerTimeout>,
}

impl Given {
    /// What a recording is judged with: what the judgement ran with when it was recorded, but for what the user says.
    pub fn config(&self, origin: &Origin) -> Config {
        let mut config = match origin {
            Origin::Log(header) => header.config(),
            Origin::Capture => Config::default(),
        };
        if let Some(timeout) = self.net_write_timeout {
            config.net_write_timeout = timeout;
            config.server_timeouts.clear();
        }
        config.server_timeouts.extend(&self.server_timeouts);
        config
    }
}

impl Origin {
    /// The kind of file, in words.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Log(_) => "event log",
            Self::Capture => "capture",
        }
    }
}

/// One step of a recording.
#[derive(Clone, Debug, PartialEq)]
pub enum Moment {
    /// Something was observed.
    Event(Event),
    /// The observation had come to this time: a finding stands here in a log.
    Reached(Timestamp),
}

impl Moment {
    /// Its time.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Event(event) => event.at,
            Self::Reached(at) => *at,
        }
    }
}

/// The lines of a log that said nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// The first of them.
    pub first: Vec<Gap>,
    /// How many there are.
    pub count: u64,
}

/// A file being read, from its beginning to its end, in constant memory. Errors name the file, and the line or offset
/// in it.
#[derive(Debug)]
pub struct Recording {
    name: String,
    origin: Origin,
    events: Events,
    read: Arc<AtomicU64>,
    size: Option<u64>,
    last: Timestamp,
    gaps: Gaps,
}

#[derive(Debug)]
enum Events {
    Log(Box<log::Reader<Input>>),
    Capture(Box<pcap::Reader<Input>>),
}

impl Recording {
    /// Opens it and reads its head.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is no file of a known kind.
    pub fn open(source: &Source, options: &Options) -> anyhow::Result<Self> {
        let name = source.name();
        let read = Arc::new(AtomicU64::new(0));
        Self::open_as(source, options, name.clone(), read).with_context(|| format!("reading {name}"))
    }

    fn open_as(
        source: &Source,
        options: &Options,
        name: String,
        read: Arc<AtomicU64>,
    ) -> anyhow::Result<Self> {
        let (input, head, size) = input::open(source, options.follow.clone(), read.clone())?;
        let (origin, events) = match FileKind::of(&head)? {
            FileKind::EventLog => {
                let reader = log::Reader::new(input)?;
                (Origin::Log(Box::new(reader.header().clone())), Events::Log(Box::new(reader)))
            }
            FileKind::Pcap | FileKind::PcapNg => {
                let options = PcapOptions {
                    ports: options.ports.clone(),
                    max_connections: MAX_CONNECTIONS,
                    statements: options.statements,
                };
                (Origin::Capture, Events::Capture(Box::new(pcap::Reader::new(input, options)?)))
            }
        };
        Ok(Self { name, origin, events, read, size, last: Timestamp::EPOCH, gaps: Gaps::default() })
    }

    /// How it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is of.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Lines that said nothing, so far. Each has been an [`EventsLost`](SourceEvent::EventsLost) too.
    pub fn gaps(&self) -> &Gaps {
        &self.gaps
    }

    /// A server on a port that is none of those of a capture, where nothing was found at those: for a hint.
    pub fn server_elsewhere(&self) -> Option<SocketAddr> {
        match &self.events {
            Events::Log(_) => None,
            Events::Capture(reader) => reader.server_elsewhere(),
        }
    }

    /// What is being done with it and how far that is: `judging a.jsonl, 43 %`.
    pub fn how_far(&self, doing: &str) -> String {
        let name = &self.name;
        match self.size.filter(|size| *size > 0) {
            Some(size) => {
                let read = self.read.load(Ordering::Relaxed).min(size);
                format!("{doing} {name}, {} %", u128::from(read) * 100 / u128::from(size))
            }
            None => format!("{doing} {name}"),
        }
    }

    fn step(&mut self) -> Option<anyhow::Result<Moment>> {
        let reader = match &mut self.events {
            Events::Log(reader) => reader,
            Events::Capture(reader) => return Some(reader.next()?.map(Moment::Event)),
        };
        let line = match reader.next()? {
            Ok(line) => line,
            Err(error) => return Some(Err(error)),
        };
        Some(Ok(match line {
            log::Line::Event(event) => {
                self.last = self.last.max(event.at);
                Moment::Event(event)
            }
            log::Line::Finding(finding) => Moment::Reached(finding.at),
            log::Line::Header(header) => Moment::Reached(header.started_at),
            log::Line::Gap(gap) => Moment::Event(self.gap(gap)),
        }))
    }

    /// A line that says nothing may have been an observation: it counts as one that is lost.
    fn gap(&mut self, gap: Gap) -> Event {
        self.gaps.count += 1;
        if self.gaps.first.len() < GAPS_KEPT {
            self.gaps.first.push(gap);
        }
        let lost = SourceEvent::EventsLost { count: 1, lost_by: LossPoint::Log };
        let started_at = match &self.origin {
            Origin::Log(header) => header.started_at,
            Origin::Capture => Timestamp::EPOCH,
        };
        Event { at: self.last.max(started_at), kind: EventKind::Source(lost) }
    }
}

impl Iterator for Recording {
    type Item = anyhow::Result<Moment>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().map(|step| step.with_context(|| format!("reading {}", self.name)))
    }
}

/// The connection an event speaks of.
pub fn flow(event: &Event) -> Option<Flow> {
    match &event.kind {
        EventKind::Socket(socket) => Some(socket.socket.flow),
        EventKind::Source(_) => None,
    }
}
