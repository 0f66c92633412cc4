//! Text from the network and from process names, made safe for a terminal.

use std::borrow::Cow;

/// What stands for a character that is not shown.
const REPLACEMENT: char = '\u{fffd}';

/// `text` with every character replaced that would do something to a terminal or to the order and the look of the
/// text around it, instead of showing itself.
///
/// These are the control characters (ECMA-48, C0 and C1: escape sequences begin with one), line and paragraph
/// separators, the bidirectional controls (Unicode UAX 9: they can turn a whole line round), and everything
/// without a width of its own: it would hide in a name, or pile up over the text around it.
pub fn safe(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_shown) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| if is_shown(c) { c } else { REPLACEMENT }).collect())
}

/// Whether `c` shows itself, in a cell of its own.
fn is_shown(c: char) -> bool {
    // ASCII is nearly everything there is.
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    let has_width = unicode_width::UnicodeWidthChar::width(c).is_some_and(|width| (1..=2).contains(&width));
    has_width && !is_separator(c) && !is_blank(c)
}

/// LINE SEPARATOR and PARAGRAPH SEPARATOR, which unicode-width counts as one cell.
fn is_separator(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

/// Characters with a width that look like nothing: between others they would hide.
fn is_blank(c: char) -> bool {
    matches!(c, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{2800}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_passed_through() {
        for text in ["", "mysqld", "etl@reporting", "SELECT 'naïve café'", "日本語", "🐬 5.5.5-10.11"]
        {
            assert!(matches!(safe(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn escape_sequences_do_not_get_through() {
        assert_eq!(safe("\x1b]0;owned\x07"), "\u{fffd}]0;owned\u{fffd}");
        assert_eq!(safe("a\x1b[2Jb"), "a\u{fffd}[2Jb");
        assert_eq!(safe("\u{9b}31m"), "\u{fffd}31m", "C1 CSI");
        assert_eq!(safe("\u{90}q\u{9c}"), "\u{fffd}q\u{fffd}", "C1 DCS and ST");
        assert_eq!(safe("a\r\nb\tc\0d\x7f\x08"), "a\u{fffd}\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}\u{fffd}");
    }

    #[test]
    fn what_reorders_or_hides_text_does_not_get_through() {
        let controls = [
            '\u{61c}',
            '\u{200b}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202b}',
            '\u{202c}',
            '\u{202d}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2067}',
            '\u{2068}',
            '\u{2069}',
            '\u{feff}',
            '\u{fe0f}',
            '\u{e0041}',
            '\u{300}',
            '\u{3164}',
            '\u{115f}',
            '\u{85}',
            '\u{ad}',
        ];
        for control in controls {
            assert_eq!(safe(&format!("a{control}b")), "a\u{fffd}b", "{control:?}");
        }
    }

    #[test]
    fn every_character_that_passes_has_a_width_of_its_own() {
        for c in '\0'..=char::MAX {
            let text = String::from(c);
            let shown = safe(&text);
            let width = unicode_width::UnicodeWidthStr::width(&*shown);
            assert!(width == 1 || width == 2, "{c:?} became {shown:?}, {width} wide");
            assert!(!shown.chars().any(char::is_control), "{c:?}");
        }
    }
}
