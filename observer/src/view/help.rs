//! The page of keys and signs.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Clear, Widget};

use super::canvas::{put, put_right, rule};
use super::keys::{Keyboard, bindings, typing};
use super::{mouse, theme, words};

/// The signs, in the order of what they cost.
const SIGNS: &[(&str, Style, &str)] = &[
    ("■", theme::CRITICAL, "lost; its client does not know it yet"),
    ("▲", theme::WARNING, "past the warning share of net_write_timeout"),
    ("●", theme::STALLED, "stalled, the server's write clock runs"),
    ("·", theme::DIM, "window closed, but nothing is queued behind it"),
    ("×", theme::DIM, "ended"),
    (words::ASSUMED, Style::new(), "before a time: net_write_timeout is assumed"),
    ("18–21 s", Style::new(), "a range: not before, and not after"),
];

/// From this width on there is room for two columns.
const BESIDE: u16 = 120;
/// Where the texts begin, behind the keys.
const TEXTS: u16 = 11;

/// The page; it lies over the middle of the screen.
pub(super) struct Help {
    pub(super) keyboard: Keyboard,
    /// The first line that is shown.
    pub(super) top: u16,
}

/// One line of it.
enum Line {
    Title(&'static str),
    Text(&'static str, Style, &'static str),
}

/// The furthest that a page can be turned that is shown in `area`.
pub(super) fn last_top(keyboard: Keyboard, area: Rect) -> u16 {
    count(&columns(keyboard, area.width)).saturating_sub(area.height)
}

/// One column or two, all their lines.
fn columns(keyboard: Keyboard, width: u16) -> Vec<Vec<Line>> {
    let keys = bindings(Keyboard { typing: false, ..keyboard }).filter(|binding| !binding.label.is_empty());
    let key = |label, help| Line::Text(label, theme::ACCENT, help);
    let mut first = vec![Line::Title("Keys")];
    first.extend(keys.map(|binding| key(binding.label, binding.help)));
    let mut second = vec![Line::Title("Signs")];
    second.extend(SIGNS.iter().map(|&(sign, style, meaning)| Line::Text(sign, style, meaning)));
    second.push(Line::Title("While the filter is typed"));
    let typing = typing().filter(|binding| !binding.label.is_empty());
    second.extend(typing.map(|binding| key(binding.label, binding.help)));
    second.push(Line::Title("Mouse"));
    second.extend(mouse::HELP.iter().map(|&(label, help)| key(label, help)));
    if keyboard.of_recording {
        second.push(key(mouse::HELP_OF_RECORDING.0, mouse::HELP_OF_RECORDING.1));
    }
    if width >= BESIDE {
        vec![first, second]
    } else {
        first.append(&mut second);
        vec![first]
    }
}

fn count(columns: &[Vec<Line>]) -> u16 {
    columns.iter().map(Vec::len).max().and_then(|count| u16::try_from(count).ok()).unwrap_or(0)
}

impl Widget for &Help {
    fn render(self, area: Rect, picture: &mut Buffer) {
        Clear.render(area, picture);
        let columns = columns(self.keyboard, area.width);
        let width = if columns.len() > 1 { area.width / 2 } else { area.width };
        for (x, lines) in (0..).map(|index| area.x + index * width).zip(&columns) {
            for (y, line) in (area.y..area.bottom()).zip(lines.iter().skip(self.top.into())) {
                line.draw(Rect { x, y, width: width.min(area.right() - x), height: 1 }, picture);
            }
        }
        let count = count(&columns);
        if count > area.height {
            let shown = format!(" {}-{} of {count}, ↑↓ ", self.top + 1, (self.top + area.height).min(count));
            put_right(picture, area, area.x, area.width, &shown, theme::DIM);
        }
    }
}

impl Line {
    fn draw(&self, area: Rect, picture: &mut Buffer) {
        match self {
            Self::Title(title) => {
                rule(picture, area, title);
            }
            Self::Text(label, style, text) => {
                put(picture, area, area.x + 2, 8, label, *style);
                put(picture, area, area.x + TEXTS, area.width, text, Style::new());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::width;

    #[test]
    fn no_line_is_cut_in_half_a_screen() {
        for of_recording in [false, true] {
            let lines = columns(Keyboard { of_recording, typing: false }, BESIDE);
            for line in lines.iter().flatten() {
                let Line::Text(label, _, text) = line else { continue };
                assert!(width(label) <= 8, "{label}");
                assert!(width(text) < usize::from(BESIDE / 2 - TEXTS), "{text}");
            }
        }
    }
}
