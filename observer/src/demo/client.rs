//! A client that reads as an unbuffered cursor does: row by row, when the application asks.

use std::fmt;
use std::io::{self, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;

use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrStorage, connect, setsockopt, socket, sockopt,
};

use super::protocol::{
    COM_PING, COM_QUERY, COM_QUIT, EOF, EOF_LENGTH, ERR, HEADER, OK, header, login, parse_error, read_packet,
};

/// The longest packet that is taken: max_allowed_packet of this client.
const LONGEST_PACKET: u32 = 1024 * 1024;

/// What the application's connector reads from the socket at a time, as Python's `makefile` does.
const READ_BUFFER: usize = 8 * 1024;

/// AuthMoreData of caching_sha2_password, and its "fast authentication has succeeded".
const AUTH_MORE_DATA: u8 = 0x01;

/// How a [`Client`] connects.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// A user without a password.
    pub user: String,
    /// `SO_RCVBUF`, in bytes, set before the connection is made; `None` leaves it to the kernel's tuning.
    pub receive_buffer: Option<usize>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self { user: "demo".to_owned(), receive_buffer: None }
    }
}

/// Why a call of a [`Client`] failed.
#[derive(Debug)]
pub enum ClientError {
    /// No connection was made.
    Connect(io::Error),
    /// Error 2013: the connection ended in the middle of something.
    LostConnection {
        /// By a reset (`[Errno 104]`), not by a FIN.
        reset: bool,
    },
    /// An ERR packet.
    Server {
        /// The server's error number.
        code: u16,
        /// Its message. Not cleaned for a terminal.
        message: String,
    },
    /// The server said something this client does not understand.
    Malformed(String),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write!(f, "2003 Can't connect to MySQL server ({error})"),
            Self::LostConnection { reset } => {
                f.write_str("2013 Lost connection to MySQL server during query")?;
                if *reset { f.write_str(" ([Errno 104] Connection reset by peer)") } else { Ok(()) }
            }
            Self::Server { code, message } => write!(f, "{code} {message}"),
            Self::Malformed(what) => write!(f, "2027 Malformed packet: {what}"),
        }
    }
}

impl std::error::Error for ClientError {}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidData => Self::Malformed(error.to_string()),
            kind => Self::LostConnection { reset: kind == io::ErrorKind::ConnectionReset },
        }
    }
}

/// A connection to a server, the demo's own or a real one.
#[derive(Debug)]
pub struct Client {
    socket: BufReader<Counted>,
    address: SocketAddr,
    thread_id: u32,
    packet: Vec<u8>,
    rows: u64,
    in_result: bool,
}

impl Client {
    /// Connects and logs in.
    pub fn connect(server: SocketAddr, options: &ClientOptions) -> Result<Self, ClientError> {
        let socket = open(server, options.receive_buffer).map_err(ClientError::Connect)?;
        let address = socket.local_addr().map_err(ClientError::Connect)?;
        let socket = BufReader::with_capacity(READ_BUFFER, Counted { socket, bytes: 0 });
        let mut client =
            Self { socket, address, thread_id: 0, packet: Vec::new(), rows: 0, in_result: false };
        client.log_in(&options.user)?;
        Ok(client)
    }

    /// This end's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The thread id from the server's greeting.
    pub fn thread_id(&self) -> u32 {
        self.thread_id
    }

    /// Rows read of the present or last result.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes taken from the socket since the connection was made.
    pub fn bytes(&self) -> u64 {
        self.socket.get_ref().bytes
    }

    /// Runs a statement without a result, such as `SET`.
    pub fn execute(&mut self, statement: &str) -> Result<(), ClientError> {
        self.command(COM_QUERY, statement)?;
        self.expect_ok()
    }

    /// Sends a query and reads the result's columns; the rows wait for [`read_rows`](Self::read_rows).
    pub fn query(&mut self, query: &str) -> Result<(), ClientError> {
        self.command(COM_QUERY, query)?;
        self.receive()?;
        let Some(&columns @ 1..=250) = self.packet.first() else {
            return Err(ClientError::Malformed("not a result set".to_owned()));
        };
        for _ in 0..columns {
            self.receive()?;
        }
        self.receive()?;
        if !self.at_eof() {
            return Err(ClientError::Malformed("no end of the columns".to_owned()));
        }
        self.rows = 0;
        self.in_result = true;
        Ok(())
    }

    /// Reads up to `count` rows and returns how many came; fewer means the result is at its end.
    pub fn read_rows(&mut self, count: u64) -> Result<u64, ClientError> {
        let mut read = 0;
        while self.in_result && read < count {
            self.receive()?;
            if self.at_eof() {
                self.in_result = false;
            } else {
                read += 1;
                self.rows += 1;
            }
        }
        Ok(read)
    }

    /// COM_PING.
    pub fn ping(&mut self) -> Result<(), ClientError> {
        self.command(COM_PING, "")?;
        self.expect_ok()
    }

    /// COM_QUIT, and closes.
    pub fn quit(mut self) -> Result<(), ClientError> {
        self.command(COM_QUIT, "")
    }

    fn log_in(&mut self, user: &str) -> Result<(), ClientError> {
        self.receive()?;
        self.thread_id = thread_id(&self.packet)
            .ok_or_else(|| ClientError::Malformed("not a greeting of protocol version 10".to_owned()))?;
        self.send(1, &login(user, LONGEST_PACKET))?;
        loop {
            let sequence = self.receive()?;
            match self.packet.first() {
                Some(&OK) => return Ok(()),
                // Another plugin is asked for; an empty password is an empty answer to every one.
                Some(&EOF) => self.send(sequence.wrapping_add(1), &[])?,
                Some(&AUTH_MORE_DATA) => {}
                _ => return Err(ClientError::Malformed("not an answer to a login".to_owned())),
            }
        }
    }

    fn command(&mut self, command: u8, text: &str) -> Result<(), ClientError> {
        let mut payload = vec![command];
        payload.extend_from_slice(text.as_bytes());
        self.send(0, &payload)
    }

    fn expect_ok(&mut self) -> Result<(), ClientError> {
        self.receive()?;
        match self.packet.first() {
            Some(&OK) => Ok(()),
            _ => Err(ClientError::Malformed("not an OK packet".to_owned())),
        }
    }

    fn send(&mut self, sequence: u8, payload: &[u8]) -> Result<(), ClientError> {
        let mut packet = Vec::with_capacity(HEADER + payload.len());
        packet.extend_from_slice(&header(payload.len(), sequence));
        packet.extend_from_slice(payload);
        Ok(self.socket.get_mut().socket.write_all(&packet)?)
    }

    /// Reads the next packet; an ERR packet is an error.
    fn receive(&mut self) -> Result<u8, ClientError> {
        let sequence = read_packet(&mut self.socket, &mut self.packet, LONGEST_PACKET as usize)?;
        if self.packet.first() == Some(&ERR) {
            self.in_result = false;
            let (code, message) = parse_error(&self.packet);
            return Err(ClientError::Server { code, message });
        }
        Ok(sequence)
    }

    fn at_eof(&self) -> bool {
        self.packet.first() == Some(&EOF) && self.packet.len() <= EOF_LENGTH
    }
}

/// The thread id of a greeting: after the protocol version and the server's version.
fn thread_id(greeting: &[u8]) -> Option<u32> {
    let rest = greeting.strip_prefix(&[10])?;
    let version = rest.iter().position(|&byte| byte == 0)?;
    let id = rest.get(version + 1..version + 5)?;
    Some(u32::from_le_bytes(id.try_into().ok()?))
}

/// A connected socket; its receive buffer must be set before the SYN, which carries the window scale.
fn open(server: SocketAddr, receive_buffer: Option<usize>) -> io::Result<TcpStream> {
    let family = if server.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, SockProtocol::Tcp)?;
    if let Some(bytes) = receive_buffer {
        setsockopt(&socket, sockopt::RcvBuf, &bytes)?;
    }
    connect(socket.as_raw_fd(), &SockaddrStorage::from(server))?;
    let socket = TcpStream::from(socket);
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// A socket that counts what is read from it.
#[derive(Debug)]
struct Counted {
    socket: TcpStream,
    bytes: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.socket.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_that_is_cut_short_has_no_thread_id() {
        let greeting = super::super::protocol::greeting("9.7.4", 0x0102_0304);
        assert_eq!(thread_id(&greeting), Some(0x0102_0304));
        for length in 0..11 {
            assert_eq!(thread_id(&greeting[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn errors_read_as_connectors_print_them() {
        assert_eq!(
            ClientError::LostConnection { reset: true }.to_string(),
            "2013 Lost connection to MySQL server during query ([Errno 104] Connection reset by peer)"
        );
    }
}
