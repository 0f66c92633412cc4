//! Follows how servers wait for their clients, but only while one stands still.
//!
//! ```text
//! mod      the thread that attaches the programs, and tells what waits for whom
//! owners   which process a stalled socket belongs to
//! present  waits that were under way before that
//! servers  the processes that are followed, for which there is room
//! timers   since when they were
//! writers  the sockets whose clients stand still
//! ```
//!
//! With a program at a system call every system call of the host takes a longer way. So they are attached only while the
//! socket diagnostics show a server's socket behind a closed window, and taken out a while after. A thread of its own
//! does that, as for [`reads`](super::reads).

mod owners;
mod present;
mod servers;
mod timers;
mod writers;

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aya::Ebpf;
use aya::maps::{HashMap as KernelHashMap, MapData};
use aya::programs::trace_point::TracePointLinkId;
use observer_common::{SHORT_WAIT, Wait, WaitRecord, name};
use observer_core::{Event, EventKind, Process, SocketEvent, SocketEventKind, SocketRef, TimeRange};
use tokio::sync::mpsc;

use self::owners::Owners;
use self::servers::Servers;
use self::timers::CpuClocks;
use self::writers::{MAX_WRITERS, Writer, writers};
use super::load::{Kernel, lock};
use super::surroundings;
use super::tracepoints::Tracepoint;
use crate::source::live::degradation::Degradation;
use crate::source::live::duty::{self, Duty};
use crate::source::live::{ObservationClock, tell};

/// What this is to the user, when it fails.
const PART: &str = "waits of servers";

/// And when there is no room for all of them.
const MORE: &str = "waits of more servers";

/// How long waits are followed after the last client has read on: who stopped once often stops again.
const LINGER: Duration = Duration::from_secs(5);

/// How often waits that were under way are looked for at most: of a server whose clients all move some are always over.
const LOOKS: u8 = 3;

/// What may wait for the thread; it is told again.
const WAITING: usize = 64;

/// The bytes of a wait, which aya can read without a promise of ours.
type WaitBytes = [u8; size_of::<Wait>()];

enum Message {
    /// The sockets that have data queued, as polled just now, those that stand still first; and how many of these there are
    /// no room for.
    Polled(Vec<Writer>, usize),
    /// A wait is over.
    Ended(WaitRecord),
}

/// Tells the thread what happens. It ends when the last of these is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Waits {
    thread: SyncSender<Message>,
    had_writers: bool,
}

impl Waits {
    /// Takes what it needs out of `kernel`, and starts the thread; `None` where waits cannot be followed.
    ///
    /// # Errors
    ///
    /// When the object lacks a map, or no thread can be started.
    pub(crate) fn start(
        kernel: &Kernel,
        clock: ObservationClock,
        events: mpsc::Sender<Vec<Event>>,
    ) -> anyhow::Result<Option<Self>> {
        if kernel.waits.is_empty() {
            return Ok(None);
        }
        let follower = Follower {
            ebpf: Arc::clone(&kernel.ebpf),
            tracepoints: kernel.waits.clone(),
            links: Vec::new(),
            servers: Servers::new(kernel.take_map(name::SERVERS)?.try_into()?),
            has_told_of_more: false,
            waits: kernel.take_map(name::WAITS)?.try_into()?,
            known: HashMap::new(),
            owners: Owners::default(),
            clock,
            events,
        };
        let (thread, told) = sync_channel(WAITING);
        // Where tracefs was mounted for the loader alone, it has gone with that thread.
        duty::spawn(Duty::Waits, surroundings::tracefs, move |_tracefs| follower.run(&told))?;
        Ok(Some(Self { thread, had_writers: false }))
    }

    /// What a poll of the sockets has found.
    pub(crate) fn polled(&mut self, batch: &[Event]) {
        let (writers, without) = writers(batch);
        if self.had_writers || !writers.is_empty() {
            self.had_writers = !writers.is_empty();
            self.send(Message::Polled(writers, without));
        }
    }

    /// What the programs tell.
    pub(super) fn ended(&self, record: WaitRecord) {
        self.send(Message::Ended(record));
    }

    fn send(&self, message: Message) {
        match self.thread.try_send(message) {
            // A thread that is behind is told the next time. That a wait has ended is not; then the server's socket tells, when
            // nothing is queued any more. One that has failed has said so.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

/// A wait in the map.
struct Known {
    wait: Wait,
    /// Its beginning in kernel time, where that is known.
    since: Option<(u64, u64)>,
    inode: u32,
    /// The connection, once it was told.
    told: Option<SocketRef>,
    /// How often it was looked for since it is no longer in the map: its end is on its way, or was lost.
    missed: u8,
}

impl Known {
    /// Looks missed by then were long enough for the end of a wait to come.
    const MISSED: u8 = 3;

    fn new(wait: Wait, since: Option<(u64, u64)>, inode: u32) -> Self {
        Self { wait, since, inode, told: None, missed: 0 }
    }
}

struct Follower {
    ebpf: Arc<Mutex<Ebpf>>,
    tracepoints: Vec<&'static Tracepoint>,
    /// Those that are attached.
    links: Vec<(&'static Tracepoint, TracePointLinkId)>,
    servers: Servers<KernelHashMap<MapData, u32, u8>>,
    /// Whether it was said that there are more of them than can be followed.
    has_told_of_more: bool,
    waits: KernelHashMap<MapData, u64, WaitBytes>,
    /// What of that is known, by thread and beginning.
    known: HashMap<(u64, u64), Known>,
    owners: Owners,
    clock: ObservationClock,
    events: mpsc::Sender<Vec<Event>>,
}

impl Follower {
    fn run(mut self, told: &Receiver<Message>) {
        if let Err(error) = self.follow(told) {
            let without = self.tracepoints.first().map_or("", |tracepoint| tracepoint.without);
            // Without a listener there is nobody to tell.
            let _ =
                self.events.blocking_send(vec![tell(&Degradation::new(PART, &error, without), self.clock)]);
        }
    }

    fn follow(&mut self, told: &Receiver<Message>) -> anyhow::Result<()> {
        let mut wanted_at = Instant::now();
        loop {
            let message = if self.links.is_empty() {
                told.recv().map_err(RecvTimeoutError::from)
            } else {
                told.recv_timeout(LINGER.saturating_sub(wanted_at.elapsed()))
            };
            match message {
                Ok(Message::Polled(writers, without)) => {
                    if without > 0 {
                        self.tell_of_more(&format!(
                            "{MAX_WRITERS} connections stand still on this host, and more are not looked at at once"
                        ));
                    }
                    let stalled: Vec<u32> = writers
                        .iter()
                        .filter(|writer| writer.stands_still)
                        .map(|writer| writer.inode)
                        .collect();
                    if !stalled.is_empty() {
                        self.attach()?;
                        self.follow_owners(&stalled);
                    }
                    if !self.links.is_empty() {
                        self.look(&writers);
                    }
                    if !stalled.is_empty() || self.known.values().any(|wait| wait.told.is_some()) {
                        wanted_at = Instant::now();
                    }
                }
                Ok(Message::Ended(record)) => self.ended(&record),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if !self.links.is_empty() && wanted_at.elapsed() >= LINGER {
                self.detach()?;
            }
        }
    }

    fn attach(&mut self) -> anyhow::Result<()> {
        if !self.links.is_empty() {
            return Ok(());
        }
        let mut ebpf = lock(&self.ebpf);
        for tracepoint in &self.tracepoints {
            let link = tracepoint.attach(&mut ebpf)?;
            self.links.push((tracepoint, link));
        }
        Ok(())
    }

    /// Takes the programs out, and forgets everything.
    fn detach(&mut self) -> anyhow::Result<()> {
        let mut ebpf = lock(&self.ebpf);
        for (tracepoint, link) in self.links.drain(..) {
            tracepoint.program(&mut ebpf)?.detach(link)?;
        }
        self.servers.clear();
        let left: Vec<u64> = self.waits.keys().filter_map(Result::ok).collect();
        for thread in left {
            let _ = self.waits.remove(&thread);
        }
        self.known.clear();
        self.owners.forget();
        Ok(())
    }

    /// Follows the processes of these sockets. Of one that is followed from now on, waits may be under way: they are
    /// looked for after the programs would see any that begins.
    fn follow_owners(&mut self, stalled: &[u32]) {
        let mut clocks = CpuClocks::default();
        let wanted = self.owners.of(stalled);
        for pid in wanted.iter().copied() {
            if self.servers.has(pid) {
                continue;
            }
            if !self.servers.follow(pid, &wanted) {
                self.tell_of_more(&format!(
                    "clients of {} server processes stand still, of {} the waits are followed",
                    wanted.len(),
                    self.servers.len()
                ));
                return;
            }
            self.find_present(pid, &mut clocks);
        }
    }

    /// Says once that there is no room for all.
    fn tell_of_more(&mut self, because: &str) {
        if !std::mem::replace(&mut self.has_told_of_more, true) {
            let without = self.tracepoints.first().map_or("", |tracepoint| tracepoint.without);
            let because = anyhow::anyhow!("{because}");
            self.send(vec![tell(&Degradation::new(MORE, &because, without), self.clock)]);
        }
    }

    /// Looks for the waits of a process that are under way; again where one was over before all of it was read: its thread may
    /// have been woken within the same call, which the programs do not see.
    fn find_present(&mut self, pid: u32, clocks: &mut CpuClocks) {
        for _ in 0..LOOKS {
            if self.read_present(pid, clocks) {
                return;
            }
        }
    }

    /// Whether all that were found went on until they were read.
    fn read_present(&mut self, pid: u32, clocks: &mut CpuClocks) -> bool {
        /// `BPF_NOEXIST`: a wait that has begun meanwhile counts.
        const NO_EXIST: u64 = 1;
        let present = present::of(pid);
        if present.is_empty() {
            return true;
        }
        let (timers, now) = (timers::read(), timers::now());
        let mut all = true;
        for wait in present {
            let Some(inode) = owners::inode(pid, wait.fd) else { continue };
            let since = timers::begun(&timers, wait.timeout, clocks.asleep_since(pid, wait.tid), now);
            // If not, its timer may not be among these.
            if !wait.goes_on(pid) {
                all = false;
                continue;
            }
            let thread = u64::from(pid) << 32 | u64::from(wait.tid);
            // What is not known may be long ago: it is over for the programs whenever it ends.
            let at = since.map_or(1, |(earliest, _)| earliest);
            let wait = Wait { at, timeout: wait.timeout, fd: wait.fd, interrupted: 0 };
            let bytes: WaitBytes = bytemuck::cast(wait);
            if self.waits.insert(thread, bytes, NO_EXIST).is_ok() {
                self.known.insert((thread, wait.at), Known::new(wait, since, inode));
            }
        }
        all
    }

    /// Looks which waits there are, and tells those of connections that are known.
    fn look(&mut self, writers: &[Writer]) {
        let now = timers::now();
        let there: HashMap<u64, Wait> = self
            .waits
            .iter()
            .filter_map(Result::ok)
            .map(|(thread, bytes)| (thread, bytemuck::pod_read_unaligned(&bytes)))
            .collect();
        self.known.retain(|(thread, _), known| {
            let is_there = there.get(thread) == Some(&known.wait);
            known.missed = if is_there { 0 } else { known.missed + 1 };
            known.missed < Known::MISSED
        });
        for (thread, wait) in there {
            if now.saturating_sub(wait.at) < SHORT_WAIT || self.known.contains_key(&(thread, wait.at)) {
                continue;
            }
            if let Some(inode) = owners::inode(process_of(thread), wait.fd) {
                let since = Some((wait.at, wait.at));
                self.known.insert((thread, wait.at), Known::new(wait, since, inode));
            }
        }
        let mut batch = Vec::new();
        let untold = |known: &Known| known.told.is_none() && known.missed == 0;
        for ((thread, _), known) in self.known.iter_mut().filter(|(_, known)| untold(known)) {
            let Some(writer) = writers.iter().find(|writer| writer.inode == known.inode) else { continue };
            known.told = Some(writer.socket);
            let pid = process_of(*thread);
            let comm = self.servers.name(pid);
            let time = |at| self.clock.from_kernel(at);
            let kind = SocketEventKind::ServerWaits {
                since: known
                    .since
                    .map(|(earliest, latest)| TimeRange { earliest: time(earliest), latest: time(latest) }),
                timeout: Duration::from_micros(known.wait.timeout / 1000),
                process: Process { pid, tid: Some(thread_of(*thread)), comm },
            };
            let kind = EventKind::Socket(SocketEvent { socket: writer.socket, kind });
            batch.push(Event { at: self.clock.now(), kind });
        }
        self.send(batch);
    }

    fn ended(&mut self, record: &WaitRecord) {
        let thread = u64::from(record.tgid) << 32 | u64::from(record.tid);
        let known = self.known.remove(&(thread, record.wait.at));
        if let Some(socket) = known.and_then(|known| known.told) {
            let kind = SocketEventKind::ServerWaitEnds { timed_out: record.result == 0 };
            let at = self.clock.from_kernel(record.header.at);
            self.send(vec![Event { at, kind: EventKind::Socket(SocketEvent { socket, kind }) }]);
        }
    }

    fn send(&self, batch: Vec<Event>) {
        if !batch.is_empty() {
            // Without a listener there is nobody to tell.
            let _ = self.events.blocking_send(batch);
        }
    }
}

/// The process of a `pid_tgid`.
fn process_of(thread: u64) -> u32 {
    u32::try_from(thread >> 32).unwrap_or(0)
}

/// The thread of a `pid_tgid`.
fn thread_of(thread: u64) -> u32 {
    u32::try_from(thread & u64::from(u32::MAX)).unwrap_or(0)
}
