//! What a client waits for: the beginning of its last command.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html>

use observer_core::{Statement, StatementKind, Timestamp};

use super::attributes::without_attributes;
use super::command::{COM_CHANGE_USER, COM_QUERY, COM_QUIT};
use super::{Packet, stored, without_literals};

const COM_BINLOG_DUMP: u8 = 0x12;
const COM_STMT_PREPARE: u8 = 0x16;
const COM_STMT_EXECUTE: u8 = 0x17;
const COM_STMT_SEND_LONG_DATA: u8 = 0x18;
const COM_STMT_CLOSE: u8 = 0x19;
const COM_STMT_FETCH: u8 = 0x1c;
const COM_BINLOG_DUMP_GTID: u8 = 0x1e;

/// `CURSOR_TYPE_READ_ONLY`, `_FOR_UPDATE`, `_SCROLLABLE` (include/mysql.h).
const CURSOR: u8 = 0x07;

/// MariaDB's way to name the statement that was prepared last.
/// <https://mariadb.com/docs/server/reference/clientserver-protocol/3-binary-protocol-prepared-statements/com_stmt_execute>
const LAST_PREPARED: u32 = u32::MAX;

/// Payload of the shortest `COM_BINLOG_DUMP`: position, flags, the replica's number.
const SHORTEST_DUMP: u32 = 11;

/// Types of TLS records (RFC 8446, 5.1), which look like the header of a packet.
const TLS_FIRST: u8 = 0x14;
const TLS_LAST: u8 = 0x17;

/// Bytes of a statement by which it is known as text.
const TEXT: usize = 8;

/// What is kept and told of statements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Statements {
    /// Nothing is kept.
    None,
    /// Their text without literals.
    #[default]
    WithoutLiterals,
    /// Their text as it is.
    Raw,
}

/// The beginning of a segment in which a client sent a command.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// When it passed.
    pub at: Timestamp,
    /// From the packet's header on, or from that of the compressed packet it is in.
    pub bytes: &'a [u8],
    /// Of a `COM_STMT_PREPARE`, by which number the server calls the statement; 0 where that is not known.
    pub statement_id: u32,
}

/// Bytes of a command that are kept.
const KEPT: usize = 256;

/// A packet's header and the command byte: all that is kept of what is not looked into.
const NAME: usize = 5;

/// Of the segment of a client, what is kept to be read as a [`statement`]; `None` where no command begins. It is what the
/// kernel programs keep (observer-ebpf/src/statements.rs).
pub fn keepable(payload: &[u8], is_compressed: bool) -> Option<&[u8]> {
    let (&[_, _, _, 0], behind) = payload.split_first_chunk()? else { return None };
    let (&command, _) = behind.split_first()?;
    let inside = stored(payload, 0).and_then(|inside| inside.get(4).copied());
    let is_hidden = is_compressed && inside.is_none();
    // What comes with another user proves who it is.
    let is_secret = [Some(command), inside].contains(&Some(COM_CHANGE_USER));
    Some(&payload[..payload.len().min(if is_hidden || is_secret { NAME } else { KEPT })])
}

/// Whether this is a command that prepares a statement.
pub fn prepares(kept: &[u8]) -> bool {
    kept.get(4) == Some(&COM_STMT_PREPARE)
}

/// The number that a server gives the statement it was asked to prepare.
///
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_prepare.html>
pub fn statement_id(answer: &[u8]) -> Option<u32> {
    match *answer {
        [_, _, _, 1, 0, a, b, c, d, ..] => Some(u32::from_le_bytes([a, b, c, d])),
        _ => None,
    }
}

/// What the client waits for since it sent `last`; `None` for a command that has no answer. `prepared` is its last
/// `COM_STMT_PREPARE`.
pub fn statement(last: Kept<'_>, prepared: Option<Kept<'_>>, statements: Statements) -> Option<Statement> {
    let command = Commands::of(last.bytes);
    let mut told = Statement {
        sent_at: last.at,
        command: StatementKind::Other,
        length: 0,
        text: None,
        cut: false,
        cursor: false,
        in_result: None,
    };
    let packet = match command.last {
        Some(packet) => packet,
        None if command.has_no_answer => return None,
        None => return Some(told),
    };
    told.length = packet.length;
    let prepared = |id| command.prepared(id, prepared).and_then(|packet| text(packet, 1, statements));
    let text = match *packet.payload {
        [COM_QUERY, ref behind @ ..] if is_text(without_attributes(behind)) => {
            told.command = StatementKind::Query;
            let attributes = without_attributes(behind).map(|text| behind.len() - text.len());
            attributes.and_then(|attributes| text(packet, 1 + attributes, statements))
        }
        // It is always executed once.
        [COM_STMT_EXECUTE, a, b, c, d, flags, 1, 0, 0, 0, ..] => {
            told.command = StatementKind::Execute;
            told.cursor = flags & CURSOR != 0;
            prepared(u32::from_le_bytes([a, b, c, d]))
        }
        [COM_STMT_FETCH, a, b, c, d, _, _, _, _] => {
            told.command = StatementKind::Fetch;
            told.cursor = true;
            prepared(u32::from_le_bytes([a, b, c, d]))
        }
        [COM_BINLOG_DUMP | COM_BINLOG_DUMP_GTID, _, ..] if packet.length >= SHORTEST_DUMP => {
            told.command = StatementKind::BinlogDump;
            None
        }
        _ => None,
    };
    if let Some((text, cut)) = text {
        (told.text, told.cut) = (Some(text), cut);
    }
    Some(told)
}

/// The commands that one segment begins with.
#[derive(Default)]
struct Commands<'a> {
    /// The last `COM_STMT_PREPARE`.
    prepare: Option<Packet<'a>>,
    /// The last one that has an answer.
    last: Option<Packet<'a>>,
    /// Whether there are others.
    has_no_answer: bool,
}

impl<'a> Commands<'a> {
    /// A client may prepare a statement, execute it and close another in one segment.
    fn of(bytes: &'a [u8]) -> Self {
        let mut commands = Self::default();
        if let [TLS_FIRST..=TLS_LAST, 3, 0..=4, ..] = bytes {
            return commands;
        }
        let mut rest = stored(bytes, 0).unwrap_or(bytes);
        while let Some(packet) = Packet::first(rest).filter(|packet| packet.sequence == 0) {
            match packet.payload {
                [COM_QUIT] | [COM_STMT_CLOSE | COM_STMT_SEND_LONG_DATA, ..] => commands.has_no_answer = true,
                [COM_STMT_PREPARE, ..] => (commands.prepare, commands.last) = (Some(packet), Some(packet)),
                _ => commands.last = Some(packet),
            }
            rest = packet.rest;
        }
        commands
    }

    /// The command that prepared the statement with this number.
    fn prepared<'b: 'a>(&self, id: u32, earlier: Option<Kept<'b>>) -> Option<Packet<'a>> {
        if id == LAST_PREPARED && self.prepare.is_some() {
            return self.prepare;
        }
        let earlier = earlier.filter(|kept| id == LAST_PREPARED || (id != 0 && kept.statement_id == id))?;
        Self::of(earlier.bytes).prepare
    }
}

/// The text that a packet holds from `start` on, and whether it goes on.
fn text(packet: Packet<'_>, start: usize, statements: Statements) -> Option<(String, bool)> {
    let text = packet.payload.get(start..)?;
    let cut = !packet.is_whole();
    match statements {
        Statements::None => None,
        Statements::WithoutLiterals => Some((without_literals(text, cut), cut)),
        Statements::Raw => Some((String::from_utf8_lossy(text).into_owned(), cut)),
    }
}

/// Whether this begins like a statement and not like something compressed.
fn is_text(text: Option<&[u8]>) -> bool {
    let is_in_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    text.is_none_or(|text| text.iter().take(TEXT).all(is_in_text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(payload: &[u8]) -> Vec<u8> {
        [&[u8::try_from(payload.len()).unwrap(), 0, 0, 0], payload].concat()
    }

    fn kept(bytes: &[u8], statement_id: u32) -> Kept<'_> {
        Kept { at: Timestamp::EPOCH, bytes, statement_id }
    }

    fn told(bytes: &[u8], prepared: Option<Kept<'_>>) -> Option<(StatementKind, Option<String>)> {
        let told = statement(kept(bytes, 0), prepared, Statements::WithoutLiterals)?;
        Some((told.command, told.text))
    }

    const EXECUTE: &[u8] = b"\x17\x02\0\0\0\0\x01\0\0\0";

    #[test]
    fn a_query_is_told_without_its_literals_unless_that_is_wanted() {
        let bytes = packet(b"\x03SELECT 'secret' FROM t");
        let told = |statements| statement(kept(&bytes, 0), None, statements).unwrap();
        let hidden = told(Statements::default());
        assert_eq!((hidden.command, hidden.text.as_deref()), (StatementKind::Query, Some("SELECT ? FROM t")));
        assert_eq!((hidden.length, hidden.cut), (23, false));
        assert_eq!(told(Statements::Raw).text.as_deref(), Some("SELECT 'secret' FROM t"));
        assert_eq!(told(Statements::None).text, None);
    }

    #[test]
    fn one_that_goes_on_says_so() {
        let bytes = b"\xff\x01\0\0\x03SELECT 'sec";
        let told = statement(kept(bytes, 0), None, Statements::default()).unwrap();
        assert_eq!((told.length, told.cut, told.text.as_deref()), (511, true, Some("SELECT ?")));
    }

    #[test]
    fn attributes_stand_before_a_statement_and_are_not_told() {
        let bytes = packet(b"\x03\x01\x01\0\x01\xfe\0\x04user\x05aliceSELECT a");
        assert_eq!(told(&bytes, None), Some((StatementKind::Query, Some("SELECT a".to_owned()))));
        let cut = [&packet(b"")[..3], b"\0\x03\x01\x01\0"].concat();
        let cut = [&[40], &cut[1..]].concat();
        assert_eq!(told(&cut, None), Some((StatementKind::Query, None)));
    }

    #[test]
    fn the_text_of_a_prepared_statement_is_that_of_its_number() {
        let prepare = packet(b"\x16SELECT a FROM t WHERE b = ? AND c = 'x'");
        let text = Some("SELECT a FROM t WHERE b = ? AND c = ?".to_owned());
        let execute = packet(EXECUTE);
        assert_eq!(told(&execute, Some(kept(&prepare, 2))), Some((StatementKind::Execute, text.clone())));
        for another in [0, 1, 3] {
            assert_eq!(told(&execute, Some(kept(&prepare, another))), Some((StatementKind::Execute, None)));
        }
        assert_eq!(told(&execute, None), Some((StatementKind::Execute, None)));
        let fetch = packet(b"\x1c\x02\0\0\0\x64\0\0\0");
        assert_eq!(told(&fetch, Some(kept(&prepare, 2))), Some((StatementKind::Fetch, text)));
    }

    #[test]
    fn a_statement_may_be_prepared_and_executed_in_one_segment() {
        let prepare = packet(b"\x16SELECT a");
        let execute = packet(b"\x17\xff\xff\xff\xff\x01\x01\0\0\0");
        let both = [&packet(b"\x19\x01\0\0\0")[..], &prepare, &execute].concat();
        let told_of_both = statement(kept(&both, 0), None, Statements::default()).unwrap();
        assert_eq!((told_of_both.text.as_deref(), told_of_both.cursor), (Some("SELECT a"), true));
        assert_eq!(told(&execute, Some(kept(&prepare, 0))).unwrap().1.as_deref(), Some("SELECT a"));
    }

    #[test]
    fn no_more_is_kept_of_a_command_than_may_be_read() {
        let query = packet(&[&b"\x03SELECT "[..], &[b'a'; 200]].concat());
        assert_eq!(keepable(&query, false), Some(&query[..]));
        assert_eq!(keepable(&[&query[..], &[0; 100]].concat(), false).map(<[u8]>::len), Some(256));
        assert_eq!(keepable(&query, true), Some(&query[..5]), "compressed");
        let change = packet(b"\x11app\0\x14a scramble");
        assert_eq!(keepable(&change, false), Some(&change[..5]));
        let stored = [&[u8::try_from(change.len()).unwrap(), 0, 0, 0, 0, 0, 0], &change[..]].concat();
        assert_eq!(keepable(&stored, true), Some(&stored[..5]));
        for none in [&b"\x01\0\0\x01\x03"[..], b"\x01\0\0\0", b""] {
            assert_eq!(keepable(none, false), None);
        }
    }

    #[test]
    fn the_answer_to_a_prepare_has_the_number() {
        assert!(prepares(&packet(b"\x16SELECT 1")) && !prepares(&packet(b"\x03SELECT 1")));
        assert_eq!(statement_id(b"\x0c\0\0\x01\0\x07\0\0\0\x01\0"), Some(7));
        assert_eq!(statement_id(b"\x0c\0\0\x01\xff\x07\0\0\0\x01\0"), None);
        assert_eq!(statement_id(b"\x0c\0\0\x01\0\x07"), None);
    }

    #[test]
    fn a_replica_is_named_as_such() {
        for bytes in [
            packet(b"\x12\x04\0\0\0\0\0\x02\0\0\0binlog.000001"),
            packet(&[&[0x1e_u8][..], &[0; 24]].concat()),
        ] {
            assert_eq!(told(&bytes, None), Some((StatementKind::BinlogDump, None)));
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_as_such_and_what_has_no_answer_is_not() {
        let unreadable: [&[u8]; 5] = [
            b"\x20\0\0\0\x03\x01\0\x78\x9c\x6a\x56\x70\xf5\x71\x0d\x51", // compressed
            b"\x17\x03\x03\0\x1eciphertext",
            b"\x01\0\0\0\x0e", // a ping
            b"\x07\0\0\0\x16SELECT",
            b"",
        ];
        for bytes in unreadable {
            assert_eq!(told(bytes, None), Some((StatementKind::Other, None)), "{bytes:?}");
        }
        for bytes in [packet(b"\x01"), packet(b"\x19\x01\0\0\0")] {
            assert_eq!(told(&bytes, None), None);
        }
    }

    #[test]
    fn a_short_command_may_be_in_a_compressed_packet_as_it_is() {
        let inside = packet(b"\x03SELECT 5");
        let outside = [&[u8::try_from(inside.len()).unwrap(), 0, 0, 0, 0, 0, 0], &inside[..]].concat();
        assert_eq!(told(&outside, None), Some((StatementKind::Query, Some("SELECT ?".to_owned()))));
    }
}
