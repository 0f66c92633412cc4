//! Many connections, and more than one server: played by the demo's actors, which tell exactly what they did.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, channel};

use anyhow::{Context as _, ensure};
use observer::demo::{Client, ClientOptions, Dialect, Server, ServerEvent, ServerEventKind, ServerOptions};
use observer::source::live::ObservationClock;

use super::{CLOSE, TIMEOUT, ensure_close, is_closed, is_lost};
use crate::harness::Setup;
use crate::harness::lab::Lab;
use crate::harness::log::listed;
use crate::harness::observer::{Observer, Vantage};
use crate::harness::process::PATIENCE;

const CONNECTIONS: usize = 200;
const STALLED: usize = 10;

pub(crate) fn ten_of_200(_: &Setup) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    let (server, events) = serve(&lab, Dialect::MySql, lab.port)?;
    let observer = observe(&[lab.port])?;
    let mut clients = connect(&lab, server.address(), CONNECTIONS)?;
    let (stalled, calm) = clients.split_at_mut(STALLED);
    for client in &mut *stalled {
        stall(client)?;
    }
    for client in &mut *calm {
        client.query("SELECT id, payload FROM readings LIMIT 20")?;
        ensure!(client.read_rows(u64::MAX)? == 20, "a short result is read to its end");
    }
    let aborts = (0..STALLED).map(|_| next_abort(&events)).collect::<anyhow::Result<Vec<_>>>()?;
    for client in &mut *stalled {
        observer.wait_finding("the loss", client.address(), is_lost)?;
        ensure!(client.read_rows(u64::MAX).is_err(), "the server has given up");
    }
    let stalled: Vec<_> = stalled.iter().map(Client::address).collect();
    drop(clients);
    for client in &stalled {
        observer.wait_finding("the end", *client, is_closed)?;
    }
    let log = observer.stop()?;

    for abort in &aborts {
        ensure!(stalled.contains(&abort.client), "{abort:?} of a client that reads");
        let lost = log.finding(abort.client, is_lost)?;
        ensure_close("lost", lost.at, abort.at, CLOSE)?;
    }
    let others: Vec<_> = log
        .findings
        .iter()
        .filter(|finding| finding.flow.is_none_or(|flow| !stalled.contains(&flow.client)))
        .collect();
    ensure!(others.is_empty(), "findings about clients that read: {}", listed(others));
    ensure!(log.lost() == 0, "{} observations were lost", log.lost());
    Ok(())
}

/// A MySQL server on one port, MariaDB on another; a client of each stalls.
pub(crate) fn second_port(_: &Setup) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    let servers = [serve(&lab, Dialect::MySql, lab.port)?, serve(&lab, Dialect::MariaDb, lab.port + 1)?];
    let observer = observe(&[lab.port, lab.port + 1])?;
    let mut clients = Vec::new();
    for (server, _) in &servers {
        let mut client = connect(&lab, server.address(), 1)?.pop().context("one client")?;
        stall(&mut client)?;
        clients.push(client);
    }
    for ((_, events), client) in servers.iter().zip(&mut clients) {
        let abort = next_abort(events)?;
        observer.wait_log("the loss", |log| {
            log.finding(client.address(), |kind| is_lost(kind) || is_closed(kind)).is_ok()
        })?;
        ensure!(client.read_rows(u64::MAX).is_err(), "the server has given up");
        ensure!(abort.client == client.address(), "{abort:?}");
    }
    let addresses: Vec<SocketAddr> = clients.iter().map(Client::address).collect();
    drop(clients);
    for client in &addresses {
        observer.wait_finding("the end", *client, is_closed)?;
    }
    let log = observer.stop()?;
    for client in addresses {
        let told = log.connections(client);
        ensure!(told.len() == 1 && !log.findings_of(client).is_empty(), "{client}: {told:?}");
    }
    ensure!(log.lost() == 0, "{} observations were lost", log.lost());
    Ok(())
}

fn serve(lab: &Lab, dialect: Dialect, port: u16) -> anyhow::Result<(Server, Receiver<ServerEvent>)> {
    let (sender, events) = channel();
    let listen = SocketAddr::new(lab.address().ip(), port);
    let options = ServerOptions {
        listen,
        dialect,
        net_write_timeout: TIMEOUT,
        max_connections: CONNECTIONS,
        ..ServerOptions::default()
    };
    let clock = ObservationClock::new()?;
    let server = lab.server().within(|| {
        Server::start(options, clock, move |event| {
            // Nobody listens any more at the end of a case.
            let _ = sender.send(event);
        })
    })?;
    Ok((server, events))
}

fn observe(ports: &[u16]) -> anyhow::Result<Observer> {
    let timeout = TIMEOUT.as_secs().to_string();
    let ports: Vec<_> = ports.iter().flat_map(|port| ["--port".to_owned(), port.to_string()]).collect();
    let mut options = vec!["--net-write-timeout", &timeout];
    options.extend(ports.iter().map(String::as_str));
    Observer::start(Vantage::Host, &options)
}

fn connect(lab: &Lab, server: SocketAddr, count: usize) -> anyhow::Result<Vec<Client>> {
    lab.client.within(|| {
        let client = || Client::connect(server, &ClientOptions::default());
        Ok((0..count).map(|_| client()).collect::<Result<_, _>>()?)
    })
}

fn stall(client: &mut Client) -> anyhow::Result<()> {
    client.query("SELECT id, payload FROM readings")?;
    ensure!(client.read_rows(8)? == 8, "the first rows");
    Ok(())
}

fn next_abort(events: &Receiver<ServerEvent>) -> anyhow::Result<ServerEvent> {
    loop {
        let event = events.recv_timeout(PATIENCE).context("waiting for the server to give up")?;
        if matches!(event.kind, ServerEventKind::Aborted { .. }) {
            return Ok(event);
        }
    }
}
