//! What observing costs: the kernel programs per packet, a real server's throughput, memory and CPU.
//!
//! `cargo xtask bench` runs this; docs/COST.md says how it measures and what came out. It measures the program as
//! a user starts it, and it asserts nothing unless told to.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench talks to who started it")]

mod actors;
mod calls;
mod capture;
mod cpus;
#[path = "../../tests/support/crowd.rs"]
#[expect(dead_code, reason = "the tests of load use more of it")]
mod crowd;
#[path = "../../tests/support/datagrams.rs"]
mod datagrams;
#[path = "../../tests/e2e/harness/mod.rs"]
#[expect(dead_code, reason = "the end-to-end tests use more of it")]
mod harness;
mod heap;
mod holders;
mod kernel;
mod live;
mod load;
mod memory;
mod noop;
mod others;
mod owners;
mod paced;
mod packets;
#[path = "../../tests/support/programs.rs"]
mod programs;
mod progress;
mod report;
mod statistics;
mod throughput;
mod tracker;
mod traffic;

use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};
use nix::unistd::Uid;

use report::Report;

/// What observing costs
#[derive(Parser)]
#[command(name = "cost")]
struct Cli {
    /// How often each thing is measured, in turn with what it is compared to
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Measure only this
    #[arg(long)]
    only: Option<Part>,
    /// Where the numbers go, as JSON
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench.json"))]
    json: PathBuf,
    /// Fail when a budget is exceeded
    #[arg(long)]
    assert: bool,
    /// Play the connections that the others observe, as told on standard input
    #[arg(long, hide = true)]
    actors: bool,
    /// Keep so many connections open until standard input ends
    #[arg(long, hide = true, requires = "at")]
    hold: Option<usize>,
    /// Where they go
    #[arg(long, hide = true)]
    at: Option<SocketAddrV4>,
    /// What `cargo bench` says to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

/// Load takes ten seconds a round.
const MOST_LOADS: u32 = 7;

/// Finding owners takes twenty.
const MOST_SEARCHES: u32 = 5;

/// A round of system calls takes ten.
const MOST_CALLS: u32 = 7;

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Time of the kernel programs per packet
    Kernel,
    /// Queries and bytes per second of a real server
    Throughput,
    /// Memory and CPU with 1,000 connections
    Memory,
    /// Events per second through the judgement, and its memory with 100,000 connections
    Tracker,
    /// Packets per second of a capture, beside tshark
    Capture,
    /// Finding whose a socket is among 10,000 processes
    Owners,
    /// System calls of the host while a server's waits are followed
    Calls,
    /// Bursts, packets of others and a full ring buffer beside the observer; 20,000 open connections
    Load,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match (cli.hold, cli.at) {
        (Some(connections), Some(at)) => holders::hold(connections, at).map(|()| true),
        _ if cli.actors => actors::play().map(|()| true),
        _ => run(&cli),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Measures, prints and writes; whether that is success.
fn run(cli: &Cli) -> anyhow::Result<bool> {
    let needs_root = !matches!(cli.only, Some(Part::Tracker | Part::Capture));
    ensure!(!needs_root || Uid::effective().is_root(), "network namespaces and kernel programs need root");
    let wanted = |part| cli.only.is_none_or(|only| only == part);
    let mut report = Report::new(cli.rounds)?;
    if wanted(Part::Kernel) {
        report.kernel = kernel::measure(cli.rounds).context("measuring the kernel programs")?;
    }
    if wanted(Part::Throughput) {
        report.throughput = throughput::measure(cli.rounds).context("measuring throughput")?;
    }
    if wanted(Part::Memory) {
        report.memory = memory::measure().context("measuring memory and CPU").map(Some)?;
    }
    if wanted(Part::Tracker) {
        report.tracker = tracker::measure(cli.rounds).context("measuring the judgement").map(Some)?;
    }
    if wanted(Part::Capture) {
        report.capture =
            capture::measure(cli.rounds).context("measuring the reading of a capture").map(Some)?;
    }
    if wanted(Part::Calls) {
        report.calls = calls::measure(cli.rounds.min(MOST_CALLS)).context("measuring system calls")?;
    }
    if wanted(Part::Load) {
        report.load = load::measure(cli.rounds.min(MOST_LOADS)).context("measuring load").map(Some)?;
    }
    if wanted(Part::Owners) {
        report.owners = owners::measure(cli.rounds.min(MOST_SEARCHES)).context("measuring owners")?;
    }
    report.judge();
    print!("{report}");
    report.write(&cli.json)?;
    Ok(!cli.assert || report.holds())
}
