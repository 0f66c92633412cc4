//! What there is to configure is told in full, and as it is.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clap::{ArgAction, CommandFactory as _};
use observer::cli::Cli;
use observer::config::{self, Kind, every, keys, resolve, show};

use super::host::{Host, line, values};

/// The keys are one flat table: one that several commands have is one thing.
#[test]
fn a_key_is_the_same_option_in_every_command() {
    let program = Cli::command();
    let every = every(&program);
    for command in config::COMMANDS {
        let command = program.find_subcommand(command).expect("it is there");
        for key in keys(command) {
            let action = key.option.get_action();
            assert!(
                matches!(action, ArgAction::Set | ArgAction::SetTrue | ArgAction::Append),
                "{}",
                key.name
            );
            let known = keys(&every).find(|known| known.name == key.name).expect("every key is there");
            assert_eq!(known.kind(), key.kind(), "{}", key.name);
            assert_eq!(known.option.get_default_values(), key.option.get_default_values(), "{}", key.name);
            assert_eq!(known.option.get_value_names(), key.option.get_value_names(), "{}", key.name);
        }
    }
}

/// `path` of the repository is `text`; with INSTA_UPDATE=always it is written.
fn is_current(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if std::env::var_os("INSTA_UPDATE").is_some_and(|update| update == "always") {
        fs::write(&file, text).expect("the repository can be written to");
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == text,
        "{path} is not of the present options: INSTA_UPDATE=always cargo test --test configuration"
    );
}

#[test]
fn the_example_has_every_key() {
    let example = config::example(&Cli::command());
    is_current("packaging/observer.toml", &example);

    let every = every(&Cli::command());
    let entries: Vec<_> = example
        .lines()
        .filter_map(|line| line.strip_prefix('#').filter(|entry| !entry.starts_with(' '))?.split_once(" = "))
        .collect();
    let names: Vec<_> = entries.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, keys(&every).map(|key| key.name).collect::<Vec<_>>());

    // As it is, it changes nothing; and what stands there as a default is what the option takes, and its default.
    let mut defaults = String::new();
    for (key, (name, value)) in keys(&every).zip(entries) {
        if key.kind() == Kind::Switch || !key.option.get_default_values().is_empty() {
            writeln!(defaults, "{name} = {value}").expect("it is memory");
        }
    }
    let nothing = Host::new("");
    for command in config::COMMANDS {
        assert_eq!(Host::new(&example).shown(&[command]), nothing.shown(&[command]));
        let shown = Host::new(&defaults).shown(&[command]);
        assert_eq!(values(&shown), values(&nothing.shown(&[command])));
    }
}

#[test]
fn the_documentation_has_every_key() {
    const BEGIN: &str = "<!-- keys: made by the test `configuration` -->\n";
    const END: &str = "<!-- end of keys -->\n";
    let program = Cli::command();
    let every = every(&program);
    let defaults = Host::new("");
    let defaults = resolve(&every, &line(&[]), &|name| defaults.variable(name)).expect("it is right");
    let mut table = "| key and option | variable | default | of |\n|---|---|---|---|\n".to_owned();
    for (key, shown) in keys(&every).zip(show(&defaults).lines()) {
        let default = shown.strip_suffix("  # default").and_then(|shown| shown.split_once(" = "));
        let default = default.map_or_else(String::new, |(_, value)| format!("`{value}`"));
        let has = |command: &&str| {
            keys(program.find_subcommand(command).expect("it is there")).any(|of| of.name == key.name)
        };
        let of = config::COMMANDS.into_iter().filter(has).collect::<Vec<_>>().join(", ");
        writeln!(table, "| `{}` | `{}` | {default} | {of} |", key.name, key.variable())
            .expect("it is memory");
    }
    let path = "docs/CONFIGURATION.md";
    let kept =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).expect("it is there");
    let (before, rest) = kept.split_once(BEGIN).expect("the table has a beginning");
    let (_, after) = rest.split_once(END).expect("the table has an end");
    is_current(path, &format!("{before}{BEGIN}{table}{END}{after}"));
}
