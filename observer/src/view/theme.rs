//! Colours and styles by role.
//!
//! Only the sixteen ANSI colours are used, so that the user's own theme applies, on light backgrounds too. No
//! colour carries a meaning alone: beside it stands a sign or a word.

use observer_core::Severity;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

/// What is normal and not looked for.
pub(super) const DIM: Style = Style::new().add_modifier(Modifier::DIM);
/// What can be chosen or read first.
pub(super) const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
/// The one accent: titles, the selection's mark, the window edge.
pub(super) const ACCENT: Style = Style::new().fg(Color::Cyan);
/// Rules between regions.
pub(super) const RULE: Style = DIM;
/// What is well: a recovered connection, an acknowledged line.
pub(super) const GOOD: Style = Style::new().fg(Color::Green);
/// A stall that is on the clock.
pub(super) const STALLED: Style = Style::new().fg(Color::Yellow);
/// Past the warning share.
pub(super) const WARNING: Style = Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD);
/// Past the critical share.
pub(super) const CRITICAL: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
/// Lost already: a connection, or observations.
pub(super) const LOST: Style =
    Style::new().fg(Color::Red).add_modifier(Modifier::BOLD).add_modifier(Modifier::REVERSED);

/// The style of a finding.
pub(super) const fn of_severity(severity: Severity) -> Style {
    match severity {
        Severity::Notice => Style::new(),
        Severity::Warning => WARNING,
        Severity::Critical | Severity::Lost => CRITICAL,
    }
}

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// Colours; without them signs, words and weight are left (NO_COLOR, <https://no-color.org>).
    pub colour: bool,
    /// Characters beyond ASCII.
    pub unicode: bool,
}

impl Abilities {
    /// As the environment says: `NO_COLOR`, and the locale that rules characters.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        // The first of these that is set rules (POSIX, Environment Variables).
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
        let locale = locale.to_ascii_lowercase();
        Self {
            colour: set("NO_COLOR").is_none(),
            unicode: locale.contains("utf-8") || locale.contains("utf8"),
        }
    }

    /// Brings a finished picture down to what the terminal can show.
    pub(super) fn apply(self, picture: &mut Buffer) {
        if !self.colour {
            for cell in &mut picture.content {
                (cell.fg, cell.bg) = (Color::Reset, Color::Reset);
            }
        }
        if !self.unicode {
            for cell in &mut picture.content {
                if !cell.symbol().is_ascii() {
                    let symbol = ascii(cell.symbol());
                    cell.set_char(symbol);
                }
            }
        }
    }
}

/// What stands for a character where only ASCII can be shown.
fn ascii(symbol: &str) -> char {
    match symbol.chars().next().unwrap_or(' ') {
        '▲' => '!',
        '●' => '*',
        '■' => 'X',
        '×' => 'x',
        '·' | '…' | '▁' | '\u{2801}'..='\u{28ff}' => '.',
        '\u{2800}' => ' ',
        '›' | '→' => '>',
        '‹' | '←' => '<',
        '─' | '└' | '░' => '-',
        '│' | '┊' => '|',
        '▾' | '↓' => 'v',
        '▴' | '↑' => '^',
        '↵' => '=',
        '▂' | '▃' => ':',
        '▄' | '▅' => '+',
        '▆' | '▇' => '%',
        '█' | '▉' | '▊' | '▋' | '▌' | '▍' | '▎' | '▏' => '#',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn abilities(variables: &[(&str, &str)]) -> Abilities {
        Abilities::from_environment(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn no_color_is_honoured_when_it_is_not_empty() {
        assert!(abilities(&[]).colour);
        assert!(abilities(&[("NO_COLOR", "")]).colour);
        assert!(!abilities(&[("NO_COLOR", "1")]).colour);
    }

    #[test]
    fn the_locale_decides_about_characters() {
        assert!(!abilities(&[]).unicode, "the POSIX locale is ASCII");
        assert!(abilities(&[("LANG", "en_GB.UTF-8")]).unicode);
        assert!(abilities(&[("LC_ALL", ""), ("LANG", "C.utf8")]).unicode);
        assert!(!abilities(&[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")]).unicode);
        assert!(abilities(&[("LC_CTYPE", "UTF-8"), ("LANG", "C")]).unicode);
    }
}
