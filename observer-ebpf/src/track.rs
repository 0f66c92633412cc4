//! What a segment changes in the state of its connection.

use aya_ebpf::helpers::generated::bpf_jiffies64;
use aya_log_ebpf::debug;
use observer_common::{
    BeforePause, Direction, DirectionState, MAX_PORTS, PAUSE, Rare, RecordKind, SegmentRecord, Tail,
    beginning, flag, transition,
};

use crate::answer::Answer;
use crate::config::field;
use crate::handshake;
use crate::limit;
use crate::login;
use crate::maps::CONNECTIONS;
use crate::milestones;
use crate::opening::{add, opening_or_reset};
use crate::packet::Packet;
use crate::payload;
use crate::report::{NO_TAIL, header, now, tell};
use crate::segment::{Segment, ends, tcp};
use crate::statements::Asked;
use crate::taken::{is_reset_taken, is_taken};

/// Transitions that a peer can make as often as it likes.
const LIMITED: u32 = transition::ZERO_WINDOW_PROBE
    | transition::ZERO_WINDOW_PROBE_ACK
    | transition::ZERO_WINDOW
    | transition::WINDOW_UPDATE;

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
    let segment = Segment::parse(packet)?;
    if listed.listener {
        return handshake::observe(packet, &segment, direction);
    }
    let cookie = packet.cookie();
    let state = match CONNECTIONS.get_ptr_mut(&cookie) {
        Some(state) => state,
        None => add(packet, &segment, direction, cookie)?,
    };
    // SAFETY: the entry was found just now; the LRU may give its memory to another connection meanwhile, but it
    // stays memory of the map.
    let state = unsafe { &mut *state };
    let (own, peer, own_scale, peer_scale, tail, rare) = match direction {
        Direction::Egress => (
            &mut state.egress,
            &mut state.ingress,
            &mut state.egress_scale,
            state.ingress_scale,
            &mut state.egress_tail,
            &mut state.egress_rare,
        ),
        Direction::Ingress => (
            &mut state.ingress,
            &mut state.egress,
            &mut state.ingress_scale,
            state.egress_scale,
            &mut state.ingress_tail,
            &mut state.ingress_rare,
        ),
    };
    let (from_server, to_server) = match direction {
        Direction::Egress => (listed.local, listed.remote),
        Direction::Ingress => (listed.remote, listed.local),
    };
    // Nothing else is looked at in these: the fewer ways go on from here, the sooner the verifier is through.
    let comes_in = matches!(direction, Direction::Ingress);
    if segment.has(tcp::SYN | tcp::RST) {
        if comes_in && segment.has(tcp::RST) && !is_reset_taken(&segment, own, peer) {
            return None;
        }
        own.segments += 1;
        let transitions = opening_or_reset(packet, &segment, direction, own, own_scale);
        if transitions != 0 {
            let scales = (*own_scale, peer_scale);
            let _ = tell_transitions(packet, &segment, direction, cookie, transitions, scales, NO_TAIL);
        }
        return Some(());
    }
    if comes_in && !is_taken(&segment, own, peer, (*own_scale, peer_scale)) {
        return None;
    }
    let (sent_before, acknowledged_before, advance_before) =
        (own.sent, own.acknowledged, own.last_ack_advance);
    let transitions = follow(&segment, own, peer, rare);
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
        milestones::note(&mut state.milestones, acknowledged_before, own.acknowledged);
        if own.last_ack_advance.wrapping_sub(advance_before) > PAUSE {
            state.before_pause = BeforePause { at: advance_before, acknowledged: acknowledged_before };
        }
    }
    if from_server && is_new {
        let (is_first, beginning) = (sent_before == 0, state.beginning);
        let answer =
            Answer { packet, segment: &segment, direction, cookie, is_first, beginning, client: peer };
        answer.observe(own, rare, tail, &mut state.awaits_reply);
    }
    if transitions != 0 && is_told(transitions, rare) {
        let has_tail = own.flags & flag::TAIL != 0 && own.payload_ack == segment.ack;
        let tail = if has_tail { *tail } else { NO_TAIL };
        let scales = (*own_scale, peer_scale);
        let _ = tell_transitions(packet, &segment, direction, cookie, transitions, scales, tail);
    }
    // A MySQL packet has a header of four bytes.
    if to_server && is_new && segment.payload > 4 {
        let login = if state.beginning == beginning::SYN && sent_before == 0 {
            login::login(packet, &segment, direction, cookie)
        } else {
            None
        };
        if let Some(beginning) = login {
            state.beginning = beginning;
        } else if state.beginning != beginning::TLS {
            let (beginning, flags) = (state.beginning, &mut own.flags);
            let mut asked = Asked { command: &mut state.command, awaits_reply: &mut state.awaits_reply };
            let _ = payload::command(packet, &segment, direction, cookie, beginning, flags, rare, &mut asked);
        }
    }
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

/// Tells what a segment has changed. The scales are its sender's and its receiver's.
#[inline(always)]
fn tell_transitions(
    packet: Packet,
    segment: &Segment,
    direction: Direction,
    cookie: u64,
    transitions: u32,
    (scale, peer_scale): (u8, u8),
    tail: Tail,
) -> Option<()> {
    log_transitions(cookie, transitions, segment.window);
    let ends = ends(packet, segment, direction)?;
    tell(SegmentRecord {
        header: header(now(), cookie, RecordKind::Segment, direction, &ends),
        transitions,
        seq: segment.seq,
        ack: segment.ack,
        payload: segment.payload,
        window: segment.window,
        scale,
        peer_scale,
        tail,
        reserved: 0,
    });
    Some(())
}

/// For debugging the programs (`--bpf-log`). The verifier removes what is in it where that is off.
#[inline(never)]
#[unsafe(no_mangle)]
fn log_transitions(cookie: u64, transitions: u32, window: u16) {
    debug!((), "socket {}: transitions {:x}, window {}", cookie, transitions, window);
}

/// Brings the state of a direction up to date with one of its segments. Returns what changed.
#[inline(always)]
fn follow(segment: &Segment, own: &mut DirectionState, peer: &mut DirectionState, rare: &mut Rare) -> u32 {
    own.segments += 1;
    let mut transitions = 0;
    if own.peer_closed != 0 && is_probe(segment, peer.ack) {
        rare.probes = rare.probes.wrapping_add(1);
        transitions |= transition::ZERO_WINDOW_PROBE;
    }

    let fin = u32::from(segment.has(tcp::FIN));
    let end = segment.seq.wrapping_add(segment.payload).wrapping_add(fin);
    if own.flags & flag::SEQ == 0 {
        own.flags |= flag::SEQ;
        own.next_seq = end;
        own.sent = u64::from(segment.payload);
    } else {
        let new = end.wrapping_sub(own.next_seq);
        if (new as i32) > 0 {
            own.next_seq = end;
            own.sent += u64::from(new - fin);
        }
    }
    if fin != 0 && own.flags & flag::FIN == 0 {
        own.flags |= flag::FIN;
        transitions |= transition::FIN;
    }

    let mut acknowledged = 0;
    if own.flags & flag::ACK == 0 {
        own.flags |= flag::ACK;
        own.ack = segment.ack;
    } else {
        acknowledged = segment.ack.wrapping_sub(own.ack);
        if (acknowledged as i32) < 0 {
            return transitions; // an old segment: its window says nothing about now (RFC 9293, 3.10.7.4)
        }
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
    if segment.window == 0 {
        if own.flags & flag::CLOSED == 0 {
            own.flags |= flag::CLOSED;
            peer.peer_closed = 1;
            own.zero_windows = own.zero_windows.wrapping_add(1);
            transitions |= transition::ZERO_WINDOW;
        } else if acknowledged == 0 && segment.payload == 0 {
            rare.probe_acks = rare.probe_acks.wrapping_add(1);
            transitions |= transition::ZERO_WINDOW_PROBE_ACK;
        }
    } else if own.flags & flag::CLOSED != 0 {
        own.flags &= !flag::CLOSED;
        peer.peer_closed = 0;
        transitions |= transition::WINDOW_UPDATE;
    }
    transitions
}

/// Linux probes with an empty segment one before what the peer expects (`tcp_xmit_probe_skb`), others with the
/// next byte.
#[inline(always)]
fn is_probe(segment: &Segment, expected: u32) -> bool {
    let before = expected.wrapping_sub(segment.seq);
    !segment.has(tcp::FIN) && ((before == 1 && segment.payload <= 1) || (before == 0 && segment.payload == 1))
}
