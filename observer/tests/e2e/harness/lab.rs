//! Two hosts and a cable: network namespaces joined by a veth pair, each with a cgroup of its own.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use nix::sched::{CloneFlags, setns};

use super::names::name;
use super::process::{PATIENCE, run};

/// Numbers of the labs of this run: no two share a name, an address or a port. Runs at the same time do not either,
/// as far as their process ids make that possible.
static NUMBER: AtomicU8 = AtomicU8::new(1);

/// The place of one case, gone when it is dropped.
pub(crate) struct Lab {
    /// Where the applications run.
    pub(crate) client: Side,
    /// Where the server runs; `None` when that is the same host.
    server: Option<Side>,
    /// A port for a server, nobody else's; `port + 1` is free as well.
    pub(crate) port: u16,
}

impl Lab {
    /// Client and server on two hosts.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let client = Side::new(number, 2)?;
        let server = Side::new(number, 1)?;
        ip(&format!(
            "link add {} netns {} type veth peer name {} netns {}",
            client.device, client.name, server.device, server.name
        ))?;
        client.configure()?;
        server.configure()?;
        Ok(Self { client, server: Some(server), port: port(number) })
    }

    /// Client and server on one host, where they talk over the loopback device.
    pub(crate) fn one_host() -> anyhow::Result<Self> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut host = Side::new(number, 1)?;
        (host.device, host.v4, host.v6) = ("lo".to_owned(), Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
        ip(&format!("-n {} link set lo up", host.name))?;
        Ok(Self { client: host, server: None, port: port(number) })
    }

    /// Another host with a cable of its own to the server's, whose processes are in a cgroup called `unit`; and the
    /// server's address as seen from there.
    pub(crate) fn another_client(&self, unit: &str) -> anyhow::Result<(Side, SocketAddr)> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut client = Side::new(number, 2)?;
        client.enter_cgroup(unit)?;
        let (server, device, (v4, v6)) = (&self.server().name, device(number, 1), addresses(number, 1));
        ip(&format!(
            "link add {} netns {} type veth peer name {device} netns {server}",
            client.device, client.name
        ))?;
        client.configure()?;
        configure(server, &device, v4, v6)?;
        Ok((client, (v4, self.port).into()))
    }

    /// Where the server runs.
    pub(crate) fn server(&self) -> &Side {
        self.server.as_ref().unwrap_or(&self.client)
    }

    /// The server's address.
    pub(crate) fn address(&self) -> SocketAddr {
        (self.server().v4, self.port).into()
    }

    /// The server's IPv6 address.
    pub(crate) fn address_v6(&self) -> SocketAddr {
        (self.server().v6, self.port).into()
    }
}

/// Below the ports that the kernel gives to clients: room for 100 labs of each of 100 runs, two ports a lab.
fn port(number: u8) -> u16 {
    assert!(number < 100, "more labs than ports");
    12_000 + 200 * run_number(100) + 2 * u16::from(number)
}

/// This run, as a number less than `runs`.
fn run_number(runs: u16) -> u16 {
    u16::try_from(std::process::id() % u32::from(runs)).unwrap_or_default()
}

/// The device of a host. Such names have 15 bytes at most.
fn device(number: u8, host: u8) -> String {
    format!("ob{}n{number}h{host}", std::process::id())
}

/// The addresses of a host.
fn addresses(number: u8, host: u8) -> (Ipv4Addr, Ipv6Addr) {
    let run = run_number(256);
    (
        Ipv4Addr::new(10, run.to_le_bytes()[0], number, host),
        Ipv6Addr::new(0xfd77, 0, run, u16::from(number), 0, 0, 0, u16::from(host)),
    )
}

/// One host.
pub(crate) struct Side {
    name: String,
    /// Its network device.
    pub(crate) device: String,
    v4: Ipv4Addr,
    v6: Ipv6Addr,
    cgroup: PathBuf,
}

impl Side {
    fn new(number: u8, host: u8) -> anyhow::Result<Self> {
        let name = name(&format!("{number}-{host}"));
        let cgroup = cgroup_root()?.join(&name);
        let (v4, v6) = addresses(number, host);
        let side = Self { device: device(number, host), v4, v6, cgroup, name };
        fs::create_dir(&side.cgroup)
            .with_context(|| format!("making the cgroup {}", side.cgroup.display()))?;
        ip(&format!("netns add {}", side.name))?;
        Ok(side)
    }

    /// Puts the processes of this host in a cgroup within its own.
    fn enter_cgroup(&mut self, unit: &str) -> anyhow::Result<()> {
        self.cgroup.push(unit);
        fs::create_dir(&self.cgroup).with_context(|| format!("making the cgroup {}", self.cgroup.display()))
    }

    fn configure(&self) -> anyhow::Result<()> {
        configure(&self.name, &self.device, self.v4, self.v6)
    }

    /// Its address in the family of `peer`.
    pub(crate) fn address(&self, peer: SocketAddr) -> IpAddr {
        if peer.is_ipv4() { self.v4.into() } else { self.v6.into() }
    }

    /// The cgroup that holds every process of [`command`](Self::command).
    pub(crate) fn cgroup(&self) -> &Path {
        &self.cgroup
    }

    /// Plugs its cable in, or out.
    pub(crate) fn set_link(&self, up: bool) -> anyhow::Result<()> {
        ip(&format!("-n {} link set {} {}", self.name, self.device, if up { "up" } else { "down" }))
    }

    /// Sets a variable of its network stack, as `net.ipv4.NAME`.
    pub(crate) fn set(&self, name: &str, value: &str) -> anyhow::Result<()> {
        let path = Path::new("/proc/sys/net/ipv4").join(name);
        // It is that of the thread that opens it.
        self.within(|| fs::write(&path, value).with_context(|| format!("writing {}", path.display())))
    }

    /// Whether there is a TCP socket of this port with `peer`, with or without an owner.
    pub(crate) fn has_socket(&self, port: u16, peer: SocketAddr) -> anyhow::Result<bool> {
        Ok(self.socket(port, peer)?.is_some())
    }

    /// The TCP socket of this port with `peer`, if there is one, with or without an owner: its state as `ss` calls it, and
    /// the bytes it has yet to send or to see acknowledged.
    pub(crate) fn socket(&self, port: u16, peer: SocketAddr) -> anyhow::Result<Option<(String, u64)>> {
        let filter = format!("sport = :{port} and dport = :{}", peer.port());
        let sockets = self.command("ss").args(["-tnH", &filter]).output().context("starting ss")?;
        ensure!(sockets.status.success(), "ss: {}", String::from_utf8_lossy(&sockets.stderr));
        let text = String::from_utf8(sockets.stdout).context("reading what ss says")?;
        let mut words = text.split_whitespace();
        let Some(state) = words.next() else { return Ok(None) };
        let queued = words.nth(1).and_then(|queued| queued.parse().ok());
        Ok(Some((state.to_owned(), queued.with_context(|| format!("Send-Q in {text:?}"))?)))
    }

    /// Deletes its network namespace, which goes when the last of its processes and sockets has gone.
    pub(crate) fn delete(&self) -> anyhow::Result<()> {
        ip(&format!("netns delete {}", self.name))
    }

    /// Deletes its cgroup, once its last process has left.
    pub(crate) fn delete_cgroup(&self) -> anyhow::Result<()> {
        remove_once_empty(&self.cgroup)
            .with_context(|| format!("deleting the cgroup {}", self.cgroup.display()))
    }

    /// A command that runs `program` on this host. It does not outlive the test.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"echo $$ > "$0/cgroup.procs" && exec "$@""#])
            .arg(&self.cgroup)
            .arg("nsenter")
            .arg(format!("--net={}", self.namespace().display()))
            .args(["setpriv", "--pdeathsig", "KILL"])
            .arg(program);
        command
    }

    /// Runs `work` in a thread of this process that is on this host: the sockets it makes are there.
    pub(crate) fn within<T: Send>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        let namespace = self.namespace();
        thread::scope(|scope| {
            let thread = scope.spawn(move || {
                let file =
                    fs::File::open(&namespace).with_context(|| format!("opening {}", namespace.display()))?;
                setns(file, CloneFlags::CLONE_NEWNET).context("entering a network namespace")?;
                work()
            });
            thread.join().map_err(|_| anyhow!("a thread of the test panicked"))?
        })
    }

    fn namespace(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // Both fail only when a step of `new` did; what is left over then is empty.
        let _ = cgroup_root().map(|root| remove_cgroup(&root.join(&self.name)));
        let _ = ip(&format!("netns delete {}", self.name));
    }
}

/// Gives a device in a network namespace its addresses.
fn configure(namespace: &str, device: &str, v4: Ipv4Addr, v6: Ipv6Addr) -> anyhow::Result<()> {
    ip(&format!("-n {namespace} address add {v4}/24 dev {device}"))?;
    // Without duplicate address detection the address can be used at once.
    ip(&format!("-n {namespace} address add {v6}/64 dev {device} nodad"))?;
    ip(&format!("-n {namespace} link set {device} up"))
}

/// Removes a cgroup and those within it, with every process in them.
pub(super) fn remove_cgroup(cgroup: &Path) {
    // Since Linux 5.14; before, what has not ended by itself keeps its cgroup.
    let _ = fs::write(cgroup.join("cgroup.kill"), "1");
    let within = fs::read_dir(cgroup).into_iter().flatten().flatten();
    for path in within.map(|entry| entry.path()).filter(|path| path.is_dir()).chain([cgroup.to_owned()]) {
        let _ = remove_once_empty(&path);
    }
}

/// Removes a cgroup once its last process has left.
fn remove_once_empty(cgroup: &Path) -> io::Result<()> {
    let since = Instant::now();
    loop {
        match fs::remove_dir(cgroup) {
            // A process that was killed is on its way out; nothing but the end of the waiting tells.
            Err(error) if error.kind() == ErrorKind::ResourceBusy && since.elapsed() < PATIENCE => {
                thread::sleep(Duration::from_millis(10));
            }
            done => return done,
        }
    }
}

fn ip(arguments: &str) -> anyhow::Result<()> {
    run(Command::new("ip").args(arguments.split(' ')))
}

/// Where cgroup v2 is mounted.
pub(crate) fn cgroup_root() -> anyhow::Result<PathBuf> {
    mounts_of(&["cgroup2"])?.into_iter().next().context("cgroup v2 is not mounted")
}

/// Where each hierarchy of cgroups is mounted, of either version.
pub(super) fn cgroup_hierarchies() -> anyhow::Result<Vec<PathBuf>> {
    mounts_of(&["cgroup", "cgroup2"])
}

/// Where file systems of these kinds are mounted (proc_pid_mountinfo(5)).
fn mounts_of(kinds: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("reading /proc/self/mountinfo")?;
    let place = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let is_one = kinds.contains(&after.split(' ').next()?);
        is_one.then(|| before.split(' ').nth(4).map(PathBuf::from))?
    };
    Ok(mounts.lines().filter_map(place).collect())
}
