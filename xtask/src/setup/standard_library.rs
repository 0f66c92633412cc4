//! Rust's standard library for other machines, as Debian builds it for its own compiler: where rustup has none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::files::{make_directory, remove_directory};
use crate::places;
use crate::step::run_quietly;

use super::{Item, extracted};

/// What has the library for one machine. A compiler reads none but that of its own version.
const PACKAGE: &str = "libstd-rust-web-dev";
/// The compiler's version, beside what was fetched for it.
const VERSION: &str = "version";

/// By what Debian calls the machines.
static ALL: [(&str, Item); 2] = [
    ("amd64", item("rust-std-amd64", |place| build(place, "amd64"))),
    ("arm64", item("rust-std-arm64", |place| build(place, "arm64"))),
];

const fn item(directory: &'static str, build: fn(&Path) -> anyhow::Result<()>) -> Item {
    Item {
        directory,
        proof: VERSION,
        what: "Rust's standard library of Debian's",
        why: "building for another machine",
        build,
    }
}

/// Installs that for the machine that Debian calls `architecture` where it is missing, and says in which sysroot the compiler of
/// the package `rustc-web` finds it.
///
/// # Errors
///
/// When that compiler is not installed, or the library cannot be fetched.
pub(crate) fn install(architecture: &str) -> anyhow::Result<PathBuf> {
    let (_, item) = ALL
        .iter()
        .find(|(name, _)| *name == architecture)
        .with_context(|| format!("Debian has no machine {architecture}"))?;
    let cache = places::cache()?;
    let place = cache.join(item.directory);
    if fs::read_to_string(place.join(VERSION)).ok() != Some(version()?) {
        remove_directory(&place)?;
    }
    item.install(&cache)?;
    Ok(place.join("usr"))
}

/// Unpacks the package without installing it: beside those of this machine it would bring other versions of libraries.
fn build(place: &Path, architecture: &str) -> anyhow::Result<()> {
    let version = version()?;
    // Lists of its own: this machine's have nothing of the other.
    let apt = place.join("apt");
    for directory in ["lists/partial", "archives/partial"] {
        make_directory(&apt.join(directory))?;
    }
    let apt_get = || {
        let mut command = Command::new("apt-get");
        command.current_dir(place).args([
            format!("--option=APT::Architectures::={architecture}"),
            format!("--option=Dir::State={}", apt.display()),
            format!("--option=Dir::Cache={}", apt.display()),
            "--option=Dir::State::status=/dev/null".to_owned(),
            // Where this is root, another user could not write here.
            "--option=APT::Sandbox::User=root".to_owned(),
        ]);
        command
    };
    run_quietly(apt_get().arg("update"))?;
    run_quietly(apt_get().arg("download").arg(format!("{PACKAGE}:{architecture}={version}")))?;
    remove_directory(&apt)?;
    extracted::unpack(place)?;
    fs::write(place.join(VERSION), version).context("noting the version")
}

/// The version of that compiler's own library.
fn version() -> anyhow::Result<String> {
    let output = Command::new("dpkg-query")
        .args(["--show", "--showformat=${Version}", PACKAGE])
        .output()
        .context("starting dpkg-query")?;
    ensure!(
        output.status.success() && !output.stdout.is_empty(),
        "Debian's compiler is not installed: `apt-get install rustc-web`"
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
