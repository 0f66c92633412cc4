//! The two axes: what part of time and of sequence space is shown, and where.

use std::time::Duration;

use observer_core::{Bytes, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::LABELS;
use super::curve::{Curve, DOTS};
use super::span::Stretch;
use crate::view::canvas::{put, put_right};
use crate::view::theme;

/// The part of time and of sequence space that is shown, and where.
pub(super) struct Axes {
    pub(super) plot: Rect,
    pub(super) stretch: Stretch,
    /// The zero of the time axis: now, or the end of the connection.
    pub(super) now: Timestamp,
    /// The lowest value on the picture: the zero of the scale.
    base: f64,
    /// Distance of two labels, and how many there are.
    step: u64,
    steps: u16,
}

impl Axes {
    /// The time axis; the other one is still to be [fitted](Self::fit).
    pub(super) fn new(plot: Rect, stretch: Stretch, now: Timestamp) -> Self {
        Self { plot, stretch, now, base: 0.0, step: 1, steps: 1 }
    }

    /// Fits the scale to what is on the picture.
    pub(super) fn fit(&mut self, edge: &Curve, sent: &Curve, acknowledged: &Curve) {
        let shown =
            || [edge, sent, acknowledged].into_iter().flat_map(|curve| curve.columns.iter().flatten());
        let base = shown().map(|(low, _)| *low).fold(f64::INFINITY, f64::min);
        let top = shown().map(|(_, high)| *high).fold(0.0, f64::max);
        self.base = if base.is_finite() { base } else { 0.0 };
        (self.step, self.steps) = scale(top - self.base, self.plot.height);
    }

    /// Seconds from now.
    fn seconds(&self, at: Timestamp) -> f64 {
        at.since(self.now).as_secs_f64() - self.now.since(at).as_secs_f64()
    }

    /// The place of a moment in columns of dots from the left edge, outside of the plot too.
    pub(super) fn dot_column(&self, at: Timestamp) -> f64 {
        self.columns_of(at.since(self.stretch.from)) - self.columns_of(self.stretch.from.since(at))
    }

    /// How many columns of dots so much time takes.
    pub(super) fn columns_of(&self, time: Duration) -> f64 {
        let length = self.stretch.length().as_secs_f64().max(1e-6);
        time.as_secs_f64() / length * f64::from(self.plot.width) * f64::from(DOTS.0)
    }

    /// How many dots from the bottom a value lies.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "0 to the height"
    )]
    pub(super) fn dot_row(&self, value: f64) -> u16 {
        let highest = f64::from((self.plot.height * DOTS.1).saturating_sub(1));
        let range = self.step as f64 * f64::from(self.steps);
        (((value - self.base) / range).clamp(0.0, 1.0) * highest).round() as u16
    }

    /// The column of a moment, if it is on the picture.
    pub(super) fn column(&self, at: Timestamp) -> Option<u16> {
        if at < self.stretch.from || at > self.stretch.to || self.plot.width == 0 {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the width")]
        let column = (self.dot_column(at) / f64::from(DOTS.0)) as u16;
        Some(self.plot.x + column.min(self.plot.width - 1))
    }

    /// Draws the axes and their labels.
    pub(super) fn draw(&self, picture: &mut Buffer) {
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
        let (from, to) = (self.seconds(self.stretch.from), self.seconds(self.stretch.to));
        let step = nice((to - from) / f64::from((self.plot.width / 14).max(1)), &[1.0, 2.0, 5.0]);
        let mut index = (from / step).ceil();
        while index * step <= to {
            let tick = index * step;
            let distance = Duration::from_secs_f64(tick.abs());
            let at = if tick < 0.0 { self.now - distance } else { self.now + distance };
            if let Some(column) = self.column(at) {
                let text = tick_label(tick, step);
                let cells = u16::try_from(text.len()).unwrap_or(0);
                let x = column
                    .saturating_sub(cells / 2)
                    .clamp(line.x, line.right().saturating_sub(cells).max(line.x));
                put(picture, line, x, cells, &text, theme::DIM);
            }
            index += 1.0;
        }
    }
}

/// `-20 s`, with as many decimals as the distance of two labels has.
fn tick_label(tick: f64, step: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few decimals")]
    let decimals = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
    if tick == 0.0 { "0".to_owned() } else { format!("{tick:+.decimals$} s") }
}

/// A round distance of labels for `range`, and how many fit.
fn scale(range: f64, rows: u16) -> (u64, u16) {
    let labels = (rows / 3).clamp(1, 6);
    let range = range.clamp(1.0, 1e18);
    let step = nice((range / f64::from(labels)).max(1.0), &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0]);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and clamped")]
    let scale = (step as u64, (range / step).ceil() as u16);
    scale
}

/// The next number that is one of `factors` times a power of ten and not below `wanted`.
fn nice(wanted: f64, factors: &[f64]) -> f64 {
    let power = 10_f64.powf(wanted.max(1e-6).log10().floor());
    let mut steps = factors.iter().map(|factor| factor * power);
    steps.find(|&step| step >= wanted).unwrap_or(power * 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_round_and_cover_the_range() {
        for (range, rows) in [(0.0, 10), (1.0, 10), (11_900_000.0, 11), (1e18, 40), (999.0, 1)] {
            let (step, steps) = scale(range, rows);
            #[expect(clippy::cast_precision_loss, reason = "a scale")]
            let covered = step as f64 * f64::from(steps);
            assert!(covered >= range, "{range}: {step} x {steps}");
            assert!(steps <= 7, "{range}: {step} x {steps}");
        }
        assert_eq!(scale(11_900_000.0, 11), (4_000_000, 3));
    }

    #[test]
    fn labels_have_the_decimals_they_need() {
        assert_eq!(tick_label(-20.0, 10.0), "-20 s");
        assert_eq!(tick_label(0.1 + 0.5, 0.2), "+0.6 s");
        assert_eq!(tick_label(-0.05, 0.05), "-0.05 s");
        assert_eq!(tick_label(0.0, 0.05), "0");
    }
}
