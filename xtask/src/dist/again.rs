//! The promise that the same sources, compiler and tools give the same bytes, put to the test: everything is made once more,
//! of a clone and in directories of other names, and compared.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use super::target::Target;
use crate::files::{remove_directory, sha256};
use crate::places::{cargo, repository, target_directory};
use crate::step::{run_quietly, step};

/// Makes these files for `target` again, somewhere in `place`.
///
/// # Errors
///
/// When there are changes that are not committed, which a clone would not have, and when a file differs, which it names. What
/// was made stays then, to be looked at.
pub(super) fn compare(made: &[PathBuf], target: &Target, place: &Path) -> anyhow::Result<()> {
    let place = place.join("again");
    step("all of it again, elsewhere", || {
        let changes = git().args(["status", "--porcelain"]).output().context("starting git")?;
        ensure!(
            changes.status.success() && changes.stdout.is_empty(),
            "commit first: what is made again is what is committed"
        );
        remove_directory(&place)?;
        let (clone, built) = (place.join("other sources"), place.join("built"));
        run_quietly(git().args(["clone", "--quiet", "--shared"]).arg(repository()).arg(&clone))?;
        run_quietly(
            cargo()
                .args(["run", "--package", "xtask", "--", "dist", "--target", target.name])
                .current_dir(&clone)
                .env("CARGO_TARGET_DIR", &built)
                // What else may differ between machines, and must not be seen.
                .envs([("TZ", "Asia/Kathmandu"), ("LC_ALL", "C.UTF-8")]),
        )?;
        for file in made {
            let within = file.strip_prefix(target_directory()).context("a file made elsewhere")?;
            let (first, second) = (sha256(file)?, sha256(&built.join(within))?);
            let name = within.display();
            if first != second {
                bail!("{name} is {first} here and {second} in {}", built.display());
            }
            eprintln!("    {first}  {name}");
        }
        remove_directory(&place)
    })
}

fn git() -> Command {
    let mut git = Command::new("git");
    git.current_dir(repository());
    git
}
