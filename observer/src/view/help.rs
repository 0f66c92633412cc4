//! The page of keys and signs.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Clear, Widget};

use super::canvas::{put, rule};
use super::keys::bindings;
use super::theme;

/// The signs, in the order of what they cost.
const SIGNS: &[(&str, Style, &str)] = &[
    ("■", theme::CRITICAL, "lost: the server has given up, the client does not know yet"),
    ("▲", theme::WARNING, "past the warning share of net_write_timeout"),
    ("●", theme::STALLED, "stalled, the server's write clock runs"),
    ("·", theme::DIM, "window closed, but nothing is queued behind it"),
    ("×", theme::DIM, "ended"),
];

/// The page; it lies over the middle of the screen.
pub(super) struct Help {
    /// Whether a recording is played.
    pub(super) of_recording: bool,
}

impl Widget for &Help {
    fn render(self, area: Rect, picture: &mut Buffer) {
        Clear.render(area, picture);
        rule(picture, area, "Keys");
        let named = bindings(self.of_recording).filter(|binding| !binding.label.is_empty());
        let keys = named.map(|binding| (binding.label, theme::ACCENT, binding.help));
        // Side by side where there is room, else the signs below.
        let beside = area.width >= 110;
        let mut signs = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        for (row, (label, style, help)) in (1..).zip(keys) {
            line(picture, area, row, label, style, help);
            signs.y = area.y + row + 1;
        }
        if beside {
            signs = Rect { x: area.x + area.width / 2, y: area.y + 1, width: area.width / 2, height: 0 };
        }
        signs.height = area.bottom().saturating_sub(signs.y);
        for (row, &(sign, style, meaning)) in (0..).zip(SIGNS) {
            line(picture, signs, row, sign, style, meaning);
        }
    }
}

fn line(picture: &mut Buffer, area: Rect, row: u16, label: &str, style: Style, text: &str) {
    if row < area.height {
        let line = Rect { y: area.y + row, height: 1, ..area };
        put(picture, line, area.x + 2, 8, label, style);
        put(picture, line, area.x + 11, area.width, text, Style::new());
    }
}
