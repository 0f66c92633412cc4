//! A program for another machine, tried on this one: qemu translates its instructions, and this machine's program tells what
//! it is to say.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, ensure};

use super::contents::build_for_here;
use super::target::Target;
use super::tree::below;
use crate::places::repository;
use crate::step::step;

/// Where there are captures and event logs.
const RECORDINGS: [&str; 2] = ["fuzz/corpus/pcap", "observer/tests/fixtures"];

/// Lets both programs report on every recording there is in the repository.
///
/// # Errors
///
/// When there is no qemu for that machine, and with the recording of which they do not say the same.
pub(super) fn run(program: &Path, target: &Target) -> anyhow::Result<()> {
    let emulator = [format!("qemu-{}-static", target.name), format!("qemu-{}", target.name)]
        .into_iter()
        .find(|emulator| reports(Command::new(emulator).arg("--version")).is_ok())
        .with_context(|| format!("there is no qemu-{}: `apt-get install qemu-user-static`", target.name))?;
    let here = build_for_here()?;
    step(&format!("the program under {emulator}"), || {
        let mut said = 0;
        for directory in RECORDINGS {
            for file in below(&repository().join(directory))?.into_iter().filter(|path| path.is_file()) {
                let arguments =
                    ["report", "--format", "json"].map(OsStr::new).into_iter().chain([file.as_os_str()]);
                let expected = reports(Command::new(&here).args(arguments.clone()))?;
                let found = reports(Command::new(&emulator).arg(program).args(arguments))?;
                ensure!(
                    (expected.status.code(), &expected.stdout) == (found.status.code(), &found.stdout),
                    "of {} it does not say what {} says ({}, {}): {}",
                    file.display(),
                    here.display(),
                    found.status,
                    expected.status,
                    String::from_utf8_lossy(&found.stderr)
                );
                said += usize::from(!found.stdout.is_empty());
            }
        }
        ensure!(said > 0, "it said nothing");
        eprintln!("    it says of {said} recordings what {} says", here.display());
        Ok(())
    })
}

fn reports(command: &mut Command) -> anyhow::Result<Output> {
    command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {}", command.get_program().display()))
}
