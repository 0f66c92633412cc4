//! One connection in a capture.

use std::time::Duration;

use hashbrown::DefaultHashBuilder;
use observer_core::{End, SocketEventKind, Timestamp, WireSample};

use super::direction::{Direction, Followed};
use super::segment::{ACK, FIN, RST, SYN, Segment, WindowScale};
use super::session::{Said, Session};
use crate::mysql::Statements;

/// How far samples of a connection are apart while a window is closed, and else.
const PACE_IN_TROUBLE: Duration = Duration::from_millis(200);
const PACE: Duration = Duration::from_secs(1);

/// How long after its first packet something may be missing of a connection that is older than the capture: what was
/// sent before the capture began may be acknowledged after that.
const BEGINNING: Duration = Duration::from_secs(1);

/// What is kept of one connection.
#[derive(Debug)]
pub(super) struct Connection {
    client: Direction,
    server: Direction,
    session: Session,
    /// What is missing from here on is missing in the capture.
    whole_since: Timestamp,
    /// What is told of clients' statements.
    statements: Statements,
    /// When its counters are told next; `None` while they have not changed.
    pub(super) due: Option<Timestamp>,
    /// Tells it from others, also of the same addresses.
    pub(super) serial: u64,
}

impl Connection {
    /// The connection that begins with `segment`, or is seen first with it.
    pub(super) fn new(serial: u64, at: Timestamp, segment: &Segment<'_>, statements: Statements) -> Self {
        let begins = segment.has(SYN);
        Self {
            client: Direction::default(),
            server: Direction::default(),
            session: if begins { Session::begin() } else { Session::default() },
            whole_since: if begins { at } else { at + BEGINNING },
            statements,
            due: None,
            serial,
        }
    }

    /// Whether `segment` is the first of another connection with the same addresses.
    pub(super) fn is_ended_by(&self, by: End, segment: &Segment<'_>) -> bool {
        let own = self.sent_by(by);
        segment.has(SYN)
            && !segment.has(ACK)
            && match own.syn {
                // Sent again, it has the same number.
                Some(known) => known != segment.seq,
                // It may have been overtaken by the SYN-ACK.
                None => own.next_seq.is_some() && own.segments > 0,
            }
    }

    /// Whether this segment was seen already, on its way past another device.
    pub(super) fn is_duplicate(
        &mut self,
        at: Timestamp,
        by: End,
        segment: &Segment<'_>,
        hasher: &DefaultHashBuilder,
    ) -> bool {
        self.ends(by).0.recent.note(at, segment.fingerprint(hasher))
    }

    /// Takes the next segment and tells what it brought.
    pub(super) fn observe(
        &mut self,
        at: Timestamp,
        by: End,
        segment: &Segment<'_>,
        mut tell: impl FnMut(SocketEventKind),
    ) {
        let whole_since = self.whole_since;
        let (own, peer) = self.ends(by);
        own.segments += 1;
        if segment.has(RST) {
            if !std::mem::replace(&mut own.reset, true) {
                tell(SocketEventKind::Reset { by });
            }
        } else if segment.has(SYN) {
            if own.syn.is_none() {
                own.open(segment);
                let window_scale = match own.scale {
                    WindowScale::Shift(shift) => Some(shift),
                    WindowScale::Absent | WindowScale::Unknown => None,
                };
                tell(SocketEventKind::Syn { by, window_scale, seq: segment.seq });
            }
        } else {
            let followed = own.follow(at, whole_since, segment, peer);
            if let Some(told) = self.converse(at, by, segment, followed) {
                tell(told);
            }
            if followed.shows_waiting() {
                self.waits_for().into_iter().for_each(&mut tell);
            }
            let parts = by == End::Server && followed.fin;
            let in_result = if parts { self.session.in_result() } else { None };
            if let Some(error) = self.session.parting_error().filter(|_| parts) {
                tell(error);
            }
            let (own, peer) = self.ends(by);
            if own.may_tell(at, followed) {
                followed.events(by, segment, own.window(peer), in_result).for_each(tell);
            }
        }
    }

    /// Takes what is new in the payload as the next words of the session.
    fn converse(
        &mut self,
        at: Timestamp,
        by: End,
        segment: &Segment<'_>,
        followed: Followed,
    ) -> Option<SocketEventKind> {
        if followed.jumped && by == End::Server {
            self.session.server_sent_unseen();
        }
        if followed.new == 0 {
            return None;
        }
        let known = (segment.length - followed.new) as usize;
        let payload = segment.payload.get(known..).unwrap_or_default();
        match by {
            End::Client => self.session.client_sent(at, payload),
            End::Server => self.session.server_sent(&Said {
                payload,
                whole: segment.payload.len() >= segment.length as usize,
                answers_all: self.client.next_seq.is_none_or(|next| segment.ack == next),
            }),
        }
    }

    /// Whether `segment` tells that an end gives up the connection, for the first time.
    pub(super) fn is_given_up_by(&self, by: End, segment: &Segment<'_>) -> bool {
        let own = self.sent_by(by);
        segment.has(RST) && !own.reset || segment.has(FIN) && !own.fin
    }

    /// Whether nothing more is to be expected of it.
    pub(super) fn has_ended(&self) -> bool {
        self.client.fin && self.server.fin || self.client.reset || self.server.reset
    }

    /// When its counters are to be told that have changed at `at`.
    pub(super) fn next_due(&self, at: Timestamp) -> Timestamp {
        let in_trouble = self.client.closed || self.server.closed;
        at + if in_trouble { PACE_IN_TROUBLE } else { PACE }
    }

    /// Counts what is missing of it.
    pub(super) fn settle_gaps(&mut self, now: Timestamp) -> u64 {
        let (client_ack, server_ack) = (self.client.ack, self.server.ack);
        self.client.settle_gaps(now, server_ack) + self.server.settle_gaps(now, client_ack)
    }

    /// What the client waits for, if its window or the server's is closed and it was not told yet.
    pub(super) fn waits_for(&mut self) -> Option<SocketEventKind> {
        let in_trouble = self.client.closed || self.server.closed;
        if in_trouble { self.session.waits_for(self.statements) } else { None }
    }

    /// Its counters.
    pub(super) fn sample(&self) -> SocketEventKind {
        SocketEventKind::Wire(Box::new(WireSample {
            client: self.client.sample(&self.server),
            server: self.server.sample(&self.client),
            last_read: None,
            untold_by_client: 0,
            untold_by_server: 0,
        }))
    }

    fn sent_by(&self, end: End) -> &Direction {
        match end {
            End::Client => &self.client,
            End::Server => &self.server,
        }
    }

    /// What `end` has sent, and what its peer has.
    fn ends(&mut self, end: End) -> (&mut Direction, &mut Direction) {
        match end {
            End::Client => (&mut self.client, &mut self.server),
            End::Server => (&mut self.server, &mut self.client),
        }
    }
}
