//! The few strokes that all regions are drawn with.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::theme;
use crate::text::{fit, width};

/// Puts `text` into the first line of `area` from column `x` on, cut to `cells` and to the area.
pub(super) fn put(picture: &mut Buffer, area: Rect, x: u16, cells: u16, text: &str, style: Style) {
    let cells = cells.min(area.right().saturating_sub(x));
    if cells > 0 && area.height > 0 {
        picture.set_stringn(x, area.y, fit(text, cells.into()), cells.into(), style);
    }
}

/// The same, ending where the `cells` end.
pub(super) fn put_right(picture: &mut Buffer, area: Rect, x: u16, cells: u16, text: &str, style: Style) {
    let free = cells.saturating_sub(u16::try_from(width(text)).unwrap_or(u16::MAX));
    put(picture, area, x + free, cells - free, text, style);
}

/// A rule across the first line of `area`, with a title in it; where it goes on behind the title.
pub(super) fn rule(picture: &mut Buffer, area: Rect, title: &str) -> u16 {
    let line = Rect { height: area.height.min(1), ..area };
    for position in line.positions() {
        picture[position].set_char('─').set_style(theme::RULE);
    }
    put(picture, line, line.x, 1, " ", Style::new());
    put(picture, line, line.x + 1, line.width, title, theme::STRONG);
    let end = (line.x + 1).saturating_add(u16::try_from(width(title)).unwrap_or(u16::MAX)).min(line.right());
    put(picture, line, end, 1, " ", Style::new());
    end + 1
}

/// A bar of `cells` with `share` of it filled, to the eighth of a cell.
pub(super) fn bar(share: f64, cells: u16) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to cells * 8")]
    let filled = (share.clamp(0.0, 1.0) * f64::from(cells) * 8.0) as usize;
    let mut bar = "█".repeat(filled / 8);
    if !filled.is_multiple_of(8) {
        bar.push(EIGHTHS[filled % 8]);
    }
    let empty = usize::from(cells).saturating_sub(width(&bar));
    bar.extend(std::iter::repeat_n('░', empty));
    bar
}

/// Windows as a line of bars, against the largest; `_` for a closed one, a blank where nothing is known.
pub(super) fn spark(windows: &[Option<u32>], largest: u32) -> String {
    // Not to the full cell: rows below each other stay apart.
    const LEVELS: [char; 7] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇'];
    let level = |window: u32| {
        let level = u64::from(window) * 7 / u64::from(largest.max(window));
        LEVELS[usize::try_from(level).unwrap_or(6).min(6)]
    };
    let bar = |window: &Option<u32>| match window {
        None => ' ',
        Some(0) => '_',
        Some(window) => level(*window),
    };
    windows.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_fill_by_eighths() {
        assert_eq!(bar(0.0, 4), "░░░░");
        assert_eq!(bar(0.5, 4), "██░░");
        assert_eq!(bar(0.54, 4), "██▏░");
        assert_eq!(bar(1.0, 4), "████");
        assert_eq!(bar(7.0, 4), "████");
        assert_eq!(bar(f64::NAN, 4), "░░░░");
        assert_eq!(bar(0.5, 0), "");
    }

    #[test]
    fn only_a_closed_window_is_drawn_as_closed() {
        assert_eq!(spark(&[Some(0), Some(1), Some(800), Some(400), None], 800), "_▁▇▄ ");
        assert_eq!(spark(&[Some(500)], 0), "▇");
    }

    #[test]
    fn nothing_is_drawn_outside() {
        let mut picture = Buffer::empty(Rect::new(0, 0, 3, 1));
        let area = picture.area;
        put(&mut picture, area, 5, 4, "text", Style::new());
        put_right(&mut picture, area, 1, 9, "longer than that", Style::new());
        rule(&mut picture, area, "Connections");
        rule(&mut picture, Rect::ZERO, "Connections");
    }
}
