//! What sources observe.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::flow::{End, SocketRef};
use crate::owner::Owners;
use crate::sample::{SocketSample, TcpState, WireSample};
use crate::seq::SeqNumber;
use crate::session::ServerSession;
use crate::statement::{Account, Statement};
use crate::time::{TimeRange, Timestamp, seconds};

/// One observation. Events are facts; what follows from them are [`Finding`](crate::Finding)s.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When it happened, on the observation clock, as stamped by whoever saw it.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What an [`Event`] speaks of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EventKind {
    /// Something about one connection.
    Socket(SocketEvent),
    /// Something about the source itself.
    Source(SourceEvent),
}

/// Something a source says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum SourceEvent {
    /// Observations were lost since the last such event.
    EventsLost {
        /// How many.
        count: u64,
        /// Where.
        lost_by: LossPoint,
    },
    /// A part of the source is not available.
    Degraded {
        /// The part, in a few words: `kernel programs`.
        part: String,
        /// Why: `no permission (needs CAP_BPF and CAP_NET_ADMIN)`.
        because: String,
        /// What cannot be known without it.
        without: String,
    },
    /// Socket diagnostics were read at this time. Polling works, and whatever it found was told before this:
    /// a socket without an event is as it was, a socket that is gone had its [`SocketEventKind::Destroyed`].
    SocketsPolled {
        /// How far apart two polls are.
        #[serde(with = "seconds")]
        period: Duration,
    },
    /// The observer let deadlines of up to this time pass, as no observation had come by then. What comes after this
    /// with an older stamp came too late for them: whoever judges the record has to know that to judge the same.
    TimePassed,
    /// The observer goes on about this time, after it did not run: it was stopped, or had no processor. From this time on what falls
    /// due, and what fell due meanwhile, waits until it has looked at everything again: a client that stood still may have read on,
    /// unseen.
    Resumed {
        /// So long it waits, a minute at most.
        #[serde(with = "seconds")]
        looks_for: Duration,
    },
}

/// Where observations were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossPoint {
    /// The kernel's ring buffer was full.
    RingBuffer,
    /// The map of connections in the kernel was full.
    ConnectionMap,
    /// A record from the kernel could not be understood.
    Decoder,
    /// The capture's own counter of dropped packets, or a gap in it.
    Capture,
    /// Lines of a log that could not be written, or not be read. Whoever judged while it was written had all of
    /// them; the finding is that of who judges by the log.
    Log,
    /// The judgement itself was at its limit of connections, and gave up some that had not ended.
    Tracker,
    /// The limit of what is told of one connection: a hostile one said more than that. Of which it was, its own counters
    /// tell; nothing is missing of the others.
    Limit,
}

impl LossPoint {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 7] = [
        Self::RingBuffer,
        Self::ConnectionMap,
        Self::Decoder,
        Self::Capture,
        Self::Log,
        Self::Tracker,
        Self::Limit,
    ];
}

/// Something about one connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SocketEvent {
    /// The socket at which it was seen.
    #[serde(flatten)]
    pub socket: SocketRef,
    /// What was seen.
    #[serde(flatten)]
    pub kind: SocketEventKind,
}

/// A process as the kernel names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Process {
    /// Process id (the thread group's), in the observer's pid namespace.
    pub pid: u32,
    /// Thread id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<u32>,
    /// The name the kernel keeps, at most 15 bytes; what is not UTF-8 is replaced. Not cleaned for a terminal.
    pub comm: String,
}

/// What was seen of a connection. `by` is the end that did it, wherever it was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum SocketEventKind {
    /// A SYN or SYN-ACK: the connection begins.
    Syn {
        /// SYN: the client. SYN-ACK: the server.
        by: End,
        /// Its window scale option (RFC 7323), `None` without.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window_scale: Option<u8>,
        /// Its initial sequence number.
        seq: SeqNumber,
    },
    /// The socket changed its state (`inet_sock_set_state`).
    State {
        /// From.
        from: TcpState,
        /// To.
        to: TcpState,
        /// The process in whose context it happened, and on leaving SYN-SENT the one that called `connect`;
        /// `None` where the kernel did it by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        process: Option<Process>,
    },
    /// The window was closed: an advertised window of zero after one that was not.
    ZeroWindow {
        /// Whose window.
        by: End,
        /// What this end has acknowledged.
        ack: SeqNumber,
    },
    /// The window was opened again after a zero window.
    WindowUpdate {
        /// Whose window.
        by: End,
        /// The window, scaled; `None` where the scale is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window: Option<u32>,
        /// What this end has acknowledged.
        ack: SeqNumber,
    },
    /// A probe of the peer's closed window.
    ZeroWindowProbe {
        /// The writer that probes.
        by: End,
    },
    /// Window zero again, in answer to a probe.
    ZeroWindowProbeAck {
        /// The reader that answers.
        by: End,
    },
    /// The first segment with FIN.
    Fin {
        /// Who closes.
        by: End,
        /// The sequence number of the FIN itself: everything before it was data.
        seq: SeqNumber,
        /// Of a server's FIN, whether it cut a result off; `None` where the packets before it were not followed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        in_result: Option<bool>,
    },
    /// A segment with RST.
    Reset {
        /// Who resets.
        by: End,
    },
    /// The server's greeting, plaintext even when TLS follows.
    Greeting {
        /// The server's version as it names itself. Not cleaned for a terminal.
        version: String,
        /// The thread (connection) id.
        thread_id: u32,
        /// The capability flags the server offers; `None` where they were not looked at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        capabilities: Option<u32>,
    },
    /// A command of the client that may change the session (`SET …`): its first bytes, from the command byte on.
    Command {
        /// Length of the packet's payload as its header says.
        length: u32,
        /// The bytes as text, what is not UTF-8 replaced. Not cleaned for a terminal.
        text: String,
    },
    /// The client's answer to the greeting. What proves who the client is, is never looked at.
    Login {
        /// The capability flags the client sent (`CLIENT_SSL`, `CLIENT_COMPRESS` and so on, include/mysql_com.h).
        capabilities: u32,
        /// Whether TLS begins here: what follows cannot be read.
        tls: bool,
        /// Who logs in; `None` where that cannot be read or was not looked at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<Box<Account>>,
    },
    /// What the client waits for, told once for each command when its connection stands still: when the closed window is
    /// probed, or has been closed for a moment.
    Statement(Box<Statement>),
    /// How the server answered the last [`Command`](Self::Command) that was told.
    Reply {
        /// Whether it was carried out: anything but an ERR packet.
        ok: bool,
    },
    /// An ERR packet of the server that was not asked for: some servers say why they close.
    ServerError {
        /// MySQL's error number: 4031 (disconnected because of inactivity), 1053 (shutdown), 1927 (killed).
        code: u16,
    },
    /// The server was asked, and told of the session. `at` is when the question was sent: so it was then or later.
    ServerSession(Box<ServerSession>),
    /// The server was asked, and its process list no longer has the session that it had before.
    SessionGone {
        /// The thread (connection) id.
        thread_id: u64,
    },
    /// The connection is the observer's own, by which it asks the server. It is not observed.
    ObserversOwn,
    /// Counters of the kernel programs, sampled.
    Wire(Box<WireSample>),
    /// Socket diagnostics, sampled.
    Socket(Box<SocketSample>),
    /// Which processes have the socket open, when that was looked at.
    Owners(Box<Owners>),
    /// The process that closed the socket by the last [`State`](Self::State) is ending: it has given back its memory,
    /// which comes before its files are closed (`do_exit`, kernel/exit.c). It was killed, or crashed, or ended without
    /// closing its connections.
    ProcessEnds {
        /// Process id, as in the state's process.
        pid: u32,
    },
    /// The server waits until it can write to this socket, by its own `ppoll` or `poll`: that wait is what
    /// net_write_timeout ends. Told when it has lasted for a moment.
    ServerWaits {
        /// When the wait began; `None` where it was under way when it was found, and nothing tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<TimeRange>,
        /// Its timeout.
        #[serde(with = "seconds")]
        timeout: Duration,
        /// The server's thread that waits.
        process: Process,
    },
    /// The wait that was told by the last [`ServerWaits`](Self::ServerWaits) is over.
    ServerWaitEnds {
        /// Whether its time was up: the server gives up. Otherwise it can write again, or the socket was shut down.
        timed_out: bool,
    },
    /// The socket is gone from the kernel (`tcp_destroy_sock`, or no longer in the diagnostics).
    Destroyed,
}
