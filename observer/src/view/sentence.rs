//! The second line: in words, what matters most now.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget, Wrap};

/// The region: one line, or a whole small screen.
pub(super) struct Sentence<'a> {
    /// The sign before it and its style, which the sentence shares when it is one of trouble.
    pub(super) sign: (&'a str, Style),
    /// The sentence.
    pub(super) text: &'a str,
}

impl Widget for &Sentence<'_> {
    fn render(self, area: Rect, picture: &mut Buffer) {
        let (sign, style) = self.sign;
        let area = Rect { x: area.x + area.width.min(1), width: area.width.saturating_sub(1), ..area };
        let mut line = Line::default();
        if !sign.trim().is_empty() {
            line.push_span(Span::styled(format!("{sign} "), style));
        }
        line.push_span(Span::styled(self.text, style));
        if area.height == 1 {
            let is_cut = line.width() > area.width.into();
            line.render(area, picture);
            if is_cut && area.width > 0 {
                picture[(area.right() - 1, area.y)].set_char('…');
            }
        } else {
            Paragraph::new(line).wrap(Wrap { trim: true }).render(area, picture);
        }
    }
}
