//! The names of what a run makes outside itself, and the removal of what a run that was killed has left.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use tempfile::TempDir;

use super::lab::{cgroup_root, remove_cgroup};

const PREFIX: &str = "observer-e2e-";
/// What such names begin with, those of the other tests that make cgroups and network namespaces too.
const PREFIXES: [&str; 3] = [PREFIX, "observer-diag-", "observer-test-"];

/// A name that tells whose it is: this run's.
pub(crate) fn name(rest: &str) -> String {
    format!("{PREFIX}{}-{rest}", std::process::id())
}

/// A temporary directory of such a name.
pub(crate) fn temporary_directory() -> anyhow::Result<TempDir> {
    TempDir::with_prefix(name("")).context("making a temporary directory")
}

/// Removes what belongs to runs that are no more.
pub(crate) fn remove_leftovers() -> anyhow::Result<()> {
    for name in leftovers(Path::new("/run/netns")) {
        // Another run may be doing the same; what is left now will be tried again by the next.
        let _ = Command::new("ip").args(["netns", "delete", &name]).output();
    }
    let cgroups = cgroup_root()?;
    for name in leftovers(&cgroups) {
        remove_cgroup(&cgroups.join(name));
    }
    let temporary = std::env::temp_dir();
    for name in leftovers(&temporary) {
        let _ = fs::remove_dir_all(temporary.join(name));
    }
    Ok(())
}

/// Entries of `directory` that name a process that is no more.
fn leftovers(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| owner(name).is_some_and(|pid| !Path::new("/proc").join(pid).exists())).collect()
}

fn owner(name: &str) -> Option<&str> {
    let rest = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix))?;
    let pid = rest.split('-').next()?;
    (!pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit())).then_some(pid)
}
