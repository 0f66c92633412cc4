//! The file with everything that can be configured.

use std::fmt::Write as _;

use clap::Command;

use super::key::{COMMANDS, Key, Kind, every, keys};
use super::show::entry;
use super::{Origin, Setting};

/// How long its lines are at most, in characters.
const WIDTH: usize = 100;

/// A file with every key, all commented out, with what it means and its default.
pub fn example(program: &Command) -> String {
    let mut text = comment(&format!(
        "What observer does on this host. A key is an option of {}, and is told of in full by their --help. What stands on \
         the command line goes before the environment, and that before this file. `observer config check` says whether it \
         is right, `observer config show` what holds.",
        COMMANDS.map(|name| format!("`observer {name}`")).join(", ")
    ));
    let every = every(program);
    for key in keys(&every) {
        // Writing to memory cannot fail.
        let _ = write!(text, "\n{}#{}\n", comment(&meaning(&key)), entry(key.kind(), &default(&key)));
    }
    text
}

/// What a key means, and what it can be.
fn meaning(key: &Key<'_>) -> String {
    let help = key.option.get_help().map(ToString::to_string).unwrap_or_default();
    let values = key.option.get_possible_values();
    if values.is_empty() || key.kind() == Kind::Switch {
        return help;
    }
    let values: Vec<_> = values.iter().map(clap::builder::PossibleValue::get_name).collect();
    format!("{help}; one of {}", values.join(", "))
}

fn has_default(key: &Key<'_>) -> bool {
    key.kind() == Kind::Switch || !key.option.get_default_values().is_empty()
}

/// The default of a key, or where it has none, what would stand there.
fn default(key: &Key<'_>) -> Setting {
    let defaults = key.option.get_default_values().iter().map(|value| value.to_string_lossy().into_owned());
    let names = key.option.get_value_names().unwrap_or_default().iter().map(ToString::to_string);
    let values = match key.kind() {
        Kind::Switch => vec!["false".to_owned()],
        _ if has_default(key) => defaults.collect(),
        _ => names.collect(),
    };
    Setting { name: key.name.to_owned(), values, origin: Origin::Default }
}

/// Lines of a comment with these words.
fn comment(text: &str) -> String {
    let mut lines = "#".to_owned();
    let mut length = 1;
    for word in text.split_whitespace() {
        let longer = word.chars().count() + 1;
        if length + longer > WIDTH {
            lines += "\n#";
            length = 1;
        }
        lines += " ";
        lines += word;
        length += longer;
    }
    lines + "\n"
}
