//! The history of one connection, as much as its sparkline and its chart can show.

use std::collections::VecDeque;
use std::time::Duration;

use observer_core::{End, Event, EventKind, SocketEventKind, SocketSample, Timestamp, Vantage, WireSample};

/// Points kept of one connection.
const POINTS: usize = 240;
/// Probes kept of one connection; they double their distance, so these are hours.
const PROBES: usize = 64;
/// The shortest time a series covers.
const SHORTEST: Duration = Duration::from_secs(60);

/// What was known of a connection within one slot of time. Sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    /// When this became known.
    pub(super) at: Timestamp,
    /// The window advertised last.
    pub(super) window: Option<u32>,
    /// The smallest window of the slot: a zero must not disappear in it.
    pub(super) smallest: Option<u32>,
    /// Sent by the server.
    pub(super) sent: u64,
    /// Acknowledged by the client.
    pub(super) acknowledged: u64,
}

impl Point {
    /// The window's right edge: so far the server may send.
    pub(super) fn edge(&self) -> Option<u64> {
        self.window.map(|window| self.acknowledged + u64::from(window))
    }
}

/// Whose counters a series is made of. They begin at different numbers, so one series has one origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    /// Only the window is known.
    Window,
    /// Socket diagnostics of the client's socket.
    ClientSocket,
    /// Socket diagnostics of the server's socket, which know the sender's side.
    ServerSocket,
    /// The kernel programs at the client's socket, which see every segment that arrives.
    ClientWire,
    /// The kernel programs at the server's socket, which see every segment that is sent.
    ServerWire,
}

/// A bounded history: a new point only where something changed, and one point per slot of time at most.
#[derive(Clone, Debug)]
pub(super) struct Series {
    points: VecDeque<Point>,
    probes: VecDeque<Timestamp>,
    slot: Duration,
    origin: Origin,
    /// Whether that origin knows the window too.
    origin_has_window: bool,
    /// The end whose segments are told. A connection within the host has two, which see the same.
    told_at: Option<Vantage>,
}

impl Series {
    /// A series that covers one and a half of `timeout`.
    pub(super) fn new(timeout: Duration) -> Self {
        let covered = timeout.saturating_mul(3) / 2;
        let slot = covered.max(SHORTEST) / u32::try_from(POINTS).unwrap_or(u32::MAX);
        Self::with_slot(slot)
    }

    fn with_slot(slot: Duration) -> Self {
        Self {
            points: VecDeque::new(),
            probes: VecDeque::new(),
            slot,
            origin: Origin::Window,
            origin_has_window: false,
            told_at: None,
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
            SocketEventKind::Wire(sample) => match socket.socket.seen_at {
                Vantage::Server => self.count(event.at, Origin::ServerWire, wire_counters(sample)),
                Vantage::Client | Vantage::Wire => {
                    self.count(event.at, Origin::ClientWire, wire_counters(sample))
                }
            },
            SocketEventKind::Socket(sample) => match socket.socket.seen_at {
                Vantage::Server => self.count(event.at, Origin::ServerSocket, server_counters(sample)),
                Vantage::Client => self.count(event.at, Origin::ClientSocket, client_counters(sample)),
                Vantage::Wire => false,
            },
            SocketEventKind::ZeroWindow { by: End::Client, .. } => self.window(event.at, Some(0)),
            SocketEventKind::WindowUpdate { by: End::Client, window, .. } => self.window(event.at, *window),
            SocketEventKind::ZeroWindowProbe { by: End::Server } => {
                if self.probes.len() == PROBES {
                    self.probes.pop_front();
                }
                self.probes.push_back(event.at);
                true
            }
            // The same addresses again are another connection.
            SocketEventKind::Syn { by: End::Client, .. } => {
                *self = Self::with_slot(self.slot);
                true
            }
            _ => false,
        }
    }

    /// Changes closer together than this are one point.
    pub(super) fn slot(&self) -> Duration {
        self.slot
    }

    /// The points, oldest first.
    pub(super) fn points(&self) -> impl DoubleEndedIterator<Item = &Point> {
        self.points.iter()
    }

    /// The probes of the client's window, oldest first.
    pub(super) fn probes(&self) -> impl DoubleEndedIterator<Item = Timestamp> {
        self.probes.iter().copied()
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
                for window in &mut windows[next..=bin.max(next).min(last_bin)] {
                    *window = smaller(*window, carried);
                }
                next = next.max(bin + 1).min(bins);
                windows[bin] = smaller(windows[bin], point.smallest);
            }
            carried = point.window;
        }
        for window in &mut windows[next.min(bins)..] {
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
        if let Some(last) = self.points.back_mut() {
            let news = (point.window, point.sent, point.acknowledged);
            if point.at < last.at || news == (last.window, last.sent, last.acknowledged) {
                return false;
            }
            if point.at.since(last.at) < self.slot {
                // The first and the last of a slot would both be right; the line must not move once drawn.
                let smallest = smaller(last.smallest, point.smallest);
                *last = Point { at: last.at, smallest, ..point };
                return true;
            }
        }
        if self.points.len() == POINTS {
            self.points.pop_front();
        }
        self.points.push_back(point);
        true
    }
}

/// The smaller of what is known.
fn smaller(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    one.into_iter().chain(other).min()
}

#[derive(Clone, Copy)]
struct Counters {
    sent: u64,
    acknowledged: u64,
    window: Option<u32>,
}

fn wire_counters(sample: &WireSample) -> Counters {
    Counters {
        sent: sample.server.sent,
        acknowledged: sample.client.acknowledged,
        window: sample.client.window,
    }
}

fn server_counters(sample: &SocketSample) -> Counters {
    let in_flight = u64::from(sample.send_queue.saturating_sub(sample.not_sent));
    Counters {
        sent: sample.bytes_acked + in_flight,
        acknowledged: sample.bytes_acked,
        window: sample.send_window,
    }
}

fn client_counters(sample: &SocketSample) -> Counters {
    Counters { sent: sample.bytes_received, acknowledged: sample.bytes_received, window: sample.recv_window }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use observer_core::{Flow, SeqNumber, SocketEvent, SocketRef};

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000) + Duration::from_millis(millis)
    }

    fn event(millis: u64, kind: SocketEventKind) -> Event {
        let address = |port| SocketAddr::from(([10, 0, 0, 1], port));
        let flow = Flow { client: address(40000), server: address(3306) };
        let socket = SocketRef { flow, seen_at: Vantage::Client, cookie: None };
        Event { at: at(millis), kind: EventKind::Socket(SocketEvent { socket, kind }) }
    }

    fn zero(millis: u64) -> Event {
        event(millis, SocketEventKind::ZeroWindow { by: End::Client, ack: SeqNumber(1) })
    }

    fn update(millis: u64, window: u32) -> Event {
        let (by, ack) = (End::Client, SeqNumber(1));
        event(millis, SocketEventKind::WindowUpdate { by, window: Some(window), ack })
    }

    fn series() -> Series {
        Series::new(Duration::from_secs(60))
    }

    #[test]
    fn a_short_zero_window_is_not_averaged_away() {
        let mut series = series();
        for event in [update(0, 9000), zero(10_000), update(10_010, 8000), update(10_020, 7000)] {
            assert!(series.observe(&event));
        }
        let windows = series.smallest_windows(at(0), at(60_000), 6);
        assert_eq!(windows, [9000, 0, 7000, 7000, 7000, 7000].map(Some));
    }

    #[test]
    fn a_bin_without_a_point_carries_the_last_value_on() {
        let mut series = series();
        series.observe(&update(25_000, 500));
        series.observe(&zero(45_000));
        assert_eq!(
            series.smallest_windows(at(0), at(60_000), 6),
            [None, None, Some(500), Some(500), Some(0), Some(0)]
        );
        // What was last known before the first bin counts too.
        assert_eq!(series.smallest_windows(at(50_000), at(80_000), 3), [Some(0); 3]);
        assert_eq!(series.smallest_windows(at(50_000), at(50_000), 2), [Some(0); 2]);
        assert_eq!(series.smallest_windows(at(0), at(60_000), 0), []);
    }

    #[test]
    fn is_bounded() {
        let mut series = series();
        for second in 0..10_000 {
            series.observe(&update(second * 1000, u32::try_from(second).unwrap() + 1));
            series.observe(&event(second * 1000, SocketEventKind::ZeroWindowProbe { by: End::Server }));
        }
        assert_eq!(series.points().count(), POINTS);
        assert_eq!(series.probes().count(), PROBES);
    }

    #[test]
    fn nothing_new_is_nothing_to_see() {
        let mut series = series();
        assert!(series.observe(&update(1000, 500)));
        assert!(!series.observe(&update(2000, 500)));
        assert!(!series.observe(&update(900, 400)), "older than what is known");
        assert_eq!(series.points().count(), 1);
    }

    #[test]
    fn the_window_comes_from_wherever_it_is_known() {
        let mut series = series();
        let counters = |window| Counters { sent: 7, acknowledged: 7, window };
        series.count(at(0), Origin::ServerWire, counters(None));
        assert!(series.count(at(1000), Origin::ClientSocket, counters(Some(500))));
        assert!(series.count(at(2000), Origin::ClientSocket, counters(Some(400))));
        assert_eq!(series.smallest_windows(at(0), at(3000), 3), [None, Some(500), Some(400)]);
        // Once the better origin knows it, it alone counts.
        series.count(at(3000), Origin::ServerWire, counters(Some(300)));
        assert!(!series.count(at(4000), Origin::ClientSocket, counters(Some(200))));
    }

    #[test]
    fn the_same_addresses_again_begin_a_new_series() {
        let mut series = series();
        series.observe(&update(0, 500));
        let syn = SocketEventKind::Syn { by: End::Client, window_scale: None, seq: SeqNumber(1) };
        series.observe(&event(1000, syn));
        assert_eq!(series.points().count(), 0);
    }
}
