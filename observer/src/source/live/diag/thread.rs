//! The thread that polls, and how it is told what to do.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use nix::time::{ClockId, clock_gettime};
use observer_core::{Event, EventKind, SourceEvent};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::namespaces::Home;
use super::poller::{Poll, Poller};
use super::request::MAX_PORTS;
use super::scope::Scope;
use super::sweep::Sweep;
use crate::source::live::duty::{self, Duty};
use crate::source::live::owners::{Asker, Asks};
use crate::source::live::{Cgroup, ObservationClock};

/// Polls are never closer together than this, however often they are asked for.
const SHORTEST_PERIOD: Duration = Duration::from_millis(20);

/// A poll is followed by at least this many times as much rest as it took of CPU time: it never takes more than a tenth
/// of one CPU. The time it waited for a CPU does not count: on a busy host polls are not to become rare.
const REST: u32 = 9;

/// What to poll, and how often.
#[derive(Clone, Debug)]
pub struct DiagOptions {
    /// The MySQL ports: sockets with one of them at either end are reported. At most 1024.
    pub ports: Vec<u16>,
    /// The cgroup whose sockets are reported, with those of all cgroups below it; `None` for the whole host.
    pub cgroup: Option<PathBuf>,
    /// The time from the beginning of one poll to the beginning of the next, at least 20 ms. One second is a good
    /// start.
    pub period: Duration,
    /// Stamps the events.
    pub clock: ObservationClock,
}

/// The running source. It stops when the handle is dropped, within the poll that is under way.
#[derive(Debug)]
pub struct DiagHandle {
    wishes: Arc<Wishes>,
    /// Wakes the thread; closing it ends the thread.
    bell: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread is asked to do when the bell rings.
#[derive(Debug)]
struct Wishes {
    period_micros: AtomicU64,
    poll_now: AtomicBool,
    count_all: AtomicBool,
}

/// Starts a thread that polls at once and then every period, and sends one batch of events for each poll.
///
/// The thread never waits for room in `events`: a poll for which there is none is left out, and the next one tells
/// what has changed since. Being closed, `events` ends the thread.
///
/// # Errors
///
/// When there are no ports or too many, when the cgroup is none, when `/proc` cannot be read or when no thread can be
/// started. Everything that may come right later is an event instead.
pub fn spawn(options: DiagOptions, events: Sender<Vec<Event>>) -> anyhow::Result<DiagHandle> {
    spawn_told(options, None, events, |_, _| ())
}

/// The same, and has `look` see every batch before it is sent; after it, `owners` is asked whose the sockets are. With the
/// batch `look` gets the cookies of all sockets, if that was [asked for](DiagHandle::count_all) before the poll.
pub(in crate::source::live) fn spawn_told(
    options: DiagOptions,
    owners: Option<Asker>,
    events: Sender<Vec<Event>>,
    look: impl FnMut(&[Event], Option<HashSet<u64>>) + Send + 'static,
) -> anyhow::Result<DiagHandle> {
    let DiagOptions { ports, cgroup, period, clock } = options;
    ensure!(!ports.is_empty(), "socket diagnostics need at least one port");
    ensure!(ports.len() <= MAX_PORTS, "socket diagnostics take at most {MAX_PORTS} ports");
    let cgroup = cgroup.as_deref().map(Cgroup::at).transpose()?;
    let scope = cgroup.filter(|cgroup| !cgroup.whole_host).map(|cgroup| Scope::new(cgroup.path));
    let sweep = Sweep::new(ports, scope, clock);
    let home = Home::of_this_thread()
        .context("finding the own network namespace at /proc/thread-self/ns/net (is /proc mounted?)")?;
    let wishes = Arc::new(Wishes {
        period_micros: micros(period).into(),
        poll_now: false.into(),
        count_all: false.into(),
    });
    let (bell, rings) = sync_channel(1);
    let work = {
        let wishes = Arc::clone(&wishes);
        move |()| run(Poller::new(sweep, clock, home), clock, owners.as_ref(), &wishes, &rings, &events, look)
    };
    let thread = duty::spawn(Duty::Diag, || (), work)?;
    Ok(DiagHandle { wishes, bell: Some(bell), thread: Some(thread) })
}

impl DiagHandle {
    /// Asks for a poll of every namespace, at once. Asking again before it began is the same wish.
    pub fn poll_now(&self) {
        self.wishes.poll_now.store(true, Ordering::Relaxed);
        self.ring();
    }

    /// Asks for the cookies of all sockets there are, to be given to who looks at the batches with the first poll from now
    /// on that has seen them all: which takes permission to see every namespace.
    pub(in crate::source::live) fn count_all(&self) {
        self.wishes.count_all.store(true, Ordering::Release);
    }

    /// Sets the time between polls, from the last one on: short while connections are in trouble.
    pub fn set_period(&self, period: Duration) {
        self.wishes.period_micros.store(micros(period), Ordering::Relaxed);
        self.ring();
    }

    fn ring(&self) {
        if let Some(bell) = &self.bell {
            // Full: the bell rings already. Closed: the thread ended with its receiver of events.
            let _ = bell.try_send(());
        }
    }
}

impl Drop for DiagHandle {
    fn drop(&mut self) {
        self.bell = None;
        if let Some(thread) = self.thread.take() {
            // Its panic would have ended the program.
            let _ = thread.join();
        }
    }
}

fn micros(period: Duration) -> u64 {
    u64::try_from(period.max(SHORTEST_PERIOD).as_micros()).unwrap_or(u64::MAX)
}

fn run(
    mut poller: Poller,
    clock: ObservationClock,
    owners: Option<&Asker>,
    wishes: &Wishes,
    rings: &Receiver<()>,
    events: &Sender<Vec<Event>>,
    mut look: impl FnMut(&[Event], Option<HashSet<u64>>),
) {
    let mut took = Duration::ZERO;
    loop {
        let (started, worked) = (Instant::now(), cpu_time());
        match events.try_reserve() {
            Ok(room) => {
                let thorough = wishes.poll_now.swap(false, Ordering::Relaxed);
                let counts = wishes.count_all.load(Ordering::Acquire);
                let period = wishes.period().max(took * (REST + 1));
                match poller.poll(thorough, period) {
                    Ok(Poll { events: batch, is_whole }) => {
                        let asks = owners.map(|owners| (owners, Asks::of_sockets(&batch)));
                        let all = (counts && is_whole).then(|| poller.cookies());
                        if all.is_some() {
                            wishes.count_all.store(false, Ordering::Release);
                        }
                        look(&batch, all);
                        room.send(batch);
                        if let Some((owners, asks)) = asks {
                            owners.ask(asks);
                        }
                    }
                    Err(error) => {
                        room.send(vec![stranded(clock, &error)]);
                        return;
                    }
                }
                took = cpu_time().saturating_sub(worked);
            }
            Err(TrySendError::Full(())) => {}
            Err(TrySendError::Closed(())) => return,
        }
        if !wait(wishes, rings, started, took) {
            return;
        }
    }
}

impl Wishes {
    fn period(&self) -> Duration {
        Duration::from_micros(self.period_micros.load(Ordering::Relaxed))
    }
}

/// Waits until the next poll is due, counted from when the last one began. False when there shall be none.
fn wait(wishes: &Wishes, rings: &Receiver<()>, started: Instant, took: Duration) -> bool {
    loop {
        let period = if wishes.poll_now.load(Ordering::Relaxed) { SHORTEST_PERIOD } else { wishes.period() };
        let rest = period.max(took * (REST + 1)).saturating_sub(started.elapsed());
        match rings.recv_timeout(rest) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}

/// What this thread has had of a CPU; zero where the kernel does not tell.
pub(in crate::source::live) fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

fn stranded(clock: ObservationClock, error: &std::io::Error) -> Event {
    Event {
        at: clock.now(),
        kind: EventKind::Source(SourceEvent::Degraded {
            part: "socket diagnostics".to_owned(),
            because: format!("the thread could not come back to its own network namespace: {error}"),
            without: "unread and unsent bytes, until the next start".to_owned(),
        }),
    }
}
