//! Settings in the environment.

use clap::Command;

use super::key::{Kind, keys};
use super::{Origin, Setting, Variable};

/// What the environment says of the keys of `command`, and what is wrong with it.
pub(super) fn settings(variable: Variable<'_>, command: &Command) -> (Vec<Setting>, Vec<String>) {
    let (mut settings, mut problems) = (Vec::new(), Vec::new());
    for key in keys(command) {
        let name = key.variable();
        let Some(value) = variable(&name) else { continue };
        let Some(value) = value.to_str() else {
            problems.push(format!("{name}: not UTF-8"));
            continue;
        };
        let values = match key.kind() {
            Kind::List => {
                value.split(',').map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned).collect()
            }
            Kind::Single | Kind::Switch => vec![value.to_owned()],
        };
        let setting = Setting { name: key.name.to_owned(), values, origin: Origin::Variable(name) };
        match key.check(command, &setting) {
            Ok(()) => settings.push(setting),
            Err(problem) => problems.push(format!("{}: {problem}", setting.origin)),
        }
    }
    (settings, problems)
}
