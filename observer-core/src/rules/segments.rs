//! What segments say, and the counters made of them.

use std::time::Duration;

use crate::connection::{Connection, Count, Phase, Progress, Told, WindowChange};
use crate::flow::{End, Vantage};
use crate::rules::Context;
use crate::sample::WireSample;
use crate::seq::SeqNumber;
use crate::time::{TimeRange, Timestamp};

/// How long the counters may lag behind the events, both read from the kernel on different ways.
const LAG: Duration = Duration::from_millis(20);

/// Counters of a connection that moves are read once a second: what they told within this time before the window
/// closed was told in the same flow of data.
const RECENT: Duration = Duration::from_secs(2);

impl Connection {
    pub(super) fn syn(&mut self, at: Timestamp, by: End, seq: SeqNumber) {
        match by {
            End::Client => {
                self.client_seq = Some(seq);
                self.opened_at = Some(self.opened_at.map_or(at, |known| known.min(at)));
            }
            End::Server => self.established = true,
        }
    }

    pub(super) fn zero_window(&mut self, at: Timestamp, ack: SeqNumber) {
        match self.window.zero(at, ack) {
            WindowChange::Closed | WindowChange::ClosedAgain => {
                self.closes(TimeRange::at(at), true);
                self.acknowledged(at, at, Count::Ack(ack));
                self.remember();
                self.progressed(at);
            }
            WindowChange::Nothing | WindowChange::Opened => {
                // The other end saw the same closing a little earlier.
                if let (Some(since), Some(stall)) = (self.window.closed_since, self.stall.as_deref_mut())
                    && since < stall.closed.earliest
                    && at == since
                {
                    stall.closed = TimeRange::at(since);
                }
            }
        }
    }

    pub(super) fn window_update(&mut self, at: Timestamp, size: Option<u32>, ack: SeqNumber) {
        if self.window.update(at, size, ack) == WindowChange::Opened {
            self.acknowledged(at, at, Count::Ack(ack));
            self.opens();
        }
    }

    pub(super) fn probe(&mut self, at: Timestamp, seen_at: Vantage) {
        // A keep-alive looks like a probe; only behind a closed window it is one.
        if let Some(stall) = self.stall.as_deref_mut().filter(|_| self.window.closed_since.is_some()) {
            stall.probed(at, seen_at);
        }
    }

    pub(super) fn probe_ack(&mut self, at: Timestamp, seen_at: Vantage) {
        if self.window.closed_since.is_none() {
            if at < self.window.changed_at {
                return;
            }
            // Its closing was not seen: it lies between the last sign of an open window and now.
            let open =
                self.window.changed_at.max(self.first_seen).max(self.last_progress.unwrap_or_default());
            self.closed_without_event(TimeRange { earliest: open.min(at), latest: at });
        }
        self.window.told = Told::BySegments;
        if let Some(stall) = self.stall.as_deref_mut() {
            stall.probe_acks.note(seen_at);
            // What was answered was sent, even if that was not seen.
            if stall.probes.count() == 0 {
                stall.probed(at, seen_at);
            }
        }
    }

    /// The window closed within this range, and no event told it.
    fn closed_without_event(&mut self, closed: TimeRange) {
        self.window.close(closed.earliest, None, Told::BySegments);
        self.closes(closed, false);
    }

    pub(super) fn wire_sample(
        &mut self,
        at: Timestamp,
        seen_at: Vantage,
        sample: &WireSample,
        cx: &mut Context<'_>,
    ) {
        if let Some(view) = seen_at.end().map(|end| self.end_mut(end)) {
            match &mut view.wire {
                Some(known) if known.0 > at => return,
                Some(known) => **known = (at, sample.into()),
                none => *none = Some(Box::new((at, sample.into()))),
            }
        }
        self.untold(sample.untold_by_client, sample.untold_by_server, cx.config);
        self.note_traffic(at, sample);
        if let Some(advance) = sample.client.last_ack_advance {
            self.progressed(advance);
        }
        self.window_sampled(at, sample);
        self.curve_sampled(at, sample);
        let (received, acknowledged) = (sample.client.acknowledged, sample.server.acknowledged);
        self.progress(at, Progress { seen_at, told: Told::BySegments, received, acknowledged }, cx);
    }

    /// The counters tell the state of the window too, should the event of its change have been lost.
    fn window_sampled(&mut self, at: Timestamp, sample: &WireSample) {
        if at < self.window.changed_at + LAG {
            return;
        }
        match (sample.client.window, self.window.closed_since) {
            (Some(0), None) => {
                // A window is never taken back: the last segment that acknowledged new data closed it.
                let advance = sample.client.last_ack_advance.unwrap_or(at);
                self.closed_without_event(TimeRange::at(advance.max(self.window.changed_at).min(at)));
            }
            (Some(size @ 1..), Some(_)) => {
                self.window.open(at, Some(size));
                self.opens();
            }
            (size, _) => self.window.note_size(size),
        }
    }

    /// What the client has acknowledged by now, and before.
    fn curve_sampled(&mut self, at: Timestamp, sample: &WireSample) {
        let client = &sample.client;
        // Nothing of it was seen in this place: its numbers are none.
        if client.segments == 0 {
            return;
        }
        self.acknowledged(client.last_ack_advance.unwrap_or(at).min(at), at, Count::Ack(client.ack));
        let commanded_at = self.commanded_at().max(self.opened_at);
        if let Some(stall) = self.stall.as_deref_mut() {
            stall.remember(at, client, commanded_at);
        }
    }

    /// What the counters had told shortly before the window closed.
    fn remember(&mut self) {
        let commanded_at = self.commanded_at().max(self.opened_at);
        let samples = [&self.client, &self.server].map(|end| end.wire.as_deref());
        let Some((at, sample)) = samples.into_iter().flatten().max_by_key(|(at, _)| *at) else { return };
        let Some(stall) = self.stall.as_deref_mut().filter(|stall| !stall.reopened) else { return };
        if *at + RECENT >= stall.closed.earliest {
            stall.remember(*at, &sample.client, commanded_at);
        }
    }

    /// The client has acknowledged so much since `first`, and no more at `last`. Where there are segments, they tell it
    /// best and alone.
    pub(super) fn acknowledged(&mut self, first: Timestamp, last: Timestamp, count: Count) {
        let tells = matches!(count, Count::Ack(_)) || self.window.told == Told::BySockets;
        if let Some(stall) = self.stall.as_deref_mut().filter(|_| tells && self.phase < Phase::Lost) {
            stall.curve.note(first, last, count);
        }
    }

    /// The client acknowledged new data.
    pub(super) fn progressed(&mut self, at: Timestamp) {
        self.last_progress = Some(self.last_progress.map_or(at, |known| known.max(at)));
    }
}
