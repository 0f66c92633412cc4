//! Many connections over loopback, both ends in this process: as many as are wanted, and quickly.
//!
//! They are of no server: what is asked here is whether the observer bears their number. One thread opens, fills and
//! closes both ends in turn, so that nothing has to be waited for.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, OwnedFd};

use anyhow::{Context as _, bail, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::sockopt::{RcvBuf, ReuseAddr, SndBuf};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, connect, getsockname, listen, setsockopt,
    socket,
};

/// Bytes that the kernel may keep of a connection at each end: the fewer, the more connections may stand still.
const BUFFER: usize = 4096;

/// Clients have addresses from 127.0.0.2 on, so many of them: one has ports for 28,000 connections within a minute.
const CLIENTS: u32 = 200;

/// Where the connections go.
pub(crate) struct Crowd {
    listener: TcpListener,
    /// Connections opened.
    opened: u32,
}

/// A connection.
pub(crate) struct Pair {
    client: TcpStream,
    server: TcpStream,
}

impl Crowd {
    /// Listens on a free port of 127.0.0.1, and allows this process as many files as the host does.
    pub(crate) fn new() -> anyhow::Result<Self> {
        Self::at(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))
    }

    /// The same at this address of loopback.
    pub(crate) fn at(address: SocketAddrV4) -> anyhow::Result<Self> {
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).context("asking for the limit of open files")?;
        // Root may raise that too, up to fs.nr_open.
        let raised = setrlimit(Resource::RLIMIT_NOFILE, most.max(1 << 18), most.max(1 << 18));
        raised
            .or_else(|_| setrlimit(Resource::RLIMIT_NOFILE, most, most))
            .context("raising the limit of open files")?;
        let socket = new_socket()?;
        setsockopt(&socket, ReuseAddr, &true)?;
        bind(socket.as_raw_fd(), &SockaddrIn::from(address)).context("binding the listener")?;
        listen(&socket, Backlog::new(1024)?).context("listening")?;
        Ok(Self { listener: TcpListener::from(socket), opened: 0 })
    }

    /// How many connections this process may have open at the same time, with some files beside.
    pub(crate) fn room() -> anyhow::Result<usize> {
        let (files, _) = getrlimit(Resource::RLIMIT_NOFILE).context("asking for the limit of open files")?;
        Ok(usize::try_from(files.saturating_sub(100) / 2).unwrap_or(usize::MAX))
    }

    /// The port that is to be observed.
    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().map_or(0, |address| address.port())
    }

    /// Where it listens.
    fn address(&self) -> anyhow::Result<SockaddrIn> {
        getsockname(self.listener.as_raw_fd()).context("asking where it listens")
    }

    /// Opens a connection.
    pub(crate) fn open(&mut self) -> anyhow::Result<Pair> {
        let socket = new_socket()?;
        let address = Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(127, 0, 0, 2)) + self.opened % CLIENTS);
        self.opened += 1;
        bind(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(address, 0)))
            .context("binding a client")?;
        connect(socket.as_raw_fd(), &self.address()?).context("connecting")?;
        let own: SockaddrIn = getsockname(socket.as_raw_fd()).context("asking for a client's port")?;
        let (server, peer) = self.listener.accept().context("accepting")?;
        ensure!(peer == SocketAddr::V4(own.into()), "{peer} has come between");
        server.set_nonblocking(true)?;
        let client = TcpStream::from(socket);
        client.set_nonblocking(true)?;
        Ok(Pair { client, server })
    }

    /// Opens so many.
    pub(crate) fn open_many(&mut self, count: usize) -> anyhow::Result<Vec<Pair>> {
        (0..count).map(|_| self.open()).collect()
    }

    /// So many connections one after the other, each with a few bytes both ways, which are read as real ones do: who closes
    /// with something unread sends RST, and that is told of each.
    pub(crate) fn burst(&mut self, count: usize) -> anyhow::Result<()> {
        for _ in 0..count {
            let mut pair = self.open()?;
            pair.server.write_all(b"greeting")?;
            pair.client.read_exact(&mut [0; 8])?;
            pair.client.write_all(b"question")?;
            pair.server.read_exact(&mut [0; 8])?;
        }
        Ok(())
    }
}

impl Pair {
    /// The client's address.
    pub(crate) fn client(&self) -> anyhow::Result<SocketAddr> {
        self.client.local_addr().context("asking for a client's address")
    }

    /// Writes from the server until nothing more goes: the client's window is closed.
    pub(crate) fn stall(&mut self) -> anyhow::Result<()> {
        let block = [b'x'; BUFFER];
        loop {
            match self.server.write(&block) {
                Ok(0) => bail!("the connection takes nothing"),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("writing to a client that does not read"),
            }
        }
    }

    /// Reads at the client what is there.
    pub(crate) fn read(&mut self) -> anyhow::Result<()> {
        let mut block = [0; BUFFER];
        loop {
            match self.client.read(&mut block) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("reading"),
            }
        }
    }
}

/// A socket with small buffers.
fn new_socket() -> anyhow::Result<OwnedFd> {
    let new = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None);
    let socket = new.context("opening a socket")?;
    setsockopt(&socket, RcvBuf, &BUFFER)?;
    setsockopt(&socket, SndBuf, &BUFFER)?;
    Ok(socket)
}
