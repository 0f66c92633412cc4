//! What is asked of the thread that looks for owners, taken from what the other sources tell.

use std::collections::HashSet;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use observer_core::{
    Event, EventKind, Flow, SocketEvent, SocketEventKind, SocketRef, SocketSample, TcpState, TimerKind,
    Timestamp, Vantage,
};

/// Batches that may wait. What finds no room is left out: the next poll asks for those that stand still again.
const WAITING: usize = 256;

/// Of so many openings that are told at once each is looked at, also of connections that are over by then: a client that
/// fails is to have a name. Where there are more, many processes come and go, or one that does nothing else.
const FEW: usize = 8;

/// So long nothing has come to a socket that has something unread, or it stands still in passing.
const STILL: Duration = Duration::from_secs(1);

/// One thing to look at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Ask {
    /// A process has opened this connection.
    Opened { socket: SocketRef, pid: u32, at: Timestamp },
    /// A process has read from it.
    Read { cookie: u64, pid: u32 },
    /// It is there.
    Seen { cookie: u64, socket: SocketRef, inode: u32, uid: u32, stands_still: bool },
    /// It is gone.
    Gone { cookie: u64 },
}

/// What is to be asked after a batch of events. It has to be sent after them: what is found belongs to connections that
/// they begin.
#[derive(Debug, Default)]
pub(in crate::source::live) struct Asks(Vec<Ask>);

impl Asks {
    /// What the socket diagnostics give cause for.
    pub(in crate::source::live) fn of_sockets(events: &[Event]) -> Self {
        Self(events.iter().filter_map(of_socket).collect())
    }

    /// What the kernel programs give cause for.
    pub(in crate::source::live) fn of_processes(events: &[Event]) -> Self {
        let mut asks: Vec<Ask> = events.iter().filter_map(of_process).collect();
        if asks.len() > FEW {
            let gone: HashSet<(Flow, Vantage)> = events.iter().filter_map(gone).collect();
            asks.retain(|ask| match ask {
                Ask::Opened { socket, .. } => !gone.contains(&(socket.flow, socket.seen_at)),
                _ => true,
            });
        }
        Self(asks)
    }
}

fn of_socket(event: &Event) -> Option<Ask> {
    let EventKind::Socket(SocketEvent { socket, kind }) = &event.kind else { return None };
    let cookie = socket.cookie?;
    match kind {
        SocketEventKind::Socket(sample) => Some(Ask::Seen {
            cookie,
            socket: *socket,
            inode: sample.inode,
            uid: sample.uid,
            stands_still: stands_still(sample),
        }),
        SocketEventKind::Destroyed => Some(Ask::Gone { cookie }),
        _ => None,
    }
}

fn of_process(event: &Event) -> Option<Ask> {
    let EventKind::Socket(SocketEvent { socket, kind }) = &event.kind else { return None };
    match kind {
        // On leaving SYN-SENT it is the one that called `connect`.
        SocketEventKind::State {
            from: TcpState::Closed | TcpState::SynSent, process: Some(process), ..
        } => Some(Ask::Opened { socket: *socket, pid: process.pid, at: event.at }),
        SocketEventKind::Wire(sample) => {
            let pid = sample.last_read.as_ref()?.process.pid;
            Some(Ask::Read { cookie: socket.cookie?, pid })
        }
        _ => None,
    }
}

/// A socket that is no longer there.
fn gone(event: &Event) -> Option<(Flow, Vantage)> {
    let EventKind::Socket(SocketEvent { socket, kind: SocketEventKind::Destroyed }) = &event.kind else {
        return None;
    };
    Some((socket.flow, socket.seen_at))
}

/// Whether who has the socket open matters now: it may have been passed on since it was looked for.
fn stands_still(sample: &SocketSample) -> bool {
    sample.timer == TimerKind::Persist || sample.recv_queue > 0 && sample.last_data_received >= STILL
}

/// By which the other sources ask. The thread ends when the last is gone.
#[derive(Clone, Debug)]
pub(in crate::source::live) struct Asker(SyncSender<Vec<Ask>>);

impl Asker {
    pub(super) fn channel() -> (Self, std::sync::mpsc::Receiver<Vec<Ask>>) {
        let (sender, receiver) = sync_channel(WAITING);
        (Self(sender), receiver)
    }

    /// Never waits.
    pub(in crate::source::live) fn ask(&self, Asks(asks): Asks) {
        if !asks.is_empty() {
            let _ = self.0.try_send(asks);
        }
    }
}

#[cfg(test)]
mod tests {
    use observer_core::Process;

    use super::*;

    fn of(port: u16, kind: SocketEventKind) -> Event {
        let flow = Flow { client: ([127, 0, 0, 1], port).into(), server: ([127, 0, 0, 1], 3306).into() };
        let socket = SocketRef { flow, seen_at: Vantage::Client, cookie: None };
        Event { at: Timestamp::EPOCH, kind: EventKind::Socket(SocketEvent { socket, kind }) }
    }

    fn opened(port: u16) -> Event {
        let process = Some(Process { pid: 7, tid: None, comm: String::new() });
        of(port, SocketEventKind::State { from: TcpState::Closed, to: TcpState::SynSent, process })
    }

    fn asked(connections: u16, goes_on: u16) -> Vec<u16> {
        let gone = |port: &u16| *port != goes_on;
        let ends = (1..=connections).filter(gone).map(|port| of(port, SocketEventKind::Destroyed));
        let events: Vec<Event> = (1..=connections).map(opened).chain(ends).collect();
        let Asks(asks) = Asks::of_processes(&events);
        let port = |ask: &Ask| match ask {
            Ask::Opened { socket, .. } => socket.flow.client.port(),
            other => panic!("{other:?}"),
        };
        asks.iter().map(port).collect()
    }

    #[test]
    fn of_many_that_are_over_already_nobody_asks_whose_they_were() {
        assert_eq!(asked(100, 77), [77]);
        assert_eq!(asked(3, 2), [1, 2, 3]);
    }
}
