//! `--bpf-log`: what the kernel programs log, on standard error.

use std::io::{self, Write as _};

use anyhow::Context as _;
use log::{LevelFilter, Log, Metadata, Record};

use crate::text::safe;

/// Prints what aya-log hands on.
struct Talk;

impl Log for Talk {
    /// What aya says while it loads is not of the programs.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !metadata.target().starts_with("aya")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = record.args().to_string();
        // Nobody has to listen.
        let _ = writeln!(io::stderr(), "kernel: {}", safe(&line));
    }

    fn flush(&self) {}
}

/// From now on, what is logged is printed.
///
/// # Errors
///
/// When something else has taken the log before.
pub(super) fn print() -> anyhow::Result<()> {
    log::set_logger(&Talk).context("taking what the kernel programs log")?;
    log::set_max_level(LevelFilter::Debug);
    Ok(())
}
