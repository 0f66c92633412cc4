//! Options that are not on the command line: from the environment and from one TOML file.
//!
//! Which there are follows from the definition of the command line: the option `--part-size` of a command that observes is
//! the key `part-size` of the file and the variable `OBSERVER_PART_SIZE`. What is found there is put before what the user has
//! written, as options, and goes the same way as that from then on: the same parsers, the same checks, the same errors.

mod environment;
mod example;
mod file;
mod key;
mod resolve;
mod setting;
mod show;

pub use environment::unknown_variables;
pub use example::example;
pub use file::{DEFAULT_FILE, path};
pub use key::{COMMANDS, FILE_OPTION, Key, Kind, every, keys};
pub use resolve::{Resolved, message, resolve};
pub use setting::{Origin, Setting};
pub use show::show;

/// A variable of the environment; `std::env::var_os` but in tests.
pub type Variable<'a> = &'a dyn Fn(&str) -> Option<std::ffi::OsString>;
