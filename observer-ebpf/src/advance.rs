//! How far a direction has come with one of its segments, and what that changes.

use aya_ebpf::helpers::generated::bpf_jiffies64;
use observer_common::{ConnectionState, Direction, DirectionState, Rare, flag, transition};

use crate::packet::Packet;
use crate::report::now;
use crate::segment::{Segment, tcp};
use crate::sides::Sides;
use crate::taken::{goes_on, is_taken};

/// Whether nothing can change with a segment, no SYN and no RST, but how far its direction has come.
#[inline(always)]
pub fn is_usual(segment: &Segment, direction: Direction, state: &mut ConnectionState) -> bool {
    let (sides, _) = Sides::of(state, direction);
    let own = &*sides.own;
    let is_open = own.flags & (flag::SEQ | flag::ACK | flag::CLOSED) == flag::SEQ | flag::ACK
        && own.peer_closed == 0
        && segment.window != 0;
    let only_goes_on = segment.flags & (tcp::ACK | tcp::FIN) == tcp::ACK;
    is_open
        && only_goes_on
        && (matches!(direction, Direction::Egress) || goes_on(segment, own, sides.scales()))
}

/// Brings the state of a direction up to date with what a segment sends, its FIN included, and acknowledges. Returns how
/// much that acknowledges; `None` for an old segment, whose window says nothing about now (RFC 9293, 3.10.7.4).
#[inline(always)]
pub fn advance(segment: &Segment, fin: u32, own: &mut DirectionState) -> Option<u32> {
    let end = segment.seq.wrapping_add(segment.payload).wrapping_add(fin);
    let new = end.wrapping_sub(own.next_seq);
    if (new as i32) > 0 {
        own.next_seq = end;
        own.sent += u64::from(new - fin);
    }
    let acknowledged = segment.ack.wrapping_sub(own.ack);
    if (acknowledged as i32) < 0 {
        return None;
    }
    if acknowledged != 0 {
        own.ack = segment.ack;
        own.acknowledged += u64::from(acknowledged);
        // SAFETY: a helper without arguments, which the verifier turns into one load.
        let tick = unsafe { bpf_jiffies64() } as u32;
        if tick != own.ack_tick {
            let now = now();
            let pause = (now.wrapping_sub(own.last_ack_advance) >> 20) as u32;
            if own.answered != 0 && pause > own.pause {
                own.pause = pause;
            }
            own.ack_tick = tick;
            own.last_ack_advance = now;
        }
        if own.answered == 0 {
            own.answered = (own.last_ack_advance >> 20) as u32;
        }
    }
    own.window = segment.window;
    Some(acknowledged)
}

/// What a segment has changed but how far its direction has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The kernel does not take it.
    NotTaken,
    Nothing,
    /// What [`Sides::transitions`] says.
    Transitions,
}

/// Looks at a segment with which something else may change.
#[inline(never)]
#[unsafe(no_mangle)]
pub fn unusual(packet: Packet, direction: Direction, state: &mut ConnectionState) -> Outcome {
    let Some(segment) = Segment::parse(packet) else { return Outcome::NotTaken };
    if matches!(direction, Direction::Ingress) && !is_taken(&segment, state) {
        return Outcome::NotTaken;
    }
    let (sides, _) = Sides::of(state, direction);
    let Sides { own, peer, rare, .. } = sides;
    let mut transitions = 0;
    if own.peer_closed != 0 && is_probe(&segment, peer.ack) {
        rare.probes = rare.probes.wrapping_add(1);
        transitions |= transition::ZERO_WINDOW_PROBE;
    }
    if own.flags & flag::SEQ == 0 {
        own.flags |= flag::SEQ;
        own.next_seq = segment.seq;
    }
    if own.flags & flag::ACK == 0 {
        own.flags |= flag::ACK;
        own.ack = segment.ack;
    }
    let fin = u32::from(segment.has(tcp::FIN));
    if fin != 0 && own.flags & flag::FIN == 0 {
        own.flags |= flag::FIN;
        transitions |= transition::FIN;
    }
    if let Some(acknowledged) = advance(&segment, fin, own) {
        transitions |= window(&segment, acknowledged, own, peer, rare);
    }
    *sides.transitions = transitions;
    if transitions == 0 { Outcome::Nothing } else { Outcome::Transitions }
}

/// What the window of a segment changes.
#[inline(always)]
fn window(
    segment: &Segment,
    acknowledged: u32,
    own: &mut DirectionState,
    peer: &mut DirectionState,
    rare: &mut Rare,
) -> u32 {
    let was_closed = own.flags & flag::CLOSED != 0;
    if segment.window != 0 {
        if !was_closed {
            return 0;
        }
        own.flags &= !flag::CLOSED;
        peer.peer_closed = 0;
        return transition::WINDOW_UPDATE;
    }
    if !was_closed {
        own.flags |= flag::CLOSED;
        peer.peer_closed = 1;
        own.zero_windows = own.zero_windows.wrapping_add(1);
        return transition::ZERO_WINDOW;
    }
    if acknowledged == 0 && segment.payload == 0 {
        rare.probe_acks = rare.probe_acks.wrapping_add(1);
        return transition::ZERO_WINDOW_PROBE_ACK;
    }
    0
}

/// Linux probes with an empty segment one before what the peer expects (`tcp_xmit_probe_skb`), others with the
/// next byte.
#[inline(always)]
fn is_probe(segment: &Segment, expected: u32) -> bool {
    let before = expected.wrapping_sub(segment.seq);
    !segment.has(tcp::FIN) && ((before == 1 && segment.payload <= 1) || (before == 0 && segment.payload == 1))
}
