//! The directory of a recording.

use std::ffi::OsStr;
use std::fs::{self, DirEntry, File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use nix::fcntl::OFlag;
use nix::unistd::geteuid;
use observer_core::{Event, EventKind, LossPoint, SourceEvent, Timestamp};
use serde::Deserialize;

use super::files::{FILE_MODE, UNFINISHED, make_directory};
use super::part::{Part, parts};
use crate::log;

/// The file that is locked while somebody records here.
const LOCK: &str = ".lock";

/// A directory that this process records in. Nobody else does meanwhile.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Locked until it is closed.
    _lock: File,
}

impl Directory {
    /// Takes the directory, and makes it where it is not there.
    ///
    /// # Errors
    ///
    /// When it cannot be made or written to, when others could put files of theirs there, or when somebody else records
    /// there.
    pub fn take(path: &Path) -> anyhow::Result<Self> {
        Self::take_as(path).with_context(|| format!("recording in {}", path.display()))
    }

    fn take_as(path: &Path) -> anyhow::Result<Self> {
        make_directory(path).context("making the directory; give one that can be made with --directory")?;
        let metadata = fs::metadata(path)?;
        ensure!(metadata.is_dir(), "it is no directory; give another one with --directory");
        let mode = metadata.mode();
        // A sticky one such as /tmp protects our files from others, and theirs are not followed.
        let others_write = mode & 0o022 != 0 && mode & 0o1000 == 0;
        if geteuid().is_root() && others_write {
            bail!(
                "others may write there (mode {:o}), and could take the record away; take that from them (chmod go-w)",
                mode & 0o7777
            );
        }
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(path.join(LOCK))
            .context("writing there; give another directory with --directory, or make it writable")?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                bail!("another observer records there; give each a directory of its own with --directory")
            }
            Err(TryLockError::Error(error)) => Err(error).context("locking it"),
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a part.
    pub fn path_of(&self, part: &Part) -> PathBuf {
        self.path.join(part.name())
    }

    /// Makes it again, should somebody have removed it.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn restore(&self) -> io::Result<()> {
        make_directory(&self.path)
    }

    /// The first part of a new observation that begins at `now`. By its name it is later than all that are there, whatever
    /// the clock said when those were begun: the order of the names decides which go first and which is the last.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read.
    pub fn begin(&self, now: Timestamp) -> io::Result<Part> {
        let latest = parts(&self.path)?.iter().filter_map(Part::begun).max();
        let after = latest.map(|latest| Part::first(latest + Duration::from_secs(1)));
        // At the end of representable time none is later.
        let after = after.filter(|part| part.begun().is_some());
        Ok(after.map_or(Part::first(now), |after| after.max(Part::first(now))))
    }

    /// Puts in order what an observer left that was killed: a line without its end is replaced by one that says that an
    /// event is missing, and what was being compressed is compressed anew.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or mended: which one.
    pub fn settle(&self) -> anyhow::Result<Vec<Mended>> {
        let mut mended = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if is_unfinished(&entry)? {
                fs::remove_file(entry.path())
                    .with_context(|| format!("removing {}", entry.path().display()))?;
            }
        }
        for part in parts(&self.path)?.into_iter().filter(|part| !part.is_compressed()) {
            let path = self.path_of(&part);
            let torn = mend(&path).with_context(|| format!("mending {}", path.display()))?;
            if path.metadata()?.len() == 0 {
                fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
            }
            mended.extend(torn.map(|bytes| Mended { path, bytes }));
        }
        Ok(mended)
    }
}

/// Whether it is a part that was being compressed. Whatever else has such a name is somebody else's.
fn is_unfinished(entry: &DirEntry) -> io::Result<bool> {
    let path = entry.path();
    let is_ours = path.extension().is_some_and(|extension| extension == UNFINISHED)
        && path
            .file_stem()
            .and_then(OsStr::to_str)
            .and_then(Part::of)
            .is_some_and(|part| part.is_compressed());
    Ok(is_ours && entry.file_type()?.is_file())
}

/// A file whose last line had no end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mended {
    /// The file.
    pub path: PathBuf,
    /// How much of a line was there.
    pub bytes: u64,
}

/// Replaces a last line without its end; how long it was.
fn mend(path: &Path) -> anyhow::Result<Option<u64>> {
    let mut file =
        OpenOptions::new().read(true).write(true).custom_flags(OFlag::O_NOFOLLOW.bits()).open(path)?;
    let (mut whole, mut last) = (0, Vec::new());
    let mut lines = BufReader::new(&file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = lines.read_until(b'\n', &mut line)? as u64;
        if line.last() != Some(&b'\n') {
            if length == 0 {
                return Ok(None);
            }
            file.set_len(whole)?;
            file.seek(SeekFrom::End(0))?;
            // Without a header nothing has been observed yet.
            if let Some(at) = time_of(&last) {
                file.write_all(&missing(at)?)?;
            }
            file.sync_data()?;
            return Ok(Some(length));
        }
        whole += length;
        std::mem::swap(&mut last, &mut line);
    }
}

/// The time of a line, or of the header the time it began.
pub(super) fn time_of(line: &[u8]) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Stamp {
        #[serde(alias = "started_at")]
        at: Timestamp,
    }
    serde_json::from_slice::<Stamp>(line).ok().map(|stamp| stamp.at)
}

/// The line that says that an event is missing.
fn missing(at: Timestamp) -> io::Result<Vec<u8>> {
    let lost = SourceEvent::EventsLost { count: 1, lost_by: LossPoint::Log };
    log::event_line(&Event { at, kind: EventKind::Source(lost) })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::log::{Line, Reader};

    const START: Timestamp = Timestamp::from_micros(1_714_831_421_204_007);
    const HEADER: &str = r#"{"type":"header","schema":"observer.log/1","version":"0.1.0","host":"db1","kernel":"6.1.0","started_at":"2024-05-04T14:03:41.204007Z","clock_offset":0.0,"ports":[3306],"net_write_timeout":{"seconds":60,"source":"assumed"},"warning_share":0.5,"critical_share":0.8,"max_connections":100,"sources":[]}"#;
    const EVENT: &str =
        r#"{"type":"event","at":"2024-05-04T14:03:42.204007Z","event":"sockets_polled","period":1}"#;

    fn refusal(path: &Path) -> String {
        format!("{:#}", Directory::take(path).unwrap_err())
    }

    #[test]
    fn is_made_for_owner_and_group_and_taken_once() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("var/log/observer");
        let directory = Directory::take(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o027, 0);
        assert!(refusal(&path).contains("another observer records there"), "{}", refusal(&path));
        drop(directory);
        Directory::take(&path).unwrap();
    }

    #[test]
    fn a_place_that_is_not_ours_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(refusal(&file).contains("--directory"), "{}", refusal(&file));
        if geteuid().is_root() {
            let open = place.path().join("open");
            fs::create_dir(&open).unwrap();
            fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
            assert!(refusal(&open).contains("others may write there (mode 777)"), "{}", refusal(&open));
            fs::set_permissions(&open, fs::Permissions::from_mode(0o1777)).unwrap();
            Directory::take(&open).unwrap();
        }
    }

    #[test]
    fn two_observations_of_one_second_have_names() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::take(place.path()).unwrap();
        let first = directory.begin(START).unwrap();
        fs::write(directory.path_of(&first.compressed()), "").unwrap();
        let second = directory.begin(START).unwrap();
        assert_ne!(second.observation(), first.observation());
        assert_eq!(second, Part::first(START + Duration::from_secs(1)));
    }

    #[test]
    fn an_observation_whose_clock_is_behind_is_the_latest_all_the_same() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::take(place.path()).unwrap();
        let before = Part::first(START);
        fs::write(directory.path_of(&before.compressed()), "").unwrap();
        fs::write(directory.path_of(&before.next()), "").unwrap();
        // A host without a clock of its own, before it has the time.
        let part = directory.begin(Timestamp::EPOCH).unwrap();
        assert_eq!(part, Part::first(START + Duration::from_secs(1)));
        fs::write(directory.path_of(&part), "").unwrap();
        assert_eq!(parts(place.path()).unwrap().last(), Some(&part));
        // Once the clock is right, its time counts.
        let later = START + Duration::from_secs(3600);
        assert_eq!(directory.begin(later).unwrap(), Part::first(later));
    }

    #[test]
    fn what_has_the_last_name_of_all_is_in_nobodys_way() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::take(place.path()).unwrap();
        for name in ["observer-99991230T220000Z-000001.jsonl", "observer-zzz-000001.jsonl"] {
            fs::write(place.path().join(name), "").unwrap();
            assert_eq!(directory.begin(START).unwrap(), Part::first(START), "{name}");
        }
    }

    #[test]
    fn a_torn_line_is_replaced_by_one_that_says_so() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::take(place.path()).unwrap();
        let path = directory.path_of(&Part::first(START));
        let torn = &EVENT[..40];
        for (whole, lines) in [(format!("{HEADER}\n{EVENT}\n"), 2), (format!("{HEADER}\n"), 1)] {
            fs::write(&path, format!("{whole}{torn}")).unwrap();
            assert_eq!(directory.settle().unwrap(), [Mended { path: path.clone(), bytes: 40 }]);
            let text = fs::read(&path).unwrap();
            assert!(text.starts_with(whole.as_bytes()));
            let read: Vec<_> = Reader::new(&text[..]).unwrap().map(Result::unwrap).collect();
            let lost = SourceEvent::EventsLost { count: 1, lost_by: LossPoint::Log };
            assert_eq!(read.len(), lines);
            assert!(
                matches!(read.last(), Some(Line::Event(Event { kind: EventKind::Source(kind), .. })) if *kind == lost)
            );
            // Once is enough.
            assert_eq!(directory.settle().unwrap(), []);
            assert_eq!(fs::read(&path).unwrap(), text);
        }
    }

    #[test]
    fn what_was_never_begun_and_what_was_never_finished_goes() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::take(place.path()).unwrap();
        let part = Part::first(START);
        let (empty, headless) = (directory.path_of(&part), directory.path_of(&part.next()));
        let unfinished = directory.path_of(&part.compressed()).with_added_extension("new");
        fs::write(&empty, "").unwrap();
        fs::write(&headless, &HEADER[..20]).unwrap();
        fs::write(&unfinished, "").unwrap();
        directory.settle().unwrap();
        assert_eq!(parts(place.path()).unwrap(), []);
        assert!(!unfinished.exists());
    }

    #[test]
    fn what_others_have_there_stays() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::take(place.path()).unwrap();
        let part = Part::first(START);
        let unfinished = |part: &Part| directory.path_of(part).with_added_extension(UNFINISHED);
        let files = [place.path().join("my.cnf.new"), place.path().join(".new"), unfinished(&part)];
        let directories = [place.path().join("x.new"), unfinished(&part.compressed())];
        for file in &files {
            fs::write(file, "theirs").unwrap();
        }
        for directory in &directories {
            fs::create_dir(directory).unwrap();
        }
        directory.settle().unwrap();
        for path in files.iter().chain(&directories) {
            assert!(path.exists(), "{}", path.display());
        }
    }

    #[test]
    fn of_a_part_that_is_there_twice_the_plain_one_counts() {
        let place = tempfile::tempdir().unwrap();
        let part = Part::first(START);
        for name in [part.name(), part.compressed().name(), part.next().compressed().name()] {
            fs::write(place.path().join(name), "").unwrap();
        }
        assert_eq!(parts(place.path()).unwrap(), [part.clone(), part.next().compressed()]);
    }
}
