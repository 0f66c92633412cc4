//! `cargo xtask screens`.

use crate::places::cargo;
use crate::step;

/// Draws docs/screens/ anew. The test that compares them with what the program draws writes them instead.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut test = cargo();
    test.env("OBSERVER_WRITE_SCREENS", "1");
    step::run(test.args(["test", "--quiet", "--package", "observer", "--test", "screens"]))
}
