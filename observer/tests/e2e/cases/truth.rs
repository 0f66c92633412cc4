//! What the other cases take as the truth: the servers' logs and tcpdump agree on what happens, without an
//! observer in sight.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use observer::demo::{self, Client, ClientOptions, Dialect, ServerOptions};
use observer::source::live::ObservationClock;

use super::Waited;
use crate::harness::Setup;
use crate::harness::capture::Capture;
use crate::harness::lab::Lab;
use crate::harness::reader::{Outcome, Reader};
use crate::harness::server::{Server, story_query};
use crate::harness::stage::Stage;

const TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) fn mysql(setup: &Setup) -> anyhow::Result<()> {
    stall(setup, Dialect::MySql)
}

pub(crate) fn mariadb(setup: &Setup) -> anyhow::Result<()> {
    stall(setup, Dialect::MariaDb)
}

fn stall(setup: &Setup, dialect: Dialect) -> anyhow::Result<()> {
    let stage = Stage::new(setup, dialect, TIMEOUT)?;
    let lab = &stage.lab;
    let capture = Capture::start(&lab.client, lab.port)?;
    let reader = stage.stalled()?;
    let client = reader.address;
    let logged = stage.server.wait_abort(reader.thread_id)?;
    if dialect == Dialect::MariaDb {
        capture.wait("the reset", |segment| segment.flags.contains('R'))?;
    }
    let outcome = reader.finish()?;
    ensure!(matches!(outcome, Outcome::Failed { rows: 8.., .. }), "{outcome:?}");

    let segments = capture.stop()?;
    let end = |flag| segments.iter().find(|s| s.from == lab.address() && s.flags.contains(flag));
    let (fin, reset) = (end('F'), end('R'));
    let zero = segments
        .iter()
        .find(|segment| segment.from == client && segment.window == 0 && !segment.flags.contains('R'))
        .context("the client's window closed")?;
    let aborted = match dialect {
        Dialect::MySql => {
            ensure!(fin.is_some() && reset.is_none(), "MySQL ends with a FIN: {segments:?}");
            logged.context("MySQL's log has the moment")?
        }
        Dialect::MariaDb => {
            ensure!(fin.is_none(), "MariaDB ends with an RST alone: {segments:?}");
            reset.context("MariaDB ends with an RST")?.at
        }
    };
    Waited { closed: zero.at, aborted, timeout: TIMEOUT }.ensure_timeout()
}

/// The demo's server serves the story's client, and the demo's client reads from the real servers.
pub(crate) fn demo_actors(setup: &Setup) -> anyhow::Result<()> {
    let lab = Lab::one_host()?;
    let options = ServerOptions { listen: lab.address(), ..ServerOptions::default() };
    let clock = ObservationClock::new()?;
    let server = lab.server().within(|| demo::Server::start(options, clock, |_| {}))?;
    let mut reader = Reader::connect(setup, &lab.client, server.address(), "SELECT id LIMIT 500")?;
    reader.query_and_pause()?;
    let outcome = reader.read_on()?;
    ensure!(outcome == Outcome::Finished { rows: 500 }, "{outcome:?}");
    reader.wait()?;
    drop(server);

    let user = ClientOptions { user: "reader".to_owned(), ..ClientOptions::default() };
    for dialect in [Dialect::MySql, Dialect::MariaDb] {
        let _server = Server::start(setup, dialect, lab.server(), lab.port, TIMEOUT)?;
        let mut client = lab.client.within(|| Ok(Client::connect(lab.address(), &user)?))?;
        client.execute("USE story")?;
        client.ping()?;
        client.query(story_query(dialect))?;
        ensure!(client.read_rows(u64::MAX)? == 400_000, "{} rows of {dialect:?}", client.rows());
        client.quit()?;
    }
    Ok(())
}
