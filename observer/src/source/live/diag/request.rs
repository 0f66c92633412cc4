//! What is asked of the kernel (`include/uapi/linux/inet_diag.h`).

use netlink_packet_core::{
    DefaultNla, Emitable, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
    NetlinkSerializable,
};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use netlink_packet_sock_diag::{AF_INET, AF_INET6, IPPROTO_TCP, SockDiagMessage};

/// The older kind of request, and of the answers to it.
pub(super) const TCPDIAG_GETSOCK: u16 = 18;

/// Ports one dump can be filtered by: jumps in the filter are 16 bits wide, a port takes 24 bytes of it.
pub(super) const MAX_PORTS: usize = 1024;

/// `INET_DIAG_REQ_BYTECODE`: the attribute of a request that holds a filter.
const BYTECODE: u16 = 1;
/// `INET_DIAG_BC_JMP`.
const JUMP: u8 = 1;
/// `INET_DIAG_BC_S_EQ`: the local port is this one.
const LOCAL_PORT_IS: u8 = 11;
/// `INET_DIAG_BC_D_EQ`: the remote port is this one.
const REMOTE_PORT_IS: u8 = 12;

/// The length of a jump in the filter, and of a comparison with its argument.
const JUMP_LENGTH: u8 = 4;
const COMPARISON_LENGTH: u8 = 8;

/// Asks for every socket with one of `ports` at either end.
///
/// The kernel walks through the hash table of the whole host, which takes a millisecond on one with much memory and is
/// nearly all that a quiet host costs. Hence one walk for everything:
///
/// - `SOCK_DIAG_BY_FAMILY` asks for IPv4 or for IPv6, each a walk of its own. The older `TCPDIAG_GETSOCK` knows no
///   families and gets both (`inet_diag_dump_compat` in net/ipv4/inet_diag.c); `ss` relies on it as well.
/// - The header of a request can hold one local and one remote port, so that without a filter program each port
///   would take two walks, and a socket between two of the ports would come twice.
pub(super) fn dump(ports: &[u16]) -> Vec<u8> {
    serialize(NLM_F_REQUEST | NLM_F_DUMP, Dump { filter: DefaultNla::new(BYTECODE, port_filter(ports)) })
}

/// Asks for one socket, by its addresses and its cookie.
pub(super) fn lookup(socket_id: SocketId) -> Vec<u8> {
    let request = InetRequest {
        family: if socket_id.source_address.is_ipv6() { AF_INET6 } else { AF_INET },
        protocol: IPPROTO_TCP,
        extensions: extensions(),
        states: states(),
        socket_id,
    };
    serialize(NLM_F_REQUEST, SockDiagMessage::InetRequest(request))
}

fn extensions() -> ExtensionFlags {
    ExtensionFlags::INFO | ExtensionFlags::SKMEMINFO
}

/// Request and TIME-WAIT sockets have no queues and no application yet or any more.
fn states() -> StateFlags {
    StateFlags::all() - StateFlags::LISTEN - StateFlags::SYN_RECV - StateFlags::TIME_WAIT
}

fn serialize(flags: u16, request: impl NetlinkSerializable) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(request));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// `struct inet_diag_req` with a filter, which the crate has no word for.
struct Dump {
    filter: DefaultNla,
}

impl Dump {
    /// The length of the structure, and what of it says something: a dump is of no socket by its name.
    const LENGTH: usize = 60;
    const EXTENSIONS_AT: usize = 3;
    const STATES_AT: usize = 52;
}

impl NetlinkSerializable for Dump {
    fn message_type(&self) -> u16 {
        TCPDIAG_GETSOCK
    }

    fn buffer_len(&self) -> usize {
        Self::LENGTH + self.filter.buffer_len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        let (request, attribute) = buffer.split_at_mut(Self::LENGTH);
        request.fill(0);
        request[Self::EXTENSIONS_AT] = extensions().bits();
        request[Self::STATES_AT..][..4].copy_from_slice(&states().bits().to_ne_bytes());
        self.filter.emit(attribute);
    }
}

/// The program that lets a socket pass when one of `ports` is at either end.
///
/// It is a row of comparisons with a jump to the end behind each but the last. A comparison that holds goes on
/// to its jump, one that does not goes past it to the next comparison. The kernel (`inet_diag_bc_run`) takes the
/// socket when the program ends exactly at its end; the last comparison, which has no jump, leads beyond it.
fn port_filter(ports: &[u16]) -> Vec<u8> {
    let step = COMPARISON_LENGTH + JUMP_LENGTH;
    let length = (2 * ports.len() * usize::from(step)).saturating_sub(usize::from(JUMP_LENGTH));
    let mut program = Vec::with_capacity(length + usize::from(JUMP_LENGTH));
    let mut op = |code: u8, yes: u8, no: u16| {
        program.extend_from_slice(&[code, yes]);
        program.extend_from_slice(&no.to_ne_bytes());
        program.len()
    };
    for &port in ports {
        for comparison in [LOCAL_PORT_IS, REMOTE_PORT_IS] {
            op(comparison, COMPARISON_LENGTH, u16::from(step));
            let end = op(0, 0, port);
            // `MAX_PORTS` keeps the distance within 16 bits.
            op(JUMP, JUMP_LENGTH, u16::try_from(length.saturating_sub(end)).unwrap_or(u16::MAX));
        }
    }
    program.truncate(length);
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `inet_diag_bc_run` does with the comparisons used here.
    fn passes(program: &[u8], local: u16, remote: u16) -> bool {
        let mut left = i64::try_from(program.len()).unwrap();
        while left > 0 {
            let op = &program[program.len() - usize::try_from(left).unwrap()..];
            let number = |at: usize| u16::from_ne_bytes([op[at], op[at + 1]]);
            let yes = match op[0] {
                JUMP => false,
                LOCAL_PORT_IS => number(6) == local,
                REMOTE_PORT_IS => number(6) == remote,
                other => panic!("no such operation: {other}"),
            };
            left -= if yes { i64::from(op[1]) } else { i64::from(number(2)) };
        }
        left == 0
    }

    #[test]
    fn the_filter_takes_either_end_of_every_port_and_nothing_else() {
        for ports in [&[3306][..], &[3306, 3307, 33060]] {
            let program = port_filter(ports);
            for &port in ports {
                assert!(passes(&program, port, 40000), "{port} as local port");
                assert!(passes(&program, 40000, port), "{port} as remote port");
                assert!(passes(&program, port, port), "{port} at both ends");
            }
            assert!(!passes(&program, 40000, 3305));
            assert!(!passes(&program, 3305, 40000));
        }
    }

    #[test]
    fn the_longest_filter_fits_its_jumps_and_its_attribute() {
        let ports: Vec<u16> = (1..).take(MAX_PORTS).collect();
        let program = port_filter(&ports);
        assert!(u16::try_from(program.len() + 4).is_ok());
        assert!(passes(&program, 1, 40000) && passes(&program, 40000, 1024));
        assert!(!passes(&program, 1025, 40000));
    }
}
