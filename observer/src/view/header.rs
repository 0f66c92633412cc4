//! The first line: what is watched, how well, and the counts.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;

use super::canvas::{put, put_right};
use super::overview::Overview;
use super::theme;
use crate::log;
use crate::text::width;

/// The region.
pub(super) struct Header<'a> {
    /// Host and ports: `db1:3306`.
    pub(super) place: &'a str,
    /// Parts of the source that are missing.
    pub(super) degraded: &'a [String],
    /// How the writing of the log goes.
    pub(super) log: &'a log::Status,
    /// The counts.
    pub(super) overview: &'a Overview,
    /// Observations lost.
    pub(super) events_lost: u64,
}

impl Widget for &Header<'_> {
    fn render(self, area: Rect, picture: &mut Buffer) {
        // What was lost is the last to go; the rest goes from the front when there is no room.
        let mut room = area.width.saturating_sub(1);
        let mut x = area.right().saturating_sub(1);
        for (index, (text, style)) in self.counts().into_iter().rev().enumerate() {
            let gap = if index == 0 { 0 } else { 3 };
            let cells = u16::try_from(width(&text)).unwrap_or(u16::MAX).saturating_add(gap);
            if cells > room {
                break;
            }
            (room, x) = (room - cells, x - cells);
            put(picture, area, x, cells - gap, &text, style);
            if gap > 0 {
                put_right(picture, area, x + cells - gap, gap, "· ", theme::DIM);
            }
        }
        let mut x = area.x + 1;
        let end = area.x + 1 + room.saturating_sub(2);
        for (text, style) in self.watched() {
            let cells = u16::try_from(width(&text)).unwrap_or(u16::MAX);
            if x.saturating_add(cells) > end {
                continue;
            }
            put(picture, area, x, cells, &text, style);
            x += cells + 2;
        }
    }
}

impl Header<'_> {
    /// The numbers, the most important last.
    fn counts(&self) -> [(String, Style); 4] {
        let Overview { open, zero_windows, at_risk, .. } = *self.overview;
        let when = |count: usize, style| if count > 0 { style } else { theme::DIM };
        let lost = if self.events_lost > 0 { theme::LOST } else { theme::DIM };
        [
            (format!("{open} conns"), Style::new()),
            (format!("{zero_windows} zero window"), when(zero_windows, Style::new())),
            (format!("{at_risk} at risk"), when(at_risk, theme::WARNING)),
            (format!("{} lost", self.events_lost), lost),
        ]
    }

    /// What is said on the left; what does not fit is left out, what matters has been first.
    fn watched(&self) -> Vec<(String, Style)> {
        let mut parts = Vec::new();
        if !self.degraded.is_empty() {
            parts.push((format!("no {}", self.degraded.join(", ")), theme::WARNING));
        }
        if self.log.failing.is_some() {
            parts.push(("log not written".to_owned(), theme::CRITICAL));
        } else if self.log.events_missing > 0 {
            parts.push((format!("log lacks {}", self.log.events_missing), theme::WARNING));
        }
        // Named first, drawn in the order of reading.
        parts.insert(0, ("observer".to_owned(), theme::ACCENT));
        parts.insert(1, (self.place.to_owned(), theme::STRONG));
        parts
    }
}
