//! The region of connections.

use observer_core::{Bytes, Connection, ConnectionId, Phase, Timestamp, Tracker};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::widgets::Widget;
use std::time::Duration;

use super::arrange::{Arrangement, Sort};
use super::canvas::{bar, put, put_right, rule, spark};
use super::series::Series;
use super::{theme, words};
use crate::text::{short, shorten_middle};

/// Lines above the first connection: the title and the column heads.
const HEAD: u16 = 2;
/// The last of them, that of the column heads.
const HEADS: u16 = HEAD - 1;
/// Cells before the first column: the mark of the selection and the sign.
const MARGIN: u16 = 3;
/// What the sparkline covers.
const HISTORY: Duration = Duration::from_secs(60);

/// The region.
pub(super) struct List<'a> {
    pub(super) tracker: &'a Tracker,
    /// The connections on the screen.
    pub(super) rows: &'a [ConnectionId],
    pub(super) selected: Option<ConnectionId>,
    /// In which order they stand.
    pub(super) arrangement: &'a Arrangement,
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

/// What is at a place in a list of this area.
pub(super) fn spot(at: Position, area: Rect) -> Option<Spot> {
    match at.y.checked_sub(area.y)? {
        row @ HEAD.. => Some(Spot::Row((row - HEAD).into())),
        HEADS => {
            let mut end = area.x + MARGIN;
            let pointed_at = columns(area.width).into_iter().find(|(_, cells)| {
                // The gap behind a column is of its head too.
                end += cells + 1;
                at.x < end
            });
            pointed_at.and_then(|(column, _)| column.sort()).map(Spot::Head)
        }
        _ => None,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Client,
    Process,
    State,
    Window,
    History,
    Waiting,
    Stalled,
    Timeout,
}

/// The columns for a width, each with its own. What matters least is dropped first.
fn columns(width: u16) -> Vec<(Column, u16)> {
    use Column::{Client, History, Process, Stalled, State, Timeout, Waiting, Window};
    let all = [
        (Client, 20),
        (Process, 18),
        (State, 11),
        (Window, 7),
        (History, 10),
        (Waiting, 7),
        (Stalled, 7),
        (Timeout, 16),
    ];
    let mut columns = all.to_vec();
    let taken =
        |columns: &[(Column, u16)]| MARGIN + columns.iter().map(|(_, cells)| cells + 1).sum::<u16>() - 1;
    for dropped in [Process, Waiting, History, Window, State, Stalled] {
        if taken(&columns) > width {
            columns.retain(|(column, _)| *column != dropped);
        }
    }
    // Room to spare goes to the history, up to a cell a second, and then to long addresses.
    let mut spare = width.saturating_sub(taken(&columns) + 1);
    for (column, most) in [(History, 60), (Client, 47)] {
        if let Some((_, cells)) = columns.iter_mut().find(|(candidate, _)| *candidate == column) {
            let more = spare.min(most - *cells);
            (*cells, spare) = (*cells + more, spare - more);
        }
    }
    columns
}

impl Column {
    fn title(self, cells: u16) -> &'static str {
        match self {
            Self::Client => "CLIENT",
            Self::Process => "PROCESS",
            Self::State => "STATE",
            Self::Window => "WINDOW",
            Self::History if cells >= 20 => "WINDOW, LAST 60 s",
            Self::History => "LAST 60 s",
            Self::Waiting => "WAITING",
            Self::Stalled => "STALLED",
            Self::Timeout => "TIMEOUT IN",
        }
    }

    /// What the list is sorted by when it is sorted by this column.
    fn sort(self) -> Option<Sort> {
        Some(match self {
            Self::Client => Sort::Client,
            Self::State => Sort::State,
            Self::Window => Sort::Window,
            Self::Waiting => Sort::Waiting,
            Self::Stalled => Sort::Stalled,
            Self::Timeout => Sort::TimeLeft,
            Self::Process | Self::History => return None,
        })
    }

    fn is_number(self) -> bool {
        matches!(self, Self::Window | Self::Waiting | Self::Stalled)
    }
}

impl Widget for &List<'_> {
    fn render(self, area: Rect, picture: &mut Buffer) {
        rule(picture, area, "Connections");
        if self.rows.is_empty() {
            let line = Rect { y: area.y + area.height / 2, height: 1, ..area };
            let text = if self.arrangement.is_filtered() {
                "No connection has that in its address, process or state."
            } else {
                "No MySQL connection yet."
            };
            put(picture, line, area.x + MARGIN, area.width, text, theme::DIM);
            return;
        }
        let columns = columns(area.width);
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
            Column::Process => words::process(connection).unwrap_or_default(),
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
            Column::Waiting => {
                words::waiting(connection).map_or_else(String::new, |count| Bytes(count).to_string())
            }
            Column::Stalled => connection
                .window_closed_since()
                .map_or_else(String::new, |since| short(self.now.since(since))),
            Column::Timeout => match words::left(connection, self.now) {
                Some(left) if super::overview::counts_down(connection) => {
                    let used = connection.clock().map_or(0.0, |clock| clock.used(self.now));
                    format!("{} {left:>7}", bar(used, 8))
                }
                _ => words::outcome(connection, self.now, self.tracker.config()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fit_and_go_in_order() {
        let names = |width| columns(width).into_iter().map(|(column, _)| column).collect::<Vec<_>>();
        for width in 40..400 {
            let taken: u16 = columns(width).iter().map(|(_, cells)| cells + 1).sum();
            assert!(MARGIN + taken - 1 <= width, "{width}");
        }
        assert!(names(120).contains(&Column::Process));
        assert!(!names(80).contains(&Column::Process) && names(80).contains(&Column::History));
        assert!(!names(78).contains(&Column::History) && names(78).contains(&Column::Window));
        assert!(!names(67).contains(&Column::Window) && names(67).contains(&Column::State));
        assert_eq!(names(40), [Column::Client, Column::Timeout]);
    }
}
