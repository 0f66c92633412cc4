//! What the kernel tells of its sockets by tracepoints.
//!
//! Their fields stand at offsets that differ between kernels; the observer reads them from the `format` files of
//! the running one. A tracepoint that lacks a field is not attached.

use aya_ebpf::bindings::BPF_ANY;
use aya_ebpf::helpers::bpf_get_current_comm;
use aya_ebpf::helpers::generated::{bpf_get_current_pid_tgid, bpf_jiffies64};
use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use observer_common::{
    ConnectionState, DestroyedRecord, Direction, Ends, MAX_PORTS, RecordKind, StateRecord, flag, transition,
};

use crate::config::field;
use crate::maps::{CONNECTING, CONNECTIONS};
use crate::report::{bare_segment, header, now, tell};

/// States of `include/net/tcp_states.h`.
mod state {
    pub const ESTABLISHED: u32 = 1;
    pub const SYN_SENT: u32 = 2;
    pub const FIN_WAIT1: u32 = 4;
    pub const CLOSE: u32 = 7;
    pub const CLOSE_WAIT: u32 = 8;
    pub const LAST_ACK: u32 = 9;
    pub const LISTEN: u32 = 10;
}

const IPPROTO_TCP: u16 = 6;

/// The process that called `connect`, kept until the kernel has chosen a port.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Connecting {
    tgid: u32,
    tid: u32,
    comm: [u8; 16],
}

impl Connecting {
    const NOBODY: Self = Self { tgid: 0, tid: 0, comm: [0; 16] };

    #[inline(always)]
    fn current() -> Self {
        // SAFETY: a helper without arguments.
        let ids = unsafe { bpf_get_current_pid_tgid() };
        Self { tgid: (ids >> 32) as u32, tid: ids as u32, comm: bpf_get_current_comm().unwrap_or_default() }
    }
}

/// Reads a field of the tracepoint's record; `None` if the kernel refuses.
#[inline(always)]
pub fn read<T>(context: &TracePointContext, offset: u16) -> Option<T> {
    // SAFETY: reads by `bpf_probe_read_kernel`, which fails rather than faults.
    unsafe { context.read_at(usize::from(offset)) }.ok()
}

#[inline(always)]
fn is_listed(port: u16) -> bool {
    let mut index = 0;
    while index < MAX_PORTS {
        let listed = field!(ports[index]);
        if listed == 0 {
            return false;
        }
        if listed == port {
            return true;
        }
        index += 1;
    }
    false
}

/// `sock:inet_sock_set_state`: a socket changes its state.
#[tracepoint]
pub fn observer_state(context: TracePointContext) -> u32 {
    let _ = changed_state(&context);
    0
}

#[inline(always)]
fn changed_state(context: &TracePointContext) -> Option<()> {
    let local_port: u16 = read(context, field!(state.sport))?;
    let remote_port: u16 = read(context, field!(state.dport))?;
    if !is_listed(local_port) && !is_listed(remote_port) {
        return None;
    }
    if read::<u16>(context, field!(state.protocol))? != IPPROTO_TCP {
        return None;
    }
    let from: u32 = read(context, field!(state.oldstate))?;
    let to: u32 = read(context, field!(state.newstate))?;
    if from == state::LISTEN || to == state::LISTEN {
        return None;
    }
    let socket: u64 = read(context, field!(state.skaddr))?;
    let process = match (from, to) {
        // `connect` comes here before it has chosen a port (`tcp_v4_connect`), so nobody could tell the
        // connection yet: the process is told with the next change.
        (state::CLOSE, state::SYN_SENT) if local_port == 0 => {
            let _ = CONNECTING.insert(&socket, &Connecting::current(), u64::from(BPF_ANY));
            return None;
        }
        // These only happen in the context of the process that connects, shuts down or closes.
        (state::CLOSE, state::SYN_SENT)
        | (state::ESTABLISHED, state::FIN_WAIT1)
        | (state::CLOSE_WAIT, state::LAST_ACK) => Connecting::current(),
        (state::SYN_SENT, _) => match CONNECTING.get_ptr(&socket) {
            Some(known) => {
                // SAFETY: the entry was found just now.
                let process = unsafe { *known };
                let _ = CONNECTING.remove(&socket);
                process
            }
            None => Connecting::NOBODY,
        },
        // Others happen when a packet or a timer does it; whoever runs then has nothing to do with it.
        _ => Connecting::NOBODY,
    };
    let ends = Ends {
        local: read(context, field!(state.saddr_v6))?,
        remote: read(context, field!(state.daddr_v6))?,
        local_port,
        remote_port,
        reserved: 0,
    };
    tell(StateRecord {
        header: header(now(), 0, RecordKind::State, Direction::Egress, &ends),
        from,
        to,
        tgid: process.tgid,
        tid: process.tid,
        comm: process.comm,
    });
    Some(())
}

/// The state of the connection with this cookie, if it is one of ours.
#[inline(always)]
fn connection<'a>(cookie: u64) -> Option<&'a mut ConnectionState> {
    // SAFETY: the entry is found just now; the LRU may give its memory to another connection meanwhile, but it
    // stays memory of the map.
    CONNECTIONS.get_ptr_mut(&cookie).map(|state| unsafe { &mut *state })
}

/// `tcp:tcp_rcv_space_adjust`: a process reads.
#[tracepoint]
pub fn observer_read(context: TracePointContext) -> u32 {
    let _ = has_read(&context);
    0
}

#[inline(always)]
fn has_read(context: &TracePointContext) -> Option<()> {
    let cookie = read(context, field!(rcv_space_adjust.sock_cookie))?;
    let last = &mut connection(cookie)?.last_read;
    // SAFETY: a helper without arguments, which the verifier turns into one load.
    let tick = unsafe { bpf_jiffies64() } as u32;
    if tick == last.tick {
        return None;
    }
    // SAFETY: a helper without arguments.
    let ids = unsafe { bpf_get_current_pid_tgid() };
    last.tick = tick;
    last.at = now();
    if last.tid != ids as u32 {
        last.tid = ids as u32;
        last.tgid = (ids >> 32) as u32;
        last.comm = bpf_get_current_comm().unwrap_or_default();
    }
    Some(())
}

/// `tcp:tcp_destroy_sock`: a socket is gone.
#[tracepoint]
pub fn observer_destroy(context: TracePointContext) -> u32 {
    let _ = destroyed(&context);
    0
}

#[inline(always)]
fn destroyed(context: &TracePointContext) -> Option<()> {
    let cookie = read(context, field!(destroy_sock.sock_cookie))?;
    let ends = &connection(cookie)?.ends();
    tell(DestroyedRecord { header: header(now(), cookie, RecordKind::Destroyed, Direction::Egress, ends) });
    Some(())
}

/// `tcp:tcp_receive_reset`: the kernel has accepted a reset.
#[tracepoint]
pub fn observer_receive_reset(context: TracePointContext) -> u32 {
    let _ = received_reset(&context);
    0
}

#[inline(always)]
fn received_reset(context: &TracePointContext) -> Option<()> {
    let cookie = read(context, field!(receive_reset.sock_cookie))?;
    let connection = connection(cookie)?;
    if connection.ingress.flags & flag::RST != 0 {
        return None;
    }
    connection.ingress.flags |= flag::RST;
    tell_reset(cookie, &connection.ends(), Direction::Ingress);
    Some(())
}

/// `tcp:tcp_send_reset`: this host sends a reset.
#[tracepoint]
pub fn observer_send_reset(context: TracePointContext) -> u32 {
    let _ = sent_reset(&context);
    0
}

/// The egress program would miss some: the answer to a segment passes without the connection's socket on most
/// kernels (`tcp_v4_send_reset`), and a server's socket that is closed with a reset has given back its port
/// (`tcp_disconnect`).
#[inline(always)]
fn sent_reset(context: &TracePointContext) -> Option<()> {
    let socket: u64 = read(context, field!(send_reset.skaddr))?;
    // Without a socket it answers a stranger, who could ask for many.
    if socket == 0 || read::<u32>(context, field!(send_reset.state))? == state::LISTEN {
        return None;
    }
    let ends = if field!(send_reset.sockaddrs) == 0 {
        Ends {
            local: read(context, field!(send_reset.saddr_v6))?,
            remote: read(context, field!(send_reset.daddr_v6))?,
            local_port: read(context, field!(send_reset.sport))?,
            remote_port: read(context, field!(send_reset.dport))?,
            reserved: 0,
        }
    } else {
        let (local, local_port) = sockaddr(read(context, field!(send_reset.saddr))?);
        let (remote, remote_port) = sockaddr(read(context, field!(send_reset.daddr))?);
        Ends { local, remote, local_port, remote_port, reserved: 0 }
    };
    if !is_listed(ends.local_port) && !is_listed(ends.remote_port) {
        return None;
    }
    tell_reset(0, &ends, Direction::Egress);
    Some(())
}

/// Address and port of a `sockaddr_in` or `sockaddr_in6`.
#[inline(always)]
fn sockaddr(words: [u32; 7]) -> ([u8; 16], u16) {
    const AF_INET: u32 = 2;
    let port = u16::from_be((words[0] >> 16) as u16);
    let address = if words[0] & 0xffff == AF_INET {
        [0, 0, 0xffff_0000, words[1]]
    } else {
        [words[2], words[3], words[4], words[5]]
    };
    // SAFETY: both are 16 bytes of plain data.
    (unsafe { core::mem::transmute::<[u32; 4], [u8; 16]>(address) }, port)
}

#[inline(always)]
fn tell_reset(cookie: u64, ends: &Ends, direction: Direction) {
    let header = header(now(), cookie, RecordKind::Segment, direction, ends);
    tell(bare_segment(header, transition::RST, 0, 0));
}
