//! Prometheus and promtool, out of Debian's package: installed into the system it would run as a service, which nobody who
//! tests observer has asked for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::root;
use crate::step::run_quietly;

use super::Item;

const PACKAGE: &str = "prometheus";

pub(super) const ITEM: Item = Item {
    directory: "prometheus",
    proof: "usr/bin/promtool",
    what: "Debian's Prometheus",
    why: "the tests of metrics and of alerting rules",
    build,
};

fn build(place: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(place).with_context(|| format!("making {}", place.display()))?;
    run_quietly(root::command("apt-get", "fetching Debian's package index")?.arg("update"))?;
    run_quietly(Command::new("apt-get").args(["download", PACKAGE]).current_dir(place))?;
    let package = package_in(place)?;
    run_quietly(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(place))?;
    fs::remove_file(&package).with_context(|| format!("removing {}", package.display()))
}

/// The only one that was fetched.
fn package_in(place: &Path) -> anyhow::Result<PathBuf> {
    let mut entries = fs::read_dir(place).with_context(|| format!("reading {}", place.display()))?;
    let is_package = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "deb");
    entries
        .find_map(|entry| entry.ok().map(|entry| entry.path()).filter(is_package))
        .with_context(|| format!("apt-get has fetched no package to {}", place.display()))
}
