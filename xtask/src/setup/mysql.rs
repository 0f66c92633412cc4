//! Oracle's MySQL server, which Debian has in sid only: a small Debian system of its own.

use std::path::Path;

use crate::root;
use crate::step::run_quietly;

use super::Item;

pub(super) const ITEM: Item = Item {
    directory: "mysql",
    proof: "usr/sbin/mysqld",
    what: "MySQL's server from Debian sid, about 0.5 GB",
    why: "the end-to-end tests",
    build,
};

fn build(place: &Path) -> anyhow::Result<()> {
    run_quietly(
        root::command("mmdebstrap", "making a Debian system with MySQL's server")?
            .args(["--variant=essential", "--include=mysql-server-core,mysql-client-core"])
            // A mirror that is a snapshot has an expired release file.
            .arg("--aptopt=Acquire::Check-Valid-Until \"false\"")
            .arg("sid")
            .arg(place),
    )
}
