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

/// The parts that are looked through the first time, the last ones. What is older is in the log.
const PARTS: u32 = 2;
/// So many are looked through later, from the first one on, which has the evidence.
const MOST_PARTS: u32 = 32;
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
    let mut of_this: Vec<_> = all.iter().filter(|part| part.observation() == last.observation()).collect();
    of_this.retain(|part| last.number() - part.number() < MOST_PARTS);
    let recent = of_this.iter().find(|part| last.number() - part.number() < PARTS).unwrap_or(&last).number();
    let firsts = excerpts.iter_mut().map(|excerpt| *excerpt.first.get_or_insert(recent));
    let Some(first) = firsts.min() else { return Ok(()) };
    let mut line = String::new();
    for part in of_this.into_iter().filter(|part| part.number() >= first) {
        let mut lines = match lines(directory, part) {
            // Removed a moment ago, as the oldest.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            lines => lines?,
        };
        let mut is_header = true;
        // What is just being written has no end yet.
        while lines.read_line(&mut line)? > 0 && line.ends_with('\n') {
            let about = flow_of(&line);
            for excerpt in &mut *excerpts {
                // The header of the first only, as what is between is left out anyway.
                let is_wanted = if is_header {
                    excerpt.first == Some(part.number())
                } else {
                    excerpt.is_begun() && excerpt.wants(&line, about)
                };
                if is_wanted {
                    excerpt.take(&line);
                }
            }
            is_header = false;
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
    /// The number of the part that it begins in, once that is known.
    first: Option<u32>,
    out: W,
    length: u64,
    left_out: u64,
    /// The time of the last line that is left out.
    at: Timestamp,
    /// How the writing went so far.
    written: io::Result<()>,
}

impl<W: Write> Excerpt<W> {
    /// Begins one of what is about `flow` since `since`. What is written anew begins in the same part as it did before,
    /// the one with the number `first`.
    pub(super) fn begin(flow: Flow, since: Timestamp, first: Option<u32>, out: W) -> Self {
        let since_text = since.to_string();
        Self { flow, since: since_text, first, out, length: 0, left_out: 0, at: since, written: Ok(()) }
    }

    /// Ends it; `None` when the part that it begins in is no longer among those that are looked through.
    ///
    /// # Errors
    ///
    /// When something of it could not be written.
    pub(super) fn finish(mut self) -> io::Result<Option<W>> {
        let is_begun = self.is_begun();
        self.written?;
        if self.left_out > 0 {
            let lost = SourceEvent::EventsLost { count: self.left_out, lost_by: LossPoint::Log };
            self.out.write_all(&log::event_line(&Event { at: self.at, kind: EventKind::Source(lost) })?)?;
        }
        Ok(is_begun.then_some(self.out))
    }

    /// Whether it has its header.
    fn is_begun(&self) -> bool {
        self.length > 0
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

    fn log(parts: impl IntoIterator<Item = (u32, String)>) -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        for (number, content) in parts {
            let name = format!("observer-20240504T140300Z-{number:06}.jsonl");
            fs::write(place.path().join(name), content).unwrap();
        }
        place
    }

    /// What a log has about a port, from a part on where there is an excerpt already.
    fn excerpt(log: &tempfile::TempDir, port: u16, first: Option<u32>) -> Option<String> {
        let mut excerpts = [Excerpt::begin(flow(port), Timestamp::EPOCH, first, Vec::new())];
        fill(log.path(), &mut excerpts).unwrap();
        let [excerpt] = excerpts.map(|excerpt| excerpt.finish().unwrap());
        excerpt.map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn the_log_is_read_once_for_all_and_each_has_its_own() {
        let polled = "{\"at\":\"2024-05-04T14:03:03.000000Z\",\"event\":\"sockets_polled\"}\n";
        let parts = [
            [HEADER, &line(1, 1), &line(2, 2)].concat(),
            [HEADER, polled, &line(4, 2), &line(5, 1), line(6, 1).trim_end()].concat(),
        ];
        let place = log((1..).zip(parts));
        let since = "2024-05-04T14:03:02Z".parse::<jiff::Timestamp>().unwrap();
        let since = Timestamp::from_micros(since.as_microsecond());
        let mut excerpts = [1, 2].map(|port| Excerpt::begin(flow(port), since, None, Vec::new()));
        fill(place.path(), &mut excerpts).unwrap();
        let [first, second] =
            excerpts.map(|excerpt| String::from_utf8(excerpt.finish().unwrap().unwrap()).unwrap());
        assert_eq!(first, [HEADER, polled, &line(5, 1)].concat(), "not what is only half there");
        assert_eq!(second, [HEADER, &line(2, 2), polled, &line(4, 2)].concat());
    }

    #[test]
    fn what_is_written_anew_begins_where_it_did() {
        let part = |number: u8| (u32::from(number), [HEADER, &line(number, 1)].concat());
        let place = log((1..=5).map(part));
        let of = |seconds: std::ops::RangeInclusive<u8>| {
            let lines = seconds.map(|second| line(second, 1));
            Some(std::iter::once(HEADER.to_owned()).chain(lines).collect::<String>())
        };
        assert_eq!(excerpt(&place, 1, None), of(4..=5));
        assert_eq!(excerpt(&place, 1, Some(2)), of(2..=5));
        // Beside others that begin elsewhere, each has its own.
        let mut both =
            [None, Some(1)].map(|first| Excerpt::begin(flow(1), Timestamp::EPOCH, first, Vec::new()));
        fill(place.path(), &mut both).unwrap();
        let both = both.map(|excerpt| String::from_utf8(excerpt.finish().unwrap().unwrap()).ok());
        assert_eq!(both, [of(4..=5), of(1..=5)]);
    }

    #[test]
    fn what_begins_in_a_part_that_is_gone_or_too_old_stays_as_it_was() {
        let part = |number| (number, [HEADER, &line(1, 1)].concat());
        let place = log((2..=MOST_PARTS + 2).map(part));
        for (first, is_there) in [(1, false), (2, false), (3, true)] {
            assert_eq!(excerpt(&place, 1, Some(first)).is_some(), is_there, "{first}");
        }
    }

    #[test]
    fn one_that_cannot_be_written_keeps_no_other_from_it() {
        let place = log([(1, HEADER.to_owned())]);
        let (mut small, mut large) = ([0; 4], [0; 64]);
        let mut excerpts =
            [&mut small[..], &mut large[..]].map(|out| Excerpt::begin(flow(1), Timestamp::EPOCH, None, out));
        fill(place.path(), &mut excerpts).unwrap();
        let [small, large] = excerpts.map(Excerpt::finish);
        assert!(small.is_err() && large.is_ok());
    }
}
