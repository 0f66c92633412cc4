//! Writing part after part.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use anyhow::Context as _;
use observer_core::Timestamp;

use super::{Directory, Part};
use crate::log::{self, Header, LogFile, Sink, Writer};

/// When a part ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// With so many bytes.
    pub size: u64,
    /// After so long.
    pub age: Duration,
}

/// What a [`Writer`] takes for one log: a file that is followed by the next one when it is large or old enough, when
/// somebody has removed it, or when that is asked for.
///
/// Each part begins with a header and ends with a whole line. One that cannot be followed by another goes on.
#[derive(Debug)]
pub struct Rotation<C> {
    directory: Directory,
    limits: Limits,
    /// Now, on the observation clock.
    clock: C,
    /// Asks for the next part.
    asked: Arc<AtomicBool>,
    /// Where finished parts go.
    finished: Sender<Part>,
    header: Header,
    part: Part,
    file: LogFile,
    begun: Timestamp,
    /// How much is in the file.
    size: u64,
    /// How much of that was not written by the [`Writer`]: the header of a later part.
    own: u64,
    /// What the [`Writer`] had written before this part.
    before: u64,
    /// Whether all that was written was flushed, and ends with a line therefore.
    is_whole: bool,
}

impl<C: Fn() -> Timestamp> Rotation<C> {
    /// Begins a recording in `directory`. Finished parts are told to `finished`, and the next part begins when `asked` is
    /// set.
    ///
    /// # Errors
    ///
    /// When the first part cannot be created.
    pub fn begin(
        directory: Directory,
        limits: Limits,
        header: &Header,
        clock: C,
        asked: Arc<AtomicBool>,
        finished: Sender<Part>,
    ) -> anyhow::Result<Writer<Self>> {
        let doing = format!("recording in {}", directory.path().display());
        let begun = clock();
        let part = directory.begin(begun).context(doing.clone())?;
        let file = LogFile::create(&directory.path_of(&part))?;
        let rotation = Self {
            directory,
            limits,
            clock,
            asked,
            finished,
            header: header.clone(),
            part,
            file,
            begun,
            size: 0,
            own: 0,
            before: 0,
            is_whole: false,
        };
        Writer::new(rotation, header).map_err(|error| log::advise(&error)).context(doing)
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let is_full = self.size >= self.limits.size || now.since(self.begun) >= self.limits.age;
        is_full || self.asked.load(Ordering::Relaxed) || self.file.is_gone()
    }

    /// Begins the next part.
    fn follow(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let part = self.part.next();
        self.directory.restore()?;
        let path = self.directory.path_of(&part);
        let mut file = LogFile::create(&path)?;
        let header = Header { part: part.number(), started_at: now, ..self.header.clone() };
        let line = log::header_line(&header)?;
        if let Err(error) = file.write_all(&line).and_then(|()| self.file.sync()) {
            // It would be in the way of the next attempt.
            let _ = std::fs::remove_file(&path);
            return Err(error.into());
        }
        let finished = std::mem::replace(&mut self.part, part);
        // Nobody may listen any more, who ends.
        let _ = self.finished.send(finished);
        self.file = file;
        self.begun = now;
        self.before += self.size - self.own;
        self.own = line.len() as u64;
        self.size = self.own;
        self.asked.store(false, Ordering::Relaxed);
        Ok(())
    }
}

impl<C: Fn() -> Timestamp> Write for Rotation<C> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_whole {
            let now = (self.clock)();
            if self.is_due(now)
                && let Err(error) = self.follow(now)
                && self.file.is_gone()
            {
                return Err(io::Error::other(format!("{error:#}")));
            }
        }
        let count = self.file.write(bytes)?;
        self.is_whole = false;
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()?;
        self.is_whole = true;
        Ok(())
    }
}

impl<C: Fn() -> Timestamp> Sink for Rotation<C> {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        let size = length.saturating_sub(self.before) + self.own;
        self.file.cut(size)?;
        self.size = size;
        self.is_whole = true;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }
}

#[cfg(test)]
mod tests;
