//! A small Debian system with systemd, in which the package is tried.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::places;
use crate::root;
use crate::step::run_quietly;

use super::Item;

/// All of it, as it is before anything is installed.
const SYSTEM: &str = "system.tar";

pub(super) const ITEM: Item = Item {
    directory: "debian-trixie",
    proof: SYSTEM,
    what: "Debian 13 with systemd, about 0.2 GB",
    why: "trying the package",
    build,
};

/// Installs it where it is missing, and says where the archive is.
pub(crate) fn install() -> anyhow::Result<PathBuf> {
    let cache = places::cache()?;
    ITEM.install(&cache)?;
    Ok(cache.join(ITEM.directory).join(SYSTEM))
}

fn build(place: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(place).with_context(|| format!("making {}", place.display()))?;
    run_quietly(
        root::command("mmdebstrap", "making a Debian system")?
            // adduser is what the package depends on.
            .args(["--variant=minbase", "--include=adduser,systemd"])
            // A mirror that is a snapshot has an expired release file.
            .arg("--aptopt=Acquire::Check-Valid-Until \"false\"")
            .arg("trixie")
            .arg(place.join(SYSTEM)),
    )
}
