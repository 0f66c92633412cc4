//! The region of the selected connection: who, how long is left, the chart, the facts.

use observer_core::{Bytes, Config, Connection, End, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;

use super::canvas::{bar, put, put_right};
use super::chart::Chart;
use super::overview::counts_down;
use super::series::Series;
use super::{theme, words};
use crate::text::{safe, short};

/// From this width on the facts stand beside the chart.
const WITH_FACTS: u16 = 100;
/// Width of the facts.
const FACTS: u16 = 36;

/// The region.
pub(super) struct Detail<'a> {
    pub(super) connection: &'a Connection,
    pub(super) series: Option<&'a Series>,
    pub(super) config: &'a Config,
    pub(super) now: Timestamp,
}

impl Widget for &Detail<'_> {
    fn render(self, area: Rect, picture: &mut Buffer) {
        if area.height < 3 {
            return;
        }
        let line = |row: u16| Rect { y: area.y + row, height: 1, ..area };
        self.title(line(0), picture);
        self.clock(line(1), picture);
        let mut chart = Rect { y: area.y + 2, height: area.height - 2, ..area };
        if area.width >= WITH_FACTS {
            chart.width -= FACTS + 2;
            let facts = Rect { x: chart.right() + 1, width: FACTS, y: chart.y + 1, height: chart.height - 1 };
            self.facts(facts, picture);
        }
        Chart { connection: self.connection, series: self.series, now: self.now }.render(chart, picture);
    }
}

impl Detail<'_> {
    fn title(&self, area: Rect, picture: &mut Buffer) {
        let flow = self.connection.flow();
        let text = format!("‹ {} → {}", flow.server, flow.client);
        put(picture, area, area.x + 1, area.width, &text, theme::STRONG);
        let x = area.x + 3 + u16::try_from(crate::text::width(&text)).unwrap_or(0);
        let text = words::process(self.connection).unwrap_or_default();
        put(picture, area, x, area.width, &text, theme::DIM);
    }

    fn clock(&self, area: Rect, picture: &mut Buffer) {
        let (_, style) = words::sign(self.connection);
        let text = match (self.connection.clock(), words::left(self.connection, self.now)) {
            (Some(clock), Some(left)) if counts_down(self.connection) => {
                let timeout = clock.timeout.duration;
                let used = self.now.since(clock.started.earliest);
                let cells = area.width.saturating_sub(34).min(60);
                let bar = bar(clock.used(self.now), cells);
                format!("{bar}  {} of {} s   {left} left", short(used), timeout.as_secs())
            }
            _ => words::outcome(self.connection, self.now, self.config),
        };
        put(picture, area, area.x + 1, area.width, &text, style);
    }

    fn facts(&self, area: Rect, picture: &mut Buffer) {
        for (row, (name, value)) in (area.y..area.bottom()).zip(self.known()) {
            let line = Rect { y: row, height: 1, ..area };
            put(picture, line, area.x, area.width, name, theme::DIM);
            put_right(picture, line, area.x, area.width - 1, &value, Style::new());
        }
    }

    /// What is known of it, by name.
    fn known(&self) -> Vec<(&'static str, String)> {
        let Self { connection, now, .. } = *self;
        let ago = |at: Timestamp| format!("{} ago", short(now.since(at)));
        let mut facts = Vec::new();
        let timeout = connection.timeout();
        let source = match timeout.source {
            observer_core::TimeoutSource::Session => "session",
            observer_core::TimeoutSource::Server => "server",
            observer_core::TimeoutSource::Flag => "flag",
            observer_core::TimeoutSource::Assumed => "assumed",
        };
        facts.push(("net_write_timeout", format!("{} s, {source}", timeout.duration.as_secs())));
        if let Some(window) = connection.window() {
            facts.push(("advertised window", Bytes(window.into()).to_string()));
        }
        facts.push(("largest window seen", Bytes(connection.largest_window().into()).to_string()));
        if let Some(queued) = connection.queued() {
            facts.push(("queued at the server", Bytes(queued).to_string()));
        }
        if let Some((_, socket)) = connection.end(End::Server).socket.as_deref() {
            let buffer =
                format!("{} of {}", Bytes(socket.send_buffer_used.into()), Bytes(socket.send_buffer.into()));
            facts.push(("send buffer", buffer));
        }
        if let Some(unread) = connection.unread() {
            facts.push(("unread at the client", Bytes(unread).to_string()));
        }
        let (probes, answered) = connection.probes();
        facts.push(("probes / answered", format!("{probes} / {answered}")));
        if let Some(at) = connection.last_progress() {
            facts.push(("last progress", ago(at)));
        }
        facts.push(("zero windows so far", connection.zero_windows().to_string()));
        for (end, name) in [(End::Client, "client"), (End::Server, "server")] {
            let view = connection.end(end);
            if let Some(process) = &view.process {
                facts.push((name, format!("{} {}", safe(&process.comm), process.pid)));
            }
        }
        if let Some(at) = last_read(connection) {
            facts.push(("last read", ago(at)));
        }
        if let Some(at) = connection.opened_at() {
            facts.push(("opened", ago(at)));
        }
        facts
    }
}

/// When the client last read since its window closed. What it read before is not known for sure: reads are followed
/// only while a window is closed.
fn last_read(connection: &Connection) -> Option<Timestamp> {
    let (_, wire) = connection.end(End::Client).wire.as_deref()?;
    let read = wire.last_read.as_ref()?.at;
    (read >= connection.window_closed_since()?).then_some(read)
}
