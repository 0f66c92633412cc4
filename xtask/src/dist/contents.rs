//! What is given to people beside the program, wherever each package puts it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::licences;
use super::target::Target;
use super::tree::Tree;
use crate::files::read;
use crate::places::{cargo, repository, target_directory};
use crate::step;

/// The shells with completions, and how each wants the file to be called and where to be in a package.
const SHELLS: [(&str, &str, &str); 3] = [
    ("bash", "observer", "usr/share/bash-completion/completions"),
    ("zsh", "_observer", "usr/share/zsh/vendor-completions"),
    ("fish", "observer.fish", "usr/share/fish/vendor_completions.d"),
];

/// The documents at the root that link to each other.
const DOCUMENTS: [&str; 4] = ["README.md", "CHANGELOG.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];

/// Files by their names, in their order.
pub(super) type Files = Vec<(String, Vec<u8>)>;

/// The parts of a package.
pub(super) struct Contents {
    /// The program.
    pub(super) program: Vec<u8>,
    /// Manual pages, in roff.
    pub(super) pages: Files,
    /// Completions: where a package has them, and what they are called.
    pub(super) completions: Vec<(&'static str, &'static str, Vec<u8>)>,
    /// The documents at the root and docs/, as they lie in the repository.
    pub(super) documents: Files,
    /// What else is in packaging/: rules of alerts and the like, for other programs.
    pub(super) examples: Files,
    /// The licences of observer.
    pub(super) licences: Files,
    /// Those of what is linked into it.
    pub(super) third_party: String,
    /// The systemd unit.
    pub(super) unit: Vec<u8>,
    /// The example configuration, in which everything is a comment.
    pub(super) configuration: Vec<u8>,
}

impl Contents {
    /// Reads and makes everything around the program at `program`, which is for `target`.
    pub(super) fn gather(program: &Path, target: &Target) -> anyhow::Result<Self> {
        let runs_here = if target.is_here() { program.to_owned() } else { build_for_here()? };
        let packaging = repository().join("packaging");
        Ok(Self {
            program: read(program)?,
            pages: pages(&runs_here)?,
            completions: SHELLS
                .into_iter()
                .map(|(shell, file, place)| Ok((place, file, printed(&runs_here, &["completions", shell])?)))
                .collect::<anyhow::Result<_>>()?,
            documents: [named(&DOCUMENTS)?, below("docs", "docs")?].concat(),
            examples: below("packaging", "")?
                .into_iter()
                .filter(|(name, _)| !matches!(name.as_str(), "observer.service" | "observer.toml"))
                .filter(|(name, _)| !name.starts_with("debian/"))
                .collect(),
            licences: named(&["LICENSE-APACHE", "LICENSE-MIT"])?,
            third_party: licences::collect(target)?,
            unit: read(&packaging.join("observer.service"))?,
            configuration: read(&packaging.join("observer.toml"))?,
        })
    }
}

/// The same program for this machine, to be asked what it says.
pub(super) fn build_for_here() -> anyhow::Result<PathBuf> {
    step::run(cargo().args(["build", "--locked", "--package", "observer"]))?;
    Ok(target_directory().join("debug/observer"))
}

fn pages(program: &Path) -> anyhow::Result<Files> {
    let tree = Tree::new(&target_directory().join("dist/pages"))?;
    let place = tree.place().to_str().context("a path that is not UTF-8")?;
    printed(program, &["man", "--directory", place])?;
    let names = tree.files()?;
    names.into_iter().map(|name| Ok((name.clone(), read(&tree.place().join(name))?))).collect()
}

/// What the program prints.
fn printed(program: &Path, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
    let running = || format!("running {} {}", program.display(), arguments.join(" "));
    let output = Command::new(program).args(arguments).output().with_context(running)?;
    ensure!(output.status.success(), "{}: {}", running(), String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

/// These files of the repository.
fn named(names: &[&str]) -> anyhow::Result<Files> {
    names.iter().map(|name| Ok(((*name).to_owned(), read(&repository().join(name))?))).collect()
}

/// All files of a directory of the repository, in the order of their names, each with this before its name.
fn below(directory: &str, before: &str) -> anyhow::Result<Files> {
    let place = repository().join(directory);
    let mut paths: Vec<_> = super::tree::below(&place)?.into_iter().filter(|path| path.is_file()).collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let name =
                Path::new(before).join(path.strip_prefix(&place).context("a file outside its directory")?);
            Ok((name.to_str().context("a name that is not UTF-8")?.to_owned(), read(&path)?))
        })
        .collect()
}
