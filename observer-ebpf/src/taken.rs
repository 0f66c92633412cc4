//! What comes in and the kernel does not take: a segment that is forged, or so old that it says nothing any more.
//!
//! The programs see a segment before the kernel has looked at its numbers (`tcp_v4_rcv` comes by `sk_filter` before
//! `tcp_rcv_established`). Whoever knows the addresses of a connection could otherwise end it, or close its window, in
//! the observer's eyes.
//!
//! The numbers of a segment are compared with those of the other direction, which are in cache lines that the other
//! program writes: only where something in it is not as usual.

use observer_common::{ConnectionState, Direction, DirectionState, flag, scale};

use crate::segment::{Segment, tcp};
use crate::sides::Sides;

/// The largest shift of a window (RFC 7323, 2.3), for where it is not known.
const LARGEST_SHIFT: u8 = 14;

/// Whether the kernel takes a segment that comes in, no SYN and no RST.
#[inline(always)]
pub fn is_taken(segment: &Segment, state: &mut ConnectionState) -> bool {
    // RFC 9293, 3.10.7.4: fifth.
    if !segment.has(tcp::ACK) {
        return false;
    }
    let (sides, _) = Sides::of(state, Direction::Ingress);
    let is_open = segment.window != 0 && sides.own.flags & flag::CLOSED == 0;
    let goes_on = is_open && !segment.has(tcp::FIN) && goes_on(segment, sides.own, sides.scales());
    goes_on || is_within(segment, sides)
}

/// Whether a segment neither leaves out something nor acknowledges more than its sender's window has let come. The scales
/// are its sender's and its receiver's.
#[inline(always)]
pub fn goes_on(segment: &Segment, own: &DirectionState, (own_scale, peer_scale): (u8, u8)) -> bool {
    let ahead = is_after(segment.seq, own.next_seq) && own.flags & flag::SEQ != 0;
    let acknowledged = segment.ack.wrapping_sub(own.ack);
    let too_much = own.flags & flag::ACK != 0
        && acknowledged > u32::from(own.window)
        && acknowledged > size(own.window, own_scale, peer_scale);
    !ahead && !too_much
}

/// Whether a segment lies within what the other direction allows.
#[inline(always)]
fn is_within(segment: &Segment, sides: Sides<'_>) -> bool {
    let (own_scale, peer_scale) = sides.scales();
    let Sides { own, peer, .. } = sides;
    if peer.flags & flag::SEQ != 0 {
        // What was not sent cannot be acknowledged (`tcp_ack`).
        if is_after(segment.ack, peer.next_seq) {
            return false;
        }
        // Nor what was acknowledged before, if that went unnoticed.
        if is_after(own.ack, peer.next_seq) && own.flags & flag::ACK != 0 {
            own.acknowledged = own.acknowledged.wrapping_sub(u64::from(own.ack.wrapping_sub(segment.ack)));
            own.ack = segment.ack;
        }
    }
    if peer.flags & flag::ACK == 0 {
        return true;
    }
    // What is beyond the window is not taken, nor what lies before it (`tcp_sequence`). A FIN alone may stand at its end;
    // what probes it stands one before.
    let end = segment.seq.wrapping_add(segment.payload);
    let edge = peer.ack.wrapping_add(size(peer.window, peer_scale, own_scale));
    !is_after(end, edge) && !is_after(peer.ack.wrapping_sub(1), end)
}

/// Whether the kernel takes an RST of the direction `own`: its number has to be that of the next byte (RFC 5961, 3.2),
/// which lies between what was acknowledged and what has come.
#[inline(always)]
pub fn is_reset_taken(segment: &Segment, own: &DirectionState, peer: &DirectionState) -> bool {
    if own.flags & flag::SEQ == 0 || peer.flags & flag::ACK == 0 {
        return true;
    }
    segment.seq.wrapping_sub(peer.ack) <= own.next_seq.wrapping_sub(peer.ack)
}

/// A window in bytes; the largest it can be where a SYN was not seen.
#[inline(always)]
fn size(window: u16, own: u8, other: u8) -> u32 {
    let shift = if own == scale::ABSENT || other == scale::ABSENT {
        0
    } else if own > LARGEST_SHIFT {
        LARGEST_SHIFT
    } else {
        own
    };
    u32::from(window) << (shift & 15)
}

/// Whether a number comes after another (RFC 9293, 3.4).
#[inline(always)]
fn is_after(one: u32, other: u32) -> bool {
    (one.wrapping_sub(other) as i32) > 0
}
