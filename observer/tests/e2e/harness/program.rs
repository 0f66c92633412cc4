//! Clients of many kinds that read a result row by row, and stop when nobody tells them to go on.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::bail;
use observer_core::TimeRange;
use serde::Deserialize;

use super::Setup;
use super::lab::Side;
use super::privilege::NOBODY;
use super::process::Process;
use super::reader::stamp;

/// The library, or the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// aiomysql, `SSCursor`.
    Aiomysql,
    /// PyMySQL, `SSCursor`.
    PyMysql,
    /// Connector/Python over the C library, as it is by default.
    ConnectorPython,
    /// Connector/Python in Python alone.
    ConnectorPythonPure,
    /// mysql2 for Node, rows as a stream.
    Mysql2,
    /// MySQL's own `mysql --quick`, into a pipe.
    Mysql,
    /// The same over TLS, as it is by default.
    MysqlWithTls,
    /// `mariadb --quick` into a pipe, run by nobody.
    Mariadb,
    /// PyMySQL, as a replica: its query fills the binary log, which it reads.
    Replica,
    /// `mysqlbinlog`, which does not stop at the end of the log, into a pipe.
    MysqlBinlog,
    /// `mariadb-binlog`, the same.
    MariadbBinlog,
}

/// What a program tells. Each order has one answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
enum Told {
    Connected {
        pid: u32,
        port: u16,
        thread_id: u32,
    },
    Done {
        rows: u64,
    },
    Failed {
        #[expect(dead_code, reason = "for messages")]
        error: String,
        began: f64,
        ended: f64,
    },
}

/// A running client.
pub(crate) struct Program {
    process: Process,
    answers: usize,
    /// The process that has the connection.
    pub(crate) pid: u32,
    /// Its address.
    pub(crate) address: SocketAddr,
    /// The server's thread id for it.
    pub(crate) thread_id: u32,
}

impl Program {
    /// Connects from `side` to `server`; `query` is not sent yet. There is no other connection to this port from there.
    pub(crate) fn start(
        setup: &Setup,
        kind: Kind,
        side: &Side,
        server: SocketAddr,
        query: &str,
    ) -> anyhow::Result<Self> {
        let mut command = command(setup, kind, side, server, query);
        let process = Process::spawn(&format!("{kind:?}"), &mut command)?;
        let Told::Connected { pid, port, thread_id } = process.wait_stdout("the connection", parse)? else {
            bail!("{kind:?} does something before it connects");
        };
        Ok(Self { process, answers: 1, pid, address: (side.address(server), port).into(), thread_id })
    }

    /// Sends the query, reads the first row, and stops reading.
    pub(crate) fn query_and_pause(&mut self) -> anyhow::Result<()> {
        self.order("query").and_then(succeeded)
    }

    /// Reads some thousand rows, and stops again.
    pub(crate) fn read_more(&mut self) -> anyhow::Result<()> {
        self.order("more").and_then(succeeded)
    }

    /// Reads on to the end, which is that the connection fails: gives from when to when it read, by its own clock.
    pub(crate) fn read_until_it_fails(&mut self) -> anyhow::Result<TimeRange> {
        match self.order("rest")? {
            Told::Failed { began, ended, .. } => {
                Ok(TimeRange { earliest: stamp(began), latest: stamp(ended) })
            }
            other => bail!("the connection did not fail: {other:?}"),
        }
    }

    /// Waits until it has ended.
    pub(crate) fn wait(mut self) -> anyhow::Result<()> {
        self.process.wait().map(drop)
    }

    fn order(&mut self, order: &str) -> anyhow::Result<Told> {
        self.process.say(order)?;
        let mut seen = 0;
        let told = self.process.wait_stdout(order, |line| {
            seen += 1;
            (seen > self.answers).then(|| parse(line)).flatten()
        })?;
        self.answers += 1;
        Ok(told)
    }
}

fn succeeded(told: Told) -> anyhow::Result<()> {
    match told {
        Told::Done { rows: 1.. } => Ok(()),
        other => bail!("there were rows to read: {other:?}"),
    }
}

fn parse(line: &str) -> Option<Told> {
    serde_json::from_str(line).ok()
}

/// What starts it.
fn command(setup: &Setup, kind: Kind, side: &Side, server: SocketAddr, query: &str) -> Command {
    const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/harness/program/");
    let address = [server.ip().to_string(), server.port().to_string()];
    let reads = |python: &Path, how: &str| {
        let mut command = side.command(python);
        command.arg(format!("{HERE}reads.py")).args(&address).args([how, query]);
        command
    };
    let pipe = || reads(Path::new("/usr/bin/python3"), "pipe");
    let (python, to) = (setup.python(), [format!("--host={}", address[0]), format!("--port={}", address[1])]);
    match kind {
        Kind::Aiomysql => reads(&python, "aiomysql"),
        Kind::PyMysql => reads(&python, "pymysql"),
        Kind::Replica => reads(&python, "replica"),
        Kind::MysqlBinlog => {
            let mut command = reads(&python, "binlog");
            command.arg("chroot").arg(setup.mysql_root()).arg("mysqlbinlog").args(REMOTE).args(to);
            command.args(["--ssl-mode=DISABLED", FIRST_LOG]);
            command
        }
        Kind::MariadbBinlog => {
            let mut command = reads(&python, "binlog");
            command.arg("mariadb-binlog").args(REMOTE).args(to).args(["--skip-ssl", FIRST_LOG]);
            command
        }
        Kind::ConnectorPython => reads(&python, "connector-python"),
        Kind::ConnectorPythonPure => reads(&python, "connector-python-pure"),
        Kind::Mysql2 => {
            let mut command = side.command(setup.node());
            command.arg(format!("{HERE}mysql2.js")).args(&address).arg(query);
            command.env("NODE_PATH", setup.node_modules());
            command
        }
        Kind::Mysql | Kind::MysqlWithTls => {
            let mut command = pipe();
            command.arg("chroot").arg(setup.mysql_root()).arg("mysql").args(QUICK).args(to);
            command.args((kind == Kind::Mysql).then_some("--ssl-mode=DISABLED"));
            command
        }
        Kind::Mariadb => {
            let mut command = pipe();
            command.args(NOBODY).arg("mariadb").args(QUICK).args(to).arg("--skip-ssl");
            command
        }
    }
}

/// Options of the programs that read a server's binary log, and its first file.
const REMOTE: [&str; 4] = ["--no-defaults", "--read-from-remote-server", "--stop-never", "--user=reader"];
const FIRST_LOG: &str = "binlog.000001";

/// Options of the command-line clients: rows as they come, each statement at once, and hints, which are comments, left in.
const QUICK: [&str; 8] = [
    "--no-defaults",
    "--quick",
    "--batch",
    "--unbuffered",
    "--comments",
    "--skip-column-names",
    "--user=reader",
    "--database=story",
];
