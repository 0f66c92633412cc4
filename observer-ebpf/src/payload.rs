//! The few MySQL packets that are looked into: the server's greeting and commands that change the session.
//!
//! A MySQL packet is three bytes of length, one of sequence, and the payload; a command starts with sequence 0.
//! See <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html>.

use aya_ebpf::bindings::BPF_NOEXIST;
use observer_common::{CommandHead, Direction, RecordKind, TEXT_BYTES};

use crate::config::field;
use crate::maps::COMMANDS;
use crate::packet::Packet;
use crate::report::{Text, at_most, header, now};
use crate::segment::{Segment, ends};

const PROTOCOL_VERSION: u8 = 10;
const COM_QUERY: u8 = 0x03;
const COM_CHANGE_USER: u8 = 0x11;
const COM_RESET_CONNECTION: u8 = 0x1f;

/// Bytes that are looked at first. No statement that sets net_write_timeout is shorter.
const HEAD: usize = 24;
/// A compressed packet has a header of seven bytes; its last three are 0 if what follows is stored as it is,
/// as short statements are (`MIN_COMPRESS_LENGTH`).
const COMPRESSED_HEADER: usize = 7;
/// How far behind a comment `SET` is looked for.
const SEARCHED: u32 = 128;

/// What is put into the map to be written in place: the stack has no room for a command.
#[unsafe(no_mangle)]
static NO_COMMAND: CommandHead = CommandHead { at: 0, length: 0, reserved: 0, bytes: [0; TEXT_BYTES] };

/// Tells the server's first packet, if it is a greeting.
#[inline(always)]
pub fn greeting(packet: Packet, segment: &Segment, direction: Direction, cookie: u64) -> Option<()> {
    let bytes = packet.load::<5>(segment.payload_at)?;
    if bytes[3] == 0 && bytes[4] == PROTOCOL_VERSION {
        let ends = ends(packet, segment, direction)?;
        let header = header(now(), cookie, RecordKind::Greeting, direction, &ends);
        Text::copy(packet, header, segment.payload_at, segment.payload)?.tell_if(true);
    }
    Some(())
}

/// Where in a segment a command stands that may change the session, and how far it is known that it does.
enum Command {
    /// It does.
    At(u32),
    /// It does if `SET` stands behind the comment.
    Commented(u32),
}

/// Keeps the head of a command, and tells it if it may change the session.
#[inline(always)]
pub fn command(packet: Packet, segment: &Segment, direction: Direction, cookie: u64) -> Option<()> {
    let (at, commented) = match session_change(packet, segment, cookie)? {
        Command::At(at) => (at, false),
        Command::Commented(at) => (at, true),
    };
    let ends = ends(packet, segment, direction)?;
    let header = header(now(), cookie, RecordKind::Command, direction, &ends);
    let length = segment.payload - at;
    let text = Text::copy(packet, header, segment.payload_at + at, length)?;
    let worth_it = !commented || has_set(&text, length);
    text.tell_if(worth_it);
    Some(())
}

#[inline(always)]
fn session_change(packet: Packet, segment: &Segment, cookie: u64) -> Option<Command> {
    if segment.payload < HEAD as u32 {
        let bytes = packet.load::<5>(segment.payload_at)?;
        if bytes[3] != 0 {
            return None;
        }
        keep(packet, segment, cookie);
        return is_whole_command(&bytes, segment).then_some(Command::At(0));
    }
    let bytes = packet.load::<HEAD>(segment.payload_at)?;
    // The rest of a long packet, or bytes of TLS, rarely look like this; what does is sorted out by the observer.
    if bytes[3] != 0 {
        return None;
    }
    keep(packet, segment, cookie);
    if is_whole_command(&bytes, segment) {
        return Some(Command::At(0));
    }
    if bytes[4] == COM_QUERY {
        return query(&bytes, 0);
    }
    let stored = bytes[4] == 0 && bytes[5] == 0 && bytes[6] == 0 && bytes[COMPRESSED_HEADER + 3] == 0;
    if stored && bytes[COMPRESSED_HEADER + 4] == COM_QUERY {
        return query(&bytes, COMPRESSED_HEADER);
    }
    None
}

/// Whether this is one whole packet with a command that changes the session by itself.
#[inline(always)]
fn is_whole_command(bytes: &[u8], segment: &Segment) -> bool {
    let length = u32::from(bytes[0]) | u32::from(bytes[1]) << 8 | u32::from(bytes[2]) << 16;
    (bytes[4] == COM_RESET_CONNECTION || bytes[4] == COM_CHANGE_USER)
        && length.wrapping_add(4) == segment.payload
}

/// Looks at the text of the query whose packet stands at `at`.
#[inline(always)]
fn query(bytes: &[u8; HEAD], at: usize) -> Option<Command> {
    // With CLIENT_QUERY_ATTRIBUTES the text stands behind two counts, most often of no attributes: 0 and 1.
    let mut text = at + 5;
    if bytes[text] == 0 && bytes[text + 1] == 1 {
        text += 2;
    }
    for _ in 0..4 {
        match bytes[text] {
            b' ' | b'\t' | b'\r' | b'\n' => text += 1,
            b'/' | b'-' | b'#' => return Some(Command::Commented(at as u32)),
            first => {
                let letters = letters(letters(u32::from(first), bytes[text + 1]), bytes[text + 2]);
                return is_set(letters).then_some(Command::At(at as u32));
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
    letters & 0x00ff_ffff | 0x0020_2020 == u32::from(b's') << 16 | u32::from(b'e') << 8 | u32::from(b't')
}

/// Looks for `SET` in the beginning of a query: many applications put a comment before every statement, and not
/// every statement shall be told.
#[inline(always)]
fn has_set(text: &Text, length: u32) -> bool {
    let mut seen = 0;
    let mut at = 0;
    while at < SEARCHED {
        seen = letters(seen, text.byte(at));
        if is_set(seen) {
            return at < length;
        }
        at += 1;
    }
    false
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
