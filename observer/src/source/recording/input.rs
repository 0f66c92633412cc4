//! The bytes of a recording, counted as they are read.

use std::fs::File;
use std::io::{self, BufReader, Chain, Cursor, Read};
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
        Source::File(path) => {
            let file = File::open(path).map_err(|error| advise(&error))?;
            let metadata = file.metadata()?;
            if metadata.is_dir() {
                bail!("it is a directory; give the path of a file in it");
            }
            let size = metadata.is_file().then_some(metadata.len());
            match follow {
                // At the end of a pipe its reader waits anyway.
                Some(tail) if metadata.is_file() => (Box::new(Follow::new(file, tail)), None),
                _ => (Box::new(file), size),
            }
        }
    };
    let mut counted = Counted { inner, read };
    let mut head = Vec::with_capacity(HEAD);
    (&mut counted).take(HEAD as u64).read_to_end(&mut head).context("its first bytes")?;
    let input = BufReader::with_capacity(BUFFER, Cursor::new(head.clone()).chain(counted));
    Ok((input, head, size))
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
