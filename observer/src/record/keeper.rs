//! Compresses the parts that are finished, and keeps all of them within their cap.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use anyhow::Context as _;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::files::{self, replace};
use super::part::{Part, parts};
use crate::talk::say;
use crate::text::safe;

/// The thread that does it, while others observe. It ends when nobody can tell it of a part any more.
#[derive(Debug)]
pub struct Keeper {
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts it in `directory`, with what is there already. All parts together have at most `cap` bytes; the oldest go.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read, or there can be no thread.
    pub fn start(directory: &Path, cap: u64) -> anyhow::Result<(Self, Sender<Part>)> {
        let (sender, receiver) = mpsc::channel();
        let left = parts(directory).with_context(|| format!("reading {}", directory.display()))?;
        for part in left.into_iter().filter(|part| !part.is_compressed()) {
            sender.send(part).context("a channel with both ends")?;
        }
        let directory = directory.to_owned();
        let thread = thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || keep(&directory, cap, &receiver))
            .context("starting the thread that compresses")?;
        Ok((Self { thread: Some(thread) }, sender))
    }
}

impl Drop for Keeper {
    /// Waits for what is being compressed.
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn keep(directory: &Path, cap: u64, finished: &Receiver<Part>) {
    for part in finished {
        let path = directory.join(part.name());
        // Gone already: somebody has removed it.
        if path.exists()
            && let Err(error) = compress(&path, &directory.join(part.compressed().name()))
        {
            say(format_args!("compressing {}: {error:#}; it stays as it is", safe(&path.to_string_lossy())));
        }
        if let Err(error) = trim(directory, cap) {
            say(format_args!("removing old parts: {error:#}"));
        }
    }
}

/// Whatever happens on the way, one of the two is there and whole.
fn compress(plain: &Path, compressed: &Path) -> io::Result<()> {
    replace(compressed, |out| {
        let mut encoder = GzEncoder::new(out, Compression::default());
        io::copy(&mut File::open(plain)?, &mut encoder)?;
        encoder.finish().map(drop)
    })?;
    fs::remove_file(plain)
}

/// Removes the oldest parts while all of them have more than `cap` bytes, but never the last, which is being written.
fn trim(directory: &Path, cap: u64) -> anyhow::Result<()> {
    let path = |part: &Part| directory.join(part.name());
    let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let kept = parts(directory)?.iter().map(path).map(|path| (path.clone(), size(&path))).collect();
    files::trim(kept, cap, |path| fs::remove_file(path))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;
    use observer_core::Timestamp;

    use super::*;

    /// So many parts of a hundred bytes each.
    fn directory(count: usize) -> (tempfile::TempDir, Vec<Part>) {
        let directory = tempfile::tempdir().unwrap();
        let first = Part::first(Timestamp::from_micros(1_714_831_421_204_007));
        let parts: Vec<_> =
            std::iter::successors(Some(first), |part| Some(part.next())).take(count).collect();
        for part in &parts {
            fs::write(directory.path().join(part.name()), [b'x'; 100]).unwrap();
        }
        (directory, parts)
    }

    #[test]
    fn a_finished_part_is_compressed_and_whole() {
        let (directory, mut written) = directory(1);
        let (keeper, sender) = Keeper::start(directory.path(), u64::MAX).unwrap();
        drop((sender, keeper));
        let part = written.pop().unwrap();
        assert_eq!(parts(directory.path()).unwrap(), [part.compressed()]);
        let compressed = File::open(directory.path().join(part.compressed().name())).unwrap();
        let mut text = Vec::new();
        GzDecoder::new(compressed).read_to_end(&mut text).unwrap();
        assert_eq!(text, [b'x'; 100]);
    }

    #[test]
    fn the_oldest_parts_go_and_never_the_last() {
        let (directory, written) = directory(5);
        trim(directory.path(), 350).unwrap();
        assert_eq!(parts(directory.path()).unwrap(), written[2..]);
        trim(directory.path(), 0).unwrap();
        assert_eq!(parts(directory.path()).unwrap(), written[4..]);
    }

    #[test]
    fn what_cannot_be_compressed_stays() {
        let (directory, written) = directory(1);
        let compressed = directory.path().join(written[0].compressed().name());
        fs::create_dir(compressed.with_added_extension("new")).unwrap();
        assert!(compress(&directory.path().join(written[0].name()), &compressed).is_err());
        assert_eq!(parts(directory.path()).unwrap(), written);
    }
}
