//! `observer`: watches MySQL connections for clients that stop reading.

use std::io::{self, Write as _};
use std::process::ExitCode;

use observer::cli::Cli;
use observer::command::{self, Outcome};
use observer::output::is_broken_pipe;
use observer::{names, panic_hook, privilege};

fn main() -> ExitCode {
    panic_hook::install();
    names::stay_inside();
    match privilege::no_new_privileges().and_then(|()| command::run(Cli::from_process())) {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Found) => ExitCode::from(1),
        // Whoever read standard output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to be told when standard error is gone too.
            let _ = writeln!(io::stderr(), "observer: {error:#}");
            ExitCode::from(2)
        }
    }
}
