//! Captures built in memory, and what is read of them.

mod connector_j;
mod damage;
mod files;
mod formats;
mod gaps;
mod headers;
mod ports;
mod properties;
mod room;
mod session;
mod statements;
mod talk;
mod vantages;
mod windows;

use std::num::NonZeroUsize;

use observer_core::{Event, EventKind, SocketEventKind, SourceEvent, WireSample};

use super::{PcapOptions, Reader};
use files::Pcap;
use talk::Talk;

/// The port of the server in all of these captures.
const PORT: u16 = 3306;

fn options() -> PcapOptions {
    PcapOptions {
        ports: vec![PORT],
        max_connections: NonZeroUsize::new(64).unwrap(),
        statements: crate::mysql::Statements::default(),
    }
}

/// Everything a capture tells.
fn read(capture: &[u8]) -> Vec<Event> {
    Reader::new(capture, options()).unwrap().collect::<anyhow::Result<_>>().unwrap()
}

/// What a talk tells, in the plainest of all formats.
fn tell(talk: &Talk) -> Vec<Event> {
    read(&Pcap::default().file(talk))
}

/// What is told of connections but for the samples.
fn told(events: &[Event]) -> Vec<SocketEventKind> {
    let kinds = events.iter().filter_map(|event| match &event.kind {
        EventKind::Socket(socket) => Some(&socket.kind),
        EventKind::Source(_) => None,
    });
    kinds.filter(|kind| !matches!(kind, SocketEventKind::Wire(_))).cloned().collect()
}

/// The samples, with their stamps in microseconds.
fn samples(events: &[Event]) -> Vec<(i64, WireSample)> {
    let samples = events.iter().filter_map(|event| match &event.kind {
        EventKind::Socket(socket) => match &socket.kind {
            SocketEventKind::Wire(sample) => Some((event.at.as_micros(), (**sample).clone())),
            _ => None,
        },
        EventKind::Source(_) => None,
    });
    samples.collect()
}

/// What the source says of itself.
fn source_events(events: &[Event]) -> Vec<SourceEvent> {
    let kinds = events.iter().filter_map(|event| match &event.kind {
        EventKind::Source(source) => Some(source.clone()),
        EventKind::Socket(_) => None,
    });
    kinds.collect()
}
