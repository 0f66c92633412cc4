//! One look around, without watching: which sockets there are now, and where.

use std::io;
use std::path::PathBuf;

use anyhow::{Context as _, anyhow, ensure};
use observer_core::{EventKind, Vantage};

use super::namespaces::{Discovery, Home, NamespaceId, Visit};
use super::poller::explain;
use super::request::MAX_PORTS;
use super::sweep::Sweep;
use crate::source::live::ObservationClock;

/// What socket diagnostics can see now.
#[derive(Debug)]
pub struct Survey {
    /// The observer's own network namespace; the error says why the kernel does not answer.
    pub own: Result<SocketCount, String>,
    /// The other namespaces that could be asked.
    pub others: Vec<(PathBuf, SocketCount)>,
    /// Why there may be more of those.
    pub incomplete: Option<String>,
}

/// The sockets of MySQL connections in one namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketCount {
    /// At the clients' ends.
    pub clients: usize,
    /// At the servers' ends.
    pub servers: usize,
}

/// Counts the sockets with one of `ports` at either end, in every namespace that can be entered.
///
/// # Errors
///
/// As [`spawn`](super::spawn): without ports or with too many, or when `/proc` cannot be read. A kernel without
/// socket diagnostics is no error but [`Survey::own`].
pub fn survey(ports: &[u16]) -> anyhow::Result<Survey> {
    ensure!((1..=MAX_PORTS).contains(&ports.len()), "socket diagnostics take 1 to {MAX_PORTS} ports");
    let sweep = Sweep::new(ports.to_vec(), None, ObservationClock::new()?);
    // A thread of its own, which moves between namespaces.
    let looking = std::thread::Builder::new()
        .name("survey".to_owned())
        .spawn(move || look_around(sweep))
        .context("starting a thread to look around")?;
    looking.join().map_err(|_| anyhow!("the thread that looks around panicked"))?
}

fn look_around(mut sweep: Sweep) -> anyhow::Result<Survey> {
    let home = Home::of_this_thread()
        .context("finding the own network namespace at /proc/thread-self/ns/net (is /proc mounted?)")?;
    let own = count(&mut sweep, home.id).map_err(|error| explain(&error));
    let Discovery { namespaces, mut incomplete } = home.discover();
    let mut others = Vec::new();
    for namespace in namespaces {
        match home.visit(&namespace, || count(&mut sweep, namespace.id)) {
            Ok(Some(Ok(count))) => others.push((namespace.path, count)),
            Ok(None) => {}
            Ok(Some(Err(error))) | Err(Visit::Refused(error)) => {
                incomplete = Some(format!("{} cannot be asked: {error}", namespace.path.display()));
            }
            Err(Visit::Stranded(error)) => return Err(error).context("coming back from another namespace"),
        }
    }
    Ok(Survey { own, others, incomplete })
}

fn count(sweep: &mut Sweep, namespace: NamespaceId) -> io::Result<SocketCount> {
    sweep.ask(namespace)?;
    let mut count = SocketCount::default();
    for event in sweep.take_news().events {
        if let EventKind::Socket(event) = event.kind {
            match event.socket.seen_at {
                Vantage::Client => count.clients += 1,
                Vantage::Server => count.servers += 1,
                Vantage::Wire => {}
            }
        }
    }
    Ok(count)
}
