//! The sockets of servers that have data queued, as a poll finds them.

use std::time::Duration;

use observer_core::{
    Event, EventKind, SocketEvent, SocketEventKind, SocketRef, TcpState, TimerKind, Vantage,
};

/// How many of them are looked at in one turn.
pub(super) const MAX_WRITERS: usize = 4096;

/// A window that is closed in passing is not worth it.
const STANDS_STILL: Duration = Duration::from_millis(100);

/// A server's socket with data queued.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writer {
    pub(super) socket: SocketRef,
    pub(super) inode: u32,
    /// Whether its client's window is closed, and has been for a moment.
    pub(super) stands_still: bool,
}

/// Those of a poll for which there is room, those that stand still first; and for how many that stand still there is none.
pub(super) fn writers(batch: &[Event]) -> (Vec<Writer>, usize) {
    let (mut writers, others): (Vec<_>, Vec<_>) =
        batch.iter().filter_map(writer).partition(|writer| writer.stands_still);
    let without = writers.len().saturating_sub(MAX_WRITERS);
    writers.extend(others);
    writers.truncate(MAX_WRITERS);
    (writers, without)
}

/// The server's socket that an event shows, if data is queued there.
fn writer(event: &Event) -> Option<Writer> {
    let EventKind::Socket(SocketEvent { socket, kind: SocketEventKind::Socket(sample) }) = &event.kind else {
        return None;
    };
    let can_write = matches!(sample.state, TcpState::Established | TcpState::CloseWait);
    let is_writer = can_write && sample.send_queue > 0 && sample.inode != 0;
    let closed = sample.timer == TimerKind::Persist || sample.send_window == Some(0);
    let stands_still = closed && sample.last_data_sent >= STANDS_STILL;
    (socket.seen_at == Vantage::Server && is_writer).then_some(Writer {
        socket: *socket,
        inode: sample.inode,
        stands_still,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server's socket with data queued, whose client stands still, or reads.
    fn event(stands_still: bool) -> Event {
        let log = include_str!("../../../../../tests/fixtures/observer-log-1.jsonl");
        let mut events = log.lines().filter_map(|line| serde_json::from_str::<Event>(line).ok());
        let polled = events.find_map(|mut event| {
            let EventKind::Socket(SocketEvent { socket, kind: SocketEventKind::Socket(sample) }) =
                &mut event.kind
            else {
                return None;
            };
            socket.seen_at = Vantage::Server;
            (sample.state, sample.send_queue, sample.inode) = (TcpState::Established, 7, 70_000);
            sample.last_data_sent = STANDS_STILL;
            (sample.timer, sample.send_window) =
                (TimerKind::None, Some(if stands_still { 0 } else { 65_536 }));
            Some(event)
        });
        polled.expect("a poll in the log")
    }

    #[test]
    fn those_that_stand_still_come_first_and_those_without_room_are_counted() {
        let (reads, still) = (event(false), event(true));
        let few = [reads.clone(), still.clone(), reads.clone()];
        let (found, without) = writers(&few);
        let stand_still: Vec<bool> = found.iter().map(|writer| writer.stands_still).collect();
        assert_eq!((stand_still, without), (vec![true, false, false], 0));

        let mut many = vec![reads; 10];
        many.extend(vec![still; MAX_WRITERS + 3]);
        let (found, without) = writers(&many);
        assert_eq!((found.len(), without), (MAX_WRITERS, 3));
        assert!(found.iter().all(|writer| writer.stands_still));
    }
}
