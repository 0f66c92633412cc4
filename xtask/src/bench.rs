//! `cargo xtask bench`: what observing costs. The measuring itself is in observer's benches `cost` and `frame`.

use std::path::{self, PathBuf};

use anyhow::Context as _;
use clap::Args;

use crate::places::{cache, cargo, repository};
use crate::step::{self, step};
use crate::{dist, root, setup};

/// The parts, in so far as they need something: the set-up, or the program.
const THROUGHPUT: &str = "throughput";
const CAPTURE: &str = "capture";
const MEMORY: &str = "memory";
const OWNERS: &str = "owners";
const LOAD: &str = "load";
/// The part that is a bench of its own, as it needs nothing but the view.
const FRAME: &str = "frame";

#[derive(Args)]
pub(crate) struct BenchArgs {
    /// How often each thing is measured, in turn with what it is compared to
    #[arg(long, default_value_t = 15)]
    rounds: u32,
    /// Measure only the kernel programs, a real server's throughput, memory and CPU, the judgement by itself, the
    /// reading of a capture, the host's system calls while a server's waits are followed, its traffic under load, the search
    /// for owners among 10,000 processes, or a picture of the view
    #[arg(long, value_parser = ["kernel", THROUGHPUT, MEMORY, "tracker", CAPTURE, "calls", OWNERS, LOAD, FRAME])]
    only: Option<String>,
    /// Measure this program where one runs [default: the one that `cargo xtask dist` packages]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Where the numbers go, as JSON; those of the pictures are printed only [default: target/bench.json]
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Fail when a budget is exceeded; otherwise that is only said
    #[arg(long)]
    assert: bool,
}

/// Does the set-up that is needed, builds what is given to people, and measures.
pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<()> {
    if args.only.as_deref() != Some(FRAME) {
        cost(args)?;
    }
    if args.only.as_deref().is_none_or(|only| only == FRAME) {
        let mut bench = cargo();
        bench.args(["bench", "--package", "observer", "--bench", FRAME, "--"]);
        step::run(bench.args(args.assert.then_some("--assert")))?;
    }
    Ok(())
}

fn cost(args: &BenchArgs) -> anyhow::Result<()> {
    let measures = |parts: &[&str]| args.only.as_deref().is_none_or(|only| parts.contains(&only));
    if measures(&[THROUGHPUT, CAPTURE]) {
        step("set-up", setup::run)?;
    }
    let json = args.json.clone().unwrap_or_else(|| repository().join("target/bench.json"));
    // The bench runs in another directory than this.
    let json = path::absolute(json).context("finding the file for the numbers")?;
    let mut bench = cargo();
    bench.env("OBSERVER_E2E", cache()?).args(["bench", "--package", "observer", "--bench", "cost"]);
    if let Some(program) = &args.program {
        bench.env("OBSERVER_PROGRAM", path::absolute(program).context("finding the program to measure")?);
    } else if measures(&[THROUGHPUT, MEMORY, OWNERS, LOAD]) {
        bench.env("OBSERVER_PROGRAM", step("build observer as it is packaged", dist::build)?);
    }
    root::run_as_root(&mut bench)?;
    bench.arg("--").arg("--rounds").arg(args.rounds.to_string()).arg("--json").arg(json);
    if let Some(only) = &args.only {
        bench.args(["--only", only]);
    }
    if args.assert {
        bench.arg("--assert");
    }
    step::run(&mut bench)
}
