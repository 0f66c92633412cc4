//! How a connection ends, and what its client still has to read.

use crate::connection::{Connection, Drain, FAREWELL, Greeting, Phase};
use crate::finding::FindingKind;
use crate::flow::End;
use crate::rules::Context;
use crate::sample::SocketSample;
use crate::time::Timestamp;

impl Connection {
    /// The server's FIN is on the wire, or has arrived.
    pub(super) fn server_finished(&mut self, at: Timestamp, cx: &mut Context<'_>) {
        if self.server.finished || self.is_closed(at, End::Server, false) {
            return;
        }
        // A server that resets when its time is up has closed for another reason.
        let resets = self.greeting().is_some_and(Greeting::resets_at_abort);
        self.leaves(at, if resets { End::Client } else { End::Server }, cx);
        self.server.finished = true;
        self.shows_end(at);
        self.note_ending(at, Some(End::Server), false);
        if self.client.finished {
            self.closed(at, cx);
            return;
        }
        let troubled = self.is_troubled();
        self.phase = Phase::ServerClosed;
        if troubled {
            self.tell_server_closed(at, false, cx);
        }
    }

    /// The server's socket is in FIN-WAIT-1 since some moment between `since` and `at`: the server has closed,
    /// but its FIN may be stuck behind the data.
    pub(super) fn server_closes(&mut self, since: Timestamp, at: Timestamp, cx: &mut Context<'_>) {
        self.leaves(at, End::Server, cx);
        match self.clock().map(|clock| clock.abort().earliest) {
            // Between two looks at the socket, the deadline is the best guess.
            Some(deadline) => self.server_gave_up(deadline.max(since).min(at), cx),
            None if self.phase < Phase::Lost => self.server_finished(at, cx),
            None => {}
        }
    }

    /// The client's FIN.
    pub(super) fn client_finished(&mut self, at: Timestamp, cx: &mut Context<'_>) {
        if self.client.finished || self.is_closed(at, End::Client, false) {
            return;
        }
        self.leaves(at, End::Client, cx);
        self.client.finished = true;
        self.note_ending(at, Some(End::Client), false);
        if self.server.finished {
            self.closed(at, cx);
        } else if self.is_troubled() {
            self.find(at, FindingKind::ClientClosed { reset: false }, cx);
        }
    }

    /// An RST.
    pub(super) fn reset(&mut self, at: Timestamp, by: End, cx: &mut Context<'_>) {
        if self.is_closed(at, by, true) || self.ending().is_some_and(|ending| ending.reset) {
            return;
        }
        let troubled = self.is_troubled();
        self.note_ending(at, Some(by), true);
        match by {
            End::Client => {
                if troubled {
                    self.find(at, FindingKind::ClientClosed { reset: true }, cx);
                }
                self.closed(at, cx);
            }
            End::Server => {
                self.shows_end(at);
                self.server_gave_up(at, cx);
                self.phase = Phase::ServerClosed;
                self.server.gone = true;
                if troubled {
                    self.tell_server_closed(at, true, cx);
                }
                // An RST does not take from the application what had come in: it reads on until its socket is
                // destroyed.
                if !self.client.is_alive() {
                    self.closed(at, cx);
                }
            }
        }
    }

    /// The server's FIN or RST tells by when it had given up.
    fn shows_end(&mut self, at: Timestamp) {
        if let Some(stall) = self.stall.as_deref_mut() {
            stall.gave_up_by(at);
        }
    }

    /// The socket at `end` is gone.
    pub(super) fn socket_gone(&mut self, at: Timestamp, end: End, cx: &mut Context<'_>) {
        self.end_mut(end).gone = true;
        if !self.end(end.peer()).is_alive() {
            self.closed(at, cx);
        }
    }

    /// Whether the connection is gone already. What comes then may be why: on a busy host a poll may find a socket gone
    /// and tell it before its last segments are told.
    fn is_closed(&mut self, at: Timestamp, by: End, reset: bool) -> bool {
        let is_closed = self.phase == Phase::Closed;
        if is_closed && self.ending().is_some_and(|ending| ending.by.is_none() && at <= ending.at) {
            self.note_ending(at, Some(by), reset);
        }
        is_closed
    }

    /// The connection is gone.
    pub(crate) fn closed(&mut self, at: Timestamp, cx: &mut Context<'_>) {
        if self.phase == Phase::Closed {
            return;
        }
        let troubled = self.is_troubled();
        self.note_ending(at, None, false);
        self.phase = Phase::Closed;
        self.last_seen = self.last_seen.max(at);
        if troubled {
            let by = self.ending().and_then(|ending| ending.by);
            let troubled_for = self.stall.as_ref().map(|stall| at.since(stall.began));
            self.find(at, FindingKind::Closed { by, troubled_for }, cx);
        }
    }

    /// A sample of the client's socket, for what it still has to read.
    pub(super) fn drain_sampled(&mut self, at: Timestamp, sample: &SocketSample, cx: &mut Context<'_>) {
        if !matches!(self.phase, Phase::Lost | Phase::ServerClosed) {
            return;
        }
        let drain = self.drain.get_or_insert_with(|| Box::new(Drain::new(at, sample)));
        drain.sample(at, sample);
        if self.phase == Phase::ServerClosed {
            drain.fails_at = drain.done_at(at, sample.recv_queue);
            if sample.recv_queue > FAREWELL && !self.told_server_closed {
                let (closed_at, reset) =
                    self.ending().map_or((at, false), |ending| (ending.at, ending.reset));
                self.tell_server_closed(closed_at, reset, cx);
            }
        }
    }

    fn tell_server_closed(&mut self, at: Timestamp, reset: bool, cx: &mut Context<'_>) {
        self.told_server_closed = true;
        if let (Some(drain), Some((_, sample))) = (self.drain.as_deref_mut(), self.client.socket.as_deref()) {
            // Until then more had come, as much as was read: the queue is as full as it was seen last.
            drain.fails_at = drain.fails_at.or_else(|| drain.done_at(at, sample.recv_queue));
        }
        let (unread, fails_at) = (self.unread(), self.fails_at());
        self.find(at, FindingKind::ServerClosed { reset, unread, fails_at }, cx);
    }

    /// Whether something was told of it that has not come to a good end.
    pub(super) fn is_troubled(&self) -> bool {
        self.told_server_closed || self.stall.as_ref().is_some_and(|stall| stall.announced)
    }
}
