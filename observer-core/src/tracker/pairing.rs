//! Which connection an event belongs to.

use std::num::NonZeroU64;

use crate::connection::{Connection, Phase};
use crate::event::{SocketEvent, SocketEventKind};
use crate::flow::{ConnectionId, End, SocketRef, Vantage};
use crate::sample::TcpState;
use crate::time::Timestamp;
use crate::tracker::Index;

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pairing {
    /// To one that is known.
    Known(ConnectionId),
    /// To a new one.
    New,
    /// To none: it tells the end of something that was never seen, or is forgotten.
    Nothing,
}

/// The end and the cookie of the socket at which an event was seen, if they say which connection it is.
///
/// At the server's end the handshake is handled by the listening socket: its cookie is that of no connection.
pub(super) fn identity(event: &SocketEvent) -> Option<(End, NonZeroU64)> {
    let SocketRef { seen_at, cookie, .. } = event.socket;
    let cookie = cookie.and_then(NonZeroU64::new);
    let is_handshake = matches!(
        event.kind,
        SocketEventKind::Syn { .. }
            | SocketEventKind::State { to: TcpState::SynReceived | TcpState::Listen, .. }
    );
    match seen_at {
        Vantage::Client => Some((End::Client, cookie?)),
        Vantage::Server if !is_handshake => Some((End::Server, cookie?)),
        Vantage::Server | Vantage::Wire => None,
    }
}

/// Finds the connection for `event`.
pub(super) fn pair(index: &Index, at: Timestamp, event: &SocketEvent) -> Pairing {
    let candidates = || index.of_flow(&event.socket.flow);
    let identity = identity(event);
    let is_this =
        |known: &&Connection| identity.is_some_and(|(end, cookie)| known.end(end).cookie == Some(cookie));
    if let Some(known) = candidates().find(is_this) {
        return Pairing::Known(known.id);
    }
    let fits = |known: &&Connection| match identity {
        // A socket that was not known yet: the other end of a connection, or one known without cookies. One that
        // has ended gets no new sockets.
        Some((end, _)) => known.ending().is_none() && known.end(end).cookie.is_none(),
        None => known.phase != Phase::Closed && !is_gone(known, event.socket.seen_at),
    };
    let mut fitting = candidates().filter(fits);
    if let Some(known) = fitting.next() {
        // Two network namespaces may have the same addresses: nothing tells whose socket it is. What has a cookie says
        // the same a little later.
        if identity.is_none() && fitting.next().is_some() && !is_beginning(event) {
            return Pairing::Nothing;
        }
        if !begins_another(known, at, event) {
            return Pairing::Known(known.id);
        }
    } else if let (None, Some(last), false) = (identity, candidates().next(), is_beginning(event)) {
        // What comes late still belongs to the one that has ended last.
        return Pairing::Known(last.id);
    }
    if can_begin(event) { Pairing::New } else { Pairing::Nothing }
}

/// Whether the socket at this end of a connection is gone, so that it can no longer be spoken of.
fn is_gone(known: &Connection, seen_at: Vantage) -> bool {
    match seen_at {
        Vantage::Client => known.end(End::Client).gone,
        Vantage::Server => known.end(End::Server).gone,
        Vantage::Wire => false,
    }
}

/// Whether `event` is the first of a connection.
fn is_beginning(event: &SocketEvent) -> bool {
    matches!(
        event.kind,
        SocketEventKind::Syn { by: End::Client, .. }
            | SocketEventKind::State { from: TcpState::Closed, to: TcpState::SynSent, .. }
    )
}

/// Whether `event` is the beginning of a connection, and not of `known`.
fn begins_another(known: &Connection, at: Timestamp, event: &SocketEvent) -> bool {
    if let (SocketEventKind::Syn { by: End::Client, seq, .. }, Some(known)) = (&event.kind, known.client_seq)
    {
        // A SYN that is sent again, or seen at the other end, has the same number.
        return *seq != known;
    }
    // Without a number to compare: it may have been overtaken by what followed it.
    is_beginning(event) && (known.ending().is_some() || known.established && at > known.first_seen)
}

/// Whether `event` shows a connection that exists from now on.
fn can_begin(event: &SocketEvent) -> bool {
    match &event.kind {
        SocketEventKind::State { to, .. } => {
            matches!(to, TcpState::SynSent | TcpState::SynReceived | TcpState::Established)
        }
        SocketEventKind::Socket(sample) => {
            !matches!(sample.state, TcpState::TimeWait | TcpState::Closed | TcpState::Listen)
        }
        SocketEventKind::Fin { .. }
        | SocketEventKind::Reset { .. }
        | SocketEventKind::Owners(_)
        | SocketEventKind::ProcessEnds { .. }
        | SocketEventKind::ServerWaitEnds { .. }
        | SocketEventKind::ServerSession(_)
        | SocketEventKind::SessionGone { .. }
        | SocketEventKind::ObserversOwn
        | SocketEventKind::Destroyed => false,
        _ => true,
    }
}
