//! One namespace asked: what is new there and what is gone.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;

use netlink_packet_core::DecodeError;
use observer_core::{Event, Flow, SocketRef, Timestamp};

use super::decode::{Record, Reply};
use super::known::Known;
use super::namespaces::NamespaceId;
use super::netlink::{Answer, Netlink};
use super::request;
use super::scope::Scope;
use crate::source::live::ObservationClock;

/// Sockets that are remembered, at most, over all namespaces; each takes about a quarter of a kilobyte.
const MAX_SOCKETS: usize = 65_536;

/// The sockets of every namespace, and what there is to tell of them.
pub(super) struct Sweep {
    ports: Vec<u16>,
    clock: ObservationClock,
    /// The request.
    dump: Vec<u8>,
    /// `None` for the whole host.
    scope: Option<Scope>,
    /// Only of namespaces that have such sockets.
    known: HashMap<NamespaceId, Known>,
    news: News,
}

/// What was found since it was last told.
#[derive(Default)]
pub(super) struct News {
    /// Samples, and sockets that are gone.
    pub(super) events: Vec<Event>,
    /// Sockets left out because [`MAX_SOCKETS`] were known.
    left_out: usize,
    /// Records that were not understood, and why the last was not.
    not_understood: usize,
    reason: Option<DecodeError>,
    /// Why the sockets are not exactly those of the cgroup.
    pub(super) inexact: Option<String>,
    /// Whether an answer had gaps.
    has_gaps: bool,
}

impl News {
    /// Why not every socket is known.
    pub(super) fn missing_sockets(&self) -> Option<String> {
        if let Some(reason) = &self.reason {
            return Some(format!("{} were not understood: {reason}", self.not_understood));
        }
        (self.left_out > 0).then(|| format!("there are {} more than {MAX_SOCKETS}", self.left_out))
    }

    /// Whether every socket in the namespaces that were asked is known.
    pub(super) fn is_whole(&self) -> bool {
        !self.has_gaps && self.missing_sockets().is_none() && self.inexact.is_none()
    }
}

impl Sweep {
    /// For the sockets in `scope` with one of `ports` at either end.
    pub(super) fn new(ports: Vec<u16>, scope: Option<Scope>, clock: ObservationClock) -> Self {
        Self {
            dump: request::dump(&ports),
            ports,
            clock,
            scope,
            known: HashMap::new(),
            news: News::default(),
        }
    }

    /// Whether this namespace had sockets of ours when it was last asked.
    pub(super) fn knows(&self, namespace: NamespaceId) -> bool {
        self.known.contains_key(&namespace)
    }

    /// The cookies of all sockets that are known.
    pub(super) fn cookies(&self) -> impl Iterator<Item = u64> {
        self.known.values().flat_map(Known::cookies)
    }

    /// Takes out what there is to tell, at the end of a poll.
    pub(super) fn take_news(&mut self) -> News {
        let mut news = std::mem::take(&mut self.news);
        if let Some(scope) = &mut self.scope {
            scope.end_poll();
            news.inexact = scope.trouble();
        }
        news
    }

    /// Forgets the namespaces that are no more; their sockets can no longer be seen.
    pub(super) fn forget_all_but(&mut self, is_left: impl Fn(NamespaceId) -> bool) {
        let at = self.clock.now();
        for (_, gone) in self.known.extract_if(|id, _| !is_left(*id)) {
            self.news.events.extend(gone.forget_all(at));
        }
    }

    /// Asks the namespace the thread is in, which is `namespace`.
    ///
    /// # Errors
    ///
    /// When the kernel does not answer; what it told until then is news all the same.
    pub(super) fn ask(&mut self, namespace: NamespaceId) -> io::Result<()> {
        let mut known = self.known.remove(&namespace).unwrap_or_default();
        let asked = self.update(&mut known);
        if known.len() > 0 {
            self.known.insert(namespace, known);
        }
        asked
    }

    fn update(&mut self, known: &mut Known) -> io::Result<()> {
        let Self { ports, clock, dump, scope, known: elsewhere, news } = self;
        let room = MAX_SOCKETS.saturating_sub(elsewhere.values().map(Known::len).sum());
        let mut netlink = Netlink::open()?;
        let notsent_lowat = notsent_lowat();
        let see = |known: &mut Known, mut record: Record, at| {
            record.sample.notsent_lowat = notsent_lowat;
            see(known, record, ports, at)
        };
        known.begin_dump();
        let answer = netlink.request(
            dump,
            || clock.now(),
            |at, Reply(reply)| match reply {
                Ok(Some(record)) if known.contains(record.cookie) => {
                    news.events.extend(see(known, *record, at));
                }
                Ok(Some(record)) if scope.as_mut().is_some_and(|scope| !scope.takes(record.cgroup)) => {}
                Ok(Some(record)) if known.len() < room => {
                    news.events.extend(see(known, *record, at));
                }
                Ok(Some(_)) => news.left_out += 1,
                Ok(None) => {}
                Err(error) => {
                    news.not_understood += 1;
                    news.reason = Some(error);
                }
            },
        )?;
        news.has_gaps |= answer == Answer::Partial;
        if answer == Answer::Whole {
            // The walk through the hash table can step over a socket when another of its bucket goes away in the
            // meantime; before a socket is said to be gone, it is asked for by its name.
            for (cookie, id) in known.not_seen() {
                let at = clock.now();
                let event = match netlink.lookup(id)? {
                    Some(record) => see(known, *record, at),
                    None => known.forget(cookie, at),
                };
                news.events.extend(event);
            }
        }
        Ok(())
    }
}

/// `net.ipv4.tcp_notsent_lowat` of the network namespace the thread is in; `None` where it is not set, or not shown. A
/// socket may have a limit of its own (`TCP_NOTSENT_LOWAT`), which nothing shows; servers of MySQL set none.
fn notsent_lowat() -> Option<u32> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_notsent_lowat").ok()?;
    text.trim().parse().ok().filter(|limit| *limit < u32::MAX)
}

fn see(known: &mut Known, record: Record, ports: &[u16], at: Timestamp) -> Option<Event> {
    let local = SocketAddr::new(record.id.source_address, record.id.source_port);
    let remote = SocketAddr::new(record.id.destination_address, record.id.destination_port);
    // The kernel has filtered by the same ports; another one is none of ours.
    let (flow, end) = Flow::of_socket(local, remote, ports)?;
    let socket = SocketRef { flow, seen_at: end.into(), cookie: Some(record.cookie) };
    known.see(record, socket, at)
}
