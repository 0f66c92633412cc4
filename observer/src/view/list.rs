//! The region of connections.

use observer_core::{Bytes, Connection, ConnectionId, Phase, Timestamp, Tracker};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::widgets::Widget;
use std::time::Duration;

use super::arrange::Arrangement;
use super::canvas::{bar, put, put_right, rule, spark};
use super::columns::{Column, Known, MARGIN};
use super::order::Sort;
use super::overview::counts_down;
use super::series::Series;
use super::{theme, words};
use crate::text::{short, shorten_middle, width};

/// Lines above the first connection: the title and the column heads.
const HEAD: u16 = 2;
/// The last of them, that of the column heads.
const HEADS: u16 = HEAD - 1;
/// The time left has as many cells at least, so that the bars before it are as long as each other.
const LEFT: usize = 8;
/// What the sparkline covers.
const HISTORY: Duration = Duration::from_secs(60);

/// The region.
pub(super) struct List<'a> {
    pub(super) tracker: &'a Tracker,
    /// The connections on the screen.
    pub(super) rows: &'a [ConnectionId],
    pub(super) selected: Option<ConnectionId>,
    /// In which order they stand, and what is wanted of them.
    pub(super) arrangement: &'a Arrangement,
    /// What can be known here.
    pub(super) known: Known,
    pub(super) series: &'a dyn Fn(&Connection) -> Option<&'a Series>,
    pub(super) now: Timestamp,
}

/// Connections that fit into a list of this height.
pub(super) fn rows(height: u16) -> usize {
    height.saturating_sub(HEAD).into()
}

/// What somebody can point at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// The head of a column that the list can be sorted by.
    Head(Sort),
    /// So many rows below the first on the screen.
    Row(usize),
}

/// What is at a place in a list of this area, with these columns.
pub(super) fn spot(at: Position, area: Rect, columns: Vec<(Column, u16)>) -> Option<Spot> {
    match at.y.checked_sub(area.y)? {
        row @ HEAD.. => Some(Spot::Row((row - HEAD).into())),
        HEADS => {
            let mut end = area.x + MARGIN;
            let pointed_at = columns.into_iter().find(|(_, cells)| {
                // The gap behind a column is of its head too.
                end += cells + 1;
                at.x < end
            });
            pointed_at.and_then(|(column, _)| column.sort()).map(Spot::Head)
        }
        _ => None,
    }
}

impl Widget for &List<'_> {
    fn render(self, area: Rect, picture: &mut Buffer) {
        rule(picture, area, "Connections");
        if self.rows.is_empty() {
            let line = Rect { y: area.y + area.height / 2, height: 1, ..area };
            let text = if self.arrangement.is_filtered() {
                "No connection has that in its addresses, processes, thread, version or state."
            } else {
                "No MySQL connection yet."
            };
            put(picture, line, area.x + MARGIN, area.width, text, theme::DIM);
            return;
        }
        let columns = self.arrangement.columns.fitting(self.known, area.width);
        let line = |row: u16| Rect { y: area.y + row, height: 1, ..area };
        let mut x = area.x + MARGIN;
        for &(column, cells) in &columns {
            let mark = match column.sort() == Some(self.arrangement.order.sort) {
                true if self.arrangement.order.reversed => "▴",
                true => "▾",
                false => "",
            };
            let title = column.title(cells);
            if column.is_number() {
                // The mark takes the gap before the column.
                put_right(picture, line(HEADS), x - 1, cells + 1, &format!("{mark}{title}"), theme::DIM);
            } else {
                put(picture, line(HEADS), x, cells, format!("{title} {mark}").trim_end(), theme::DIM);
            }
            x += cells + 1;
        }
        let connections = self.rows.iter().filter_map(|&id| self.tracker.connection(id));
        for (row, connection) in (HEAD..area.height).zip(connections) {
            self.row(connection, &columns, line(row), picture);
        }
    }
}

impl List<'_> {
    fn row(&self, connection: &Connection, columns: &[(Column, u16)], area: Rect, picture: &mut Buffer) {
        let selected = self.selected == Some(connection.id());
        let (sign, style) = words::sign(connection);
        // Of a row in trouble the sign, the client and what runs out stand out; what has ended steps back.
        let quiet = match connection.phase() {
            Phase::Closed => theme::DIM,
            Phase::Stalled if connection.clock().is_none() => theme::DIM,
            _ => Style::new(),
        };
        if selected {
            put(picture, area, area.x, 1, "›", theme::ACCENT.patch(theme::STRONG));
        }
        put(picture, area, area.x + 1, 1, sign, style);
        let mut x = area.x + MARGIN;
        for &(column, cells) in columns {
            let style = match column {
                Column::Client if selected => quiet.patch(theme::STRONG),
                Column::Timeout => quiet.patch(style),
                // What is as it should be does not draw the eye.
                Column::History if connection.phase() == Phase::Flowing => theme::DIM,
                _ => quiet,
            };
            let text = self.cell(connection, column, cells);
            let put = if column.is_number() { put_right } else { put };
            put(picture, area, x, cells, &text, style);
            x += cells + 1;
        }
    }

    fn cell(&self, connection: &Connection, column: Column, cells: u16) -> String {
        match column {
            Column::Client => shorten_middle(&connection.flow().client.to_string(), cells.into()),
            // The end of it is the number.
            Column::Process => words::process(connection, cells.into()),
            Column::Thread => {
                connection.greeting().map_or_else(String::new, |greeting| greeting.thread_id.to_string())
            }
            Column::State => connection.state_word().to_owned(),
            Column::Window => match connection.window() {
                _ if connection.phase() == Phase::Closed => String::new(),
                Some(0) => "0".to_owned(),
                Some(window) => Bytes(window.into()).to_string(),
                None => "?".to_owned(),
            },
            Column::History => (self.series)(connection).map_or_else(String::new, |series| {
                let windows = series.smallest_windows(self.now - HISTORY, self.now, cells.into());
                spark(&windows, connection.largest_window())
            }),
            Column::Queued => bytes(connection.queued()),
            Column::Unread => bytes(connection.unread()),
            Column::Stalled => connection
                .window_closed_since()
                .map_or_else(String::new, |since| short(self.now.since(since))),
            Column::Timeout => match connection.clock().filter(|_| counts_down(connection)) {
                Some(clock) => {
                    let left = words::left(clock, self.now);
                    let room = usize::from(cells).saturating_sub(1 + width(&left).max(LEFT));
                    let bar = bar(clock.used(self.now), u16::try_from(room).unwrap_or(0));
                    format!("{bar} {left:>LEFT$}")
                }
                None => words::outcome(connection, self.now, self.tracker.config()),
            },
        }
    }
}

fn bytes(count: Option<u64>) -> String {
    count.map_or_else(String::new, |count| Bytes(count).to_string())
}
