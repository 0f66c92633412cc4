//! From packets to the connections they belong to.

use std::collections::VecDeque;
use std::net::SocketAddr;

use observer_core::{Event, Flow, Timestamp};

use super::connections::Connections;
use super::records::Packet;
use super::segment::Segment;
use super::{PcapOptions, Statistics};
use crate::mysql::greeting;

/// Sorts packets.
#[derive(Debug)]
pub(super) struct Packets {
    ports: Vec<u16>,
    pub(super) connections: Connections,
    pub(super) statistics: Statistics,
    /// A server that greets as MySQL does, on another port.
    pub(super) server_elsewhere: Option<SocketAddr>,
}

impl Packets {
    pub(super) fn new(options: PcapOptions) -> Self {
        Self {
            ports: options.ports,
            connections: Connections::new(options.max_connections, options.statements),
            statistics: Statistics::default(),
            server_elsewhere: None,
        }
    }

    /// The time of the newest packet.
    pub(super) fn now(&self) -> Timestamp {
        self.statistics.last.unwrap_or_default()
    }

    /// Takes one packet. One without a time is taken to have passed with the one before it.
    pub(super) fn take(&mut self, packet: &Packet<'_>, events: &mut VecDeque<Event>) {
        let at = packet.at.unwrap_or_else(|| self.now());
        let statistics = &mut self.statistics;
        statistics.packets += 1;
        statistics.first = Some(statistics.first.map_or(at, |first| first.min(at)));
        statistics.last = Some(statistics.last.map_or(at, |last| last.max(at)));
        if packet.dropped > 0 {
            self.connections.note_lost_packets(at, packet.dropped);
        }
        self.connections.advance(at, events);
        let Some(segment) = segment(packet) else { return };
        let Some((flow, by)) = Flow::of_socket(segment.source, segment.destination, &self.ports) else {
            self.look_elsewhere(&segment);
            return;
        };
        self.statistics.segments += 1;
        if self.connections.observe(at, flow, by, &segment, events) {
            self.statistics.duplicates += 1;
        }
    }

    fn look_elsewhere(&mut self, segment: &Segment<'_>) {
        if self.statistics.segments == 0
            && self.server_elsewhere.is_none()
            && greeting(segment.payload).is_some_and(|greeting| is_version(&greeting.version))
        {
            self.server_elsewhere = Some(segment.source);
        }
    }
}

fn segment<'a>(packet: &Packet<'a>) -> Option<Segment<'a>> {
    let ip = packet.link.ip(packet.data)?;
    let before = u32::try_from(packet.data.len() - ip.len()).ok()?;
    Segment::parse(ip, packet.length.checked_sub(before)?)
}

/// Whether this looks like a version: a number and a dot. Other protocols' packets may begin like a greeting.
fn is_version(text: &str) -> bool {
    text.split_once('.')
        .is_some_and(|(major, _)| !major.is_empty() && major.bytes().all(|byte| byte.is_ascii_digit()))
}
