//! `cargo xtask dist`: what is given to people. The same sources, compiler and tools give the same bytes.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::files::read;
use crate::places::{repository, target_directory};
use crate::step::step;

mod again;
mod contents;
mod deb;
mod elf;
mod emulated;
mod licences;
mod tarball;
mod target;
mod tree;
mod trial;

use contents::Contents;
use target::Target;

/// What the program may have at most, in bytes.
const LIMIT: u64 = 6 << 20;

/// The release.
const VERSION: &str = env!("CARGO_PKG_VERSION");

#[derive(Args)]
pub(crate) struct DistArgs {
    /// The machine it is for [default: this one]
    #[arg(long, value_name = "MACHINE", value_parser = target::ALL.each_ref().map(|target| target.name))]
    target: Option<String>,
    /// Install, start, upgrade and remove the package in a fresh Debian, which needs root; for another machine, let qemu run
    /// the program
    #[arg(long)]
    r#try: bool,
    /// Make all of it a second time, from a clone of what is committed, and fail when a byte differs
    #[arg(long)]
    verify: bool,
}

/// Builds the program and makes a tarball and a Debian package of it, in target/dist/.
pub(crate) fn run(args: &DistArgs) -> anyhow::Result<()> {
    let target = Target::find(args.target.as_deref())?;
    let program = step(&format!("build observer for {}", target.name), || {
        let program = target.build()?;
        check(&program, target)?;
        Ok(program)
    })?;
    let place = target_directory().join("dist");
    let made = step("packages", || {
        let contents = Contents::gather(&program, target)?;
        let epoch = source_date()?;
        let made = [
            program.clone(),
            tarball::make(&contents, target, VERSION, epoch, &place)?,
            deb::make(&contents, target, VERSION, epoch, &place)?,
        ];
        for file in &made {
            eprintln!("    {} ({})", file.display(), size(file)?);
        }
        Ok(made)
    })?;
    if args.verify {
        again::compare(&made, target, &place)?;
    }
    match args.r#try {
        true if target.is_here() => trial::run(&program, &place),
        true => emulated::run(&program, target),
        false => Ok(()),
    }
}

/// Builds the program for this machine, and says where it is.
pub(crate) fn build() -> anyhow::Result<PathBuf> {
    Target::find(None)?.build()
}

/// Tries packages made of this program, which may need libraries.
pub(crate) fn test(program: &Path) -> anyhow::Result<()> {
    trial::run(program, &target_directory().join("dist"))
}

/// Checks what is promised of the program.
fn check(program: &Path, target: &Target) -> anyhow::Result<()> {
    let checking = || format!("checking {}", program.display());
    elf::check_static(&read(program)?, target.elf).with_context(checking)?;
    let size = fs::metadata(program).with_context(checking)?.len();
    ensure!(size <= LIMIT, "{} has {size} bytes, more than the {LIMIT} it may have", program.display());
    Ok(())
}

/// The time that everything in the packages has, in seconds since 1970: that of the last commit, or
/// `SOURCE_DATE_EPOCH` (reproducible-builds.org).
fn source_date() -> anyhow::Result<u64> {
    let seconds = if let Ok(given) = env::var("SOURCE_DATE_EPOCH") {
        given
    } else {
        let output = Command::new("git")
            .args(["log", "--max-count=1", "--format=%ct"])
            .current_dir(repository())
            .output()
            .context("starting git")?;
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    seconds.trim().parse().context("no time of the last commit: set SOURCE_DATE_EPOCH to seconds since 1970")
}

/// A file's size as people read it.
fn size(file: &Path) -> anyhow::Result<String> {
    let bytes = fs::metadata(file).with_context(|| format!("looking at {}", file.display()))?.len();
    let hundredths = bytes * 100 / (1 << 20);
    Ok(format!("{}.{:02} MiB", hundredths / 100, hundredths % 100))
}
