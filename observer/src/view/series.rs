//! The history of one connection, as much as its sparkline and its chart can show.

mod histories;
mod point;

use std::collections::VecDeque;
use std::time::Duration;

use observer_core::{End, Event, EventKind, SocketEventKind, Timestamp, Vantage};

use crate::counters::{Counters, Origin};
pub(super) use histories::Histories;
pub(super) use point::Point;
use point::smaller;

/// Probes kept of one connection; they double their distance, so these are hours.
const PROBES: usize = 64;
/// FINs and RSTs kept of one connection: one of each kind from each end.
const ENDS: usize = 4;
/// The shortest time a series covers.
const SHORTEST: Duration = Duration::from_secs(60);

/// How much of a connection is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grain {
    /// Enough for a chart across a wide screen.
    Fine,
    /// Enough for a sparkline: one of very many connections.
    Coarse,
}

impl Grain {
    /// Points kept.
    const fn points(self) -> usize {
        match self {
            Self::Fine => 240,
            Self::Coarse => 30,
        }
    }
}

/// A segment worth a mark on the chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A probe of the client's window.
    Probe,
    /// A FIN, and whose.
    Fin(End),
    /// An RST, and whose.
    Reset(End),
}

/// A bounded history: a new point only where something changed, and one point per slot of time at most.
#[derive(Clone, Debug)]
pub(super) struct Series {
    points: VecDeque<Point>,
    probes: VecDeque<Timestamp>,
    ends: Vec<(Timestamp, Mark)>,
    covered: Duration,
    grain: Grain,
    origin: Origin,
    /// Whether that origin knows the window too.
    origin_has_window: bool,
    /// The end whose segments are told. A connection within the host has two, which see the same.
    told_at: Option<Vantage>,
}

impl Series {
    /// A series that covers one and a half of `timeout`.
    pub(super) fn new(timeout: Duration, grain: Grain) -> Self {
        let covered = (timeout.saturating_mul(3) / 2).max(SHORTEST);
        Self {
            points: VecDeque::new(),
            probes: VecDeque::new(),
            ends: Vec::new(),
            covered,
            grain,
            origin: Origin::Window,
            origin_has_window: false,
            told_at: None,
        }
    }

    /// Keeps more from now on, or no more than that.
    pub(super) fn set_grain(&mut self, grain: Grain) {
        self.grain = grain;
        if self.points.len() > grain.points() {
            // What falls into one slot becomes one point; the smallest window stays.
            let points = std::mem::replace(&mut self.points, VecDeque::with_capacity(grain.points()));
            for point in points {
                self.keep(point);
            }
        }
    }

    /// Whether segments seen at this end are those that are told: the first end that told of any is it.
    pub(super) fn tells(&mut self, seen_at: Vantage) -> bool {
        *self.told_at.get_or_insert(seen_at) == seen_at
    }

    /// Takes what `event` tells; whether there is something new to see.
    pub(super) fn observe(&mut self, event: &Event) -> bool {
        let EventKind::Socket(socket) = &event.kind else { return false };
        match &socket.kind {
            SocketEventKind::Wire(_) | SocketEventKind::Socket(_) => {
                Counters::of(socket).is_some_and(|(origin, counters)| self.count(event.at, origin, counters))
            }
            SocketEventKind::ZeroWindow { by: End::Client, .. } => self.window(event.at, Some(0)),
            SocketEventKind::WindowUpdate { by: End::Client, window, .. } => self.window(event.at, *window),
            SocketEventKind::ZeroWindowProbe { by: End::Server } => {
                if self.probes.len() == PROBES {
                    self.probes.pop_front();
                }
                self.probes.push_back(event.at);
                true
            }
            SocketEventKind::Fin { by, .. } => self.mark(event.at, Mark::Fin(*by)),
            SocketEventKind::Reset { by } => self.mark(event.at, Mark::Reset(*by)),
            // The same addresses again are another connection.
            SocketEventKind::Syn { by: End::Client, .. } => {
                let Self { covered, grain, .. } = *self;
                *self = Self { covered, ..Self::new(covered, grain) };
                true
            }
            _ => false,
        }
    }

    /// Changes closer together than this are one point.
    pub(super) fn slot(&self) -> Duration {
        self.covered / u32::try_from(self.grain.points()).unwrap_or(u32::MAX)
    }

    /// The points, oldest first.
    pub(super) fn points(&self) -> impl DoubleEndedIterator<Item = &Point> {
        self.points.iter()
    }

    /// What is marked on the chart: probes, oldest first, then FINs and RSTs.
    pub(super) fn marks(&self) -> impl Iterator<Item = (Timestamp, Mark)> {
        self.probes.iter().map(|&at| (at, Mark::Probe)).chain(self.ends.iter().copied())
    }

    /// The smallest window within each of `bins` equal parts of the time from `from` to `to`, `None` before the
    /// first that is known. A part in which nothing changed carries the last value on.
    pub(super) fn smallest_windows(&self, from: Timestamp, to: Timestamp, bins: usize) -> Vec<Option<u32>> {
        let mut windows = vec![None; bins];
        let Some(last_bin) = bins.checked_sub(1) else { return windows };
        let width = (to.since(from).as_micros() / bins as u128).max(1);
        let bin_of = |at: Timestamp| {
            usize::try_from(at.since(from).as_micros() / width).unwrap_or(usize::MAX).min(last_bin)
        };
        // What holds when a bin begins is part of the bin.
        let (mut carried, mut next) = (None, 0);
        for point in self.points.iter().filter(|point| point.at <= to) {
            if point.at >= from {
                let bin = bin_of(point.at);
                for window in &mut windows[next..(bin + 1).max(next)] {
                    *window = smaller(*window, carried);
                }
                next = next.max(bin + 1);
                windows[bin] = smaller(windows[bin], point.smallest);
            }
            carried = point.window;
        }
        for window in &mut windows[next..] {
            *window = smaller(*window, carried);
        }
        windows
    }

    fn window(&mut self, at: Timestamp, window: Option<u32>) -> bool {
        let (sent, acknowledged) = self.points.back().map_or((0, 0), |last| (last.sent, last.acknowledged));
        self.push(Point { at, window, smallest: window, sent, acknowledged })
    }

    fn count(&mut self, at: Timestamp, origin: Origin, counters: Counters) -> bool {
        if origin < self.origin {
            // Of a connection older than the observation, the kernel programs do not know the window's scale.
            let helps = !self.origin_has_window && counters.window.is_some();
            return helps && self.window(at, counters.window);
        }
        if origin > self.origin {
            // Windows are the same wherever they are read; counters are not.
            for point in &mut self.points {
                (point.sent, point.acknowledged) = (counters.sent, counters.acknowledged);
            }
            self.origin = origin;
        }
        self.origin_has_window = counters.window.is_some();
        let window = counters.window.or_else(|| self.points.back().and_then(|last| last.window));
        let Counters { sent, acknowledged, .. } = counters;
        self.push(Point { at, window, smallest: window, sent: sent.max(acknowledged), acknowledged })
    }

    fn push(&mut self, point: Point) -> bool {
        if let Some(last) = self.points.back() {
            let news = (point.window, point.sent, point.acknowledged);
            if point.at < last.at || news == (last.window, last.sent, last.acknowledged) {
                return false;
            }
        }
        self.keep(point);
        true
    }

    fn keep(&mut self, point: Point) {
        let slot = self.slot();
        if let Some(last) = self.points.back_mut()
            && point.at.since(last.at) < slot
        {
            // The first and the last of a slot would both be right; the line must not move once drawn.
            let smallest = smaller(last.smallest, point.smallest);
            *last = Point { at: last.at, smallest, ..point };
            return;
        }
        if self.points.len() >= self.grain.points() {
            self.points.pop_front();
        }
        self.points.push_back(point);
    }

    /// Of the same kind only the first: what follows is the same again.
    fn mark(&mut self, at: Timestamp, mark: Mark) -> bool {
        let is_new = self.ends.len() < ENDS && self.ends.iter().all(|(_, known)| *known != mark);
        if is_new {
            self.ends.push((at, mark));
        }
        is_new
    }
}

#[cfg(test)]
mod tests;
