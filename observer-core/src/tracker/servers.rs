//! What is known of a server by all of its connections: what becomes of one of them is told by the others.
//!
//! When a server dies its kernel closes all of them at one moment. mysqld shuts down in two steps (`close_connections`,
//! sql/mysqld.cc): it wakes the threads whose statements run, which say so (error 1053) and close, sleeps for two seconds,
//! and closes what is left. So the two seconds tell a shutdown where the error cannot be read, as within TLS. mariadbd
//! closes all at one moment in either case.
//!
//! That is inferred from times, and no more than likely. A host that is so busy that the kernel takes a second to close
//! the sockets of a dead server makes that look like a shutdown. A mysqld that sends its binary log to replicas waits up to
//! eight seconds longer (`dump_thread_kill_retries`): those steps are not recognised. Only what a server says itself, or
//! its own process where that can be seen, is certain.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::connection::{Connection, History, Phase, ServerFin, Siblings};
use crate::event::SocketEventKind;
use crate::flow::End;
use crate::rules::PATIENCE;
use crate::session::error_number;
use crate::time::Timestamp;

/// Servers of which the recent endings are kept: those that had the last ones.
const MOST: usize = 64;

/// How long after the last running statement was told of the shutdown the rest may end: the two seconds of mysqld, and
/// time to close many.
const SHUTDOWN: std::time::Duration = std::time::Duration::from_secs(4);

/// Where one ended so much later than another, the server lived in between. At a shutdown the idle ones end two seconds
/// after those whose statements ran, or a little less: 1.9 to 2.0 s were measured.
const GRACE: std::ops::RangeInclusive<std::time::Duration> =
    std::time::Duration::from_millis(1000)..=std::time::Duration::from_millis(2500);

/// A FIN so soon after a stall may have waited behind its data: such a connection is no witness of the moment. One that
/// reads on takes some seconds for what its server's send buffer holds; rather a witness too few than a wrong one.
const DRAINED: std::time::Duration = std::time::Duration::from_secs(10);

/// All servers.
#[derive(Clone, Debug, Default)]
pub(super) struct Servers {
    /// Connections that are open and do not stand still.
    live: HashMap<SocketAddr, u32>,
    /// The servers that ended connections lately, the last one last.
    silences: Vec<(SocketAddr, Silence)>,
}

/// Connections that a server ended without a reason of their own, since it was last known to live.
#[derive(Clone, Copy, Debug)]
struct Silence {
    first: Timestamp,
    /// The last of those whose FIN did not wait behind data: it shows when the server closed.
    last: Timestamp,
    /// How many in all.
    ended: u32,
    /// How many of them, by FINs that did not wait, within the moment of the last one.
    together: u32,
    /// The most of them within one moment.
    largest: u32,
    /// Since when that moment lasts.
    moment: Timestamp,
    /// When one of them was told of a shutdown.
    shutdown: Option<Timestamp>,
    /// Whether one was cut off within a result.
    cut: bool,
    /// A sign of life on a connection that was there before.
    lives: bool,
    /// A sign of life on a new connection.
    back: Option<Timestamp>,
}

impl Servers {
    /// Brings the count of live connections up to date after `connection` has changed.
    pub(super) fn count(&mut self, connection: &mut Connection, is_kept: bool) {
        let is_live = is_kept && connection.phase == Phase::Flowing && connection.ending().is_none();
        if is_live == std::mem::replace(&mut connection.is_live, is_live) {
            return;
        }
        let server = connection.flow.server;
        let count = self.live.entry(server).or_default();
        *count = if is_live { count.saturating_add(1) } else { count.saturating_sub(1) };
        if *count == 0 {
            self.live.remove(&server);
        }
    }

    /// The server has ended `connection` just now.
    pub(super) fn ended(&mut self, connection: &Connection) {
        let Some(history) = connection.history.as_deref() else { return };
        let Some(closing) = Closing::of(connection, history) else { return };
        let server = connection.flow.server;
        let known = self.silences.iter().position(|(address, _)| *address == server);
        let mut silence = match known.map(|known| self.silences.remove(known).1) {
            Some(silence) if !silence.is_over() || closing.was_stuck_at(silence.last) => silence,
            _ => Silence::begun(closing.at),
        };
        if !silence.is_over() {
            silence.add(closing, history);
        }
        if self.silences.len() >= MOST {
            self.silences.remove(0);
        }
        self.silences.push((server, silence));
    }

    /// Something was seen on a connection: perhaps its server lives.
    pub(super) fn heard(&mut self, at: Timestamp, connection: &Connection, kind: &SocketEventKind) {
        if self.silences.is_empty() {
            return;
        }
        let heard = match kind {
            SocketEventKind::Greeting { .. }
            | SocketEventKind::ServerError { code: error_number::CLIENT_INTERACTION_TIMEOUT } => at,
            // A server that answers COM_QUIT was there to read it.
            SocketEventKind::Fin { by: End::Server, .. }
                if connection.history.as_ref().is_some_and(|history| history.quit) =>
            {
                at
            }
            SocketEventKind::Wire(sample) if connection.ending().is_none() => {
                match sample.server.last_ack_advance {
                    Some(advance) => advance,
                    None => return,
                }
            }
            _ => return,
        };
        let server = connection.flow.server;
        let Some((_, silence)) = self.silences.iter_mut().find(|(address, _)| *address == server) else {
            return;
        };
        if heard <= silence.last + PATIENCE {
            return;
        }
        if connection.first_seen < silence.first {
            silence.lives = true;
        } else {
            silence.back.get_or_insert(heard);
        }
    }

    /// What became of the other connections of this one's server.
    pub(super) fn siblings_of(&self, connection: &Connection) -> Option<Siblings> {
        let history = connection.history.as_deref()?;
        let ended_at = history.ending?.at;
        let server = connection.flow.server;
        let open = self.live.get(&server).copied().unwrap_or(0).saturating_sub(u32::from(connection.is_live));
        let silence =
            self.silences.iter().find(|(address, _)| *address == server).map(|(_, silence)| silence);
        let closing = Closing::of(connection, history);
        let own = u32::from(closing.is_some());
        Some(match silence {
            Some(silence) => Siblings {
                ended: silence.ended.saturating_sub(own),
                at_once: silence.largest,
                open,
                alive: silence.lives || silence.back.is_some_and(|back| back.since(silence.last) < SOON),
                shutdown: silence.shutdown.is_some_and(|told| {
                    let was_stuck = closing.is_some_and(|closing| closing.was_stuck_at(told));
                    ended_at + SHUTDOWN >= told && (ended_at <= told + SHUTDOWN || was_stuck)
                }),
                cut: silence.cut,
                first: silence.first,
                back: silence.back,
            },
            None => Siblings {
                ended: 0,
                at_once: 0,
                open,
                alive: false,
                shutdown: false,
                cut: false,
                first: ended_at,
                back: None,
            },
        })
    }
}

/// A server that answers a new client this soon had not been away: after a crash it takes longer to start and recover.
const SOON: std::time::Duration = std::time::Duration::from_secs(1);

/// How the server closed a connection, when neither wait_timeout nor net_write_timeout nor the login were the reason.
#[derive(Clone, Copy, Debug)]
struct Closing {
    /// When that was seen.
    at: Timestamp,
    /// Since when its client had stood still, so that the FIN may have waited behind data; `None` if the FIN shows when
    /// the server closed.
    stuck_since: Option<Timestamp>,
    /// Whether it is a server that lets its clients wait at a shutdown.
    has_grace: bool,
}

impl Closing {
    fn of(connection: &Connection, history: &History) -> Option<Self> {
        let ending = history.ending.filter(|ending| ending.by == Some(End::Server) && !ending.reset)?;
        let explained = history.quit
            || history.fin.is_some_and(ServerFin::is_behind_a_farewell)
            || history.error.is_some_and(|(_, code)| code != error_number::SERVER_SHUTDOWN);
        let past = history.past.last.filter(|past| ending.at.since(past.over) <= DRAINED);
        let stuck =
            history.stall.map(|stall| (stall, ending.at)).or(past.map(|past| (past.stall, past.over)));
        // Its own socket shows the moment.
        let at = history.gave_up.unwrap_or(ending.at);
        let timed_out = stuck
            .is_some_and(|(stall, until)| history.gave_up.unwrap_or(until) >= stall.clock.abort().earliest);
        (!explained && !timed_out && connection.was_established()).then(|| Self {
            at,
            stuck_since: stuck.filter(|_| history.gave_up.is_none()).map(|(stall, _)| stall.since),
            has_grace: connection.greeting().is_some_and(|greeting| !greeting.resets_at_abort()),
        })
    }

    /// Whether the server may have closed it at this moment, though its FIN came later.
    fn was_stuck_at(self, at: Timestamp) -> bool {
        self.stuck_since.is_some_and(|since| since <= at)
    }
}

impl Silence {
    /// Whether the server was known to live again.
    fn is_over(&self) -> bool {
        self.lives || self.back.is_some()
    }

    fn begun(at: Timestamp) -> Self {
        Self {
            first: at,
            last: at,
            ended: 0,
            together: 0,
            largest: 0,
            moment: at,
            shutdown: None,
            cut: false,
            lives: false,
            back: None,
        }
    }

    fn add(&mut self, closing: Closing, history: &History) {
        let Closing { at, stuck_since, has_grace } = closing;
        let told = history.error.is_some_and(|(_, code)| code == error_number::SERVER_SHUTDOWN);
        if stuck_since.is_none() {
            let spared = self.ended > 0 && has_grace && GRACE.contains(&at.since(self.first));
            if at > self.first + *GRACE.end() && self.shutdown.is_none() {
                *self = Self::begun(at);
            }
            if told || spared {
                self.shutdown = self.shutdown.max(Some(at));
            }
            if !self.is_its_moment(at) {
                (self.moment, self.together) = (at, 0);
            }
            self.last = self.last.max(at);
            self.together = self.together.saturating_add(1);
            self.largest = self.largest.max(self.together);
        } else if told {
            self.shutdown = self.shutdown.max(Some(at));
        }
        self.first = self.first.min(at);
        self.ended = self.ended.saturating_add(1);
        self.cut |= !told && history.fin.and_then(|fin| fin.in_result) == Some(true);
    }

    /// Whether `at` is the moment at which the last ones ended.
    fn is_its_moment(&self, at: Timestamp) -> bool {
        at + MOMENT >= self.moment && at <= self.last.max(self.moment) + MOMENT
    }
}

/// Connections that end this close together end together: of a server that was killed they took 1 to 40 ms, on a host with
/// two CPUs and a load of ten.
const MOMENT: std::time::Duration = std::time::Duration::from_millis(100);
