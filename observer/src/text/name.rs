//! Text as part of a file's name, without what a shell or another system minds.

use observer_core::Timestamp;

/// A moment, to the second: `20240504T140341Z`.
pub fn time_in_name(at: Timestamp) -> String {
    let text = at.to_string();
    let (whole, _) = text.split_once('.').unwrap_or((&text, ""));
    whole.chars().filter(char::is_ascii_alphanumeric).chain(['Z']).collect()
}

/// Anything else, such as an address: nobody has to quote it; brackets go.
pub fn in_name(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().filter_map(|c| match c {
        '[' | ']' => None,
        ':' => Some('-'),
        c if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') => Some(c),
        _ => Some('_'),
    })
}
