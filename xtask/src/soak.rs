//! `cargo xtask soak`: the test that nothing grows, for as long as one likes. It is one of observer's own.

use clap::Args;

use crate::places::cargo;
use crate::{root, step};

#[derive(Args)]
pub(crate) struct SoakArgs {
    /// How long it goes on
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
}

/// Builds as for release, and says every minute what the observer takes.
pub(crate) fn run(args: &SoakArgs) -> anyhow::Result<()> {
    let mut soak = cargo();
    soak.env("OBSERVER_SOAK_MINUTES", args.minutes.to_string());
    soak.args(["test", "--release", "--package", "observer", "--test", "load"]);
    root::run_as_root(&mut soak)?;
    step::run(soak.args(["--", "--nocapture", "nothing_grows"]))
}
