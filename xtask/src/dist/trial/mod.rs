//! The life of the package in a fresh Debian whose systemd runs: `machine.sh` starts that, `story.sh` goes on in there.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::release::Release;
use super::target::Target;
use super::tree::Tree;
use super::{deb, tarball};
use crate::files::read;
use crate::places::repository;
use crate::root;
use crate::setup::debian;
use crate::step::{run_quietly, step};

const MACHINE: &str = include_str!("machine.sh");
const STORY: &str = include_str!("story.sh");
/// The only service that is started: it ends when the story does, and the machine with it.
const SERVICE: &str = "\
    [Unit]\n\
    SuccessAction=exit\n\
    FailureAction=exit\n\
    [Service]\n\
    Type=oneshot\n\
    ExecStart=/bin/sh /trial/story.sh\n\
    TimeoutStartSec=120\n\
    StandardOutput=file:/trial/output\n\
    StandardError=inherit\n";

/// Makes a tarball and two packages of the program, an old one and a new one, and plays the story in a Debian system in
/// `place`.
///
/// # Errors
///
/// When this is not root, when the system cannot be made, and with what the story says of the step that failed.
pub(super) fn run(program: &Path, place: &Path) -> anyhow::Result<()> {
    let system = debian::install()?;
    step("the package in a fresh Debian", || {
        let place = place.join("trial");
        remove(&place)?;
        // What is tried besides the package lies in a directory of its own.
        let beside = Tree::new(&place.join("beside"))?;
        let mut release = Release::of(program, Target::find(None)?)?;
        tarball::make(&release, beside.place())?;
        beside.file("INSTALL.md", read(&repository().join("docs/INSTALL.md"))?)?;
        let old = deb::make(&release, beside.place())?;
        // Settings that both the administrator and the package have changed are the hardest case.
        release.contents.configuration.extend(b"# Newer.\n");
        release.version.push_str("+next");
        let new = deb::make(&release, beside.place())?;
        for (package, name) in [(old, "old.deb"), (new, "new.deb")] {
            let to = beside.place().join(name);
            fs::rename(&package, &to).with_context(|| format!("renaming {}", package.display()))?;
        }
        beside.file("machine.sh", MACHINE)?;
        beside.file("story.sh", STORY)?;
        beside.file("trial.service", SERVICE)?;

        let root = place.join("root");
        fs::create_dir(&root).with_context(|| format!("making {}", root.display()))?;
        let unpacking = "unpacking a Debian system";
        run_quietly(
            root::command("tar", unpacking)?
                .arg("--extract")
                .arg("--file")
                .arg(&system)
                .arg("--directory")
                .arg(&root),
        )?;
        let played = run_quietly(
            root::command("sh", "starting a Debian system")?
                .arg(beside.place().join("machine.sh"))
                .arg(&root)
                .arg(beside.place()),
        );
        let output = fs::read_to_string(beside.place().join("output")).unwrap_or_default();
        eprint!("{output}");
        if let Err(error) = played {
            bail!("{error:#}; what there was is in {}", place.display());
        }
        remove(&place)
    })
}

/// Removes what root may have written.
fn remove(place: &Path) -> anyhow::Result<()> {
    run_quietly(
        root::command("rm", "removing a Debian system")?
            .args(["--recursive", "--force", "--one-file-system"])
            .arg(place),
    )
}
