//! The command line.

mod alert;
mod asked;
mod config;
mod observation;
mod record;
mod recordings;
mod statements;
mod values;
mod view;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use observer_common::MAX_PORTS;
use observer_core::{Config, Severity};

pub use alert::AlertArgs;
pub use asked::AskedArgs;
pub use config::{ConfigCommand, ConfigFileArgs};
pub use observation::ObservationArgs;
pub use record::RecordArgs;
pub use recordings::{Format, JudgingArgs, ReplayArgs, ReportArgs};
pub use statements::StatementArgs;
pub use values::{GivenServer, GivenTimeout};
pub use view::{ThemeArg, ViewArgs};

use crate::config::{Variable, resolve, unknown_variables};
use crate::source::live::server;
use crate::talk::say;

/// The port of the MySQL protocol (IANA: mysql).
pub const DEFAULT_PORT: u16 = 3306;

const EXIT_STATUS: &str = "\
Exit status:
  0  nothing was found at or above --fail-on
  1  something was
  2  the command failed";

const RECORD_EXIT_STATUS: &str = "\
Exit status:
  0  it was told to end
  2  the command failed";

const DOCTOR_EXIT_STATUS: &str = "\
Exit status:
  0  everything is there
  1  something is missing, and observer does without it
  2  the command failed";

/// Watches MySQL connections for clients that stop reading, and counts down to net_write_timeout.
///
/// A server does not wait for ever for a client that has stopped reading: net_write_timeout (60 s by default)
/// after its write blocked it drops the connection, and the client does not see it until much later. observer
/// shows every MySQL connection of this host, which of them stand still, how long is left, and which are lost
/// already.
#[derive(Debug, Parser)]
#[command(name = "observer", version, args_conflicts_with_subcommands = true, after_help = EXIT_STATUS)]
pub struct Cli {
    /// What to do; without it, `live`.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options of `live`.
    #[command(flatten)]
    pub live: LiveArgs,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch this host; what `observer` does without a command
    #[command(after_help = EXIT_STATUS)]
    Live(LiveArgs),
    /// Observe this host for years: without a view, into a log that does not grow for ever
    ///
    /// The log is a directory of parts, each of which can be read by itself, and all of them as one: give the directory to
    /// `observer report` or `observer replay`. Old parts are compressed, and the oldest go. SIGHUP begins a new part.
    #[command(after_help = RECORD_EXIT_STATUS)]
    Record(RecordArgs),
    /// Show what this host offers for the observation, and what is missing
    #[command(after_help = DOCTOR_EXIT_STATUS)]
    Doctor(DoctorArgs),
    /// Say what became of the connections in an event log or a capture, with what speaks for it
    ///
    /// It tells of every connection that had trouble: what happened and when, the verdict, the evidence, what it was
    /// not, and what to do. Several files about the same connections, such as the log of the client's host and that of
    /// the server's, are told as one; where their clocks differ, that is worked out from segments seen in both.
    #[command(after_help = EXIT_STATUS)]
    Report(ReportArgs),
    /// Play an event log or a capture back, in the view
    ///
    /// Space pauses, [ and ] change the speed, the arrow keys left and right and 0 to 9 go to another time, comma and
    /// full stop go step by step, < and > from finding to finding. ? shows all keys.
    #[command(after_help = EXIT_STATUS)]
    Replay(ReplayArgs),
    /// Play the whole story on this host: a server, a client that stops reading, and the view of it
    ///
    /// It takes about half a minute and touches nothing but loopback. The view stays until q is pressed. As root it
    /// shows more: without privilege there are no kernel programs, as with --no-kernel.
    Demo(DemoArgs),
    /// Show what is configured, and whether it is right
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the manual page, in roff
    #[command(hide = true)]
    Man {
        /// Write it into this directory instead, and a page of its own for each command
        #[arg(long, value_name = "DIRECTORY")]
        directory: Option<PathBuf>,
    },
    /// Print the completions for a shell
    #[command(hide = true)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Hold a session at a server, for the observer that has started this with a connection to it
    #[command(name = server::COMMAND, hide = true)]
    ServerSession,
}

/// Options of `live`.
#[derive(Args, Clone, Debug)]
pub struct LiveArgs {
    /// What is observed, and how.
    #[command(flatten)]
    pub observation: ObservationArgs,

    /// Print one line per finding instead of the view; also done when standard output is not a terminal
    ///
    /// A line has four fields with two spaces between them: the time (UTC), the client's and the server's address,
    /// the severity (notice, warning, critical, lost), and one sentence.
    #[arg(long)]
    pub plain: bool,

    /// Write every event and finding to this new file, one JSON object a line
    ///
    /// The first line is a header with what was watched and how. Of the others each has the time ("at", UTC), its
    /// "type", which is "event" or "finding", what it is (by that name), the addresses, and fields of its own.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,

    /// End with status 1 when there was a finding of this severity or above [default: never]
    ///
    /// What is said of the observation itself, such as a missing privilege, does not count.
    #[arg(long, value_name = "LEVEL")]
    pub fail_on: Option<FailOn>,

    /// Print what the kernel programs log, to standard error; for work on them
    #[arg(long, requires = "plain")]
    pub bpf_log: bool,

    /// Where the rest is given.
    #[command(flatten)]
    pub file: ConfigFileArgs,

    /// What the view looks like at first.
    #[command(flatten, next_help_heading = "View")]
    pub view: ViewArgs,
}

/// Options of `doctor`.
#[derive(Args, Clone, Debug)]
pub struct DoctorArgs {
    /// Port the MySQL servers listen on; may be given up to 16 times
    #[arg(long = "port", short = 'p', value_name = "PORT", default_values_t = [DEFAULT_PORT],
          value_parser = clap::value_parser!(u16).range(1..))]
    pub ports: Vec<u16>,

    /// The servers that are tried.
    #[command(flatten)]
    pub asked: AskedArgs,

    /// Print JSON
    #[arg(long)]
    pub json: bool,

    /// Where the rest is given.
    #[command(flatten)]
    pub file: ConfigFileArgs,
}

/// Options of `demo`.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Print one line per finding instead of the view, and exit after the story
    #[arg(long)]
    pub plain: bool,

    /// Write every event and finding to this new file, to try `report` and `replay` with
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,

    /// What the view looks like at first.
    #[command(flatten, next_help_heading = "View")]
    pub view: ViewArgs,
}

/// The severities that `--fail-on` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Any finding
    Notice,
    /// A connection is at risk
    Warning,
    /// Little time is left
    Critical,
    /// A connection or an observation is lost
    Lost,
}

impl From<FailOn> for Severity {
    fn from(level: FailOn) -> Self {
        match level {
            FailOn::Notice => Self::Notice,
            FailOn::Warning => Self::Warning,
            FailOn::Critical => Self::Critical,
            FailOn::Lost => Self::Lost,
        }
    }
}

impl Cli {
    /// Reads the command line of this process, and what is configured; what is wrong with it ends the process with status 2
    /// and is told. What looks like a setting in the environment and is none is told, but may be somebody else's.
    pub fn from_process() -> Self {
        let arguments: Vec<_> = std::env::args_os().collect();
        let cli = Self::read(&arguments, &|name| std::env::var_os(name)).unwrap_or_else(|error| error.exit());
        if cli.is_configured() {
            for unknown in Self::unknown_variables() {
                say(format_args!("{unknown}"));
            }
        }
        cli
    }

    /// What looks like a setting in the environment of this process and is none, a line each.
    pub fn unknown_variables() -> Vec<String> {
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        unknown_variables(&Self::command(), names)
    }

    /// Whether its command goes by the environment and the file.
    const fn is_configured(&self) -> bool {
        matches!(self.command, None | Some(Command::Live(_) | Command::Record(_) | Command::Doctor(_)))
    }

    /// Reads a command line, which begins with the name of the program, and what is configured.
    ///
    /// # Errors
    ///
    /// When either is wrong, and when it asks for help.
    pub fn read(arguments: &[OsString], variable: Variable<'_>) -> Result<Self, clap::Error> {
        let resolved = resolve(&Self::command(), arguments, variable)?;
        let cli = Self::from_arg_matches(&resolved.matches).and_then(Self::checked);
        cli.map_err(|error| resolved.told(error))
    }

    /// What clap cannot check by itself.
    fn checked(mut self) -> Result<Self, clap::Error> {
        let checked = match &mut self.command {
            None => self.live.observation.check(),
            Some(Command::Live(live)) => live.observation.check(),
            Some(Command::Record(record)) => record.check(),
            Some(Command::Doctor(doctor)) => doctor.asked.check().and_then(|()| distinct(&mut doctor.ports)),
            Some(Command::Report(report)) => distinct(&mut report.judging.ports),
            Some(Command::Replay(replay)) => distinct(&mut replay.judging.ports),
            Some(
                Command::Demo(_)
                | Command::Config(_)
                | Command::Man { .. }
                | Command::Completions { .. }
                | Command::ServerSession,
            ) => Ok(()),
        };
        match checked {
            Ok(()) => Ok(self),
            Err(message) => Err(Self::command().error(clap::error::ErrorKind::ValueValidation, message)),
        }
    }
}

/// Leaves each port once.
fn distinct(ports: &mut Vec<u16>) -> Result<(), String> {
    ports.sort_unstable();
    ports.dedup();
    if ports.len() > MAX_PORTS {
        return Err(format!("{} ports given, at most {MAX_PORTS} can be watched", ports.len()));
    }
    Ok(())
}

impl LiveArgs {
    /// What the judgement is told.
    pub fn config(&self) -> Config {
        self.view.keep(self.observation.config())
    }
}

#[cfg(test)]
mod tests;
