//! The parts of a recording, read as one.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::{Context as _, bail, ensure};

use super::input::{Bytes, Counted, advise, plain};
use crate::record::{Part, parts};

/// The parts of an observation that has ended, or as far as it has come, one after the other.
pub(super) struct Parts {
    left: std::vec::IntoIter<PathBuf>,
    part: Bytes,
    read: Arc<AtomicU64>,
}

impl Parts {
    /// Finds them, and the size of all of them; what is read of them is counted in `read`.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read, or one of them is missing.
    pub(super) fn open(
        directory: &Path,
        observation: &str,
        read: Arc<AtomicU64>,
    ) -> anyhow::Result<(Self, u64)> {
        let parts = of(directory, observation)?;
        if let Some([before, after]) =
            parts.array_windows().find(|[one, other]| one.next().number() < other.number())
        {
            bail!(
                "a part is missing between {} and {}; give the files before or after it by their names",
                before.name(),
                after.name()
            );
        }
        let paths: Vec<_> = parts.iter().map(|part| directory.join(part.name())).collect();
        let size = paths.iter().filter_map(|path| path.metadata().ok()).map(|metadata| metadata.len()).sum();
        Ok((Self { left: paths.into_iter(), part: Bytes(Box::new(io::empty())), read }, size))
    }
}

impl Read for Parts {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.part.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Some(path) = self.left.next() else { return Ok(0) };
            self.part = plain(Counted { inner: File::open(path)?, read: self.read.clone() })?;
        }
    }
}

/// The part that is being written, and those that will follow it.
///
/// # Errors
///
/// When the directory cannot be read, or nobody records there.
pub(super) fn last(directory: &Path, observation: &str) -> anyhow::Result<(File, Later)> {
    let part = of(directory, observation)?.pop().context("nothing is recorded there")?;
    ensure!(!part.is_compressed(), "nobody records there any more; leave out --follow");
    let file = File::open(directory.join(part.name())).map_err(|error| advise(&error))?;
    Ok((file, Later { directory: directory.to_owned(), part }))
}

fn of(directory: &Path, observation: &str) -> anyhow::Result<Vec<Part>> {
    let parts = parts(directory).map_err(|error| advise(&error))?;
    Ok(parts.into_iter().filter(|part| part.observation() == observation).collect())
}

/// The parts that follow one, as they come.
#[derive(Debug)]
pub(super) struct Later {
    directory: PathBuf,
    part: Part,
}

impl Later {
    /// The next of them, if it has been begun.
    ///
    /// # Errors
    ///
    /// When it cannot be opened: its reader was so slow that it is compressed or removed already.
    pub(super) fn next(&mut self) -> io::Result<Option<File>> {
        let next = self.part.next();
        match File::open(self.directory.join(next.name())) {
            Ok(file) => {
                self.part = next;
                Ok(Some(file))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let is_past = self.directory.join(next.compressed().name()).exists();
                let late = "the next part is compressed already; begin again to go on with the last one";
                if is_past { Err(io::Error::other(late)) } else { Ok(None) }
            }
            Err(error) => Err(error),
        }
    }
}
