//! A file that somebody still writes.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::input::FromStart;
use super::parts::Later;
use crate::source::file::FileKind;

/// How often the end of the file is looked at.
pub const PERIOD: Duration = Duration::from_millis(200);

/// How somebody who follows a file stands with it, for those who wait for him.
#[derive(Clone, Debug, Default)]
pub struct Tail(Arc<State>);

#[derive(Debug, Default)]
struct State {
    stopped: AtomicBool,
    waits: AtomicBool,
}

impl Tail {
    /// From now on the end of the file is the end.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether everything there is has been read, and more is waited for.
    pub fn waits(&self) -> bool {
        self.0.waits.load(Ordering::Acquire)
    }

    fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::Relaxed)
    }
}

/// Waits at the end of a file for more. It has no end until it is told to stop.
///
/// Of a log, a line without its end is not given out: on a full disk its writer takes back what it could write of it, and
/// writes another there when there is room again.
#[derive(Debug)]
pub(super) struct Follow {
    file: FromStart,
    tail: Tail,
    /// Whether it is a log; not known before something was read.
    is_log: Option<bool>,
    /// The parts that follow it, if it is one of several.
    later: Option<Later>,
    /// The next of them, when it has been begun: what came before that is read first.
    next: Option<FromStart>,
}

impl Follow {
    pub(super) fn new(file: FromStart, tail: Tail) -> Self {
        Self { file, tail, is_log: None, later: None, next: None }
    }

    /// The same, that goes on with `later` parts.
    pub(super) fn going_on_with(self, later: Later) -> Self {
        Self { later: Some(later), ..self }
    }

    /// At the end of the file: whether there is more to be read, here or in the next part.
    fn goes_on(&mut self) -> io::Result<bool> {
        if let Some(next) = self.next.take() {
            self.file = next;
            return Ok(true);
        }
        if let Some(later) = &mut self.later {
            self.next = later.next()?.map(FromStart::from);
        }
        Ok(self.next.is_some())
    }

    /// A log only grows, but for what its writer takes back: never what was whole.
    fn check_length(&mut self) -> io::Result<()> {
        if self.file.has_shrunk()? {
            let error =
                "the file has become shorter while it was followed; begin again to read what it is now";
            return Err(io::Error::other(error));
        }
        Ok(())
    }

    /// Reads what there is, up to the end of its last whole line where that matters.
    fn read_whole(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        let read = &buffer[..count];
        if self.is_log.is_none() && count > 0 {
            self.is_log = Some(FileKind::of(read).is_ok_and(|kind| kind == FileKind::EventLog));
        }
        // A full buffer without an end of a line is a part of a long one.
        let end = read.iter().rposition(|byte| *byte == b'\n').map(|end| end + 1);
        let whole = end.unwrap_or(if count == buffer.len() { count } else { 0 });
        if self.is_log != Some(true) || self.tail.is_stopped() || whole == count {
            return Ok(count);
        }
        self.file.give_back(count - whole);
        Ok(whole)
    }
}

impl Read for Follow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let stopped = self.tail.is_stopped();
            match self.read_whole(buffer)? {
                0 if !stopped && !buffer.is_empty() => {
                    self.check_length()?;
                    if self.goes_on()? {
                        continue;
                    }
                    self.tail.0.waits.store(true, Ordering::Release);
                    thread::sleep(PERIOD);
                }
                count => {
                    self.tail.0.waits.store(false, Ordering::Release);
                    return Ok(count);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use super::*;

    #[test]
    fn what_is_added_is_read_and_a_stop_is_the_end() {
        let mut written = tempfile::NamedTempFile::new().unwrap();
        let tail = Tail::default();
        let mut follow = Follow::new(written.reopen().unwrap().into(), tail.clone());
        written.write_all(b"one").unwrap();
        let mut buffer = [0; 16];
        assert_eq!(follow.read(&mut buffer).unwrap(), 3);
        written.write_all(b"two").unwrap();
        tail.stop();
        assert_eq!(follow.read(&mut buffer).unwrap(), 3, "what was there before the stop");
        assert_eq!(follow.read(&mut buffer).unwrap(), 0);
    }

    #[test]
    fn what_a_writer_takes_back_of_a_line_was_not_read() {
        let mut written = tempfile::NamedTempFile::new().unwrap();
        let tail = Tail::default();
        let mut follow = Follow::new(written.reopen().unwrap().into(), tail.clone());
        let mut buffer = [0; 64];
        written.write_all(b"{\"one\":1}\n{\"tw").unwrap();
        let count = follow.read(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], b"{\"one\":1}\n");
        // The disk was full, and has room again.
        written.as_file().set_len(10).unwrap();
        written.as_file().seek(io::SeekFrom::Start(10)).unwrap();
        written.write_all(b"{\"three\":3}\n{").unwrap();
        let count = follow.read(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], b"{\"three\":3}\n");
        tail.stop();
        assert_eq!(follow.read(&mut buffer).unwrap(), 1, "the end is the end, even of a torn line");
    }

    #[test]
    fn a_file_that_shrinks_is_an_error() {
        let mut written = tempfile::NamedTempFile::new().unwrap();
        let mut follow = Follow::new(written.reopen().unwrap().into(), Tail::default());
        written.write_all(b"one").unwrap();
        assert_eq!(follow.read(&mut [0; 16]).unwrap(), 3);
        written.as_file().set_len(1).unwrap();
        assert!(follow.read(&mut [0; 16]).is_err());
    }
}
