//! `observer man` and `observer completions`: what a package installs beside the program.

use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Outcome;
use crate::cli::Cli;

/// Prints the manual page, or writes all there are into a directory.
pub(super) fn man(directory: Option<&Path>) -> anyhow::Result<Outcome> {
    if let Some(directory) = directory {
        clap_mangen::generate_to(Cli::command(), directory)
            .with_context(|| format!("writing the manual pages into {}", directory.display()))?;
        return Ok(Outcome::Clean);
    }
    let mut page = Vec::new();
    // `observer help` has no page of its own to refer to.
    let command = Cli::command().disable_help_subcommand(true);
    clap_mangen::Man::new(command).render(&mut page).context("writing the manual page")?;
    print(&page)
}

/// Prints the completions for `shell`.
pub(super) fn completions(shell: Shell) -> anyhow::Result<Outcome> {
    // clap_complete panics when it cannot write; memory can always be written.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "observer", &mut script);
    print(&script)
}

fn print(bytes: &[u8]) -> anyhow::Result<Outcome> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).context("writing to standard output")?;
    Ok(Outcome::Clean)
}
