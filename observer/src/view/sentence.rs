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
        let mut spans = vec![Span::raw(" ")];
        if !sign.trim().is_empty() {
            spans.push(Span::styled(format!("{sign} "), style));
        }
        spans.push(Span::styled(self.text, style));
        let line = Line::from(spans);
        if area.height == 1 {
            // A sentence that is cut ends with an ellipsis.
            let cells: usize = line.spans.iter().map(Span::width).sum();
            line.render(area, picture);
            if cells > area.width.into() && area.width > 0 {
                picture[(area.right() - 1, area.y)].set_char('…');
            }
        } else {
            Paragraph::new(line).wrap(Wrap { trim: true }).render(area, picture);
        }
    }
}
