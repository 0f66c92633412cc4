//! `observer doctor`: what is there and what is missing.

use std::io;

use super::Outcome;
use crate::cli::DoctorArgs;
use crate::doctor::{self, DoctorOptions, Status};

/// Runs the command.
pub(super) fn run(args: DoctorArgs) -> anyhow::Result<Outcome> {
    let servers = args.asked.servers()?;
    let options = DoctorOptions { ports: args.ports, servers, json: args.json };
    Ok(match doctor::run(&options, &mut io::stdout().lock())? {
        Status::Full => Outcome::Clean,
        Status::Degraded => Outcome::Found,
    })
}
