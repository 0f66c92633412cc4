//! The observer's own connections, by which it asks servers: they are not observed.

use std::time::Duration;

use crate::event::{SocketEvent, SocketEventKind};
use crate::flow::{End, Flow, Vantage};
use crate::time::Timestamp;

/// How many are remembered: one for each server that is asked, and some that have just been replaced.
const MOST: usize = 32;

/// So long after its socket is gone a connection can still be heard of: at its other end, or a second time.
const ECHO: Duration = Duration::from_secs(5);

/// The observer's own connections, the newest last, and when their sockets were gone.
#[derive(Clone, Debug, Default)]
pub(super) struct Own(Vec<(Flow, Option<Timestamp>)>);

impl Own {
    /// This one is.
    pub(super) fn add(&mut self, flow: Flow) {
        self.0.retain(|(known, _)| *known != flow);
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push((flow, None));
    }

    /// Whether `event` is about one of them. When one is gone, its port may become somebody else's.
    pub(super) fn is_about(&mut self, at: Timestamp, event: &SocketEvent) -> bool {
        let Some(place) = self.0.iter().position(|(flow, _)| *flow == event.socket.flow) else {
            return false;
        };
        let gone = &mut self.0[place].1;
        let begins = matches!(event.kind, SocketEventKind::Syn { by: End::Client, .. });
        if gone.is_some_and(|gone| at > gone && (begins || at > gone + ECHO)) {
            self.0.remove(place);
            return false;
        }
        if matches!(event.kind, SocketEventKind::Destroyed) && event.socket.seen_at == Vantage::Client {
            gone.get_or_insert(at);
        }
        true
    }
}
