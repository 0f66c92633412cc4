//! What a connection's chart is drawn from: sequence space, window and queues over time, in bounded memory.

use std::time::Duration;

use observer_core::{End, SeqNumber, SocketEvent, SocketEventKind, Timestamp, Vantage};

use crate::counters::{Counters, Origin};

/// Samples come so often at least while something changes, and one that says nothing new is not told. So what a sample
/// tells came to be within this time before it, and until then what was known held.
const PACE: Duration = Duration::from_secs(1);

/// What was known at one moment. Sizes in bytes; `None` is not known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// When.
    pub(super) at: Timestamp,
    /// Sent by the server, from wherever the count began.
    pub(super) sent: i64,
    /// Acknowledged by the client, by the same count.
    pub(super) acknowledged: i64,
    /// The window that the client advertised last.
    pub(super) window: Option<u32>,
    /// Received and not read by the client's application (Recv-Q).
    pub(super) unread: Option<u32>,
    /// Written by the server and not acknowledged (Send-Q).
    pub(super) queued: Option<u32>,
    /// What the server's send buffer holds, in kernel memory.
    pub(super) buffered: Option<u32>,
    /// Nothing is known of the time between the point before and this one.
    pub(super) after_gap: bool,
}

impl Point {
    /// The right edge of the window: so far the server may send.
    pub(super) fn edge(&self) -> Option<i64> {
        self.window.map(|window| self.acknowledged.saturating_add(window.into()))
    }

    /// Where the straight line from here to `next` is at `at`.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a picture"
    )]
    fn towards(&self, next: &Self, at: Timestamp) -> Self {
        let whole = next.at.since(self.at).as_secs_f64();
        let share = if whole > 0.0 { at.since(self.at).as_secs_f64() / whole } else { 0.0 };
        let between = |from: f64, to: f64| from + (to - from) * share;
        let count = |from: i64, to: i64| between(from as f64, to as f64) as i64;
        let size = |from: Option<u32>, to: Option<u32>| match (from, to) {
            (Some(from), Some(to)) => Some(between(from.into(), to.into()) as u32),
            (from, _) => from,
        };
        Self {
            at,
            sent: count(self.sent, next.sent),
            acknowledged: count(self.acknowledged, next.acknowledged),
            window: size(self.window, next.window),
            unread: size(self.unread, next.unread),
            queued: size(self.queued, next.queued),
            buffered: size(self.buffered, next.buffered),
            after_gap: false,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "to compare what a picture shows")]
    fn values(&self) -> [Option<f64>; VALUES] {
        [
            Some(self.sent as f64),
            Some(self.acknowledged as f64),
            self.window.map(f64::from),
            self.unread.map(f64::from),
            self.queued.map(f64::from),
            self.buffered.map(f64::from),
        ]
    }
}

/// Values of a point besides its time.
const VALUES: usize = 6;

/// Points with straight lines between them, at most so many: those that the picture would change least without make
/// room.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    points: Vec<Point>,
    most: usize,
    origin: Origin,
    /// Whether that origin knows the window too.
    origin_has_window: bool,
    /// A sequence number that the client has acknowledged, and how much that is by the count.
    acknowledged: Option<(SeqNumber, i64)>,
    /// `sk_sndbuf` of the server's socket, in kernel memory, the largest; 0 where it is not known.
    send_buffer: u32,
}

impl Curve {
    /// An empty curve of at most `most` points.
    pub(super) const fn new(most: usize) -> Self {
        Self {
            points: Vec::new(),
            most,
            origin: Origin::Window,
            origin_has_window: false,
            acknowledged: None,
            send_buffer: 0,
        }
    }

    /// From now on at most so many points.
    pub(super) const fn allow(&mut self, most: usize) {
        self.most = most;
    }

    /// The part of it between two moments: with what holds at each of them.
    pub(super) fn cut(&self, from: Timestamp, to: Timestamp) -> Vec<Point> {
        let edge = |at: Timestamp| {
            let (before, after) = self.points.split_at(self.points.partition_point(|point| point.at <= at));
            let last = before.last()?;
            match after.first() {
                Some(next) if next.after_gap => None,
                Some(next) => Some(last.towards(next, at)),
                None => Some(Point { at, after_gap: false, ..*last }),
            }
        };
        let inside = self.points.iter().copied().filter(|point| (from..=to).contains(&point.at));
        edge(from).into_iter().chain(inside).chain(edge(to)).collect()
    }

    /// The points, oldest first.
    pub(super) fn points(&self) -> &[Point] {
        &self.points
    }

    /// Whether it is known how much was sent and acknowledged.
    pub(super) fn counts(&self) -> bool {
        self.origin > Origin::Window
    }

    /// The limit of the server's send buffer, in kernel memory.
    pub(super) fn send_buffer(&self) -> Option<u32> {
        (self.send_buffer > 0).then_some(self.send_buffer)
    }

    /// Whether events of this kind tell something of it.
    pub(super) const fn is_told_by(kind: &SocketEventKind) -> bool {
        matches!(
            kind,
            SocketEventKind::Wire(_)
                | SocketEventKind::Socket(_)
                | SocketEventKind::ZeroWindow { by: End::Client, .. }
                | SocketEventKind::WindowUpdate { by: End::Client, .. }
        )
    }

    /// Takes what an event tells.
    pub(super) fn observe(&mut self, at: Timestamp, event: &SocketEvent) {
        match &event.kind {
            SocketEventKind::ZeroWindow { by: End::Client, ack } => self.window(at, Some(0), *ack),
            SocketEventKind::WindowUpdate { by: End::Client, window, ack } => self.window(at, *window, *ack),
            _ => {
                let mut point = self.last(at);
                if let Some((origin, counters)) = Counters::of(event) {
                    self.count(&mut point, origin, counters);
                    if let SocketEventKind::Wire(sample) = &event.kind
                        && origin == self.origin
                    {
                        self.acknowledged = Some((sample.client.ack, point.acknowledged));
                    }
                }
                if let SocketEventKind::Socket(sample) = &event.kind {
                    match event.socket.seen_at {
                        Vantage::Client => point.unread = Some(sample.recv_queue),
                        Vantage::Server => {
                            point.queued = Some(sample.send_queue);
                            point.buffered = Some(sample.send_buffer_used);
                            self.send_buffer = self.send_buffer.max(sample.send_buffer);
                        }
                        Vantage::Wire => {}
                    }
                }
                self.push(point, PACE);
            }
        }
    }

    /// A window is advertised at one moment, and counts from what is acknowledged with it.
    fn window(&mut self, at: Timestamp, window: Option<u32>, ack: SeqNumber) {
        if let Some((known, count)) = self.acknowledged
            && ack.is_after(known)
        {
            let mut point = self.last(at);
            point.acknowledged = count.saturating_add(ack.distance_from(known).into());
            point.sent = point.sent.max(point.acknowledged);
            // What was acknowledged had room in the window before: its edge stands still meanwhile.
            point.window = self.last(at).edge().map(|edge| {
                u32::try_from(edge.saturating_sub(point.acknowledged).max(0)).unwrap_or(u32::MAX)
            });
            self.push(point, PACE);
        }
        self.push(Point { window, ..self.last(at) }, Duration::ZERO);
    }

    fn count(&mut self, point: &mut Point, origin: Origin, counters: Counters) {
        let window = counters.window.or(point.window);
        if origin < self.origin {
            // Of a connection older than the observation, the kernel programs do not know the window's scale.
            if !self.origin_has_window {
                point.window = window;
            }
            return;
        }
        let acknowledged = i64::try_from(counters.acknowledged).unwrap_or(i64::MAX);
        if origin > self.origin {
            // What was told by other counters goes on where these begin.
            let apart = acknowledged.saturating_sub(point.acknowledged);
            for before in &mut self.points {
                before.sent = before.sent.saturating_add(apart);
                before.acknowledged = before.acknowledged.saturating_add(apart);
            }
            (self.origin, self.acknowledged) = (origin, None);
        }
        self.origin_has_window = counters.window.is_some();
        let sent = i64::try_from(counters.sent).unwrap_or(i64::MAX).max(acknowledged);
        (point.sent, point.acknowledged, point.window) = (sent, acknowledged, window);
    }

    /// What is known at `at` if nothing has changed.
    fn last(&self, at: Timestamp) -> Point {
        let none = Point {
            at,
            sent: 0,
            acknowledged: 0,
            window: None,
            unread: None,
            queued: None,
            buffered: None,
            after_gap: false,
        };
        self.points.last().map_or(none, |last| Point { at: at.max(last.at), after_gap: false, ..*last })
    }

    /// Goes on with the curve of a later observation, after a gap.
    pub(super) fn go_on(&mut self, later: Self) {
        let last = self.points.last().map_or(0, |point| point.acknowledged);
        let first = later.points.first().map_or(0, |point| point.acknowledged);
        let apart = match (self.acknowledged, later.acknowledged) {
            // Sequence numbers say how much it was meanwhile, up to 4 GB.
            (Some((known, count)), Some((number, own))) => {
                count.saturating_add(number.distance_from(known).into()).saturating_sub(own)
            }
            // The counters of a socket go on.
            _ if self.origin == later.origin
                && matches!(self.origin, Origin::ClientSocket | Origin::ServerSocket) =>
            {
                0
            }
            // Nobody knows, and no line is drawn between the two.
            _ => last.saturating_sub(first),
        };
        let from = self.points.len();
        self.points.extend(later.points.into_iter().map(|point| Point {
            sent: point.sent.saturating_add(apart),
            acknowledged: point.acknowledged.saturating_add(apart),
            ..point
        }));
        if let Some(first) = self.points.get_mut(from) {
            first.after_gap = from > 0;
        }
        while self.points.len() > self.most {
            let before = self.points.len();
            self.thin();
            if self.points.len() == before {
                break;
            }
        }
        self.acknowledged = later
            .acknowledged
            .map(|(number, count)| (number, count.saturating_add(apart)))
            .or(self.acknowledged);
        self.origin = self.origin.max(later.origin);
        self.origin_has_window |= later.origin_has_window;
        self.send_buffer = self.send_buffer.max(later.send_buffer);
    }

    /// Adds a point if it says something new; what was known before it held until `pace` before.
    fn push(&mut self, point: Point, pace: Duration) {
        if let Some(last) = self.points.last().copied() {
            if (Point { at: last.at, after_gap: last.after_gap, ..point }) == last {
                return;
            }
            let held = point.at - pace;
            if held > last.at {
                self.put(Point { at: held, after_gap: false, ..last });
            }
        }
        self.put(point);
    }

    fn put(&mut self, point: Point) {
        if self.points.len() >= self.most {
            self.thin();
        }
        self.points.push(point);
    }

    /// Drops the quarter of the points that the picture changes least without. It is looked for among every second
    /// point, so that no two neighbours go at once.
    fn thin(&mut self) {
        let scale = self.scale();
        let mut costs: Vec<(f64, usize)> = self
            .points
            .windows(3)
            .enumerate()
            .step_by(2)
            .map(|(i, three)| (cost(three, &scale), i + 1))
            .collect();
        let drop = self.points.len() / 4;
        if costs.len() > drop {
            costs.select_nth_unstable_by(drop, |one, other| one.0.total_cmp(&other.0));
            costs.truncate(drop);
        }
        let mut stays = vec![true; self.points.len()];
        for (_, index) in costs {
            stays[index] = false;
        }
        let mut stays = stays.into_iter();
        self.points.retain(|_| stays.next().unwrap_or(true));
    }

    /// How far each value ranges: what would be the height of its picture.
    fn scale(&self) -> [f64; VALUES] {
        let (mut low, mut high) = ([f64::INFINITY; VALUES], [f64::NEG_INFINITY; VALUES]);
        for values in self.points.iter().map(Point::values) {
            for (index, value) in values.into_iter().enumerate() {
                let Some(value) = value else { continue };
                low[index] = low[index].min(value);
                high[index] = high[index].max(value);
            }
        }
        std::array::from_fn(|index| (high[index] - low[index]).max(1.0))
    }
}

/// What the picture loses without the middle one of three points: the greatest triangle between them, after
/// Visvalingam and Whyatt (1993), in heights of the picture times seconds.
fn cost(three: &[Point], scale: &[f64; VALUES]) -> f64 {
    let [before, point, after] = three else { return 0.0 };
    if point.after_gap || after.after_gap {
        return f64::INFINITY;
    }
    let whole = after.at.since(before.at).as_secs_f64();
    let share = if whole > 0.0 { point.at.since(before.at).as_secs_f64() / whole } else { 0.5 };
    let values = before.values().into_iter().zip(point.values()).zip(after.values()).zip(scale);
    let off = values.map(|(((before, value), after), scale)| match (before, value, after) {
        (Some(before), Some(value), Some(after)) => {
            (value - (before + (after - before) * share)).abs() / scale
        }
        (None, None, None) => 0.0,
        // Where it begins to be known.
        _ => 1.0,
    });
    off.fold(0.0, f64::max) * whole
}

#[cfg(test)]
mod tests;
