//! `cargo xtask ebpf`: builds the kernel programs, and keeps the objects in the repository, so that everything else
//! builds with stable Rust and nothing more.
//!
//! The build gives the same bytes on every machine that has the same compiler and linker: nothing of the place it
//! is built at gets into the object.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use crate::files::{make_directory, sha256};
use crate::places::{DEBIAN_RUSTC, cache, repository};

/// Where the objects are kept.
const PREBUILT: &str = "observer-ebpf/prebuilt";
/// The one that is embedded into the observer, and the one that the bench compares it with.
const OBJECTS: [&str; 2] = [OBSERVER, "noop"];
const OBSERVER: &str = "observer";
/// What they were made of, in the form of sha256sum(1).
const SOURCES: &str = "observer-ebpf/prebuilt/SOURCES.sha256";
/// Everything that decides about it.
const INPUTS: [&str; 6] = [
    "observer-common/Cargo.toml",
    "observer-common/src",
    "observer-ebpf/.cargo",
    "observer-ebpf/Cargo.lock",
    "observer-ebpf/Cargo.toml",
    "observer-ebpf/src",
];
/// LLVM of the compiler that bpf-linker is installed for: it reads no newer bitcode than its own.
const LLVM: &str = "22";

/// Builds the objects into the repository, or, to `check`, compares fresh ones with them.
///
/// # Errors
///
/// When the compiler, its sources or bpf-linker are missing, when the build fails, and when the objects in the
/// repository are not what the sources give.
pub(crate) fn build(check: bool) -> anyhow::Result<()> {
    let toolchain = Toolchain::find()?;
    let built = toolchain.build()?;
    if check {
        return compare(&built, &toolchain);
    }
    make_directory(&repository().join(PREBUILT))?;
    for object in OBJECTS {
        let (from, to) = (built.join(object), repository().join(prebuilt(object)));
        fs::copy(&from, &to).with_context(|| format!("copying {} to {}", from.display(), to.display()))?;
    }
    fs::write(repository().join(SOURCES), sources(&toolchain.version)?)
        .with_context(|| format!("writing {SOURCES}"))
}

/// Builds an object for this machine only, and says where it is: `OBSERVER_EBPF_OBJECT` embeds it in place of the
/// prebuilt one.
///
/// # Errors
///
/// As [`build`].
pub(crate) fn build_on_the_spot() -> anyhow::Result<PathBuf> {
    Ok(Toolchain::find()?.build()?.join(OBSERVER))
}

/// Whether the compiler and the linker here are those that made the object in the repository: only they can be
/// expected to give the same bytes.
///
/// # Errors
///
/// When they or the record of them are missing.
pub(crate) fn has_same_tools() -> anyhow::Result<bool> {
    let recorded =
        fs::read_to_string(repository().join(SOURCES)).with_context(|| format!("reading {SOURCES}"))?;
    let here = format!("# {}", Toolchain::find()?.version);
    Ok(recorded.lines().next() == Some(here.as_str()))
}

/// Fails when the sources are not those the object in the repository was made of. Builds nothing.
///
/// # Errors
///
/// Says which files have changed.
pub(crate) fn check_sources() -> anyhow::Result<()> {
    let recorded =
        fs::read_to_string(repository().join(SOURCES)).with_context(|| format!("reading {SOURCES}"))?;
    let version = recorded.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap_or_default();
    let present = sources(version)?;
    let recorded: Vec<_> = recorded.lines().collect();
    let present: Vec<_> = present.lines().collect();
    let file = |line: &&str| line.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let mut parted: Vec<_> = present.iter().filter(|line| !recorded.contains(line)).map(file).collect();
    parted.extend(recorded.iter().filter(|line| !present.contains(line)).map(file));
    parted.sort_unstable();
    parted.dedup();
    ensure!(
        parted.is_empty(),
        "run `cargo xtask ebpf`: the objects in {PREBUILT} were not made of this {}",
        parted.join(", ")
    );
    Ok(())
}

fn compare(built: &Path, toolchain: &Toolchain) -> anyhow::Result<()> {
    check_sources()?;
    let recorded = fs::read_to_string(repository().join(SOURCES))?;
    let made_by = recorded.lines().next().unwrap_or_default();
    ensure!(
        made_by == format!("# {}", toolchain.version),
        "the objects in {PREBUILT} cannot be compared: they were made by {}, here is {}",
        made_by.trim_start_matches("# "),
        toolchain.version
    );
    for object in OBJECTS {
        let (fresh, kept) = (built.join(object), prebuilt(object));
        ensure!(
            fs::read(&fresh)? == fs::read(repository().join(&kept))?,
            "{kept} is not what its sources give: compare it with {}",
            fresh.display()
        );
    }
    Ok(())
}

/// Where an object is kept.
fn prebuilt(object: &str) -> String {
    format!("{PREBUILT}/{object}.o")
}

/// The lines of [`SOURCES`]: who made the objects, and the sums of everything they were made of and of themselves.
fn sources(version: &str) -> anyhow::Result<String> {
    let mut files = OBJECTS.map(|object| PathBuf::from(prebuilt(object))).to_vec();
    for input in INPUTS {
        collect(Path::new(input), &mut files)?;
    }
    files.sort_unstable();
    let mut lines = format!("# {version}\n");
    for file in files {
        writeln!(lines, "{}  {}", sha256(&repository().join(&file))?, file.display())?;
    }
    Ok(lines)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let place = repository().join(path);
    if !place.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(&place).with_context(|| format!("reading {}", path.display()))? {
        collect(&path.join(entry?.file_name()), files)?;
    }
    Ok(())
}

/// A compiler for the kernel's machine, with the sources of `core`, and the linker.
struct Toolchain {
    rustc: PathBuf,
    linker: PathBuf,
    /// Both in a line.
    version: String,
}

impl Toolchain {
    fn find() -> anyhow::Result<Self> {
        let rustc = nightly().or_else(|| has_core(Path::new(DEBIAN_RUSTC)).then(|| DEBIAN_RUSTC.into())).context(
            "no compiler for the kernel programs: `rustup toolchain install nightly --component rust-src`, or \
             `apt-get install rustc-web rust-web-src`",
        )?;
        let linker = linker()?;
        let version = format!("{}, {}", first_line(&rustc, "--version")?, first_line(&linker, "--version")?);
        Ok(Self { rustc, linker, version })
    }

    /// Builds, and says in which folder the objects are.
    fn build(&self) -> anyhow::Result<PathBuf> {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["build", "--release", "--locked", "--quiet"])
            .current_dir(repository().join("observer-ebpf"));
        cargo.env("RUSTC", &self.rustc).env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", &self.linker);
        // `core` is built from source, which only compilers do that allow unfinished features.
        cargo.env("RUSTC_BOOTSTRAP", "1");
        for inherited in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTC_WRAPPER",
            "CARGO_BUILD_TARGET",
            "RUSTUP_TOOLCHAIN",
        ] {
            cargo.env_remove(inherited);
        }
        let target = repository().join("target/ebpf");
        cargo.env("CARGO_TARGET_DIR", &target);
        let status = cargo.status().context("running cargo")?;
        if !status.success() {
            bail!("building the kernel programs failed ({status})");
        }
        Ok(target.join("bpfel-unknown-none/release"))
    }
}

/// The nightly of rustup, if it fits: with `rust-src`, and of the LLVM that bpf-linker reads.
fn nightly() -> Option<PathBuf> {
    let found = Command::new("rustup").args(["which", "--toolchain", "nightly", "rustc"]).output().ok()?;
    let rustc = PathBuf::from(String::from_utf8(found.stdout).ok()?.trim());
    let about = Command::new(&rustc).arg("-vV").output().ok()?;
    let llvm = format!("LLVM version: {LLVM}.");
    (String::from_utf8_lossy(&about.stdout).contains(&llvm) && has_core(&rustc)).then_some(rustc)
}

/// Whether the sources of `core` are installed beside this compiler.
fn has_core(rustc: &Path) -> bool {
    let Ok(output) = Command::new(rustc).args(["--print", "sysroot"]).output() else { return false };
    let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    sysroot.join("lib/rustlib/src/rust/library/core").is_dir()
}

/// bpf-linker from the set-up's cache, else from the path.
fn linker() -> anyhow::Result<PathBuf> {
    let mut places: Vec<PathBuf> = cache().map(|cache| cache.join("bpf-linker/bin")).into_iter().collect();
    places.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    places
        .into_iter()
        .map(|place| place.join("bpf-linker"))
        .find(|linker| linker.is_file())
        .with_context(|| format!("no bpf-linker: `cargo xtask setup` installs it, for LLVM {LLVM}"))
}

fn first_line(program: &Path, argument: &str) -> anyhow::Result<String> {
    let output = Command::new(program)
        .arg(argument)
        .output()
        .with_context(|| format!("running {}", program.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_object_in_the_repository_was_made_of_these_sources() {
        super::check_sources().unwrap();
    }
}
