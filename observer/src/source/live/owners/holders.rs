//! Which sockets are to be looked for, and what was told of their owners.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use observer_core::{Event, EventKind, Owner, Owners, SocketEvent, SocketEventKind, SocketRef, SourceEvent};

use super::asks::Ask;
use super::process::Processes;
use super::search::{Found, search};
use crate::privilege::{Capabilities, Capability};
use crate::source::live::ObservationClock;

/// Sockets that are remembered, at most. Beyond it all are forgotten, and learnt again as they are told.
const MAX_SOCKETS: usize = 65_536;

/// Sockets told after one search, at most; the others wait for the next one.
const AT_ONCE: usize = 4096;

/// A socket that stands still is looked for again so long after it was.
const RENEWED: Duration = Duration::from_secs(10);

/// The start of a process is told in ticks, and as the distance of two clocks.
const TICK: Duration = Duration::from_millis(20);

/// The sockets by cookie, and the processes that are known to have them.
pub(super) struct Holders {
    clock: ObservationClock,
    processes: Processes,
    /// In boxes, as a table has room for up to twice as many.
    sockets: HashMap<u64, Box<Socket>>,
    /// How many of them are to be looked for.
    wanted: usize,
    /// Whether it was told that some cannot be found.
    told_hidden: bool,
}

struct Socket {
    reference: SocketRef,
    inode: u32,
    uid: u32,
    /// The process that read last.
    reader: Option<u32>,
    /// Whether it is to be looked for.
    wanted: bool,
    /// When it was looked for.
    searched: Option<Instant>,
    told: Option<Owners>,
}

impl Socket {
    /// Whether to look for it from now on; that nothing changes is left to who counts.
    fn is_due(&self, stands_still: bool) -> bool {
        // The socket of no process is an orphan.
        self.inode != 0 && self.searched.is_none_or(|searched| stands_still && searched.elapsed() >= RENEWED)
    }
}

impl Holders {
    pub(super) fn new(clock: ObservationClock) -> Self {
        let processes = Processes::new(clock);
        Self { clock, processes, sockets: HashMap::new(), wanted: 0, told_hidden: false }
    }

    /// Whether there is anything to look for.
    pub(super) fn wants_search(&self) -> bool {
        self.wanted > 0
    }

    /// Takes what is asked, and tells what is known at once: who opened a connection, if that `may_read` `/proc`.
    pub(super) fn take(&mut self, ask: Ask, may_read: bool) -> Option<Event> {
        match ask {
            Ask::Opened { socket, pid, at } if may_read => {
                let opener = self.processes.read(pid)?;
                // It may have ended, and another have its number.
                if opener.started_at > at + TICK {
                    return None;
                }
                let owners = Owners { processes: vec![opener], ..Owners::default() };
                return Some(self.tell(socket, owners));
            }
            Ask::Opened { .. } => {}
            Ask::Read { cookie, pid } => {
                if let Some(socket) =
                    self.sockets.get_mut(&cookie).filter(|socket| socket.reader != Some(pid))
                {
                    socket.reader = Some(pid);
                    let is_told = socket.told.as_ref().is_some_and(|told| told.process(pid).is_some());
                    if !is_told && socket.inode != 0 && !std::mem::replace(&mut socket.wanted, true) {
                        self.wanted += 1;
                    }
                }
            }
            Ask::Seen { cookie, socket, inode, uid, stands_still } => {
                if self.sockets.len() >= MAX_SOCKETS && !self.sockets.contains_key(&cookie) {
                    self.sockets.clear();
                    self.wanted = 0;
                }
                let known = self.sockets.entry(cookie).or_insert_with(|| {
                    Box::new(Socket {
                        reference: socket,
                        inode,
                        uid,
                        reader: None,
                        wanted: false,
                        searched: None,
                        told: None,
                    })
                });
                known.inode = inode;
                if known.is_due(stands_still) && !std::mem::replace(&mut known.wanted, true) {
                    self.wanted += 1;
                }
            }
            Ask::Gone { cookie } => {
                let gone = self.sockets.remove(&cookie);
                self.wanted -= usize::from(gone.is_some_and(|socket| socket.wanted));
            }
        }
        None
    }

    /// Looks for all that are to be looked for, and tells what is news.
    pub(super) fn search(&mut self, events: &mut Vec<Event>) {
        let wanted = self.sockets.values().filter(|socket| socket.wanted).take(AT_ONCE);
        let inodes: HashSet<u32> = wanted.map(|socket| socket.inode).collect();
        let found = search(&inodes);
        let mut known = HashMap::new();
        let mut not_found = false;
        let mut news = Vec::new();
        // The same ones: nothing has changed their order.
        for socket in self.sockets.values_mut().filter(|socket| socket.wanted).take(AT_ONCE) {
            socket.wanted = false;
            self.wanted -= 1;
            socket.searched = Some(Instant::now());
            let owners = owners(socket, &found, &mut self.processes, &mut known);
            not_found |= owners.processes.is_empty();
            if socket.told.as_ref() != Some(&owners) {
                socket.told = Some(owners.clone());
                news.push((socket.reference, owners));
            }
        }
        for (socket, owners) in news {
            let event = self.tell(socket, owners);
            events.push(event);
        }
        if not_found && found.hidden > 0 && !may_see_all() && !std::mem::replace(&mut self.told_hidden, true)
        {
            let kind = EventKind::Source(SourceEvent::Degraded {
                part: "owners of sockets".to_owned(),
                because: format!(
                    "to see the open files of {} of the processes needs {}",
                    found.hidden,
                    Capability::SysPtrace
                ),
                without: "which of the processes of other users has a connection open".to_owned(),
            });
            events.push(Event { at: self.clock.now(), kind });
        }
    }

    fn tell(&self, socket: SocketRef, owners: Owners) -> Event {
        let kind = SocketEventKind::Owners(Box::new(owners));
        Event { at: self.clock.now(), kind: EventKind::Socket(SocketEvent { socket, kind }) }
    }
}

/// Whether processes that hide their files belong to a machine around this one, which has no say here.
fn may_see_all() -> bool {
    let both = [Capability::SysPtrace, Capability::DacReadSearch];
    Capabilities::effective().is_ok_and(|set| both.into_iter().all(|one| set.has(one)))
}

/// The owners of a socket, the one that reads first. What is read of a process is `known` for the next socket.
fn owners(
    socket: &Socket,
    found: &Found,
    processes: &mut Processes,
    known: &mut HashMap<u32, Option<Arc<Owner>>>,
) -> Owners {
    let (pids, beyond) = found.of(socket.inode);
    let mut pids = pids.to_vec();
    // The sort is stable: the others stay in their order.
    pids.sort_by_key(|pid| Some(*pid) != socket.reader);
    let mut owners = Owners {
        uid: Some(socket.uid),
        user: processes.user(socket.uid),
        processes: Vec::new(),
        more: beyond
            .saturating_add(u32::try_from(pids.len().saturating_sub(Owners::MAX)).unwrap_or(u32::MAX)),
    };
    let told = pids.iter().take(Owners::MAX);
    owners
        .processes
        .extend(told.filter_map(|pid| known.entry(*pid).or_insert_with(|| processes.read(*pid)).clone()));
    // Users of a container are not those of this host.
    if owners.processes.first().is_some_and(|owner| owner.container.is_some()) {
        owners.user = None;
    }
    owners
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd as _;

    use observer_core::{Flow, Timestamp, Vantage};

    use super::*;

    fn socket() -> SocketRef {
        let flow = Flow { client: ([127, 0, 0, 1], 7).into(), server: ([127, 0, 0, 1], 3306).into() };
        SocketRef { flow, seen_at: Vantage::Client, cookie: Some(1) }
    }

    fn seen(inode: u32, stands_still: bool) -> Ask {
        Ask::Seen { cookie: 1, socket: socket(), inode, uid: 0, stands_still }
    }

    fn told(event: &Event) -> &Owners {
        let EventKind::Socket(SocketEvent { kind: SocketEventKind::Owners(owners), .. }) = &event.kind else {
            panic!("{event:?}")
        };
        owners
    }

    #[test]
    fn a_socket_is_looked_for_once_and_told_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let link = std::fs::read_link(format!("/proc/self/fd/{}", stream.as_raw_fd())).unwrap();
        let inode = link.to_str().unwrap()[8..].trim_end_matches(']').parse().unwrap();
        let mut holders = Holders::new(ObservationClock::new().unwrap());
        assert!(!holders.wants_search());
        assert_eq!(holders.take(seen(inode, false), true), None);
        assert!(holders.wants_search());
        let mut events = Vec::new();
        holders.search(&mut events);
        let own = told(&events[0]).process(std::process::id()).unwrap().clone();
        assert!(own.started_at <= holders.clock.now());
        for stands_still in [false, true] {
            holders.take(seen(inode, stands_still), true);
            assert!(!holders.wants_search(), "so soon");
        }
        // Who reads it is known already, then another reads.
        holders.take(Ask::Read { cookie: 1, pid: std::process::id() }, true);
        assert!(!holders.wants_search());
        holders.take(Ask::Read { cookie: 1, pid: u32::MAX }, true);
        assert!(holders.wants_search());
        holders.search(&mut events);
        assert_eq!(events.len(), 1, "nothing is new");
        holders.take(Ask::Gone { cookie: 1 }, true);
        holders.take(seen(0, true), true);
        assert!(!holders.wants_search(), "an orphan has no owner");
    }

    #[test]
    fn an_opener_is_told_at_once_unless_another_has_its_number_by_now() {
        let clock = ObservationClock::new().unwrap();
        let mut holders = Holders::new(clock);
        let pid = std::process::id();
        let opened = |at| Ask::Opened { socket: socket(), pid, at };
        let event = holders.take(opened(clock.now()), true).unwrap();
        assert_eq!(told(&event).processes[0].process.pid, pid);
        assert_eq!(holders.take(opened(Timestamp::EPOCH), true), None, "before it was started");
        assert_eq!(holders.take(opened(clock.now()), false), None, "over its share");
    }
}
