//! The conversation with the kernel: one request, then its answers.

use std::io;

use netlink_packet_core::{NLM_F_DUMP_INTR, NLM_F_MULTIPART, NetlinkBuffer, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::inet::SocketId;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};

use super::decode::{Record, Reply};
use super::request;

/// The kernel fills datagrams of at most 32 KiB when it is given that much room (`netlink_dump`).
const DATAGRAM: usize = 32 * 1024;

/// A netlink socket of the network namespace its opener is in.
pub(super) struct Netlink {
    socket: Socket,
    buffer: Vec<u8>,
    sequence: u32,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// With all there is.
    Whole,
    /// With gaps: what was told is true, what was not told may yet exist.
    Partial,
}

impl Netlink {
    /// Opens a socket in the calling thread's network namespace. It never waits: the kernel answers within the
    /// call that asks, and fills the next datagram of a dump within the call that takes one.
    ///
    /// # Errors
    ///
    /// When the kernel has no socket diagnostics, or a seccomp filter forbids them.
    pub(super) fn open() -> io::Result<Self> {
        let socket = Socket::new(NETLINK_SOCK_DIAG)?;
        socket.set_non_blocking(true)?;
        // Connected to the kernel, the socket takes nothing from anybody else.
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket, buffer: vec![0; DATAGRAM], sequence: 0 })
    }

    /// Sends `message` and hands over each answer. `before_fill` is called before each call that makes the kernel
    /// fill a datagram, and what it returned goes to `each` with every answer out of that datagram.
    ///
    /// # Errors
    ///
    /// When the kernel refuses, or breaks off; answers handed over until then are good.
    pub(super) fn request<T: Copy>(
        &mut self,
        message: &mut [u8],
        before_fill: impl Fn() -> T,
        mut each: impl FnMut(T, Reply),
    ) -> io::Result<Answer> {
        self.sequence = self.sequence.wrapping_add(1);
        NetlinkBuffer::new(&mut *message).set_sequence_number(self.sequence);
        let mut filled = before_fill();
        self.socket.send(message, 0)?;
        let mut answer = Answer::Whole;
        loop {
            let fills = before_fill();
            let length = self.socket.recv(&mut self.buffer.as_mut_slice(), nix::libc::MSG_TRUNC)?;
            if length > self.buffer.len() {
                // The datagram did not fit and is gone; the next one will fit.
                self.buffer.resize(length, 0);
                answer = Answer::Partial;
            } else {
                let (done, datagram) =
                    read(&self.buffer[..length], self.sequence, |reply| each(filled, reply))?;
                if datagram == Answer::Partial {
                    answer = Answer::Partial;
                }
                if done {
                    return Ok(answer);
                }
            }
            filled = fills;
        }
    }

    /// Looks for one socket. `None` when it does not exist, also when another one has its addresses now.
    ///
    /// # Errors
    ///
    /// When the kernel cannot tell.
    pub(super) fn lookup(&mut self, id: SocketId) -> io::Result<Option<Box<Record>>> {
        let mut found = None;
        let outcome = self.request(
            &mut request::lookup(id),
            || (),
            |(), Reply(reply)| {
                found = reply.ok().flatten();
            },
        );
        match outcome {
            Ok(_) => Ok(found),
            Err(error) if matches!(error.raw_os_error(), Some(nix::libc::ENOENT | nix::libc::ESTALE)) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Reads one datagram. True when it is the last of its answer.
fn read(mut datagram: &[u8], sequence: u32, mut each: impl FnMut(Reply)) -> io::Result<(bool, Answer)> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, format!("{error}"));
    if datagram.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut answer = Answer::Whole;
    while !datagram.is_empty() {
        let message = NetlinkMessage::<Reply>::deserialize(datagram).map_err(invalid)?;
        // `deserialize` has checked the length against the datagram; the last one may go without its padding.
        let length = usize::try_from(message.header.length).unwrap_or(usize::MAX).next_multiple_of(4);
        datagram = datagram.get(length..).unwrap_or_default();
        if message.header.sequence_number != sequence {
            continue;
        }
        if message.header.flags & NLM_F_DUMP_INTR != 0 {
            answer = Answer::Partial;
        }
        match message.payload {
            NetlinkPayload::Done(done) if done.code == 0 => return Ok((true, answer)),
            NetlinkPayload::Done(done) => {
                return Err(io::Error::from_raw_os_error(done.code.saturating_neg()));
            }
            NetlinkPayload::Error(error) => return Err(error.to_io()),
            NetlinkPayload::Overrun(_) => answer = Answer::Partial,
            NetlinkPayload::InnerMessage(reply) => {
                each(reply);
                if message.header.flags & NLM_F_MULTIPART == 0 {
                    return Ok((true, answer));
                }
            }
            _ => {}
        }
    }
    Ok((false, answer))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use nix::sys::socket::{setsockopt, sockopt};

    use super::*;

    fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&u32::try_from(16 + payload.len()).unwrap().to_ne_bytes());
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(&sequence.to_ne_bytes());
        bytes.extend_from_slice(&0_u32.to_ne_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }

    const DONE: u16 = 3;
    const ERROR: u16 = 2;

    fn count(datagram: &[u8]) -> (io::Result<(bool, Answer)>, usize) {
        let mut replies = 0;
        (read(datagram, 7, |_| replies += 1), replies)
    }

    #[test]
    fn a_dump_goes_on_until_done() {
        let socket = message(20, NLM_F_MULTIPART, 7, &[0; 4]);
        let (end, replies) = count(&[&socket[..], &socket].concat());
        assert_eq!((end.unwrap(), replies), ((false, Answer::Whole), 2));
        let (end, replies) = count(&[&socket[..], &message(DONE, NLM_F_MULTIPART, 7, &[0; 4])].concat());
        assert_eq!((end.unwrap(), replies), ((true, Answer::Whole), 1));
    }

    #[test]
    fn an_interrupted_dump_is_partial() {
        let (end, _) = count(&message(DONE, NLM_F_MULTIPART | NLM_F_DUMP_INTR, 7, &[0; 4]));
        assert_eq!(end.unwrap(), (true, Answer::Partial));
    }

    #[test]
    fn errors_of_both_kinds_are_told() {
        let enoent = (-2_i32).to_ne_bytes();
        for kind in [DONE, ERROR] {
            let (end, _) = count(&message(kind, 0, 7, &[&enoent[..], &[0; 16]].concat()));
            assert_eq!(end.unwrap_err().raw_os_error(), Some(2), "message type {kind}");
        }
    }

    #[test]
    fn answers_to_an_earlier_request_are_passed_over() {
        let (end, replies) = count(&message(DONE, 0, 6, &[0; 4]));
        assert_eq!((end.unwrap(), replies), ((false, Answer::Whole), 0));
    }

    #[test]
    fn nonsense_ends_it() {
        assert!(count(&[]).0.is_err());
        assert!(count(&[0; 16]).0.is_err(), "a length of zero");
        assert!(count(&message(20, 0, 7, &[0; 8])[..20]).0.is_err(), "a length beyond the datagram");
    }

    /// The sockets with this port at either end.
    fn sockets(netlink: &mut Netlink, port: u16) -> Vec<SocketId> {
        let mut found = Vec::new();
        let answer = netlink.request(
            &mut request::dump(&[port]),
            || (),
            |(), Reply(reply)| found.extend(reply.unwrap().map(|record| record.id)),
        );
        assert_eq!(answer.unwrap(), Answer::Whole);
        found
    }

    #[test]
    fn finds_a_socket_by_its_name_until_it_is_gone() {
        for (listen, connect) in [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "127.0.0.1")] {
            let listener = TcpListener::bind((listen, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let client = TcpStream::connect((connect, port)).unwrap();
            let (server, _) = listener.accept().unwrap();
            let mut netlink = Netlink::open().unwrap();
            let found = sockets(&mut netlink, port);
            assert_eq!(found.len(), 2, "both ends of one connection to {listen}");
            for id in &found {
                assert_eq!(netlink.lookup(id.clone()).unwrap().unwrap().id, *id);
            }
            // Reset, so that nothing stays behind; the listener has the server's address still.
            let no_wait = nix::libc::linger { l_onoff: 1, l_linger: 0 };
            setsockopt(&client, sockopt::Linger, &no_wait).unwrap();
            drop(client);
            drop(server);
            for id in found {
                assert!(netlink.lookup(id).unwrap().is_none(), "{listen}");
            }
        }
    }
}
