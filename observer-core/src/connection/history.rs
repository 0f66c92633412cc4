//! What is remembered of a connection for its verdict.

use std::time::Duration;

use crate::clock::{Used, WriteClock};
use crate::connection::Ending;
use crate::finding::FindingKind;
use crate::flow::End;
use crate::seq::SeqNumber;
use crate::time::Timestamp;

/// What has happened to a connection. One that has only ever been well has none.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own; they come true in any order")]
pub(crate) struct History {
    /// The newest finding: those of one connection never go back in time.
    pub(crate) last_finding: Timestamp,
    /// The stall that was told and is not over.
    pub(crate) stall: Option<Trouble>,
    /// The stalls that are over.
    pub(crate) past: Past,
    /// When the server's own wait, which was seen, ended last, and the server could write.
    pub(crate) wait_ended: Option<Timestamp>,
    /// When the server's own socket showed that it has closed.
    pub(crate) gave_up: Option<Timestamp>,
    /// Bytes that its socket had yet to send then, or to see acknowledged, by the last poll before.
    pub(crate) queued: Option<u64>,
    /// The server's process list no longer had the session.
    pub(crate) gone: Option<Gone>,
    /// Whether the server's process ended and left it to the kernel to close.
    pub(crate) server_died: bool,
    /// The number of the last ERR packet that nobody asked for, and when it came.
    pub(crate) error: Option<(Timestamp, u16)>,
    /// Whether the client said COM_QUIT.
    pub(crate) quit: bool,
    /// How it ended, once it has.
    pub(crate) ending: Option<Ending>,
    /// Whether the server was called lost when the connection ended.
    pub(crate) was_lost: bool,
    /// The server's FIN.
    pub(crate) fin: Option<ServerFin>,
    /// Data without an answer, of an end that has ever sent something again.
    pub(crate) unanswered: Option<Unanswered>,
    /// When the client's first FIN or RST was seen.
    pub(crate) client_left: Option<Timestamp>,
    /// When the server had acknowledged the client's last data, as known when the connection ended.
    pub(crate) command: Option<Timestamp>,
    /// When the client had acknowledged the server's last data, as known when the connection ended.
    pub(crate) reply: Option<Timestamp>,
    /// Bytes the application had not read when the server's end was told.
    pub(crate) unread: Option<u64>,
    /// What became of the server's other connections.
    pub(crate) siblings: Option<Siblings>,
    /// Whether the verdict was told.
    pub(crate) told: bool,
}

/// A session that the server's process list no longer had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    /// When it was still there.
    pub(crate) there: Timestamp,
    /// When it was not.
    pub(crate) at: Timestamp,
}

/// A stall that was told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trouble {
    /// When the window closed.
    pub(crate) since: Timestamp,
    /// The clock as last told.
    pub(crate) clock: WriteClock,
}

/// The stalls of a connection that are over.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Past {
    /// How many.
    pub(crate) count: u32,
    /// How long all of them took, from the closing of the window.
    pub(crate) total: Duration,
    /// The longest of them.
    pub(crate) longest: Duration,
    /// The wait that used most of its timeout.
    pub(crate) most_used: Option<Used>,
    /// The last of them.
    pub(crate) last: Option<PastStall>,
}

/// A stall that is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PastStall {
    pub(crate) stall: Trouble,
    /// When the client read again.
    pub(crate) over: Timestamp,
    /// What the client had acknowledged when its window closed.
    pub(crate) acknowledged: Option<SeqNumber>,
}

/// The server's FIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServerFin {
    /// When the first was seen.
    pub(crate) at: Timestamp,
    /// Its sequence number.
    pub(crate) seq: SeqNumber,
    /// Whether it cut a result off.
    pub(crate) in_result: Option<bool>,
    /// Bytes the server sent after the last sample of the connection.
    pub(crate) since_sample: Option<u32>,
}

/// Data without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unanswered {
    /// Who sends it.
    pub(crate) by: End,
    /// Since when.
    pub(crate) since: Timestamp,
    /// What the sender had sent again when that was noticed: it may have been long before.
    pub(crate) sent_again_before: u32,
    /// What it has sent again by now.
    pub(crate) sent_again: u32,
}

impl Unanswered {
    /// As it is known by now, after what was known `before`: of the same silence or of another.
    pub(crate) fn after(self, before: Option<Self>) -> Self {
        let same = before.filter(|before| (before.by, before.since) == (self.by, self.since));
        Self { sent_again_before: same.unwrap_or(self).sent_again_before, ..self }
    }

    /// How often something was seen to be sent again since.
    pub(crate) const fn retransmissions(&self) -> u32 {
        self.sent_again.saturating_sub(self.sent_again_before)
    }
}

/// What became of the other connections of the same server when this one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Siblings {
    /// Others that the server ended without a reason of their own since it was last known to live.
    pub(crate) ended: u32,
    /// The most of them that ended within one moment, this one included.
    pub(crate) at_once: u32,
    /// Others that are open, and do not stand still.
    pub(crate) open: u32,
    /// Whether the server was known to live soon after.
    pub(crate) alive: bool,
    /// Whether the server told any of them that it shuts down (error 1053).
    pub(crate) shutdown: bool,
    /// Whether any of them was cut off in the middle of a result.
    pub(crate) cut: bool,
    /// When the first of them ended.
    pub(crate) first: Timestamp,
    /// When the server answered again, where that was seen.
    pub(crate) back: Option<Timestamp>,
}

/// A server takes its leave with one ERR packet at most, which nobody reads: 4031, "The client was disconnected by the server
/// because of inactivity", of MySQL from 8.0.24 on, takes 149 bytes, in TLS 171. That is no unread result.
pub(crate) const FAREWELL: u32 = 512;

impl ServerFin {
    /// Whether it came behind a few bytes that cannot be read: where results can be, so can a farewell.
    pub(crate) fn is_behind_a_farewell(self) -> bool {
        self.in_result.is_none() && self.since_sample.is_some_and(|bytes| (1..=FAREWELL).contains(&bytes))
    }
}

impl History {
    /// Notes what was found at `at`. `closed_ack` is what the client had acknowledged when its window closed last.
    pub(crate) fn note(&mut self, at: Timestamp, kind: &FindingKind, closed_ack: Option<SeqNumber>) {
        match kind {
            FindingKind::Stalled { since, clock, .. } => {
                self.stall = Some(Trouble { since: *since, clock: *clock });
            }
            FindingKind::Warning { clock, .. } | FindingKind::Critical { clock, .. } => self.clock_is(*clock),
            FindingKind::Lost { clock, seen } => {
                self.clock_is(*clock);
                self.gave_up = seen.then_some(at);
            }
            FindingKind::Recovered { stalled_for, used, clock } => {
                self.gave_up = None;
                self.past.add(*stalled_for, clock.map(|clock| Used { clock, share: *used }));
                let over = |stall: Trouble| PastStall {
                    stall,
                    over: stall.since + *stalled_for,
                    acknowledged: closed_ack,
                };
                self.past.last = self.stall.take().map(over);
            }
            FindingKind::ServerClosed { unread, .. } => self.unread = *unread,
            _ => {}
        }
    }

    fn clock_is(&mut self, clock: WriteClock) {
        if let Some(stall) = &mut self.stall {
            stall.clock = clock;
        }
    }
}

impl Past {
    fn add(&mut self, stalled_for: Duration, used: Option<Used>) {
        self.count = self.count.saturating_add(1);
        self.total = self.total.saturating_add(stalled_for);
        self.longest = self.longest.max(stalled_for);
        self.most_used = Used::most(self.most_used, used);
    }
}
