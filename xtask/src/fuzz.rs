//! `cargo xtask fuzz`: what observer reads, made up by libFuzzer.
//!
//! The targets are a workspace of their own (fuzz/). What they start from is kept in fuzz/corpus/, what is found on the
//! way lies in fuzz/target/.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread;

use anyhow::{Context as _, anyhow, ensure};
use clap::Args;

use crate::files::{make_directory, remove_directory};
use crate::places::{cargo, repository};
use crate::step::{self, step};

const TARGETS: [&str; 3] = ["log", "pcap", "mysql"];

/// How long each goes on as a part of the tests.
const TEST_SECONDS: u32 = 60;

/// What fails in the tests fails again; `cargo xtask fuzz TARGET` is for what nobody has seen yet.
const TEST_SEED: &str = "-seed=1";

/// Memory that is too much for any input, in MiB, and seconds that are.
const LIMITS: [&str; 2] = ["-rss_limit_mb=512", "-timeout=5"];

#[derive(Args)]
pub(crate) struct FuzzArgs {
    /// What is read [default: all of them for a minute, as a part of the tests]
    #[arg(value_parser = TARGETS)]
    target: Option<String>,
    /// How long; 0 is until the first failure
    #[arg(long, default_value_t = TEST_SECONDS, requires = "target")]
    seconds: u32,
    /// Keep in fuzz/corpus/ what earlier runs have found and what leads to code that nothing kept does
    #[arg(long, requires = "target", conflicts_with = "seconds")]
    keep: bool,
}

/// Runs one target and shows what libFuzzer says, or runs all.
pub(crate) fn run(args: &FuzzArgs) -> anyhow::Result<()> {
    let Some(target) = &args.target else { return test() };
    step("fuzz targets", build)?;
    let fuzzer = Fuzzer::find(target)?;
    if args.keep {
        let mut merge = Command::new(&fuzzer.program);
        return step::run(merge.arg("-merge=1").arg(&fuzzer.corpus).arg(&fuzzer.found));
    }
    let done = step::run(&mut fuzzer.command(args.seconds));
    done.with_context(|| fuzzer.advice())
}

/// Runs all targets at the same time, from what is kept alone.
pub(crate) fn test() -> anyhow::Result<()> {
    step("fuzz targets", build)?;
    let fuzzers = TARGETS.into_iter().map(Fuzzer::find).collect::<anyhow::Result<Vec<_>>>()?;
    step(&format!("fuzzing for {TEST_SECONDS} s: {}", TARGETS.join(", ")), || {
        thread::scope(|scope| {
            let running: Vec<_> = fuzzers.iter().map(|fuzzer| scope.spawn(|| fuzzer.test())).collect();
            running
                .into_iter()
                .try_for_each(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?)
        })
    })
}

/// Lints the targets, without the tests in the files they take: these are the other workspace's.
pub(crate) fn lint() -> anyhow::Result<()> {
    let mut clippy = cargo();
    clippy.current_dir(directory()).env("CLIPPY_CONF_DIR", repository());
    clippy.args(["clippy", "--locked", "--target", &host()?, "--target-dir"]).arg(directory().join("target"));
    step::run(clippy.args(["--", "--deny", "warnings"]))
}

fn build() -> anyhow::Result<()> {
    step::run_quietly(
        cargo()
            // Its .cargo/config.toml counts there only.
            .current_dir(directory())
            .args(["build", "--locked", "--target", &host()?])
            .arg("--target-dir")
            .arg(directory().join("target")),
    )
}

fn directory() -> PathBuf {
    repository().join("fuzz")
}

/// The platform that programs are built for here.
fn host() -> anyhow::Result<String> {
    let output = Command::new("rustc").args(["--print", "host-tuple"]).output().context("starting rustc")?;
    Ok(String::from_utf8(output.stdout).context("asking rustc for its platform")?.trim().to_owned())
}

/// A target that has been built.
struct Fuzzer {
    target: String,
    program: PathBuf,
    /// What it starts from.
    corpus: PathBuf,
    /// What it has found that leads to new code.
    found: PathBuf,
    /// Where inputs go that made it fail.
    failures: PathBuf,
}

impl Fuzzer {
    fn find(target: &str) -> anyhow::Result<Self> {
        let built = directory().join("target");
        let fuzzer = Self {
            target: target.to_owned(),
            program: built.join(host()?).join("debug").join(format!("fuzz-{target}")),
            corpus: directory().join("corpus").join(target),
            found: built.join("found").join(target),
            failures: built.join("failures").join(target),
        };
        for place in [&fuzzer.found, &fuzzer.failures] {
            make_directory(place)?;
        }
        Ok(fuzzer)
    }

    fn command(&self, seconds: u32) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(format!("-max_total_time={seconds}")).args(LIMITS).arg("-print_final_stats=1");
        command.arg(format!("-artifact_prefix={}/", self.failures.display()));
        // What it finds goes into the first directory.
        command.arg(&self.found).arg(&self.corpus);
        command
    }

    /// One run of the tests: it does not depend on those before it, and tries what they tried.
    fn test(&self) -> anyhow::Result<()> {
        remove_directory(&self.found)?;
        make_directory(&self.found)?;
        let output = self.command(TEST_SECONDS).arg(TEST_SEED).output().context("starting a fuzz target")?;
        if !output.status.success() {
            eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        }
        ensure!(output.status.success(), "{}", self.advice());
        eprintln!("    {:<6} {} inputs", self.target, executed(&output)?);
        Ok(())
    }

    fn advice(&self) -> String {
        let Self { target, corpus, failures, .. } = self;
        format!(
            "the fuzz target {target} failed; the input is the newest in {}: once the error is mended, keep it in {} as \
             regression-WHAT",
            failures.display(),
            corpus.display()
        )
    }
}

/// How many inputs a run has tried, by its last words.
fn executed(output: &Output) -> anyhow::Result<String> {
    let text = String::from_utf8_lossy(&output.stderr);
    let count = text.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    Ok(count.context("a fuzz target ended without its statistics")?.trim().to_owned())
}
