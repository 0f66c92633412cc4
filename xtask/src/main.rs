//! Set-up, build, demo, test, fuzzing, bench, accuracy, kernels, pictures and packages of observer: `cargo xtask COMMAND`.

#![expect(clippy::print_stderr, reason = "this is a program that talks to who builds observer")]

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

mod accuracy;
mod bench;
mod demo;
mod deny;
mod dist;
#[cfg(test)]
mod documents;
mod ebpf;
mod files;
mod fuzz;
mod places;
mod root;
mod screens;
mod setup;
mod soak;
mod step;
mod test;
mod vm;

use accuracy::AccuracyArgs;
use bench::BenchArgs;
use dist::DistArgs;
use fuzz::FuzzArgs;
use soak::SoakArgs;
use vm::VmArgs;

/// Set-up, build, demo, test, fuzzing, bench, accuracy, kernels, pictures and packages of observer
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Play the story on this host: a server, clients, one that stops reading, and the live view of it
    Demo(DemoArgs),
    /// Run the lints and every test, unit to end to end and fuzzing, after doing the set-up they need
    #[command(visible_alias = "ci")]
    Test(TestArgs),
    /// Measure what observing costs: time per packet, throughput of a real server, memory, CPU
    Bench(BenchArgs),
    /// Judge what observer says of real servers' connections by what these log, and print it as a table
    Accuracy(AccuracyArgs),
    /// Read what libFuzzer makes up: event logs, captures, MySQL sessions
    Fuzz(FuzzArgs),
    /// Boot other kernels, play the story in them and judge what observer makes of it
    Vm(VmArgs),
    /// Make what is given to people: a static program, a tarball, a Debian package
    Dist(DistArgs),
    /// Open, stall and close connections again and again, and fail when the observer grows
    Soak(SoakArgs),
    /// Build the kernel programs into observer-ebpf/prebuilt/
    Ebpf(EbpfArgs),
    /// Draw the pictures in docs/screens/ as the program draws them now
    Screens,
    /// Install what the full tests need and cargo does not bring
    Setup,
}

#[derive(Args)]
struct EbpfArgs {
    /// Change nothing; fail when the prebuilt object is not, byte for byte, what the sources give
    #[arg(long)]
    check: bool,
}

#[derive(Args)]
struct DemoArgs {
    /// Options of `observer demo`, such as --plain
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

#[derive(Args)]
struct TestArgs {
    /// Without set-up, the kernel programs' build, fuzzing and the end-to-end tests: needs no root
    #[arg(long)]
    quick: bool,
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Demo(args) => demo::run(&args.options),
        Task::Test(args) => test::run(args.quick),
        Task::Bench(args) => bench::run(&args),
        Task::Accuracy(args) => accuracy::run(&args),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Vm(args) => vm::run(&args),
        Task::Dist(args) => dist::run(&args),
        Task::Soak(args) => soak::run(&args),
        Task::Ebpf(args) => ebpf::build(args.check),
        Task::Screens => screens::run(),
        Task::Setup => setup::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
