//! `observer report`: what became of the connections in a recording.

use std::io::{self, BufWriter};

use anyhow::Context as _;

use super::Outcome;
use crate::cli::{Format, ReportArgs};
use crate::output::is_broken_pipe;
use crate::privilege::{self, Uses};
use crate::report::{self, Options};
use crate::source::recording::{self, Source};

/// Runs the command.
pub(super) fn run(args: &ReportArgs) -> anyhow::Result<Outcome> {
    let options = Options {
        reading: recording::Options {
            ports: args.judging.ports.clone(),
            statements: args.judging.statements.statements(),
            follow: None,
        },
        given: args.judging.given(),
        client: args.client,
        all: args.all,
    };
    let sources: Vec<_> =
        args.files.iter().map(|file| Source::all_of(file)).collect::<anyhow::Result<Vec<_>>>()?.concat();
    let directories: Vec<_> = sources.iter().filter_map(Source::directory).collect();
    privilege::confine(&Uses { directories, reports: None })?;
    let report = report::build(&sources, &options)?;
    let is_found = args.judging.fail_on.is_some_and(|level| report.severity() >= Some(level.into()));
    let mut stdout = BufWriter::new(io::stdout().lock());
    let written = match args.format {
        Format::Text => report::text(&report, &mut stdout),
        Format::Markdown => report::markdown(&report, &mut stdout),
        Format::Html => report::html(&report, &mut stdout),
        Format::Json => report::json(&report, &mut stdout),
    }
    .context("writing to standard output");
    // What was found was found, also where whoever read of it has seen enough.
    if let Err(error) = written
        && !is_broken_pipe(&error)
    {
        return Err(error);
    }
    Ok(if is_found { Outcome::Found } else { Outcome::Clean })
}
