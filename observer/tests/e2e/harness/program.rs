//! Clients of many kinds that read a result row by row, and stop when nobody tells them to go on.

use std::ffi::OsString;
use std::net::SocketAddr;

use anyhow::bail;
use serde::Deserialize;

use super::Setup;
use super::lab::Side;
use super::privilege::NOBODY;
use super::process::Process;

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
}

/// What a program tells. Each order has one answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
enum Told {
    Connected { pid: u32, port: u16, thread_id: u32 },
    Done { rows: u64 },
    Failed { error: String },
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
        let (program, words) = command(setup, kind, server);
        let (script, how) = words.split_at(1);
        let mut command = side.command(program);
        command.args(script).args([server.ip().to_string(), server.port().to_string(), query.to_owned()]);
        command.args(how).env("NODE_PATH", setup.node_modules());
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

    /// Reads on to the end, which is that the connection fails: gives what the application is told.
    pub(crate) fn read_until_it_fails(&mut self) -> anyhow::Result<String> {
        match self.order("rest")? {
            Told::Failed { error } => Ok(error),
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

/// A program, its script, and what tells the script how to read.
fn command(setup: &Setup, kind: Kind, server: SocketAddr) -> (OsString, Vec<String>) {
    const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/harness/program/");
    let reads = format!("{HERE}reads.py");
    let library = |name: &str| (setup.python().into(), vec![reads.clone(), name.to_owned()]);
    let pipe = |command: &[&str], options: &[&str]| {
        let address = [format!("--host={}", server.ip()), format!("--port={}", server.port())];
        let always = ["--no-defaults", "--quick", "--batch", "--skip-column-names", "--user=reader", "story"];
        let words = [&reads, "pipe"].into_iter().chain(command.iter().copied()).map(str::to_owned);
        let words = words.chain(always.into_iter().chain(options.iter().copied()).map(str::to_owned));
        ("/usr/bin/python3".into(), words.chain(address).collect())
    };
    match kind {
        Kind::Aiomysql => library("aiomysql"),
        Kind::PyMysql => library("pymysql"),
        Kind::ConnectorPython => library("connector-python"),
        Kind::ConnectorPythonPure => library("connector-python-pure"),
        Kind::Mysql2 => (setup.node().into(), vec![format!("{HERE}mysql2.js")]),
        Kind::Mysql | Kind::MysqlWithTls => {
            let root = setup.mysql_root();
            let mysql = ["chroot", root.to_str().unwrap_or_default(), "mysql"];
            pipe(&mysql, if kind == Kind::Mysql { &["--ssl-mode=DISABLED"] } else { &[] })
        }
        Kind::Mariadb => pipe(&[NOBODY, &["mariadb"]].concat(), &[]),
    }
}
