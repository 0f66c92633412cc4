//! Several recordings as one: which of them speak of the same connections, how far their clocks are apart, and their
//! events in one order.

use std::collections::HashMap;
use std::sync::Arc;

use observer_core::{End, Event, EventKind, Flow, SeqNumber, SocketEventKind, Timestamp, Vantage};

/// Segments remembered of each recording, the first ones. A few are enough; more help against outliers.
const SEGMENTS: usize = 20_000;

/// What tells one segment from all others, wherever it is seen: sequence numbers are chosen anew for each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Segment {
    flow: Flow,
    kind: Kind,
    by: End,
    number: SeqNumber,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Syn,
    ZeroWindow,
    Fin,
}

/// When each segment was seen first, by the clock of one recording.
#[derive(Clone, Debug, Default)]
pub(super) struct Segments(HashMap<Segment, Timestamp>);

impl Segments {
    /// Takes an event, if it is a segment of its own.
    pub(super) fn note(&mut self, event: &Event) {
        if let Some(segment) = Segment::of(event)
            && self.0.len() < SEGMENTS
        {
            self.0.entry(segment).or_insert(event.at);
        }
    }

    /// Adds those of another recording, whose times are shifted by `micros`.
    pub(super) fn add(&mut self, other: Self, micros: i64) {
        for (segment, at) in other.0 {
            self.0.entry(segment).or_insert(shifted(at, micros));
        }
    }
}

impl Segment {
    fn of(event: &Event) -> Option<Self> {
        let EventKind::Socket(socket) = &event.kind else { return None };
        let (kind, by, number) = match socket.kind {
            SocketEventKind::Syn { by, seq, .. } => (Kind::Syn, by, seq),
            SocketEventKind::ZeroWindow { by, ack } => (Kind::ZeroWindow, by, ack),
            SocketEventKind::Fin { by, seq, .. } => (Kind::Fin, by, seq),
            _ => return None,
        };
        Some(Self { flow: socket.socket.flow, kind, by, number })
    }
}

/// How far two clocks are apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shift {
    /// To be added to the times of the one to have those of the other, in microseconds.
    pub(super) micros: i64,
    /// Segments seen in both.
    pub(super) segments: usize,
}

/// The shift from `own` times to `reference` times; `None` when they have no segment in common.
///
/// A segment is seen later at the end it goes to. Of segments in both directions the middle is taken, so that the time
/// on the way falls out if it is the same both ways, as with NTP (RFC 5905, section 8).
pub(super) fn shift(own: &Segments, reference: &Segments) -> Option<Shift> {
    let apart = |by: End| -> Vec<i64> {
        let both = own.0.iter().filter(|(segment, _)| segment.by == by);
        both.filter_map(|(segment, at)| {
            Some(reference.0.get(segment)?.as_micros().saturating_sub(at.as_micros()))
        })
        .collect()
    };
    let (client, server) = (apart(End::Client), apart(End::Server));
    let segments = client.len() + server.len();
    let micros = match (median(client), median(server)) {
        (Some(client), Some(server)) => client.midpoint(server),
        (client, server) => client.or(server)?,
    };
    Some(Shift { micros, segments })
}

fn median(mut values: Vec<i64>) -> Option<i64> {
    let middle = values.len() / 2;
    (!values.is_empty()).then(|| *values.select_nth_unstable(middle).1)
}

/// A time shifted by so many microseconds.
pub(super) fn shifted(at: Timestamp, micros: i64) -> Timestamp {
    Timestamp::from_micros(at.as_micros().saturating_add(micros))
}

/// Leaves out what two recordings of the same place both tell, such as two captures of one connection: the one that
/// tells of a connection first goes on telling of it until it ends.
#[derive(Debug, Default)]
pub(super) struct Tellers {
    of: HashMap<(Flow, Vantage), usize>,
}

/// Connections whose tellers are remembered; those beyond are told by all.
const TELLERS: usize = 1 << 18;

impl Tellers {
    /// Whether recording `index` tells what happened at this event's place; `has_ended` of any recording.
    pub(super) fn tells(&mut self, event: &Event, index: usize, has_ended: impl Fn(usize) -> bool) -> bool {
        let EventKind::Socket(socket) = &event.kind else { return true };
        let place = (socket.socket.flow, socket.socket.seen_at);
        if self.of.len() >= TELLERS && !self.of.contains_key(&place) {
            return true;
        }
        let teller = self.of.entry(place).or_insert(index);
        if *teller != index && has_ended(*teller) {
            *teller = index;
        }
        *teller == index
    }
}

/// Moves an event and every time it tells of.
pub(super) fn shift_event(event: &mut Event, micros: i64) {
    let shift = |at: &mut Timestamp| *at = shifted(*at, micros);
    shift(&mut event.at);
    let EventKind::Socket(socket) = &mut event.kind else { return };
    match &mut socket.kind {
        SocketEventKind::Wire(sample) => {
            for direction in [&mut sample.client, &mut sample.server] {
                direction.last_ack_advance.iter_mut().for_each(shift);
                direction.milestones.iter_mut().for_each(|milestone| shift(&mut milestone.at));
                direction.answered.iter_mut().for_each(|began| shift(&mut began.at));
            }
            sample.last_read.iter_mut().for_each(|read| shift(&mut read.at));
        }
        SocketEventKind::ServerWaits { since: Some(since), .. } => {
            shift(&mut since.earliest);
            shift(&mut since.latest);
        }
        SocketEventKind::Statement(statement) => shift(&mut statement.sent_at),
        SocketEventKind::Owners(owners) => {
            owners.processes.iter_mut().for_each(|owner| shift(&mut Arc::make_mut(owner).started_at));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use observer_core::{SocketEvent, SocketRef};

    use super::*;

    fn event(at: i64, by: End, number: u32) -> Event {
        let flow =
            Flow { client: "10.0.0.1:40000".parse().unwrap(), server: "10.0.0.2:3306".parse().unwrap() };
        let socket = SocketRef { flow, seen_at: Vantage::Wire, cookie: None };
        let kind = SocketEventKind::Fin { by, seq: SeqNumber(number), in_result: None };
        Event { at: Timestamp::from_micros(at), kind: EventKind::Socket(SocketEvent { socket, kind }) }
    }

    fn segments(events: &[Event]) -> Segments {
        let mut segments = Segments::default();
        for event in events {
            segments.note(event);
        }
        segments
    }

    #[test]
    fn the_way_of_the_segments_falls_out() {
        // One recording at the client, one at the server, 200 us apart; the server's clock is 5000 us ahead.
        let at_client = segments(&[event(1000, End::Client, 1), event(2000, End::Server, 2)]);
        let at_server = segments(&[event(6200, End::Client, 1), event(6800, End::Server, 2)]);
        assert_eq!(shift(&at_server, &at_client), Some(Shift { micros: -5000, segments: 2 }));
        assert_eq!(shift(&at_client, &at_server), Some(Shift { micros: 5000, segments: 2 }));
    }

    #[test]
    fn without_a_common_segment_there_is_no_shift() {
        let one = segments(&[event(1000, End::Client, 1)]);
        assert_eq!(shift(&one, &segments(&[event(1000, End::Client, 2)])), None);
        assert_eq!(shift(&one, &segments(&[event(1000, End::Server, 1)])), None);
        // One direction alone has to do.
        let other = segments(&[event(1300, End::Client, 1)]);
        assert_eq!(shift(&one, &other), Some(Shift { micros: 300, segments: 1 }));
    }

    /// An event of one socket, as a log has it.
    fn logged(kind: &str) -> Event {
        let text = format!(
            r#"{{"at": "2024-05-04T14:03:02Z", "client": "10.0.0.1:40000", "server": "10.0.0.2:3306", "seen_at": "client", {kind}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn what_an_event_tells_of_is_shifted_with_it() {
        let shifted = |kind: &str| {
            let mut event = logged(kind);
            shift_event(&mut event, 5_000_000);
            serde_json::to_string(&event).unwrap()
        };
        let statement = shifted(
            r#""event": "statement", "sent_at": "2024-05-04T14:03:01Z", "command": "query", "length": 9"#,
        );
        assert!(statement.contains("14:03:06.000000Z"), "{statement}");
        let process = r#"{"pid": 7, "comm": "etl", "started_at": "2024-05-04T14:02:00Z"}"#;
        let owners = shifted(&format!(r#""event": "owners", "processes": [{process}]"#));
        assert!(owners.contains("14:02:05.000000Z"), "{owners}");
    }

    #[test]
    fn of_two_that_tell_the_same_the_first_goes_on_until_its_end() {
        let mut tellers = Tellers::default();
        let event = event(1000, End::Client, 1);
        assert!(tellers.tells(&event, 1, |_| false));
        assert!(!tellers.tells(&event, 0, |_| false));
        assert!(tellers.tells(&event, 0, |index| index == 1), "the other has ended");
        assert!(tellers.tells(&event, 0, |_| false));
    }
}
