//! Now, and the moment the server gives up, or the range of it, named above the plot.

use std::ops::Range;

use observer_core::{TimeRange, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::axes::Axes;
use super::{Chart, DEADLINE};
use crate::text::width;
use crate::view::canvas::put;
use crate::view::{theme, words};

/// Between an uncertain deadline's first and last moment.
const BETWEEN: &str = "░";

impl Chart<'_> {
    /// Draws and names them.
    pub(super) fn moments(&self, axes: &Axes, picture: &mut Buffer) {
        let plot = axes.plot;
        let names = Rect { y: plot.y - 1, height: 1, ..plot };
        let mut taken = 0..0;
        if let Some(column) = axes.column(axes.now) {
            let x = column.saturating_sub(2).max(plot.x);
            taken = x.saturating_sub(1)..x + 4;
        }
        self.deadline(axes, &taken, picture);
        if !taken.is_empty() {
            let name = if axes.now < self.now { "end" } else { "now" };
            put(picture, names, taken.end - 4, 3, name, theme::DIM);
        }
    }

    /// The name keeps away from the columns that are `taken`.
    fn deadline(&self, axes: &Axes, taken: &Range<u16>, picture: &mut Buffer) {
        let plot = axes.plot;
        let names = Rect { y: plot.y - 1, height: 1, ..plot };
        let Some(abort) = self.connection.abort() else { return };
        let Some((first, last)) = deadline(axes, abort) else { return };
        for row in names.y..plot.bottom() {
            let line = Rect { y: row, height: 1, ..plot };
            for column in first..=last {
                let is_border =
                    [abort.earliest, abort.latest].iter().any(|at| axes.column(*at) == Some(column));
                put(picture, line, column, 1, if is_border { "┊" } else { BETWEEN }, DEADLINE);
            }
        }
        for name in self.deadline_names(abort) {
            let cells = u16::try_from(width(&name)).unwrap_or(0);
            // Before the mark, or else behind it, and nowhere over the other name.
            let places = [first.checked_sub(cells + 1), Some(last + 2)];
            let is_free = |x: &u16| {
                let end = x + cells;
                *x >= plot.x && end <= plot.right() && (end <= taken.start || *x >= taken.end)
            };
            if let Some(x) = places.into_iter().flatten().find(is_free) {
                return put(picture, names, x, cells, &name, DEADLINE);
            }
        }
    }

    /// How the deadline is named, at length and shorter: `14:04:18–14:04:20`, `from 14:04:18`.
    fn deadline_names(&self, abort: TimeRange) -> Vec<String> {
        let second = |at: Timestamp| at.to_string().get(11..19).unwrap_or_default().to_owned();
        let sign = words::assumed(self.connection.timeout());
        let (earliest, latest) = (second(abort.earliest), second(abort.latest));
        if abort.width().as_secs() < 1 || earliest == latest {
            return vec![format!("{sign}{earliest}")];
        }
        vec![format!("{sign}{earliest}–{latest}"), format!("from {sign}{earliest}")]
    }
}

/// The first and the last column of the deadline, as far as they are on the picture.
fn deadline(axes: &Axes, abort: TimeRange) -> Option<(u16, u16)> {
    let shown = axes.stretch;
    if abort.latest < shown.from || abort.earliest > shown.to {
        return None;
    }
    Some((axes.column(abort.earliest.max(shown.from))?, axes.column(abort.latest.min(shown.to))?))
}
