//! What comes in with dependencies: deny.toml says what may.

use std::process::{Command, Stdio};

use crate::places::{cache, repository};
use crate::step::{self, step};

/// The workspaces, each with dependencies of its own.
const WORKSPACES: [&str; 3] = ["Cargo.toml", "observer-ebpf/Cargo.toml", "fuzz/Cargo.toml"];

/// Licences, bans and sources, which are known here; and advisories, where their database can be fetched.
pub(crate) fn check() -> anyhow::Result<()> {
    step("cargo deny: licences, bans, sources", || all(&["licenses", "bans", "sources"]))?;
    let mut fetch = cargo_deny()?;
    let fetched = fetch.args(["fetch", "db"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if fetched.is_ok_and(|status| status.success()) {
        return step("cargo deny: advisories", || all(&["advisories"]));
    }
    eprintln!(
        "    not run: advisories of dependencies: their database, github.com/RustSec/advisory-db, cannot be fetched here"
    );
    Ok(())
}

fn all(checks: &[&str]) -> anyhow::Result<()> {
    WORKSPACES.iter().try_for_each(|workspace| {
        let mut check = cargo_deny()?;
        step::run_quietly(
            check
                .args(["--manifest-path", workspace, "--locked", "--config", "deny.toml", "check"])
                .args(checks),
        )
    })
}

/// As the set-up has installed it.
fn cargo_deny() -> anyhow::Result<Command> {
    let mut command = Command::new(cache()?.join("cargo-deny/bin/cargo-deny"));
    command.current_dir(repository());
    Ok(command)
}
