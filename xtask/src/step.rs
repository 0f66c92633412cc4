//! Running the commands that a task is made of, and showing what goes on.

use std::collections::VecDeque;
use std::io::{self, BufReader, IsTerminal as _};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};

/// How much of a failed command's output is shown.
const TAIL: usize = 40;

/// Widest line of progress, for a terminal of 80 columns.
const WIDTH: usize = 76;

/// Says what is done next.
pub(crate) fn announce(name: &str) {
    eprintln!("==> {name}");
}

/// Says what is done, does it, and says how long it took.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    announce(name);
    let started = Instant::now();
    let done = work().with_context(|| name.to_owned())?;
    eprintln!("    {name}: {:.1} s", started.elapsed().as_secs_f64());
    Ok(done)
}

/// Runs a command that talks to the user itself.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("starting {}", shown(command)))?;
    ensure!(status.success(), "{} failed with {status}", shown(command));
    Ok(())
}

/// Runs a command whose output matters only when it fails. On a terminal its last line shows how far it is.
pub(crate) fn run_quietly(command: &mut Command) -> anyhow::Result<()> {
    let (output, writer) = io::pipe().context("making a pipe")?;
    command.stdout(writer.try_clone().context("making a pipe")?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("starting {}", shown(command)))?;
    // The command holds the pipe's other end as well; without it, reading ends with the child.
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let tail = follow(BufReader::new(output), io::stderr().is_terminal());
    let status = child.wait().with_context(|| format!("waiting for {}", shown(command)))?;
    if !status.success() {
        for line in &tail {
            eprintln!("    | {line}");
        }
    }
    ensure!(status.success(), "{} failed with {status}", shown(command));
    Ok(())
}

/// Reads to the end, shows each line in place of the last one, and keeps the last few.
fn follow(mut output: impl io::BufRead, show: bool) -> VecDeque<String> {
    let mut tail = VecDeque::new();
    let mut line = Vec::new();
    // An error is an end here: what matters is the command's status.
    while let Ok(1..) = output.by_ref().read_until(b'\n', &mut line) {
        let text: String = String::from_utf8_lossy(&line).chars().filter(|c| !c.is_control()).collect();
        line.clear();
        if show {
            let short: String = text.chars().take(WIDTH).collect();
            eprint!("\r\x1b[K    {short}");
        }
        if tail.len() == TAIL {
            tail.pop_front();
        }
        tail.push_back(text);
    }
    if show {
        eprint!("\r\x1b[K");
    }
    tail
}

/// The command as one would type it.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_lines_without_control_characters() {
        let output = format!("first\n{}\x1b[1mlast\r\n", "more\n".repeat(TAIL - 1));
        let tail = follow(output.as_bytes(), false);
        assert_eq!(tail.len(), TAIL);
        assert_eq!((tail[0].as_str(), tail[TAIL - 1].as_str()), ("more", "[1mlast"));
    }

    #[test]
    fn a_command_that_fails_is_named_with_its_status() {
        let error = run_quietly(Command::new("false").arg("x")).unwrap_err();
        assert_eq!(error.to_string(), "false x failed with exit status: 1");
    }
}
