//! cargo-deny, which looks at what comes in with dependencies.

use std::path::Path;

use crate::places::cargo;
use crate::step::run_quietly;

use super::Item;

pub(super) const ITEM: Item = Item {
    directory: "cargo-deny",
    proof: "bin/cargo-deny",
    what: "cargo-deny 0.20.2",
    why: "licences, bans, sources and advisories of dependencies",
    build,
};

/// It runs for seconds only: what makes its build take twice as long is left out.
fn build(place: &Path) -> anyhow::Result<()> {
    run_quietly(
        cargo()
            .args(["install", "cargo-deny", "--version", "0.20.2", "--locked", "--root"])
            .arg(place)
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
    )
}
