//! The few commands of a client that are looked into: those that change the session or end it.
//!
//! A MySQL packet is three bytes of length, one of sequence, and the payload; a command starts with sequence 0.
//! See <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html>.

use observer_common::{ConnectionState, Direction, RecordKind, awaits, beginning, flag};

use crate::limit;
use crate::packet::Packet;
use crate::report::{at_most, header, now, tell_text};
use crate::segment::{Segment, ends};
use crate::sides::Sides;
use crate::statements::keep;

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
const SEARCHED: usize = 128;

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

/// Keeps the head of a command, and looks into it if it may change the session or end it, or is the next one after one
/// that changed it for itself alone.
#[inline(always)]
pub fn command(
    packet: Packet,
    segment: &Segment,
    direction: Direction,
    state: &mut ConnectionState,
) -> Option<()> {
    let (Sides { own, .. }, mut session) = Sides::of(state, direction);
    let ends_statement = own.flags & flag::NEXT_COMMAND != 0;
    let is_looked_into = if segment.payload < HEAD as u32 {
        let bytes = packet.load::<5>(segment.payload_at)?;
        if bytes[3] != 0 {
            return None;
        }
        keep(packet, segment, Some(bytes[4]), &mut session);
        acts_on_session(bytes[4])
    } else {
        let bytes = packet.load::<HEAD>(segment.payload_at)?;
        // The rest of a long packet, or bytes of TLS, rarely look like this; what does is sorted out by the observer.
        if bytes[3] != 0 {
            return None;
        }
        let command = match (*session.beginning == beginning::COMPRESSED, is_stored(&bytes)) {
            (false, _) => Some(bytes[4]),
            (true, true) => Some(bytes[COMPRESSED_HEADER + 4]),
            (true, false) => None,
        };
        keep(packet, segment, command, &mut session);
        acts_on_session(bytes[4]) || may_set(&bytes)
    };
    if is_looked_into || ends_statement {
        let _ = look_into(packet, direction, state);
    }
    Some(())
}

/// Whether a command changes the session by itself, or ends it.
#[inline(always)]
fn acts_on_session(command: u8) -> bool {
    matches!(command, COM_QUIT | COM_RESET_CONNECTION | COM_CHANGE_USER)
}

/// Whether the packet inside a compressed one is stored as it is and begins with a command.
#[inline(always)]
fn is_stored(bytes: &[u8; HEAD]) -> bool {
    bytes[4] == 0 && bytes[5] == 0 && bytes[6] == 0 && bytes[COMPRESSED_HEADER + 3] == 0
}

/// Whether this is a query whose text must be looked at: most texts begin with another word than `SET`.
#[inline(always)]
fn may_set(bytes: &[u8; HEAD]) -> bool {
    if bytes[4] != COM_QUERY {
        return is_stored(bytes) && bytes[COMPRESSED_HEADER + 4] == COM_QUERY;
    }
    let without_attributes = bytes[5] == 0 && bytes[6] == 1;
    let text =
        if without_attributes { [bytes[7], bytes[8], bytes[9]] } else { [bytes[5], bytes[6], bytes[7]] };
    !text[0].is_ascii_alphabetic() || is_set(letters(letters(u32::from(text[0]), text[1]), text[2]))
}

/// Tells a command if it changes the session or ends it, or is the next one after one that changed it for itself alone.
#[inline(never)]
#[unsafe(no_mangle)]
fn look_into(packet: Packet, direction: Direction, state: &mut ConnectionState) -> Option<()> {
    let segment = Segment::parse(packet)?;
    let (Sides { own, rare, .. }, session) = Sides::of(state, direction);
    let ends_statement = own.flags & flag::NEXT_COMMAND != 0;
    let (kind, told) = match session_change(packet, &segment) {
        Some(command) => (RecordKind::Command, command),
        None if ends_statement => (RecordKind::NextCommand, Command { at: 0, kind: Kind::Quit }),
        None => return None,
    };
    // What is not told takes no room in the ring buffer either.
    if !limit::may_say(rare) {
        return None;
    }
    let ends = ends(packet, &segment, direction)?;
    let header = header(now(), packet.cookie(), kind, direction, &ends);
    tell_text(packet, header, segment.payload_at + told.at, segment.payload - told.at)?;
    own.flags &= !flag::NEXT_COMMAND;
    if told.kind != Kind::Quit {
        *session.awaits_reply = awaits::REPLY;
        if told.kind != Kind::Change {
            own.flags |= flag::NEXT_COMMAND;
        }
    }
    Some(())
}

/// The command that a segment begins with, if it changes the session or ends it.
#[inline(always)]
fn session_change(packet: Packet, segment: &Segment) -> Option<Command> {
    let bytes = packet.load::<5>(segment.payload_at)?;
    if let Some(command) = whole_command(bytes, segment) {
        return Some(command);
    }
    if segment.payload < HEAD as u32 {
        return None;
    }
    let bytes = packet.load::<HEAD>(segment.payload_at)?;
    let command = if bytes[4] == COM_QUERY {
        query(&bytes, 0)?
    } else if is_stored(&bytes) && bytes[COMPRESSED_HEADER + 4] == COM_QUERY {
        query(&bytes, COMPRESSED_HEADER)?
    } else {
        return None;
    };
    (command.kind != Kind::Commented || has_set(packet, segment, command.at)).then_some(command)
}

/// The command, if this is one whole packet with one that changes or ends the session by itself.
#[inline(always)]
fn whole_command(bytes: [u8; 5], segment: &Segment) -> Option<Command> {
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
/// every statement shall be told.
///
/// Without a branch in the loop: the verifier would follow each of them to the end of the program.
#[inline(always)]
fn has_set(packet: Packet, segment: &Segment, at: u32) -> bool {
    let mut text = [0; SEARCHED];
    let length = at_most(segment.payload - at, SEARCHED as u32);
    // SAFETY: there is room for `SEARCHED`.
    if unsafe { packet.copy(segment.payload_at + at, text.as_mut_ptr(), length) }.is_none() {
        return false;
    }
    let (mut seen, mut found) = (0, 0_u32);
    for byte in &text {
        seen = letters(seen, *byte);
        // Only of zero it leaves the highest bit set.
        found |= from_set(seen).wrapping_sub(1);
    }
    found >> 31 != 0
}
