//! What the kernel programs keep of one socket.

use bytemuck::{Pod, Zeroable};

use crate::record::TEXT_BYTES;

/// The two addresses of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Ends {
    /// This host's address.
    pub local: [u8; 16],
    /// The peer's address.
    pub remote: [u8; 16],
    /// This host's port.
    pub local_port: u16,
    /// The peer's port.
    pub remote_port: u16,
    /// Zero.
    pub reserved: u32,
}

/// Bits of [`DirectionState::flags`].
pub mod flag {
    /// A sequence number was seen: `next_seq` holds.
    pub const SEQ: u8 = 1;
    /// An acknowledgement was seen: `ack` and `window` hold.
    pub const ACK: u8 = 1 << 1;
    /// The window is closed.
    pub const CLOSED: u8 = 1 << 2;
    /// SYN was seen and told.
    pub const SYN: u8 = 1 << 3;
    /// FIN was seen and told.
    pub const FIN: u8 = 1 << 4;
    /// RST was seen and told.
    pub const RST: u8 = 1 << 5;
    /// The client's next command is told, whatever it is: it ends a `SET STATEMENT`.
    pub const NEXT_COMMAND: u8 = 1 << 6;
    /// The [`Tail`](super::Tail) of the server's direction is that of its last payload.
    pub const TAIL: u8 = 1 << 7;
}

/// Window scales that are no shift (RFC 7323 allows shifts up to 14).
pub mod scale {
    /// The SYN was not seen.
    pub const UNKNOWN: u8 = 0xff;
    /// The SYN had no window scale option: neither end scales.
    pub const ABSENT: u8 = 0xfe;
}

/// Values of [`ConnectionState::beginning`]: what was seen of it.
pub mod beginning {
    /// Nothing: the connection is older than the observation.
    pub const UNSEEN: u8 = 0;
    /// The SYN, and no login yet.
    pub const SYN: u8 = 1;
    /// A login after which everything can be read.
    pub const PLAIN: u8 = 2;
    /// A login after which packets are compressed; short ones can be read.
    pub const COMPRESSED: u8 = 3;
    /// The announcement of TLS: nothing after it can be read.
    pub const TLS: u8 = 4;
}

/// Values of [`ConnectionState::awaits_reply`]: what is told of the server's next answer.
pub mod awaits {
    /// Nothing.
    pub const NOTHING: u8 = 0;
    /// Its beginning: it answers a command that was told.
    pub const REPLY: u8 = 1;
    /// Nothing, but the number of the statement that it prepared is kept.
    pub const STATEMENT_ID: u8 = 2;
}

/// What one end has sent, as it passed this host.
///
/// Only the program of that direction writes it (but for `peer_closed`) and no other reads it for every segment:
/// the two often run on different CPUs, and a cache line that goes to and fro costs more than all else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct DirectionState {
    /// Segments; one that the network card will split (GSO) or has joined (GRO) counts once.
    pub segments: u64,
    /// Bytes of payload, without what was sent again.
    pub sent: u64,
    /// Bytes of the other direction that this one acknowledged, its FIN included.
    pub acknowledged: u64,
    /// When `ack` advanced last; early by at most one tick of the kernel (1 to 10 ms). Zero: not yet.
    pub last_ack_advance: u64,
    /// The tick (jiffies) of `last_ack_advance`: within one tick the clock is not read again.
    pub ack_tick: u32,
    /// The acknowledgement number of the last segment with payload.
    pub payload_ack: u32,
    /// When `ack` advanced for the first time after that segment, in units of 2²⁰ ns. Zero: not yet.
    pub answered: u32,
    /// The longest time since then without an advance, in the same units.
    pub pause: u32,
    /// The next sequence number.
    pub next_seq: u32,
    /// The highest acknowledgement number.
    pub ack: u32,
    /// How often the window closed.
    pub zero_windows: u32,
    /// The window field of the last segment that was not old, not scaled.
    pub window: u16,
    /// Bits of [`flag`].
    pub flags: u8,
    /// Whether the other end's window is closed, 0 or 1; written by the other direction.
    pub peer_closed: u8,
}

/// What is rarely written of a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Rare {
    /// Probes of the other end's closed window.
    pub probes: u32,
    /// Answers with window zero while the window was closed.
    pub probe_acks: u32,
    /// Segments with payload that were sent again.
    pub retransmissions: u32,
    /// When the present span of records began, in units of 2²⁰ ns.
    pub span: u32,
    /// What was told in it, by weight.
    pub told: u8,
    /// Whether the window was told to be closed, 0 or 1.
    pub told_closed: u8,
    /// What this direction said that should have been told, and was not, as it said too much; `u16::MAX` is that many or
    /// more.
    pub untold: u16,
}

/// Bytes of a [`Tail`].
pub const TAIL_BYTES: usize = 16;

/// The end of the last payload of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Tail {
    /// The last bytes; as many as there are if the payload is shorter.
    pub bytes: [u8; TAIL_BYTES],
    /// Length of the payload; 0: not known.
    pub payload: u32,
    /// Whether it was an error that was told, and thus the end of whatever came before it: 0 or 1.
    pub is_error: u32,
}

/// How many [`ConnectionState::milestones`] are kept.
pub const MILESTONES: usize = 8;

/// So many bytes lie between two milestones: a power of two.
pub const MILESTONE_STEP: u64 = 512 * 1024;

/// After so long without an acknowledgement of something new, in ns, there was a pause: a sender that waits for room in
/// the window tries again after 200 ms at the earliest (`TCP_RTO_MIN`), and times here are early by up to a tick.
pub const PAUSE: u64 = 180_000_000;

/// What a client had acknowledged before a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BeforePause {
    /// When it came to that; early by at most one tick of the kernel (1 to 10 ms). Zero: there was no pause.
    pub at: u64,
    /// [`DirectionState::acknowledged`] then.
    pub acknowledged: u64,
}

/// The last time a process read from the socket (`tcp_rcv_space_adjust`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct LastRead {
    /// When; early by at most one tick of the kernel (1 to 10 ms). Zero: not yet.
    pub at: u64,
    /// The tick (jiffies) of `at`: what is read within the same one is not looked at.
    pub tick: u32,
    /// Zero.
    pub reserved: u32,
    /// Process id, in the host's first pid namespace.
    pub tgid: u32,
    /// Thread id.
    pub tid: u32,
    /// The thread's name, ended by a zero.
    pub comm: [u8; 16],
}

/// Value of the map `CONNECTIONS`, one for each socket.
///
/// The kernel puts 56 bytes before it (`struct htab_elem` and the key), and puts one entry behind the other. With them
/// each direction has a pair of cache lines of its own, and what the lookup reads is in none that is written for every
/// segment. Pairs, as processors fetch the other line of 128 bytes too (Intel's optimization manual: the spatial
/// prefetcher).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ConnectionState {
    /// This host's port; 0 while the entry is being made.
    pub local_port: u16,
    /// The peer's port.
    pub remote_port: u16,
    /// The window scale of this host's SYN, or one of [`scale`].
    pub egress_scale: u8,
    /// The window scale of the peer's SYN, or one of [`scale`].
    pub ingress_scale: u8,
    /// One of [`beginning`].
    pub beginning: u8,
    /// One of [`awaits`]: what is done with an answer that has not come yet.
    pub awaits_reply: u8,
    /// This host's address.
    pub local: [u8; 16],
    /// The peer's address.
    pub remote: [u8; 16],
    /// When what the client has acknowledged came to a multiple of [`MILESTONE_STEP`], in units of 2²⁰ ns; the `n`th
    /// multiple is at place `n` modulo [`MILESTONES`]. 0: not yet.
    pub milestones: [u32; MILESTONES],
    /// What this host has sent.
    pub egress: DirectionState,
    /// The last read: mostly by the process that writes, and so on the same CPU.
    pub last_read: LastRead,
    /// The end of what this host has sent, if it is the server.
    pub egress_tail: Tail,
    /// What this host has received.
    pub ingress: DirectionState,
    /// The end of what this host has received, if the peer is the server.
    pub ingress_tail: Tail,
    /// What is rarely written of `egress`.
    pub egress_rare: Rare,
    /// What is rarely written of `ingress`.
    pub ingress_rare: Rare,
    /// The beginning of the client's last command. It is here and not in a map of its own because the second look-up
    /// costs as much as keeping it.
    pub command: CommandHead,
    /// How far the client had come before the last pause of its acknowledgements.
    pub before_pause: BeforePause,
    /// What the egress segment that is looked at has changed: bits of [`transition`](crate::transition). It goes by way of the
    /// map from one function of the programs to the next: so the verifier takes it for any number, and does not follow each.
    pub egress_transitions: u32,
    /// The same of the ingress segment.
    pub ingress_transitions: u32,
    /// Zero. Fills the last pair of cache lines.
    pub reserved: [u64; 10],
}

impl ConnectionState {
    /// The addresses.
    #[inline]
    pub fn ends(&self) -> Ends {
        let Self { local, remote, local_port, remote_port, .. } = *self;
        Ends { local, remote, local_port, remote_port, reserved: 0 }
    }
}

/// The beginning of a command; also the value of the map `PREPARED`, which has each client's last `COM_STMT_PREPARE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct CommandHead {
    /// When it passed; early by at most one tick of the kernel (1 to 10 ms).
    pub at: u64,
    /// The tick (jiffies) of `at`: within one tick the clock is not read again.
    pub tick: u32,
    /// The sequence number of its segment, by which one command is told from another.
    pub seq: u32,
    /// How many of `bytes` are meant; 0: there was no command.
    pub length: u32,
    /// In `PREPARED`, by which number the server calls the statement; 0: it has not answered.
    pub statement_id: u32,
    /// From the MySQL packet header on.
    pub bytes: [u8; TEXT_BYTES],
}

const _: () = {
    assert!(size_of::<Ends>() == 40);
    assert!(size_of::<DirectionState>() == 64);
    assert!(size_of::<LastRead>() == 40);
    assert!(size_of::<Tail>() == 24);
    assert!(size_of::<Rare>() == 20);
    assert!(core::mem::offset_of!(ConnectionState, egress) + 56 == 128);
    assert!(core::mem::offset_of!(ConnectionState, ingress) + 56 == 2 * 128);
    assert!(core::mem::offset_of!(ConnectionState, command) + 56 == 3 * 128);
    assert!(size_of::<ConnectionState>() + 56 == 6 * 128);
    assert!(size_of::<CommandHead>() == 280);
};
