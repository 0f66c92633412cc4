//! One connection and what is known of it.

mod curve;
mod drain;
mod end;
mod history;
mod own_wait;
mod reading;
mod stall;
mod window;

pub(crate) use curve::{Count, Curve, GRACE, Limits};
pub(crate) use drain::Drain;
pub use end::EndView;
pub(crate) use history::{FAREWELL, Gone, History, ServerFin, Siblings, Unanswered};
pub(crate) use own_wait::OwnWait;
pub use reading::{SocketReading, WireReading};
pub(crate) use stall::{BeforeWrite, LastWrite, Progress, Stall};
pub(crate) use window::{Told, Window, WindowChange};

use crate::clock::{Timeout, TimeoutSource, WriteClock};
use crate::flow::{ConnectionId, End, Flow};
use crate::seq::SeqNumber;
use crate::session::{Doubt, Hidden, IDLE, ServerSession, Session};
pub use crate::session::{Greeting, ServerProgram};
use crate::statement::{Account, Statement};
use crate::time::{TimeRange, Timestamp};
use crate::tracker::Slot;

/// Where a connection stands. The order is that of severity while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Nothing stands still.
    Flowing,
    /// The window is closed. Whether that is dangerous says [`Connection::clock`]: without a clock nothing is
    /// known to be queued behind the window, and no timeout runs. With one, this phase and those after it last
    /// until the server is known to write again, even if the window opens in between
    /// ([`Connection::window_closed_since`]): a client that reads too little opens it again and again.
    Stalled,
    /// The first share of the timeout is used.
    Warning,
    /// The second share of the timeout is used.
    Critical,
    /// The server has given up, its FIN is stuck behind the data. [`Connection::is_abort_seen`] says whether its
    /// socket shows it, or whether only its deadline has passed.
    Lost,
    /// The server's FIN or RST was seen; the client may still be reading what it had received.
    ServerClosed,
    /// The connection is gone.
    Closed,
}

/// How a connection ended, as far as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When the first FIN or RST was seen, or the socket disappeared.
    pub at: Timestamp,
    /// Who sent it; `None` when the socket disappeared without a word.
    pub by: Option<End>,
    /// Whether it was an RST.
    pub reset: bool,
}

/// One MySQL connection, seen at its client's end, at its server's end, or at both.
///
/// All of it is read-only to the outside; only the [`Tracker`](crate::Tracker) changes it. There may be a
/// hundred thousand of them: what most connections do not have is behind a box.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and they come true in any order"
)]
pub struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) flow: Flow,
    pub(crate) opened_at: Option<Timestamp>,
    pub(crate) first_seen: Timestamp,
    /// The newest event; no longer moved once the connection is closed.
    pub(crate) last_seen: Timestamp,
    pub(crate) phase: Phase,
    /// Whether the handshake is over.
    pub(crate) established: bool,
    pub(crate) timeout: Timeout,
    pub(crate) client: EndView,
    pub(crate) server: EndView,
    pub(crate) window: Window,
    /// The initial sequence number of the client.
    pub(crate) client_seq: Option<SeqNumber>,
    pub(crate) last_progress: Option<Timestamp>,
    /// When the server last acknowledged new data; the epoch while that is not known.
    pub(crate) last_command: Timestamp,
    /// What the client had acknowledged when the counters were told last, or before the silence that they ended.
    pub(crate) counted_ack: Option<SeqNumber>,
    /// The last acknowledgement of the client that the counters told.
    pub(crate) newest_ack: Option<SeqNumber>,
    /// When the server last wrote into its socket, by the samples of that socket, while something is queued.
    pub(crate) last_write: Option<Box<LastWrite>>,
    /// The server's own wait, while it runs or when its time was up.
    pub(crate) own_wait: Option<Box<OwnWait>>,
    /// Whether it was told that the server has closed.
    pub(crate) told_server_closed: bool,
    pub(crate) stall: Option<Box<Stall>>,
    pub(crate) drain: Option<Box<Drain>>,
    pub(crate) history: Option<Box<History>>,
    pub(crate) session: Option<Box<Session>>,
    /// The deadline the tracker has noted for it.
    pub(crate) timer: Option<Timestamp>,
    /// Whether it is on the tracker's list of those worth a closer look.
    pub(crate) is_unsettled: bool,
    /// Whether it counts among those of its server that are open and do not stand still.
    pub(crate) is_live: bool,
    /// Whether observations were lost while it lived.
    pub(crate) saw_loss: bool,
    /// The next older connection with the same addresses.
    pub(crate) older: Option<Slot>,
}

/// A hundred thousand of them have to fit into 64 MiB, with what is sampled of them.
const _: () = assert!(size_of::<Connection>() <= 392);

impl Connection {
    pub(crate) fn new(id: ConnectionId, flow: Flow, at: Timestamp, timeout: Timeout) -> Self {
        Self {
            id,
            flow,
            opened_at: None,
            first_seen: at,
            last_seen: at,
            phase: Phase::Flowing,
            established: false,
            timeout,
            client: EndView::default(),
            server: EndView::default(),
            window: Window::default(),
            client_seq: None,
            last_progress: None,
            last_command: Timestamp::EPOCH,
            counted_ack: None,
            newest_ack: None,
            last_write: None,
            own_wait: None,
            told_server_closed: false,
            stall: None,
            drain: None,
            history: None,
            saw_loss: false,
            is_live: false,
            session: None,
            timer: None,
            is_unsettled: false,
            older: None,
        }
    }

    pub(crate) fn end_mut(&mut self, end: End) -> &mut EndView {
        match end {
            End::Client => &mut self.client,
            End::Server => &mut self.server,
        }
    }

    /// What is remembered of it, from now on.
    pub(crate) fn history_mut(&mut self) -> &mut History {
        self.history.get_or_insert_default()
    }

    /// Whether the handshake was over: seen, or it existed before the observation began.
    pub(crate) fn was_established(&self) -> bool {
        self.established
            || self.opened_at.is_none()
            || self.greeting().is_some()
            || self.last_progress.is_some()
            || self.window.closings > 0
    }

    /// Its number within the tracker.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// Its two addresses.
    pub fn flow(&self) -> Flow {
        self.flow
    }

    /// When it was opened; `None` when it existed before the observation began.
    pub fn opened_at(&self) -> Option<Timestamp> {
        self.opened_at
    }

    /// When the first event of it was seen.
    pub fn first_seen(&self) -> Timestamp {
        self.first_seen
    }

    /// When the last event of it was seen, up to its end.
    pub fn last_seen(&self) -> Timestamp {
        self.last_seen
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The net_write_timeout in force, and how that is known.
    pub fn timeout(&self) -> Timeout {
        self.timeout
    }

    /// What is known at `end`.
    pub fn end(&self, end: End) -> &EndView {
        match end {
            End::Client => &self.client,
            End::Server => &self.server,
        }
    }

    /// Whether `end` is on this host.
    pub fn is_local(&self, end: End) -> bool {
        self.end(end).is_local()
    }

    /// The window the client advertised last, scaled, in bytes.
    pub fn window(&self) -> Option<u32> {
        self.window.size
    }

    /// The largest window the client has advertised, scaled, in bytes.
    pub fn largest_window(&self) -> u32 {
        self.window.largest
    }

    /// When the client's window closed, while it is closed.
    pub fn window_closed_since(&self) -> Option<Timestamp> {
        self.window.closed_since
    }

    /// How often the client's window has closed.
    pub fn zero_windows(&self) -> u32 {
        self.window.closings
    }

    /// Probes of the present, the last or the fatal zero window, and how many of them were answered with window zero.
    pub fn probes(&self) -> (u32, u32) {
        self.stall.as_ref().map_or((0, 0), |stall| (stall.probes.count(), stall.probe_acks.count()))
    }

    /// The server's write clock, while it runs or has run out.
    pub fn clock(&self) -> Option<&WriteClock> {
        self.stall.as_ref()?.clock.as_ref()
    }

    /// When the server gives up or gave up.
    pub fn abort(&self) -> Option<TimeRange> {
        self.clock().map(WriteClock::abort)
    }

    /// Whether the server's socket, its RST or its process list has shown that it gave up; otherwise only its deadline
    /// says so.
    pub fn is_abort_seen(&self) -> bool {
        self.stall.as_ref().is_some_and(|stall| stall.abort_seen)
    }

    /// How it ended, once it has.
    pub fn ending(&self) -> Option<Ending> {
        self.history.as_ref()?.ending
    }

    /// When the client last acknowledged new data.
    pub fn last_progress(&self) -> Option<Timestamp> {
        self.last_progress
    }

    /// Bytes received and not read by the application, where the client's end is on this host.
    pub fn unread(&self) -> Option<u64> {
        self.client.socket.as_ref().map(|sample| u64::from(sample.1.recv_queue))
    }

    /// Bytes that wait at the server, where the server's end is on this host; of a socket that is gone those that it took
    /// with it, which are none if its FIN, the last it sends, had gone out.
    pub fn queued(&self) -> Option<u64> {
        let (_, sample) = self.server.socket.as_deref()?;
        let is_done = self.server.gone && self.server.finished;
        Some(if is_done { 0 } else { sample.send_queue.into() })
    }

    /// Bytes that the server's socket still holds though the server has given up, as long as it is there.
    pub fn held_by_orphan(&self) -> Option<u64> {
        let is_orphan = self.phase == Phase::Lost && self.is_abort_seen() && self.server.is_alive();
        self.queued().filter(|queued| is_orphan && *queued > 1)
    }

    /// The rate at which the application reads what is left after the server gave up, in bytes a second.
    pub fn drain_rate(&self) -> Option<f64> {
        self.drain.as_ref()?.rate()
    }

    /// After the server has closed: when the application will notice at its present rate, where that is known.
    pub fn fails_at(&self) -> Option<Timestamp> {
        self.drain.as_ref()?.fails_at
    }

    /// The server's program, as its greeting says.
    pub fn server_program(&self) -> ServerProgram {
        self.greeting().map(Greeting::server_program).unwrap_or_default()
    }

    /// What the session has agreed on and set for itself; `None` where neither its beginning nor any command that bears
    /// on a timeout was seen.
    pub fn session(&self) -> Option<&Session> {
        self.session.as_deref()
    }

    /// What the server told of the session when it was asked last, and when that was; `None` where it is not asked.
    pub fn told_by_server(&self) -> Option<&(Timestamp, ServerSession)> {
        self.session()?.told_by_server()
    }

    /// Why the session may have a net_write_timeout that is not [`timeout`](Self::timeout); `None` where it was seen,
    /// or all that the session did.
    pub fn timeout_doubt(&self) -> Option<Doubt> {
        if self.timeout.source == TimeoutSource::Wait {
            return None;
        }
        self.session().map_or(Some(Doubt::BeganBefore), Session::doubt)
    }

    /// Who logged in, where that could be read.
    pub fn account(&self) -> Option<&Account> {
        self.session()?.account()
    }

    /// The command that the client waited for when its connection stood still last, where that could be read.
    pub fn statement(&self) -> Option<&Statement> {
        self.session()?.statement()
    }

    /// The user that the server names, unless the login said the same. Not cleaned for a terminal.
    pub fn user_by_server(&self) -> Option<&str> {
        let (_, told) = self.told_by_server()?;
        let said = self.account().and_then(|account| account.user.as_deref());
        Some(told.user.as_str()).filter(|user| !user.is_empty() && said != Some(*user))
    }

    /// The statement that the server names, where that of the client could not be read. Not cleaned for a terminal.
    pub fn statement_by_server(&self) -> Option<&str> {
        let (_, told) = self.told_by_server()?;
        let is_read = self.statement().is_some_and(|statement| statement.text.is_some());
        told.statement.as_deref().filter(|_| !is_read)
    }

    /// What keeps an observer from reading all that the client says.
    pub fn hidden(&self) -> Option<Hidden> {
        self.session().map_or(Some(Hidden::Unseen), Session::hidden)
    }

    /// Whether a result is under way while the client stands still: some of it waits behind the client's window, or its
    /// end had not passed when that was looked at. `None` where neither is known.
    pub fn result_in_flight(&self) -> Option<bool> {
        if self.clock().is_some() && self.phase < Phase::Lost {
            return Some(true);
        }
        let stands_still = self.window.closed_since.is_some() && self.phase < Phase::Closed;
        self.statement()?.in_result.filter(|_| stands_still)
    }

    /// How long the server waits for the next command, and how that is known: the session's wait_timeout.
    pub fn idle_timeout(&self) -> Timeout {
        self.session().map_or(IDLE, Session::idle_timeout)
    }

    /// The server's greeting, if the connection's beginning was seen.
    pub fn greeting(&self) -> Option<&Greeting> {
        self.session()?.greeting()
    }
}
