//! What the observer tells the kernel programs when it loads them.

use bytemuck::{Pod, Zeroable};

/// How many MySQL ports can be watched.
pub const MAX_PORTS: usize = 16;

/// Constants of one load. They are in read-only memory when the programs are verified, so the verifier removes
/// what they rule out: a port that is not set costs nothing.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Config {
    /// The MySQL ports, ended by a zero.
    pub ports: [u16; MAX_PORTS],
    /// Whether the first bytes of every command are kept: 0 or 1.
    pub keep_commands: u16,
    /// Whether `tcp_receive_reset` is attached: 0 or 1. If so, a reset counts when the kernel has accepted it
    /// and not when it comes in, as anybody can forge one.
    pub received_resets_traced: u16,
    /// Whether `tcp_send_reset` is attached: 0 or 1. If so, it alone tells of resets: some pass without the
    /// connection's socket, or when that has given back its port already.
    pub sent_resets_traced: u16,
    /// Where `sock:inet_sock_set_state` keeps its fields.
    pub state: StateFields,
    /// Where `tcp:tcp_send_reset` keeps its fields.
    pub send_reset: ResetFields,
    /// Where `tcp:tcp_receive_reset` keeps the cookie.
    pub receive_reset: CookieField,
    /// Where `tcp:tcp_rcv_space_adjust` keeps the cookie.
    pub rcv_space_adjust: CookieField,
    /// Where `tcp:tcp_destroy_sock` keeps the cookie.
    pub destroy_sock: CookieField,
    /// Where `syscalls:sys_enter_ppoll` keeps its arguments.
    pub ppoll: PollFields,
    /// Where `syscalls:sys_enter_poll` keeps its arguments.
    pub poll: PollFields,
    /// Where `syscalls:sys_exit_ppoll` keeps its result.
    pub ppoll_result: ResultField,
    /// Where `syscalls:sys_exit_poll` keeps its result.
    pub poll_result: ResultField,
}

/// Offsets in the record of `sock:inet_sock_set_state`, as its `format` file gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
#[expect(missing_docs, reason = "the names are those of the format file")]
pub struct StateFields {
    pub skaddr: u16,
    pub oldstate: u16,
    pub newstate: u16,
    pub sport: u16,
    pub dport: u16,
    pub protocol: u16,
    pub saddr_v6: u16,
    pub daddr_v6: u16,
}

/// Offsets in the record of `tcp:tcp_send_reset`. Kernels before 6.10 store ports and addresses each by itself,
/// later ones two `sockaddr`s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
#[expect(missing_docs, reason = "the names are those of the format file")]
pub struct ResetFields {
    pub skaddr: u16,
    pub state: u16,
    /// Whether `saddr` and `daddr` are `sockaddr`s, and the four fields below do not exist: 0 or 1.
    pub sockaddrs: u16,
    pub saddr: u16,
    pub daddr: u16,
    pub sport: u16,
    pub dport: u16,
    pub saddr_v6: u16,
    pub daddr_v6: u16,
}

/// Offset of `sock_cookie` in the record of a tracepoint of the class `tcp_event_sk`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
#[expect(missing_docs, reason = "the name is that of the format file")]
pub struct CookieField {
    pub sock_cookie: u16,
}

/// Offsets in the record of `syscalls:sys_enter_ppoll` and of `_poll`, each of 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct PollFields {
    /// `ufds`.
    pub ufds: u16,
    /// `nfds`.
    pub nfds: u16,
    /// `tsp` of `ppoll`, `timeout_msecs` of `poll`.
    pub timeout: u16,
}

/// Offset of `ret` in the record of `syscalls:sys_exit_…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
#[expect(missing_docs, reason = "the name is that of the format file")]
pub struct ResultField {
    pub ret: u16,
}

const _: () = assert!(size_of::<Config>() == 94);
