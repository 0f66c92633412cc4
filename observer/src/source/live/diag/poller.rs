//! One poll: which namespaces are asked, and what does not work.

use std::collections::HashSet;
use std::io;
use std::time::{Duration, Instant};

use nix::libc;
use observer_core::{Event, EventKind, SourceEvent};

use super::namespaces::{Discovery, Home, Namespace, Visit};
use super::sweep::Sweep;
use super::troubles::{Part, Troubles};
use crate::source::live::ObservationClock;

/// How often namespaces are looked for, and those without sockets of ours asked again. A dump walks the hash
/// table of the whole host, whatever the namespace; a host with hundreds of quiet containers must not pay for
/// each of them at every poll.
const DISCOVERY_PERIOD: Duration = Duration::from_secs(3);

/// What came of a poll.
pub(super) struct Poll {
    /// What there is to tell.
    pub(super) events: Vec<Event>,
    /// Whether every socket of the host is known now that was there when the poll began.
    pub(super) is_whole: bool,
}

/// Everything a poll needs to remember for the next one.
pub(super) struct Poller {
    clock: ObservationClock,
    home: Home,
    /// The other namespaces, as of `discovered`.
    namespaces: Vec<Namespace>,
    discovered: Option<Instant>,
    sweep: Sweep,
    troubles: Troubles,
}

impl Poller {
    /// A poller for the calling thread's namespace, and for the others if it may enter them.
    pub(super) fn new(sweep: Sweep, clock: ObservationClock, home: Home) -> Self {
        Self { clock, home, namespaces: Vec::new(), discovered: None, sweep, troubles: Troubles::default() }
    }

    /// Asks the kernel: everywhere when `thorough` and every [`DISCOVERY_PERIOD`], otherwise where there were
    /// sockets of ours. `period` is how far apart polls are. The events end with [`SourceEvent::SocketsPolled`] if
    /// it worked.
    ///
    /// # Errors
    ///
    /// When the thread got lost in another namespace: it must not poll again.
    pub(super) fn poll(&mut self, thorough: bool, period: Duration) -> io::Result<Poll> {
        let thorough = thorough || self.discovered.is_none_or(|at| at.elapsed() >= DISCOVERY_PERIOD);
        let home = self.sweep.ask(self.home.id);
        let works = home.is_ok();
        let mut elsewhere = None;
        if works {
            if thorough {
                elsewhere = self.discover();
            }
            let refused = self.ask_others(thorough)?;
            elsewhere = elsewhere.or(refused);
        }

        let news = self.sweep.take_news();
        let is_whole = works && thorough && elsewhere.is_none() && news.is_whole();
        let now = self.clock.now();
        let missing_sockets = news.missing_sockets();
        let mut events = news.events;
        events.extend(self.troubles.note(Part::Diagnostics, home.err().map(|error| explain(&error)), now));
        if works && thorough {
            events.extend(self.troubles.note(Part::Namespaces, elsewhere, now));
        }
        events.extend(self.troubles.note(Part::Sockets, missing_sockets, now));
        events.extend(self.troubles.note(Part::Cgroups, news.inexact, now));
        if works {
            let kind = EventKind::Source(SourceEvent::SocketsPolled { period });
            events.push(Event { at: now, kind });
        }
        Ok(Poll { events, is_whole })
    }

    /// The cookies of all sockets that are known.
    pub(super) fn cookies(&self) -> HashSet<u64> {
        self.sweep.cookies().collect()
    }

    /// Looks for namespaces. What of them cannot be seen is the answer.
    fn discover(&mut self) -> Option<String> {
        self.discovered = Some(Instant::now());
        let Discovery { namespaces, incomplete } = self.home.discover();
        self.namespaces = namespaces;
        let left: HashSet<_> = self.namespaces.iter().map(|namespace| namespace.id).collect();
        self.sweep.forget_all_but(|id| id == self.home.id || left.contains(&id));
        incomplete
    }

    /// Asks the other namespaces. What of them cannot be asked is the answer.
    fn ask_others(&mut self, thorough: bool) -> io::Result<Option<String>> {
        let (mut refused, mut example) = (0, None);
        for namespace in &self.namespaces {
            if !thorough && !self.sweep.knows(namespace.id) {
                continue;
            }
            match self.home.visit(namespace, || self.sweep.ask(namespace.id)) {
                Ok(Some(Ok(()))) => {}
                // It may still be there by another process: look for it at the next poll.
                Ok(None) => self.discovered = None,
                Ok(Some(Err(error))) | Err(Visit::Refused(error)) => {
                    refused += 1;
                    example = Some(format!("{}: {error}", namespace.path.display()));
                }
                Err(Visit::Stranded(error)) => return Err(error),
            }
        }
        let count = self.namespaces.len();
        Ok(example.map(|example| format!("{refused} of {count} cannot be asked, such as {example}")))
    }
}

/// Why the kernel did not answer, and what can be done.
pub(super) fn explain(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::EOPNOTSUPP | libc::EPROTONOSUPPORT) => {
            format!("the kernel has none ({error}); try `modprobe tcp_diag`")
        }
        _ => format!("the kernel does not answer: {error}"),
    }
}
