//! Oracle's MySQL server, which Debian has in sid only: a small Debian system of its own.

use std::path::Path;

use super::Item;
use super::bootstrap::bootstrap;

pub(super) const ITEM: Item = Item {
    directory: "mysql",
    proof: "usr/sbin/mysqld",
    what: "MySQL's server from Debian sid, about 0.5 GB",
    why: "the end-to-end tests",
    build,
};

fn build(place: &Path) -> anyhow::Result<()> {
    let packages = "mysql-server-core,mysql-client-core";
    bootstrap("making a Debian system with MySQL's server", "essential", packages, "sid", place)
}
