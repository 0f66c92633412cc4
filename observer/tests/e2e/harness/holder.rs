//! Processes that have a connection, and a server that writes until they read.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::thread;

use anyhow::Context as _;
use observer_core::TimeRange;

use super::lab::{Lab, Side};
use super::privilege::NOBODY;
use super::process::Process;
use super::reader::stamp;

const SCRIPT: &str = include_str!("holder.py");

/// Writes to everybody who comes, for as long as they are there.
pub(crate) fn serve(lab: &Lab) -> anyhow::Result<()> {
    let address = lab.address();
    let listener = lab.server().within(|| TcpListener::bind(address).context("binding the server's port"))?;
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            // It ends when the client does.
            thread::spawn(move || while client.write_all(&[0; 8192]).is_ok() {});
        }
    });
    Ok(())
}

/// A process that may have a connection.
pub(crate) struct Holder(pub(crate) Process);

impl Holder {
    /// One on `side` that connects to `server`, and its address.
    pub(crate) fn open(
        side: &Side,
        server: SocketAddr,
        as_nobody: bool,
    ) -> anyhow::Result<(Self, SocketAddr)> {
        let mut command = if as_nobody {
            let mut command = side.command(NOBODY[0]);
            command.args(&NOBODY[1..]).arg("/usr/bin/python3");
            command
        } else {
            side.command("/usr/bin/python3")
        };
        let (holder, port) = Self::connect(&mut command, server)?;
        Ok((holder, (side.address(server), port).into()))
    }

    /// One that `python` connects to `server`, and its port.
    pub(crate) fn connect(python: &mut Command, server: SocketAddr) -> anyhow::Result<(Self, u16)> {
        let (ip, port) = (server.ip().to_string(), server.port().to_string());
        let holder = Self::spawn(python.args(["-c", SCRIPT, "open", &ip, &port]))?;
        let (_, port) = holder.told("the connection", |what| what.parse::<u16>().ok())?;
        Ok((holder, port))
    }

    /// One that waits for a connection to be passed on to it at `path`.
    pub(crate) fn wait_at(side: &Side, path: &Path) -> anyhow::Result<Self> {
        let holder = Self::spawn(side.command("/usr/bin/python3").args(["-c", SCRIPT, "take"]).arg(path))?;
        holder.told("readiness", |what| (what == "waits").then_some(()))?;
        Ok(holder)
    }

    fn spawn(command: &mut Command) -> anyhow::Result<Self> {
        Process::spawn("the client", command).map(Self)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.0.pid().as_raw().cast_unsigned()
    }

    /// Has it read, or a child that it forks (`fork`): gives the process that read, and from when to when, by its clock.
    pub(crate) fn read(&mut self, order: &str) -> anyhow::Result<(u32, TimeRange)> {
        let before = self.0.stdout.all().len();
        self.0.say(order)?;
        let mut lines = 0;
        self.0.wait_stdout("a read", |line| {
            lines += 1;
            let (pid, times) = line.split_once(" read ").filter(|_| lines > before)?;
            let (began, ended) = times.split_once(' ')?;
            let time = |text: &str| Some(stamp(text.parse().ok()?));
            Some((pid.parse().ok()?, TimeRange { earliest: time(began)?, latest: time(ended)? }))
        })
    }

    /// Gives an order, and waits until it is told to be done. Gives the process that did it.
    pub(crate) fn order(&mut self, order: &str, done: &str) -> anyhow::Result<u32> {
        self.0.say(order)?;
        self.told(done, |what| (what == done).then_some(())).map(|(pid, ())| pid)
    }

    fn told<T>(&self, what: &str, found: impl Fn(&str) -> Option<T>) -> anyhow::Result<(u32, T)> {
        self.0.wait_stdout(what, |line| {
            let (pid, what) = line.split_once(' ')?;
            Some((pid.parse().ok()?, found(what)?))
        })
    }
}
