//! Connections to be observed: the demo's server and clients, in a process of their own, which can be put into a
//! network namespace and a cgroup.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::io::{self, BufRead as _, Write as _};
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use observer::demo::{Client, ClientError, ClientOptions, Server, ServerOptions};
use observer::source::live::ObservationClock;
use serde::{Deserialize, Serialize};

use crate::cpus::Halves;
use crate::harness::lab::Side;
use crate::harness::process::Process;

/// Rows of one result of [`Mix::Streaming`]: 4 MB.
const STREAMED_ROWS: u64 = 20_000;

/// Bytes of a row, its id aside.
const ROW_BYTES: usize = 200;

/// Rows that a trickling client reads each second.
const TRICKLED_ROWS: u64 = 32;

/// Bounds and start of socket buffers (tcp(7)) that let a thousand stalled connections fit into a small machine.
const SMALL_BUFFERS: &str = "4096 16384 65536";

/// What packets there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mix {
    /// A large result: full segments one way, pure ACKs the other.
    Streaming,
    /// Small queries with small results.
    Queries,
}

/// What the actors can be told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Keep the socket buffers of this network namespace small.
    SmallBuffers,
    /// Start a server on a port, and clients that are connected and have had one result.
    Serve { port: u16, clients: usize },
    /// Let the port's first client ask again and again.
    Ask { port: u16, mix: Mix, time: Duration },
    /// Let a tenth of the port's clients ping the server each second.
    Ping { port: u16, seconds: u32 },
    /// Let the port's clients ask for a large result, and read little of it each second.
    Trickle { port: u16, seconds: u32 },
}

/// The process, as seen from the others.
pub(crate) struct Actors {
    process: Process,
    orders: usize,
}

impl Actors {
    /// Starts it on `side`, in that side's cgroup.
    pub(crate) fn start(side: &Side) -> anyhow::Result<Self> {
        let this = env::current_exe().context("finding this program")?;
        let process = Process::spawn("the actors", side.command(this).arg("--actors"))?;
        Ok(Self { process, orders: 0 })
    }

    /// Gives an order.
    pub(crate) fn begin(&mut self, order: &Order) -> anyhow::Result<()> {
        self.orders += 1;
        self.process.say(&serde_json::to_string(order)?)
    }

    /// Waits until the last order is carried out.
    pub(crate) fn wait(&self) -> anyhow::Result<()> {
        let done = done(self.orders);
        self.process.wait_stdout("the end of an order", |line| (line == done).then_some(()))
    }

    /// Gives an order and waits until it is carried out.
    pub(crate) fn run(&mut self, order: &Order) -> anyhow::Result<()> {
        self.begin(order)?;
        self.wait()
    }
}

fn done(order: usize) -> String {
    format!("order {order} is carried out")
}

/// The process itself: carries out the orders that come on standard input.
pub(crate) fn play() -> anyhow::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).context("reading the limit of open files")?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).context("raising the limit of open files")?;
    let mut stage = Stage { served: HashMap::new() };
    let cpus = Halves::new()?;
    for (number, line) in io::stdin().lock().lines().enumerate() {
        let line = line.context("reading an order")?;
        let order = serde_json::from_str(&line).with_context(|| format!("reading {line:?}"))?;
        stage.carry_out(&order, &cpus)?;
        writeln!(io::stdout(), "{}", done(number + 1)).context("answering")?;
    }
    Ok(())
}

struct Stage {
    served: HashMap<u16, Served>,
}

/// One port. The clients go before the server, whose threads end by that.
struct Served {
    clients: Vec<Client>,
    _server: Server,
}

impl Stage {
    fn carry_out(&mut self, order: &Order, cpus: &Halves) -> anyhow::Result<()> {
        match *order {
            Order::SmallBuffers => {
                for file in ["/proc/sys/net/ipv4/tcp_rmem", "/proc/sys/net/ipv4/tcp_wmem"] {
                    fs::write(file, SMALL_BUFFERS).with_context(|| format!("writing {file}"))?;
                }
            }
            Order::Serve { port, clients } => {
                self.served.insert(port, Served::start(port, clients, cpus)?);
            }
            Order::Ask { port, mix, time } => {
                let client = self.clients(port)?.first_mut().context("nobody is connected")?;
                let since = Instant::now();
                cpus.as_client(|| {
                    while since.elapsed() < time {
                        ask(client, mix)?;
                    }
                    Ok(())
                })?;
            }
            Order::Ping { port, seconds } => {
                let clients = self.clients(port)?;
                let tenth = clients.len().div_ceil(10);
                each_second(seconds, |second| {
                    let some = clients.chunks_mut(tenth).nth(second as usize % 10).unwrap_or_default();
                    some.iter_mut().try_for_each(Client::ping)
                })?;
            }
            Order::Trickle { port, seconds } => {
                let clients = self.clients(port)?;
                for client in &mut *clients {
                    client.query("SELECT id, payload FROM readings")?;
                }
                each_second(seconds, |_| {
                    clients.iter_mut().try_for_each(|client| client.read_rows(TRICKLED_ROWS).map(drop))
                })?;
            }
        }
        Ok(())
    }

    fn clients(&mut self, port: u16) -> anyhow::Result<&mut Vec<Client>> {
        Ok(&mut self.served.get_mut(&port).context("nobody serves this port")?.clients)
    }
}

impl Served {
    fn start(port: u16, clients: usize, cpus: &Halves) -> anyhow::Result<Self> {
        let options = ServerOptions {
            listen: (Ipv4Addr::LOCALHOST, port).into(),
            row_bytes: ROW_BYTES,
            max_connections: clients,
            ..ServerOptions::default()
        };
        // Its threads inherit the CPUs.
        let server = cpus.as_server(|| Server::start(options, ObservationClock::new()?, |_| {}))?;
        let connect = |_| {
            let mut client = Client::connect(server.address(), &ClientOptions::default())?;
            ask(&mut client, Mix::Queries)?;
            Ok(client)
        };
        let clients = (0..clients).map(connect).collect::<Result<_, ClientError>>()?;
        Ok(Self { clients, _server: server })
    }
}

/// One query and its whole result.
fn ask(client: &mut Client, mix: Mix) -> Result<(), ClientError> {
    match mix {
        Mix::Streaming => {
            client.query(&format!("SELECT id, payload FROM readings LIMIT {STREAMED_ROWS}"))?;
            client.read_rows(STREAMED_ROWS + 1)?;
        }
        Mix::Queries => {
            client.query("SELECT id, payload FROM readings WHERE id = 1 LIMIT 1")?;
            client.read_rows(2)?;
        }
    }
    Ok(())
}

/// Does something at the beginning of each of some seconds.
fn each_second(
    seconds: u32,
    mut work: impl FnMut(u32) -> Result<(), ClientError>,
) -> Result<(), ClientError> {
    let since = Instant::now();
    for second in 0..seconds {
        work(second)?;
        let next = Duration::from_secs(u64::from(second) + 1);
        thread::sleep(next.saturating_sub(since.elapsed()));
    }
    Ok(())
}
