//! What a real server still does: queries, bytes and logins per second without anybody watching, with the observer, with
//! tcpdump, and with programs that do nothing in place of the observer's.

use std::fs;
use std::net::SocketAddr;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::Signal;
use nix::sys::time::TimeValLike as _;
use observer::demo::{Client, ClientError, ClientOptions, Dialect};
use serde::Serialize;
use tempfile::TempDir;

use crate::cpus::Halves;
use crate::harness::Setup;
use crate::harness::lab::{Lab, Side, cgroup_root};
use crate::harness::process::Process;
use crate::harness::server::Server;
use crate::live::Live;
use crate::noop::Noop;
use crate::progress::Progress;
use crate::statistics::Spread;

/// How long each thing goes on in one turn.
const TURN: Duration = Duration::from_millis(250);

/// What was just started or stopped has come to rest after this: the observer has looked for the sockets' owners, too.
const REST: Duration = Duration::from_millis(500);

/// Connections that ask small queries at the same time, or log in.
const ASKING: usize = 4;

const QUERIES: &str = "queries";
pub(crate) const BYTES: &str = "bytes";
/// Connections that are opened, log in, and are closed: nothing that a budget is for.
pub(crate) const LOGINS: &str = "logins";

/// The table that is read: 100,000 rows of about 210 bytes on the wire.
const TABLE: [&str; 3] = [
    "CREATE TABLE story.readings (id INT PRIMARY KEY, payload CHAR(200))",
    "SET SESSION cte_max_recursion_depth = 100000",
    "INSERT INTO story.readings WITH RECURSIVE ids (id) AS \
     (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 100000) SELECT id, REPEAT('x', 200) FROM ids",
];
const SMALL_QUERY: &str = "SELECT id, payload FROM story.readings WHERE id = 4711";
const LARGE_QUERY: &str = "SELECT id, payload FROM story.readings";

/// One thing that a server does. Lists are in the order of [`WATCHERS`].
#[derive(Debug, Serialize)]
pub(crate) struct Rate {
    /// What is counted.
    pub(crate) unit: &'static str,
    /// Who watches: nobody, `observer live --plain` on the whole host, which has both ends here, the same at the
    /// server's end alone, as on a host whose clients are elsewhere, `tcpdump -s 96 -w`, or nobody while programs
    /// that do nothing are attached where the first observer attaches its packet programs.
    pub(crate) watched_by: [&'static str; WATCHED],
    /// How many a second.
    pub(crate) per_second: [Spread; WATCHED],
    /// That by the mean of what it was with nobody watching just before and just after.
    pub(crate) ratio: [Spread; WATCHED],
    /// CPU time for each, by the same mean: of the server and its clients, what the
    /// kernel does for their packets included, and the watcher's own process not.
    pub(crate) cpu_ratio: [Spread; WATCHED],
}

/// Who watches.
#[derive(Clone, Copy)]
enum Watcher {
    Nobody,
    Observer,
    ObserverOfServer,
    Tcpdump,
    Noop,
}

/// How many there are.
const WATCHED: usize = 5;

const WATCHERS: [(&str, Watcher); WATCHED] = [
    ("nobody", Watcher::Nobody),
    ("observer, both ends", Watcher::Observer),
    ("observer, server", Watcher::ObserverOfServer),
    ("tcpdump", Watcher::Tcpdump),
    ("a no-op, both ends", Watcher::Noop),
];

/// Where the observer stands in [`WATCHERS`].
pub(crate) const BOTH_ENDS: usize = 1;
/// Where the observer of the server's end alone stands.
pub(crate) const SERVERS_END: usize = 2;

/// Measures queries and streaming in turn, round by round.
pub(crate) fn measure(rounds: u32) -> anyhow::Result<Vec<Rate>> {
    let progress = Progress::new("throughput");
    let setup = Setup::find()?;
    let lab = Lab::new()?;
    let cpus = Halves::new()?;
    let timeout = Duration::from_secs(60);
    let _server =
        cpus.as_server(|| Server::start(&setup, Dialect::MySql, lab.server(), lab.port, timeout))?;
    let place = TempDir::with_prefix("observer-bench-").context("making a temporary directory")?;
    // Or there would be no port left for those who log in (tcp(7)).
    lab.client.set("tcp_tw_reuse", "1")?;
    let mut clients = lab.client.within(|| prepare(lab.address()))?;
    let [queries, bytes] = in_turns(rounds, &progress, |watcher| {
        let watching = Watching::start(watcher, &lab, &place)?;
        let queries = Turn::take(&lab, &cpus, || ask_queries(&mut clients))?;
        let bytes = Turn::take(&lab, &cpus, || stream_bytes(&mut clients[0]))?;
        watching.stop()?;
        Ok([queries, bytes])
    })?;
    // Not between those: what has been closed stays with the kernel for a while.
    let [logins] = in_turns(rounds, &progress, |watcher| {
        let watching = Watching::start(watcher, &lab, &place)?;
        let logins = Turn::take(&lab, &cpus, || lab.client.within(|| log_in(lab.address())))?;
        watching.stop()?;
        Ok([logins])
    })?;
    Ok(vec![Rate::of(QUERIES, &queries), Rate::of(BYTES, &bytes), Rate::of(LOGINS, &logins)])
}

/// Each of [`WATCHERS`] takes its turn in each round, nobody before and after.
fn in_turns<const WORK: usize>(
    rounds: u32,
    progress: &Progress,
    mut turn: impl FnMut(Watcher) -> anyhow::Result<[Turn; WORK]>,
) -> anyhow::Result<[Vec<[Pair; WATCHED]>; WORK]> {
    let mut all = [const { Vec::new() }; WORK];
    for round in 0..rounds {
        progress.round(round, rounds);
        let mut now = [[Pair::default(); WATCHED]; WORK];
        let mut before = turn(Watcher::Nobody)?;
        for place in 0..WATCHERS.len() {
            // Each comes first in its turn.
            let number = (place + round as usize) % WATCHERS.len();
            let watched = turn(WATCHERS[number].1)?;
            let after = turn(Watcher::Nobody)?;
            for (work, pairs) in now.iter_mut().enumerate() {
                let unwatched = Turn::mean(before[work], after[work]);
                pairs[number] = Pair { watched: watched[work], unwatched };
            }
            before = after;
        }
        for (rounds, pairs) in all.iter_mut().zip(now) {
            rounds.push(pairs);
        }
    }
    Ok(all)
}

/// What was done in one turn.
#[derive(Clone, Copy, Default)]
struct Turn {
    per_second: f64,
    /// Seconds.
    cpu_each: f64,
}

/// What was done with somebody watching, and with nobody.
#[derive(Clone, Copy, Default)]
struct Pair {
    watched: Turn,
    unwatched: Turn,
}

impl Turn {
    /// What lies between two turns.
    fn mean(one: Self, other: Self) -> Self {
        Self {
            per_second: f64::midpoint(one.per_second, other.per_second),
            cpu_each: f64::midpoint(one.cpu_each, other.cpu_each),
        }
    }

    /// Measures the clients' `work`, which says how much it did.
    fn take(lab: &Lab, cpus: &Halves, work: impl FnOnce() -> anyhow::Result<f64>) -> anyhow::Result<Self> {
        let server = lab.server();
        let (since, before) = (Instant::now(), cpu_seconds(server)?);
        let done = cpus.as_client(work)?;
        let elapsed = since.elapsed().as_secs_f64();
        Ok(Self { per_second: done / elapsed, cpu_each: (cpu_seconds(server)? - before) / done })
    }
}

/// CPU time so far of this process, which is the clients, and of the server's cgroup.
fn cpu_seconds(server: &Side) -> anyhow::Result<f64> {
    let own = getrusage(UsageWho::RUSAGE_SELF).context("asking for the CPU time of the clients")?;
    let own = [own.user_time(), own.system_time()]
        .map(|time| Duration::from_micros(time.num_microseconds().unsigned_abs()));
    let path = server.cgroup().join("cpu.stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let usage = stat.lines().find_map(|line| line.strip_prefix("usage_usec ")?.parse().ok());
    let usage = usage.with_context(|| format!("finding usage_usec in {}", path.display()))?;
    Ok((own[0] + own[1] + Duration::from_micros(usage)).as_secs_f64())
}

fn connect(server: SocketAddr) -> Result<Client, ClientError> {
    Client::connect(server, &ClientOptions { user: "reader".to_owned(), ..ClientOptions::default() })
}

/// Makes the table, and the connections that everything is asked over.
fn prepare(server: SocketAddr) -> anyhow::Result<Vec<Client>> {
    let mut clients: Vec<_> = (0..ASKING).map(|_| connect(server)).collect::<Result<_, _>>()?;
    for statement in TABLE {
        clients[0].execute(statement).with_context(|| statement.to_owned())?;
    }
    // Once for the server's caches.
    read_all(&mut clients[0], LARGE_QUERY)?;
    Ok(clients)
}

fn read_all(client: &mut Client, query: &str) -> Result<(), ClientError> {
    client.query(query)?;
    client.read_rows(u64::MAX).map(drop)
}

/// Asks small queries over all connections at once; how many.
fn ask_queries(clients: &mut [Client]) -> anyhow::Result<f64> {
    at_once(clients.iter_mut().map(|client| move || read_all(client, SMALL_QUERY)))
}

/// Opens connections, as many at once, logs in and closes them; how many.
fn log_in(server: SocketAddr) -> anyhow::Result<f64> {
    at_once((0..ASKING).map(|_| move || connect(server)?.quit()))
}

/// Does each of these again and again, all at once; how often.
fn at_once<D>(doings: impl Iterator<Item = D>) -> anyhow::Result<f64>
where
    D: FnMut() -> Result<(), ClientError> + Send,
{
    let since = Instant::now();
    let counts = thread::scope(|scope| {
        let again_and_again = |mut doing: D| {
            let mut count = 0_u32;
            while since.elapsed() < TURN {
                doing()?;
                count += 1;
            }
            Ok::<_, ClientError>(count)
        };
        let threads: Vec<_> = doings.map(|doing| scope.spawn(move || again_and_again(doing))).collect();
        threads.into_iter().map(ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let mut sum = 0.0;
    for count in counts {
        sum += f64::from(count.map_err(|_| anyhow!("a thread panicked"))??);
    }
    Ok(sum)
}

/// Reads the whole table again and again; how many bytes.
fn stream_bytes(client: &mut Client) -> anyhow::Result<f64> {
    let (since, before) = (Instant::now(), client.bytes());
    while since.elapsed() < TURN {
        read_all(client, LARGE_QUERY)?;
    }
    #[expect(clippy::cast_precision_loss, reason = "it is far below 2^52")]
    let bytes = (client.bytes() - before) as f64;
    Ok(bytes)
}

/// Somebody who watches, or nobody.
enum Watching {
    Nobody,
    Observer(Live),
    Tcpdump(Process),
    /// Attached while it lives.
    Noop(#[expect(dead_code, reason = "it is kept, not asked")] Noop),
}

impl Watching {
    /// Starts it and waits until it watches and has come to rest.
    fn start(watcher: Watcher, lab: &Lab, place: &TempDir) -> anyhow::Result<Self> {
        let watching = Self::begin(watcher, lab, place)?;
        thread::sleep(REST);
        Ok(watching)
    }

    fn begin(watcher: Watcher, lab: &Lab, place: &TempDir) -> anyhow::Result<Self> {
        match watcher {
            Watcher::Nobody => Ok(Self::Nobody),
            Watcher::Observer => Ok(Self::Observer(Live::start(lab.port, None)?)),
            Watcher::ObserverOfServer => {
                Ok(Self::Observer(Live::start(lab.port, Some(lab.server().cgroup()))?))
            }
            Watcher::Tcpdump => {
                // Not on the server's side, whose CPU time is measured; the packets are the same.
                let mut command = lab.client.command("tcpdump");
                command.args(["-i", &lab.client.device, "-s", "96", "-Z", "root", "-w"]);
                command.arg(place.path().join("pcap")).arg(format!("tcp port {}", lab.port));
                let process = Process::spawn("tcpdump", &mut command)?;
                process.wait_stderr("readiness", |line| line.contains("listening on").then_some(()))?;
                Ok(Self::Tcpdump(process))
            }
            Watcher::Noop => Ok(Self::Noop(Noop::attach(&cgroup_root()?)?)),
        }
    }

    fn stop(self) -> anyhow::Result<()> {
        match self {
            Self::Nobody | Self::Noop(_) => Ok(()),
            Self::Observer(live) => live.stop(),
            Self::Tcpdump(mut process) => {
                process.signal(Signal::SIGINT)?;
                process.wait().map(drop)
            }
        }
    }
}

impl Rate {
    /// Of the turns of each round.
    fn of(unit: &'static str, rounds: &[[Pair; WATCHED]]) -> Self {
        let each: [usize; WATCHED] = std::array::from_fn(|watcher| watcher);
        let spread = |of: &dyn Fn(Pair) -> f64| {
            each.map(|watcher| Spread::of(rounds.iter().map(|pairs| of(pairs[watcher])).collect()))
        };
        Self {
            unit,
            watched_by: WATCHERS.map(|(name, _)| name),
            per_second: spread(&|pair| pair.watched.per_second),
            ratio: spread(&|pair| pair.watched.per_second / pair.unwatched.per_second),
            cpu_ratio: spread(&|pair| pair.watched.cpu_each / pair.unwatched.cpu_each),
        }
    }
}
