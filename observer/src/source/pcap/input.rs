//! The bytes of a capture, read once from front to back.

use std::io::{self, Read};

/// Bytes that are asked for at once; a capture is read in few large pieces.
const BUFFER: usize = 1 << 20;

/// Longest piece that can be asked for.
pub(super) const LONGEST: usize = BUFFER / 2;

/// An input that need not be seekable.
#[derive(Debug)]
pub(super) struct Input<R> {
    inner: R,
    buffer: Vec<u8>,
    /// What of the buffer is filled and not taken yet.
    start: usize,
    end: usize,
    /// Bytes taken so far.
    offset: u64,
}

impl<R: Read> Input<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, buffer: vec![0; BUFFER], start: 0, end: 0, offset: 0 }
    }

    /// Where in the input the next byte stands.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next `length` bytes, which stay where they are; fewer at the end of the input.
    pub(super) fn peek(&mut self, length: usize) -> io::Result<&[u8]> {
        debug_assert!(length <= LONGEST, "nobody asks for more than fits");
        while self.end - self.start < length {
            if self.start + length > self.buffer.len() {
                self.buffer.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
            }
            match self.inner.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&self.buffer[self.start..self.end.min(self.start + length)])
    }

    /// Takes the next `length` bytes; `None` when the input ends before.
    pub(super) fn take(&mut self, length: usize) -> io::Result<Option<&[u8]>> {
        if self.peek(length)?.len() < length {
            return Ok(None);
        }
        let start = self.start;
        self.start += length;
        self.offset += length as u64;
        Ok(Some(&self.buffer[start..start + length]))
    }

    /// Passes over `length` bytes; `false` when the input ends before.
    pub(super) fn skip(&mut self, mut length: u64) -> io::Result<bool> {
        while length > 0 {
            let piece = usize::try_from(length).unwrap_or(LONGEST).min(LONGEST);
            if self.take(piece)?.is_none() {
                return Ok(false);
            }
            length -= piece as u64;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, as a slow pipe may.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = buffer.len().min(1);
            self.0.read(&mut buffer[..length])
        }
    }

    #[test]
    fn pieces_come_whole_from_an_input_that_drips() {
        let mut input = Input::new(Drip(b"abcdef"));
        assert_eq!(input.peek(2).unwrap(), b"ab");
        assert_eq!(input.take(4).unwrap(), Some(&b"abcd"[..]));
        assert_eq!(input.offset(), 4);
        assert_eq!(input.take(3).unwrap(), None);
        assert_eq!(input.peek(3).unwrap(), b"ef");
        assert!(!input.skip(3).unwrap());
        assert!(input.skip(2).unwrap());
        assert_eq!(input.offset(), 6);
    }

    #[test]
    fn the_buffer_is_used_again() {
        let bytes: Vec<u8> = (0..=250).cycle().take(3 * BUFFER).collect();
        let mut input = Input::new(&bytes[..]);
        let mut expected = bytes.chunks(LONGEST - 1);
        while let Some(piece) = input.take(LONGEST - 1).unwrap() {
            assert_eq!(Some(piece), expected.next());
        }
        assert!(input.skip(1).unwrap(), "a piece shorter than asked for stays");
    }
}
