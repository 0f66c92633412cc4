//! The chart: window edge, sent and acknowledged in sequence space, over a time axis that runs past now to the
//! moment the server gives up. It is the picture of tcptrace, which Wireshark users know.

mod axes;
mod curve;
mod moments;
mod span;

use std::time::Duration;

use observer_core::{Connection, End, Phase, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::widgets::Widget;

use super::canvas::{put, put_right, rule, spark};
use super::series::{Mark, Point, Series};
use super::theme;
use axes::Axes;
use curve::{Curve, DOTS, Dots, curve};
pub(super) use span::{Look, Span, Whole};

/// Cells left of the plot: a size and the axis.
const LABELS: u16 = 8;
/// The shortest time shown before now.
const SHORTEST: Duration = Duration::from_secs(10);
/// The least room for a plot: with title, moments, axis, labels and the line of windows.
const SMALLEST: (u16, u16) = (40, 8);

const EDGE: Style = theme::ACCENT;
const SENT: Style = Style::new();
const ACKNOWLEDGED: Style = theme::GOOD;
const MARK: Style = Style::new().fg(Color::Magenta);
const DEADLINE: Style = theme::CRITICAL;

/// The region.
pub(super) struct Chart<'a> {
    pub(super) connection: &'a Connection,
    pub(super) series: Option<&'a Series>,
    pub(super) span: Span,
    pub(super) now: Timestamp,
}

/// The three curves on the columns of dots.
struct Curves {
    edge: Curve,
    sent: Curve,
    acknowledged: Curve,
}

/// All the time there is to show of a connection. Of one that has ended nothing more comes.
pub(super) fn whole(connection: &Connection, series: &Series, now: Timestamp) -> Whole {
    let now = if connection.phase() == Phase::Closed { connection.last_seen().min(now) } else { now };
    let first = series.points().next().map_or(now, |point| point.at).min(now - SHORTEST);
    let past = now.since(first);
    // The future is as long as the countdown, but never pushes the past off the picture.
    let ahead = connection
        .abort()
        .map(|abort| abort.latest.since(now))
        .filter(|ahead| !ahead.is_zero() && *ahead <= past.saturating_mul(4).max(Duration::from_secs(60)))
        .unwrap_or_default();
    Whole { first, now, end: now + ahead + (past + ahead) / 20 }
}

impl Widget for &Chart<'_> {
    fn render(self, area: Rect, picture: &mut Buffer) {
        self.legend(area, picture);
        let Some(series) = self.series.filter(|series| series.points().next().is_some()) else {
            let line = Rect { y: area.y + area.height / 2, height: 1, ..area };
            put(picture, line, area.x + 3, area.width, "Nothing sampled of this connection yet.", theme::DIM);
            return;
        };
        if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
            return;
        }
        let plot =
            Rect { x: area.x + LABELS, y: area.y + 2, width: area.width - LABELS, height: area.height - 5 };
        let whole = whole(self.connection, series, self.now);
        let mut axes = Axes::new(plot, self.span.stretch(whole), whole.now);
        let curves = Curves::of(series, &axes);
        axes.fit(&curves.edge, &curves.sent, &curves.acknowledged);
        axes.draw(picture);
        self.moments(&axes, picture);
        curves.draw(&axes, picture);
        curves.marks(series, &axes, picture);
        self.windows(&axes, series, picture);
    }
}

impl Chart<'_> {
    fn legend(&self, area: Rect, picture: &mut Buffer) {
        let mut x = rule(picture, area, "Sequence") + 2;
        let marks = |kind: fn(&Mark) -> bool| {
            self.series.is_some_and(|series| series.marks().any(|(_, mark)| kind(&mark)))
        };
        let entries = [
            ("window edge", EDGE, true),
            ("sent", SENT, true),
            ("acked", ACKNOWLEDGED, true),
            ("× probe", MARK, true),
            ("F FIN", MARK, marks(|mark| matches!(mark, Mark::Fin(_)))),
            ("R RST", MARK, marks(|mark| matches!(mark, Mark::Reset(_)))),
            ("┊ net_write_timeout", DEADLINE, true),
        ];
        for (text, style, _) in entries.into_iter().filter(|(.., shown)| *shown) {
            let cells = u16::try_from(crate::text::width(text)).unwrap_or(0);
            if x + cells + 2 > area.right() {
                break;
            }
            // Clearer than the rule it interrupts.
            let style = style.remove_modifier(Modifier::DIM);
            put(picture, area, x, cells + 2, &format!(" {text} "), style);
            x += cells + 3;
        }
        if let Some(words) = self.span.words() {
            let cells = u16::try_from(words.len() + 2).unwrap_or(0);
            if x + cells <= area.right() {
                put_right(picture, area, area.x, area.width, &format!(" {words} "), theme::WARNING);
            }
        }
    }

    /// The window under the same time axis.
    fn windows(&self, axes: &Axes, series: &Series, picture: &mut Buffer) {
        let plot = axes.plot;
        let line = Rect { x: plot.x - LABELS, y: plot.bottom() + 2, width: plot.width + LABELS, height: 1 };
        put(picture, line, line.x, LABELS, "   wnd │", theme::DIM);
        let (from, to) = (axes.stretch.from, axes.stretch.to.min(axes.now));
        if to <= from {
            return;
        }
        let cells = axes.column(to).map_or(plot.width, |column| column - plot.x + 1);
        let text = spark(&series.smallest_windows(from, to, cells.into()), self.connection.largest_window());
        put(picture, line, plot.x, cells, &text, EDGE);
    }
}

impl Curves {
    fn of(series: &Series, axes: &Axes) -> Self {
        let columns = usize::from(axes.plot.width) * usize::from(DOTS.0);
        let hold = axes.columns_of(series.slot() * 2);
        let of = |value: &dyn Fn(&Point) -> Option<u64>| {
            let points = series.points().filter_map(|point| Some((point.at, value(point)?)));
            curve(points, axes.now, columns, hold, |at| axes.dot_column(at))
        };
        Self {
            edge: of(&Point::edge),
            sent: of(&|point| Some(point.sent)),
            acknowledged: of(&|point| Some(point.acknowledged)),
        }
    }

    /// What is drawn later gives its style: acknowledged is where it meets the others.
    fn draw(&self, axes: &Axes, picture: &mut Buffer) {
        let mut dots = Dots::new(axes.plot);
        for (curve, style) in [(&self.edge, EDGE), (&self.sent, SENT), (&self.acknowledged, ACKNOWLEDGED)] {
            dots.draw(curve, |value| axes.dot_row(value), style);
        }
        dots.put(picture);
    }

    /// Probes stand on the window's edge, a FIN or RST at what its sender had sent or acknowledged.
    fn marks(&self, series: &Series, axes: &Axes, picture: &mut Buffer) {
        for (at, mark) in series.marks() {
            let Some(column) = axes.column(at) else { continue };
            let (symbol, curve) = match mark {
                Mark::Probe => ("×", &self.edge),
                Mark::Fin(End::Server) => ("F", &self.sent),
                Mark::Reset(End::Server) => ("R", &self.sent),
                Mark::Fin(End::Client) => ("F", &self.acknowledged),
                Mark::Reset(End::Client) => ("R", &self.acknowledged),
            };
            let dots = usize::from((column - axes.plot.x) * DOTS.0);
            // At the very end of a connection there may be nothing behind the mark.
            let before = (0..=dots + 1).rev().find_map(|dot| *curve.columns.get(dot)?);
            let row = before.map_or(0, |(_, high)| axes.dot_row(high) / DOTS.1);
            let line = Rect { y: axes.plot.bottom().saturating_sub(1 + row), height: 1, ..axes.plot };
            put(picture, line, column, 1, symbol, MARK);
        }
    }
}
