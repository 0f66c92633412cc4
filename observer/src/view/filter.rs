//! Whether a connection has what the user looks for. Every connection is asked for every picture, so nothing is allocated.

use std::fmt::{self, Display, Write as _};
use std::net::SocketAddr;

use observer_core::{Connection, End, Owner, Tracker};

use super::words;

/// Looks for one text in many connections. Letters of ASCII are the same in either case.
pub(super) struct Filter<'a> {
    wanted: &'a [u8],
    /// It may be a part of an address, or of a number.
    like: (bool, bool),
    tracker: &'a Tracker,
    /// What is written to be looked at.
    text: Text,
    /// The last server, and whether its address has it: as a rule there are few servers.
    server: Option<(SocketAddr, bool)>,
}

impl<'a> Filter<'a> {
    /// Looks for `wanted`; nothing is everywhere.
    pub(super) fn new(wanted: &'a str, tracker: &'a Tracker) -> Self {
        let wanted = wanted.as_bytes();
        let all = |is_like: fn(&u8) -> bool| wanted.iter().all(is_like);
        // A scope is a number behind a percent sign.
        let like_address = all(|byte| byte.is_ascii_hexdigit() || b".:[]%".contains(byte));
        let like = (like_address, all(u8::is_ascii_digit));
        Self { wanted, like, tracker, text: Text::default(), server: None }
    }

    /// Whether a connection has it: in its state, its addresses, its processes, thread or version, or in the kind of its
    /// end. What costs most is asked for last.
    pub(super) fn shows(&mut self, connection: &Connection) -> bool {
        self.wanted.is_empty()
            || self.is_in(connection.state_word())
            || self.address_has(connection.flow().client)
            || self.server_has(connection.flow().server)
            || [End::Client, End::Server].into_iter().any(|end| self.process_has(connection, end))
            || self.greeting_has(connection)
            || connection.ending().is_some() && {
                let at = connection.last_seen();
                self.has(connection.verdict_kind(at, self.tracker.config()).0)
            }
    }

    fn address_has(&mut self, address: SocketAddr) -> bool {
        self.like.0 && self.has(address)
    }

    fn server_has(&mut self, server: SocketAddr) -> bool {
        match self.server {
            Some((known, has)) if known == server => has,
            _ => {
                let has = self.address_has(server);
                self.server = Some((server, has));
                has
            }
        }
    }

    fn process_has(&mut self, connection: &Connection, end: End) -> bool {
        let Some(process) = words::process_at(connection, end) else { return false };
        self.is_in(&process.comm)
            || connection.end(end).holder_details().is_some_and(|owner| self.owner_has(owner))
            // The name alone has been looked at.
            || matches!(self.wanted.last(), Some(b' ' | b'0'..=b'9'))
                && self.has(format_args!("{} {}", process.comm, process.pid))
    }

    fn owner_has(&self, owner: &Owner) -> bool {
        let texts = [owner.place(), owner.unit.as_deref(), owner.user.as_deref(), owner.pod.as_deref()];
        texts.into_iter().flatten().any(|text| self.is_in(text))
    }

    fn greeting_has(&mut self, connection: &Connection) -> bool {
        let Some(greeting) = connection.greeting() else { return false };
        self.is_in(&greeting.version)
            || self.like.1 && self.has(greeting.thread_id)
            || self.has(connection.server_program())
    }

    /// Whether it is in what `shown` is written as.
    fn has(&mut self, shown: impl Display) -> bool {
        self.text.length = 0;
        // It takes all, and cuts off what is too long.
        let _ = write!(self.text, "{shown}");
        contains(&self.text.bytes[..self.text.length], self.wanted)
    }

    fn is_in(&self, text: &str) -> bool {
        contains(text.as_bytes(), self.wanted)
    }
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    let Some((first, rest)) = wanted.split_first() else { return true };
    let last = text.len().saturating_sub(rest.len());
    (0..last).any(|at| {
        text[at].eq_ignore_ascii_case(first) && text[at + 1..at + wanted.len()].eq_ignore_ascii_case(rest)
    })
}

/// A short text on the stack: an address with its scope and port has at most 67 letters.
struct Text {
    bytes: [u8; 128],
    length: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; 128], length: 0 }
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.bytes[self.length..];
        let length = text.len().min(room.len());
        room[..length].copy_from_slice(&text.as_bytes()[..length]);
        self.length += length;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_found_in_either_case_and_at_either_end() {
        let has = |text: &str, wanted: &str| contains(text.as_bytes(), wanted.as_bytes());
        for wanted in ["10.2", ":51844", "2.7.31", "10.2.7.31:51844", "1", ""] {
            assert!(has("10.2.7.31:51844", wanted), "{wanted}");
        }
        assert!(has("Python3 4711", "pYTHON3") && has("aab", "ab") && has("für", "ür"));
        assert!(!has("10.2.7.31:51844", "10.2.7.31:518440") && !has("", "x") && !has("ab", "ac"));
    }

    #[test]
    fn what_is_too_long_is_cut_and_does_no_harm() {
        let tracker = Tracker::new(observer_core::Config::default());
        let mut filter = Filter::new("xy", &tracker);
        assert!(!filter.has("x".repeat(1000)) && filter.has("wxyz"));
    }
}
