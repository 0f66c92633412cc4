//! The machines it is built for, and the building.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::elf;
use crate::places::{DEBIAN_RUSTC, cargo, repository, target_directory};
use crate::setup::standard_library;
use crate::step;

/// A machine.
pub(super) struct Target {
    /// As Rust and most people call it.
    pub(super) name: &'static str,
    /// As Debian calls it.
    pub(super) debian: &'static str,
    /// As ELF numbers it.
    pub(super) elf: u16,
    /// What is built for it.
    pub(super) triple: &'static str,
    /// What links that on another machine, and the Debian packages that bring it.
    linker: &'static str,
    packages: &'static str,
}

pub(super) static ALL: [Target; 2] = [
    Target {
        name: "x86_64",
        debian: "amd64",
        elf: elf::X86_64,
        triple: "x86_64-unknown-linux-gnu",
        linker: "x86_64-linux-gnu-gcc",
        packages: "gcc-x86-64-linux-gnu libc6-dev-amd64-cross",
    },
    Target {
        name: "aarch64",
        debian: "arm64",
        elf: elf::AARCH64,
        triple: "aarch64-unknown-linux-gnu",
        linker: "aarch64-linux-gnu-gcc",
        packages: "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    },
];

impl Target {
    /// That of this name; without one, that of this machine.
    pub(super) fn find(name: Option<&str>) -> anyhow::Result<&'static Self> {
        let name = name.unwrap_or(env::consts::ARCH);
        ALL.iter()
            .find(|target| target.name == name)
            .with_context(|| format!("observer is not built for {name}"))
    }

    /// Whether it is this machine.
    pub(super) fn is_here(&self) -> bool {
        self.name == env::consts::ARCH
    }

    /// Builds the program for it, with the C library inside, and says where it is.
    pub(super) fn build(&self) -> anyhow::Result<PathBuf> {
        let mut build = cargo();
        build.args([
            "build",
            "--locked",
            "--package",
            "observer",
            "--profile",
            "dist",
            "--target",
            self.triple,
        ]);
        let variable = |what| format!("CARGO_TARGET_{}_{what}", self.triple.to_uppercase().replace('-', "_"));
        let mut flags = flags()?;
        if !self.is_here() {
            self.ensure_it_can_be_linked()?;
            build.env(variable("LINKER"), self.linker);
            if !self.has_standard_library()? {
                let sysroot = standard_library::install(self.debian).with_context(|| {
                    format!("there is no standard library for {0}: `rustup target add {0}`", self.triple)
                })?;
                build.env("RUSTC", DEBIAN_RUSTC);
                flags.push(format!("--sysroot={}", sysroot.display()));
            }
        }
        // For what is built for the target only, and instead of all other flags there are.
        build.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
        step::run(&mut build)?;
        Ok(target_directory().join(self.triple).join("dist/observer"))
    }

    /// Whether the compiler that cargo takes has it.
    fn has_standard_library(&self) -> anyhow::Result<bool> {
        let output = rustc().args(["--print", "sysroot"]).output().context("starting rustc")?;
        let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        Ok(sysroot.join("lib/rustlib").join(self.triple).join("lib").is_dir())
    }

    /// Says what is missing in words of what to do, where the compiler would fail in its own.
    fn ensure_it_can_be_linked(&self) -> anyhow::Result<()> {
        let linker = Command::new(self.linker).arg("--version").output();
        ensure!(
            linker.is_ok_and(|output| output.status.success()),
            "{} is not installed: `apt-get install {}`",
            self.linker,
            self.packages
        );
        Ok(())
    }
}

/// The compiler that cargo takes.
fn rustc() -> Command {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.current_dir(repository());
    rustc
}

/// The C library inside, no path of the machine it is built on, and nothing that is of no use in it.
fn flags() -> anyhow::Result<Vec<String>> {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))
        .context("neither CARGO_HOME nor HOME is set")?;
    let remap = |from: &Path, to| format!("--remap-path-prefix={}={to}", from.display());
    Ok(vec![
        "-Ctarget-feature=+crt-static".to_owned(),
        // Addresses that are set right at the start, as bits and not with 24 bytes each: from glibc 2.36 on.
        "-Clink-arg=-Wl,-z,pack-relative-relocs".to_owned(),
        // A path within the repository: an absolute one would make another program in another place.
        "-Clink-arg=-Wl,-T,xtask/src/dist/without_tables.ld".to_owned(),
        "-Clink-arg=-fuse-ld=bfd".to_owned(),
        remap(&home.join("registry/src"), "/cargo"),
        remap(repository(), "/observer"),
    ])
}
