//! What is asked of the kernel: requests of `SOCK_DIAG_BY_FAMILY` (`include/uapi/linux/inet_diag.h`).

use netlink_packet_core::{
    DefaultNla, Emitable, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
    NetlinkSerializable,
};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use netlink_packet_sock_diag::{AF_INET, AF_INET6, IPPROTO_TCP, SOCK_DIAG_BY_FAMILY};

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

/// Asks for every socket of one family (`AF_INET` or `AF_INET6`) with one of `ports` at either end.
///
/// The header of a request can hold one local and one remote port, so that without a filter program each port
/// would take two walks through the kernel's hash table, and a socket between two of the ports would come twice.
/// With the program one walk does for all ports and both ends.
pub(super) fn dump(family: u8, ports: &[u16]) -> Vec<u8> {
    let id = if family == AF_INET6 { SocketId::new_v6() } else { SocketId::new_v4() };
    serialize(NLM_F_REQUEST | NLM_F_DUMP, family, id, Some(port_filter(ports)))
}

/// Asks for one socket, by its addresses and its cookie.
pub(super) fn lookup(id: SocketId) -> Vec<u8> {
    let family = if id.source_address.is_ipv6() { AF_INET6 } else { AF_INET };
    serialize(NLM_F_REQUEST, family, id, None)
}

fn serialize(flags: u16, family: u8, socket_id: SocketId, filter: Option<Vec<u8>>) -> Vec<u8> {
    let inet = InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::INFO | ExtensionFlags::SKMEMINFO,
        // Request and TIME-WAIT sockets have no queues and no application yet or any more.
        states: StateFlags::all() - StateFlags::LISTEN - StateFlags::SYN_RECV - StateFlags::TIME_WAIT,
        socket_id,
    };
    let filter = filter.map(|bytecode| DefaultNla::new(BYTECODE, bytecode));
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(Request { inet, filter }));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// The crate's request, with the attribute it has no word for.
struct Request {
    inet: InetRequest,
    filter: Option<DefaultNla>,
}

impl NetlinkSerializable for Request {
    fn message_type(&self) -> u16 {
        SOCK_DIAG_BY_FAMILY
    }

    fn buffer_len(&self) -> usize {
        self.inet.buffer_len() + self.filter.as_ref().map_or(0, Emitable::buffer_len)
    }

    fn serialize(&self, buffer: &mut [u8]) {
        let (inet, attribute) = buffer.split_at_mut(self.inet.buffer_len());
        self.inet.emit(inet);
        if let Some(filter) = &self.filter {
            filter.emit(attribute);
        }
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
