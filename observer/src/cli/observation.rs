//! Options of the commands that observe this host.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use observer_core::{Config, Timeout};

use super::values::{GivenTimeout, parse_poll, parse_ring_size, parse_timeout};
use super::{AskedArgs, DEFAULT_PORT, StatementArgs, distinct};
use crate::source::live::LiveOptions;
use crate::source::recording::Given;

/// What is observed, and how.
#[derive(Args, Clone, Debug)]
pub struct ObservationArgs {
    /// Port the MySQL servers listen on; may be given up to 16 times
    #[arg(long = "port", short = 'p', value_name = "PORT", default_values_t = [DEFAULT_PORT],
          value_parser = clap::value_parser!(u16).range(1..))]
    pub ports: Vec<u16>,

    /// Watch only the sockets of this cgroup (v2) directory and of those below it [default: the whole host]
    ///
    /// It limits the kernel programs and the socket diagnostics alike. A socket belongs to the cgroup in which it, or
    /// the one that listened for it, was made.
    #[arg(long, value_name = "PATH")]
    pub cgroup: Option<PathBuf>,

    /// Do without the kernel programs: poll socket diagnostics only, which needs no privilege
    #[arg(long)]
    pub no_kernel: bool,

    /// The servers' net_write_timeout, where a session's own is not seen [default: 60, assumed]
    ///
    /// With an address it is that of one server, or of all servers of one host: 10.0.0.1:3307=30, 10.0.0.1=30,
    /// [2001:db8::1]=30. May be given for several.
    #[arg(long, value_name = "[ADDRESS=]SECONDS", value_parser = parse_timeout)]
    pub net_write_timeout: Vec<GivenTimeout>,

    /// The servers that are asked.
    #[command(flatten)]
    pub asked: AskedArgs,

    /// Warn when this share of the timeout is used
    #[arg(long, value_name = "PERCENT", default_value_t = 50, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub warn_at: u8,

    /// Call it critical when this share of the timeout is used
    #[arg(long, value_name = "PERCENT", default_value_t = 80, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub critical_at: u8,

    /// Time between two polls of socket diagnostics
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = parse_poll)]
    pub poll: Duration,

    /// How many connections are followed at most
    #[arg(long, value_name = "NUMBER", default_value_t = Config::MAX_CONNECTIONS,
          value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub max_connections: u32,

    /// Size of the kernel's ring buffer: bytes, or with K or M; a power of two, 4K to 1024M
    #[arg(long, value_name = "SIZE", default_value = "512K", value_parser = parse_ring_size)]
    pub ring_buffer: u32,

    /// What is kept and told of clients' statements.
    #[command(flatten)]
    pub statements: StatementArgs,
}

impl ObservationArgs {
    /// What clap cannot check by itself.
    pub(super) fn check(&mut self) -> Result<(), String> {
        let Self { warn_at, critical_at, .. } = *self;
        if critical_at < warn_at {
            return Err(format!("--critical-at {critical_at} comes before --warn-at {warn_at}"));
        }
        self.asked.check()?;
        distinct(&mut self.ports)
    }

    /// What the judgement is told.
    pub fn config(&self) -> Config {
        let given = Given::of(&self.net_write_timeout);
        Config {
            net_write_timeout: given.net_write_timeout.unwrap_or(Timeout::ASSUMED),
            server_timeouts: given.server_timeouts,
            warning_share: f64::from(self.warn_at) / 100.0,
            critical_share: f64::from(self.critical_at) / 100.0,
            max_connections: self.max_connections as usize,
            ..Config::default()
        }
    }

    /// What is observed; `bpf_log` as in [`LiveOptions`].
    ///
    /// # Errors
    ///
    /// When a server that is to be asked was given wrongly, or its defaults file cannot be read.
    pub fn options(&self, bpf_log: bool) -> anyhow::Result<LiveOptions> {
        Ok(LiveOptions {
            ports: self.ports.clone(),
            cgroup: self.cgroup.clone(),
            max_connections: self.max_connections,
            ring_bytes: self.ring_buffer,
            poll: self.poll,
            bpf_log,
            statements: self.statements.statements(),
            kernel: !self.no_kernel,
            servers: self.asked.servers()?,
        })
    }
}
