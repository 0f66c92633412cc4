//! Options of the commands that read recordings.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values::{GivenTimeout, parse_client, parse_speed, parse_timeout};
use super::{DEFAULT_PORT, FailOn, StatementArgs, ViewArgs};
use crate::report::Client;
use crate::source::recording::Given;

/// Options of `report`.
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// Event log, directory of `observer record`, or capture (pcap, pcapng), also with gzip; - is standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// The form of the report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,

    /// Only connections of this client
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = parse_client)]
    pub client: Option<Client>,

    /// Tell of connections without trouble too
    #[arg(long)]
    pub all: bool,

    /// How the files are judged.
    #[command(flatten)]
    pub judging: JudgingArgs,
}

/// Options of `replay`.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// Event log, directory of `observer record`, or capture (pcap, pcapng), also with gzip; - is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Go on with what is still being written: the log of an observer that runs
    #[arg(long)]
    pub follow: bool,

    /// How many times faster than it happened, 0.1 to 1000
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = parse_speed, conflicts_with = "follow")]
    pub speed: f64,

    /// Print one line per finding instead of the view, as fast as can be; also done when standard output is not a
    /// terminal
    #[arg(long)]
    pub plain: bool,

    /// How the file is judged.
    #[command(flatten)]
    pub judging: JudgingArgs,

    /// What the view looks like at first.
    #[command(flatten, next_help_heading = "View")]
    pub view: ViewArgs,
}

/// How a recording is judged.
#[derive(Args, Clone, Debug)]
pub struct JudgingArgs {
    /// Port the MySQL servers listen on in a capture; a log has its own. May be given up to 16 times
    #[arg(long = "port", short = 'p', value_name = "PORT", default_values_t = [DEFAULT_PORT],
          value_parser = clap::value_parser!(u16).range(1..))]
    pub ports: Vec<u16>,

    /// The servers' net_write_timeout, where a session's own is not seen [default: what the log was judged with]
    ///
    /// With an address it is that of one server, or of all servers of one host: 10.0.0.1:3307=30, 10.0.0.1=30,
    /// [2001:db8::1]=30. May be given for several.
    #[arg(long, value_name = "[ADDRESS=]SECONDS", value_parser = parse_timeout)]
    pub net_write_timeout: Vec<GivenTimeout>,

    /// What is told of clients' statements in a capture.
    #[command(flatten)]
    pub statements: StatementArgs,

    /// End with status 1 when there was a finding of this severity or above [default: never]
    #[arg(long, value_name = "LEVEL")]
    pub fail_on: Option<FailOn>,
}

impl JudgingArgs {
    /// The timeouts that were given.
    pub fn given(&self) -> Given {
        Given::of(&self.net_write_timeout)
    }
}

/// The forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Plain text, at most 78 columns wide
    Text,
    /// CommonMark, for an issue or a wiki
    Markdown,
    /// One page for a browser, with charts; it needs no other file
    Html,
    /// One object, docs/REPORT-FORMAT.md
    Json,
}
