//! Options of `record`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values::{parse_age, parse_room};
use super::{AlertArgs, ConfigFileArgs, FailOn, ObservationArgs};
use crate::record::Limits;

/// Options of `record`.
#[derive(Args, Clone, Debug)]
pub struct RecordArgs {
    /// Where the log is kept; made if it is not there, and no other observer may record there
    #[arg(long, value_name = "DIRECTORY", default_value = "/var/log/observer")]
    pub directory: PathBuf,

    /// A part is followed by the next when it has this size: bytes, or with K, M or G
    #[arg(long, value_name = "SIZE", default_value = "16M", value_parser = parse_room)]
    pub part_size: u64,

    /// A part is followed by the next when it is this old: seconds, or with m, h or d
    #[arg(long, value_name = "AGE", default_value = "24h", value_parser = parse_age)]
    pub part_age: Duration,

    /// All parts together have at most this size; the oldest are removed
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = parse_room)]
    pub keep: u64,

    /// Keep a bundle of every connection with a finding of this severity or above
    ///
    /// A directory in DIRECTORY/incidents with the report (Markdown, HTML, JSON), the events of that connection, and facts
    /// about the host: written at once, and again when more is known, up to the verdict.
    #[arg(long, value_name = "LEVEL", default_value = "lost")]
    pub incident_level: FailOn,

    /// All bundles together have at most this size; the oldest are removed
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = parse_room)]
    pub keep_incidents: u64,

    /// Serve metrics for Prometheus, at this address; without one to this host alone, at 127.0.0.1:10306
    ///
    /// The addresses of servers are in them, and whoever reaches the address can read them.
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, default_missing_value = "127.0.0.1:10306")]
    pub metrics: Option<SocketAddr>,

    /// What is observed, and how.
    #[command(flatten)]
    pub observation: ObservationArgs,

    /// Who is told of findings.
    #[command(flatten, next_help_heading = "Alerts")]
    pub alerts: AlertArgs,

    /// Where the rest is given.
    #[command(flatten)]
    pub file: ConfigFileArgs,
}

impl RecordArgs {
    /// What clap cannot check by itself.
    pub(super) fn check(&mut self) -> Result<(), String> {
        if self.keep < 2 * self.part_size {
            return Err(
                "--keep is less than two parts of --part-size: nothing old would ever be left".to_owned()
            );
        }
        self.observation.check()
    }

    /// When a part ends.
    pub fn limits(&self) -> Limits {
        Limits { size: self.part_size, age: self.part_age }
    }
}
