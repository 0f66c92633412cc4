//! The bytes of a recording, counted as they are read, and decompressed where they are compressed.

use std::fs::File;
use std::io::{self, BufReader, Chain, Cursor, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, bail};
use flate2::read::MultiGzDecoder;

use super::Source;
use super::follow::{Follow, Tail};
use super::parts::{self, Parts};
use crate::source::file::HEAD;

/// So much is read at once.
const BUFFER: usize = 256 * 1024;
/// What a file begins with that gzip has compressed (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A recording from its first byte on.
pub(super) type Input = BufReader<Chain<Cursor<Vec<u8>>, Bytes>>;

/// Bytes from anywhere.
pub(super) struct Bytes(pub(super) Box<dyn Read + Send>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bytes").finish_non_exhaustive()
    }
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

/// Counts what is read.
pub(super) struct Counted<R> {
    pub(super) inner: R,
    pub(super) read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// What was compressed by gzip, with errors that say so.
struct Decompressed<R>(MultiGzDecoder<R>);

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let explain = |error: io::Error| {
            io::Error::new(error.kind(), format!("decompressing it: {error}; it is damaged or cut off"))
        };
        self.0.read(buffer).map_err(explain)
    }
}

/// Opens `source`: its bytes, the first of them to see what it is, and its size where it has one.
pub(super) fn open(
    source: &Source,
    follow: Option<Tail>,
    read: Arc<AtomicU64>,
) -> anyhow::Result<(Input, Vec<u8>, Option<u64>)> {
    let (mut bytes, size) = match source {
        Source::StandardInput => (plain(Counted { inner: io::stdin(), read })?, None),
        Source::File(_, file) => {
            let metadata = file.metadata()?;
            let from_start = FromStart { file: Arc::clone(file), at: 0 };
            match follow {
                // What is no file has one reader, and at its end that one waits anyway.
                _ if !metadata.is_file() => (plain(Counted { inner: file.try_clone()?, read })?, None),
                Some(tail) => (Bytes(Box::new(Counted { inner: Follow::new(from_start, tail), read })), None),
                None => (plain(Counted { inner: from_start, read })?, Some(metadata.len())),
            }
        }
        Source::Recorded { directory, observation } => {
            if let Some(tail) = follow {
                let (file, later) = parts::last(directory, observation)?;
                let follow = Follow::new(file.into(), tail).going_on_with(later);
                (Bytes(Box::new(Counted { inner: follow, read })), None)
            } else {
                let (parts, size) = Parts::open(directory, observation, read)?;
                (Bytes(Box::new(parts)), Some(size))
            }
        }
    };
    let mut head = Vec::with_capacity(HEAD);
    (&mut bytes).take(HEAD as u64).read_to_end(&mut head).context("its first bytes")?;
    let input = BufReader::with_capacity(BUFFER, Cursor::new(head.clone()).chain(bytes));
    Ok((input, head, size))
}

/// Opens a file for reading.
pub(super) fn file(path: &Path) -> anyhow::Result<File> {
    let file = File::open(path).map_err(|error| advise(&error))?;
    if file.metadata()?.is_dir() {
        bail!("it is a directory without parts of a recording; give the path of a file in it");
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

    /// Reads so many bytes again that were read last.
    pub(super) fn give_back(&mut self, count: usize) {
        self.at = self.at.saturating_sub(count as u64);
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

/// What was compressed, as it was before; anything else as it is.
pub(super) fn plain(mut bytes: impl Read + Send + 'static) -> io::Result<Bytes> {
    let mut head = Vec::with_capacity(GZIP.len());
    (&mut bytes).take(GZIP.len() as u64).read_to_end(&mut head)?;
    let is_compressed = head == GZIP;
    let bytes = Cursor::new(head).chain(bytes);
    Ok(Bytes(if is_compressed {
        Box::new(Decompressed(MultiGzDecoder::new(bytes)))
    } else {
        Box::new(bytes)
    }))
}

/// The error, and what the user can do.
pub(super) fn advise(error: &io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "; is the path right?",
        io::ErrorKind::PermissionDenied => "; a log is readable by its owner and group only",
        _ => "",
    };
    anyhow::anyhow!("{error}{advice}")
}
