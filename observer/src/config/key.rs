//! What can be configured, by the definition of the command line.

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command};

use super::Setting;
use super::environment::PREFIX;

/// The commands that observe this host: their options are the keys.
pub const COMMANDS: [&str; 3] = ["live", "record", "doctor"];

/// The option that names the file. It is no key of it.
pub const FILE_OPTION: &str = "config";

/// How alike a word has to be to be what was meant, from 0 to 1; clap's own measure for options.
const LIKENESS: f64 = 0.7;

/// How many values a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Switch,
    /// One.
    Single,
    /// Any number.
    List,
}

/// An option that can be configured.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// Its name: of the option without `--`, and of the key.
    pub name: &'a str,
    /// The option.
    pub option: &'a Arg,
}

impl Key<'_> {
    /// Its name in the environment.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.to_ascii_uppercase().replace('-', "_"))
    }

    /// How many values it takes.
    pub fn kind(&self) -> Kind {
        match self.option.get_action() {
            ArgAction::SetTrue => Kind::Switch,
            ArgAction::Append => Kind::List,
            _ => Kind::Single,
        }
    }

    /// Whether its option would take this; `command` has the option.
    ///
    /// # Errors
    ///
    /// When it would not: what is wrong, in the words it would use, on one line.
    pub(super) fn check(&self, command: &Command, setting: &Setting) -> Result<(), String> {
        if self.kind() == Kind::Switch {
            return match setting.values.as_slice() {
                [value] if value == "true" || value == "false" => Ok(()),
                _ => Err(format!(
                    "invalid value '{}' for '--{}': true or false",
                    setting.values.join(","),
                    self.name
                )),
            };
        }
        let arguments = ["observer".to_owned()].into_iter().chain(setting.arguments(self.kind()));
        match command.clone().try_get_matches_from(arguments) {
            // What it needs besides may be given elsewhere.
            Err(error) if error.kind() != ErrorKind::MissingRequiredArgument => {
                let message = super::message(&error);
                let lines: Vec<_> = message.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
                Err(lines.join("; "))
            }
            _ => Ok(()),
        }
    }
}

/// What of a command can be configured, in the order of its help.
pub fn keys(command: &Command) -> impl Iterator<Item = Key<'_>> {
    let named = |option| Some(Key { name: Arg::get_long(option)?, option });
    command
        .get_arguments()
        .filter_map(named)
        .filter(|key| ![FILE_OPTION, "help", "version"].contains(&key.name))
}

/// A command with the options of the program without a command, and of all commands that observe, each once.
pub fn every(program: &Command) -> Command {
    let commands = COMMANDS.iter().filter_map(|name| program.find_subcommand(name));
    let mut every = Command::new("observer");
    for option in [program].into_iter().chain(commands).flat_map(Command::get_arguments) {
        if every.get_arguments().all(|known| known.get_id() != option.get_id()) {
            every = every.arg(option.clone());
        }
    }
    every
}

/// The key that was probably meant by a name that is none.
pub(super) fn meant<'a>(name: &str, command: &'a Command) -> Option<&'a str> {
    let alike = keys(command).map(|key| (strsim::jaro(name, key.name), key.name));
    let (likeness, meant) = alike.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (likeness > LIKENESS).then_some(meant)
}
