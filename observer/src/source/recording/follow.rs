//! A file that somebody still writes.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::input::FromStart;

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
#[derive(Debug)]
pub(super) struct Follow {
    file: FromStart,
    tail: Tail,
}

impl Follow {
    pub(super) fn new(file: FromStart, tail: Tail) -> Self {
        Self { file, tail }
    }

    /// A log only grows, but for what its writer takes back when the disk is full: never what was whole.
    fn check_length(&mut self) -> io::Result<()> {
        if self.file.has_shrunk()? {
            return Err(io::Error::other("the file has become shorter while it was followed"));
        }
        Ok(())
    }
}

impl Read for Follow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let stopped = self.tail.is_stopped();
            match self.file.read(buffer)? {
                0 if !stopped && !buffer.is_empty() => {
                    self.check_length()?;
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
    use std::io::Write as _;

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
    fn a_file_that_shrinks_is_an_error() {
        let mut written = tempfile::NamedTempFile::new().unwrap();
        let mut follow = Follow::new(written.reopen().unwrap().into(), Tail::default());
        written.write_all(b"one").unwrap();
        assert_eq!(follow.read(&mut [0; 16]).unwrap(), 3);
        written.as_file().set_len(1).unwrap();
        assert!(follow.read(&mut [0; 16]).is_err());
    }
}
