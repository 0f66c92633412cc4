//! DuckDB, which asks the logs of a fleet: `packaging/fleet/*.sql` are tested with it.

use std::path::Path;
use std::process::Command;

use crate::step::run_quietly;

use super::Item;

pub(super) const ITEM: Item = Item {
    directory: "duckdb",
    proof: "bin/python",
    what: "DuckDB 1.4.4, about 0.1 GB",
    why: "the tests of the fleet's questions",
    build,
};

fn build(place: &Path) -> anyhow::Result<()> {
    // Debian's own, as for the clients.
    run_quietly(Command::new("/usr/bin/python3").args(["-m", "venv"]).arg(place))?;
    run_quietly(Command::new(place.join("bin/python")).args([
        "-m",
        "pip",
        "install",
        "--no-input",
        "duckdb==1.4.4",
    ]))
}
