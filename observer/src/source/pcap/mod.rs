//! A capture, pcap or pcapng, as the same events that the kernel programs tell.
//!
//! ```text
//! input        the bytes, from front to back
//! records      the records of both formats
//! link         what is before the IP header
//! segment      TCP segments
//! packets      which connection a packet belongs to
//! connections  the connections, and what is told of them when
//! connection   one of them
//! direction    what one end has sent
//! recent       the same packet captured twice
//! gaps         what was sent and is not in the capture
//! milestones   the curve of what was acknowledged
//! asked        what a client waits for
//! session      what both ends say in MySQL's protocol
//! ```
//!
//! Every event has the vantage [`Wire`](observer_core::Vantage::Wire) and no cookie. A capture is read once, from front
//! to back, in an amount of memory that does not depend on its length.

mod asked;
mod connection;
mod connections;
mod direction;
mod gaps;
mod input;
mod link;
mod milestones;
mod packets;
mod recent;
mod records;
mod segment;
mod session;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io::Read;
use std::net::SocketAddr;
use std::num::NonZeroUsize;

use observer_core::{Event, EventKind, SourceEvent, Timestamp};

use crate::mysql::Statements;
use packets::Packets;
use records::{Record, Records};

/// What part of a source is called that is a capture.
const PART: &str = "capture";

/// What to look for in a capture.
#[derive(Clone, Debug)]
pub struct PcapOptions {
    /// Ports of the servers. Packets of other ports are passed over and counted.
    pub ports: Vec<u16>,
    /// Connections that are followed at once; when there are more, those that were silent for longest are given up, and
    /// counted as lost if they had not ended.
    pub max_connections: NonZeroUsize,
    /// What is kept and told of clients' statements.
    pub statements: Statements,
}

/// What a capture says of itself. Texts are not cleaned for a terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaptureInfo {
    /// `pcap` or `pcapng`.
    pub format: &'static str,
    /// The hardware it was captured on.
    pub hardware: Option<String>,
    /// The operating system it was captured on.
    pub system: Option<String>,
    /// The program that captured it.
    pub application: Option<String>,
}

/// What was read of a capture so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Packets.
    pub packets: u64,
    /// Those of them that are TCP segments of the servers' ports.
    pub segments: u64,
    /// Those of these that were captured more than once.
    pub duplicates: u64,
    /// When the first packet passed.
    pub first: Option<Timestamp>,
    /// When the newest packet passed.
    pub last: Option<Timestamp>,
}

/// Reads the events of a capture. An iterator that ends with the capture, or with its first error.
#[derive(Debug)]
pub struct Reader<R> {
    records: Records<R>,
    info: CaptureInfo,
    packets: Packets,
    /// What was read and not given out yet.
    events: VecDeque<Event>,
    told_timeless: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Reading,
    /// It could not be read further, which is told behind the last events.
    Failed(anyhow::Error),
    Ended,
}

impl<R: Read> Reader<R> {
    /// Reads the beginning of a capture. `input` is read in large pieces and needs no buffer of its own.
    ///
    /// # Errors
    ///
    /// When the input cannot be read, is no capture, or is one of a link type that cannot be read.
    pub fn new(input: R, options: PcapOptions) -> anyhow::Result<Self> {
        let (records, info) = Records::new(input)?;
        Ok(Self {
            records,
            info,
            packets: Packets::new(options),
            events: VecDeque::new(),
            told_timeless: false,
            state: State::Reading,
        })
    }

    /// What the capture says of itself.
    pub fn info(&self) -> &CaptureInfo {
        &self.info
    }

    /// What was read so far.
    pub fn statistics(&self) -> Statistics {
        self.packets.statistics
    }

    /// Bytes read so far.
    pub fn offset(&self) -> u64 {
        self.records.offset()
    }

    /// The first server that was seen to greet as MySQL does on a port that is none of the given ones, as long as no
    /// segment of the given ports was seen: for a hint where nothing else was found.
    pub fn server_elsewhere(&self) -> Option<SocketAddr> {
        self.packets.server_elsewhere.filter(|_| self.packets.statistics.segments == 0)
    }

    /// Reads one record; `false` at the end.
    fn read(&mut self) -> anyhow::Result<bool> {
        match self.records.next()? {
            None => return Ok(false),
            Some(Record::Packet(packet)) => {
                let is_timeless = packet.at.is_none();
                self.packets.take(&packet, &mut self.events);
                if is_timeless && !std::mem::replace(&mut self.told_timeless, true) {
                    self.degraded(
                        "it has packets without a time (simple packet blocks)".to_owned(),
                        "when they passed; each is taken to have passed with the one before it",
                    );
                }
            }
            Some(Record::Dropped(count)) => {
                self.packets.connections.note_lost_packets(self.packets.now(), count);
            }
            Some(Record::Unreadable { interface, link }) => self.degraded(
                format!("link type {link} of {interface} cannot be read"),
                "the packets of that interface",
            ),
            Some(Record::CutOff(offset)) => {
                self.degraded(
                    format!("it is cut off in its last record, at byte {offset}"),
                    "what came after",
                );
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn degraded(&mut self, because: String, without: &str) {
        let kind = SourceEvent::Degraded { part: PART.to_owned(), because, without: without.to_owned() };
        self.events.push_back(Event { at: self.packets.now(), kind: EventKind::Source(kind) });
    }

    /// Nothing more is read: tells the last of what was.
    fn finish(&mut self, state: State) {
        let now = self.packets.now();
        self.packets.connections.finish(now, &mut self.events);
        self.state = state;
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = anyhow::Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(Ok(event));
            }
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Reading => match self.read() {
                    Ok(true) => self.state = State::Reading,
                    Ok(false) => self.finish(State::Ended),
                    Err(error) => self.finish(State::Failed(error)),
                },
                State::Failed(error) => return Some(Err(error)),
                State::Ended => return None,
            }
        }
    }
}
