//! How the state of a connection begins.

use core::ptr::NonNull;

use aya_ebpf::bindings::BPF_NOEXIST;
use observer_common::{
    BeforePause, ConnectionState, Counter, Direction, DirectionState, Ends, LastRead, MILESTONES, Rare,
    RecordKind, SegmentRecord, beginning, flag, scale, transition,
};

use crate::config::field;
use crate::handshake::{self, Handshake, Syn};
use crate::maps::{CONNECTIONS, count};
use crate::packet::Packet;
use crate::report::{NO_TAIL, bare_segment, header, tell};
use crate::segment::{Segment, ends, tcp};
use crate::sides::Sides;
use crate::statements::NO_COMMAND;
use crate::taken::is_reset_taken;
use crate::told::tell_transitions;

/// Looks at a SYN or RST: they carry no window that counts.
#[inline(never)]
#[unsafe(no_mangle)]
pub fn opening_or_reset(packet: Packet, direction: Direction, state: &mut ConnectionState) -> Option<()> {
    let segment = Segment::parse(packet)?;
    let (Sides { own, peer, own_scale, transitions, .. }, _) = Sides::of(state, direction);
    let is_reset = segment.has(tcp::RST);
    if is_reset && matches!(direction, Direction::Ingress) && !is_reset_taken(&segment, own, peer) {
        return None;
    }
    own.segments += 1;
    *transitions = if is_reset { reset(direction, own)? } else { opening(packet, &segment, own, own_scale)? };
    tell_transitions(packet, direction, state)
}

/// An RST, unless it was told or is told otherwise.
#[inline(always)]
fn reset(direction: Direction, own: &mut DirectionState) -> Option<u32> {
    let traced = match direction {
        Direction::Egress => field!(sent_resets_traced),
        Direction::Ingress => field!(received_resets_traced),
    };
    if traced != 0 || own.flags & flag::RST != 0 {
        return None;
    }
    own.flags |= flag::RST;
    Some(transition::RST)
}

/// A SYN, unless something was seen before: the kernel answers it then and forgets it (RFC 5961, 4.2).
#[inline(always)]
fn opening(packet: Packet, segment: &Segment, own: &mut DirectionState, own_scale: &mut u8) -> Option<u32> {
    if own.flags & (flag::SYN | flag::SEQ) != 0 {
        return None;
    }
    open(own, own_scale, &Syn::read(packet, segment));
    if segment.has(tcp::ACK) {
        own.flags |= flag::ACK;
        own.ack = segment.ack;
    }
    Some(transition::SYN)
}

/// Takes over what a SYN says.
#[inline(always)]
fn open(own: &mut DirectionState, own_scale: &mut u8, syn: &Syn) {
    own.flags |= flag::SYN | flag::SEQ;
    *own_scale = syn.scale;
    own.window = syn.window;
    own.next_seq = syn.seq.wrapping_add(1);
}

const UNSEEN: DirectionState = DirectionState {
    segments: 0,
    sent: 0,
    acknowledged: 0,
    last_ack_advance: 0,
    ack_tick: 0,
    payload_ack: 0,
    answered: 0,
    pause: 0,
    next_seq: 0,
    ack: 0,
    zero_windows: 0,
    window: 0,
    flags: 0,
    peer_closed: 0,
};

const RARE: Rare =
    Rare { probes: 0, probe_acks: 0, retransmissions: 0, span: 0, told: 0, told_closed: 0, untold: 0 };

/// What is put into the map to be written in place: the stack has no room for it.
#[unsafe(no_mangle)]
static NEW: ConnectionState = ConnectionState {
    local_port: 0,
    remote_port: 0,
    egress_scale: scale::UNKNOWN,
    ingress_scale: scale::UNKNOWN,
    beginning: beginning::UNSEEN,
    awaits_reply: 0,
    local: [0; 16],
    remote: [0; 16],
    milestones: [0; MILESTONES],
    egress: UNSEEN,
    last_read: LastRead { at: 0, tick: 0, reserved: 0, tgid: 0, tid: 0, comm: [0; 16] },
    egress_tail: NO_TAIL,
    ingress: UNSEEN,
    ingress_tail: NO_TAIL,
    egress_rare: RARE,
    ingress_rare: RARE,
    command: NO_COMMAND,
    before_pause: BeforePause { at: 0, acknowledged: 0 },
    egress_transitions: 0,
    ingress_transitions: 0,
    reserved: [0; 10],
};

/// Makes the state of a connection whose first segment this is.
#[inline(never)]
#[unsafe(no_mangle)]
pub fn add(packet: Packet, direction: Direction) -> Option<NonNull<ConnectionState>> {
    let segment = Segment::parse(packet)?;
    let cookie = packet.cookie();
    let ends = ends(packet, &segment, direction)?;
    // Both programs may get here at once; the first one's state holds.
    if CONNECTIONS.insert(&cookie, &NEW, u64::from(BPF_NOEXIST)).is_err() {
        let state = CONNECTIONS.get_ptr_mut(&cookie);
        if state.is_none() {
            count(Counter::ConnectionMapFull);
        }
        return state.and_then(NonNull::new);
    }
    count(Counter::ConnectionsAdded);
    let added = CONNECTIONS.get_ptr_mut(&cookie)?;
    // SAFETY: the entry was found just now.
    let state = unsafe { &mut *added };
    state.local = ends.local;
    state.remote = ends.remote;
    state.remote_port = ends.remote_port;
    state.local_port = ends.local_port;
    state.beginning = if segment.has(tcp::SYN) { beginning::SYN } else { beginning::UNSEEN };
    if let Some(Handshake { syn, syn_ack }) = handshake::take(&ends)
        && syn_ack.at != 0
    {
        state.beginning = beginning::SYN;
        let (egress, ingress) = (&mut state.egress_scale, &mut state.ingress_scale);
        accepted(&mut state.ingress, ingress, &syn, &syn_ack, cookie, Direction::Ingress, &ends);
        accepted(&mut state.egress, egress, &syn_ack, &syn, cookie, Direction::Egress, &ends);
    }
    NonNull::new(added)
}

/// Takes over what a SYN said that passed with the listener's socket, and tells it.
#[inline(always)]
fn accepted(
    own: &mut DirectionState,
    own_scale: &mut u8,
    syn: &Syn,
    other: &Syn,
    cookie: u64,
    direction: Direction,
    ends: &Ends,
) {
    open(own, own_scale, syn);
    // Each has acknowledged the other's SYN; the segment that said so for the client passed with the listener.
    own.flags |= flag::ACK;
    own.ack = other.seq.wrapping_add(1);
    let header = header(syn.at, cookie, RecordKind::Segment, direction, ends);
    tell(SegmentRecord {
        window: syn.window,
        scale: syn.scale,
        peer_scale: other.scale,
        ..bare_segment(header, transition::SYN, syn.seq, own.ack)
    });
}
