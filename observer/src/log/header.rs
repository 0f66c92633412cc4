//! The first line of a log.

use observer_core::{Config, ServerTimeout, Timeout, Timestamp};
use serde::{Deserialize, Serialize};

/// The name and version of the format. A reader refuses another one; within version 1 fields are only added.
pub const SCHEMA: &str = "observer.log/1";

/// What a log is and how it came to be. With it, a replay judges as the live observation did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the observer that wrote it.
    pub version: String,
    /// Which part of a recording in several files this is, counted from 1.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub part: u32,
    /// Name of the host.
    pub host: String,
    /// Release of its kernel.
    pub kernel: String,
    /// When the observation began.
    pub started_at: Timestamp,
    /// Seconds from the kernel's `CLOCK_MONOTONIC` to the times of this log.
    pub clock_offset: f64,
    /// Ports of the servers.
    pub ports: Vec<u16>,
    /// The net_write_timeout that holds where neither a session's own nor its server's is known.
    pub net_write_timeout: Timeout,
    /// The net_write_timeout of some servers, as the user gave it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub server_timeouts: Vec<ServerTimeout>,
    /// Share of the timeout from which on a stall is a warning, 0 to 1.
    pub warning_share: f64,
    /// Share of the timeout from which on a stall is critical, 0 to 1.
    pub critical_share: f64,
    /// How many connections are followed at most.
    pub max_connections: usize,
    /// Where the events come from: `kernel programs`, `socket diagnostics`.
    pub sources: Vec<String>,
}

fn first() -> u32 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde's `skip_serializing_if` asks for"
)]
fn is_first(part: &u32) -> bool {
    *part == 1
}

impl Header {
    /// That of a log which begins with the epoch and is judged with `config`; the rest is empty.
    pub fn of(config: &Config) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            part: 1,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: String::new(),
            kernel: String::new(),
            started_at: Timestamp::EPOCH,
            clock_offset: 0.0,
            ports: Vec::new(),
            net_write_timeout: config.net_write_timeout,
            server_timeouts: config.server_timeouts.clone(),
            warning_share: config.warning_share,
            critical_share: config.critical_share,
            max_connections: config.max_connections,
            sources: Vec::new(),
        }
    }

    /// The configuration the judgement ran with.
    pub fn config(&self) -> Config {
        Config {
            net_write_timeout: self.net_write_timeout,
            server_timeouts: self.server_timeouts.clone(),
            warning_share: self.warning_share,
            critical_share: self.critical_share,
            max_connections: self.max_connections,
            ..Config::default()
        }
    }
}
