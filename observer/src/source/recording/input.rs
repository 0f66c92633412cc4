//! The bytes of a recording, counted as they are read.

use std::fs::File;
use std::io::{self, BufReader, Chain, Cursor, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, bail};

use super::Source;
use super::follow::{Follow, Tail};
use crate::source::file::HEAD;

/// So much is read at once.
const BUFFER: usize = 256 * 1024;

/// A recording from its first byte on.
pub(super) type Input = BufReader<Chain<Cursor<Vec<u8>>, Counted>>;

/// Counts what is read.
pub(super) struct Counted {
    inner: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl std::fmt::Debug for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counted").field("read", &self.read).finish_non_exhaustive()
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Opens `source`: its bytes, the first of them to see what it is, and its size where it has one.
pub(super) fn open(
    source: &Source,
    follow: Option<Tail>,
    read: Arc<AtomicU64>,
) -> anyhow::Result<(Input, Vec<u8>, Option<u64>)> {
    let (inner, size): (Box<dyn Read + Send>, _) = match source {
        Source::StandardInput => (Box::new(io::stdin()), None),
        Source::File(_, file) => {
            let metadata = file.metadata()?;
            let from_start = FromStart { file: Arc::clone(file), at: 0 };
            match follow {
                // What is no file has one reader, and at its end that one waits anyway.
                _ if !metadata.is_file() => (Box::new(file.try_clone()?), None),
                Some(tail) => (Box::new(Follow::new(from_start, tail)), None),
                None => (Box::new(from_start), Some(metadata.len())),
            }
        }
    };
    let mut counted = Counted { inner, read };
    let mut head = Vec::with_capacity(HEAD);
    (&mut counted).take(HEAD as u64).read_to_end(&mut head).context("its first bytes")?;
    let input = BufReader::with_capacity(BUFFER, Cursor::new(head.clone()).chain(counted));
    Ok((input, head, size))
}

/// Opens a file for reading.
pub(super) fn file(path: &Path) -> anyhow::Result<File> {
    let file = File::open(path).map_err(|error| advise(&error))?;
    if file.metadata()?.is_dir() {
        bail!("it is a directory; give the path of a file in it");
    }
    Ok(file)
}

/// A file that several read at once, each from its start.
#[derive(Debug)]
pub(super) struct FromStart {
    file: Arc<File>,
    at: u64,
}

impl FromStart {
    /// Whether the file has become shorter than what was read of it.
    pub(super) fn has_shrunk(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.len() < self.at)
    }
}

impl From<File> for FromStart {
    fn from(file: File) -> Self {
        Self { file: Arc::new(file), at: 0 }
    }
}

impl Read for FromStart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// The error, and what the user can do.
fn advise(error: &io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "; is the path right?",
        io::ErrorKind::PermissionDenied => "; a log is readable by its owner and group only",
        _ => "",
    };
    anyhow::anyhow!("{error}{advice}")
}
