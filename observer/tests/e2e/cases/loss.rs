//! Observations that are lost are counted and told.

use anyhow::ensure;
use nix::sys::signal::Signal;
use observer::demo::{Client, ClientOptions, Server, ServerOptions};
use observer::source::live::ObservationClock;
use observer_core::FindingKind;

use crate::harness::Setup;
use crate::harness::lab::Lab;
use crate::harness::log::listed;
use crate::harness::observer::{Observer, Vantage};

/// Connections that come and go while the observer cannot read: each is several records.
const CONNECTIONS: usize = 100;

/// The smallest ring buffer there is, and an observer that is stopped for a while.
pub(crate) fn tiny_ring_buffer(_: &Setup) -> anyhow::Result<()> {
    let lab = Lab::one_host()?;
    let options = ServerOptions { listen: lab.address(), ..ServerOptions::default() };
    let clock = ObservationClock::new()?;
    let server = lab.server().within(|| Server::start(options, clock, |_| {}))?;
    let observer =
        Observer::start(Vantage::Host, &["--port", &lab.port.to_string(), "--ring-buffer", "4096"])?;
    observer.signal(Signal::SIGSTOP)?;
    lab.client.within(|| {
        for _ in 0..CONNECTIONS {
            Client::connect(server.address(), &ClientOptions::default())?.quit()?;
        }
        Ok(())
    })?;
    observer.signal(Signal::SIGCONT)?;
    observer.wait_log("the loss", |log| log.lost() > 0)?;
    let stdout = observer.lines();
    let log = observer.stop()?;
    let lines = stdout.all();
    let found = |kind: &FindingKind| matches!(kind, FindingKind::EventsLost { .. });
    ensure!(log.findings.iter().any(|finding| found(&finding.kind)), "{}", listed(&log.findings));
    ensure!(lines.iter().any(|line| line.contains("  lost  ")), "standard output does not tell: {lines:#?}");
    Ok(())
}
