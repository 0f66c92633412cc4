//! The chart: window edge, sent and acknowledged in sequence space, over a time axis that runs past now to the
//! moment the server gives up. It is the picture of tcptrace, which Wireshark users know.

use std::time::Duration;

use observer_core::{Bytes, Connection, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::text::Span;
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::{Canvas, Context, Line};

use super::canvas::{put, put_right, rule, spark};
use super::series::{Point, Series};
use super::theme;

/// Cells left of the plot: a size and the axis.
const LABELS: u16 = 8;
/// The shortest time shown before now.
const SHORTEST: Duration = Duration::from_secs(10);
const LEGEND: [(&str, Style); 5] = [
    ("window edge", EDGE),
    ("sent", SENT),
    ("acked", ACKNOWLEDGED),
    ("× probe", PROBE),
    ("┊ net_write_timeout", DEADLINE),
];
const EDGE: Style = theme::ACCENT;
const SENT: Style = Style::new();
const ACKNOWLEDGED: Style = theme::GOOD;
const PROBE: Style = Style::new().fg(Color::Magenta);
const DEADLINE: Style = theme::CRITICAL;

/// The region.
pub(super) struct Chart<'a> {
    pub(super) connection: &'a Connection,
    pub(super) series: Option<&'a Series>,
    pub(super) now: Timestamp,
}

/// The part of time and of sequence space that is shown, and where.
struct Axes {
    plot: Rect,
    from: Timestamp,
    to: Timestamp,
    now: Timestamp,
    /// Bytes acknowledged at the left edge: the zero of the scale.
    base: u64,
    /// Distance of two labels, and how many there are.
    step: u64,
    steps: u16,
}

impl Widget for &Chart<'_> {
    fn render(self, area: Rect, picture: &mut Buffer) {
        legend(area, picture);
        let Some(series) = self.series.filter(|series| series.points().next().is_some()) else {
            let line = Rect { y: area.y + area.height / 2, height: 1, ..area };
            put(picture, line, area.x + 3, area.width, "Nothing sampled of this connection yet.", theme::DIM);
            return;
        };
        // Title, moments, axis, labels and the line of windows.
        if area.height < 8 || area.width < 40 {
            return;
        }
        let plot =
            Rect { x: area.x + LABELS, y: area.y + 2, width: area.width - LABELS, height: area.height - 5 };
        let axes = Axes::new(plot, series, self.connection, self.now);
        axes.draw(picture);
        Canvas::default()
            .marker(Marker::Braille)
            .x_bounds([axes.seconds(axes.from), axes.seconds(axes.to)])
            .y_bounds([0.0, axes.height()])
            .paint(|context| axes.curves(series, context))
            .render(plot, picture);
        self.moments(&axes, picture);
        self.windows(&axes, series, picture);
    }
}

fn legend(area: Rect, picture: &mut Buffer) {
    let mut x = rule(picture, area, "Sequence") + 2;
    for (text, style) in LEGEND {
        let cells = u16::try_from(crate::text::width(text)).unwrap_or(0);
        if x + cells + 2 > area.right() {
            break;
        }
        put(picture, area, x, cells + 2, &format!(" {text} "), style);
        x += cells + 3;
    }
}

impl Chart<'_> {
    /// Now, and the deadline or its range, named above the plot.
    fn moments(&self, axes: &Axes, picture: &mut Buffer) {
        let plot = axes.plot;
        let names = Rect { y: plot.y - 1, height: 1, ..plot };
        let mut named_up_to = plot.x;
        if let Some(column) = axes.column(self.now) {
            let x = column.saturating_sub(2).max(plot.x);
            put(picture, names, x, 3, "now", theme::DIM);
            named_up_to = x + 4;
        }
        let Some(abort) = self.connection.abort() else { return };
        let (earliest, latest) = (axes.column(abort.earliest), axes.column(abort.latest));
        for column in [earliest, latest].into_iter().flatten() {
            for row in names.y..plot.bottom() {
                put(picture, Rect { y: row, height: 1, ..plot }, column, 1, "┊", DEADLINE);
            }
        }
        let time = abort.earliest.to_string();
        let time = time.get(11..19).unwrap_or_default();
        if let Some(column) = earliest.filter(|&column| column >= named_up_to + 9) {
            put_right(picture, names, column - 9, 9, time, DEADLINE);
        }
    }

    /// The window under the same time axis.
    fn windows(&self, axes: &Axes, series: &Series, picture: &mut Buffer) {
        let plot = axes.plot;
        let line = Rect { x: plot.x - LABELS, y: plot.bottom() + 2, width: plot.width + LABELS, height: 1 };
        put(picture, line, line.x, LABELS, "   wnd │", theme::DIM);
        let cells = axes.column(self.now).map_or(plot.width, |column| column - plot.x + 1);
        let windows = series.smallest_windows(axes.from, self.now.min(axes.to), cells.into());
        let text = spark(&windows, self.connection.largest_window());
        put(picture, line, plot.x, cells, &text, EDGE);
    }
}

impl Axes {
    fn new(plot: Rect, series: &Series, connection: &Connection, now: Timestamp) -> Self {
        let first = series.points().next().map_or(now, |point| point.at);
        let past = now.since(first).max(SHORTEST);
        // The future is as long as the countdown, but never pushes the past off the picture.
        let ahead = connection
            .abort()
            .map(|abort| abort.latest.since(now))
            .filter(|ahead| !ahead.is_zero() && *ahead <= past.saturating_mul(4).max(Duration::from_secs(60)))
            .unwrap_or_default();
        let to = now + ahead + (past + ahead) / 20;
        let base = series.points().next().map_or(0, |point| point.acknowledged);
        let top = series.points().map(|point| point.edge().unwrap_or(0).max(point.sent)).max().unwrap_or(0);
        let (step, steps) = scale(top.saturating_sub(base), plot.height);
        Self { plot, from: now - past, to, now, base, step, steps }
    }

    /// Seconds from now.
    fn seconds(&self, at: Timestamp) -> f64 {
        at.since(self.now).as_secs_f64() - self.now.since(at).as_secs_f64()
    }

    /// Bytes from the bottom of the plot to its top.
    #[expect(clippy::cast_precision_loss, reason = "a picture")]
    fn height(&self) -> f64 {
        (self.step * u64::from(self.steps)) as f64
    }

    #[expect(clippy::cast_precision_loss, reason = "a picture")]
    fn bytes(&self, count: u64) -> f64 {
        count.saturating_sub(self.base) as f64
    }

    /// The column of a moment, if it is on the picture.
    fn column(&self, at: Timestamp) -> Option<u16> {
        if at < self.from || at > self.to || self.plot.width == 0 {
            return None;
        }
        let share = at.since(self.from).as_secs_f64() / self.to.since(self.from).as_secs_f64();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the width")]
        let column = (share * f64::from(self.plot.width - 1)).round() as u16;
        Some(self.plot.x + column)
    }

    fn draw(&self, picture: &mut Buffer) {
        let plot = self.plot;
        for row in plot.y - 1..plot.bottom() {
            put(picture, Rect { y: row, height: 1, ..plot }, plot.x - 1, 1, "│", theme::DIM);
        }
        let bottom = plot.bottom() - 1;
        for index in 0..=self.steps {
            let up = u32::from(index) * u32::from(plot.height - 1) / u32::from(self.steps.max(1));
            let line = Rect {
                x: plot.x - LABELS,
                y: bottom - u16::try_from(up).unwrap_or(0),
                width: LABELS,
                height: 1,
            };
            // The steps are round: their decimals say nothing.
            let label = Bytes(u64::from(index) * self.step).to_string().replace(".0 ", " ");
            put_right(picture, line, line.x, LABELS - 2, &label, theme::DIM);
        }
        let axis = Rect { x: plot.x - 1, y: plot.bottom(), width: plot.width + 1, height: 1 };
        put(picture, axis, axis.x, axis.width, &format!("└{}", "─".repeat(plot.width.into())), theme::DIM);
        self.times(picture);
    }

    /// Labels of the time axis, in seconds from now.
    fn times(&self, picture: &mut Buffer) {
        let line = Rect { y: self.plot.bottom() + 1, height: 1, ..self.plot };
        let (from, to) = (self.seconds(self.from), self.seconds(self.to));
        let step = nice((to - from) / f64::from((self.plot.width / 14).max(1)));
        let mut tick = (from / step).ceil() * step;
        while tick <= to {
            let at = if tick < 0.0 {
                self.now - Duration::from_secs_f64(-tick)
            } else {
                self.now + Duration::from_secs_f64(tick)
            };
            if let Some(column) = self.column(at) {
                let text = if tick == 0.0 { "0".to_owned() } else { format!("{tick:+} s") };
                let cells = u16::try_from(text.len()).unwrap_or(0);
                let x = column
                    .saturating_sub(cells / 2)
                    .clamp(line.x, line.right().saturating_sub(cells).max(line.x));
                put(picture, line, x, cells, &text, theme::DIM);
            }
            tick += step;
        }
    }

    /// Edge, sent, acknowledged, probes: what is drawn later lies above.
    fn curves(&self, series: &Series, context: &mut Context<'_>) {
        let curve = |context: &mut Context<'_>, value: &dyn Fn(&Point) -> Option<u64>, style: Style| {
            let color = style.fg.unwrap_or(Color::Reset);
            let mut last: Option<(f64, f64)> = None;
            for point in series.points() {
                let Some(value) = value(point) else { continue };
                let (x, y) = (self.seconds(point.at), self.bytes(value));
                if let Some((x0, y0)) = last {
                    // Between two samples a line; after a pause, the value held until just before the change.
                    let held = (x - series.slot().as_secs_f64() * 2.0).max(x0);
                    context.draw(&Line { x1: x0, y1: y0, x2: held, y2: y0, color });
                    context.draw(&Line { x1: held, y1: y0, x2: x, y2: y, color });
                }
                last = Some((x, y));
            }
            if let Some((x, y)) = last {
                context.draw(&Line { x1: x, y1: y, x2: 0.0, y2: y, color });
            }
            context.layer();
        };
        curve(context, &Point::edge, EDGE);
        curve(context, &|point| Some(point.sent), SENT);
        curve(context, &|point| Some(point.acknowledged), ACKNOWLEDGED);
        for at in series.probes().filter(|&at| at >= self.from) {
            let before = series.points().rev().find(|point| point.at <= at);
            if let Some(edge) = before.and_then(Point::edge) {
                context.print(self.seconds(at), self.bytes(edge), Span::styled("×", PROBE));
            }
        }
    }
}

/// A round distance of labels for `range`, and how many fit.
fn scale(range: u64, rows: u16) -> (u64, u16) {
    let labels = (rows / 3).clamp(1, 6);
    #[expect(clippy::cast_precision_loss, reason = "a picture")]
    let wanted = (range.max(1) as f64 / f64::from(labels)).max(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive and not larger than u64"
    )]
    let step = nice(wanted) as u64;
    (step, u16::try_from(range.max(1).div_ceil(step)).unwrap_or(1))
}

/// The next number of 1, 2, 5, 10, 20, 50 … not below `wanted`.
fn nice(wanted: f64) -> f64 {
    let power = 10_f64.powf(wanted.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|&step| step >= wanted)
        .unwrap_or(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_round_and_cover_the_range() {
        for (range, rows) in [(0, 10), (1, 10), (11_900_000, 11), (u64::MAX / 2, 40), (999, 1)] {
            let (step, steps) = scale(range, rows);
            assert!(u128::from(step) * u128::from(steps) >= u128::from(range), "{range}: {step} x {steps}");
            assert!(steps <= 7, "{range}: {step} x {steps}");
        }
        assert_eq!(scale(11_900_000, 11), (5_000_000, 3));
    }
}
