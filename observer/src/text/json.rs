//! JSON that may be shown on a terminal as it is.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `json` with every character escaped that does something to a terminal or to the direction of text, and that JSON
/// allows in a string as it is: DEL and the C1 controls (ECMA-48), line and paragraph separators, the bidirectional
/// controls (Unicode UAX 9). They stand in strings only, where the escape means the same character.
pub fn without_controls(json: &str) -> Cow<'_, str> {
    if !json.contains(is_control) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if is_control(c) {
            // Writing to a String does not fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// All of them have four digits.
fn is_control(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_means_the_same() {
        let text: String = ('\0'..='\u{ff}').chain('\u{600}'..='\u{206f}').collect();
        let json = serde_json::to_string(&text).unwrap();
        let escaped = without_controls(&json);
        assert!(escaped.chars().all(|c| !c.is_control() && !is_control(c)), "{escaped}");
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        assert!(matches!(without_controls("{\"user\":\"größe 数\",\n\"a\":1}"), Cow::Borrowed(_)));
    }
}
