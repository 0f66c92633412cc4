//! Playing a case: what is done, and what happened in truth.

use std::net::SocketAddr;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow, bail, ensure};
use observer_core::Timestamp;

use crate::case::{Act, Case};
use crate::client::Client;
use crate::harness::Setup;
use crate::rig::Rig;

/// A case that is being played.
pub(crate) struct Play<'a> {
    case: &'a Case,
    client: Client,
    aborted: Aborted,
    /// When somebody else ended the connection.
    killed: Option<Timestamp>,
}

/// Whether the server has logged that it gave up.
enum Aborted {
    No,
    At(Timestamp),
    /// It did not log when, to less than a second.
    AtItsReset,
}

/// What happened in truth.
#[derive(Debug)]
pub(crate) struct Truth {
    /// Whose connection.
    pub(crate) client: SocketAddr,
    /// When the server gave up writing, if it did.
    pub(crate) aborted: Option<Timestamp>,
    /// From when on the connection was lost in truth, whatever the cause.
    pub(crate) lost: Option<Timestamp>,
}

impl<'a> Play<'a> {
    /// Connects.
    pub(crate) fn start(setup: &Setup, rig: &Rig, case: &'a Case) -> anyhow::Result<Self> {
        let client = Client::connect(setup, &rig.lab.client, rig.lab.address(), &case.plan)?;
        Ok(Self { case, client, aborted: Aborted::No, killed: None })
    }

    /// Asks what is to be asked, and does the acts up to the next at which the cases wait for each other: `part` counts
    /// these.
    pub(crate) fn part(&mut self, rig: &Rig, part: usize) -> anyhow::Result<()> {
        if part == 0
            && let Some(query) = self.case.query.act()
        {
            self.tell(&query)?;
        }
        let parts = self.case.acts.split(|act| matches!(act, Act::AwaitFate));
        for &act in parts.into_iter().nth(part).unwrap_or_default() {
            self.act(rig, act)?;
        }
        Ok(())
    }

    /// What comes over the server comes over the connection.
    pub(crate) fn meet_fate(&mut self) -> anyhow::Result<()> {
        self.killed = Some(now()?);
        Ok(())
    }

    fn act(&mut self, rig: &Rig, act: Act) -> anyhow::Result<()> {
        match act {
            Act::Read(rows) => {
                self.tell(&format!("read {rows}"))?;
            }
            Act::Trickle(rows) => {
                self.tell(&format!("trickle {rows}"))?;
            }
            Act::ReadOn => {
                // Who quits has lost nothing, and who has lost nothing quits.
                let outcome = self.client.act("end")?;
                ensure!(outcome.is_ok() == self.case.quits(), "reading on: {outcome:?}");
            }
            Act::Ping => {
                self.tell("ping")?;
            }
            Act::Quit => {
                let (rows, all) = (self.tell("quit")?, self.case.rows());
                ensure!(rows == u64::from(all), "{rows} rows were read of {all}");
            }
            Act::Close => drop(self.client.act("close")?),
            Act::Wait(time) => thread::sleep(time),
            Act::Signal(signal) => self.client.signal(signal)?,
            Act::KillConnection => {
                self.killed = Some(now()?);
                rig.execute(&format!("KILL CONNECTION {}", self.client.thread_id))?;
            }
            Act::KillQuery => rig.execute(&format!("KILL QUERY {}", self.client.thread_id))?,
            Act::AwaitAbort => {
                let logged = rig.server.wait_abort(self.client.thread_id)?;
                self.aborted = logged.map_or(Aborted::AtItsReset, Aborted::At);
            }
            Act::AwaitFate => bail!("the parts of a case end here"),
        }
        Ok(())
    }

    /// Has the client do something that has to go well. Gives the rows so far.
    fn tell(&mut self, act: &str) -> anyhow::Result<u64> {
        self.client.act(act)?.map_err(|error| anyhow!("{act}: {error}"))
    }

    /// What happened. `reset_at` gives the time of the server's reset, which is when MariaDB gave up.
    pub(crate) fn truth(&self, reset_at: impl Fn(SocketAddr) -> Option<Timestamp>) -> anyhow::Result<Truth> {
        let client = self.client.address;
        let aborted = match self.aborted {
            Aborted::No => None,
            Aborted::At(logged) => Some(logged),
            Aborted::AtItsReset => {
                Some(reset_at(client).context("the server's log tells of an abort, no reset does")?)
            }
        };
        ensure!(
            aborted.is_some() == self.case.expected.abort.is_some(),
            "the case did not go as it should: {aborted:?}"
        );
        Ok(Truth { client, aborted, lost: aborted.or(self.killed) })
    }
}

/// By the wall clock, from which the observers' differs by less than anything here is judged by.
fn now() -> anyhow::Result<Timestamp> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("reading the wall clock")?;
    Ok(Timestamp::from_micros(i64::try_from(since.as_micros())?))
}
