//! How what is recorded is made, replaced and removed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// What others than the owner and its group may do with files and directories: nothing.
pub(super) const FILE_MODE: u32 = 0o640;
const DIRECTORY_MODE: u32 = 0o750;
/// What the name of a file ends with that is not whole yet.
pub(super) const UNFINISHED: &str = "new";

/// Makes a directory and those above it, where they are not there.
///
/// # Errors
///
/// When it cannot be made.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path)
}

/// Writes a file, so that it is there as it was or as it is to be.
///
/// # Errors
///
/// When it cannot be written: it is as it was.
pub(super) fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let mut replacement = Replacement::begin(path)?;
    write(&mut replacement.out)?;
    replacement.finish()
}

/// A file that is written beside the one whose place it takes, which stays as it was until this is whole.
#[derive(Debug)]
pub(super) struct Replacement {
    path: PathBuf,
    new: PathBuf,
    out: BufWriter<File>,
}

impl Replacement {
    /// Begins it.
    ///
    /// # Errors
    ///
    /// When no file can be made there.
    pub(super) fn begin(path: &Path) -> io::Result<Self> {
        let new = path.with_added_extension(UNFINISHED);
        // Left behind by one that was killed.
        let _ = fs::remove_file(&new);
        let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&new)?;
        Ok(Self { path: path.to_owned(), new, out: BufWriter::new(file) })
    }

    /// Puts it in its place.
    ///
    /// # Errors
    ///
    /// When it cannot be written: what was there is as it was.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.out.flush()?;
        self.out.get_ref().sync_data()?;
        fs::rename(&self.new, &self.path)
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Drop for Replacement {
    /// Removes what did not become whole; where it did, it has another name.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.new);
    }
}

/// Has the oldest removed while all of them have more than `cap` bytes, but never the last. They come in the order of
/// time, each with its size.
///
/// # Errors
///
/// When one cannot be removed: which one.
pub(super) fn trim(
    mut kept: Vec<(PathBuf, u64)>,
    cap: u64,
    remove: impl Fn(&Path) -> io::Result<()>,
) -> anyhow::Result<()> {
    let mut total: u64 = kept.iter().map(|(_, size)| size).sum();
    kept.pop();
    for (path, size) in kept {
        if total <= cap {
            break;
        }
        remove(&path).with_context(|| format!("removing {}", path.display()))?;
        total -= size;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_as_it_was_or_as_it_is_to_be() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a");
        replace(&path, |out| out.write_all(b"one")).unwrap();
        let failing = |out: &mut BufWriter<File>| {
            out.write_all(b"two")?;
            Err(io::Error::other("no more room"))
        };
        assert_eq!(replace(&path, failing).unwrap_err().to_string(), "no more room");
        assert_eq!(fs::read(&path).unwrap(), b"one");
        replace(&path, |out| out.write_all(b"three")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
    }
}
