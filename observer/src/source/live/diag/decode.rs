//! What the kernel answers: `struct inet_diag_msg` and its attributes (`include/uapi/linux/inet_diag.h`).

use std::time::Duration;

use netlink_packet_core::{
    DecodeError, NetlinkDeserializable, NetlinkHeader, NlasIterator, Parseable as _, parse_u64,
};
use netlink_packet_sock_diag::inet::nlas::MemInfo;
use netlink_packet_sock_diag::inet::{InetResponseHeader, SocketId, Timer};
use netlink_packet_sock_diag::{INET_DIAG_INFO, INET_DIAG_SKMEMINFO, SOCK_DIAG_BY_FAMILY};
use observer_core::{SocketSample, TcpState, TimerKind};

use super::request::TCPDIAG_GETSOCK;
use super::tcp_info::TcpInfo;

/// Where the attributes begin.
const MESSAGE_LENGTH: usize = 72;

/// `INET_DIAG_CGROUP_ID`, which the crate has no word for. The kernel sends it unasked, from 5.9 on if it was built
/// with `CONFIG_SOCK_CGROUP_DATA` (`inet_diag_msg_attrs_fill` in net/ipv4/inet_diag.c).
const CGROUP_ID: u16 = 21;

/// One socket.
#[derive(Debug)]
pub(super) struct Record {
    /// Its addresses and ports as the kernel gives them, and its cookie.
    pub(super) id: SocketId,
    /// The cookie as a number, the one `bpf_get_socket_cookie` gives.
    pub(super) cookie: u64,
    /// The id of the cgroup it belongs to, where the kernel tells it.
    pub(super) cgroup: Option<u64>,
    /// What it is doing.
    pub(super) sample: SocketSample,
}

/// One answer of a dump: a socket, or nothing where the kernel keeps only the memory of one (a FIN-WAIT-2 socket
/// nobody owns any more has become a timewait socket, which has neither queues nor `tcp_info`).
#[derive(Debug)]
pub(super) struct Reply(pub(super) Result<Option<Box<Record>>, DecodeError>);

impl NetlinkDeserializable for Reply {
    type Error = DecodeError;

    /// Never fails: one answer that is not understood must not hide those behind it.
    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self(match header.message_type {
            SOCK_DIAG_BY_FAMILY | TCPDIAG_GETSOCK => decode(payload),
            other => Err(format!("a message of type {other} in the answer").into()),
        }))
    }
}

/// The attributes are taken one by one, because the crate's own form of the whole message does without
/// `idiag_retrans` for a persist timer and copies `tcp_info`.
fn decode(payload: &[u8]) -> Result<Option<Box<Record>>, DecodeError> {
    let header = InetResponseHeader::parse(payload)?;
    let (mut tcp, mut memory, mut cgroup) = (None, None, None);
    for attribute in NlasIterator::new(payload.get(MESSAGE_LENGTH..).unwrap_or_default()) {
        let attribute = attribute?;
        match attribute.kind() {
            INET_DIAG_INFO => tcp = Some(parse_tcp_info(attribute.value())?),
            INET_DIAG_SKMEMINFO => memory = Some(MemInfo::parse(attribute.value())?),
            CGROUP_ID => cgroup = Some(parse_u64(attribute.value())?),
            _ => {}
        }
    }
    let (Some(tcp), Some(memory)) = (tcp, memory) else { return Ok(None) };
    let state = TcpState::try_from(header.state).map_err(|state| format!("unknown TCP state {state}"))?;
    let (timer, timer_expires) = match header.timer {
        None => (TimerKind::None, Duration::ZERO),
        Some(Timer::Retransmit(expires, _)) => (TimerKind::Retransmit, expires),
        Some(Timer::KeepAlive(expires)) => (TimerKind::KeepAlive, expires),
        Some(Timer::TimeWait) => (TimerKind::TimeWait, Duration::ZERO),
        Some(Timer::Probe(expires)) => (TimerKind::Persist, expires),
    };
    let sample = SocketSample {
        state,
        recv_queue: header.recv_queue,
        send_queue: header.send_queue,
        timer,
        timer_expires,
        timer_retries: payload[3], // idiag_retrans; the header was long enough to be parsed
        send_buffer: memory.send_queue_max,
        send_buffer_used: memory.send_queue,
        recv_buffer: memory.receive_queue_max,
        recv_buffer_used: memory.receive_queue,
        uid: header.uid,
        inode: header.inode,
        rto: tcp.rto,
        rtt: tcp.rtt,
        backoff: tcp.backoff,
        last_data_received: tcp.last_data_received,
        last_data_sent: tcp.last_data_sent,
        bytes_acked: tcp.bytes_acked,
        bytes_received: tcp.bytes_received,
        not_sent: tcp.not_sent,
        notsent_lowat: None, // the kernel does not say it of a socket
        send_window: tcp.send_window,
        recv_window: tcp.recv_window,
        send_window_scale: tcp.send_window_scale,
        recv_window_scale: tcp.recv_window_scale,
    };
    let cookie = cookie(header.socket_id.cookie);
    Ok(Some(Box::new(Record { cookie, id: header.socket_id, cgroup, sample })))
}

fn parse_tcp_info(bytes: &[u8]) -> Result<TcpInfo, DecodeError> {
    TcpInfo::parse(bytes).ok_or_else(|| format!("a tcp_info of only {} bytes", bytes.len()).into())
}

/// `idiag_cookie` is two words, the lower one first on every machine (`sock_diag_save_cookie`).
fn cookie(bytes: [u8; 8]) -> u64 {
    let number = u64::from_ne_bytes(bytes);
    if cfg!(target_endian = "big") { number.rotate_left(32) } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server's socket at 10.0.0.9:3306 in persist, with the attributes given.
    fn message(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![2, 1, 4, 5]; // AF_INET, ESTABLISHED, persist timer, 5 probes
        bytes.extend_from_slice(&3306_u16.to_be_bytes());
        bytes.extend_from_slice(&41234_u16.to_be_bytes());
        for address in [[10, 0, 0, 9], [10, 0, 0, 5]] {
            bytes.extend_from_slice(&address);
            bytes.extend_from_slice(&[0; 12]);
        }
        // Interface, cookie, expires (ms), rqueue, wqueue, uid, inode.
        for word in [0_u32, 0x4242, 7, 1_600, 0, 1_195_208, 101, 777] {
            bytes.extend_from_slice(&word.to_ne_bytes());
        }
        assert_eq!(bytes.len(), MESSAGE_LENGTH);
        for (kind, value) in attributes {
            bytes.extend_from_slice(&u16::try_from(value.len() + 4).unwrap().to_ne_bytes());
            bytes.extend_from_slice(&kind.to_ne_bytes());
            bytes.extend_from_slice(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    /// rmem_alloc, rcvbuf, wmem_alloc, sndbuf, fwd_alloc, wmem_queued, optmem, backlog, drops.
    fn memory() -> Vec<u8> {
        [11_u32, 131_072, 0, 2_626_560, 0, 1_300_000, 0, 0, 0].iter().flat_map(|w| w.to_ne_bytes()).collect()
    }

    fn reply(message_type: u16, payload: &[u8]) -> Result<Option<Box<Record>>, DecodeError> {
        let mut header = NetlinkHeader::default();
        header.message_type = message_type;
        Reply::deserialize(&header, payload).unwrap().0
    }

    #[test]
    fn reads_a_socket_in_persist() {
        let bytes = message(&[
            (8, &[0]), // INET_DIAG_SHUTDOWN, with padding behind it
            (INET_DIAG_SKMEMINFO, &memory()),
            (CGROUP_ID, &0x2_0000_0815_u64.to_ne_bytes()),
            (INET_DIAG_INFO, &[0; 280]),
        ]);
        let record = reply(SOCK_DIAG_BY_FAMILY, &bytes).unwrap().unwrap();
        assert_eq!(record.cookie, 0x7_0000_4242);
        assert_eq!(record.cgroup, Some(0x2_0000_0815));
        assert_eq!((record.id.source_port, record.id.destination_port), (3306, 41234));
        assert_eq!(record.id.destination_address.to_string(), "10.0.0.5");
        let sample = record.sample;
        assert_eq!(sample.state, TcpState::Established);
        assert_eq!((sample.timer, sample.timer_retries), (TimerKind::Persist, 5));
        assert_eq!(sample.timer_expires, Duration::from_millis(1_600));
        assert_eq!((sample.recv_queue, sample.send_queue), (0, 1_195_208));
        assert_eq!((sample.send_buffer, sample.send_buffer_used), (2_626_560, 1_300_000));
        assert_eq!((sample.recv_buffer, sample.recv_buffer_used), (131_072, 11));
        assert_eq!((sample.uid, sample.inode), (101, 777));
        assert_eq!((sample.send_window, sample.recv_window), (Some(0), Some(0)));
    }

    #[test]
    fn a_kernel_may_not_know_the_cgroup_but_does_not_tell_half_of_it() {
        let whole = [(INET_DIAG_SKMEMINFO, memory()), (INET_DIAG_INFO, vec![0; 280])];
        let mut attributes: Vec<_> = whole.iter().map(|(kind, value)| (*kind, &value[..])).collect();
        let record = reply(SOCK_DIAG_BY_FAMILY, &message(&attributes)).unwrap().unwrap();
        assert_eq!(record.cgroup, None);
        attributes.push((CGROUP_ID, &[0; 4]));
        assert!(reply(SOCK_DIAG_BY_FAMILY, &message(&attributes)).is_err());
    }

    #[test]
    fn passes_over_a_timewait_socket() {
        assert!(reply(SOCK_DIAG_BY_FAMILY, &message(&[])).unwrap().is_none());
    }

    #[test]
    fn refuses_nonsense_without_panic() {
        let whole = message(&[(INET_DIAG_SKMEMINFO, &memory()), (INET_DIAG_INFO, &[0; 280])]);
        for length in 0..whole.len() {
            let cut = reply(SOCK_DIAG_BY_FAMILY, &whole[..length]);
            assert!(!matches!(cut, Ok(Some(_))), "a socket out of {length} bytes");
        }
        let error = reply(SOCK_DIAG_BY_FAMILY, &message(&[(INET_DIAG_INFO, &[0; 104])])).unwrap_err();
        assert_eq!(error.to_string(), "a tcp_info of only 104 bytes");
        let mut state = whole.clone();
        state[1] = 99;
        assert_eq!(reply(SOCK_DIAG_BY_FAMILY, &state).unwrap_err().to_string(), "unknown TCP state 99");
        let mut family = whole.clone();
        family[0] = 17;
        assert!(reply(SOCK_DIAG_BY_FAMILY, &family).is_err());
        assert!(reply(99, &whole).is_err());
    }
}
