//! Many clients in one process of Python, the first of which stop reading.

use std::net::SocketAddr;

use serde::Deserialize;

use super::Setup;
use super::lab::Side;
use super::process::Process;

/// What the process tells, in this order.
#[derive(Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
enum Told {
    Connected { port: u16, thread_id: u32 },
    Stalled,
    Ended(Ended),
}

/// How it ended for all of them.
#[derive(Debug, Deserialize, PartialEq)]
pub(crate) struct Ended {
    /// The fewest results that any client has read to the end, of those that read.
    pub(crate) answers: usize,
    /// How many of those that stood still have lost their connection.
    pub(crate) failed: usize,
}

/// One of them.
pub(crate) struct Member {
    /// Its address.
    pub(crate) address: SocketAddr,
    /// The server's thread id for it.
    pub(crate) thread_id: u32,
}

/// The connected clients.
pub(crate) struct Crowd {
    process: Process,
    /// Those that will send the query and stand still.
    pub(crate) still: Vec<Member>,
    /// Those that will read.
    pub(crate) others: Vec<Member>,
}

impl Crowd {
    /// Connects `count` clients from `side` to `server`; of `query`, the first `still` will not read the result.
    pub(crate) fn connect(
        setup: &Setup,
        side: &Side,
        server: SocketAddr,
        (count, still): (usize, usize),
        query: &str,
    ) -> anyhow::Result<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/harness/crowd.py");
        let mut command = side.command(setup.python());
        command.args([script, &server.ip().to_string(), &server.port().to_string()]);
        command.args([count.to_string(), still.to_string()]).arg(query);
        let process = Process::spawn("the clients", &mut command)?;
        let mut members = Vec::new();
        process.wait_stdout("the connections", |line| {
            if let Some(Told::Connected { port, thread_id }) = parse(line) {
                members.push(Member { address: (side.address(server), port).into(), thread_id });
            }
            (members.len() == count).then_some(())
        })?;
        let others = members.split_off(still);
        Ok(Self { process, still: members, others })
    }

    /// Lets all begin, and waits until those that stand still do so.
    pub(crate) fn begin(&mut self) -> anyhow::Result<()> {
        self.process.say("begin")?;
        self.process
            .wait_stdout("the stalls", |line| matches!(parse(line), Some(Told::Stalled)).then_some(()))
    }

    /// Lets all read to the end, close and end.
    pub(crate) fn finish(mut self) -> anyhow::Result<Ended> {
        self.process.say("end")?;
        let ended = self.process.wait_stdout("the end", |line| match parse(line) {
            Some(Told::Ended(ended)) => Some(ended),
            _ => None,
        })?;
        self.process.wait()?;
        Ok(ended)
    }
}

fn parse(line: &str) -> Option<Told> {
    serde_json::from_str(line).ok()
}
