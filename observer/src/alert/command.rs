//! A command that is run for each alert.

use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::pipe;
use tokio::process::Child;

use super::Way;
use super::courier::{Courier, Delivery};
use crate::talk::say;
use crate::text::{safe, without_paths};

/// What a command says beyond so many bytes is not repeated.
const MOST_OUTPUT: u64 = 4096;
/// And beyond so many lines.
const MOST_LINES: usize = 20;
/// After its end it is waited so long for what it has said: another process may still hold its output open.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A command of the shell's, which has the message on its standard input.
#[derive(Clone, Debug)]
pub struct Command {
    /// For `sh -c`.
    pub line: String,
    /// It is killed after so long, with all that it has started in its process group.
    pub time_limit: Duration,
}

impl Courier for Command {
    fn way(&self) -> Way {
        Way::Command
    }

    fn deliver(&self, message: Arc<[u8]>) -> Delivery<'_> {
        Box::pin(self.run(message))
    }
}

impl Command {
    async fn run(&self, message: Arc<[u8]>) -> anyhow::Result<()> {
        let (output, input) = io::pipe().context("making a pipe for the output of the alert command")?;
        let mut child = tokio::process::Command::new("/bin/sh")
            .args(["-c", &self.line])
            .stdin(Stdio::piped())
            .stdout(input.try_clone().context("making a pipe for the output of the alert command")?)
            .stderr(input)
            .process_group(0)
            .spawn()
            .context("starting /bin/sh for the alert command")?;
        let heard = tokio::spawn(hear(output));
        let group = Group(child.id().and_then(|id| i32::try_from(id).ok()));
        let ended = tokio::time::timeout(self.time_limit, give_and_wait(&mut child, &message)).await;
        if ended.is_ok() {
            // What it has left running is meant to.
            std::mem::forget(group);
        } else {
            drop(group);
            let _ = child.wait().await;
        }
        // Not for ever: what it has left running in the background may say something much later.
        let _ = tokio::time::timeout(LAST_WORDS, heard).await;
        let Ok(status) = ended else { bail!("the alert command took longer than {:?}", self.time_limit) };
        let status = status.context("waiting for the alert command")?;
        ensure!(status.success(), "the alert command ended with {status}");
        Ok(())
    }
}

/// A process group, which is killed when this is dropped: at the time limit, and at the end of the program.
struct Group(Option<i32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended just now.
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }
}

async fn give_and_wait(child: &mut Child, message: &[u8]) -> io::Result<std::process::ExitStatus> {
    if let Some(mut stdin) = child.stdin.take() {
        // It need not read it.
        let _ = stdin.write_all(message).await;
    }
    child.wait().await
}

/// Repeats what the command says on standard error.
async fn hear(output: PipeReader) {
    let Ok(output) = pipe::Receiver::from_owned_fd(OwnedFd::from(output)) else { return };
    let mut output = BufReader::new(output);
    let mut lines = (&mut output).take(MOST_OUTPUT).split(b'\n');
    for _ in 0..MOST_LINES {
        let Ok(Some(line)) = lines.next_segment().await else { break };
        let line = String::from_utf8_lossy(&line);
        say(format_args!("alert command: {}", safe(&without_paths(&line))));
    }
    // It is to go on, though nobody listens any more.
    let _ = tokio::io::copy(&mut output, &mut tokio::io::sink()).await;
}
