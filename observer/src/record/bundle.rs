//! What is kept of an incident: a directory that can be given to somebody who has nothing else.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::Context as _;
use observer_core::{Flow, Timestamp};

use super::excerpt::{self, Excerpt};
use super::facts;
use super::files::{self, Replacement, make_directory, replace};
use super::pending::{Next, Pending};
use crate::log;
use crate::report::{self, Report};
use crate::talk::say;
use crate::text::safe;

/// The directory of the bundles, within that of the log.
const INCIDENTS: &str = "incidents";
/// What the log has about an incident.
const EVENTS: &str = "events.jsonl";

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
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

/// What waits for the thread. It is held for moments only, never while something is written.
#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    has_changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    pending: Pending,
    /// Nothing comes any more.
    is_end: bool,
}

impl Bundler {
    /// Starts it beside the log in `log`. All bundles together have at most `cap` bytes; the oldest go.
    ///
    /// # Errors
    ///
    /// When the directory of the bundles cannot be made, or there can be no thread.
    pub fn start(log: &Path, cap: u64) -> anyhow::Result<Self> {
        let log = log.to_owned();
        make_directory(&log.join(INCIDENTS))
            .with_context(|| format!("making {} in {}", INCIDENTS, log.display()))?;
        let queue = Arc::<Queue>::default();
        let waiting = Arc::clone(&queue);
        let thread = thread::Builder::new()
            .name("bundler".to_owned())
            .spawn(move || write_all(&log, cap, &waiting))
            .context("starting the thread that writes incidents")?;
        Ok(Self { queue, thread: Some(thread) })
    }

    /// Has one written, anew if it is there: the first time at once, then what is known after a few seconds, and what is
    /// known at the end. It never waits.
    pub(super) fn write(&self, bundle: Bundle) {
        let refused = self.queue.change(|state| state.pending.add(bundle, Instant::now()));
        if let Err(bundle) = refused {
            say(format_args!(
                "the incident {} is not written, there are too many at once; the log has it",
                bundle.name
            ));
        }
    }
}

impl Drop for Bundler {
    /// Waits until all that is known is written.
    fn drop(&mut self) {
        self.queue.change(|state| state.is_end = true);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.lock());
        self.has_changed.notify_one();
        changed
    }

    /// Waits for the next that are to be written; `None` when there are none and will be none.
    fn next(&self) -> Option<Vec<Bundle>> {
        let mut state = self.lock();
        loop {
            let (now, is_end) = (Instant::now(), state.is_end);
            state = match state.pending.next(now, is_end) {
                Next::Write(bundles) => return Some(bundles),
                Next::Nothing if is_end => return None,
                Next::Nothing => self.has_changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Next::At(due) => {
                    let waited = self.has_changed.wait_timeout(state, due.duration_since(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

fn write_all(log: &Path, cap: u64, queue: &Queue) {
    let incidents = log.join(INCIDENTS);
    while let Some(bundles) = queue.next() {
        write(log, &incidents, &bundles);
        if let Err(error) = trim(&incidents, cap) {
            say(format_args!("removing old incidents: {error:#}"));
        }
    }
}

/// Writes all of these; what cannot be written is told.
fn write(log: &Path, incidents: &Path, bundles: &[Bundle]) {
    let fail = |path: &Path, error: &anyhow::Error| {
        say(format_args!("writing the incident {}: {error:#}", safe(&path.to_string_lossy())));
    };
    let (mut paths, mut excerpts) = (Vec::new(), Vec::new());
    for bundle in bundles {
        let path = incidents.join(&bundle.name);
        match begin(&path, bundle) {
            Ok(excerpt) => {
                paths.push(path);
                excerpts.push(excerpt);
            }
            Err(error) => fail(&path, &error),
        }
    }
    if let Err(error) = excerpt::fill(log, &mut excerpts) {
        return fail(incidents, &anyhow::Error::from(error).context("reading the log"));
    }
    for (path, excerpt) in paths.iter().zip(excerpts) {
        let written = excerpt.finish().and_then(|events| events.map_or(Ok(()), Replacement::finish));
        if let Err(error) = written.context(format!("writing {EVENTS}")) {
            fail(path, &error);
        }
    }
}

/// Writes all of one but what comes out of the log.
fn begin(path: &Path, bundle: &Bundle) -> anyhow::Result<Excerpt<Replacement>> {
    let Bundle { report, flow, since, .. } = bundle;
    make_directory(path)?;
    put(path, "report.md", |out| report::markdown(report, out))?;
    put(path, "report.html", |out| report::html(report, out))?;
    put(path, "report.json", |out| report::json(report, out))?;
    put(path, "host.json", facts::write)?;
    let first = begins_in(&path.join(EVENTS));
    let events = Replacement::begin(&path.join(EVENTS)).with_context(|| format!("writing {EVENTS}"))?;
    Ok(Excerpt::begin(*flow, *since, first, events))
}

/// The number of the part that the events of a bundle begin in, if there are any yet.
fn begins_in(events: &Path) -> Option<u32> {
    let events = log::Reader::new(BufReader::new(File::open(events).ok()?)).ok()?;
    Some(events.header().part)
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
    use std::net::SocketAddr;

    use observer_core::{Config, Event, EventKind, SourceEvent};

    use super::super::part::{Part, parts};
    use super::*;
    use crate::log::Header;

    #[test]
    fn what_is_known_at_the_end_is_written() {
        let place = tempfile::tempdir().unwrap();
        let bundler = Bundler::start(place.path(), u64::MAX).unwrap();
        let client = |port| SocketAddr::from(([10, 2, 7, 31], port));
        let flow = Flow { client: client(51_844), server: client(3306) };
        let since = Timestamp::EPOCH;
        for known in ["first", "second", "last"] {
            for name in ["a", "b"] {
                let report = Report::watched_at(known, Timestamp::EPOCH);
                bundler.write(Bundle { name: name.to_owned(), report, flow, since });
            }
        }
        drop(bundler);
        for name in ["a", "b"] {
            let report = place.path().join(INCIDENTS).join(name).join("report.md");
            let report = fs::read_to_string(report).unwrap();
            assert!(report.contains("Watched on last"), "{report}");
        }
    }

    #[test]
    fn what_is_written_anew_keeps_the_evidence_of_the_first_time() {
        let place = tempfile::tempdir().unwrap();
        let incidents = place.path().join(INCIDENTS);
        let flow = Flow { client: ([10, 2, 7, 31], 51_844).into(), server: ([10, 2, 7, 1], 3306).into() };
        let at = |second| Timestamp::EPOCH + std::time::Duration::from_secs(second);
        let mut part = Part::first(at(0));
        let mut write_part = || {
            let number = part.number();
            let header =
                Header { part: number, host: format!("part {number}"), ..Header::of(&Config::default()) };
            let event = EventKind::Source(SourceEvent::SocketsPolled { period: at(1).since(at(0)) });
            let event = Event { at: at(number.into()), kind: event };
            let lines = [log::header_line(&header).unwrap(), log::event_line(&event).unwrap()].concat();
            fs::write(place.path().join(part.name()), lines).unwrap();
            part = part.next();
        };
        let events = || {
            let name = "a".to_owned();
            write(
                place.path(),
                &incidents,
                &[Bundle { name, report: Report::default(), flow, since: at(0) }],
            );
            let events = File::open(incidents.join("a").join(EVENTS)).unwrap();
            let events = log::Reader::new(BufReader::new(events)).unwrap();
            (events.header().part, events.map(Result::unwrap).count())
        };
        (0..3).for_each(|_| write_part());
        assert_eq!(events(), (2, 2), "the last two");
        (0..3).for_each(|_| write_part());
        assert_eq!(events(), (2, 5), "and all since");
        fs::remove_file(place.path().join(parts(place.path()).unwrap()[1].name())).unwrap();
        write_part();
        assert_eq!(events(), (2, 5), "as it was, now that the log has it no more");
    }

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
            fs::write(path.join(EVENTS), [b'x'; 100]).unwrap();
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
