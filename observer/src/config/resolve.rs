//! The command line, completed by what is configured.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::error::{Error, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use super::key::{COMMANDS, FILE_OPTION, Key, Kind, every, keys};
use super::{Origin, Setting, Variable, environment, file};

/// A command line with what was configured besides.
#[derive(Debug)]
pub struct Resolved {
    /// What clap makes of all of it.
    pub matches: ArgMatches,
    /// What each key of the command is set to, in the order of its help.
    pub settings: Vec<(Setting, Kind)>,
}

/// Reads a command line, `arguments`, which begins with the name of the program. Where its command is none or one of
/// [`COMMANDS`], what it does not say is taken from the environment, and else from the file.
///
/// # Errors
///
/// When clap says so, which is also how it tells of `--help`, or when what is configured is wrong: all of that, a line each,
/// with its file and line, or its variable.
pub fn resolve(program: &Command, arguments: &[OsString], variable: Variable<'_>) -> Result<Resolved, Error> {
    let given = given(program, arguments)?;
    let Some((command, matches)) = observing(program, &given) else {
        return Ok(Resolved { matches: given, settings: Vec::new() });
    };
    let mut configured = configured(program, matches, variable)?;
    configured
        .retain(|setting| keys(command).any(|key| key.name == setting.name && !is_given(&key, matches)));
    let arguments = completed(arguments, command, usize::from(given.subcommand().is_some()) + 1, &configured);
    let holding =
        program.clone().try_get_matches_from(arguments).map_err(|error| told(error, configured.iter()))?;
    let settings = {
        let holding = holding.subcommand().map_or(&holding, |(_, matches)| matches);
        let origin = |key: &Key<'_>| match configured.iter().find(|setting| setting.name == key.name) {
            Some(setting) => setting.origin.clone(),
            None if is_given(key, matches) => Origin::Flag,
            None => Origin::Default,
        };
        keys(command).map(|key| (Setting::held(&key, holding, origin(&key)), key.kind())).collect()
    };
    Ok(Resolved { matches: holding, settings })
}

impl Resolved {
    /// An error about what was read here, with where that stands.
    #[must_use]
    pub fn told(&self, error: Error) -> Error {
        told(error, self.settings.iter().map(|(setting, _)| setting))
    }
}

/// What somebody has written.
fn given(program: &Command, arguments: &[OsString]) -> Result<ArgMatches, Error> {
    match program.clone().try_get_matches_from(arguments) {
        // What is missing may be configured.
        Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => {
            program.clone().ignore_errors(true).try_get_matches_from(arguments)
        }
        result => result,
    }
}

/// The command, where it is one that is configured, and what was given to it.
fn observing<'a>(program: &'a Command, given: &'a ArgMatches) -> Option<(&'a Command, &'a ArgMatches)> {
    let Some((name, matches)) = given.subcommand() else { return Some((program, given)) };
    let command = program.find_subcommand(name).filter(|_| COMMANDS.contains(&name));
    command.map(|command| (command, matches))
}

/// Whether somebody has written this option.
fn is_given(key: &Key<'_>, matches: &ArgMatches) -> bool {
    matches.value_source(key.option.get_id().as_str()) == Some(ValueSource::CommandLine)
}

/// What is configured, for whatever command, each key once.
fn configured(
    program: &Command,
    matches: &ArgMatches,
    variable: Variable<'_>,
) -> Result<Vec<Setting>, Error> {
    let every = every(program);
    let named = matches.get_one::<PathBuf>(FILE_OPTION).cloned();
    let (mut settings, mut problems) = environment::settings(variable, &every);
    if let Some(path) = file::path(named, variable) {
        match file::read(&path) {
            Ok(text) => {
                let (more, wrong) = file::settings(&path, &text, &every);
                settings.extend(more);
                problems.extend(wrong);
            }
            Err(error) => problems.push(format!("{error:#}")),
        }
    }
    if !problems.is_empty() {
        return Err(Error::raw(ErrorKind::ValueValidation, problems.join("\n") + "\n"));
    }
    // The environment goes before the file, and nothing is no setting.
    settings.retain(|setting| !setting.values.is_empty());
    let mut seen = Vec::new();
    settings.retain(|setting| {
        let is_first = !seen.contains(&setting.name);
        seen.push(setting.name.clone());
        is_first
    });
    Ok(settings)
}

/// The command line with what is configured at its `place`: clap takes no option before the name of a command.
fn completed(given: &[OsString], command: &Command, place: usize, configured: &[Setting]) -> Vec<OsString> {
    let (before, after) = given.split_at(place.min(given.len()));
    let mut completed = before.to_vec();
    for key in keys(command) {
        let settings = configured.iter().filter(|setting| setting.name == key.name);
        completed.extend(settings.flat_map(|setting| setting.arguments(key.kind())).map(OsString::from));
    }
    completed.extend_from_slice(after);
    completed
}

/// An error, with where the options stand that it speaks of and nobody has written.
fn told<'a>(error: Error, settings: impl Iterator<Item = &'a Setting>) -> Error {
    let text = message(&error);
    let is_told = |setting: &&Setting| {
        let is_elsewhere = !matches!(setting.origin, Origin::Flag | Origin::Default);
        is_elsewhere && speaks_of(&text, &setting.name)
    };
    let mut places = String::new();
    for setting in settings.filter(is_told) {
        // Writing to memory cannot fail.
        let _ = write!(places, "\n  --{}: {}", setting.name, setting.origin);
    }
    if places.is_empty() {
        return error;
    }
    Error::raw(error.kind(), format!("{text}{places}\n"))
}

/// What an error says, without the words around it.
pub fn message(error: &Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let end = ["\n\nUsage:", "\n\nFor more information"].iter().filter_map(|end| text.find(end)).min();
    text[..end.unwrap_or(text.len())].trim_end().to_owned()
}

/// Whether an option stands in a text.
fn speaks_of(text: &str, name: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .any(|word| word.strip_prefix("--") == Some(name))
}
