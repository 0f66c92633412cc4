//! The files of a recording, by their names: `observer-20240504T140341Z-000001.jsonl`, and `.gz` behind it once it is compressed.

use std::fs;
use std::io;
use std::path::Path;

use observer_core::Timestamp;

use crate::text::time_in_name;

const PREFIX: &str = "observer-";
const SUFFIX: &str = ".jsonl";
/// What a compressed part's name ends with.
const COMPRESSED: &str = ".gz";

/// One file of a recording. Their order is that of time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// When the observation began, as it stands in the name.
    observation: String,
    /// Counted from 1.
    number: u32,
    /// Whether it is compressed.
    compressed: bool,
}

impl Part {
    /// The first part of an observation that begins now.
    pub fn first(now: Timestamp) -> Self {
        Self { observation: time_in_name(now), number: 1, compressed: false }
    }

    /// The one that follows.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { number: self.number.saturating_add(1), compressed: false, ..self.clone() }
    }

    /// The same, compressed.
    #[must_use]
    pub fn compressed(&self) -> Self {
        Self { compressed: true, ..self.clone() }
    }

    /// Whether it is compressed.
    pub fn is_compressed(&self) -> bool {
        self.compressed
    }

    /// Counted from 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// When the observation began, as it stands in the name: parts that have it in common are one recording.
    pub fn observation(&self) -> &str {
        &self.observation
    }

    /// When the observation began by its name, to the second; `None` where that is no time.
    pub fn begun(&self) -> Option<Timestamp> {
        let at: jiff::Timestamp = self.observation.parse().ok()?;
        let at = Timestamp::from_micros(at.as_microsecond());
        (time_in_name(at) == self.observation).then_some(at)
    }

    /// The file's name.
    pub fn name(&self) -> String {
        let end = if self.compressed { COMPRESSED } else { "" };
        format!("{PREFIX}{}-{:06}{SUFFIX}{end}", self.observation, self.number)
    }

    /// The part with this name; `None` for the name of something else.
    pub fn of(name: &str) -> Option<Self> {
        let (plain, compressed) = name.strip_suffix(COMPRESSED).map_or((name, false), |plain| (plain, true));
        let (observation, number) = plain.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.split_once('-')?;
        let number = number.parse().ok().filter(|number| *number > 0)?;
        let part = Self { observation: observation.to_owned(), number, compressed };
        (part.name() == name && part.begun().is_some()).then_some(part)
    }
}

/// The parts in a directory, in the order of time. Of one that is there both compressed and not, the latter: the other
/// is about to replace it.
///
/// # Errors
///
/// When the directory cannot be read.
pub fn parts(directory: &Path) -> io::Result<Vec<Part>> {
    let mut parts = Vec::new();
    for entry in fs::read_dir(directory)? {
        parts.extend(Part::of(&entry?.file_name().to_string_lossy()));
    }
    parts.sort();
    parts.dedup_by(|later, earlier| later.compressed() == earlier.compressed());
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back() {
        let first = Part::first(Timestamp::from_micros(1_714_831_421_204_007));
        assert_eq!(first.name(), "observer-20240504T140341Z-000001.jsonl");
        for part in [first.clone(), first.next(), first.compressed(), first.next().compressed()] {
            assert_eq!(part.begun(), Some(Timestamp::from_micros(1_714_831_421_000_000)));
            assert_eq!(Part::of(&part.name()), Some(part));
        }
        assert_eq!(first.next().compressed().name(), "observer-20240504T140341Z-000002.jsonl.gz");
    }

    #[test]
    fn what_is_no_part_is_left_alone() {
        for name in [
            "",
            "observer.log",
            "observer-20240504T140341Z.jsonl",
            "observer-20240504T140341Z-1.jsonl",
            "observer-20240504T140341Z-000000.jsonl",
            "observer-20240504T140341Z-000001.jsonl.gz.new",
            "observer-20240504T140341Z-00000x.jsonl",
            "observer-20240504-000001.jsonl",
            "observer-latest-000001.jsonl",
        ] {
            assert_eq!(Part::of(name), None, "{name}");
        }
    }

    #[test]
    fn the_order_is_that_of_time() {
        let first = Part::first(Timestamp::from_micros(1_714_831_421_204_007));
        let later = Part::first(Timestamp::from_micros(1_714_831_422_204_007));
        assert!(first.compressed() < first.next() && first.next() < later);
    }
}
