//! A tarball, for every Linux: one directory with everything in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::release::Release;
use super::tree::Tree;
use crate::step::run_quietly;

/// Makes it in `place` and gives its path.
pub(super) fn make(release: &Release, place: &Path) -> anyhow::Result<PathBuf> {
    let contents = &release.contents;
    let name = format!("observer-{}-{}-linux", release.version, release.target.name);
    let outer = Tree::new(&place.join("tarball"))?;
    let inside = |path: &str| format!("{name}/{path}");
    outer.program(&inside("observer"), &contents.program)?;
    outer.file(&inside("observer.service"), &contents.unit)?;
    outer.file(&inside("observer.toml"), &contents.configuration)?;
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
    outer.settle(release.time())?;

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
