//! The few packets of a server that are looked into: its greeting, the answer to a command that was told, errors that
//! nobody asked for, and the end of what it has sent last.

use observer_common::{
    Direction, DirectionState, Rare, RecordKind, TAIL_BYTES, Tail, awaits, beginning, flag,
};

use crate::limit;
use crate::packet::Packet;
use crate::payload::COMPRESSED_HEADER;
use crate::report::{Text, at_most, header, now};
use crate::segment::{Segment, ends, tcp};
use crate::statements;

const PROTOCOL_VERSION: u8 = 10;
const ERR: u8 = 0xff;

/// Longer errors are not looked for: what is longer is a part of a result.
const LONGEST_ERROR: u32 = 512;

/// A segment with new payload of the server, and what is known of its connection.
pub struct Answer<'a> {
    pub packet: Packet,
    pub segment: &'a Segment,
    pub direction: Direction,
    pub cookie: u64,
    /// Whether it is the server's first.
    pub is_first: bool,
    /// One of [`beginning`].
    pub beginning: u8,
    /// What the client has sent. It is in a cache line that the other program writes: only looked at where it must be.
    pub client: &'a DirectionState,
}

impl Answer<'_> {
    /// Looks at it, as far as it must be.
    #[inline(always)]
    pub fn observe(&self, own: &mut DirectionState, rare: &mut Rare, tail: &mut Tail, awaits_reply: &mut u8) {
        let answers = own.payload_ack != self.segment.ack || self.is_first;
        own.payload_ack = self.segment.ack;
        own.flags &= !flag::TAIL;
        if self.is_first && self.beginning == beginning::SYN {
            let _ = self.greeting();
            return;
        }
        if *awaits_reply != awaits::NOTHING && self.segment.ack == self.client.next_seq {
            let _ = if *awaits_reply == awaits::STATEMENT_ID {
                statements::prepared(self.packet, self.segment, self.cookie)
            } else {
                self.tell(RecordKind::Reply)
            };
            *awaits_reply = awaits::NOTHING;
        }
        // A short answer to a command is whole nearly always, and the most frequent of all.
        let is_short = self.segment.payload < LONGEST_ERROR;
        if is_short && answers && !self.segment.has(tcp::FIN) {
            return;
        }
        if self.beginning == beginning::PLAIN && self.keep(tail).is_some() {
            own.flags |= flag::TAIL;
        }
        if is_short && !answers && self.error(rare).is_some() {
            tail.payload = self.segment.payload;
            tail.is_error = 1;
            own.flags |= flag::TAIL;
        }
    }

    /// Tells the greeting, or why there is none.
    #[inline(always)]
    fn greeting(&self) -> Option<()> {
        let bytes = self.packet.load::<5>(self.segment.payload_at)?;
        match bytes[4] {
            PROTOCOL_VERSION if bytes[3] == 0 => self.tell(RecordKind::Greeting),
            ERR => self.tell(RecordKind::ServerError),
            _ => None,
        }
    }

    /// Tells an error that came without a command. Since 4.1 the SQL state follows its number, marked by `#`.
    #[inline(always)]
    fn error(&self, rare: &mut Rare) -> Option<()> {
        let is_error = if self.beginning == beginning::COMPRESSED {
            let bytes = self.packet.load::<{ COMPRESSED_HEADER + 8 }>(self.segment.payload_at)?;
            bytes[COMPRESSED_HEADER + 4] == ERR && bytes[COMPRESSED_HEADER + 7] == b'#'
        } else {
            let bytes = self.packet.load::<8>(self.segment.payload_at)?;
            self.beginning != beginning::TLS && bytes[4] == ERR && bytes[7] == b'#'
        };
        if is_error && limit::may_say(rare) { self.tell(RecordKind::ServerError) } else { None }
    }

    /// Keeps the last bytes.
    #[inline(always)]
    fn keep(&self, tail: &mut Tail) -> Option<()> {
        let Segment { payload_at, payload, .. } = *self.segment;
        let length = at_most(payload, TAIL_BYTES as u32);
        tail.payload = payload;
        tail.is_error = 0;
        // SAFETY: there is room for `TAIL_BYTES`.
        unsafe { self.packet.copy(payload_at + payload - length, tail.bytes.as_mut_ptr(), length) }
    }

    #[inline(always)]
    fn tell(&self, kind: RecordKind) -> Option<()> {
        let Segment { payload_at, payload, .. } = *self.segment;
        let ends = ends(self.packet, self.segment, self.direction)?;
        let header = header(now(), self.cookie, kind, self.direction, &ends);
        Text::copy(self.packet, header, payload_at, payload)?.tell_if(true);
        Some(())
    }
}
