//! Every kind of client at once, each on a host and in a cgroup of its own: whose connection it is, and what is to be done
//! about it, is told rightly of each.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use observer::demo::Dialect;
use observer_core::{FindingKind, SocketEventKind, TcpState, TimeRange, Timeout, TimeoutSource};
use serde_json::{Value, json};

mod expected;

use self::expected::{ALL, Expected};
use super::{ensure_read_within, is_closed, is_lost, wire};
use crate::harness::Setup;
use crate::harness::lab::{Lab, Side};
use crate::harness::log::Log;
use crate::harness::observer::{Observer, Vantage};
use crate::harness::program::Program;
use crate::harness::server::{Server, story_query};

/// net_write_timeout of the servers.
const TIMEOUT: Duration = Duration::from_secs(6);

pub(crate) fn mysql(setup: &Setup) -> anyhow::Result<()> {
    all(setup, Dialect::MySql)
}

pub(crate) fn mariadb(setup: &Setup) -> anyhow::Result<()> {
    all(setup, Dialect::MariaDb)
}

/// A client that plays.
struct Player<'a> {
    expected: &'a Expected,
    server: SocketAddr,
    /// Dropped before its host.
    program: Program,
    side: Side,
    /// From when to when it read last.
    read: Option<TimeRange>,
}

fn all(setup: &Setup, dialect: Dialect) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    let server = Server::start(setup, dialect, lab.server(), lab.port, TIMEOUT)?;
    let observer = Observer::start(Vantage::Host, &["--port", &lab.port.to_string()])?;
    let mut players = Vec::new();
    for expected in &ALL {
        let (side, address) = lab.another_client(expected.cgroup)?;
        let program = Program::start(setup, expected.kind, &side, address, story_query(dialect))?;
        players.push(Player { expected, side, server: address, program, read: None });
    }
    for player in &mut players {
        player.program.query_and_pause()?;
        let closed = |kind: &SocketEventKind| matches!(kind, SocketEventKind::ZeroWindow { .. });
        let client = player.program.address;
        observer.wait_log("a closed window", |log| !log.times_of(client, closed).is_empty())?;
        // Reads are followed from now on.
        player.program.read_more()?;
    }
    for player in &players {
        server.wait_abort(player.program.thread_id)?;
        observer.wait_finding("the loss", player.program.address, is_lost)?;
    }
    for player in &mut players {
        player.read = Some(player.program.read_until_it_fails()?);
    }
    for player in &players {
        observer.wait_finding("the end", player.program.address, is_closed)?;
    }
    let (log, place) = observer.stop_and_keep()?;
    let report = report(&place.path().join("log"))?;
    let server = server.process.pid().as_raw().cast_unsigned();
    for player in players {
        player.judge_log(&log, dialect).with_context(|| format!("the log of {:?}", player.expected.kind))?;
        player
            .judge_report(&report, dialect, server)
            .with_context(|| format!("the report of {:?}", player.expected.kind))?;
        player.program.wait()?;
    }
    Ok(())
}

/// The report as JSON.
fn report(log: &Path) -> anyhow::Result<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
    let output = command.arg("report").arg(log).args(["--format", "json"]).output().context("reporting")?;
    serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

impl Player<'_> {
    fn judge_log(&self, log: &Log, dialect: Dialect) -> anyhow::Result<()> {
        let Self { expected, program, .. } = self;
        let connected = log.events_of(program.address).find_map(|event| match event {
            SocketEventKind::State { from: TcpState::SynSent, process, .. } => process.as_ref(),
            _ => None,
        });
        let opener = connected.context("who connects")?;
        ensure!((opener.pid, opener.comm.as_str()) == (program.pid, expected.comm), "{opener:?}");
        let thread = program.thread_id;
        let greeted = |kind: &SocketEventKind| matches!(kind, SocketEventKind::Greeting { thread_id, .. } if *thread_id == thread);
        ensure!(!log.times_of(program.address, greeted).is_empty(), "thread {thread} was not told");

        let lost = log.finding(program.address, is_lost)?;
        let reader = lost.reader.as_deref().context("a reader")?;
        ensure!((reader.pid, reader.comm.as_str()) == (program.pid, expected.comm), "{reader:?}");
        ensure!(reader.place.as_deref() == Some(expected.place.1), "{reader:?}");
        let FindingKind::Lost { clock, .. } = &lost.kind else { unreachable!("it was looked for") };
        let own = Timeout { duration: TIMEOUT, source: TimeoutSource::Wait };
        ensure!(clock.timeout == own, "{clock:?}");
        let asked = lost.statement.as_deref().and_then(|asked| asked.text.as_deref());
        let connector = lost.account.as_deref().and_then(|account| account.connector.as_ref());
        let Some(announced) = &expected.announces else {
            ensure!(asked.is_none() && connector.is_none(), "TLS hides {asked:?} and {connector:?}");
            return Ok(());
        };
        ensure!(asked == Some(wire::statement(dialect)), "{asked:?}");
        let connector = connector.context("a connector")?;
        ensure!(connector.name.as_deref() == Some(announced.name), "{connector:?}");
        ensure!(connector.program.as_deref() == announced.program, "{connector:?}");
        ensure!(connector.pid == announced.pid.then_some(program.pid), "{connector:?}");
        Ok(())
    }

    fn judge_report(&self, report: &Value, dialect: Dialect, server: u32) -> anyhow::Result<()> {
        let Self { expected, program, .. } = self;
        let address = program.address.to_string();
        let connections = report["connections"].as_array().context("connections")?;
        let mut own = connections.iter().filter(|connection| connection["client"] == *address);
        let own = own.next().with_context(|| format!("{address} in {report}"))?;
        ensure!(own["server"] == self.server.to_string(), "{own}");
        let netns = self.side.within(|| Ok(fs::metadata("/proc/thread-self/ns/net")?.ino()))?;
        let holder = &own["client_process"];
        for (field, value) in [
            ("pid", json!(program.pid)),
            ("comm", json!(expected.comm)),
            ("uid", json!(expected.user.0)),
            ("user", json!(expected.user.1)),
            ("netns", json!(netns)),
            (expected.place.0, json!(expected.place.1)),
            ("others", json!([])),
        ] {
            ensure!(holder[field] == value, "{field} is not {value} in {holder}");
        }
        let command = holder["command"].as_str().unwrap_or_default();
        ensure!(command.contains(expected.command), "{holder}");
        let last_read = serde_json::from_value(holder["last_read"].clone()).context("when it last read")?;
        ensure_read_within(last_read, self.read.context("it has read")?)?;
        let name = match dialect {
            Dialect::MySql => "mysqld",
            Dialect::MariaDb => "mariadbd",
        };
        let holder = &own["server_process"];
        ensure!(holder["pid"] == server && holder["comm"] == name, "{holder} is not {server}");
        ensure!(own["server_program"] == name && own["thread_id"] == program.thread_id, "{own}");
        ensure!(own["net_write_timeout"] == json!({"seconds": 6.0, "source": "wait"}), "{own}");
        let announced = expected.announces.as_ref();
        ensure!(
            own["account"]["connector"]["name"] == json!(announced.map(|announced| announced.name)),
            "{own}"
        );
        ensure!(own["statement"]["text"] == json!(announced.map(|_| wire::statement(dialect))), "{own}");
        ensure!(own["verdict"]["kind"] == "net_write_timeout", "{own}");
        ensure!(own["stalls"].as_array().is_some_and(|stalls| !stalls.is_empty()), "{own}");
        let advice: Vec<_> =
            own["advice"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        // Its own, and nobody else's.
        for known in ALL.iter().filter_map(|other| Some(other.announces.as_ref()?.advice)) {
            let given = advice.iter().any(|line| line.starts_with(known));
            ensure!(given == announced.is_some_and(|own| own.advice == known), "{known:?}: {advice:#?}");
        }
        Ok(())
    }
}
