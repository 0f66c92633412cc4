//! `cargo xtask accuracy`: whether what observer says is right. The cases themselves are observer's test `accuracy`.

use std::path::{self, PathBuf};

use anyhow::Context as _;
use clap::Args;

use crate::places::{cache, cargo, repository};
use crate::step::{self, step};
use crate::{root, setup};

#[derive(Args)]
pub(crate) struct AccuracyArgs {
    /// Where the numbers go, as JSON [default: target/accuracy.json]
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Does the set-up, and plays every case on both servers.
pub(crate) fn run(args: &AccuracyArgs) -> anyhow::Result<()> {
    step("set-up", setup::run)?;
    let json = args.json.clone().unwrap_or_else(|| repository().join("target/accuracy.json"));
    // The test runs in another directory than this.
    let json = path::absolute(json).context("finding the file for the numbers")?;
    let mut test = cargo();
    test.env("OBSERVER_E2E", cache()?).env("OBSERVER_ACCURACY", json);
    test.args(["test", "--package", "observer", "--test", "accuracy"]);
    root::run_as_root(&mut test)?;
    step::run(&mut test)
}
