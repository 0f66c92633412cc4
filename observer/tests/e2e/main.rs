//! End to end: the real program on real servers, clients and kernels, in network namespaces of its own making.
//!
//! `cargo xtask test` runs these cases. By itself, `cargo test` only names them, with the reason why they do not
//! run; under CI that reason is a failure.

#![expect(clippy::print_stderr, reason = "a test tells why it does not run")]

mod cases;
mod harness;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::anyhow;
use libtest_mimic::{Arguments, Trial};

use harness::Setup;

/// Cases at once: they wait for timeouts most of the time.
const AT_ONCE: usize = 6;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let setup = Setup::find().map(Arc::new).map_err(|reason| format!("{reason:#}"));
    // Who asks for them, or calls this CI, is not content with a reason.
    let must_run = ["CI", harness::VARIABLE].iter().any(|variable| std::env::var_os(variable).is_some());
    if let Err(reason) = &setup
        && !must_run
    {
        eprintln!("the end-to-end tests are ignored: {reason}");
    }
    let trials = cases::ALL.iter().map(|&(name, case)| {
        let ignored = setup.is_err() && !must_run;
        let setup = setup.clone();
        let run = move || {
            let setup = setup.map_err(|reason| anyhow!(reason))?;
            case(&setup).map_err(|error| format!("{error:#}").into())
        };
        Trial::test(name, run).with_ignored_flag(ignored)
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    // Not `exit`: the set-up's temporary directories go when it is dropped.
    conclusion.exit_code()
}
