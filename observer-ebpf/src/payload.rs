//! The few packets of a client that are looked into: its login, and commands that change the session or end it.
//!
//! A MySQL packet is three bytes of length, one of sequence, and the payload; a command starts with sequence 0.
//! See <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html>.

use aya_ebpf::bindings::BPF_NOEXIST;
use observer_common::{CommandHead, Direction, RecordKind, TEXT_BYTES, beginning, flag};

use crate::config::field;
use crate::maps::COMMANDS;
use crate::packet::Packet;
use crate::report::{Text, at_most, header, now};
use crate::segment::{Segment, ends};

const CLIENT_COMPRESS: u32 = 1 << 5;
const CLIENT_PROTOCOL_41: u32 = 1 << 9;
const CLIENT_SSL: u32 = 1 << 11;
const CLIENT_ZSTD_COMPRESSION_ALGORITHM: u32 = 1 << 26;
/// Payload of an SSLRequest, which ends before the user's name.
const SSL_REQUEST: u8 = 32;
/// What is told of a login: up to where the user's name begins.
const LOGIN_BYTES: u32 = 36;

const COM_QUIT: u8 = 0x01;
const COM_QUERY: u8 = 0x03;
const COM_CHANGE_USER: u8 = 0x11;
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

/// What is put into the map to be written in place: the stack has no room for a command.
#[unsafe(no_mangle)]
static NO_COMMAND: CommandHead = CommandHead { at: 0, length: 0, reserved: 0, bytes: [0; TEXT_BYTES] };

/// Tells the client's answer to the greeting, and gives what can be read after it: one of [`beginning`].
///
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_response.html>
#[inline(always)]
pub fn login(packet: Packet, segment: &Segment, direction: Direction, cookie: u64) -> Option<u8> {
    let bytes = packet.load::<8>(segment.payload_at)?;
    let capabilities = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    if bytes[3] != 1 || capabilities & CLIENT_PROTOCOL_41 == 0 {
        return None;
    }
    let ends = ends(packet, segment, direction)?;
    let header = header(now(), cookie, RecordKind::Login, direction, &ends);
    let length = if segment.payload < LOGIN_BYTES { segment.payload } else { LOGIN_BYTES };
    Text::copy(packet, header, segment.payload_at, length)?.tell_if(true);
    let is_ssl_request = bytes[0] == SSL_REQUEST && bytes[1] == 0 && bytes[2] == 0;
    Some(if is_ssl_request && capabilities & CLIENT_SSL != 0 {
        beginning::TLS
    } else if capabilities & (CLIENT_COMPRESS | CLIENT_ZSTD_COMPRESSION_ALGORITHM) != 0 {
        beginning::COMPRESSED
    } else {
        beginning::PLAIN
    })
}

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
    flags: &mut u8,
    awaits_reply: &mut u8,
) -> Option<()> {
    let ends_statement = *flags & flag::NEXT_COMMAND != 0;
    let (kind, told) = match session_change(packet, segment, cookie)? {
        Some(command) => (RecordKind::Command, command),
        None if ends_statement => (RecordKind::NextCommand, Command { at: 0, kind: Kind::Quit }),
        None => return None,
    };
    *flags &= !flag::NEXT_COMMAND;
    let ends = ends(packet, segment, direction)?;
    let header = header(now(), cookie, kind, direction, &ends);
    let length = segment.payload - told.at;
    let text = Text::copy(packet, header, segment.payload_at + told.at, length)?;
    let worth_it = told.kind != Kind::Commented || ends_statement || has_set(&text);
    text.tell_if(worth_it);
    if worth_it && told.kind != Kind::Quit {
        *awaits_reply = 1;
        if told.kind != Kind::Change {
            *flags |= flag::NEXT_COMMAND;
        }
    }
    Some(())
}

/// The command that a segment begins with, if it may change the session; `None` where none begins.
#[inline(always)]
#[expect(clippy::option_option, reason = "no command, or none that changes the session")]
fn session_change(packet: Packet, segment: &Segment, cookie: u64) -> Option<Option<Command>> {
    if segment.payload < HEAD as u32 {
        let bytes = packet.load::<5>(segment.payload_at)?;
        if bytes[3] != 0 {
            return None;
        }
        keep(packet, segment, cookie);
        return Some(whole_command(&bytes, segment));
    }
    let bytes = packet.load::<HEAD>(segment.payload_at)?;
    // The rest of a long packet, or bytes of TLS, rarely look like this; what does is sorted out by the observer.
    if bytes[3] != 0 {
        return None;
    }
    keep(packet, segment, cookie);
    if let Some(command) = whole_command(&bytes, segment) {
        return Some(Some(command));
    }
    if bytes[4] == COM_QUERY {
        return Some(query(&bytes, 0));
    }
    let stored = bytes[4] == 0 && bytes[5] == 0 && bytes[6] == 0 && bytes[COMPRESSED_HEADER + 3] == 0;
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

/// Keeps the beginning of the client's last command, if that is wanted.
#[inline(always)]
fn keep(packet: Packet, segment: &Segment, cookie: u64) {
    if field!(keep_commands) == 0 {
        return;
    }
    let mut head = COMMANDS.get_ptr_mut(&cookie);
    if head.is_none() {
        let _ = COMMANDS.insert(&cookie, &NO_COMMAND, u64::from(BPF_NOEXIST));
        head = COMMANDS.get_ptr_mut(&cookie);
    }
    let Some(head) = head else { return };
    let length = at_most(segment.payload, TEXT_BYTES as u32);
    // SAFETY: the entry was found just now; it has room for `TEXT_BYTES`.
    unsafe {
        (*head).at = now();
        (*head).length = length;
        let _ = packet.copy(segment.payload_at, (&raw mut (*head).bytes).cast(), length);
    }
}
