//! The SYNs of connections this host accepts.
//!
//! SYN and SYN-ACK pass with the listener's socket; the connection's own socket comes later. What they say is
//! kept by address until its first segment, the server's greeting, passes. So a flood of SYNs costs a slot of a
//! small LRU map, and no record.

use aya_ebpf::bindings::BPF_ANY;
use observer_common::{Direction, Ends, scale};

use crate::maps::HANDSHAKES;
use crate::packet::Packet;
use crate::report::now;
use crate::segment::{Segment, ends, tcp};

/// What the two SYNs of a connection said.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Handshake {
    /// Received from the client.
    pub syn: Syn,
    /// Sent by this host.
    pub syn_ack: Syn,
}

/// What one SYN said.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Syn {
    /// When it passed; 0 if it did not.
    pub at: u64,
    /// Its sequence number.
    pub seq: u32,
    /// Its window, in units of its scale.
    pub window: u16,
    /// Its window scale, or one of [`scale`].
    pub scale: u8,
    /// Zero.
    pub reserved: u8,
}

impl Syn {
    const UNSEEN: Self = Self { at: 0, seq: 0, window: 0, scale: scale::UNKNOWN, reserved: 0 };

    /// What a SYN says. Its own window is never scaled (RFC 7323, 2.2), those of all later segments are.
    #[inline(always)]
    pub fn read(packet: Packet, segment: &Segment) -> Self {
        let scale = segment.window_scale(packet);
        let window = if scale == scale::ABSENT { segment.window } else { segment.window >> (scale & 15) };
        Self { at: now(), seq: segment.seq, window, scale, reserved: 0 }
    }
}

/// Looks at a segment that passes with a listener's socket.
#[inline(never)]
#[unsafe(no_mangle)]
pub fn observe(packet: Packet, direction: Direction) -> Option<()> {
    let segment = Segment::parse(packet)?;
    if !segment.has(tcp::SYN) {
        return None;
    }
    let ends = ends(packet, &segment, direction)?;
    let syn = Syn::read(packet, &segment);
    let known = HANDSHAKES.get_ptr_mut(&ends);
    match (direction, known) {
        (Direction::Ingress, known) => {
            if let Some(known) = known {
                // SAFETY: the entry was found just now.
                if unsafe { (*known).syn.seq } == segment.seq {
                    return None; // sent again: the first one counts
                }
            }
            let _ = HANDSHAKES.insert(&ends, &Handshake { syn, syn_ack: Syn::UNSEEN }, u64::from(BPF_ANY));
        }
        (Direction::Egress, Some(known)) => {
            // SAFETY: the entry was found just now.
            unsafe {
                if (*known).syn_ack.at == 0 {
                    (*known).syn_ack = syn;
                }
            }
        }
        (Direction::Egress, None) => {}
    }
    None
}

/// Takes what the SYNs of this connection said, if they passed.
#[inline(always)]
pub fn take(ends: &Ends) -> Option<Handshake> {
    let known = HANDSHAKES.get_ptr(ends)?;
    // SAFETY: the entry was found just now.
    let handshake = unsafe { *known };
    let _ = HANDSHAKES.remove(ends);
    Some(handshake)
}
