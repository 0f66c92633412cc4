//! The causes as the rules tell them apart: finer than the kinds of verdicts, for each has a sentence of its own.

use std::time::Duration;

use crate::flow::End;
use crate::verdict::VerdictKind;

/// Why it is taken for that cause: what the sentence tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Nothing happened to it.
    Open,
    /// It stands still at this moment.
    Stalled,
    /// It stood still, and went on.
    Recovered,
    /// The server gave up writing.
    GaveUp(Sign),
    /// The server gave up writing, but after another time than was thought.
    OtherTimeout(Duration),
    /// The server closed behind a stall that was shorter than the timeout that was assumed.
    ShorterTimeout,
    /// The server gave up waiting for a command.
    Idle(IdleSign),
    /// Somebody killed it.
    Killed,
    /// The server said so in an ERR packet.
    KilledWith(u16),
    /// The server shut down.
    ShutDown,
    /// The server ended with all its connections, one way or the other.
    ServerGone,
    /// The server died, as its other connections show.
    Crashed,
    /// The server died, as its process shows.
    Died,
    /// The client said COM_QUIT.
    Quit,
    /// The client's FIN.
    ClientFin,
    /// The client's RST while it was reading, or idle.
    ClientReset,
    /// The client's end while it stood still.
    Vanished,
    /// The other end stopped answering.
    Unanswered(End),
    /// The server did not take the connection.
    Refused,
    /// The server did not let the client in.
    Rejected(u16),
    /// The server's RST, for no known reason.
    ServerReset,
    /// Gone without a word.
    Gone,
}

/// What shows that the server gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// Nothing yet but its deadline.
    Deadline,
    /// Its own socket.
    Socket,
    /// Its process list.
    ProcessList,
    /// Its own wait, behind a window that was open.
    OwnWait,
    /// Its RST at the deadline.
    Reset,
    /// Its FIN behind the data.
    Fin,
    /// Its RST to a reader that came back too late.
    LateReset,
    /// The connection disappeared at the deadline.
    Disappeared,
}

/// What shows that the server gave up waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IdleSign {
    /// Error 4031.
    Error,
    /// A few bytes before the FIN, which cannot be read.
    Farewell,
    /// An RST on an idle connection.
    Reset,
    /// The time alone.
    Time,
}

impl Cause {
    pub(super) const fn kind(self) -> VerdictKind {
        match self {
            Self::Open | Self::Stalled => VerdictKind::Open,
            Self::Recovered => VerdictKind::Recovered,
            Self::GaveUp(_) | Self::OtherTimeout(_) | Self::ShorterTimeout => VerdictKind::NetWriteTimeout,
            Self::Idle(_) => VerdictKind::IdleTimeout,
            Self::Killed | Self::KilledWith(_) | Self::ShutDown | Self::ServerGone => VerdictKind::Killed,
            Self::Crashed | Self::Died => VerdictKind::ServerCrashed,
            Self::Quit | Self::ClientFin | Self::ClientReset => VerdictKind::ClientClosed,
            Self::Vanished => VerdictKind::ClientVanished,
            Self::Unanswered(_) => VerdictKind::Network,
            Self::Refused | Self::Rejected(_) | Self::ServerReset | Self::Gone => VerdictKind::Unknown,
        }
    }
}
