//! The few commands of a client that are looked into: those that change the session or end it.
//!
//! A MySQL packet is three bytes of length, one of sequence, and the payload; a command starts with sequence 0.
//! See <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html>.

use observer_common::{Direction, Rare, RecordKind, awaits, beginning, flag};

use crate::limit;
use crate::packet::Packet;
use crate::report::{Text, header, now};
use crate::segment::{Segment, ends};
use crate::statements::{Asked, keep};

const COM_QUIT: u8 = 0x01;
const COM_QUERY: u8 = 0x03;
pub const COM_CHANGE_USER: u8 = 0x11;
const COM_RESET_CONNECTION: u8 = 0x1f;

/// Bytes that are looked at first. No statement that sets net_write_timeout is shorter.
const HEAD: usize = 24;
/// A compressed packet has a header of seven bytes; its last three are 0 if what follows is stored as it is,
/// as short statements are (`MIN_COMPRESS_LENGTH`).
pub const COMPRESSED_HEADER: usize = 7;
/// The most attributes a statement is believed to have: what begins with a larger number is text.
const MOST_ATTRIBUTES: u8 = 8;
/// How far behind a comment `SET` is looked for.
const SEARCHED: u32 = 128;

/// A command that may change the session, or ends it.
struct Command {
    /// Where in the segment it stands.
    at: u32,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It has no answer.
    Quit,
    /// It changes the session.
    Change,
    /// It changes the session if `SET` stands behind the comment.
    Commented,
    /// `SET STATEMENT`, or something that begins like it.
    Statement,
}

/// Keeps the head of a command, and tells it if it may change the session or is the next after one that changed it
/// for itself alone.
#[inline(always)]
pub fn command(
    packet: Packet,
    segment: &Segment,
    direction: Direction,
    cookie: u64,
    beginning: u8,
    flags: &mut u8,
    rare: &mut Rare,
    asked: &mut Asked,
) -> Option<()> {
    let ends_statement = *flags & flag::NEXT_COMMAND != 0;
    let (kind, told) = match session_change(packet, segment, cookie, beginning, asked)? {
        Some(command) => (RecordKind::Command, command),
        None if ends_statement => (RecordKind::NextCommand, Command { at: 0, kind: Kind::Quit }),
        None => return None,
    };
    // What is not told takes no room either, as far as that is known before: what is copied for nothing has its place in the
    // ring buffer until the observer has read past it.
    let changes = told.kind != Kind::Commented || ends_statement;
    if changes && !limit::may_say(rare) {
        return Some(());
    }
    let ends = ends(packet, segment, direction)?;
    let header = header(now(), cookie, kind, direction, &ends);
    let length = segment.payload - told.at;
    let text = Text::copy(packet, header, segment.payload_at + told.at, length)?;
    let worth_it = changes || (has_set(&text) && limit::may_say(rare));
    text.tell_if(worth_it);
    if worth_it {
        *flags &= !flag::NEXT_COMMAND;
    }
    if worth_it && told.kind != Kind::Quit {
        *asked.awaits_reply = awaits::REPLY;
        if told.kind != Kind::Change {
            *flags |= flag::NEXT_COMMAND;
        }
    }
    Some(())
}

/// The command that a segment begins with, if it may change the session; `None` where none begins.
#[inline(always)]
#[expect(clippy::option_option, reason = "no command, or none that changes the session")]
fn session_change(
    packet: Packet,
    segment: &Segment,
    cookie: u64,
    beginning: u8,
    asked: &mut Asked,
) -> Option<Option<Command>> {
    if segment.payload < HEAD as u32 {
        let bytes = packet.load::<5>(segment.payload_at)?;
        if bytes[3] != 0 {
            return None;
        }
        keep(packet, segment, cookie, Some(bytes[4]), asked);
        return Some(whole_command(&bytes, segment));
    }
    let bytes = packet.load::<HEAD>(segment.payload_at)?;
    // The rest of a long packet, or bytes of TLS, rarely look like this; what does is sorted out by the observer.
    if bytes[3] != 0 {
        return None;
    }
    let stored = bytes[4] == 0 && bytes[5] == 0 && bytes[6] == 0 && bytes[COMPRESSED_HEADER + 3] == 0;
    let command = match (beginning == beginning::COMPRESSED, stored) {
        (false, _) => Some(bytes[4]),
        (true, true) => Some(bytes[COMPRESSED_HEADER + 4]),
        (true, false) => None,
    };
    keep(packet, segment, cookie, command, asked);
    if let Some(command) = whole_command(&bytes, segment) {
        return Some(Some(command));
    }
    if bytes[4] == COM_QUERY {
        return Some(query(&bytes, 0));
    }
    if stored && bytes[COMPRESSED_HEADER + 4] == COM_QUERY {
        return Some(query(&bytes, COMPRESSED_HEADER));
    }
    Some(None)
}

/// The command, if this is one whole packet with one that changes or ends the session by itself.
#[inline(always)]
fn whole_command(bytes: &[u8], segment: &Segment) -> Option<Command> {
    let length = u32::from(bytes[0]) | u32::from(bytes[1]) << 8 | u32::from(bytes[2]) << 16;
    if length.wrapping_add(4) != segment.payload {
        return None;
    }
    match bytes[4] {
        COM_QUIT if length == 1 => Some(Command { at: 0, kind: Kind::Quit }),
        COM_RESET_CONNECTION | COM_CHANGE_USER => Some(Command { at: 0, kind: Kind::Change }),
        _ => None,
    }
}

/// Looks at the text of the query whose packet stands at `at`.
#[inline(always)]
fn query(bytes: &[u8; HEAD], at: usize) -> Option<Command> {
    let command = |kind| Some(Command { at: at as u32, kind });
    // With CLIENT_QUERY_ATTRIBUTES the text stands behind two counts, most often of no attributes: 0 and 1.
    let mut text = at + 5;
    if bytes[text + 1] == 1 && bytes[text] <= MOST_ATTRIBUTES {
        if bytes[text] != 0 {
            return command(Kind::Commented);
        }
        text += 2;
    }
    for _ in 0..4 {
        match bytes[text] {
            b' ' | b'\t' | b'\r' | b'\n' => text += 1,
            b'/' | b'-' | b'#' => return command(Kind::Commented),
            first => {
                if !is_set(letters(letters(u32::from(first), bytes[text + 1]), bytes[text + 2])) {
                    return None;
                }
                // No variable of interest begins like STATEMENT.
                let is_statement = bytes[text + 4] | 0x20 == b's' && bytes[text + 5] | 0x20 == b't';
                return command(if is_statement { Kind::Statement } else { Kind::Change });
            }
        }
    }
    None
}

#[inline(always)]
fn letters(before: u32, next: u8) -> u32 {
    before << 8 | u32::from(next)
}

/// Whether the last three letters are `SET`, in whatever case.
#[inline(always)]
fn is_set(letters: u32) -> bool {
    from_set(letters) == 0
}

/// In which bits the last three letters differ from it.
#[inline(always)]
fn from_set(letters: u32) -> u32 {
    let set = u32::from(b's') << 16 | u32::from(b'e') << 8 | u32::from(b't');
    (letters & 0x00ff_ffff | 0x0020_2020) ^ set
}

/// Looks for `SET` in the beginning of a query: many applications put a comment before every statement, and not
/// every statement shall be told. What stands behind a shorter text is looked at too; the observer sorts that out.
///
/// Without a branch in the loop: the verifier would follow each of them to the end of the program.
#[inline(always)]
fn has_set(text: &Text) -> bool {
    let (mut seen, mut found) = (0, 0_u32);
    let mut at = 0;
    while at < SEARCHED {
        seen = letters(seen, text.byte(at));
        // Only of zero it leaves the highest bit set.
        found |= from_set(seen).wrapping_sub(1);
        at += 1;
    }
    found >> 31 != 0
}
