//! An observer that sees nothing for a minute.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use observer::demo::Dialect;
use observer_core::{FindingKind, VerdictKind};

use super::faults::{is_stalled, is_verdict, stall};
use crate::harness::Setup;
use crate::harness::lab::Lab;
use crate::harness::log::{Log, listed};
use crate::harness::observer::{Observer, Vantage};
use crate::harness::reader::{Outcome, Reader};
use crate::harness::server::{Server, story_query};

/// How long the observer is stopped.
const MINUTE: Duration = Duration::from_secs(60);
/// net_write_timeout: nobody is given up in that time, but a warning falls due.
const TIMEOUT: Duration = Duration::from_secs(110);
/// Connections that come and go meanwhile, to another port. Each is six records at least.
const SHORT: usize = 200;

fn is_recovered(kind: &FindingKind) -> bool {
    matches!(kind, FindingKind::Recovered { .. })
}

/// SIGSTOP for a minute, with a ring buffer for some forty records, which is full before anything else happens: a client that
/// was idle stops reading, one that stood still reads on before it is to be warned of, another is killed. What was missed is counted
/// and said; what has become of the three is known by the sockets, and nothing else is said of them.
pub(crate) fn a_minute(setup: &Setup) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    let _server = Server::start(setup, Dialect::MySql, lab.server(), lab.port, TIMEOUT)?;
    let (port, other) = (lab.port.to_string(), (lab.port + 1).to_string());
    let timeout = TIMEOUT.as_secs().to_string();
    let options =
        ["--port", &port, "--port", &other, "--ring-buffer", "4096", "--net-write-timeout", &timeout];
    let observer = Observer::start(Vantage::Host, &options)?;
    let connect = || Reader::connect_and_stay(setup, &lab.client, lab.address(), story_query(Dialect::MySql));
    let (mut stalls, mut recovers, mut dies) = (connect()?, connect()?, connect()?);
    let clients = [&stalls, &recovers, &dies].map(|reader| reader.address);
    for reader in [&mut recovers, &mut dies] {
        stall(reader, &observer)?;
    }
    observer.wait_log("the idle one", |log| !log.connections(clients[0]).is_empty())?;
    let before = observer.log()?.lost();

    observer.signal(Signal::SIGSTOP)?;
    let stopped = Instant::now();
    come_and_go(&lab)?;
    stalls.query_and_pause()?;
    let outcome = recovers.read_on()?;
    ensure!(outcome == Outcome::Finished { rows: 400_000 }, "{outcome:?}");
    dies.signal(Signal::SIGKILL)?;
    thread::sleep(MINUTE.saturating_sub(stopped.elapsed()));
    observer.signal(Signal::SIGCONT)?;

    observer.wait_log("the loss", |log| log.lost() > before)?;
    observer.wait_finding("the stall", clients[0], is_stalled)?;
    observer.wait_finding("the recovery", clients[1], is_recovered)?;
    observer.wait_finding("the verdict", clients[2], is_verdict)?;
    // It has gone on watching.
    let outcome = stalls.read_on()?;
    ensure!(outcome == Outcome::Finished { rows: 400_000 }, "{outcome:?}");
    observer.wait_finding("the other recovery", clients[0], is_recovered)?;
    for reader in [stalls, recovers] {
        let client = reader.address;
        reader.close()?;
        observer.wait_finding("the verdict", client, is_verdict)?;
    }
    let lines = observer.lines();
    let log = observer.stop()?;
    // Six records of each, and room for forty.
    let lost = log.lost() - before;
    ensure!(lost >= 5 * SHORT as u64, "{lost} observations were lost");
    ensure!(lines.all().iter().any(|line| line.contains("  lost  ")), "standard output does not tell");
    // That it is gone is known, and that its end was among what was lost.
    let gone = [VerdictKind::Unknown, VerdictKind::ClientClosed, VerdictKind::ClientVanished];
    ensure_judged(&log, clients[0], &[VerdictKind::Recovered])?;
    ensure_judged(&log, clients[1], &[VerdictKind::Recovered])?;
    ensure_judged(&log, clients[2], &gone)?;
    let findings = log.findings_of(clients[1]);
    let was_warned_of = findings.iter().any(|finding| matches!(finding.kind, FindingKind::Warning { .. }));
    ensure!(!was_warned_of, "warned of one that read on: {}", listed(findings));
    let verdict = log.verdict(clients[2])?;
    let is_open_about_it = verdict.kind != VerdictKind::Unknown
        || verdict.missing.iter().any(|missing| missing.contains("observations that were lost"));
    ensure!(is_open_about_it, "{verdict:?}");
    Ok(())
}

/// So many connections one after the other, to the second port.
fn come_and_go(lab: &Lab) -> anyhow::Result<()> {
    let mut address = lab.address();
    address.set_port(lab.port + 1);
    let listener =
        lab.server().within(|| TcpListener::bind(address).context("listening on the other port"))?;
    lab.client.within(|| {
        for _ in 0..SHORT {
            let client = TcpStream::connect(address).context("connecting to the other port")?;
            let (server, _) = listener.accept().context("accepting")?;
            drop(client);
            drop(server);
        }
        Ok(())
    })
}

/// Fails when the verdict on a client is none of these, or when it was called lost at any time.
fn ensure_judged(log: &Log, client: SocketAddr, kinds: &[VerdictKind]) -> anyhow::Result<()> {
    let (verdict, findings) = (log.verdict(client)?, log.findings_of(client));
    let is_wrong = |kind: &FindingKind| {
        matches!(
            kind,
            FindingKind::Lost { .. } | FindingKind::ServerClosed { .. } | FindingKind::Critical { .. }
        )
    };
    let is_right = kinds.contains(&verdict.kind) && !findings.iter().any(|finding| is_wrong(&finding.kind));
    ensure!(is_right, "{verdict:?} after {}", listed(findings));
    Ok(())
}
