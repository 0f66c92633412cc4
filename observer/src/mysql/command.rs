//! What is told of a client's command, and what is not: statements carry passwords and customers' data.

use super::attributes::without_attributes;
use super::{Packet, stored};

/// `COM_QUERY` and its like: <https://dev.mysql.com/doc/dev/mysql-server/latest/my__command_8h.html>.
pub(super) const COM_QUIT: u8 = 0x01;
pub(super) const COM_QUERY: u8 = 0x03;
pub(super) const COM_CHANGE_USER: u8 = 0x11;
const COM_RESET_CONNECTION: u8 = 0x1f;

/// The variables whose change bears on how long a server waits.
const VARIABLES: [&str; 2] = ["net_write_timeout", "wait_timeout"];

/// What stands for the content of a string literal.
const HIDDEN: u8 = b'?';

/// A command that may be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Length of its packet's payload as the header says.
    pub length: u32,
    /// What [`tellable`] says of it.
    pub text: String,
}

impl Command {
    /// Reads the first bytes of a command, which may stand in a compressed packet as it is. `None` for one of which
    /// nothing is told.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let told = |bytes| {
            let packet = Packet::first(bytes).filter(|packet| packet.sequence == 0)?;
            let mut text = tellable(packet.payload)?;
            if !packet.is_whole() {
                // Of a number that is cut off the rest is another number.
                text.truncate(
                    text.trim_end_matches(|last: char| last.is_alphanumeric() || last == '_').len(),
                );
            }
            Some(Self { length: packet.length, text })
        };
        told(bytes).or_else(|| told(stored(bytes, 0)?))
    }

    /// The same for one that is told whatever it is: of those of which nothing is told the text is empty.
    pub fn parse_any(bytes: &[u8]) -> Option<Self> {
        Self::parse(bytes).or_else(|| {
            let packet = Packet::first(bytes).filter(|packet| packet.sequence == 0)?;
            Some(Self { length: packet.length, text: String::new() })
        })
    }
}

/// What may be told of a command with this payload: of those that end or reset the session the command byte, of a
/// statement that names one of [`VARIABLES`] its text without the content of its string literals, of all others
/// nothing. Attributes of a statement are never told.
pub fn tellable(payload: &[u8]) -> Option<String> {
    let (&command, behind) = payload.split_first()?;
    match command {
        COM_QUIT if behind.is_empty() => Some(char::from(command).to_string()),
        COM_RESET_CONNECTION | COM_CHANGE_USER => Some(char::from(command).to_string()),
        COM_QUERY => {
            let statement = without_strings(without_attributes(behind)?);
            let text = format!("{}{}", char::from(command), String::from_utf8_lossy(&statement));
            let lower = text.to_ascii_lowercase();
            VARIABLES.iter().any(|name| lower.contains(name)).then_some(text)
        }
        _ => None,
    }
}

/// A statement with the content of every string literal replaced. In doubt more of it is: a literal without an end
/// goes on to the end of the text, and so does one with `\'` in it, which ends there under `NO_BACKSLASH_ESCAPES`.
/// (<https://dev.mysql.com/doc/refman/en/string-literals.html>)
fn without_strings(text: &[u8]) -> Vec<u8> {
    let mut told = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(&first) = rest.first() {
        let literal = matches!(first, b'\'' | b'"');
        let length = match rest {
            [quote @ (b'\'' | b'"' | b'`'), ..] => quoted(rest, *quote),
            // What stands in `/*! */` is executed: it is no comment.
            [b'/', b'*', b'!', ..] => 3,
            [b'/', b'*', ..] => after(rest, 2, b"*/"),
            [b'#', ..] => after(rest, 1, b"\n"),
            [b'-', b'-', b' ' | b'\t' | b'\n' | b'\r', ..] => after(rest, 2, b"\n"),
            _ => 1,
        };
        let (token, behind) = rest.split_at(length);
        if literal {
            told.extend([first, HIDDEN]);
            // Also where it is not closed: the text may have been cut.
            told.push(first);
        } else {
            told.extend_from_slice(token);
        }
        rest = behind;
    }
    told
}

/// Length of what is quoted at the beginning of `text`, quotes included.
fn quoted(text: &[u8], quote: u8) -> usize {
    let escapes = quote != b'`';
    let mut at = 1;
    while let Some(&byte) = text.get(at) {
        let next = text.get(at + 1);
        match byte {
            b'\\' if escapes && next == Some(&quote) => break,
            b'\\' if escapes => at += 2,
            _ if byte != quote => at += 1,
            _ if next == Some(&quote) => at += 2,
            _ => return at + 1,
        }
    }
    text.len()
}

/// Length of `text` up to and with the first `end` from `start` on; all of it where there is none.
fn after(text: &[u8], start: usize, end: &[u8]) -> usize {
    let found = text[start..].windows(end.len()).position(|window| window == end);
    found.map_or(text.len(), |at| start + at + end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Option<String> {
        let told = tellable(&[&[COM_QUERY], text.as_bytes()].concat())?;
        Some(told.strip_prefix('\u{3}').unwrap().to_owned())
    }

    #[test]
    fn statements_that_set_a_timeout_are_told() {
        for text in [
            "SET SESSION net_write_timeout=5",
            "set @@session.Wait_Timeout = 28800, NET_WRITE_TIMEOUT = 60",
            "/* don't */ SET `it's`=1, wait_timeout=5",
            "-- don't\nSET wait_timeout=5",
            "# don't\nSET wait_timeout=5",
            "SET wait_timeout=5 --1",
        ] {
            assert_eq!(query(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn no_other_statement_is_told() {
        for text in [
            "SET PASSWORD FOR 'app'@'%' = 'hunter2'",
            "SET PASSWORD = 'wait_timeout'",
            "SET NAMES utf8mb4",
            "SET @a = 'net_write_timeout",
            "",
        ] {
            assert_eq!(query(text), None, "{text}");
        }
        // COM_STMT_PREPARE, something that only begins like COM_QUIT, and nothing.
        for payload in [&b"\x16SET wait_timeout=?"[..], b"\x01\0", b""] {
            assert_eq!(tellable(payload), None, "{payload:?}");
        }
    }

    #[test]
    fn a_command_is_found_in_a_compressed_packet_too() {
        let plain = b"\x13\0\0\0\x03SET wait_timeout=5";
        let command = Command { length: 19, text: "\u{3}SET wait_timeout=5".into() };
        assert_eq!(Command::parse(plain), Some(command.clone()));
        let compressed = [b"\x17\0\0\0\0\0\0", &plain[..]].concat();
        assert_eq!(Command::parse(&compressed), Some(command));
        assert_eq!(
            Command::parse(b"\x13\0\0\x01\x03SET wait_timeout=5"),
            None,
            "the rest of something longer"
        );
    }

    #[test]
    fn a_number_that_is_cut_off_is_not_told() {
        let cut = Command::parse(b"\x17\0\0\0\x03SET wait_timeout=1").unwrap();
        assert_eq!((cut.length, cut.text.as_str()), (23, "\u{3}SET wait_timeout="));
        let behind = Command::parse(b"\x40\0\0\0\x03SET wait_timeout=10, autocom").unwrap();
        assert_eq!(behind.text, "\u{3}SET wait_timeout=10, ");
    }

    #[test]
    fn attributes_of_a_statement_are_not_told() {
        for attributes in [&b"\0\x01"[..], b"\x01\x01\0\x01\xfe\0\x04user\x05alice"] {
            let payload = [b"\x03", attributes, b"SET wait_timeout=5"].concat();
            assert_eq!(tellable(&payload).as_deref(), Some("\u{3}SET wait_timeout=5"));
        }
    }

    #[test]
    fn of_commands_that_end_or_reset_the_session_the_name_is_told() {
        assert_eq!(tellable(b"\x01").as_deref(), Some("\u{1}"));
        assert_eq!(tellable(b"\x11app\0\x14a scramble of a password").as_deref(), Some("\u{11}"));
        assert_eq!(tellable(b"\x1f").as_deref(), Some("\u{1f}"));
    }

    #[test]
    fn string_literals_are_hidden() {
        for (text, told) in [
            ("SET wait_timeout=5, @a='hunter2', @b=\"x\"", "SET wait_timeout=5, @a='?', @b=\"?\""),
            ("SET @a='it''s', wait_timeout=5", "SET @a='?', wait_timeout=5"),
            (r"SET @a='\\', wait_timeout=5, @b='x'", "SET @a='?', wait_timeout=5, @b='?'"),
            (r"SET @a='\n', wait_timeout=5", "SET @a='?', wait_timeout=5"),
            (r#"SET @a="'", wait_timeout=5, @b="'""#, r#"SET @a="?", wait_timeout=5, @b="?""#),
            ("SET wait_timeout=5, @a=''", "SET wait_timeout=5, @a='?'"),
            ("SET wait_timeout=5, @a='hunt", "SET wait_timeout=5, @a='?'"),
            ("SET wait_timeout=5, @a='", "SET wait_timeout=5, @a='?'"),
            (r"SET wait_timeout=5, @a='\", "SET wait_timeout=5, @a='?'"),
            // Two literals or three, by sql_mode.
            (r"SET wait_timeout=5, @a='\', @b='hunter2'", "SET wait_timeout=5, @a='?'"),
            ("/*!80000 SET wait_timeout=5, @a='*/ hunter2' */", "/*!80000 SET wait_timeout=5, @a='?' */"),
        ] {
            assert_eq!(query(text).as_deref(), Some(told), "{text}");
        }
    }
}
