//! Connections that only stay open, in processes of their own: one of them may not have files for as many.

use std::env;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::Command;

use anyhow::Context as _;

use crate::crowd::Crowd;
use crate::harness::process::Process;

/// What a process says when its connections are open.
const OPEN: &str = "open";

/// The processes; the connections close when this is dropped.
pub(crate) struct Holders(Vec<Process>);

impl Holders {
    /// Opens so many connections to this port, in as many processes as it takes.
    pub(crate) fn open(connections: usize, port: u16) -> anyhow::Result<Self> {
        let this = env::current_exe().context("finding this program")?;
        let (room, mut missing, mut processes) = (Crowd::room()?, connections, Vec::new());
        // Each listens at an address of its own: what is observed is the port.
        for host in u32::from(Ipv4Addr::new(127, 0, 1, 0)).. {
            if missing == 0 {
                break;
            }
            let (some, host) = (missing.min(room), Ipv4Addr::from_bits(host));
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL"]).arg(&this).args(["--hold", &some.to_string()]);
            command.arg("--at").arg(SocketAddrV4::new(host, port).to_string());
            processes.push(Process::spawn("a holder of connections", &mut command)?);
            missing -= some;
        }
        for process in &processes {
            process.wait_stdout("the last connection", |line| (line == OPEN).then_some(()))?;
        }
        Ok(Self(processes))
    }

    /// How many processes there are.
    pub(crate) fn processes(&self) -> usize {
        self.0.len()
    }
}

/// Such a process: opens so many connections at this address, and keeps them until its standard input ends.
pub(crate) fn hold(connections: usize, at: SocketAddrV4) -> anyhow::Result<()> {
    let mut crowd = Crowd::at(at)?;
    let _open = crowd.open_many(connections)?;
    println!("{OPEN}");
    io::copy(&mut io::stdin(), &mut io::sink()).context("waiting for the end")?;
    Ok(())
}
