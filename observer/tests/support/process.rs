//! Child processes that are listened to line by line.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long anything is waited for. Nothing takes so long unless something is wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running child; killed when dropped.
pub(crate) struct Process {
    name: String,
    child: Child,
    /// What it has printed on standard output.
    pub(crate) stdout: Lines,
    /// What it has printed on standard error.
    pub(crate) stderr: Lines,
}

impl Process {
    /// Starts `command`; `name` is for messages.
    pub(crate) fn spawn(name: &str, command: &mut Command) -> anyhow::Result<Self> {
        Self::spawn_into(Stdio::piped(), name, command)
    }

    /// Starts `command` with a standard output that may be somebody else's: nothing is known then of what it prints there.
    pub(crate) fn spawn_into(stdout: Stdio, name: &str, command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {name}: {command:?}"))?;
        let stdout = child.stdout.take().map_or_else(|| Lines::of(io::empty()), Lines::of);
        let stderr = Lines::of(child.stderr.take().context("taking standard error")?);
        Ok(Self { name: name.to_owned(), child, stdout, stderr })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Writes a line to its standard input.
    pub(crate) fn say(&mut self, line: &str) -> anyhow::Result<()> {
        let stdin = self.child.stdin.as_mut().context("standard input is closed")?;
        // At once: it may have enough of it before its end comes.
        let line = format!("{line}\n");
        stdin.write_all(line.as_bytes()).with_context(|| format!("writing to {}", self.name))
    }

    /// Waits for a line on standard output for which `found` gives something.
    pub(crate) fn wait_stdout<T>(
        &self,
        what: &str,
        found: impl FnMut(&str) -> Option<T>,
    ) -> anyhow::Result<T> {
        self.stdout.wait(found).with_context(|| self.report(what))
    }

    /// Waits for a line on standard error for which `found` gives something.
    pub(crate) fn wait_stderr<T>(
        &self,
        what: &str,
        found: impl FnMut(&str) -> Option<T>,
    ) -> anyhow::Result<T> {
        self.stderr.wait(found).with_context(|| self.report(what))
    }

    /// Waits until it has ended by itself or by a signal that was sent to it.
    pub(crate) fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        let since = Instant::now();
        // All that it printed is there once both have ended; then it is about to end itself.
        self.stdout.wait_end().with_context(|| self.report("its end"))?;
        self.stderr.wait_end().with_context(|| self.report("its end"))?;
        while since.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().with_context(|| self.report("its status"))? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(10));
        }
        bail!(self.report("its end"))
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        kill(self.pid(), signal).with_context(|| format!("sending {signal} to {}", self.name))
    }

    fn report(&self, what: &str) -> String {
        let (name, out, err) = (&self.name, self.stdout.tail(), self.stderr.tail());
        format!("waiting for {what} of {name}\n--- standard output\n{out}\n--- standard error\n{err}\n---")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a stream, collected as they come.
#[derive(Clone)]
pub(crate) struct Lines(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let lines = Self(Arc::default());
        let collected = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                collected.change(|state| state.lines.push(String::from_utf8_lossy(&line).into_owned()));
            }
            collected.change(|state| state.ended = true);
        });
        lines
    }

    /// Everything so far.
    pub(crate) fn all(&self) -> Vec<String> {
        self.state().lines.clone()
    }

    /// Waits for a line, old or new, for which `found` gives something.
    fn wait<T>(&self, mut found: impl FnMut(&str) -> Option<T>) -> anyhow::Result<T> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state();
        let mut seen = 0;
        loop {
            if let Some(found) = state.lines[seen..].iter().find_map(|line| found(line)) {
                return Ok(found);
            }
            seen = state.lines.len();
            if state.ended {
                bail!("it ended before");
            }
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                bail!("it did not come within {PATIENCE:?}");
            };
            state = self.0.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn wait_end(&self) -> anyhow::Result<()> {
        let (state, _) = self
            .0
            .1
            .wait_timeout_while(self.state(), PATIENCE, |state| !state.ended)
            .unwrap_or_else(PoisonError::into_inner);
        if state.ended { Ok(()) } else { bail!("it did not come within {PATIENCE:?}") }
    }

    fn tail(&self) -> String {
        let state = self.state();
        let skipped = state.lines.len().saturating_sub(30);
        state.lines[skipped..].join("\n")
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.0.1.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("starting {command:?}"))?;
    if !output.status.success() {
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("{command:?}: {}\n{out}{err}", output.status);
    }
    Ok(())
}
