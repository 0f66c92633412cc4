//! The transitions of a connection: which are told, and how.

use aya_log_ebpf::debug;
use observer_common::{ConnectionState, Direction, Rare, RecordKind, SegmentRecord, flag, transition};

use crate::limit;
use crate::packet::Packet;
use crate::report::{NO_TAIL, header, now, tell};
use crate::segment::{Segment, ends};
use crate::sides::Sides;

/// Transitions that a peer can make as often as it likes.
const LIMITED: u32 = transition::ZERO_WINDOW_PROBE
    | transition::ZERO_WINDOW_PROBE_ACK
    | transition::ZERO_WINDOW
    | transition::WINDOW_UPDATE;

/// Tells what a segment has changed, if that is within limits.
#[inline(never)]
#[unsafe(no_mangle)]
pub fn tell_transitions(packet: Packet, direction: Direction, state: &mut ConnectionState) -> Option<()> {
    let segment = Segment::parse(packet)?;
    let (sides, _) = Sides::of(state, direction);
    let transitions = *sides.transitions;
    if !is_told(transitions, sides.rare) {
        return None;
    }
    let cookie = packet.cookie();
    log_transitions(cookie, transitions, segment.window);
    let ends = ends(packet, &segment, direction)?;
    let opens_or_resets = transitions & (transition::SYN | transition::RST) != 0;
    let has_tail =
        !opens_or_resets && sides.own.flags & flag::TAIL != 0 && sides.own.payload_ack == segment.ack;
    let (scale, peer_scale) = sides.scales();
    tell(SegmentRecord {
        header: header(now(), cookie, RecordKind::Segment, direction, &ends),
        transitions,
        seq: segment.seq,
        ack: segment.ack,
        payload: segment.payload,
        window: segment.window,
        scale,
        peer_scale,
        tail: if has_tail { *sides.tail } else { NO_TAIL },
        reserved: 0,
    });
    Some(())
}

/// Whether these transitions are told: some are only within limits.
#[inline(always)]
fn is_told(transitions: u32, rare: &mut Rare) -> bool {
    let closes = transitions & transition::ZERO_WINDOW != 0 && limit::may_close(rare);
    let opens = transitions & transition::WINDOW_UPDATE != 0 && limit::may_open(rare);
    if transitions & !LIMITED != 0 || closes || opens {
        return true;
    }
    transitions & (transition::ZERO_WINDOW | transition::WINDOW_UPDATE) == 0 && limit::may_probe(rare)
}

/// For debugging the programs (`--bpf-log`). The verifier removes what is in it where that is off.
#[inline(never)]
#[unsafe(no_mangle)]
fn log_transitions(cookie: u64, transitions: u32, window: u16) {
    debug!((), "socket {}: transitions {:x}, window {}", cookie, transitions, window);
}
