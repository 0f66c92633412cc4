//! Debian packages that are not installed but only taken out of their files, as they would run services otherwise.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::files::make_directory;
use crate::root;
use crate::step::run_quietly;

/// Fetches `packages` and takes them out of their files, into `place`.
///
/// # Errors
///
/// When one of them cannot be fetched.
pub(super) fn extract(place: &Path, packages: &[&str]) -> anyhow::Result<()> {
    make_directory(place)?;
    run_quietly(root::command("apt-get", "fetching Debian's package index")?.arg("update"))?;
    run_quietly(Command::new("apt-get").arg("download").args(packages).current_dir(place))?;
    unpack(place)
}

/// Takes the packages in `place` out of their files, which go.
pub(super) fn unpack(place: &Path) -> anyhow::Result<()> {
    for file in fetched(place)? {
        run_quietly(Command::new("dpkg-deb").arg("--extract").arg(&file).arg(place))?;
        fs::remove_file(&file).with_context(|| format!("removing {}", file.display()))?;
    }
    Ok(())
}

/// The files of the packages that were fetched.
fn fetched(place: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(place).with_context(|| format!("reading {}", place.display()))?;
    let is_package = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "deb");
    Ok(entries.filter_map(|entry| entry.ok().map(|entry| entry.path()).filter(is_package)).collect())
}
