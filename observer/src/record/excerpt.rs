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

/// Gives each of the excerpts its lines of the log in `directory`, which is looked through once for all of them.
///
/// # Errors
///
/// When the log cannot be read. What cannot be written is the excerpt's own, see [`Excerpt::finish`].
pub(super) fn fill<W: Write>(directory: &Path, excerpts: &mut [Excerpt<W>]) -> io::Result<()> {
    let all = parts(directory)?;
    let Some(last) = all.last() else { return Ok(()) };
    let of_this: Vec<_> = all.iter().filter(|part| part.observation() == last.observation()).collect();
    let mut line = String::new();
    for (index, part) in of_this[of_this.len().saturating_sub(PARTS)..].iter().enumerate() {
        let mut lines = lines(directory, part)?;
        // The header of the first only, as what is between is left out anyway.
        let mut header = Some(index == 0);
        // What is just being written has no end yet.
        while lines.read_line(&mut line)? > 0 && line.ends_with('\n') {
            let about = flow_of(&line);
            let header = header.take();
            for excerpt in &mut *excerpts {
                if header.unwrap_or_else(|| excerpt.wants(&line, about)) {
                    excerpt.take(&line);
                }
            }
            line.clear();
        }
        line.clear();
    }
    Ok(())
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

/// The connection that a line is about, if it is about one.
fn flow_of(line: &str) -> Option<Flow> {
    let address = |key: &str| line.split_once(key)?.1.split_once('"')?.0.parse().ok();
    Some(Flow { client: address("\"client\":\"")?, server: address("\"server\":\"")? })
}

/// What a log has about one connection and about the observation itself since some time: a log that can be judged by
/// itself, but for what other connections of the same server would tell.
#[derive(Debug)]
pub(super) struct Excerpt<W> {
    flow: Flow,
    since: String,
    out: W,
    length: u64,
    left_out: u64,
    /// The time of the last line that is left out.
    at: Timestamp,
    /// How the writing went so far.
    written: io::Result<()>,
}

impl<W: Write> Excerpt<W> {
    /// Begins one of what is about `flow` since `since`.
    pub(super) fn begin(flow: Flow, since: Timestamp, out: W) -> Self {
        Self { flow, since: since.to_string(), out, length: 0, left_out: 0, at: since, written: Ok(()) }
    }

    /// Ends it.
    ///
    /// # Errors
    ///
    /// When something of it could not be written.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.written?;
        if self.left_out > 0 {
            let lost = SourceEvent::EventsLost { count: self.left_out, lost_by: LossPoint::Log };
            self.out.write_all(&log::event_line(&Event { at: self.at, kind: EventKind::Source(lost) })?)?;
        }
        Ok(self.out)
    }

    /// Whether a line belongs to it, which is `about` a connection or about none.
    fn wants(&self, line: &str, about: Option<Flow>) -> bool {
        about.is_none_or(|flow| flow == self.flow) && self.is_since(line)
    }

    fn take(&mut self, line: &str) {
        if self.written.is_err() {
            return;
        }
        if self.length > LONGEST {
            self.left_out += 1;
            self.at = time_of(line.as_bytes()).unwrap_or(self.at);
            return;
        }
        self.written = self.out.write_all(line.as_bytes());
        self.length += line.len() as u64;
    }

    /// By the letters: the times of a log are all of one form.
    fn is_since(&self, line: &str) -> bool {
        const AT: &str = "\"at\":\"";
        let Some(begin) = line.find(AT).map(|begin| begin + AT.len()) else { return false };
        let Some(at) = line.get(begin..begin + self.since.len()) else { return false };
        at >= self.since.as_str()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const HEADER: &str = "{\"type\":\"observer\"}\n";

    fn flow(port: u16) -> Flow {
        Flow { client: ([10, 2, 7, 31], port).into(), server: ([10, 2, 7, 1], 3306).into() }
    }

    fn line(second: u8, port: u16) -> String {
        let Flow { client, server } = flow(port);
        format!(
            "{{\"at\":\"2024-05-04T14:03:{second:02}.000000Z\",\"client\":\"{client}\",\"server\":\"{server}\"}}\n"
        )
    }

    #[test]
    fn the_log_is_read_once_for_all_and_each_has_its_own() {
        let place = tempfile::tempdir().unwrap();
        let polled = "{\"at\":\"2024-05-04T14:03:03.000000Z\",\"event\":\"sockets_polled\"}\n";
        let parts = [
            [HEADER, &line(1, 1), &line(2, 2)].concat(),
            [HEADER, polled, &line(4, 2), &line(5, 1), line(6, 1).trim_end()].concat(),
        ];
        for (number, content) in (1..).zip(parts) {
            fs::write(place.path().join(format!("observer-20240504T140300Z-{number:06}.jsonl")), content)
                .unwrap();
        }
        let since = "2024-05-04T14:03:02Z".parse::<jiff::Timestamp>().unwrap();
        let since = Timestamp::from_micros(since.as_microsecond());
        let mut excerpts = [1, 2].map(|port| Excerpt::begin(flow(port), since, Vec::new()));
        fill(place.path(), &mut excerpts).unwrap();
        let [first, second] = excerpts.map(|excerpt| String::from_utf8(excerpt.finish().unwrap()).unwrap());
        assert_eq!(first, [HEADER, polled, &line(5, 1)].concat(), "not what is only half there");
        assert_eq!(second, [HEADER, &line(2, 2), polled, &line(4, 2)].concat());
    }

    #[test]
    fn one_that_cannot_be_written_keeps_no_other_from_it() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("observer-20240504T140300Z-000001.jsonl"), HEADER).unwrap();
        let (mut small, mut large) = ([0; 4], [0; 64]);
        let mut excerpts =
            [&mut small[..], &mut large[..]].map(|out| Excerpt::begin(flow(1), Timestamp::EPOCH, out));
        fill(place.path(), &mut excerpts).unwrap();
        let [small, large] = excerpts.map(Excerpt::finish);
        assert!(small.is_err() && large.is_ok());
    }
}
