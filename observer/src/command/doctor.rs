//! `observer doctor`: what is there and what is missing.

use std::io::{self, Write as _};

use super::Outcome;
use crate::cli::DoctorArgs;
use crate::doctor::{self, DoctorOptions, Status};

/// Runs the command.
pub(super) fn run(args: DoctorArgs) -> anyhow::Result<Outcome> {
    let servers = args.asked.servers()?;
    let options = DoctorOptions { ports: args.ports, servers, json: args.json };
    let mut stdout = io::stdout().lock();
    let status = doctor::run(&options, &mut stdout)?;
    stdout.flush()?;
    Ok(match status {
        Status::Full => Outcome::Clean,
        Status::Degraded => Outcome::Found,
    })
}
