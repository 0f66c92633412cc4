//! client.py, told what to do.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use nix::sys::signal::Signal;
use serde::Deserialize;

use crate::case::Plan;
use crate::harness::Setup;
use crate::harness::lab::Side;
use crate::harness::process::Process;

/// An answer of the client.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
enum Told {
    Connected { port: u16, thread_id: u32 },
    Done { rows: u64 },
    Failed { rows: u64, error: String },
}

/// How an act ended: the rows so far, or after how many rows the connection failed, and what the application was told.
pub(crate) type Outcome = Result<u64, String>;

/// A connected client.
pub(crate) struct Client {
    process: Process,
    answers: usize,
    /// Its address.
    pub(crate) address: SocketAddr,
    /// The server's thread id for it.
    pub(crate) thread_id: u32,
}

impl Client {
    /// Connects from `side` to `server`.
    pub(crate) fn connect(
        setup: &Setup,
        side: &Side,
        server: SocketAddr,
        plan: &Plan,
    ) -> anyhow::Result<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/accuracy/client.py");
        let plan = serde_json::to_string(plan).context("writing the plan")?;
        let mut command = side.command(setup.python());
        command.args([script, &server.ip().to_string(), &server.port().to_string(), &plan]);
        let process = Process::spawn("the client", &mut command)?;
        let Told::Connected { port, thread_id } = process.wait_stdout("the connection", parse)? else {
            bail!("the client does something before it connects");
        };
        Ok(Self { process, answers: 1, address: (side.address(server), port).into(), thread_id })
    }

    /// Has it do something, and waits until that is done. A trickle is done when it has begun.
    pub(crate) fn act(&mut self, act: &str) -> anyhow::Result<Outcome> {
        self.process.say(act)?;
        let mut seen = 0;
        let told = self.process.wait_stdout(act, |line| {
            seen += 1;
            (seen > self.answers).then(|| parse(line)).flatten()
        })?;
        self.answers += 1;
        match told {
            Told::Done { rows } => Ok(Ok(rows)),
            Told::Failed { rows, error } => Ok(Err(format!("after {rows} rows: {error}"))),
            Told::Connected { .. } => bail!("the client connects again"),
        }
    }

    /// Sends a signal to its process.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.process.signal(signal)
    }
}

fn parse(line: &str) -> Option<Told> {
    serde_json::from_str(line).ok()
}
