//! Who reads the binary log, and stops: known as that, and told what such a reader can do.

use anyhow::{Context as _, bail, ensure};
use observer::demo::Dialect;
use observer_core::{FindingKind, StatementKind, Timeout, TimeoutSource, Verdict, VerdictKind};

use super::{TIMEOUT, is_lost};
use crate::harness::Setup;
use crate::harness::lab::Lab;
use crate::harness::observer::{Observer, Vantage};
use crate::harness::program::{Kind, Program};
use crate::harness::server::Server;

/// What makes the server write a binary log, as it stands after what the others do without.
const LOGGED: [&str; 3] = ["--log-bin=binlog", "--server-id=1", "--loose-binlog-format=ROW"];

/// 40 MB of it, more than the buffers of both ends hold. `mariadb-binlog` reads a statement to its end before it writes any of
/// it: so there are many.
fn fill() -> String {
    let insert = "INSERT INTO logged WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 100) \
                  SELECT REPEAT('x', 20000) FROM ids";
    let create = "CREATE TABLE logged (filling LONGTEXT) ENGINE=MyISAM";
    [create].into_iter().chain([insert; 20]).collect::<Vec<_>>().join(";")
}

pub(crate) fn mysql(setup: &Setup) -> anyhow::Result<()> {
    stops_reading(setup, Dialect::MySql, Kind::Replica)
}

pub(crate) fn mariadb(setup: &Setup) -> anyhow::Result<()> {
    stops_reading(setup, Dialect::MariaDb, Kind::Replica)
}

pub(crate) fn mysqlbinlog(setup: &Setup) -> anyhow::Result<()> {
    stops_reading(setup, Dialect::MySql, Kind::MysqlBinlog)
}

pub(crate) fn mariadb_binlog(setup: &Setup) -> anyhow::Result<()> {
    stops_reading(setup, Dialect::MariaDb, Kind::MariadbBinlog)
}

fn stops_reading(setup: &Setup, dialect: Dialect, kind: Kind) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    let server = Server::start_with(setup, dialect, lab.server(), lab.port, TIMEOUT, &LOGGED)?;
    let observer = Observer::start(Vantage::Host, &["--port", &lab.port.to_string()])?;
    let mut program = Program::start(setup, kind, &lab.client, lab.address(), &fill())?;
    let client = program.address;
    program.query_and_pause()?;
    observer.wait_finding("the loss", client, is_lost)?;
    program.read_until_it_fails()?;
    observer.wait_finding("the verdict", client, |kind| matches!(kind, FindingKind::Verdict(_)))?;
    let lines = observer.lines();
    let log = observer.stop()?;

    let told = |line: &String| line.contains("  lost  ") && line.contains("It waits for the binary log");
    ensure!(lines.all().iter().any(told), "{:#?}", lines.all());
    let lost = log.finding(client, is_lost)?;
    let asked = lost.statement.as_deref().context("what it waits for")?;
    ensure!(asked.command == StatementKind::BinlogDump && asked.text.is_none(), "{asked:?}");
    let reader = lost.reader.as_deref().context("who reads")?;
    ensure!(reader.pid == program.pid, "{reader:?} is not {}", program.pid);
    // The thread that sends the binary log waits like any other.
    let FindingKind::Lost { clock, seen: true } = &lost.kind else { bail!("{lost:?} was not seen") };
    let own = Timeout { duration: TIMEOUT, source: TimeoutSource::Wait };
    ensure!(clock.timeout == own, "{clock:?}");

    let verdict = log.verdict(client)?;
    ensure!(verdict.kind == VerdictKind::NetWriteTimeout, "{verdict:?}");
    ensure!(verdict.advice.iter().any(|line| line.contains("relay_log_space_limit")), "{verdict:#?}");
    ensure!(verdict.advice.iter().any(|line| line.contains("SET GLOBAL it at the server")), "{verdict:#?}");
    // A replica has no result, sets no variable of its session, and no cursor of a library would help it.
    let because = verdict.ruled_out.iter().map(|other| &other.because);
    let said = [&verdict.sentence].into_iter().chain(&verdict.evidence).chain(&verdict.advice).chain(because);
    for line in said {
        let is_wrong =
            ["result", "SET SESSION", "the query", "Cursor"].iter().any(|word| line.contains(word));
        ensure!(!is_wrong, "of a replica it says {line:?}");
    }
    says_what_the_server_says(&server, verdict, program.thread_id)
}

/// What the verdict tells to look for in the server's log is there.
fn says_what_the_server_says(server: &Server, verdict: &Verdict, thread: u32) -> anyhow::Result<()> {
    let line = verdict.evidence.iter().find(|line| line.contains("its error log says"));
    let line = line.with_context(|| format!("the server's log in {verdict:#?}"))?;
    let quoted: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
    ensure!(quoted.len() == 2 && quoted[0] == format!("Aborted connection {thread}"), "{line}");
    server.process.wait_stderr(line, |said| quoted.iter().all(|part| said.contains(part)).then_some(()))
}
