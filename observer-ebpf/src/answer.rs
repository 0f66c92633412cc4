//! The few packets of a server that are looked into: its greeting, the answer to a command that was told, errors that
//! nobody asked for, and the end of what it has sent last.

use observer_common::{ConnectionState, Direction, RecordKind, TAIL_BYTES, Tail, awaits, beginning, flag};

use crate::limit;
use crate::packet::Packet;
use crate::payload::COMPRESSED_HEADER;
use crate::report::{at_most, header, now, tell_text};
use crate::segment::{Segment, ends, tcp};
use crate::sides::Sides;
use crate::statements;

const PROTOCOL_VERSION: u8 = 10;
const ERR: u8 = 0xff;

/// Longer errors are not looked for: what is longer is a part of a result.
const LONGEST_ERROR: u32 = 512;

/// Looks at a segment with new payload of the server, as far as it must be.
#[inline(always)]
pub fn observe(
    packet: Packet,
    segment: &Segment,
    direction: Direction,
    is_first: bool,
    state: &mut ConnectionState,
) {
    let (Sides { own, peer, tail, .. }, session) = Sides::of(state, direction);
    let answers = own.payload_ack != segment.ack || is_first;
    own.payload_ack = segment.ack;
    own.flags &= !flag::TAIL;
    if is_first && *session.beginning == beginning::SYN {
        let _ = greeting(packet, direction);
        return;
    }
    // What the client has sent is in a cache line that the other program writes: only looked at where it must be.
    if *session.awaits_reply != awaits::NOTHING && segment.ack == peer.next_seq {
        let _ = reply(packet, direction, *session.awaits_reply);
        *session.awaits_reply = awaits::NOTHING;
    }
    // A short answer to a command is whole nearly always, and the most frequent of all.
    let is_short = segment.payload < LONGEST_ERROR;
    if is_short && answers && !segment.has(tcp::FIN) {
        return;
    }
    if *session.beginning == beginning::PLAIN && keep(packet, segment, tail).is_some() {
        own.flags |= flag::TAIL;
    }
    if is_short && !answers {
        let _ = error(packet, direction, state);
    }
}

/// Tells the greeting, or why there is none.
#[inline(never)]
#[unsafe(no_mangle)]
fn greeting(packet: Packet, direction: Direction) -> Option<()> {
    let segment = Segment::parse(packet)?;
    let bytes = packet.load::<5>(segment.payload_at)?;
    match bytes[4] {
        PROTOCOL_VERSION if bytes[3] == 0 => tell(packet, &segment, direction, RecordKind::Greeting),
        ERR => tell(packet, &segment, direction, RecordKind::ServerError),
        _ => None,
    }
}

/// Looks at an answer that was waited for.
#[inline(never)]
#[unsafe(no_mangle)]
fn reply(packet: Packet, direction: Direction, awaited: u8) -> Option<()> {
    let segment = Segment::parse(packet)?;
    if awaited == awaits::STATEMENT_ID {
        statements::prepared(packet, &segment)
    } else {
        tell(packet, &segment, direction, RecordKind::Reply)
    }
}

/// Tells an error that came without a command. Since 4.1 the SQL state follows its number, marked by `#`.
#[inline(never)]
#[unsafe(no_mangle)]
fn error(packet: Packet, direction: Direction, state: &mut ConnectionState) -> Option<()> {
    let segment = Segment::parse(packet)?;
    let (Sides { own, tail, rare, .. }, session) = Sides::of(state, direction);
    let is_error = if *session.beginning == beginning::COMPRESSED {
        let bytes = packet.load::<{ COMPRESSED_HEADER + 8 }>(segment.payload_at)?;
        bytes[COMPRESSED_HEADER + 4] == ERR && bytes[COMPRESSED_HEADER + 7] == b'#'
    } else {
        let bytes = packet.load::<8>(segment.payload_at)?;
        *session.beginning != beginning::TLS && bytes[4] == ERR && bytes[7] == b'#'
    };
    if !is_error || !limit::may_say(rare) {
        return None;
    }
    tell(packet, &segment, direction, RecordKind::ServerError)?;
    tail.payload = segment.payload;
    tail.is_error = 1;
    own.flags |= flag::TAIL;
    Some(())
}

/// Keeps the last bytes.
#[inline(always)]
fn keep(packet: Packet, segment: &Segment, tail: &mut Tail) -> Option<()> {
    let Segment { payload_at, payload, .. } = *segment;
    let length = at_most(payload, TAIL_BYTES as u32);
    tail.payload = payload;
    tail.is_error = 0;
    // SAFETY: there is room for `TAIL_BYTES`.
    unsafe { packet.copy(payload_at + payload - length, tail.bytes.as_mut_ptr(), length) }
}

#[inline(always)]
fn tell(packet: Packet, segment: &Segment, direction: Direction, kind: RecordKind) -> Option<()> {
    let ends = ends(packet, segment, direction)?;
    let header = header(now(), packet.cookie(), kind, direction, &ends);
    tell_text(packet, header, segment.payload_at, segment.payload)
}
