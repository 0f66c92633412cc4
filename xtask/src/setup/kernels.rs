//! Debian's kernels for clouds, which `cargo xtask vm` boots.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::files::make_directory;
use crate::places;
use crate::step::run_quietly;

use super::Item;
use super::bootstrap::bootstrap;

/// The kernel's own file.
const IMAGE: &str = "vmlinuz";
/// Modules that the machines need: socket diagnostics, and losses on the wire.
const MODULES: [&str; 3] = ["inet_diag.ko", "tcp_diag.ko", "sch_netem.ko"];

/// A kernel.
pub(crate) struct Kernel {
    /// What it is called on the command line: its version, or the suite where that is never the same for long.
    pub(crate) name: &'static str,
    item: Item,
}

/// From the oldest that the kernel programs load on to the newest there is.
pub(crate) static ALL: [Kernel; 4] = [
    Kernel {
        name: "5.10",
        item: Item {
            directory: "kernel-bullseye",
            what: "Debian's kernel 5.10",
            // The archive of security fixes no longer has the file that the plain name stands for.
            build: |place| build(place, "bullseye", "linux-image-cloud-amd64/bullseye"),
            ..STORY
        },
    },
    Kernel { name: "6.1", item: STORY },
    Kernel {
        name: "6.12",
        item: Item {
            directory: "kernel-trixie",
            what: "Debian's kernel 6.12",
            build: |place| build(place, "trixie", PACKAGE),
            ..STORY
        },
    },
    Kernel {
        name: "sid",
        item: Item {
            directory: "kernel-sid",
            what: "the newest kernel Debian has",
            build: |place| build(place, "sid", PACKAGE),
            ..STORY
        },
    },
];

const PACKAGE: &str = "linux-image-cloud-amd64";

/// The one that belongs to the set-up.
pub(super) const STORY: Item = Item {
    directory: "kernel-bookworm",
    proof: IMAGE,
    what: "Debian's kernel 6.1",
    why: "the machines of `cargo xtask vm`",
    build: |place| build(place, "bookworm", PACKAGE),
};

impl Kernel {
    /// Whether it is that of the story's own host, which the tests boot.
    pub(crate) fn is_of_the_story(&self) -> bool {
        self.item.directory == STORY.directory
    }

    /// Installs it where it is missing.
    pub(crate) fn install(&self) -> anyhow::Result<Installed> {
        let cache = places::cache()?;
        self.item.install(&cache)?;
        Ok(Installed(cache.join(self.item.directory)))
    }
}

/// A kernel in the cache directory.
pub(crate) struct Installed(PathBuf);

impl Installed {
    /// What is booted.
    pub(crate) fn image(&self) -> PathBuf {
        self.0.join(IMAGE)
    }

    /// The modules, in the order in which they are to be loaded, by name and place.
    pub(crate) fn modules(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        MODULES.into_iter().map(|module| (module, self.0.join(module)))
    }
}

/// Takes out of a small Debian system the files that matter.
fn build(place: &Path, suite: &str, package: &str) -> anyhow::Result<()> {
    make_directory(place)?;
    let system = place.join("system.tar");
    bootstrap("fetching a kernel of Debian's", "extract", package, suite, &system)?;
    run_quietly(
        Command::new("tar")
            .arg("--extract")
            .arg("--file")
            .arg(&system)
            .arg("--directory")
            .arg(place)
            // The kernel lies in /boot or beside its modules, and these may be compressed.
            .args(["--no-same-owner", "--wildcards", "--transform=s,.*/,,;s,^vmlinuz-.*,vmlinuz,"])
            .arg("*/vmlinuz*")
            .args(MODULES.map(|module| format!("*/{module}*"))),
    )?;
    fs::remove_file(&system).with_context(|| format!("removing {}", system.display()))?;
    for module in MODULES {
        let compressed = place.join(format!("{module}.xz"));
        if compressed.exists() {
            run_quietly(Command::new("xz").arg("--decompress").arg(compressed))?;
        }
    }
    Ok(())
}
