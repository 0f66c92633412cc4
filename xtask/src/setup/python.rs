//! The story's own client: aiomysql and PyMySQL as they were in it.

use std::path::Path;
use std::process::Command;

use crate::step::run_quietly;

use super::Item;

pub(super) const ITEM: Item = Item {
    directory: "python",
    proof: "bin/python",
    what: "aiomysql 0.1.1 and PyMySQL 1.1.0",
    why: "the end-to-end tests",
    build,
};

fn build(place: &Path) -> anyhow::Result<()> {
    // Debian's own: the one that comes first in PATH may be of another virtual environment, and go with it.
    run_quietly(Command::new("/usr/bin/python3").args(["-m", "venv"]).arg(place))?;
    run_quietly(Command::new(place.join("bin/python")).args([
        "-m",
        "pip",
        "install",
        "--no-input",
        "aiomysql==0.1.1",
        "PyMySQL==1.1.0",
    ]))
}
