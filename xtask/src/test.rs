//! `cargo xtask test`: what CI runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::places::{cache, cargo, target_directory};
use crate::step::{self, step};
use crate::{deny, dist, ebpf, fuzz, root, setup, vm};

/// Lints and tests; `quick` leaves out what needs root or set-up.
pub(crate) fn run(quick: bool) -> anyhow::Result<()> {
    step("cargo fmt", || {
        step::run(cargo().args(["fmt", "--all", "--check"]))?;
        ["observer-ebpf/Cargo.toml", "fuzz/Cargo.toml"]
            .into_iter()
            .try_for_each(|other| step::run(cargo().args(["fmt", "--manifest-path", other, "--check"])))
    })?;
    let mut lints = cargo();
    lints.args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]);
    let mut tests = cargo();
    tests.args(["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests"]);
    let mut object = None;
    if !quick {
        step("set-up", setup::run)?;
        deny::check()?;
        let object = object.insert(kernel_programs()?);
        for command in [&mut lints, &mut tests] {
            command.env("OBSERVER_EBPF_OBJECT", &object);
        }
        enable_everything(&mut tests, &cache()?)?;
    }
    step("cargo clippy", || step::run(&mut lints))?;
    step("cargo test --doc", || step::run(cargo().args(["test", "--workspace", "--doc"])))?;
    if let Some(object) = object {
        step("cargo clippy of the fuzz targets", fuzz::lint)?;
        fuzz::test()?;
        vm::test(&object)?;
        // The program of these machines: to build the small one takes minutes.
        dist::test(&target_directory().join("release/observer"))?;
    }
    // The last words are cargo's own.
    step::announce("cargo test");
    step::run(&mut tests)
}

/// Builds them on the spot, and compares them with what is kept in the repository.
fn kernel_programs() -> anyhow::Result<PathBuf> {
    let object = step("kernel programs", ebpf::build_on_the_spot)?;
    if ebpf::has_same_tools()? {
        step("kernel programs against the prebuilt object", || ebpf::build(true))?;
    } else {
        eprintln!("    the prebuilt object was made by another compiler: only its sources are compared");
    }
    Ok(object)
}

/// The end-to-end tests take the place of the set-up as the sign that they are to run; they need root.
fn enable_everything(tests: &mut Command, cache: &Path) -> anyhow::Result<()> {
    tests.env("OBSERVER_E2E", cache);
    root::run_as_root(tests)
}
