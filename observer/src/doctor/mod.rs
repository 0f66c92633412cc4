//! `observer doctor`: what the live view needs, whether it is here, and what is lost without it.
//!
//! Whatever can be tried is tried, never concluded from a version.

mod host;
mod programs;
mod render;
mod report;
mod servers;

use std::io::Write;

use anyhow::Context as _;

use crate::output::is_broken_pipe;
use crate::source::live::server::Server;

pub use report::{Check, NamespaceSockets, Report};

/// What to look for.
#[derive(Clone, Debug)]
pub struct DoctorOptions {
    /// The MySQL ports.
    pub ports: Vec<u16>,
    /// The servers that are to be asked.
    pub servers: Vec<Server>,
    /// JSON instead of lines.
    pub json: bool,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Everything the full live view needs: exit status 0.
    Full,
    /// Something is missing, and the live view does without it: exit status 1.
    Degraded,
}

/// Examines the host and writes the report to `out`.
///
/// # Errors
///
/// When the examination itself fails, which is not the same as finding something missing, or when `out` cannot be
/// written to. What was found was found, also where whoever read of it has seen enough.
pub fn run(options: &DoctorOptions, out: &mut dyn Write) -> anyhow::Result<Status> {
    let report = examine(options)?;
    let written = if options.json { render::json(&report, out) } else { render::text(&report, out) };
    if let Err(error) = written.and_then(|()| out.flush()).context("writing the report")
        && !is_broken_pipe(&error)
    {
        return Err(error);
    }
    Ok(if report.is_full() { Status::Full } else { Status::Degraded })
}

fn examine(options: &DoctorOptions) -> anyhow::Result<Report> {
    let mut report = Report::new(&options.ports);
    report.checks.push(host::kernel()?);
    report.checks.extend(programs::checks(&options.ports)?);
    report.checks.extend(host::capabilities()?);
    report.checks.extend(servers::checks(&options.servers)?);
    host::sockets(&options.ports, &mut report)?;
    Ok(report)
}
