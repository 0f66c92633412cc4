//! Keeps to one cgroup what comes from tracepoints, which know no cgroups.
//!
//! Some of them tell addresses and no cookie, of every socket of the host. The programs on the cgroup tell the cookie
//! of each socket they see, and they see its first segment before any state of it is told.

use std::collections::{HashMap, HashSet};

use observer_core::{Event, EventKind, Flow, SocketEvent, SocketEventKind, Vantage};

/// The sockets of the observed cgroup.
pub(super) struct Scope {
    sockets: HashMap<u64, (Flow, Vantage)>,
    known: HashSet<(Flow, Vantage)>,
    /// Beyond it, ends must have been lost: all is forgotten, and learnt again from the next samples.
    capacity: usize,
}

impl Scope {
    /// Nothing is known yet, and never more than `capacity` sockets.
    pub(super) fn new(capacity: usize) -> Self {
        Self { sockets: HashMap::new(), known: HashSet::new(), capacity }
    }

    /// Takes out of `events` what speaks of sockets outside the cgroup.
    pub(super) fn limit(&mut self, events: &mut Vec<Event>) {
        events.retain(|event| match &event.kind {
            EventKind::Socket(event) => self.has(event),
            EventKind::Source(_) => true,
        });
    }

    fn has(&mut self, event: &SocketEvent) -> bool {
        let socket = (event.socket.flow, event.socket.seen_at);
        let Some(cookie) = event.socket.cookie else { return self.known.contains(&socket) };
        if event.kind == SocketEventKind::Destroyed {
            if let Some(socket) = self.sockets.remove(&cookie) {
                self.known.remove(&socket);
            }
        } else if !self.sockets.contains_key(&cookie) {
            if self.sockets.len() >= self.capacity {
                self.sockets.clear();
                self.known.clear();
            }
            self.sockets.insert(cookie, socket);
            self.known.insert(socket);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use observer_core::{End, SocketRef, TcpState, Timestamp};

    use super::*;

    fn event(port: u16, cookie: Option<u64>, kind: SocketEventKind) -> Event {
        let flow = Flow { client: ([10, 0, 0, 2], port).into(), server: ([10, 0, 0, 1], 3306).into() };
        let socket = SocketRef { flow, seen_at: Vantage::Server, cookie };
        Event { at: Timestamp::EPOCH, kind: EventKind::Socket(SocketEvent { socket, kind }) }
    }

    fn state(port: u16) -> Event {
        let (from, to) = (TcpState::Established, TcpState::FinWait1);
        event(port, None, SocketEventKind::State { from, to, process: None })
    }

    fn reset(port: u16, cookie: u64) -> Event {
        event(port, Some(cookie), SocketEventKind::Reset { by: End::Client })
    }

    fn passes(scope: &mut Scope, event: Event) -> bool {
        let mut events = vec![event];
        scope.limit(&mut events);
        !events.is_empty()
    }

    #[test]
    fn only_sockets_that_the_cgroup_has_shown_pass_without_a_cookie() {
        let mut scope = Scope::new(8);
        assert!(!passes(&mut scope, state(1)));
        assert!(passes(&mut scope, reset(1, 7)));
        assert!(passes(&mut scope, state(1)));
        assert!(!passes(&mut scope, state(2)));
        assert!(passes(&mut scope, event(1, Some(7), SocketEventKind::Destroyed)));
        assert!(!passes(&mut scope, state(1)));
    }

    #[test]
    fn it_never_holds_more_than_it_may() {
        let mut scope = Scope::new(8);
        for socket in 0..100 {
            assert!(passes(&mut scope, reset(socket, u64::from(socket))));
            assert!(scope.sockets.len() <= 8 && scope.known.len() <= 8);
        }
        assert!(passes(&mut scope, state(99)));
    }
}
