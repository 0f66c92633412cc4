//! What sockets say: their states, their diagnostics, their disappearance.

use std::time::Duration;

use crate::connection::{BeforeWrite, Connection, Count, LastWrite, Phase, Progress, SocketReading, Told};
use crate::event::Process;
use crate::flow::{End, Vantage};
use crate::owner::Owners;
use crate::rules::Context;
use crate::sample::{SocketSample, TcpState, TimerKind};
use crate::time::{TimeRange, Timestamp};

/// The kernel tells the age of the last segment in milliseconds made from its ticks, which last up to 10 ms.
const TICK: Duration = Duration::from_millis(10);

/// States.
impl Connection {
    pub(super) fn state_changed(
        &mut self,
        at: Timestamp,
        seen_at: Vantage,
        from: TcpState,
        to: TcpState,
        process: Option<&Process>,
        cx: &mut Context<'_>,
    ) {
        let Some(end) = seen_at.end() else { return };
        if from == TcpState::Closed && to == TcpState::SynSent {
            self.opened_at = Some(self.opened_at.map_or(at, |known| known.min(at)));
        }
        let view = self.end_mut(end);
        view.state_since = view.state_since.max(at);
        if view.process.is_none() {
            view.process = process.cloned().map(Box::new);
        }
        if from == TcpState::Established && to == TcpState::Closed {
            view.state = Some(to);
            // An RST leads here, sent (SO_LINGER, unread data) or received, and so does a peer that does not answer
            // for too long. Without the process that closed, only the segment itself tells which; what nothing
            // tells of ends when the socket is destroyed.
            if process.is_some() {
                self.reset(at, end, cx);
            }
        } else {
            self.reached(at, at, end, to, cx);
        }
    }

    /// The socket at `end` is in this state, and came to it between `since` and `at`.
    fn reached(&mut self, since: Timestamp, at: Timestamp, end: End, state: TcpState, cx: &mut Context<'_>) {
        self.end_mut(end).state = Some(state);
        match state {
            TcpState::SynSent | TcpState::SynReceived | TcpState::Listen => {}
            TcpState::Established => self.established = true,
            TcpState::FinWait1 if end == End::Server => self.server_closes(since, at, cx),
            TcpState::FinWait1 | TcpState::FinWait2 => self.finished(at, end, cx),
            TcpState::CloseWait => self.finished(at, end.peer(), cx),
            TcpState::LastAck => {
                self.finished(at, end.peer(), cx);
                self.finished(at, end, cx);
            }
            TcpState::Closing => {
                self.finished(at, end, cx);
                self.finished(at, end.peer(), cx);
            }
            TcpState::TimeWait | TcpState::Closed => self.socket_gone(at, end, cx),
        }
    }

    fn finished(&mut self, at: Timestamp, end: End, cx: &mut Context<'_>) {
        match end {
            End::Client => self.client_finished(at, cx),
            End::Server => self.server_finished(at, cx),
        }
    }

    pub(super) fn owned(&mut self, seen_at: Vantage, owners: &Owners) {
        if let Some(end) = seen_at.end() {
            self.end_mut(end).owners.get_or_insert_default().update(owners);
        }
    }

    pub(super) fn destroyed(&mut self, at: Timestamp, seen_at: Vantage, cx: &mut Context<'_>) {
        if let Some(end) = seen_at.end() {
            self.socket_gone(at, end, cx);
        }
    }
}

/// Diagnostics.
impl Connection {
    pub(super) fn socket_sample(
        &mut self,
        at: Timestamp,
        seen_at: Vantage,
        sample: &SocketSample,
        cx: &mut Context<'_>,
    ) {
        let Some(end) = seen_at.end() else { return };
        let view = self.end_mut(end);
        let before = match view.socket.as_deref() {
            // A poll takes its time, and what it read may be told after a change that it did not see.
            _ if view.state_since > at => return,
            Some((known, _)) if *known > at => return,
            known => known.cloned(),
        };
        let reading = SocketReading::from(sample);
        match end {
            End::Client => self.client_sampled(at, before.as_ref(), &reading, sample, cx),
            End::Server => self.server_sampled(at, before.as_ref(), &reading, sample, cx),
        }
        let view = self.end_mut(end);
        view.state = Some(sample.state);
        match &mut view.socket {
            Some(known) => **known = (at, reading),
            none => *none = Some(Box::new((at, reading))),
        }
        // What the queues say comes before what the state says: a server that has closed was waiting until then.
        self.judge(at, cx);
        let since = before.map_or(at, |(before, _)| before);
        self.reached(since, at, end, sample.state, cx);
        if end == End::Client {
            self.drain_sampled(at, sample, cx);
        }
    }

    fn client_sampled(
        &mut self,
        at: Timestamp,
        before: Option<&(Timestamp, SocketReading)>,
        reading: &SocketReading,
        sample: &SocketSample,
        cx: &mut Context<'_>,
    ) {
        let since = at - sample.last_data_received;
        if before.is_some_and(|(_, before)| reading.bytes_received > before.bytes_received) {
            self.progressed(since);
        }
        let closed = match sample.recv_window {
            Some(window) => Some(window == 0),
            // The server's socket knows what was advertised.
            None if self.server.socket.is_some() && self.server.is_alive() => None,
            None => before.map(|(_, before)| reading.stands_still_since(before) && is_full(sample)),
        };
        match closed {
            Some(true) if sample.recv_queue > 0 => self.closed_by_sockets(at, sample.last_data_received, cx),
            Some(_) => self.open_by_sockets(at, sample.recv_window),
            None => {}
        }
        self.acknowledged(since, at, Count::Received(sample.bytes_received));
        // Later on a FIN counts among the bytes.
        if sample.state == TcpState::Established {
            let (seen_at, told) = (Vantage::Client, Told::BySockets);
            let (received, acknowledged) = (sample.bytes_received, sample.bytes_acked);
            self.progress(at, Progress { seen_at, told, received, acknowledged }, cx);
        }
    }

    fn server_sampled(
        &mut self,
        at: Timestamp,
        before: Option<&(Timestamp, SocketReading)>,
        reading: &SocketReading,
        sample: &SocketSample,
        cx: &mut Context<'_>,
    ) {
        let can_write = matches!(sample.state, TcpState::Established | TcpState::CloseWait);
        if sample.send_queue == 0 {
            // Nothing waits, so nobody will ask. Nor does the server, even if that its wait has ended was not told.
            self.last_write = None;
            if self.running_wait().is_some_and(|wait| wait.told_at <= at) {
                self.server_wait_ends(at, false, cx);
            }
        } else if can_write
            && (self.last_write.is_none()
                || before.is_none_or(|(_, before)| before.written() < reading.written()))
        {
            let before = before.map(|(at, before)| BeforeWrite {
                at: *at,
                acked: before.bytes_acked,
                sent: before.sent(),
                send_buffer: before.send_buffer,
            });
            self.server_has_written(before.as_ref());
            self.last_write = Some(Box::new(LastWrite { before, until: at }));
        }
        self.acknowledged(at, at, Count::Acked(sample.bytes_acked));
        let closed = match sample.send_window {
            Some(window) => window == 0,
            None => sample.timer == TimerKind::Persist,
        };
        if !closed {
            // The client's own socket knows better: what it has advertised may still be on its way.
            self.open_by_sockets(at, sample.send_window);
        } else if sample.send_queue > 0 {
            self.closed_by_sockets(at, sample.last_data_sent, cx);
        }
        if sample.state == TcpState::Established {
            self.server_lives(at, cx);
        }
    }

    /// A socket shows a closed window, and no data went through for `quiet`. The last data is what closed it.
    fn closed_by_sockets(&mut self, at: Timestamp, quiet: Duration, cx: &mut Context<'_>) {
        let since = (at - quiet).max(self.window.changed_at);
        match self.window.closed_since {
            // A window that is closed in passing is none of our business.
            _ if quiet < cx.config.debounce => return,
            Some(_) if self.window.told == Told::BySegments => return,
            // Between two polls it opened and closed again.
            Some(known) if since > known + TICK * 2 && self.phase < Phase::Lost => {}
            Some(_) => return,
            None => {}
        }
        self.window.close(since, None, Told::BySockets);
        self.closes(TimeRange { earliest: since - TICK, latest: since }, false);
    }

    fn open_by_sockets(&mut self, at: Timestamp, size: Option<u32>) {
        if self.window.closed_since.is_none() {
            self.window.note_size(size);
        } else if self.window.told == Told::BySockets {
            self.window.open(at, size);
            self.opens();
        }
    }
}

/// Whether the receive buffer is so full that the kernel advertises nothing: less than a sixteenth of it is free
/// (`__tcp_select_window`, net/ipv4/tcp_output.c). For kernels that do not tell the window itself.
fn is_full(sample: &SocketSample) -> bool {
    sample.recv_buffer.saturating_sub(sample.recv_buffer_used) < sample.recv_buffer / 16
}
