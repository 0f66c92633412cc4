//! What a segment changes in the state of its connection.

use observer_common::{BeforePause, ConnectionState, Direction, MAX_PORTS, PAUSE, beginning};

use crate::advance::{Outcome, advance, is_usual, unusual};
use crate::answer;
use crate::config::field;
use crate::handshake;
use crate::login::is_login;
use crate::maps::CONNECTIONS;
use crate::milestones;
use crate::opening::{add, opening_or_reset};
use crate::packet::Packet;
use crate::payload;
use crate::segment::{Segment, tcp};
use crate::sides::Sides;
use crate::told::tell_transitions;

/// Which of a socket's ports are MySQL ports.
struct Listed {
    local: bool,
    remote: bool,
    /// A listening socket has no peer.
    listener: bool,
}

/// Compares the ports of the socket, before anything else is looked at. `None` for all other traffic.
#[inline(always)]
fn listed(packet: Packet) -> Option<Listed> {
    let (local, remote) = packet.ports();
    let mut index = 0;
    while index < MAX_PORTS {
        let port = field!(ports[index]);
        if port == 0 {
            return None;
        }
        if port == local || port == remote {
            return Some(Listed { local: port == local, remote: port == remote, listener: remote == 0 });
        }
        index += 1;
    }
    None
}

/// Looks at one segment. The result only tells how far it got.
#[inline(always)]
pub fn observe(packet: Packet, direction: Direction) -> Option<()> {
    let listed = listed(packet)?;
    if listed.listener {
        return handshake::observe(packet, direction);
    }
    let segment = Segment::parse(packet)?;
    let state = match CONNECTIONS.get_ptr_mut(&packet.cookie()) {
        Some(state) => state,
        None => add(packet, direction)?.as_ptr(),
    };
    // SAFETY: the entry was found just now; the LRU may give its memory to another connection meanwhile, but it
    // stays memory of the map.
    let state = unsafe { &mut *state };
    if segment.has(tcp::SYN | tcp::RST) {
        return opening_or_reset(packet, direction, state);
    }
    let (from_server, to_server) = match direction {
        Direction::Egress => (listed.local, listed.remote),
        Direction::Ingress => (listed.remote, listed.local),
    };
    let change = follow(packet, &segment, direction, to_server, state)?;
    if from_server && change.is_new {
        answer::observe(packet, &segment, direction, change.is_first, state);
    }
    if change.is_told {
        let _ = tell_transitions(packet, direction, state);
    }
    // A MySQL packet has a header of four bytes.
    if to_server && change.is_new && segment.payload > 4 {
        let may_log_in = change.is_first && state.beginning == beginning::SYN;
        if !(may_log_in && is_login(packet, direction, state)) && state.beginning != beginning::TLS {
            let _ = payload::command(packet, &segment, direction, state);
        }
    }
    Some(())
}

/// What a segment has changed.
struct Change {
    /// Whether there is something to be told.
    is_told: bool,
    /// Whether it has payload that was not there before.
    is_new: bool,
    /// Whether there was no payload before.
    is_first: bool,
}

/// Brings the state up to date with a segment; `None` if the kernel does not take it.
#[inline(always)]
fn follow(
    packet: Packet,
    segment: &Segment,
    direction: Direction,
    to_server: bool,
    state: &mut ConnectionState,
) -> Option<Change> {
    let (Sides { own, .. }, _) = Sides::of(state, direction);
    let before = BeforePause { at: own.last_ack_advance, acknowledged: own.acknowledged };
    let sent_before = own.sent;
    let outcome = if is_usual(segment, direction, state) {
        let (Sides { own, .. }, _) = Sides::of(state, direction);
        let _ = advance(segment, 0, own);
        Outcome::Nothing
    } else {
        unusual(packet, direction, state)
    };
    if outcome == Outcome::NotTaken {
        return None;
    }
    let (Sides { own, rare, .. }, session) = Sides::of(state, direction);
    own.segments += 1;
    // What is sent again was looked at before.
    let is_new = own.sent != sent_before;
    if segment.payload > 1 && !is_new {
        rare.retransmissions += 1;
    }
    if to_server {
        if is_new {
            own.payload_ack = segment.ack;
            own.answered = 0;
            own.pause = 0;
        }
        milestones::note(session.milestones, before.acknowledged, own.acknowledged);
        if own.last_ack_advance.wrapping_sub(before.at) > PAUSE {
            *session.before_pause = before;
        }
    }
    Some(Change { is_told: outcome == Outcome::Transitions, is_new, is_first: sent_before == 0 })
}
