//! What is known of one stall: from the closing of the client's window until the server is known to write again, or
//! to the end. The window may open and close again in between.

use std::time::Duration;

use crate::clock::{Used, WriteClock};
use crate::connection::{Curve, Told};
use crate::flow::Vantage;
use crate::sample::DirectionSample;
use crate::time::{TimeRange, Timestamp};

/// A thing counted at each vantage by itself: what was seen at both ends happened once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen([u32; 3]);

impl Seen {
    pub(crate) fn note(&mut self, seen_at: Vantage) {
        let count = &mut self.0[match seen_at {
            Vantage::Client => 0,
            Vantage::Server => 1,
            Vantage::Wire => 2,
        }];
        *count = count.saturating_add(1);
    }

    pub(crate) fn count(&self) -> u32 {
        self.0.into_iter().max().unwrap_or(0)
    }
}

/// The first probe comes at least this long after data began to wait.
const FAST_PROBE: Duration = Duration::from_millis(200);

/// And at most this long after it.
const SLOW_PROBE: Duration = Duration::from_secs(1);

/// One stall.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own; they come true in any order")]
pub(crate) struct Stall {
    /// When the window closed first, of those closings that were told as one stall.
    pub(crate) began: Timestamp,
    /// When the window closed last.
    pub(crate) closed: TimeRange,
    /// Whether that closing itself was seen, and not found out later.
    pub(crate) closing_seen: bool,
    /// Whether the window had been open since the first closing.
    pub(crate) reopened: bool,
    /// Whether it has been closed for long enough not to be a transient.
    pub(crate) settled: bool,
    /// The server's wait, while there is reason to believe in one.
    pub(crate) clock: Option<WriteClock>,
    /// Whether the latest start of that wait is the moment it was judged at, so that it moves on with time.
    pub(crate) open_ended: bool,
    /// The wait that used most of its timeout, of those that are over.
    pub(crate) most_used: Option<Used>,
    /// Whether it was told that the client is at risk.
    pub(crate) announced: bool,
    /// The latest start of the wait that the present phase was told of. A wait that began later is another one.
    pub(crate) told_of: Timestamp,
    /// Whether the server's socket or its RST has shown that it gave up.
    pub(crate) abort_seen: bool,
    /// When the server said that it has written all, if that was the last it said.
    pub(crate) all_written: Option<Timestamp>,
    /// Zero-window probes since the window closed.
    pub(crate) probes: Seen,
    /// The first of them.
    pub(crate) first_probe: Option<Timestamp>,
    /// Their answers with window zero.
    pub(crate) probe_acks: Seen,
    /// What the client has acknowledged.
    pub(crate) curve: Curve,
    /// How the answer came in that it stopped to read, as far as it came.
    pub(crate) answer: Option<Answer>,
    /// How far both ends had come when the server was lost; until then, how far they have come.
    pub(crate) progress: Option<Progress>,
}

/// What came of an answer before the window closed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    /// When its first bytes were acknowledged.
    pub(crate) began: Timestamp,
    /// The longest time since then in which nothing came.
    pub(crate) pause: Duration,
    /// What was acknowledged of it.
    pub(crate) bytes: u64,
}

/// How far both ends have come, as counted in one place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    /// Where it was counted.
    pub(crate) seen_at: Vantage,
    /// By what.
    pub(crate) told: Told,
    /// The server's payload that the client has received.
    pub(crate) received: u64,
    /// The client's payload that the server has acknowledged.
    pub(crate) acknowledged: u64,
}

impl Progress {
    /// What was added since `earlier`, if both were counted in the same place.
    pub(crate) fn since(self, earlier: Self) -> Option<Self> {
        ((self.seen_at, self.told) == (earlier.seen_at, earlier.told)).then(|| Self {
            received: self.received.saturating_sub(earlier.received),
            acknowledged: self.acknowledged.saturating_sub(earlier.acknowledged),
            ..self
        })
    }
}

impl Stall {
    /// The window closed at some moment of this range; the closing was seen, or found out later.
    pub(crate) fn new(closed: TimeRange, closing_seen: bool) -> Self {
        Self {
            began: closed.earliest,
            closed,
            closing_seen,
            reopened: false,
            settled: false,
            clock: None,
            open_ended: false,
            most_used: None,
            announced: false,
            told_of: Timestamp::EPOCH,
            abort_seen: false,
            all_written: None,
            probes: Seen::default(),
            first_probe: None,
            probe_acks: Seen::default(),
            curve: Curve::new(closed),
            answer: None,
            progress: None,
        }
    }

    /// The window has closed again, and it is not known that the server could write in between.
    pub(crate) fn closes_again(&mut self, closed: TimeRange, closing_seen: bool) {
        (self.closed, self.closing_seen, self.reopened) = (closed, closing_seen, true);
        (self.probes, self.first_probe, self.probe_acks) = (Seen::default(), None, Seen::default());
        if !self.announced {
            self.began = closed.earliest;
        }
    }

    /// The server waits by this clock, or does not wait. If that is a later wait than the one of before, that one is
    /// over since the client acknowledged something, as nothing else makes room in the send buffer. Where nothing was
    /// acknowledged since the window closed, it is the same wait, better known.
    pub(crate) fn waits_by(&mut self, clock: Option<WriteClock>) {
        let acknowledged = self.curve.last_advance();
        let has_drained = self.reopened || acknowledged > self.closed.latest;
        let is_later =
            |before: &WriteClock| clock.is_none_or(|clock| clock.started.earliest > before.started.earliest);
        if let Some(before) = self.clock.filter(|before| has_drained && is_later(before)) {
            let until = clock.map_or(acknowledged, |clock| clock.started.latest.min(acknowledged));
            self.most_used = Used::most(self.most_used, Some(Used::by(before, until)));
        }
        self.clock = clock;
    }

    /// The server's FIN or RST came at `at`. If its time was up by then, its wait had begun so long before.
    pub(crate) fn gave_up_by(&mut self, at: Timestamp) {
        let Some(clock) = &mut self.clock else { return };
        let latest = clock.started.latest.min(at - clock.timeout.duration);
        if latest >= clock.started.earliest {
            clock.started.latest = latest;
        }
    }

    /// The server's wait ends in time.
    pub(crate) fn wait_ends(&mut self, at: Timestamp) {
        let used = self.clock.take().map(|clock| Used::by(clock, at));
        self.most_used = Used::most(self.most_used, used);
        self.curve.not_waiting_at(at);
    }

    /// The wait that used most of its timeout, if the present one is over at `until`.
    pub(crate) fn used_until(&self, until: Timestamp) -> Option<Used> {
        Used::most(self.most_used, self.clock.map(|clock| Used::by(clock, until)))
    }

    /// What the counters of the client's direction tell of the time before. The server read its last command at
    /// `commanded_at`.
    pub(crate) fn remember(
        &mut self,
        at: Timestamp,
        sample: &DirectionSample,
        commanded_at: Option<Timestamp>,
    ) {
        // What comes while the window is closed need not have been read.
        let commanded_at = commanded_at.filter(|commanded_at| *commanded_at <= self.closed.earliest);
        self.curve.note_earlier(at, sample, commanded_at);
        if let Some(began) = sample.answered.as_deref().filter(|began| began.at <= self.closed.latest) {
            let bytes = sample.acknowledged.saturating_sub(began.acknowledged);
            self.answer = Some(Answer { began: began.at, pause: began.pause, bytes });
        }
        if let Some(commanded_at) = commanded_at {
            self.curve.not_waiting_at(commanded_at);
        }
    }

    /// A zero-window probe, seen or answered.
    pub(crate) fn probed(&mut self, at: Timestamp, seen_at: Vantage) {
        self.probes.note(seen_at);
        self.first_probe = Some(self.first_probe.map_or(at, |known| known.min(at)));
    }

    /// When data began to wait behind the window, if that was later than its closing: the first probe came so late
    /// that nothing had waited until shortly before it.
    ///
    /// The first probe comes one retransmission timeout after data began to wait (`tcp_check_probe_timer`,
    /// include/net/tcp.h): 200 ms or more (`TCP_RTO_MIN`), and rarely more than a second.
    pub(crate) fn began_to_wait(&self) -> Option<TimeRange> {
        let probe = self.first_probe.filter(|_| self.closing_seen)?;
        (probe > self.closed.latest + SLOW_PROBE)
            .then(|| TimeRange { earliest: probe - SLOW_PROBE, latest: probe - FAST_PROBE })
    }
}

/// The last time a server has written into its socket, found out by the samples of that socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastWrite {
    /// What was read before it; `None` where nothing was.
    pub(crate) before: Option<BeforeWrite>,
    /// When it was over.
    pub(crate) until: Timestamp,
}

/// The server's socket before it was written to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BeforeWrite {
    /// When it was read.
    pub(crate) at: Timestamp,
    /// `bytes_acked` then.
    pub(crate) acked: u64,
    /// Everything sent by then, by the same count.
    pub(crate) sent: u64,
    /// The size of the send buffer then.
    pub(crate) send_buffer: u32,
}
