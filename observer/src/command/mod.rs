//! The commands: each puts parts together and runs them.

mod bpf_log;
mod config;
mod demo;
mod doctor;
mod generate;
mod heap;
mod live;
mod record;
mod replay;
mod report;
mod watch;

use crate::cli::{Cli, Command};
use crate::source::live::server;

/// How a command ended that did not fail; its exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was found at or above `--fail-on`: status 0.
    Clean,
    /// Something was: status 1.
    Found,
}

/// Does what the command line asks for.
///
/// # Errors
///
/// When the command failed (status 2): what was being done, why it did not work, and what the user can do.
pub fn run(cli: Cli) -> anyhow::Result<Outcome> {
    match cli.command.unwrap_or(Command::Live(cli.live)) {
        Command::Live(args) => live::run(&args),
        Command::Record(args) => record::run(&args),
        Command::Doctor(args) => doctor::run(args),
        Command::Demo(args) => demo::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Config(command) => config::run(command),
        Command::Man { directory } => generate::man(directory.as_deref()),
        Command::Completions { shell } => generate::completions(shell),
        Command::ServerSession => server::serve().map(|()| Outcome::Clean),
    }
}
