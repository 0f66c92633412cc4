//! The region of the selected connection: who, how long is left or what has happened, the chart, the facts.

mod facts;
mod outcome;
mod owners;

use observer_core::{Config, Connection, Timeout, TimeoutSource, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;

use super::canvas::{bar, put, put_right};
use super::chart::{Chart, Span};
use super::overview::counts_down;
use super::series::Series;
use super::{theme, words};
use crate::text::{safe, width};

/// From this width on the facts stand beside the chart, else the most telling in one line above it.
const WITH_FACTS: u16 = 100;
/// Width of the facts.
const FACTS: u16 = 38;
/// Of a lower region the chart gets all.
const WITH_LINE: u16 = 12;
/// Lines the chart keeps beside what has happened.
const CHART: u16 = 8;

/// The region.
pub(super) struct Detail<'a> {
    pub(super) connection: &'a Connection,
    pub(super) series: Option<&'a Series>,
    pub(super) config: &'a Config,
    pub(super) span: Span,
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
        let mut rest = Rect { y: area.y + 2, height: area.height - 2, ..area };
        if area.width >= WITH_FACTS {
            rest.width -= FACTS + 2;
            let facts = Rect { x: rest.right() + 1, width: FACTS, ..rest };
            self.facts(facts, picture);
        } else if area.height >= WITH_LINE {
            let text = facts::line(self.connection, self.now);
            put(picture, rest, rest.x + 1, rest.width - 1, &text, theme::DIM);
            rest = Rect { y: rest.y + 1, height: rest.height - 1, ..rest };
        }
        let told = outcome::tell(self.connection, self.config, self.now, rest.width);
        let room = rest.height.saturating_sub(CHART);
        let lines = outcome::draw(&told, Rect { height: room.min(rest.height), ..rest }, picture);
        rest = Rect { y: rest.y + lines, height: rest.height - lines, ..rest };
        let Detail { connection, series, span, now, .. } = *self;
        Chart { connection, series, span, now }.render(rest, picture);
    }
}

impl Detail<'_> {
    fn title(&self, area: Rect, picture: &mut Buffer) {
        let flow = self.connection.flow();
        let text = format!("‹ {} → {}", flow.server, flow.client);
        put(picture, area, area.x + 1, area.width, &text, theme::STRONG);
        let x = area.x + 3 + u16::try_from(width(&text)).unwrap_or(0);
        let mut names = Vec::new();
        names.extend(words::reader(self.connection));
        names.extend(words::server(self.connection));
        let greeting = self.connection.greeting();
        names.extend(greeting.map(|greeting| format!("thread {}", greeting.thread_id)));
        if area.width < WITH_FACTS {
            // Else the facts tell where the process belongs to.
            let others: usize = names.iter().skip(1).map(|name| 2 + width(name)).sum();
            let room = usize::from(area.right().saturating_sub(x)).saturating_sub(others);
            let process = words::process(self.connection, room);
            if let Some(first) = names.first_mut().filter(|first| process.starts_with(first.as_str())) {
                *first = process;
            }
        }
        names.extend(greeting.map(|greeting| safe(&greeting.version).into_owned()));
        put(picture, area, x, area.width, &names.join("  "), theme::DIM);
    }

    fn clock(&self, area: Rect, picture: &mut Buffer) {
        let (_, style) = words::sign(self.connection);
        let text = match self.connection.clock().filter(|_| counts_down(self.connection)) {
            Some(clock) => {
                let Timeout { duration, source } = clock.timeout;
                let (least, most) =
                    (self.now.since(clock.started.latest), self.now.since(clock.started.earliest));
                let assumed = if source == TimeoutSource::Assumed { " assumed" } else { "" };
                let (used, left) = (words::range(least, most), words::left(clock, self.now));
                let times = format!("  {used} of {} s{assumed}   {left} left", duration.as_secs());
                let room = area.width.saturating_sub(2 + u16::try_from(width(&times)).unwrap_or(0));
                format!("{}{times}", bar(clock.used(self.now), room.min(60)))
            }
            None => words::outcome(self.connection, self.now, self.config),
        };
        put(picture, area, area.x + 1, area.width, &text, style);
    }

    fn facts(&self, area: Rect, picture: &mut Buffer) {
        for (row, (name, value)) in (area.y..area.bottom()).zip(facts::facts(self.connection, self.now)) {
            let line = Rect { y: row, height: 1, ..area };
            put(picture, line, area.x, area.width, name, theme::DIM);
            let room = area.width.saturating_sub(2 + u16::try_from(width(name)).unwrap_or(0));
            let value = crate::text::fit(&value, room.into());
            put_right(picture, line, area.x, area.width - 1, &value, Style::new());
        }
    }
}
