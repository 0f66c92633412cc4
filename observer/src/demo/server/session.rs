//! One connection at the server: login, then a command at a time.

use std::io;
use std::net::TcpStream;
use std::thread;

use super::statement::{self, Statement};
use super::{ServerEventKind, ServerOptions};
use crate::demo::protocol::{
    COM_PING, COM_QUERY, COM_QUIT, column, eof, error, greeting, ok, push_text, read_packet,
};
use crate::demo::vio::{Dialect, NetBuffer, WriteError};
use crate::source::live::ObservationClock;

/// The longest command that is taken; demo clients send short ones.
const LONGEST_COMMAND: usize = 64 * 1024;

/// Why a session ends.
enum Ended {
    /// COM_QUIT, or the client's own close or reset.
    Gone,
    /// Something the protocol does not allow.
    Malformed,
    /// A write failed.
    Write(WriteError),
}

impl From<WriteError> for Ended {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::InvalidData { Self::Malformed } else { Self::Gone }
    }
}

/// The server's side of one connection.
pub(super) struct Session<'a> {
    socket: &'a TcpStream,
    options: &'a ServerOptions,
    thread_id: u32,
    net: NetBuffer<'a>,
    packet: Vec<u8>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        socket: &'a TcpStream,
        options: &'a ServerOptions,
        clock: ObservationClock,
        thread_id: u32,
    ) -> Self {
        let net = NetBuffer::new(socket, options.dialect, clock, options.net_write_timeout);
        Self { socket, options, thread_id, net, packet: Vec::new() }
    }

    /// Serves until the connection ends, and says how; closing the socket is left to the caller.
    pub(super) fn run(mut self, tell: &impl Fn(ServerEventKind)) -> ServerEventKind {
        // The servers do so too: a result's last, short block is not held back.
        let _ = self.socket.set_nodelay(true);
        let Err(ended) = self.converse(tell);
        match ended {
            Ended::Write(WriteError::TimedOut { waiting_since }) => {
                ServerEventKind::Aborted { waiting_since, timeout: self.net.timeout, sent: self.net.sent }
            }
            Ended::Malformed => {
                // Best effort: the connection ends anyway.
                let _ = self.answer(&error(1835, "HY000", "Malformed communication packet"));
                ServerEventKind::Closed
            }
            Ended::Gone | Ended::Write(WriteError::Broken) => ServerEventKind::Closed,
        }
    }

    fn converse(&mut self, tell: &impl Fn(ServerEventKind)) -> Result<std::convert::Infallible, Ended> {
        let version = match self.options.dialect {
            Dialect::MySql => "9.7.0-observer-demo",
            Dialect::MariaDb => "10.11.0-MariaDB-observer-demo",
        };
        self.answer(&greeting(version, self.thread_id))?;
        self.receive()?;
        self.answer(&ok())?;
        tell(ServerEventKind::Connected);
        loop {
            self.receive()?;
            match self.packet.split_first() {
                Some((&COM_QUIT, _)) => return Err(Ended::Gone),
                Some((&COM_PING, _)) => self.answer(&ok())?,
                Some((&COM_QUERY, text)) => match statement::parse(&String::from_utf8_lossy(text)) {
                    Statement::Select(select) => {
                        self.stream(&select)?;
                        tell(ServerEventKind::ResultSent { rows: select.rows });
                    }
                    Statement::SetNetWriteTimeout(timeout) => {
                        self.net.timeout = timeout;
                        self.answer(&ok())?;
                    }
                    Statement::Other => self.answer(&ok())?,
                },
                Some(_) => self.answer(&error(1047, "08S01", "Unknown command"))?,
                None => return Err(Ended::Malformed),
            }
        }
    }

    /// Reads the client's next packet; the answer's sequence number follows the packet's.
    fn receive(&mut self) -> Result<(), Ended> {
        let sequence = read_packet(&mut self.socket, &mut self.packet, LONGEST_COMMAND)?;
        self.net.sequence = sequence.wrapping_add(1);
        Ok(())
    }

    fn answer(&mut self, payload: &[u8]) -> Result<(), Ended> {
        self.net.write_packet(payload)?;
        Ok(self.net.flush()?)
    }

    /// A text result set with two columns, row by row.
    fn stream(&mut self, select: &statement::Select) -> Result<(), Ended> {
        let payload = vec![b'x'; self.options.row_bytes];
        self.net.write_packet(&[2])?;
        self.net.write_packet(&column("readings", "id"))?;
        self.net.write_packet(&column("readings", "payload"))?;
        self.net.write_packet(&eof())?;
        let mut row = Vec::with_capacity(payload.len() + 32);
        for id in 1..=select.rows {
            if !select.sleep.is_zero() {
                thread::sleep(select.sleep);
            }
            row.clear();
            push_text(&mut row, id.to_string().as_bytes());
            push_text(&mut row, &payload);
            self.net.write_packet(&row)?;
        }
        self.answer(&eof())
    }
}
