//! Settings in the environment.

use clap::Command;

use super::key::{Kind, keys, meant};
use super::{Origin, Setting, Variable, every};
use crate::text::safe;

/// What the variables of all settings begin with.
pub(super) const PREFIX: &str = "OBSERVER_";

/// Names with that beginning that are not for the program: what its building and its tests go by (CONTRIBUTING.md).
const FOR_DEVELOPERS: [&str; 7] =
    ["ACCURACY", "CACHE", "E2E", "EBPF_OBJECT", "PROGRAM", "SOAK_MINUTES", "WRITE_SCREENS"];

/// What of `names`, the names of variables, looks like a setting of `program` and is none, a line each.
pub fn unknown_variables(program: &Command, names: impl IntoIterator<Item = String>) -> Vec<String> {
    let every = every(program);
    let mut unknown: Vec<_> = names
        .into_iter()
        .filter_map(|name| {
            let rest = name.strip_prefix(PREFIX)?;
            let is_known = rest == "CONFIG" || keys(&every).any(|key| key.variable() == name);
            if is_known || FOR_DEVELOPERS.contains(&rest) || is_of_a_service(rest) {
                return None;
            }
            let meant = meant(&rest.to_ascii_lowercase().replace('_', "-"), &every)
                .and_then(|meant| keys(&every).find(|key| key.name == meant))
                .map_or_else(String::new, |key| format!("; did you mean {}?", key.variable()));
            Some(format!("unknown variable {}{meant}", safe(&name)))
        })
        .collect();
    unknown.sort_unstable();
    unknown
}

/// Kubernetes sets such names in a pod for a service of the name `observer`, and those that it sets for a port.
fn is_of_a_service(rest: &str) -> bool {
    let of_port =
        rest.strip_prefix("PORT_").is_some_and(|port| port.starts_with(|c: char| c.is_ascii_digit()));
    of_port || rest == "SERVICE_HOST" || rest.starts_with("SERVICE_PORT")
}

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
