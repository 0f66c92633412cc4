//! The accuracy table: cases against real servers, judged by what these log.
//!
//! `cargo xtask accuracy` runs the whole matrix and prints the table; docs/ACCURACY.md says how it measures and what
//! came out. `cargo xtask test` runs the short form. By itself, `cargo test` only names it, with the reason why it does
//! not run.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a table, and why it is not made, are for who asked"
)]

mod account;
mod case;
mod client;
#[path = "../e2e/harness/mod.rs"]
#[expect(dead_code, reason = "the end-to-end tests use more of it")]
mod harness;
mod judge;
mod matrix;
mod play;
mod recording;
#[path = "../support/replayed.rs"]
mod replayed;
mod rig;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, ensure};
use libtest_mimic::{Arguments, Trial};
use observer::demo::Dialect;

use case::Fate;
use harness::Setup;
use table::Table;

/// Asks for the whole matrix, and names the file that its numbers go to.
const VARIABLE: &str = "OBSERVER_ACCURACY";

const SERVERS: [Dialect; 2] = [Dialect::MySql, Dialect::MariaDb];

fn main() -> ExitCode {
    if let Some(json) = std::env::var_os(VARIABLE).map(PathBuf::from) {
        return match whole(&json) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(1),
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::from(2)
            }
        };
    }
    let arguments = Arguments::from_args();
    let setup = Setup::find().map(Arc::new).map_err(|reason| format!("{reason:#}"));
    // Who asks for them, or calls this CI, is not content with a reason.
    let must_run = ["CI", harness::VARIABLE].iter().any(|variable| std::env::var_os(variable).is_some());
    if let Err(reason) = &setup
        && !must_run
    {
        eprintln!("the accuracy tests are ignored: {reason}");
    }
    let trials = SERVERS.map(|server| {
        let ignored = setup.is_err() && !must_run;
        let setup = setup.clone();
        let run = move || {
            let setup = setup.map_err(|reason| anyhow!(reason))?;
            short(&setup, server).map_err(|error| format!("{error:#}").into())
        };
        Trial::test(format!("accuracy_with_{}", case::server_name(server).to_lowercase()), run)
            .with_ignored_flag(ignored)
    });
    // Not `exit`: the set-up's temporary directories go when it is dropped.
    libtest_mimic::run(&arguments, trials.into()).exit_code()
}

/// The short form, on one server.
fn short(setup: &Setup, server: Dialect) -> anyhow::Result<()> {
    let cases: Vec<_> = matrix::cases(server, None).iter().filter(|case| case.short).collect();
    let table = Table::new(rig::run(setup, server, &cases, None, None)?)?;
    ensure!(table.holds(), "\n{table}");
    Ok(())
}

/// Every case on both servers; whether all of it holds. What was observed is kept beside the numbers.
fn whole(json: &Path) -> anyhow::Result<bool> {
    let setup = Setup::find()?;
    let keep = json.with_extension("");
    fs::create_dir_all(&keep).with_context(|| format!("making {}", keep.display()))?;
    eprintln!("playing every case on MySQL and MariaDB: about a minute");
    let run = |(server, fate)| {
        let cases: Vec<_> = matrix::cases(server, fate).iter().collect();
        rig::run(&setup, server, &cases, fate, Some(&keep))
    };
    let mut rows = rig::together(SERVERS.map(|server| (server, None)).into_iter(), run)?;
    let fates = [Fate::Shutdown, Fate::Crash];
    let ends = fates.into_iter().flat_map(|fate| SERVERS.map(|server| (server, Some(fate))));
    rows.extend(rig::together(ends, run)?);
    let table = Table::new(rows.into_iter().flatten().collect())?;
    print!("{table}");
    println!("logs and captures are in {}", keep.display());
    table.write(json)?;
    Ok(table.holds())
}
