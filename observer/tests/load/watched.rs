//! The observer under load, and what it takes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use observer::log::{Line, Reader};
use observer_core::{End, Event, EventKind, Finding, FindingKind, SocketEvent, SocketEventKind, Vantage};
use tempfile::TempDir;

use crate::maps;

/// How long a finding is waited for, of many at once on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Looks at what is open, of which the least counts.
const LOOKS: u32 = 10;

/// A running `observer live --plain`; killed when dropped.
pub(crate) struct Watched {
    child: Child,
    told: Arc<(Mutex<Told>, Condvar)>,
    listener: Option<JoinHandle<()>>,
    place: TempDir,
}

/// What it has said.
#[derive(Default)]
struct Told {
    /// Clients that have stopped reading.
    stalled: HashSet<SocketAddr>,
    /// Clients that have left instead of reading on.
    left: HashSet<SocketAddr>,
    /// What was lost, in its words.
    losses: Vec<String>,
}

/// What it has at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Takes {
    /// Heap and stacks, in KiB.
    pub(crate) memory: u64,
    /// Open files.
    pub(crate) files: usize,
    /// Threads.
    pub(crate) threads: usize,
    /// Entries of the kernel's maps, by name.
    pub(crate) entries: BTreeMap<&'static str, usize>,
}

impl Takes {
    /// The less of each.
    pub(crate) fn min(mut self, other: Self) -> Self {
        for (map, entries) in other.entries {
            let least = self.entries.entry(map).or_insert(entries);
            *least = entries.min(*least);
        }
        Self {
            memory: self.memory.min(other.memory),
            files: self.files.min(other.files),
            threads: self.threads.min(other.threads),
            entries: self.entries,
        }
    }
}

/// What it has written.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Connections whose beginning was seen.
    pub(crate) opened: usize,
    /// Observations lost, as far as they are counted.
    pub(crate) lost: u64,
    /// How often each client was said to have stopped reading.
    pub(crate) stalls: HashMap<SocketAddr, usize>,
}

impl Watched {
    /// Starts it and waits until it watches.
    pub(crate) fn start(port: u16, options: &[&str]) -> Self {
        let place = tempfile::tempdir().unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_observer"), "live", "--plain"]);
        command.args(["--port", &port.to_string()]).args(options);
        if !options.contains(&"--log") {
            command.arg("--log").arg(place.path().join("log"));
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut talk = BufReader::new(child.stderr.take().unwrap()).lines();
        let watches = talk.by_ref().any(|line| line.unwrap().contains("watching"));
        assert!(watches, "observer has ended: {:?}", child.wait());
        // What it says later is of no interest, but is not to fill the pipe.
        thread::spawn(move || talk.for_each(drop));
        let told = Arc::<(Mutex<Told>, Condvar)>::default();
        let listener = {
            let (told, lines) = (Arc::clone(&told), BufReader::new(child.stdout.take().unwrap()).lines());
            thread::spawn(move || lines.map_while(Result::ok).for_each(|line| hear(&told, &line)))
        };
        Self { child, told, listener: Some(listener), place }
    }

    /// Waits until it has said of all of these that they have stopped reading, and forgets that it has.
    pub(crate) fn wait_stalled(&self, clients: &[SocketAddr]) {
        self.wait_all("stalls", clients, |told| &mut told.stalled);
    }

    /// Waits until it has said of all of these that they have left instead of reading on.
    pub(crate) fn wait_left(&self, clients: &[SocketAddr]) {
        self.wait_all("ends of stalled connections", clients, |told| &mut told.left);
    }

    fn wait_all(
        &self,
        what: &str,
        clients: &[SocketAddr],
        of: impl Fn(&mut Told) -> &mut HashSet<SocketAddr>,
    ) {
        let since = Instant::now();
        let mut told = self.told.0.lock().unwrap();
        while let Some(missing) = clients.iter().find(|client| !of(&mut told).contains(client)) {
            let left = PATIENCE.checked_sub(since.elapsed());
            let found = clients.iter().filter(|client| of(&mut told).contains(client)).count();
            let left =
                left.unwrap_or_else(|| panic!("{found} of {} {what} found, not {missing}", clients.len()));
            told = self.told.1.wait_timeout(told, left).unwrap().0;
        }
        of(&mut told).clear();
    }

    /// Waits until it has said that something was lost.
    pub(crate) fn wait_loss(&self) -> String {
        let told = self.told.0.lock().unwrap();
        let (told, waited) =
            self.told.1.wait_timeout_while(told, PATIENCE, |told| told.losses.is_empty()).unwrap();
        assert!(!waited.timed_out(), "nothing was said of what was lost");
        told.losses[0].clone()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// What `/proc` tells of it.
    pub(crate) fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.child.id()))
    }

    /// What it has now.
    pub(crate) fn takes(&self) -> Takes {
        Takes {
            memory: self.status("RssAnon"),
            files: fs::read_dir(self.proc("fd")).unwrap().count(),
            threads: fs::read_dir(self.proc("task")).unwrap().count(),
            entries: maps::entries(&self.proc("fdinfo")),
        }
    }

    /// The most memory it had at any time, in KiB; what is shared with other programs counts.
    pub(crate) fn most_memory(&self) -> u64 {
        self.status("VmHWM")
    }

    /// An amount of memory in its status, in KiB.
    fn status(&self, field: &str) -> u64 {
        let status = fs::read_to_string(self.proc("status")).unwrap();
        let value =
            status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')?.strip_suffix("kB"));
        value.unwrap().trim().parse().unwrap()
    }

    /// What it has once it knows of the end of every connection but those of which `ends` are on this host.
    pub(crate) fn rest(&self, ends: usize) -> Takes {
        let since = Instant::now();
        loop {
            let takes = self.takes();
            if takes.entries["CONNECTIONS"] <= ends {
                // Each poll and each search opens files, and closes them at once.
                let looks = (0..LOOKS).map(|_| {
                    thread::sleep(Duration::from_millis(10));
                    self.takes().files
                });
                let files = looks.fold(takes.files, usize::min);
                return Takes { files, ..takes };
            }
            assert!(since.elapsed() < PATIENCE, "there are entries of connections that have ended: {takes}");
            // Of what the kernel holds nothing tells when it changes.
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it as a service manager does.
    pub(crate) fn end(&mut self) {
        self.signal(Signal::SIGTERM);
        let status = self.child.wait().unwrap();
        assert!(status.success(), "observer ended with {status}");
        self.listener.take().unwrap().join().unwrap();
    }

    /// The same, and reads what it has written.
    pub(crate) fn stop(mut self) -> Written {
        self.end();
        Written::read(File::open(self.place.path().join("log")).unwrap())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // It has ended already, or has to.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `TIME  CLIENT -> SERVER  SEVERITY  SENTENCE`.
fn hear(told: &(Mutex<Told>, Condvar), line: &str) {
    let mut parts = line.splitn(4, "  ").skip(1);
    let (addresses, sentence) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
    let client = addresses.split(' ').next().and_then(|client| client.parse().ok());
    let mut state = told.0.lock().unwrap();
    match client {
        Some(client) if sentence.contains("stopped reading") => drop(state.stalled.insert(client)),
        Some(client) if sentence.contains("reset its stalled") => drop(state.left.insert(client)),
        None if sentence.contains("lost") => state.losses.push(sentence.to_owned()),
        _ => {}
    }
    told.1.notify_all();
}

impl Written {
    fn read(log: File) -> Self {
        let mut written = Self::default();
        for line in Reader::new(BufReader::new(log)).unwrap() {
            match line.unwrap() {
                Line::Event(Event { kind: EventKind::Socket(SocketEvent { socket, kind }), .. }) => {
                    let is_opening = matches!(kind, SocketEventKind::Syn { by: End::Client, .. });
                    written.opened += usize::from(is_opening && socket.seen_at == Vantage::Client);
                }
                Line::Finding(Finding { kind: FindingKind::EventsLost { count, .. }, .. }) => {
                    written.lost += count;
                }
                Line::Finding(Finding { kind: FindingKind::Stalled { .. }, flow: Some(flow), .. }) => {
                    *written.stalls.entry(flow.client).or_default() += 1;
                }
                _ => {}
            }
        }
        written
    }
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory, files, threads, entries } = self;
        write!(f, "{memory} KiB, {files} files, {threads} threads, {entries:?}")
    }
}
