//! The story's client, in Python as it was.

use std::fs;
use std::net::SocketAddr;

use anyhow::Context as _;
use nix::sys::signal::Signal;
use observer_core::Timestamp;
use serde::Deserialize;

use super::Setup;
use super::lab::{Side, cgroup_root};
use super::process::Process;

/// What the client tells, in this order.
#[derive(Debug, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
enum Told {
    Connected { port: u16, thread_id: u32 },
    Paused { rows: u64 },
    Reading,
    Finished { rows: u64 },
    Failed { at: f64, rows: u64, error: String },
}

/// How reading ended.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    /// All rows came.
    Finished {
        /// How many.
        rows: u64,
    },
    /// The connection was lost.
    Failed {
        /// How many rows came before.
        rows: u64,
        /// When, by the client's clock.
        at: Timestamp,
        /// What the application saw.
        error: String,
    },
}

/// A connected client.
pub(crate) struct Reader {
    process: Process,
    /// Its address.
    pub(crate) address: SocketAddr,
    /// The server's thread id for it.
    pub(crate) thread_id: u32,
}

impl Reader {
    /// Connects from `side` to `server`; `query` is not sent yet.
    pub(crate) fn connect(
        setup: &Setup,
        side: &Side,
        server: SocketAddr,
        query: &str,
    ) -> anyhow::Result<Self> {
        Self::start(setup, side, server, &[query], None)
    }

    /// The same over TLS.
    pub(crate) fn connect_with_tls(
        setup: &Setup,
        side: &Side,
        server: SocketAddr,
        query: &str,
    ) -> anyhow::Result<Self> {
        Self::start(setup, side, server, &[query], Some("READER_TLS"))
    }

    /// The same, with a statement that is carried out as soon as the connection is there.
    pub(crate) fn connect_with(
        setup: &Setup,
        side: &Side,
        server: SocketAddr,
        query: &str,
        first: &str,
    ) -> anyhow::Result<Self> {
        Self::start(setup, side, server, &[query, first], None)
    }

    /// The same, and then the session is reset.
    pub(crate) fn connect_and_reset(
        setup: &Setup,
        side: &Side,
        server: SocketAddr,
        query: &str,
        first: &str,
    ) -> anyhow::Result<Self> {
        Self::start(setup, side, server, &[query, first], Some("READER_RESET"))
    }

    /// The same as [`connect`](Self::connect); the connection stays open until [`close`](Self::close).
    pub(crate) fn connect_and_stay(
        setup: &Setup,
        side: &Side,
        server: SocketAddr,
        query: &str,
    ) -> anyhow::Result<Self> {
        Self::start(setup, side, server, &[query], Some("READER_STAYS"))
    }

    fn start(
        setup: &Setup,
        side: &Side,
        server: SocketAddr,
        statements: &[&str],
        option: Option<&str>,
    ) -> anyhow::Result<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/harness/reader.py");
        let mut command = side.command(setup.python());
        command.args([script, &server.ip().to_string(), &server.port().to_string()]).args(statements);
        command.envs(option.map(|name| (name, "1")));
        let process = Process::spawn("the client", &mut command)?;
        let (port, thread_id) = process.wait_stdout("the connection", |line| match parse(line) {
            Some(Told::Connected { port, thread_id }) => Some((port, thread_id)),
            _ => None,
        })?;
        Ok(Self { process, address: (side.address(server), port).into(), thread_id })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid().as_raw().unsigned_abs()
    }

    /// Sends a signal to it.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.process.signal(signal)
    }

    /// Moves it to the root of cgroup v2.
    pub(crate) fn leave_cgroup(&self) -> anyhow::Result<()> {
        let path = cgroup_root()?.join("cgroup.procs");
        fs::write(&path, self.pid().to_string()).with_context(|| format!("writing {}", path.display()))
    }

    /// Sends the query, reads the first rows, and stops reading.
    pub(crate) fn query_and_pause(&mut self) -> anyhow::Result<()> {
        self.process.say("query")?;
        self.process.wait_stdout("the first rows", |line| match parse(line) {
            Some(Told::Paused { rows }) => Some(rows),
            _ => None,
        })?;
        Ok(())
    }

    /// Reads on to the end, whichever it is.
    pub(crate) fn read_on(&mut self) -> anyhow::Result<Outcome> {
        self.process.say("read")?;
        self.wait_outcome()
    }

    /// Goes on reading, and does not wait for the end.
    pub(crate) fn go_on(&mut self) -> anyhow::Result<()> {
        self.process.say("read")?;
        self.process.wait_stdout("reading", |line| matches!(parse(line), Some(Told::Reading)).then_some(()))
    }

    /// Reads on to the end at a steady pace.
    pub(crate) fn read_on_at(&mut self, rows_per_second: u32) -> anyhow::Result<Outcome> {
        self.go_on_at(rows_per_second)?;
        self.wait_outcome()
    }

    /// Goes on reading at a steady pace, and does not wait for the end.
    pub(crate) fn go_on_at(&mut self, rows_per_second: u32) -> anyhow::Result<()> {
        self.process.say(&format!("read {rows_per_second}"))
    }

    /// Waits for the end of reading.
    pub(crate) fn wait_outcome(&self) -> anyhow::Result<Outcome> {
        self.process.wait_stdout("the end of the rows", |line| match parse(line)? {
            Told::Finished { rows } => Some(Outcome::Finished { rows }),
            Told::Failed { at, rows, error } => Some(Outcome::Failed { at: stamp(at), rows, error }),
            Told::Connected { .. } | Told::Paused { .. } | Told::Reading => None,
        })
    }

    /// Reads on to the end, closes the connection and ends.
    pub(crate) fn finish(mut self) -> anyhow::Result<Outcome> {
        let outcome = self.read_on()?;
        self.wait()?;
        Ok(outcome)
    }

    /// Lets one that stays close its connection, and end.
    pub(crate) fn close(mut self) -> anyhow::Result<()> {
        self.process.say("close")?;
        self.wait()
    }

    /// Waits until the client has closed its connection and ended.
    pub(crate) fn wait(mut self) -> anyhow::Result<()> {
        self.process.wait().map(drop).context("waiting for the client to end")
    }
}

fn parse(line: &str) -> Option<Told> {
    serde_json::from_str(line).ok()
}

/// The clock of Python: seconds since 1970.
pub(super) fn stamp(seconds: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "microseconds since 1970 are far from its end")]
    Timestamp::from_micros((seconds * 1e6) as i64)
}
