//! `cargo xtask test`: what CI runs.

use std::process::Command;

use crate::places::{cache, cargo};
use crate::step::{self, step};
use crate::{ebpf, root, setup};

/// Lints and tests; `quick` leaves out what needs root or set-up.
pub(crate) fn run(quick: bool) -> anyhow::Result<()> {
    step("cargo fmt", || step::run(cargo().args(["fmt", "--all", "--check"])))?;
    let mut tests = cargo();
    tests.args(["test", "--workspace"]);
    if !quick {
        step("set-up", setup::run)?;
        // What is tested is built here, and the object in the repository is held to be the same, byte for byte.
        step("kernel programs", || {
            tests.env("OBSERVER_EBPF_OBJECT", ebpf::build_on_the_spot()?);
            ebpf::build(true)
        })?;
        enable_everything(&mut tests)?;
    }
    step("cargo clippy", || {
        step::run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
    })?;
    // The last words are cargo's own.
    step::announce("cargo test");
    step::run(&mut tests)
}

/// The end-to-end tests take the place of the set-up as the sign that they are to run; they need root.
fn enable_everything(tests: &mut Command) -> anyhow::Result<()> {
    tests.env("OBSERVER_E2E", cache()?);
    if !root::is_root()? {
        tests.args(["--config", r#"target."cfg(unix)".runner = ["sudo", "--preserve-env"]"#]);
    }
    Ok(())
}
