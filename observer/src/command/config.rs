//! `observer config`: what is configured, and whether that is right.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::CommandFactory as _;

use super::Outcome;
use crate::cli::{Cli, ConfigCommand};
use crate::config::{self, COMMANDS, DEFAULT_FILE};
use crate::text::safe;

/// Runs the command.
pub(super) fn run(command: ConfigCommand) -> anyhow::Result<Outcome> {
    let text = match command {
        ConfigCommand::Check { file } => check(file)?,
        ConfigCommand::Show { arguments } => show(arguments),
        ConfigCommand::Example => config::example(&Cli::command()),
    };
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).context("writing to standard output")?;
    Ok(Outcome::Clean)
}

/// Tries it with each command that observes, as some of them take together what others do not.
fn check(file: Option<PathBuf>) -> anyhow::Result<String> {
    let mut problems = Vec::new();
    for command in COMMANDS {
        let mut arguments: Vec<OsString> = vec!["observer".into(), command.into()];
        if let Some(file) = &file {
            arguments.extend(["--config".into(), file.into()]);
        }
        if let Err(error) = Cli::read(&arguments, &|name| std::env::var_os(name)) {
            let problem = config::message(&error);
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    problems.extend(Cli::unknown_variables());
    if !problems.is_empty() {
        bail!(problems.join("\n"));
    }
    let file = config::path(file, &|name| std::env::var_os(name));
    Ok(file.map_or_else(
        || format!("there is no {DEFAULT_FILE}, and nothing is wrong\n"),
        |file| format!("{}: ok\n", safe(&file.to_string_lossy())),
    ))
}

/// What holds for a command line; a wrong one ends the process as it would by itself.
fn show(arguments: Vec<OsString>) -> String {
    let variable = |name: &str| std::env::var_os(name);
    let is_of_one = arguments.first().is_some_and(|name| COMMANDS.iter().any(|command| name == command));
    let arguments: Vec<_> = [OsString::from("observer")].into_iter().chain(arguments).collect();
    let mut program = Cli::command();
    let checked = if is_of_one {
        Cli::read(&arguments, &variable).map(|_| ())
    } else {
        program = config::every(&program);
        Ok(())
    };
    let resolved = checked.and_then(|()| config::resolve(&program, &arguments, &variable));
    config::show(&resolved.unwrap_or_else(|error| error.exit()))
}
