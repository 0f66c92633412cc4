//! The observer's own connections, by which it asks servers: they are not observed.

use crate::event::{SocketEvent, SocketEventKind};
use crate::flow::{Flow, Vantage};

/// How many are remembered: one for each server that is asked, and some that have just been replaced.
const MOST: usize = 32;

/// The observer's own connections, the newest last.
#[derive(Clone, Debug, Default)]
pub(super) struct Own(Vec<Flow>);

impl Own {
    /// This one is.
    pub(super) fn add(&mut self, flow: Flow) {
        self.0.retain(|known| *known != flow);
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push(flow);
    }

    /// Whether `event` is about one of them. When one is gone, its port may become somebody else's.
    pub(super) fn is_about(&mut self, event: &SocketEvent) -> bool {
        let Some(place) = self.0.iter().position(|flow| *flow == event.socket.flow) else { return false };
        if matches!(event.kind, SocketEventKind::Destroyed) && event.socket.seen_at == Vantage::Client {
            self.0.remove(place);
        }
        true
    }
}
