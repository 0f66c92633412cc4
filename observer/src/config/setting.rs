//! What a key is set to, and by what.

use std::fmt;
use std::path::PathBuf;

use clap::ArgMatches;

use super::key::{Key, Kind};
use crate::text::safe;

/// What a key is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key.
    pub name: String,
    /// Its values, as they would be on the command line. None is the same as no setting.
    pub values: Vec<String>,
    /// Where that stands.
    pub origin: Origin,
}

/// Where a setting stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// On the command line.
    Flag,
    /// In this variable of the environment.
    Variable(String),
    /// In a file.
    File {
        /// The file.
        path: PathBuf,
        /// Its line, from 1 on.
        line: usize,
    },
    /// Nowhere.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Variable(name) => f.write_str(name),
            Self::File { path, line } => write!(f, "{}:{line}", safe(&path.to_string_lossy())),
            Self::Default => f.write_str("default"),
        }
    }
}

impl Setting {
    /// What `matches` has for `key`.
    pub(super) fn held(key: &Key<'_>, matches: &ArgMatches, origin: Origin) -> Self {
        let values = matches.get_raw(key.option.get_id().as_str()).into_iter().flatten();
        let values = values.map(|value| value.to_string_lossy().into_owned()).collect();
        Self { name: key.name.to_owned(), values, origin }
    }

    /// As options; a switch that is off is none.
    pub(super) fn arguments(&self, kind: Kind) -> impl Iterator<Item = String> {
        let argument = move |value: &String| match kind {
            Kind::Switch => (value == "true").then(|| format!("--{}", self.name)),
            Kind::Single | Kind::List => Some(format!("--{}={value}", self.name)),
        };
        self.values.iter().filter_map(argument)
    }
}
