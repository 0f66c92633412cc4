//! Colours and styles by role.
//!
//! Only the sixteen ANSI colours are used, so that what the user has made of them applies. No colour carries a meaning
//! alone: beside it stands a sign or a word. What is drawn has the styles of the dark theme; the others are made of the
//! finished picture.

use observer_core::Severity;
use ratatui::buffer::{Buffer, Cell};
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

/// The sign of a finding.
pub(super) const fn sign_of(severity: Severity) -> &'static str {
    match severity {
        Severity::Notice => "·",
        Severity::Warning | Severity::Critical => "▲",
        Severity::Lost => "■",
    }
}

/// For which ground the colours are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// A dark one. The styles above are these.
    Dark,
    /// A light one, on which yellow and cyan cannot be read.
    Light,
    /// Any: without colours (NO_COLOR, <https://no-color.org>). Signs, words and weight are left.
    Mono,
}

impl Theme {
    /// As the environment says: `NO_COLOR`, and `COLORFGBG`, in which some terminals give their colours as
    /// `foreground;background`. Of the sixteen, 7 and 15 are light grounds. Nobody asks the terminal itself: some do
    /// not answer.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        if variable("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            return Self::Mono;
        }
        match variable("COLORFGBG").as_deref().and_then(|value| value.rsplit(';').next()) {
            Some("7" | "15") => Self::Light,
            _ => Self::Dark,
        }
    }

    /// The one after it, round and round.
    pub(super) const fn next(self) -> Self {
        match self {
            Self::Dark => Self::Light,
            Self::Light => Self::Mono,
            Self::Mono => Self::Dark,
        }
    }

    /// A style of this theme instead of one of the roles above, each of which has a colour of its own.
    fn recolour(self, cell: &mut Cell) {
        match self {
            Self::Dark => {}
            Self::Light => {
                cell.fg = match cell.fg {
                    Color::Cyan => Color::Blue,
                    Color::Yellow => Color::Magenta,
                    colour => colour,
                }
            }
            Self::Mono => {
                // The weight tells the lines of the chart and the keys apart.
                match cell.fg {
                    Color::Cyan => cell.modifier.insert(Modifier::BOLD),
                    Color::Green => cell.modifier.insert(Modifier::DIM),
                    _ => {}
                }
                (cell.fg, cell.bg) = (Color::Reset, Color::Reset);
            }
        }
    }
}

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// The colours.
    pub theme: Theme,
    /// Characters beyond ASCII.
    pub unicode: bool,
}

impl Abilities {
    /// As the environment says: the theme, and the locale that rules characters.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        // The first of these that is set rules (POSIX, Environment Variables).
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
        let locale = locale.to_ascii_lowercase();
        let unicode = locale.contains("utf-8") || locale.contains("utf8");
        Self { theme: Theme::from_environment(variable), unicode }
    }

    /// Brings a finished picture down to what the terminal can show.
    pub(super) fn apply(self, picture: &mut Buffer) {
        for cell in &mut picture.content {
            self.theme.recolour(cell);
            if !self.unicode && !cell.symbol().is_ascii() {
                let symbol = ascii(cell.symbol());
                cell.set_char(symbol);
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
        '─' | '└' | '░' | '–' => '-',
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
    fn the_environment_says_which_theme() {
        let theme = |variables| abilities(variables).theme;
        assert_eq!(theme(&[]), Theme::Dark);
        assert_eq!(theme(&[("NO_COLOR", "")]), Theme::Dark);
        assert_eq!(theme(&[("NO_COLOR", "1"), ("COLORFGBG", "0;15")]), Theme::Mono);
        assert_eq!(theme(&[("COLORFGBG", "0;15")]), Theme::Light);
        assert_eq!(theme(&[("COLORFGBG", "0;default;7")]), Theme::Light);
        assert_eq!(theme(&[("COLORFGBG", "15;0")]), Theme::Dark);
        assert_eq!(theme(&[("COLORFGBG", "15;default")]), Theme::Dark);
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
