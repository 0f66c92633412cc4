//! Text that others wrote.

use std::borrow::Cow;

/// The text without anything that could control a terminal or turn the direction of what follows it: each such
/// character becomes U+FFFD.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains(is_unsafe) {
        Cow::Owned(text.replace(is_unsafe, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

fn is_unsafe(character: char) -> bool {
    // The bidirectional controls and the separators of lines are not in the category Cc.
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_go_and_letters_stay() {
        assert_eq!(
            clean("a\u{1b}[2Jb\nc\u{9b}d\u{202e}\u{61c}"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}\u{fffd}"
        );
        assert!(matches!(clean("größe 数"), Cow::Borrowed(_)));
    }
}
