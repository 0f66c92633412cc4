//! Plain old data that crosses the boundary between the kernel programs and the observer.
//!
//! Everything here has a fixed layout without implicit padding ([`bytemuck::Pod`]), its size asserted. Enums
//! cross as integers and come back through `TryFrom`; a number nobody knows is an error to be counted.
//!
//! Times are nanoseconds of `CLOCK_MONOTONIC` (`bpf_ktime_get_ns`). Addresses are 16 bytes in network order,
//! IPv4 in its mapped form (`::ffff:a.b.c.d`); ports and sequence numbers are in host order.
#![no_std]

mod config;
mod connection;
mod record;

pub use config::{Config, CookieField, MAX_PORTS, PollFields, ResetFields, ResultField, StateFields};
pub use connection::{
    BeforePause, CommandHead, ConnectionState, DirectionState, Ends, LastRead, MILESTONE_STEP, MILESTONES,
    PAUSE, Rare, TAIL_BYTES, Tail, awaits, beginning, flag, scale,
};
pub use record::{
    Counter, DestroyedRecord, Direction, Header, LOGIN_FIXED, LOGIN_HEAD, LOGIN_REST, LoginRecord,
    RecordKind, SHORT_WAIT, SegmentRecord, StateRecord, TEXT_BYTES, TextRecord, UnknownNumber, Wait,
    WaitRecord, transition,
};

/// Names of the object's maps and globals, by which the observer finds them.
pub mod name {
    /// Ring buffer of records.
    pub const RECORDS: &str = "RECORDS";
    /// LRU hash: socket cookie to [`ConnectionState`](crate::ConnectionState).
    pub const CONNECTIONS: &str = "CONNECTIONS";
    /// LRU hash: [`Ends`](crate::Ends) of a connection that is being accepted to what its SYNs said.
    pub const HANDSHAKES: &str = "HANDSHAKES";
    /// LRU hash: socket cookie to the [`CommandHead`](crate::CommandHead) of its last `COM_STMT_PREPARE`.
    pub const PREPARED: &str = "PREPARED";
    /// Per-CPU array of [`Counter`](crate::Counter)s.
    pub const COUNTERS: &str = "COUNTERS";
    /// Hash: process ids of the servers whose waits are followed, in the first pid namespace.
    pub const SERVERS: &str = "SERVERS";
    /// LRU hash: `pid_tgid` of a server's thread to its [`Wait`](crate::Wait).
    pub const WAITS: &str = "WAITS";
    /// The [`Config`](crate::Config), frozen before the programs are verified.
    pub const CONFIG: &str = "CONFIG";
}
