//! The source that looks at connections.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use observer::source::live::ObservationClock;
use observer::source::live::diag::{DiagHandle, DiagOptions, spawn};
use observer_core::{Event, EventKind, Flow, SocketEventKind, SocketSample, SourceEvent, Vantage};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::timeout;

pub(crate) use crate::connection::Connection;

pub(crate) const LOOPBACK_4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const LOOPBACK_6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Polls follow each other so fast that a test waits for the kernel, not for polls.
pub(crate) const FAST: Duration = Duration::from_millis(20);
/// A poll that will not come by itself.
pub(crate) const NEVER: Duration = Duration::from_hours(1);
/// How long a poll is waited for, and one that tells what was expected. Nothing takes so long unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// The inode of a socket, as its owner sees it.
pub(crate) fn inode(stream: &TcpStream) -> u32 {
    let link = fs::read_link(format!("/proc/self/fd/{}", stream.as_raw_fd())).unwrap();
    let text = link.to_str().unwrap();
    text.trim_start_matches("socket:[").trim_end_matches(']').parse().unwrap()
}

/// The source, and what it tells.
pub(crate) struct Diag {
    pub(crate) handle: DiagHandle,
    events: Receiver<Vec<Event>>,
    /// Its clock limits the waiting.
    runtime: Runtime,
}

impl Diag {
    pub(crate) fn start(port: u16, period: Duration) -> Self {
        Self::limited_to(None, port, period)
    }

    /// Only the sockets of one cgroup.
    pub(crate) fn limited_to(cgroup: Option<PathBuf>, port: u16, period: Duration) -> Self {
        let (sender, events) = channel(4);
        let clock = ObservationClock::new().unwrap();
        let handle = spawn(DiagOptions { ports: vec![port], cgroup, period, clock }, sender).unwrap();
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        Self { handle, events, runtime }
    }

    /// The next poll.
    pub(crate) fn next(&mut self) -> Vec<Event> {
        let next = async { timeout(PATIENCE, self.events.recv()).await };
        self.runtime.block_on(next).expect("the next poll did not come").expect("the source goes on")
    }

    /// Takes polls until `found` finds something in one.
    pub(crate) fn wait_for<T>(&mut self, what: &str, mut found: impl FnMut(&[Event]) -> Option<T>) -> T {
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if let Some(found) = found(&self.next()) {
                return found;
            }
        }
        panic!("{what}: not within {PATIENCE:?}")
    }

    /// Takes polls until one end gives a sample as expected. The socket's cookie comes with it.
    pub(crate) fn wait_for_sample(
        &mut self,
        what: &str,
        (flow, end): (Flow, Vantage),
        expected: impl Fn(&SocketSample) -> bool,
    ) -> (u64, SocketSample) {
        self.wait_for(what, |events| {
            samples(events, flow)
                .into_iter()
                .find(|&(seen_at, _, sample)| seen_at == end && expected(sample))
                .map(|(_, cookie, sample)| (cookie, sample.clone()))
        })
    }

    /// Takes polls until two sockets were said to be gone. Gives their cookies.
    pub(crate) fn wait_for_end(&mut self, of: Flow) -> Vec<u64> {
        let mut gone = Vec::new();
        self.wait_for("both sockets gone", |events| {
            gone.extend(destroyed(events, of));
            (gone.len() == 2).then_some(())
        });
        gone.sort_unstable();
        gone
    }
}

pub(crate) fn samples(events: &[Event], of: Flow) -> Vec<(Vantage, u64, &SocketSample)> {
    let sample = |event| match event {
        &Event { kind: EventKind::Socket(ref event), .. } if event.socket.flow == of => match &event.kind {
            SocketEventKind::Socket(sample) => {
                Some((event.socket.seen_at, event.socket.cookie.expect("a cookie"), &**sample))
            }
            _ => None,
        },
        _ => None,
    };
    events.iter().filter_map(sample).collect()
}

pub(crate) fn cookies(events: &[Event], of: Flow) -> Vec<u64> {
    let mut cookies: Vec<_> = samples(events, of).into_iter().map(|(_, cookie, _)| cookie).collect();
    cookies.sort_unstable();
    cookies
}

pub(crate) fn destroyed(events: &[Event], of: Flow) -> Vec<u64> {
    let cookie = |event: &Event| match &event.kind {
        EventKind::Socket(event) if event.socket.flow == of && event.kind == SocketEventKind::Destroyed => {
            event.socket.cookie
        }
        _ => None,
    };
    events.iter().filter_map(cookie).collect()
}

pub(crate) fn degraded(events: &[Event]) -> Vec<(&str, &str)> {
    let part = |event| match event {
        &Event { kind: EventKind::Source(SourceEvent::Degraded { ref part, ref because, .. }), .. } => {
            Some((part.as_str(), because.as_str()))
        }
        _ => None,
    };
    events.iter().filter_map(part).collect()
}

pub(crate) fn ends_with_sockets_polled(events: &[Event]) -> bool {
    matches!(events.last(), Some(Event { kind: EventKind::Source(SourceEvent::SocketsPolled { .. }), .. }))
}
