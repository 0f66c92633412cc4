//! Reading a log back.

use std::io::{BufRead, Read as _};

use anyhow::{Context as _, bail, ensure};

use super::parse::{self, Parsed};
use super::{Gap, Header, Line};

/// No line of a log is longer; what is longer is something else.
const LONGEST_LINE: u64 = 1 << 20;

/// Why the last line of a log that was cut off says nothing.
const TORN: &str = "cut off: the end of the line is missing";

/// Reads a log line by line. Errors name the line, counted from 1.
///
/// A last line without its end is what a writer that was killed leaves behind: it is a [`Gap`], and so is a line of a
/// kind that was added later. Parts of one recording may stand one after the other. Everything else that is no line of a log
/// is an error, after which nothing follows.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    header: Header,
    /// The part that is being read.
    part: u32,
    line: u64,
    text: Vec<u8>,
    ended: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// When the input cannot be read or does not begin with the header of a log of this format.
    pub fn new(mut input: R) -> anyhow::Result<Self> {
        let mut text = Vec::new();
        match read_line(&mut input, &mut text).context("line 1")? {
            Read::Nothing => bail!("line 1: nothing there, an event log begins with a header"),
            Read::Torn => bail!("line 1: {TORN}"),
            Read::Line => {}
        }
        let header = parse::header(&text).context("line 1")?;
        Ok(Self { input, part: header.part, header, line: 1, text, ended: false })
    }

    /// The first line.
    pub fn header(&self) -> &Header {
        &self.header
    }

    fn next_line(&mut self) -> anyhow::Result<Option<Line>> {
        self.line += 1;
        let read = read_line(&mut self.input, &mut self.text)?;
        if matches!(read, Read::Nothing) {
            return Ok(None);
        }
        // Even without a newline a whole object is a whole line.
        let parsed = match parse::line(&self.text) {
            Err(_) if matches!(read, Read::Torn) => Parsed::Unknown(TORN.to_owned()),
            parsed => parsed?,
        };
        if let Parsed::Line(Line::Header(next)) = &parsed {
            ensure!(
                next.part == self.part.saturating_add(1),
                "a second header, which is not that of the next part"
            );
            self.part = next.part;
        }
        Ok(Some(match parsed {
            Parsed::Line(line) => line,
            Parsed::Unknown(because) => Line::Gap(Gap { line: self.line, because }),
        }))
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = anyhow::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_line().with_context(|| format!("line {}", self.line)).transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// What was read.
enum Read {
    /// A whole line.
    Line,
    /// What stands after the last whole line.
    Torn,
    /// The input has ended.
    Nothing,
}

/// Reads one line into `text`, without its end.
fn read_line(input: &mut impl BufRead, text: &mut Vec<u8>) -> anyhow::Result<Read> {
    text.clear();
    input.by_ref().take(LONGEST_LINE).read_until(b'\n', text)?;
    let length = text.len() as u64;
    match text.last() {
        None => Ok(Read::Nothing),
        Some(b'\n') => {
            text.pop();
            Ok(Read::Line)
        }
        Some(_) => {
            ensure!(length < LONGEST_LINE, "longer than {LONGEST_LINE} bytes");
            Ok(Read::Torn)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"type":"header","schema":"observer.log/1","version":"0.1.0","host":"db1","kernel":"6.1.0","started_at":"2024-05-04T14:03:41.204007Z","clock_offset":0.0,"ports":[3306],"net_write_timeout":{"seconds":60,"source":"assumed"},"warning_share":0.5,"critical_share":0.8,"max_connections":100,"sources":[]}"#;
    const EVENT: &str =
        r#"{"type":"event","at":"2024-05-04T14:03:41.204007Z","event":"sockets_polled","period":1}"#;

    /// The error that reading `log` ends with.
    fn complaint(log: &str) -> String {
        let error = match Reader::new(log.as_bytes()) {
            Ok(mut reader) => reader.find_map(Result::err).expect("the log was read to its end"),
            Err(error) => error,
        };
        format!("{error:#}")
    }

    #[test]
    fn unknown_fields_are_passed_over() {
        let header = HEADER.replace("\"ports\"", "\"colour\":\"blue\",\"ports\"");
        let event = EVENT.replace("\"period\"", "\"mood\":{\"good\":true},\"period\"");
        let log = format!("{header}\n{event}\n");
        assert_eq!(Reader::new(log.as_bytes()).unwrap().map(Result::unwrap).count(), 1);
    }

    #[test]
    fn an_error_names_the_line() {
        assert!(complaint("").starts_with("line 1: "), "{}", complaint(""));
        assert!(complaint("{}\n").starts_with("line 1: "));
        assert!(complaint(&format!(" {HEADER}\n")).starts_with("line 1: "), "it is not known for a log");
        assert!(complaint(&format!("{EVENT}\n")).starts_with("line 1: "));
        let third = [HEADER, EVENT, "{\"type\":\"event\",\"at\":7}"].join("\n") + "\n";
        assert!(complaint(&third).starts_with("line 3: "), "{}", complaint(&third));
        let twice = [HEADER, HEADER].join("\n") + "\n";
        assert_eq!(complaint(&twice), "line 2: a second header, which is not that of the next part");
    }

    #[test]
    fn a_torn_last_line_is_a_gap_and_one_before_it_an_error() {
        let read = |log: &str| Reader::new(log.as_bytes()).unwrap().collect::<anyhow::Result<Vec<_>>>();
        let log = format!("{HEADER}\n{EVENT}\n{EVENT}");
        assert_eq!(read(&log).unwrap().len(), 2, "only the newline is missing");
        for cut in [log.len() - 1, log.len() - 40, log.len() - EVENT.len() + 1] {
            let gap = Gap { line: 3, because: TORN.to_owned() };
            assert_eq!(read(&log[..cut]).unwrap()[1..], [Line::Gap(gap)], "{}", &log[..cut]);
        }
        let torn = format!("{HEADER}\n{}\n{EVENT}\n", &EVENT[..40]);
        assert!(complaint(&torn).starts_with("line 2: not a line of an event log: "), "{}", complaint(&torn));
        assert_eq!(complaint(&HEADER[..40]), format!("line 1: {TORN}"));
    }

    #[test]
    fn a_line_of_an_unknown_kind_is_a_gap_with_its_number() {
        let log = [HEADER, &EVENT.replace("sockets_polled", "stars_aligned"), EVENT].join("\n") + "\n";
        let lines: Vec<_> = Reader::new(log.as_bytes()).unwrap().map(Result::unwrap).collect();
        let gap = Gap { line: 2, because: "unknown kind `stars_aligned`".to_owned() };
        assert_eq!(lines[0], Line::Gap(gap));
        assert!(matches!(lines[1], Line::Event(_)));
    }

    #[test]
    fn nothing_follows_an_error() {
        let log = [HEADER, "x", EVENT].join("\n") + "\n";
        let mut reader = Reader::new(log.as_bytes()).unwrap();
        assert!(reader.next().unwrap().is_err());
        assert!(reader.next().is_none());
    }

    #[test]
    fn an_endless_line_is_not_read_to_its_end() {
        let endless = std::io::BufReader::new(std::io::repeat(b'x'));
        let error = format!("{:#}", Reader::new(endless).unwrap_err());
        assert!(error.starts_with("line 1: longer than"), "{error}");
    }

    #[test]
    fn another_schema_is_refused() {
        let newer = HEADER.replace("log/1", "log/2") + "\n";
        assert!(complaint(&newer).contains("observer.log/2"), "{}", complaint(&newer));
        // Whatever else such a header has.
        let strange = r#"{"type":"header","schema":"observer.log/2","colour":"blue"}"#.to_owned() + "\n";
        assert!(complaint(&strange).contains("observer.log/2"), "{}", complaint(&strange));
    }
}
