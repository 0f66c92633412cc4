//! Bytes from the kernel, turned into events.
//!
//! What the programs tell is plain data in fixed layouts. The object may be another one's than this program was built
//! with: a record that does not fit is an error to be counted. The text in it comes from the network as it is: where
//! that is not what it should be, a peer has sent something else, and there is nothing to tell and nothing lost.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use observer_common::{
    DestroyedRecord, Direction, Ends, Header, LOGIN_FIXED, LOGIN_HEAD, LOGIN_REST, LoginRecord, RecordKind,
    SegmentRecord, StateRecord, TextRecord, WaitRecord, scale, transition,
};
use observer_core::{
    End, Event, EventKind, Flow, Greeting, Process, SeqNumber, SocketEvent, SocketEventKind, SocketRef,
    TcpState, Timestamp,
};

use crate::mysql::{self, Command, Login, Reply, Tail, greeting, lone_error};
use crate::source::live::ObservationClock;

/// Data waits behind the window.
const PROBED: u32 = transition::ZERO_WINDOW_PROBE | transition::ZERO_WINDOW_PROBE_ACK;

/// A record that could not be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What a record means beyond its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// A window of this socket's connection has closed.
    Trouble(u64),
    /// The closed window of this socket's connection is probed, or the probe answered.
    Probed(u64),
    /// A socket has changed its state, perhaps because its process ends.
    Closing,
    /// This socket is gone.
    Destroyed(u64),
    /// A thread of a server has waited; which connection for is not known here.
    WaitEnds(WaitRecord),
    /// Nothing.
    Other,
}

/// Turns records into events.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    ports: Vec<u16>,
    clock: ObservationClock,
}

impl Decoder {
    pub(crate) fn new(ports: Vec<u16>, clock: ObservationClock) -> Self {
        Self { ports, clock }
    }

    /// When something happened.
    pub(super) fn time(&self, monotonic_nanos: u64) -> Timestamp {
        self.clock.from_kernel(monotonic_nanos)
    }

    /// The clock of all events.
    pub(super) fn clock(&self) -> ObservationClock {
        self.clock
    }

    /// Now.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The socket with these addresses, and which end of its connection it is.
    pub(super) fn socket(&self, ends: &Ends, cookie: u64) -> Result<(SocketRef, End), Malformed> {
        let local = address(ends.local, ends.local_port);
        let remote = address(ends.remote, ends.remote_port);
        if ends.local_port == 0 || ends.remote_port == 0 {
            return Err(Malformed);
        }
        let (flow, end) = Flow::of_socket(local, remote, &self.ports).ok_or(Malformed)?;
        Ok((SocketRef { flow, seen_at: end.into(), cookie: (cookie != 0).then_some(cookie) }, end))
    }

    /// Appends what a record says.
    pub(super) fn decode(&self, bytes: &[u8], events: &mut Vec<Event>) -> Result<Told, Malformed> {
        let header: Header = bytemuck::pod_read_unaligned(bytes.get(..size_of::<Header>()).ok_or(Malformed)?);
        let kind = RecordKind::try_from(header.kind).map_err(|_| Malformed)?;
        let direction = Direction::try_from(header.direction).map_err(|_| Malformed)?;
        if kind == RecordKind::WaitEnds {
            return Ok(Told::WaitEnds(whole(bytes)?));
        }
        let (socket, local_end) = self.socket(&header.ends, header.cookie)?;
        let by = match direction {
            Direction::Egress => local_end,
            Direction::Ingress => local_end.peer(),
        };
        let at = self.time(header.at);
        let mut tell =
            |kind| events.push(Event { at, kind: EventKind::Socket(SocketEvent { socket, kind }) });
        match kind {
            RecordKind::Segment => {
                let record: SegmentRecord = whole(bytes)?;
                segment(&record, by, &mut tell)?;
                if record.transitions & transition::ZERO_WINDOW != 0 {
                    return Ok(Told::Trouble(header.cookie));
                }
                if record.transitions & PROBED != 0 {
                    return Ok(Told::Probed(header.cookie));
                }
            }
            RecordKind::Login => login(&whole(bytes)?, by)?.into_iter().for_each(tell),
            RecordKind::Greeting
            | RecordKind::Command
            | RecordKind::NextCommand
            | RecordKind::Reply
            | RecordKind::ServerError => {
                let record: TextRecord = whole(bytes)?;
                said(kind, by, meant(&record.bytes, record.length)?).into_iter().for_each(tell);
            }
            RecordKind::State => {
                tell(state(&whole(bytes)?)?);
                return Ok(Told::Closing);
            }
            RecordKind::WaitEnds => {}
            RecordKind::Destroyed => {
                let _: DestroyedRecord = whole(bytes)?;
                tell(SocketEventKind::Destroyed);
                return Ok(Told::Destroyed(header.cookie));
            }
        }
        Ok(Told::Other)
    }
}

/// A record is as long as its type, no more and no less.
fn whole<T: bytemuck::AnyBitPattern>(bytes: &[u8]) -> Result<T, Malformed> {
    bytemuck::try_pod_read_unaligned(bytes).map_err(|_| Malformed)
}

fn address(address: [u8; 16], port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V6(Ipv6Addr::from(address)), port)
}

fn segment(record: &SegmentRecord, by: End, tell: &mut impl FnMut(SocketEventKind)) -> Result<(), Malformed> {
    let has = |bit| record.transitions & bit != 0;
    if record.transitions == 0 || has(!transition::ALL) {
        return Err(Malformed);
    }
    let (seq, ack) = (SeqNumber(record.seq), SeqNumber(record.ack));
    if has(transition::SYN) {
        tell(SocketEventKind::Syn {
            by,
            window_scale: (record.scale < scale::ABSENT).then_some(record.scale),
            seq,
        });
    }
    if has(transition::ZERO_WINDOW_PROBE) {
        tell(SocketEventKind::ZeroWindowProbe { by });
    }
    if has(transition::ZERO_WINDOW) {
        tell(SocketEventKind::ZeroWindow { by, ack });
    }
    if has(transition::ZERO_WINDOW_PROBE_ACK) {
        tell(SocketEventKind::ZeroWindowProbeAck { by });
    }
    if has(transition::WINDOW_UPDATE) {
        let window = scaled(record.window, record.scale, record.peer_scale);
        tell(SocketEventKind::WindowUpdate { by, window, ack });
    }
    if has(transition::FIN) {
        let seq = SeqNumber(record.seq.wrapping_add(record.payload));
        let in_result = if by == End::Server { ends_in_result(&record.tail) } else { None };
        tell(SocketEventKind::Fin { by, seq, in_result });
    }
    if has(transition::RST) {
        tell(SocketEventKind::Reset { by });
    }
    Ok(())
}

/// A window in bytes; `None` when it is not known how it is scaled. It is only if both ends have said so in their
/// SYN (RFC 7323, 2.2).
pub(super) fn scaled(window: u16, own: u8, peer: u8) -> Option<u32> {
    match (own, peer) {
        (scale::UNKNOWN, _) | (_, scale::UNKNOWN) => None,
        (scale::ABSENT, _) | (_, scale::ABSENT) => Some(u32::from(window)),
        (shift, _) => u32::from(window).checked_shl(u32::from(shift)),
    }
}

/// Those of the bytes of a record that are meant.
fn meant(bytes: &[u8], length: u32) -> Result<&[u8], Malformed> {
    usize::try_from(length).ok().and_then(|length| bytes.get(..length)).ok_or(Malformed)
}

/// What a client or a server has said, if it is what the program took it for.
fn said(kind: RecordKind, by: End, bytes: &[u8]) -> Option<SocketEventKind> {
    match (kind, by) {
        (RecordKind::Greeting, End::Server) => {
            let Greeting { version, thread_id, capabilities } = greeting(bytes)?;
            Some(SocketEventKind::Greeting { version, thread_id, capabilities })
        }
        (RecordKind::Command, End::Client) => {
            let Command { length, text } = Command::parse(bytes)?;
            Some(SocketEventKind::Command { length, text })
        }
        (RecordKind::NextCommand, End::Client) => {
            let Command { length, text } = Command::parse_any(bytes)?;
            Some(SocketEventKind::Command { length, text })
        }
        (RecordKind::Reply, End::Server) => Some(SocketEventKind::Reply { ok: Reply::parse(bytes)?.is_ok() }),
        (RecordKind::ServerError, End::Server) => {
            Some(SocketEventKind::ServerError { code: lone_error(bytes)? })
        }
        // Only where both ports are MySQL ports: the other end looked like the server to the program.
        _ => None,
    }
}

/// A client's login, if it is what the program took it for.
fn login(record: &LoginRecord, by: End) -> Result<Option<SocketEventKind>, Malformed> {
    let head = meant(&record.head, record.head_length)?;
    let rest = meant(&record.rest, record.rest_length)?;
    let login = Login::from_parts(head, rest).filter(|_| by == End::Client);
    Ok(login.map(|Login { capabilities, tls, account }| SocketEventKind::Login {
        capabilities,
        tls,
        account: account.map(Box::new),
    }))
}

/// Captures are read as the programs read.
const _: () = assert!(
    LOGIN_FIXED == mysql::LOGIN_FIXED && LOGIN_HEAD == mysql::LOGIN_HEAD && LOGIN_REST == mysql::LOGIN_REST
);

/// Whether a stream that ends so was cut off in a result. The tail is too short for the longest ends of results: only
/// of a long payload it is sure that another end would be a part of it.
pub(super) fn ends_in_result(tail: &observer_common::Tail) -> Option<bool> {
    /// A result that ends with more than the tail shows tells of its session, or is a single packet.
    const LONG: u32 = 512;
    if tail.is_error != 0 {
        return Some(false);
    }
    let length = usize::try_from(tail.payload).ok()?.min(tail.bytes.len());
    let mut end = Tail::default();
    end.push(&tail.bytes[..length]);
    let ends = end.ends_a_result(None)?;
    (ends || tail.payload >= LONG).then_some(!ends)
}

fn state(record: &StateRecord) -> Result<SocketEventKind, Malformed> {
    let state = |number| {
        u8::try_from(number).ok().and_then(|number| TcpState::try_from(number).ok()).ok_or(Malformed)
    };
    let process = (record.tgid != 0).then(|| process(record.tgid, record.tid, &record.comm));
    Ok(SocketEventKind::State { from: state(record.from)?, to: state(record.to)?, process })
}

/// A process as the kernel names it.
pub(super) fn process(pid: u32, thread: u32, comm: &[u8; 16]) -> Process {
    let end = comm.iter().position(|&byte| byte == 0).unwrap_or(comm.len());
    Process { pid, tid: Some(thread), comm: String::from_utf8_lossy(&comm[..end]).into_owned() }
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
