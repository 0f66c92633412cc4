//! Options about configuration.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Where the options are that are not on the command line.
#[derive(Args, Clone, Debug)]
pub struct ConfigFileArgs {
    /// Take what is not given here from this TOML file [default: /etc/observer/observer.toml, if it is there]
    ///
    /// Its keys have the names of the options: net-write-timeout = 30. What is given here goes before the environment
    /// (OBSERVER_NET_WRITE_TIMEOUT=30), and that before the file. OBSERVER_CONFIG names another file too.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What is done about the configuration.
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Say whether the file and the environment are right, or everything that is wrong with them
    Check {
        /// The file [default: that of OBSERVER_CONFIG, else /etc/observer/observer.toml, if it is there]
        file: Option<PathBuf>,
    },
    /// Print what holds, in the form of the file, and of each key, where that comes from
    Show {
        /// A command and its options, such as record --keep 4G [default: what any of live, record and doctor takes]
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND_LINE")]
        arguments: Vec<OsString>,
    },
    /// Print a file with every key, commented out, with what it means and its default
    Example,
}
