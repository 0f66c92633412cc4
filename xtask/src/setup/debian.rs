//! A small Debian system with systemd, in which the package is tried.

use std::path::{Path, PathBuf};

use crate::files::make_directory;
use crate::places;

use super::Item;
use super::bootstrap::bootstrap;

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
    make_directory(place)?;
    // adduser is what the package depends on.
    let packages = "adduser,systemd";
    bootstrap("making a Debian system", "minbase", packages, "trixie", &place.join(SYSTEM))
}
