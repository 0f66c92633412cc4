//! A tarball, for every Linux: one directory with everything in it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::contents::Contents;
use super::target::Target;
use super::tree::Tree;
use crate::step::run_quietly;

/// Makes it in `place` and gives its path. All in it has one time, `epoch` in seconds since 1970.
pub(super) fn make(
    contents: &Contents,
    target: &Target,
    version: &str,
    epoch: u64,
    place: &Path,
) -> anyhow::Result<PathBuf> {
    let name = format!("observer-{version}-{}-linux", target.name);
    let outer = Tree::new(&place.join("tarball"))?;
    let inside = |path: &str| format!("{name}/{path}");
    outer.program(&inside("observer"), &contents.program)?;
    outer.file(&inside("observer.service"), &contents.unit)?;
    if let Some(configuration) = &contents.configuration {
        outer.file(&inside("observer.toml"), configuration)?;
    }
    outer.file(&inside("THIRD-PARTY-LICENCES"), &contents.third_party)?;
    for (path, content) in contents.documents.iter().chain(&contents.licences) {
        outer.file(&inside(path), content)?;
    }
    for (page, content) in &contents.pages {
        outer.file(&inside(&format!("man/{page}")), content)?;
    }
    for (_, file, content) in &contents.completions {
        outer.file(&inside(&format!("completions/{file}")), content)?;
    }
    for (path, content) in &contents.examples {
        outer.file(&inside(&format!("examples/{path}")), content)?;
    }
    outer.settle(SystemTime::UNIX_EPOCH + Duration::from_secs(epoch))?;

    let archive = place.join(format!("{name}.tar.gz"));
    run_quietly(
        Command::new("tar")
            .args(["--create", "--sort=name", "--owner=root:0", "--group=root:0", "--format=ustar"])
            .args(["--use-compress-program", "gzip --best --no-name", "--file"])
            .arg(&archive)
            .arg("--directory")
            .arg(outer.place())
            .arg(&name),
    )?;
    Ok(archive)
}
