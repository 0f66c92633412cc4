//! What holds, in the form of the file.

use std::fmt::Write as _;

use toml::Value;

use super::key::Kind;
use super::{Resolved, Setting};
use crate::text::without_paths;

/// A file that says what holds, and of each key, where that comes from. Of web addresses it tells no more than the host:
/// what it shows is sent to others who are to help.
pub fn show(resolved: &Resolved) -> String {
    let mut text = String::new();
    for (setting, kind) in &resolved.settings {
        // Writing to memory cannot fail.
        let _ = if setting.values.is_empty() {
            writeln!(text, "# {} is not set", setting.name)
        } else {
            let values = setting.values.iter().map(|value| without_paths(value).into_owned()).collect();
            let told = Setting { values, ..setting.clone() };
            writeln!(text, "{}  # {}", entry(*kind, &told), setting.origin)
        };
    }
    text
}

/// A line of the file.
pub(super) fn entry(kind: Kind, setting: &Setting) -> String {
    let values = setting.values.iter().map(|value| value_of(kind, value));
    let value = match kind {
        Kind::List => Value::Array(values.collect()).to_string(),
        Kind::Single | Kind::Switch => values.map(|value| value.to_string()).collect(),
    };
    format!("{} = {value}", setting.name)
}

/// A value of the command line; a number is one where nothing of how it is written is lost.
fn value_of(kind: Kind, text: &str) -> Value {
    if kind == Kind::Switch {
        return Value::Boolean(text == "true");
    }
    let integer = text.parse::<i64>().ok().filter(|number| number.to_string() == text).map(Value::Integer);
    let float = || text.parse::<f64>().ok().filter(|number| number.to_string() == text).map(Value::Float);
    integer.or_else(float).unwrap_or_else(|| Value::String(text.to_owned()))
}
