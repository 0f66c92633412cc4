//! The lines of a log that are about one connection, as a log of their own.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use observer_core::{Event, EventKind, Flow, LossPoint, SourceEvent, Timestamp};

use super::Part;
use super::directory::time_of;
use super::part::parts;
use crate::log;

/// The parts that are looked through, the last ones. What is older is in the log.
const PARTS: usize = 2;
/// An excerpt is not longer; what it leaves out then is counted in its last line.
const LONGEST: u64 = 8 << 20;

/// Writes what the log in `directory` has about `flow` and about the observation itself since `since`: a log that can be
/// judged by itself, but for what other connections of the same server would tell.
///
/// # Errors
///
/// When the log cannot be read, or the excerpt not be written.
pub(super) fn write(directory: &Path, flow: Flow, since: Timestamp, out: &mut impl Write) -> io::Result<()> {
    let all = parts(directory)?;
    let Some(last) = all.last() else { return Ok(()) };
    let of_this: Vec<_> = all.iter().filter(|part| part.observation() == last.observation()).collect();
    let mut excerpt =
        Excerpt { flow: Pattern::of(flow), since: since.to_string(), out, length: 0, left_out: 0, at: since };
    for (index, part) in of_this[of_this.len().saturating_sub(PARTS)..].iter().enumerate() {
        excerpt.take(lines(directory, part)?, index == 0)?;
    }
    excerpt.finish()
}

fn lines(directory: &Path, part: &Part) -> io::Result<BufReader<Box<dyn Read>>> {
    // It may have been compressed a moment ago.
    let plain = File::open(directory.join(part.name()));
    let read: Box<dyn Read> = match plain {
        Ok(file) if !part.is_compressed() => Box::new(file),
        _ => Box::new(MultiGzDecoder::new(File::open(directory.join(part.compressed().name()))?)),
    };
    Ok(BufReader::new(read))
}

/// How a line names a connection.
struct Pattern {
    client: String,
    server: String,
}

impl Pattern {
    fn of(flow: Flow) -> Self {
        Self {
            client: format!("\"client\":\"{}\"", flow.client),
            server: format!("\"server\":\"{}\"", flow.server),
        }
    }

    /// Whether a line is about it, or about no connection.
    fn fits(&self, line: &str) -> bool {
        let is_about = |pattern: &str| line.contains(pattern);
        !is_about("\"client\":\"") || is_about(&self.client) && is_about(&self.server)
    }
}

struct Excerpt<'a, W> {
    flow: Pattern,
    since: String,
    out: &'a mut W,
    length: u64,
    left_out: u64,
    /// The time of the last line that is left out.
    at: Timestamp,
}

impl<W: Write> Excerpt<'_, W> {
    /// Takes the lines of a part; the header of the `first` only, as what is between is left out anyway.
    fn take(&mut self, part: impl BufRead, first: bool) -> io::Result<()> {
        for (number, line) in part.lines().enumerate() {
            let line = line?;
            let is_wanted = if number == 0 { first } else { self.is_since(&line) && self.flow.fits(&line) };
            if !is_wanted {
                continue;
            }
            if self.length > LONGEST {
                self.left_out += 1;
                self.at = time_of(line.as_bytes()).unwrap_or(self.at);
                continue;
            }
            writeln!(self.out, "{line}")?;
            self.length += line.len() as u64 + 1;
        }
        Ok(())
    }

    /// By the letters: the times of a log are all of one form.
    fn is_since(&self, line: &str) -> bool {
        const AT: &str = "\"at\":\"";
        let Some(begin) = line.find(AT).map(|begin| begin + AT.len()) else { return false };
        let Some(at) = line.get(begin..begin + self.since.len()) else { return false };
        at >= self.since.as_str()
    }

    fn finish(self) -> io::Result<()> {
        if self.left_out > 0 {
            let lost = SourceEvent::EventsLost { count: self.left_out, lost_by: LossPoint::Log };
            self.out.write_all(&log::event_line(&Event { at: self.at, kind: EventKind::Source(lost) })?)?;
        }
        Ok(())
    }
}
