//! The beginning of every client's last command, kept to be read when its connection stands still.

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers::generated::bpf_jiffies64;
use observer_common::{CommandHead, TEXT_BYTES, awaits};

use crate::config::field;
use crate::maps::PREPARED;
use crate::packet::Packet;
use crate::payload::COM_CHANGE_USER;
use crate::report::{at_most, now};
use crate::segment::Segment;
use crate::sides::Session;

const COM_STMT_PREPARE: u8 = 0x16;
/// A packet's header and the command byte: all that is kept of what is not looked into.
const NAME_BYTES: u32 = 5;
/// First byte of an answer that is no error.
const OK: u8 = 0;

/// Before the first one.
pub const NO_COMMAND: CommandHead =
    CommandHead { at: 0, tick: 0, seq: 0, length: 0, statement_id: 0, bytes: [0; TEXT_BYTES] };

/// What is put into the map to be written in place: the stack has no room for a command.
#[unsafe(no_mangle)]
static NOT_PREPARED: CommandHead = NO_COMMAND;

/// Keeps the beginning of a command, if that is wanted; of one that is compressed, `None`, only that there was one.
#[inline(always)]
pub fn keep(packet: Packet, segment: &Segment, command: Option<u8>, session: &mut Session<'_>) {
    if field!(keep_commands) == 0 {
        return;
    }
    match command {
        Some(COM_STMT_PREPARE) => {
            *session.awaits_reply = awaits::STATEMENT_ID;
            let _ = keep_prepared(packet);
        }
        // What comes with another user proves who it is.
        None | Some(COM_CHANGE_USER) => write(session.command, packet, segment, NAME_BYTES),
        Some(_) => write(session.command, packet, segment, segment.payload),
    }
}

/// Keeps a command that a client prepares, until it is executed.
#[inline(never)]
#[unsafe(no_mangle)]
fn keep_prepared(packet: Packet) -> Option<()> {
    let segment = Segment::parse(packet)?;
    let head = to_prepare(packet.cookie())?;
    // SAFETY: the entry was found just now.
    write(unsafe { &mut *head }, packet, &segment, segment.payload);
    Some(())
}

/// Where the command that a client prepares is kept.
#[inline(always)]
fn to_prepare(cookie: u64) -> Option<*mut CommandHead> {
    let head = PREPARED.get_ptr_mut(&cookie);
    if head.is_some() {
        return head;
    }
    let _ = PREPARED.insert(&cookie, &NOT_PREPARED, u64::from(BPF_NOEXIST));
    PREPARED.get_ptr_mut(&cookie)
}

#[inline(always)]
fn write(head: &mut CommandHead, packet: Packet, segment: &Segment, length: u32) {
    let length = at_most(length, TEXT_BYTES as u32);
    // SAFETY: a helper without arguments, which the verifier turns into one load.
    let tick = unsafe { bpf_jiffies64() } as u32;
    if tick != head.tick {
        head.tick = tick;
        head.at = now();
    }
    head.seq = segment.seq;
    head.length = length;
    head.statement_id = 0;
    // SAFETY: there is room for `TEXT_BYTES`.
    let _ = unsafe { packet.copy(segment.payload_at, head.bytes.as_mut_ptr(), length) };
}

/// Keeps by which number the server calls the statement it has prepared.
///
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_prepare.html>
#[inline(always)]
pub fn prepared(packet: Packet, segment: &Segment) -> Option<()> {
    let bytes = packet.load::<9>(segment.payload_at)?;
    if bytes[3] == 1 && bytes[4] == OK {
        let head = PREPARED.get_ptr_mut(&packet.cookie())?;
        // SAFETY: the entry was found just now.
        unsafe { (*head).statement_id = u32::from_le_bytes([bytes[5], bytes[6], bytes[7], bytes[8]]) };
    }
    Some(())
}
