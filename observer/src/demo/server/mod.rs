//! A server that streams results and gives up as mysqld and mariadbd do.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context as _;
use observer_core::Timestamp;

use self::session::Session;
use super::protocol::{error, header};
use super::vio::Dialect;
use crate::source::live::ObservationClock;

mod session;
mod statement;

/// A connection's thread holds little: its buffers are on the heap.
const STACK: usize = 128 * 1024;

/// How a [`Server`] behaves.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Which server it plays.
    pub dialect: Dialect,
    /// The global net_write_timeout; a session can `SET` its own.
    pub net_write_timeout: Duration,
    /// Length of the second column of every row, in bytes.
    pub row_bytes: usize,
    /// Connections at once, one thread each; more are refused with error 1040.
    pub max_connections: usize,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            listen: (IpAddr::V4(Ipv4Addr::LOCALHOST), 0).into(),
            dialect: Dialect::MySql,
            net_write_timeout: Duration::from_secs(60),
            row_bytes: 1_000,
            max_connections: 151,
        }
    }
}

/// What a connection's thread tells of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerEvent {
    /// When, on the observation clock.
    pub at: Timestamp,
    /// The client's address.
    pub client: SocketAddr,
    /// The thread id of the greeting.
    pub thread_id: u32,
    /// What happened.
    pub kind: ServerEventKind,
}

/// What a [`ServerEvent`] speaks of.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerEventKind {
    /// The login was accepted.
    Connected,
    /// There were too many connections.
    Refused,
    /// The last packet of a result was handed to the kernel.
    ResultSent {
        /// Rows of the result.
        rows: u64,
    },
    /// The client did not read in time: `at` is the moment the wait ran out and the server gave up.
    Aborted {
        /// When the last wait for POLLOUT had begun.
        waiting_since: Timestamp,
        /// The net_write_timeout that ran out.
        timeout: Duration,
        /// Bytes that the kernel had taken for this connection.
        sent: u64,
    },
    /// The connection has ended in another way: COM_QUIT, the client's close or reset, or the server's stop.
    Closed,
}

/// A running server. Dropping it closes all its connections.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens, and serves in threads of its own. `on_event` is called by those threads.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on.
    pub fn start(
        options: ServerOptions,
        clock: ObservationClock,
        on_event: impl Fn(ServerEvent) + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind(options.listen).with_context(|| format!("listening on {}", options.listen))?;
        let address = listener.local_addr().context("reading the address of the listening socket")?;
        let shared = Arc::new(Shared {
            options,
            clock,
            on_event: Box::new(on_event),
            listener,
            stopping: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let acceptor = {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name("demo-accept".into()).spawn(move || shared.accept())
        }
        .context("starting the thread that accepts connections")?;
        Ok(Self { address, shared, acceptor: Some(acceptor) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop();
        if let Some(acceptor) = self.acceptor.take() {
            // It panics only when `on_event` does, and then there is nothing left to stop.
            let _ = acceptor.join();
        }
    }
}

/// What the threads of one server share.
struct Shared {
    options: ServerOptions,
    clock: ObservationClock,
    on_event: Box<dyn Fn(ServerEvent) + Send + Sync>,
    listener: TcpListener,
    stopping: AtomicBool,
    /// The open connections by thread id. Each is owned by its own thread alone, so that its `close` is the
    /// kernel's close.
    connections: Mutex<HashMap<u32, Weak<TcpStream>>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Shared {
    fn accept(self: &Arc<Self>) {
        for thread_id in 1.. {
            match self.listener.accept() {
                _ if self.stopping.load(Ordering::SeqCst) => return,
                Ok((socket, client)) => self.admit(socket, client, thread_id),
                // Out of file descriptors: the connection stays in the backlog until there are some again.
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Gives the connection a thread, or refuses it.
    fn admit(self: &Arc<Self>, socket: TcpStream, client: SocketAddr, thread_id: u32) {
        let socket = Arc::new(socket);
        let full = {
            let mut connections = self.connections();
            let full = connections.len() >= self.options.max_connections;
            if !full {
                connections.insert(thread_id, Arc::downgrade(&socket));
            }
            full
        };
        if full {
            refuse(&socket);
            self.tell(client, thread_id, self.clock.now(), ServerEventKind::Refused);
            return;
        }
        let shared = Arc::clone(self);
        let spawned =
            thread::Builder::new().name(format!("demo-{thread_id}")).stack_size(STACK).spawn(move || {
                shared.serve(socket, client, thread_id);
            });
        if spawned.is_err() {
            self.connections().remove(&thread_id);
            self.tell(client, thread_id, self.clock.now(), ServerEventKind::Refused);
        }
    }

    /// One connection from its greeting to its end.
    fn serve(&self, socket: Arc<TcpStream>, client: SocketAddr, thread_id: u32) {
        let tell = |kind| self.tell(client, thread_id, self.clock.now(), kind);
        let ended = Session::new(&socket, &self.options, self.clock, thread_id).run(&tell);
        let at = self.clock.now();
        if matches!(ended, ServerEventKind::Aborted { .. }) {
            // Should that fail, the client was quicker to go, and `close` is all there is to do.
            let _ = self.options.dialect.give_up(&socket);
        }
        drop(socket);
        self.connections().remove(&thread_id);
        self.tell(client, thread_id, at, ended);
    }

    fn tell(&self, client: SocketAddr, thread_id: u32, at: Timestamp, kind: ServerEventKind) {
        (self.on_event)(ServerEvent { at, client, thread_id, kind });
    }

    fn connections(&self) -> std::sync::MutexGuard<'_, HashMap<u32, Weak<TcpStream>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes every thread out of whatever it waits for.
    fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        // `shutdown` ends a pending `accept` on Linux.
        let _ = nix::sys::socket::shutdown(self.listener.as_raw_fd(), nix::sys::socket::Shutdown::Both);
        for socket in self.connections().values().filter_map(Weak::upgrade) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// Instead of a greeting; the few bytes always fit into a new socket's buffer.
fn refuse(mut socket: &TcpStream) {
    use std::io::Write as _;
    let packet = error(1040, "08004", "Too many connections");
    // Whoever does not take the refusal sees the close.
    let _ = socket.write_all(&[&header(packet.len(), 0)[..], &packet].concat());
}
