//! What has happened to a connection that cannot be saved any more, and what can be done about it.

use observer_core::{Config, Connection, Phase, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::text::{safe, wrap};
use crate::view::canvas::put;
use crate::view::{theme, words};

/// What is told, line by line.
pub(super) type Lines = Vec<(String, Style)>;

/// Before a piece of advice, and before its further lines.
const MARKS: (&str, &str) = ("→ ", "  ");

/// The verdict and its advice in lines of at most `width` cells; none for a connection that runs.
pub(super) fn tell(connection: &Connection, config: &Config, now: Timestamp, width: u16) -> Lines {
    let mut lines = Lines::new();
    if connection.phase() < Phase::Lost {
        return lines;
    }
    let room = usize::from(width.saturating_sub(2));
    let verdict = connection.verdict(now, config);
    let (_, style) = words::sign(connection);
    let style = if connection.phase() == Phase::Closed { theme::STRONG } else { style };
    lines.extend(wrap(&safe(&verdict.sentence), room).into_iter().map(|line| (line, style)));
    for advice in &verdict.advice {
        for (index, line) in wrap(&safe(advice), room.saturating_sub(2)).into_iter().enumerate() {
            let mark = if index == 0 { MARKS.0 } else { MARKS.1 };
            lines.push((format!("{mark}{line}"), Style::new()));
        }
    }
    lines
}

/// Draws as many lines as fit, and says where more are to be had; how many there are.
pub(super) fn draw(lines: &Lines, area: Rect, picture: &mut Buffer) -> u16 {
    let shown = usize::from(area.height).min(lines.len());
    for (row, (text, style)) in (area.y..area.bottom()).zip(&lines[..shown]) {
        put(picture, Rect { y: row, height: 1, ..area }, area.x + 1, area.width - 1, text, *style);
    }
    if 0 < shown && shown < lines.len() {
        let line = Rect { y: area.y + area.height - 1, height: 1, ..area };
        let (text, style) = &lines[shown - 1];
        let text = crate::text::fit(&format!("{text} …"), usize::from(area.width.saturating_sub(2)));
        put(picture, line, area.x + 1, area.width - 1, &text, *style);
    }
    u16::try_from(shown).unwrap_or(area.height)
}
