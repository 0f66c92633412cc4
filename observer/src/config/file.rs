//! Settings in a file.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Command;
use nix::unistd::geteuid;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key::{Key, Kind, keys, meant};
use super::{Origin, Setting, Variable};
use crate::text::safe;

/// The file that is read when no other is named; it need not be there.
pub const DEFAULT_FILE: &str = "/etc/observer/observer.toml";

/// Larger files hold something else.
const MOST: u64 = 1 << 20;

/// The file: the one that was `named` on the command line, else that of `OBSERVER_CONFIG`, else [`DEFAULT_FILE`] if it is
/// there.
pub fn path(named: Option<PathBuf>, variable: Variable<'_>) -> Option<PathBuf> {
    let named = named.or_else(|| variable("OBSERVER_CONFIG").map(PathBuf::from));
    let is_missing = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
    named.or_else(|| {
        let is_there = !Path::new(DEFAULT_FILE).metadata().is_err_and(is_missing);
        is_there.then(|| DEFAULT_FILE.into())
    })
}

/// Reads a file.
///
/// # Errors
///
/// When it cannot be read, is no text, or when others than root may write what root would go by.
pub(super) fn read(path: &Path) -> anyhow::Result<String> {
    let name = path.to_string_lossy();
    text(path).with_context(|| format!("reading the configuration {}", safe(&name)))
}

fn text(path: &Path) -> anyhow::Result<String> {
    let file = File::open(path).context("opening it; another can be named with --config")?;
    let metadata = file.metadata()?;
    // As sudo is with sudoers: whoever writes it decides what root does. Devices such as /dev/null are somebody else's matter.
    if metadata.is_file() && geteuid().is_root() {
        let mode = metadata.mode() & 0o777;
        if mode & 0o022 != 0 {
            bail!("others than root may write to it (mode {mode:04o}): chmod go-w");
        }
        let owner = metadata.uid();
        ensure!(owner == 0, "it belongs to user {owner}, and root would go by it: chown root");
    }
    let mut text = String::new();
    file.take(MOST + 1).read_to_string(&mut text)?;
    ensure!(text.len() as u64 <= MOST, "more than {MOST} bytes are no configuration");
    Ok(text)
}

/// What `text`, the content of `path`, says of the keys of `command`, and what is wrong with it, line by line.
pub(super) fn settings(path: &Path, text: &str, command: &Command) -> (Vec<Setting>, Vec<String>) {
    let line = |offset: usize| text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1;
    let (mut settings, mut problems) = (Vec::new(), Vec::new());
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let offset = error.span().map_or(0, |span| span.start);
        problems.push((line(offset), error.message().to_owned()));
    }
    // What could be made of a file that is not TOML says little.
    let keys_and_values = problems.is_empty().then(|| table.get_ref()).into_iter().flatten();
    for (name, value) in keys_and_values {
        let line = line(name.span().start);
        let setting = setting(name.get_ref(), value, command).map(|(key, values)| {
            (
                key,
                Setting {
                    name: key.name.to_owned(),
                    values,
                    origin: Origin::File { path: path.to_owned(), line },
                },
            )
        });
        match setting.and_then(|(key, setting)| key.check(command, &setting).map(|()| setting)) {
            Ok(setting) => settings.push(setting),
            Err(problem) => problems.push((line, problem)),
        }
    }
    problems.sort_by_key(|(line, _)| *line);
    let told = |(line, problem)| format!("{}: {problem}", Origin::File { path: path.to_owned(), line });
    (settings, problems.into_iter().map(told).collect())
}

/// The key of this name, and its values.
fn setting<'a>(
    name: &str,
    value: &Spanned<DeValue<'_>>,
    command: &'a Command,
) -> Result<(Key<'a>, Vec<String>), String> {
    if value.get_ref().is_table() {
        return Err(format!("there are no tables: the keys of [{}] stand at the top", safe(name)));
    }
    let Some(key) = keys(command).find(|key| key.name == name) else {
        let meant = meant(name, command).map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
        return Err(format!("unknown key {}{meant}", safe(name)));
    };
    let values = match value.get_ref() {
        DeValue::Array(values) if key.kind() == Kind::List => {
            values.iter().map(|value| scalar(name, value.get_ref())).collect::<Result<_, _>>()?
        }
        value => vec![scalar(name, value)?],
    };
    Ok((key, values))
}

/// A value as it would be on the command line.
fn scalar(name: &str, value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Boolean(truth) => Ok(truth.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map(|number| number.to_string())
            .map_err(|_| format!("{name} is a number that is too large")),
        DeValue::Float(number) => Ok(number.as_str().to_owned()),
        DeValue::Array(_) => Err(format!("{name} takes one value, not a list")),
        DeValue::Datetime(_) | DeValue::Table(_) => Err(format!("{name} takes no {}", value.type_str())),
    }
}
