//! What is kept of an incident: a directory that can be given to somebody who has nothing else.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};

use anyhow::Context as _;
use observer_core::{Flow, Timestamp};

use super::files::{self, make_directory, replace};
use super::{excerpt, facts};
use crate::report::{self, Report};
use crate::talk::say;
use crate::text::safe;

/// The directory of the bundles, within that of the log.
const INCIDENTS: &str = "incidents";
/// Bundles that may wait to be written; what more comes at once is told as not written.
const WAITING: usize = 64;

/// What is to be written of an incident.
#[derive(Debug)]
pub(super) struct Bundle {
    /// The name of its directory.
    pub(super) name: String,
    /// What is known of it now.
    pub(super) report: Report,
    /// The connection.
    pub(super) flow: Flow,
    /// When the connection was first seen.
    pub(super) since: Timestamp,
}

/// The thread that writes bundles, while others observe.
#[derive(Debug)]
pub struct Bundler {
    bundles: Option<SyncSender<Bundle>>,
    thread: Option<JoinHandle<()>>,
}

impl Bundler {
    /// Starts it beside the log in `log`. All bundles together have at most `cap` bytes; the oldest go.
    ///
    /// # Errors
    ///
    /// When the directory of the bundles cannot be made, or there can be no thread.
    pub fn start(log: &Path, cap: u64) -> anyhow::Result<Self> {
        let (bundles, waiting) = mpsc::sync_channel(WAITING);
        let log = log.to_owned();
        make_directory(&log.join(INCIDENTS))
            .with_context(|| format!("making {} in {}", INCIDENTS, log.display()))?;
        let thread = thread::Builder::new()
            .name("bundler".to_owned())
            .spawn(move || write_all(&log, cap, &waiting))
            .context("starting the thread that writes incidents")?;
        Ok(Self { bundles: Some(bundles), thread: Some(thread) })
    }

    /// Has one written, anew if it is there. It never waits.
    pub(super) fn write(&self, bundle: Bundle) {
        let Some(bundles) = &self.bundles else { return };
        if let Err(TrySendError::Full(bundle)) = bundles.try_send(bundle) {
            say(format_args!(
                "the incident {} is not written, there are too many at once; the log has it",
                bundle.name
            ));
        }
    }
}

impl Drop for Bundler {
    /// Waits for what is being written.
    fn drop(&mut self) {
        self.bundles = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn write_all(log: &Path, cap: u64, waiting: &Receiver<Bundle>) {
    let incidents = log.join(INCIDENTS);
    for bundle in waiting {
        let path = incidents.join(&bundle.name);
        if let Err(error) = write(log, &path, &bundle) {
            say(format_args!("writing the incident {}: {error:#}", safe(&path.to_string_lossy())));
        }
        if let Err(error) = trim(&incidents, cap) {
            say(format_args!("removing old incidents: {error:#}"));
        }
    }
}

fn write(log: &Path, path: &Path, bundle: &Bundle) -> anyhow::Result<()> {
    let Bundle { report, flow, since, .. } = bundle;
    make_directory(path)?;
    put(path, "report.md", |out| report::markdown(report, out))?;
    put(path, "report.html", |out| report::html(report, out))?;
    put(path, "report.json", |out| report::json(report, out))?;
    put(path, "host.json", facts::write)?;
    put(path, "events.jsonl", |out| excerpt::write(log, *flow, *since, out))
}

fn put(
    bundle: &Path,
    name: &str,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> anyhow::Result<()> {
    replace(&bundle.join(name), write).with_context(|| format!("writing {name}"))
}

/// Removes the oldest bundles while all of them have more than `cap` bytes, but never the last.
fn trim(incidents: &Path, cap: u64) -> anyhow::Result<()> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(incidents)? {
        let path = entry?.path();
        if path.is_dir() {
            let size = size(&path)?;
            kept.push((path, size));
        }
    }
    // Their names begin with the time.
    kept.sort();
    files::trim(kept, cap, |path| fs::remove_dir_all(path))
}

fn size(bundle: &PathBuf) -> io::Result<u64> {
    fs::read_dir(bundle)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_incidents_go_and_never_the_last() {
        let place = tempfile::tempdir().unwrap();
        let names = [
            "20240504T140341Z-10.2.7.31-51844",
            "20240504T140342Z-10.2.7.31-1",
            "20240505T000000Z-10.2.7.31-1",
        ];
        for name in names {
            let path = place.path().join(name);
            make_directory(&path).unwrap();
            fs::write(path.join("events.jsonl"), [b'x'; 100]).unwrap();
        }
        let left = || {
            let mut names: Vec<_> =
                fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        trim(place.path(), 250).unwrap();
        assert_eq!(left(), names[1..]);
        trim(place.path(), 0).unwrap();
        assert_eq!(left(), names[2..]);
    }
}
