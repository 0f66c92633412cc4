//! A connection to look at.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use nix::sched::{CloneFlags, setns};
use observer_core::Flow;

/// A connection over loopback whose server's port is the MySQL port.
pub(crate) struct Connection {
    pub(crate) client: TcpStream,
    pub(crate) server: TcpStream,
}

impl Connection {
    /// At a port of the system's choice when `port` is 0.
    pub(crate) fn open(address: IpAddr, port: u16) -> Self {
        let listener = TcpListener::bind(SocketAddr::new(address, port)).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = listener.accept().unwrap().0;
        Self { client, server }
    }

    /// Over the loopback of another namespace, which one thread enters for it.
    pub(crate) fn open_within(namespace: &Path, port: u16) -> Self {
        let namespace = File::open(namespace).unwrap();
        std::thread::spawn(move || {
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            Self::open(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
        })
        .join()
        .unwrap()
    }

    pub(crate) fn flow(&self) -> Flow {
        Flow { client: self.client.local_addr().unwrap(), server: self.client.peer_addr().unwrap() }
    }

    pub(crate) fn port(&self) -> u16 {
        self.flow().server.port()
    }

    /// Writes at the server's end until nothing more goes in. The client never reads.
    pub(crate) fn stall(&mut self) {
        self.server.set_nonblocking(true).unwrap();
        loop {
            match self.server.write(&[b'x'; 16_384]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("writing to the client: {error}"),
            }
        }
    }
}
