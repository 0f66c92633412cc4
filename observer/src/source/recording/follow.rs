//! A file that somebody still writes.

use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How often the end of the file is looked at.
pub(crate) const PERIOD: Duration = Duration::from_millis(200);

/// Tells a follower to be content with what there is.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// From now on the end of the file is the end.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Waits at the end of a file for more. It has no end until it is told to stop.
#[derive(Debug)]
pub(super) struct Follow {
    file: File,
    stop: Stop,
}

impl Follow {
    pub(super) fn new(file: File, stop: Stop) -> Self {
        Self { file, stop }
    }

    /// A log only grows, but for what its writer takes back when the disk is full: never what was whole.
    fn check_length(&mut self) -> io::Result<()> {
        if self.file.metadata()?.len() < self.file.stream_position()? {
            return Err(io::Error::other("the file has become shorter while it was followed"));
        }
        Ok(())
    }
}

impl Read for Follow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let stopped = self.stop.is_stopped();
            match self.file.read(buffer)? {
                0 if !stopped && !buffer.is_empty() => {
                    self.check_length()?;
                    thread::sleep(PERIOD);
                }
                count => return Ok(count),
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
        let stop = Stop::default();
        let mut follow = Follow::new(written.reopen().unwrap(), stop.clone());
        written.write_all(b"one").unwrap();
        let mut buffer = [0; 16];
        assert_eq!(follow.read(&mut buffer).unwrap(), 3);
        written.write_all(b"two").unwrap();
        stop.stop();
        assert_eq!(follow.read(&mut buffer).unwrap(), 3, "what was there before the stop");
        assert_eq!(follow.read(&mut buffer).unwrap(), 0);
    }

    #[test]
    fn a_file_that_shrinks_is_an_error() {
        let mut written = tempfile::NamedTempFile::new().unwrap();
        let mut follow = Follow::new(written.reopen().unwrap(), Stop::default());
        written.write_all(b"one").unwrap();
        assert_eq!(follow.read(&mut [0; 16]).unwrap(), 3);
        written.as_file().set_len(1).unwrap();
        assert!(follow.read(&mut [0; 16]).is_err());
    }
}
