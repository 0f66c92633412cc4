//! Writing to a client the way the servers do it: `vio_write` and `vio_io_wait` of vio/viosocket.cc, and the
//! net buffer of sql-common/net_serv.cc.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll, ppoll};
use nix::sys::socket::{MsgFlags, send, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use observer_core::Timestamp;

use super::protocol::{HEADER, header};
use crate::source::live::ObservationClock;

/// `net_buffer_length`'s default: rows are collected until this much can be sent at once.
const NET_BUFFER_LENGTH: usize = 16_384;

/// Which server is played. They wait and give up in different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Waits in `ppoll`; on timeout `shutdown(SHUT_RDWR)` and `close`: a FIN queued behind what is unsent.
    MySql,
    /// Waits in `poll`; on timeout `SO_LINGER{1, 0}` and `close`: an RST at once, what is unsent is discarded.
    MariaDb,
}

impl Dialect {
    /// Waits until `socket` is writable. `Ok(false)` when `timeout` has passed.
    fn wait_writable(self, socket: &TcpStream, timeout: Duration) -> io::Result<bool> {
        let mut sockets = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
        let ready = match self {
            Self::MySql => ppoll(&mut sockets, Some(TimeSpec::from_duration(timeout)), None),
            Self::MariaDb => poll(&mut sockets, PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX)),
        }?;
        Ok(ready > 0)
    }

    /// What the server does to a socket whose client did not read in time, just before it closes it.
    pub(super) fn give_up(self, socket: &TcpStream) -> io::Result<()> {
        match self {
            Self::MySql => socket.shutdown(Shutdown::Both),
            Self::MariaDb => {
                setsockopt(socket, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?;
                Ok(())
            }
        }
    }
}

/// Why nothing more can be written.
#[derive(Debug)]
pub(super) enum WriteError {
    /// The socket did not become writable within net_write_timeout.
    TimedOut {
        /// When the wait that ran out had begun.
        waiting_since: Timestamp,
    },
    /// The connection broke.
    Broken,
}

/// The server's end of one connection: packets go in, blocks of 16 KiB go out.
pub(super) struct NetBuffer<'a> {
    socket: &'a TcpStream,
    dialect: Dialect,
    clock: ObservationClock,
    buffer: Vec<u8>,
    /// Sequence number of the next packet.
    pub(super) sequence: u8,
    /// net_write_timeout of this session.
    pub(super) timeout: Duration,
    /// Bytes that the kernel has taken.
    pub(super) sent: u64,
}

impl<'a> NetBuffer<'a> {
    pub(super) fn new(
        socket: &'a TcpStream,
        dialect: Dialect,
        clock: ObservationClock,
        timeout: Duration,
    ) -> Self {
        let buffer = Vec::with_capacity(NET_BUFFER_LENGTH);
        Self { socket, dialect, clock, buffer, sequence: 0, timeout, sent: 0 }
    }

    /// Queues one packet; sends what fills the buffer (`net_write_buff`).
    pub(super) fn write_packet(&mut self, payload: &[u8]) -> Result<(), WriteError> {
        let header: [u8; HEADER] = header(payload.len(), self.sequence);
        self.sequence = self.sequence.wrapping_add(1);
        self.write_buffered(&header)?;
        self.write_buffered(payload)
    }

    /// Sends what is left in the buffer.
    pub(super) fn flush(&mut self) -> Result<(), WriteError> {
        let mut unsent = self.buffer.as_slice();
        while !unsent.is_empty() {
            // `vio_write`: a partial send comes back here and tries again.
            match send(self.socket.as_raw_fd(), unsent, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
                Ok(taken) => {
                    self.sent += taken as u64;
                    unsent = &unsent[taken..];
                }
                Err(Errno::EAGAIN) => self.wait()?,
                Err(Errno::EINTR) => {}
                Err(_) => return Err(WriteError::Broken),
            }
        }
        self.buffer.clear();
        Ok(())
    }

    fn write_buffered(&mut self, mut bytes: &[u8]) -> Result<(), WriteError> {
        while !bytes.is_empty() {
            let room = NET_BUFFER_LENGTH - self.buffer.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            if self.buffer.len() == NET_BUFFER_LENGTH {
                self.flush()?;
            }
            bytes = later;
        }
        Ok(())
    }

    /// Each wait gets the whole timeout, however many came before it.
    fn wait(&self) -> Result<(), WriteError> {
        let waiting_since = self.clock.now();
        match self.dialect.wait_writable(self.socket, self.timeout) {
            Ok(true) => Ok(()),
            Ok(false) => Err(WriteError::TimedOut { waiting_since }),
            Err(_) => Err(WriteError::Broken),
        }
    }
}
