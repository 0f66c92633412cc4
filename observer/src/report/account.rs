//! What is kept of one connection while its recording is read. All of it is bounded.

mod continuation;

use std::collections::{BTreeMap, VecDeque};

use observer_core::{
    Account as Login, Confidence, Config, Connection, End, Ending, Event, EventKind, Finding, FindingKind,
    Flow, Greeting, Hidden, Phase, Severity, SocketEventKind, Statement, TcpState, TimeRange, Timeout,
    Timestamp, Vantage, Verdict, VerdictKind,
};
use serde::Serialize;

pub(super) use self::continuation::Gap;
use super::curve::Curve;
use super::holder::Holder;

/// Stalls kept of one connection, the last ones: the fatal one is among them.
const STALLS: usize = 32;
/// Probes kept of one stall; they double their distance, so these are hours.
const PROBES: usize = 64;

/// A time of closed window.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stall {
    /// When the window closed.
    pub(super) start: Timestamp,
    /// When it opened again, or the connection ended.
    pub(super) end: Option<Timestamp>,
    /// Whether the window was seen to open then.
    pub(super) reopened: bool,
    /// How often the server probed it.
    pub(super) probes: u32,
    /// When it was seen to do so, the first times.
    pub(super) probed_at: Vec<Timestamp>,
    /// When the server would have given up, or did, where its clock ran.
    pub(super) deadline: Option<TimeRange>,
}

/// A moment in the life of a connection. Of each kind the first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mark {
    /// It was opened.
    Opened,
    /// The first share of net_write_timeout was used.
    Warning,
    /// The server's socket or its RST showed that it has given up.
    GaveUp,
    /// The server's deadline had passed.
    Deadline,
    /// The server sent its FIN.
    ServerFin,
    /// The server sent an RST.
    ServerReset,
    /// The client sent its FIN.
    ClientFin,
    /// The client sent an RST.
    ClientReset,
    /// The application closed its socket: it has noticed.
    ApplicationClosed,
    /// Observations were lost while the connection lived.
    EventsLost,
}

/// What is known of one connection at the end of its recording.
#[derive(Clone, Debug)]
pub(super) struct Account {
    /// Its addresses.
    pub(super) flow: Flow,
    /// Where it was seen, each place once.
    pub(super) seen_at: Vec<Vantage>,
    /// The kernel's cookies of its sockets, by where they were seen.
    cookies: Vec<(Vantage, u64)>,
    /// When the observation of it began and ended; once the account is finished.
    observed: Option<TimeRange>,
    /// Where several observations of it follow each other, the times between them, the last ones.
    pub(super) gaps: Vec<Gap>,
    /// When it was opened, where that was seen.
    pub(super) opened_at: Option<Timestamp>,
    /// When it was gone.
    pub(super) closed_at: Option<Timestamp>,
    /// The first event of it.
    pub(super) first_seen: Timestamp,
    /// The last event of it.
    pub(super) last_seen: Timestamp,
    /// The server's greeting.
    pub(super) greeting: Option<Greeting>,
    /// Who has the client's socket open.
    pub(super) client_process: Option<Box<Holder>>,
    /// Who has the server's.
    pub(super) server_process: Option<Box<Holder>>,
    /// Who logged in.
    pub(super) login: Option<Box<Login>>,
    /// What the client waited for when it stood still last.
    pub(super) statement: Option<Box<Statement>>,
    /// What only the server has told.
    pub(super) told: Told,
    /// Whether a result was under way at the end, while the client stood still.
    pub(super) in_flight: Option<bool>,
    /// What keeps an observer from reading all that the client says.
    pub(super) hidden: Option<Hidden>,
    /// The net_write_timeout in force.
    pub(super) timeout: Timeout,
    /// The last of its stalls that were more than a touch.
    pub(super) stalls: VecDeque<Stall>,
    /// Such stalls before them.
    pub(super) stalls_left_out: u64,
    /// When the server gave up or will, if it is still so.
    pub(super) abort: Option<TimeRange>,
    /// Moments.
    pub(super) marks: BTreeMap<Mark, Timestamp>,
    /// What became of it.
    pub(super) verdict: Option<Verdict>,
    /// The most severe finding about it.
    pub(super) severity: Option<Severity>,
    /// What its chart is drawn from, where there was room for it; once the account is finished.
    pub(super) curve: Option<Curve>,
    /// The present stall, if there is one.
    stall: Option<Stall>,
    /// Probes that the judgement had counted when the present stall began.
    probes_before: u32,
    /// The vantage whose probes are counted; at the other end the same ones are seen.
    probes_at: Option<Vantage>,
}

/// What a server has told of its session that could not be read on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// The user, where the login did not say the same.
    pub(super) user: Option<String>,
    /// The last statement of which the client's own words could not be read.
    pub(super) statement: Option<String>,
}

impl Told {
    fn update(&mut self, connection: &Connection) {
        if self.user.as_deref() != connection.user_by_server() {
            self.user = connection.user_by_server().map(str::to_owned);
        }
        // Between two statements there is none.
        let statement = connection.statement_by_server();
        if statement.is_some() && statement != self.statement.as_deref() {
            self.statement = statement.map(str::to_owned);
        }
    }
}

impl Account {
    /// An account that begins with what is known now.
    pub(super) fn new(connection: &Connection) -> Self {
        Self {
            flow: connection.flow(),
            seen_at: Vec::new(),
            cookies: Vec::new(),
            observed: None,
            gaps: Vec::new(),
            opened_at: None,
            closed_at: None,
            first_seen: connection.first_seen(),
            last_seen: connection.last_seen(),
            greeting: None,
            client_process: None,
            server_process: None,
            login: None,
            statement: None,
            told: Told::default(),
            in_flight: None,
            hidden: connection.hidden(),
            timeout: connection.timeout(),
            stalls: VecDeque::new(),
            stalls_left_out: 0,
            abort: None,
            marks: BTreeMap::new(),
            verdict: None,
            severity: None,
            curve: None,
            stall: None,
            probes_before: 0,
            probes_at: None,
        }
    }

    /// Takes an event, after the judgement has.
    pub(super) fn observe(&mut self, event: &Event, connection: &Connection, config: &Config) {
        let EventKind::Socket(socket) = &event.kind else { return };
        let seen_at = socket.socket.seen_at;
        if !self.seen_at.contains(&seen_at) {
            self.seen_at.push(seen_at);
            self.cookies.extend(socket.socket.cookie.map(|cookie| (seen_at, cookie)));
        }
        self.follow_stall(event.at, connection, config);
        match &socket.kind {
            SocketEventKind::ZeroWindowProbe { by: End::Server } => self.probed(event.at, seen_at),
            SocketEventKind::Fin { by, .. } => self.mark(event.at, fin(*by)),
            SocketEventKind::Reset { by } => self.mark(event.at, reset(*by)),
            SocketEventKind::State { to, .. } if seen_at == Vantage::Client && is_closing(*to) => {
                self.mark(event.at, Mark::ApplicationClosed);
                self.hold(connection);
            }
            SocketEventKind::Destroyed if seen_at == Vantage::Client => {
                self.mark(event.at, Mark::ApplicationClosed);
            }
            SocketEventKind::Owners(_) | SocketEventKind::State { .. } => self.hold(connection),
            _ => {}
        }
        self.update(event.at, connection, config);
    }

    /// Takes a finding about it; `connection` where it is still known.
    pub(super) fn find(&mut self, finding: &Finding, connection: Option<&Connection>, config: &Config) {
        self.severity = self.severity.max(Some(finding.kind.severity()));
        match &finding.kind {
            FindingKind::Warning { .. } => self.mark(finding.at, Mark::Warning),
            FindingKind::Lost { seen: true, .. } => self.mark(finding.at, Mark::GaveUp),
            FindingKind::Lost { seen: false, .. } => self.mark(finding.at, Mark::Deadline),
            // It was not so: what was a deadline is none.
            FindingKind::Recovered { .. } => {
                for mark in [Mark::Warning, Mark::Deadline, Mark::GaveUp] {
                    self.marks.remove(&mark);
                }
            }
            FindingKind::Verdict(verdict) => {
                self.take_losses_back(verdict.kind);
                self.verdict = Some((**verdict).clone());
            }
            _ => {}
        }
        if let Some(connection) = connection {
            self.update(finding.at, connection, config);
        }
    }

    /// Notes a moment; the first of its kind stays.
    pub(super) fn mark(&mut self, at: Timestamp, mark: Mark) {
        self.marks.entry(mark).or_insert(at);
    }

    /// Notes when the observation of it began and ended.
    pub(super) fn observed(&mut self, observed: TimeRange) {
        self.observed = Some(observed);
    }

    /// The recording has come to its end, or the judgement has given up the connection: `connection` where it has not.
    pub(super) fn finish(&mut self, now: Timestamp, connection: Option<&Connection>, config: &Config) {
        if let Some(connection) = connection {
            self.update(now, connection, config);
            self.hold(connection);
            self.verdict = Some(connection.verdict(now, config));
        }
        if self.verdict.is_none() {
            self.verdict = Some(given_up(self.flow));
        }
        if let Some(stall) = self.stall.take() {
            self.keep(Stall { end: self.closed_at, ..stall });
        }
    }

    fn hold(&mut self, connection: &Connection) {
        let holder = |end| Holder::of(connection.end(end)).map(Box::new);
        self.client_process = holder(End::Client);
        self.server_process = holder(End::Server);
    }

    fn update(&mut self, now: Timestamp, connection: &Connection, config: &Config) {
        self.opened_at = connection.opened_at();
        self.last_seen = connection.last_seen();
        self.timeout = connection.timeout();
        if self.greeting.as_ref() != connection.greeting() {
            self.greeting = connection.greeting().cloned();
        }
        if self.login.as_deref() != connection.account() {
            self.login = connection.account().cloned().map(Box::new);
        }
        if self.statement.as_deref() != connection.statement() {
            self.statement = connection.statement().cloned().map(Box::new);
        }
        self.told.update(connection);
        self.in_flight = connection.result_in_flight();
        self.hidden = connection.hidden();
        self.abort = connection.abort();
        // A window that closes again after the server gave up, while the client reads what is left, is no stall of it.
        if let (Some(stall), Some(abort)) = (&mut self.stall, self.abort)
            && stall.start < abort.earliest
        {
            stall.deadline = Some(abort);
        }
        if let Some(opened_at) = self.opened_at {
            self.mark(opened_at, Mark::Opened);
        }
        // It may have ended before it was of interest.
        if let Some(Ending { at, by: Some(by), reset: was_reset }) = connection.ending() {
            self.mark(at, if was_reset { reset(by) } else { fin(by) });
        }
        if connection.phase() == Phase::Closed {
            self.closed_at = Some(connection.last_seen());
            // The judgement forgets it soon.
            self.verdict = Some(connection.verdict(now, config));
        }
    }

    /// The window as the judgement sees it: what is seen at both ends happens once, and a window that was found closed
    /// counts as well as one that was seen to close.
    fn follow_stall(&mut self, at: Timestamp, connection: &Connection, config: &Config) {
        // After an RST nobody waits for a window.
        let over = self.closed_at.is_some() || connection.ending().is_some_and(|ending| ending.reset);
        let since = connection.window_closed_since().filter(|_| !over);
        if let Some(stall) = &mut self.stall {
            stall.probes = stall.probes.max(connection.probes().0.saturating_sub(self.probes_before));
            // What the judgement learns later may move the beginning a little.
            let goes_on = |since: Timestamp| since.since(stall.start) < config.debounce;
            if self.closed_at.is_none() && since.is_some_and(goes_on) {
                return;
            }
        }
        if let Some(stall) = self.stall.take() {
            let touch = stall.probes == 0 && at.since(stall.start) < config.debounce;
            if !touch {
                self.keep(Stall { end: Some(at), reopened: !over, ..stall });
            }
        }
        if let Some(start) = since {
            // After the server gave up, those of the fatal stall are counted on.
            let probes = connection.probes().0;
            self.probes_before = if connection.phase() >= Phase::Lost { probes } else { 0 };
            let probes = probes - self.probes_before;
            let (end, probed_at, reopened, deadline) = (None, Vec::new(), false, None);
            self.stall = Some(Stall { start, end, reopened, probes, probed_at, deadline });
        }
    }

    fn probed(&mut self, at: Timestamp, seen_at: Vantage) {
        let counts = *self.probes_at.get_or_insert(seen_at) == seen_at;
        if let Some(stall) = self.stall.as_mut().filter(|stall| counts && stall.probed_at.len() < PROBES) {
            stall.probed_at.push(at);
        }
    }

    fn keep(&mut self, stall: Stall) {
        if self.stalls.len() == STALLS {
            self.stalls.pop_front();
            self.stalls_left_out += 1;
        }
        self.stalls.push_back(stall);
    }

    /// The stall that counts: the last one with a clock if that has run out or still runs, else the longest.
    pub(super) fn main_stall(&self) -> Option<&Stall> {
        let length = |stall: &&Stall| {
            let end = stall.end.unwrap_or(self.last_seen);
            (stall.deadline.is_some(), end.since(stall.start))
        };
        let fatal = self.stalls.iter().rev().find(|stall| self.abort.is_some() && stall.deadline.is_some());
        fatal.or_else(|| self.stalls.iter().max_by_key(length))
    }

    /// Its moments in the order of time.
    pub(super) fn moments(&self) -> impl Iterator<Item = (Mark, Timestamp)> {
        let mut moments: Vec<_> = self.marks.iter().map(|(mark, at)| (*mark, *at)).collect();
        moments.sort_by_key(|(_, at)| *at);
        moments.into_iter()
    }
}

/// What is said of a connection that the judgement had no room for before it ended.
fn given_up(flow: Flow) -> Verdict {
    Verdict {
        kind: VerdictKind::Unknown,
        confidence: Confidence::Possible,
        at: None,
        incomplete: None,
        sentence: format!("What became of the connection of {} is not known.", flow.client),
        evidence: Vec::new(),
        ruled_out: Vec::new(),
        missing: vec!["there were more connections at once than the judgement follows".to_owned()],
        advice: Vec::new(),
    }
}

const fn fin(by: End) -> Mark {
    match by {
        End::Client => Mark::ClientFin,
        End::Server => Mark::ServerFin,
    }
}

const fn reset(by: End) -> Mark {
    match by {
        End::Client => Mark::ClientReset,
        End::Server => Mark::ServerReset,
    }
}

/// Whether the application has closed a socket that comes to this state, or its process has ended. What the server's
/// RST closes, the kernel closes; the application does not know yet.
const fn is_closing(state: TcpState) -> bool {
    matches!(state, TcpState::FinWait1 | TcpState::LastAck)
}
