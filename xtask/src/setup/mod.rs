//! What the full tests need and cargo does not bring. Everything is installed once and found again.
//!
//! Debian packages go into the system; all else into the cache directory, where each thing is built under
//! another name and renamed when it is whole, so that what is there can be trusted.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::files::{make_directory, remove_directory};
use crate::places;
use crate::step::step;

mod bootstrap;
mod bpf_linker;
mod cargo_deny;
mod clients;
pub(crate) mod debian;
mod duckdb;
mod extracted;
pub(crate) mod kernels;
mod mysql;
mod packages;
mod prometheus;
mod rsyslog;
pub(crate) mod standard_library;

/// One thing in the cache directory.
struct Item {
    /// Its directory's name.
    directory: &'static str,
    /// A file that is there when it is.
    proof: &'static str,
    /// What it is.
    what: &'static str,
    /// Why it is needed.
    why: &'static str,
    /// Builds it in a directory that does not exist yet.
    build: fn(&Path) -> anyhow::Result<()>,
}

const ITEMS: [&Item; 9] = [
    &bpf_linker::ITEM,
    &cargo_deny::ITEM,
    &mysql::ITEM,
    &clients::ITEM,
    &duckdb::ITEM,
    &kernels::STORY,
    &debian::ITEM,
    &prometheus::ITEM,
    &rsyslog::ITEM,
];

/// Installs what is missing, and says so before it does.
pub(crate) fn run() -> anyhow::Result<()> {
    let cache = places::cache()?;
    packages::install()?;
    for item in ITEMS {
        item.install(&cache)?;
    }
    eprintln!("    set-up is complete: Debian packages, and {}", cache.display());
    Ok(())
}

impl Item {
    fn install(&self, cache: &Path) -> anyhow::Result<()> {
        let place = cache.join(self.directory);
        // The link of a virtual environment's python points out of it.
        if fs::symlink_metadata(place.join(self.proof)).is_ok() {
            return Ok(());
        }
        let unfinished = cache.join(format!("{}.unfinished", self.directory));
        step(&format!("install {} in {}, for {}", self.what, place.display(), self.why), || {
            make_directory(cache)?;
            remove_directory(&unfinished)?;
            (self.build)(&unfinished)?;
            remove_directory(&place)?;
            fs::rename(&unfinished, &place).with_context(|| format!("renaming to {}", place.display()))
        })
    }
}
