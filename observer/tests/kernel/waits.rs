//! A server's own waits: the one that was under way before anybody could know of it, and the one after it.

use std::net::{Ipv4Addr, TcpStream as StdStream};
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc::{pthread_kill, pthread_self};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll, ppoll};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::time::TimeSpec;
use observer::source::live::ObservationClock;
use observer_core::{SocketEventKind, SourceEvent, TimeRange, Timestamp, Vantage};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::harness::{Observed, connect, fill, listen, run};

/// The waits of which one is under way when the window is known to be closed: the first, where the host is not too busy.
const FIRST: Duration = Duration::from_millis(2500);

/// The wait after them.
const SECOND: Duration = Duration::from_secs(7);

/// Processes for which there is room (observer-ebpf/src/maps.rs).
const SERVERS: usize = 64;

/// How far two clocks may be apart that tell the same moment: the kernel's is read as the wall clock's.
const CLOCKS: Duration = Duration::from_millis(5);

/// How a server waits.
#[derive(Clone, Copy)]
enum By {
    Ppoll,
    Poll,
}

/// When it began to wait, when that was over, and whether it could write then.
struct Waited {
    began: Timestamp,
    ended: Timestamp,
    can_write: bool,
}

impl By {
    fn wait(self, socket: &StdStream, timeout: Duration, clock: ObservationClock) -> Waited {
        let mut sockets = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
        let began = clock.now();
        let ready = match self {
            Self::Ppoll => ppoll(&mut sockets, Some(TimeSpec::from_duration(timeout)), None),
            Self::Poll => poll(&mut sockets, PollTimeout::try_from(timeout).unwrap()),
        };
        Waited { began, ended: clock.now(), can_write: ready.unwrap() > 0 }
    }
}

#[test]
fn waits_in_ppoll_are_told() {
    run("waits_in_ppoll_are_told", waits_are_told(By::Ppoll));
}

#[test]
fn waits_in_poll_are_told() {
    run("waits_in_poll_are_told", waits_are_told(By::Poll));
}

async fn waits_are_told(by: By) {
    let clock = ObservationClock::new().unwrap();
    let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
    let mut told = Observed::start(&listener).await;
    let (mut client, server) = connect(&listener).await;
    fill(&server).await;
    let server = server.into_std().unwrap();
    let (is_told, has_been_told) = std::sync::mpsc::channel();
    let server = tokio::task::spawn_blocking(move || {
        let mut first = Vec::new();
        while has_been_told.try_recv().is_err() {
            first.push(by.wait(&server, FIRST, clock));
        }
        let second = by.wait(&server, SECOND, clock);
        (server, first, second)
    });
    told.until_told(Vantage::Server, "a first wait", |kind| timeout_of(kind) == Some(FIRST)).await;
    is_told.send(()).unwrap();
    told.until_told(Vantage::Server, "the second wait", |kind| timeout_of(kind) == Some(SECOND)).await;
    let reads = clock.now();
    let mut everything = vec![0; 1 << 20];
    while client.read(&mut everything).await.unwrap() > 0 {
        let is_over = told.sockets().any(|event| is_end(&event.kind, false));
        if is_over || server.is_finished() {
            break;
        }
    }
    let (_server, first, second) = server.await.unwrap();
    assert!(first.iter().all(|wait| !wait.can_write) && second.can_write);
    let ended = told.until_told(Vantage::Server, "the end of the second", |kind| is_end(kind, false)).await;
    meets("the end of the second", at(ended), reads, second.ended);
    let up = told.until_told(Vantage::Server, "the end of the first", |kind| is_end(kind, true)).await;
    // The kernel is asked to wait after the one stamp, and has waited before the other.
    let first = first.iter().find(|wait| up <= wait.ended + CLOCKS).unwrap();
    meets("the end of the first", at(up), first.began + FIRST, first.ended);

    let since = |timeout| told.sockets().find_map(|event| since_of(&event.kind, timeout)).unwrap();
    let (before, after) = (since(FIRST), since(SECOND));
    meets("the start of the first", before, first.began, first.ended - FIRST);
    assert_eq!(after.earliest, after.latest, "it began while it was followed");
    meets("the start of the second", after, second.began, reads);
}

/// More servers than there is room for: it is said, once.
#[test]
fn servers_whose_waits_cannot_be_followed_are_told() {
    run("servers_whose_waits_cannot_be_followed_are_told", async {
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let mut told = Observed::start(&listener).await;
        let (mut clients, mut servers) = (Vec::new(), Vec::new());
        for _ in 0..=SERVERS {
            let (client, server) = connect(&listener).await;
            // More than the client has room for.
            server.try_write(&vec![b'r'; 200_000]).unwrap();
            clients.push(client);
            servers.push(Heir::of(server));
        }
        let of_more = |event: &SourceEvent| match event {
            SourceEvent::Degraded { part, because, .. } if part == "waits of more servers" => {
                Some(because.clone())
            }
            _ => None,
        };
        let because = told.until("what is missing", |told| told.source_events().find_map(of_more)).await;
        let all = format!("{} server processes stand still, of {SERVERS} ", SERVERS + 1);
        assert!(because.contains(&all), "{because}");
        told.end().await;
        assert_eq!(told.source_events().filter_map(of_more).count(), 1);
    });
}

/// A process that has a server's socket, alone; it ends with this.
struct Heir(std::process::Child);

impl Heir {
    fn of(socket: TcpStream) -> Self {
        let socket = OwnedFd::from(socket.into_std().unwrap());
        Self(Command::new("sleep").arg("1000").stdin(socket).spawn().unwrap())
    }
}

impl Drop for Heir {
    fn drop(&mut self) {
        // It sleeps, unless somebody else has killed it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What stops a server for a moment, a debugger or the suspend of its host, interrupts its wait; so does a signal that it
/// handles. The kernel begins the wait again with the rest of its time, which is what the thread here does by itself.
#[test]
fn a_wait_that_is_interrupted_goes_on() {
    run("a_wait_that_is_interrupted_goes_on", async {
        extern "C" fn handle(_: i32) {}
        let handler = SigAction::new(SigHandler::Handler(handle), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler does nothing.
        unsafe { sigaction(Signal::SIGUSR1, &handler) }.unwrap();
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let mut told = Observed::start(&listener).await;
        let (mut client, server) = connect(&listener).await;
        fill(&server).await;
        let server = server.into_std().unwrap();
        let (thread, waits) = tokio::sync::oneshot::channel();
        let server = tokio::task::spawn_blocking(move || {
            let mut sockets = [PollFd::new(server.as_fd(), PollFlags::POLLOUT)];
            let began = Instant::now();
            // SAFETY: it has no arguments.
            thread.send(unsafe { pthread_self() }).unwrap();
            let mut interrupted = 0;
            loop {
                let rest = SECOND.saturating_sub(began.elapsed());
                match ppoll(&mut sockets, Some(TimeSpec::from_duration(rest)), None) {
                    Err(Errno::EINTR) => interrupted += 1,
                    ready => break (interrupted, ready.unwrap()),
                }
            }
        });
        let is_it = |kind: &SocketEventKind| timeout_of(kind).is_some_and(|timeout| timeout <= SECOND);
        told.until_told(Vantage::Server, "the wait", is_it).await;
        // SAFETY: the thread waits until its client reads.
        assert_eq!(unsafe { pthread_kill(waits.await.unwrap(), Signal::SIGUSR1 as i32) }, 0);
        let again = |told: &Observed| {
            told.sockets().filter(|event| is_it(&event.kind)).nth(1).and_then(|event| timeout_of(&event.kind))
        };
        let timeout = told.until("the wait once more", again).await;
        assert!(timeout + Duration::from_millis(20) >= SECOND, "{timeout:?}");
        assert!(told.sockets().all(|event| !is_end(&event.kind, false)), "{:#?}", told.events);
        let mut everything = vec![0; 1 << 20];
        while client.read(&mut everything).await.unwrap() > 0 && !server.is_finished() {}
        assert_eq!(server.await.unwrap(), (1, 1));
        told.until_told(Vantage::Server, "its end", |kind| is_end(kind, false)).await;
    });
}

fn timeout_of(kind: &SocketEventKind) -> Option<Duration> {
    if let SocketEventKind::ServerWaits { timeout, process, .. } = kind {
        assert_eq!(process.pid, std::process::id());
        Some(*timeout)
    } else {
        None
    }
}

fn since_of(kind: &SocketEventKind, wanted: Duration) -> Option<TimeRange> {
    match kind {
        SocketEventKind::ServerWaits { since, timeout, .. } if *timeout == wanted => *since,
        _ => None,
    }
}

fn is_end(kind: &SocketEventKind, up: bool) -> bool {
    matches!(kind, SocketEventKind::ServerWaitEnds { timed_out } if *timed_out == up)
}

fn at(moment: Timestamp) -> TimeRange {
    TimeRange { earliest: moment, latest: moment }
}

/// What was told can be the truth, which was between these two, however long a thread of a busy host waited for a CPU.
fn meets(what: &str, told: TimeRange, earliest: Timestamp, latest: Timestamp) {
    let can_be = told.earliest <= latest + CLOCKS && earliest <= told.latest + CLOCKS;
    assert!(can_be, "{what} was told as {told:?}, in truth it was between {earliest} and {latest}");
}
